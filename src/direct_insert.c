/*
 * direct_insert.c
 *		Inserts of rows that are not there without starting the executor (see
 *		direct_target.c).
 *
 * They are what INSERT .. ON CONFLICT DO NOTHING is: look whether the key is
 * there, insert, and keep the row if nobody else has inserted its key
 * meanwhile.  All writers of a feed lock it first, so only somebody's own SQL
 * can have done that.  So rows are inserted as if it never happened, many with
 * one record of the write-ahead log, and deleted where it did; the statement is
 * executed for them.  Until this transaction ends, others who insert such a key
 * wait for it.
 *
 * Logical decoding would tell of such a row, and a subscriber stumble over it:
 * the key is there already.  Speculative insertion is for that, a row at a time
 * with a lock and a record more each.  So where the log is for logical
 * decoding, rows are inserted that way.
 *
 * Where the row refers to another one, see direct_parent.c.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/tableam.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/snapmgr.h"

#include "direct_check.h"
#include "direct_target.h"

/* What changed between PostgreSQL 15 and 18. */
#if PG_VERSION_NUM >= 180000
#define IS_FREE_OF_CONFLICTS(result, slot, state, found, arbiters) \
	ExecCheckIndexConstraints(result, slot, state, found, &(slot)->tts_tid, \
							  arbiters)
#else
#define IS_FREE_OF_CONFLICTS(result, slot, state, found, arbiters) \
	ExecCheckIndexConstraints(result, slot, state, found, arbiters)
#endif

/* So many rows are written at once: some more than a page takes. */
#define MAX_ROWS 64

/* Rows that are being inserted. */
typedef struct Insertion
{
	bool may_be_there; /* their keys */
	DirectParameterSetter next;
	void *context;
	Datum parameters[MAX_PLAN_PARAMETERS];
	bool parameter_nulls[MAX_PLAN_PARAMETERS];
	EState *state;
	ResultRelInfo *result;
	List *arbiters; /* the index of the primary key */
	Datum values[MAX_ROW_COLUMNS];
	bool nulls[MAX_ROW_COLUMNS];
	TupleTableSlot *slots[MAX_ROWS]; /* those that are to be written */
	int positions[MAX_ROWS];		 /* their places among all */
	int count;
	int slot_count; /* slots that are made */
	int done;		/* rows up to the first that is for the statement */
	bool *inserted; /* of all rows */
} Insertion;

/*
 * Makes the row of the current parameters.
 */
static bool
FillRow(const DirectTarget *target, Insertion *insertion, TupleTableSlot *slot)
{
	const DirectStatement *insert = target->plan->direct;
	DirectRow row = {insert->shape, RelationGetDescr(target->table),
					 insertion->values, insertion->nulls};

	memset(insertion->nulls, true, sizeof(insertion->nulls));
	if (!insert->change(&row, insertion->parameters,
						insertion->parameter_nulls))
		return false;
	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, row.type->natts * sizeof(bool));
	RowPut(&target->columns.places, insertion->values, insertion->nulls,
		   slot->tts_values, slot->tts_isnull);
	if (!DirectFitColumns(row.type, slot->tts_isnull))
		return false;
	ExecStoreVirtualTuple(slot);
	return true;
}

/*
 * Whether a partial index leaves a row out because a column is null.  To prepare
 * the whole condition for the executor costs as much as half an entry.
 */
static bool
IsLeftOut(const IndexInfo *index, TupleTableSlot *slot)
{
	ListCell *cell;

	foreach (cell, index->ii_Predicate)
	{
		const NullTest *test = lfirst(cell);
		const Var *column;

		if (!IsA(test, NullTest) || test->nulltesttype != IS_NOT_NULL)
			continue;
		column = (const Var *) test->arg;
		/* it may be the whole row, too */
		if (IsA(column, Var) && column->varattno > 0 && !test->argisrow &&
			slot_attisnull(slot, column->varattno))
			return true;
	}
	return false;
}

/*
 * Inserts a row's entry in one index.  Returns false when its key is there, or
 * may be as soon as somebody else commits.  No index complains of a row that is
 * not in.
 */
static bool
AddEntry(const Insertion *insertion, ResultRelInfo *index,
		 TupleTableSlot *slot, bool is_in)
{
	bool in_conflict = !is_in;

	if (!IsLeftOut(index->ri_IndexRelationInfo[0], slot))
		(void) INSERT_INDEX_ENTRIES(index, slot, insertion->state, false, true,
									&in_conflict,
									is_in ? insertion->arbiters : NIL, false);
	return !in_conflict;
}

/*
 * Inserts the entries of those rows in one index.
 */
static void
AddEntriesToIndex(Insertion *insertion, ResultRelInfo *index, int first,
				  int count)
{
	for (int i = first; i < first + count; i++)
	{
		bool *is_in = &insertion->inserted[insertion->positions[i]];

		*is_in = AddEntry(insertion, index, insertion->slots[i], *is_in);
	}
}

/*
 * The same in the index of the primary key, or in all others.
 */
static void
AddEntriesTo(Insertion *insertion, bool is_key, int first, int count)
{
	ResultRelInfo index = *insertion->result;
	Oid key = linitial_oid(insertion->arbiters);

	index.ri_NumIndices = 1;
	for (int left = insertion->result->ri_NumIndices; left > 0; left--)
	{
		if ((RelationGetRelid(index.ri_IndexRelationDescs[0]) == key) ==
			is_key)
			AddEntriesToIndex(insertion, &index, first, count);
		index.ri_IndexRelationDescs++;
		index.ri_IndexRelationInfo++;
	}
}

/*
 * Inserts the entries of some of the rows, and says which are in.  The way to
 * rows of one user is much the same in an index: all go into one before the
 * next.  The primary key's comes first: another unique index may have the same
 * key, as while that one is made anew, or a part of it.
 */
static void
AddEntries(Insertion *insertion, int first, int count)
{
	for (int i = first; i < first + count; i++)
		insertion->inserted[insertion->positions[i]] = true;
	AddEntriesTo(insertion, true, first, count);
	AddEntriesTo(insertion, false, first, count);
}

/*
 * The first of the rows that is not in; or their count.
 */
static int
FirstInConflict(const Insertion *insertion)
{
	int i = 0;

	while (i < insertion->count &&
		   insertion->inserted[insertion->positions[i]])
		i++;
	return i;
}

static void
WriteSpeculatively(const DirectTarget *target, Insertion *insertion)
{
	TransactionId transaction = GetCurrentTransactionId();

	for (int i = 0; i < insertion->count; i++)
	{
		TupleTableSlot *slot = insertion->slots[i];
		uint32 token = SpeculativeInsertionLockAcquire(transaction);

		table_tuple_insert_speculative(
			target->table, slot, GetCurrentCommandId(true), 0, NULL, token);
		AddEntries(insertion, i, 1);
		table_tuple_complete_speculative(
			target->table, slot, token,
			insertion->inserted[insertion->positions[i]]);
		SpeculativeInsertionLockRelease(transaction);
	}
}

/*
 * Takes those rows back that are not in.  They have their entries in all
 * indexes, as every row has.
 */
static void
TakeBack(const DirectTarget *target, const Insertion *insertion)
{
	/* A command cannot delete its own rows. */
	CommandCounterIncrement();
	for (int i = 0; i < insertion->count; i++)
	{
		if (!insertion->inserted[insertion->positions[i]])
			simple_table_tuple_delete(target->table,
									  &insertion->slots[i]->tts_tid,
									  GetActiveSnapshot());
	}
}

static void
WriteTogether(const DirectTarget *target, Insertion *insertion)
{
	table_multi_insert(target->table, insertion->slots, insertion->count,
					   GetCurrentCommandId(true), 0, NULL);
	AddEntries(insertion, 0, insertion->count);
	if (FirstInConflict(insertion) < insertion->count)
		TakeBack(target, insertion);
}

/*
 * Writes the rows that were gathered.  Returns false when one of them is for
 * the statement.
 */
static bool
WriteRows(const DirectTarget *target, Insertion *insertion)
{
	MemoryContext caller_context = CurrentMemoryContext;
	int in_conflict;
	bool all_in;

	if (insertion->count == 0)
		return true;
	MemoryContextSwitchTo(GetPerTupleMemoryContext(insertion->state));
	if (RelationIsLogicallyLogged(target->table))
		WriteSpeculatively(target, insertion);
	else
		WriteTogether(target, insertion);
	MemoryContextSwitchTo(caller_context);
	ResetPerTupleExprContext(insertion->state);
	in_conflict = FirstInConflict(insertion);
	all_in = in_conflict == insertion->count;
	if (!all_in)
		insertion->done = insertion->positions[in_conflict];
	insertion->count = 0;
	return all_in;
}

static TupleTableSlot *
NextSlot(const DirectTarget *target, Insertion *insertion)
{
	if (insertion->count == insertion->slot_count)
		insertion->slots[insertion->slot_count++] =
			table_slot_create(target->table, NULL);
	return insertion->slots[insertion->count];
}

/*
 * Adds the row of the current parameters to those that are to be written,
 * unless its key is there.  To insert a row and take it back is expensive, so
 * that is looked for before.  Returns false when the statement has to look.
 */
static bool
GatherRow(const DirectTarget *target, Insertion *insertion)
{
	TupleTableSlot *slot = NextSlot(target, insertion);
	ItemPointerData other;

	if (!FillRow(target, insertion, slot))
		return false;
	if (!insertion->may_be_there ||
		IS_FREE_OF_CONFLICTS(insertion->result, slot, insertion->state, &other,
							 insertion->arbiters))
		insertion->positions[insertion->count++] = insertion->done;
	/* A snapshot of the whole transaction may not see what is there. */
	else if (IsolationUsesXactSnapshot())
		return false;
	insertion->done++;
	return true;
}

/*
 * Inserts rows up to the first that the statement has to look at.
 */
static void
InsertRows(const DirectTarget *target, Insertion *insertion)
{
	bool is_more;

	do
	{
		CHECK_FOR_INTERRUPTS();
		is_more = GatherRow(target, insertion) && insertion->next != NULL &&
				  insertion->next(insertion->context, insertion->parameters,
								  insertion->parameter_nulls);
		if (!is_more || insertion->count == MAX_ROWS)
			is_more = WriteRows(target, insertion) && is_more;
	} while (is_more);
}

/*
 * The same with the indexes open.
 */
static void
InsertIntoIndexes(const DirectTarget *target, Insertion *insertion)
{
	insertion->state = CreateExecutorState();
	insertion->result = makeNode(ResultRelInfo);
	InitResultRelInfo(insertion->result, target->table, 1, NULL, 0);
	ExecOpenIndices(insertion->result, insertion->may_be_there);
	InsertRows(target, insertion);
	for (int i = 0; i < insertion->slot_count; i++)
		ExecDropSingleTupleTableSlot(insertion->slots[i]);
	ExecCloseIndices(insertion->result);
	FreeExecutorState(insertion->state);
}

/*
 * The same under a snapshot as the statement would have.
 */
static void
InsertUnderParent(const DirectTarget *target, Insertion *insertion,
				  Oid parent_index)
{
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (!OidIsValid(parent_index) ||
		DirectHoldParent(target, insertion->parameters, parent_index))
		InsertIntoIndexes(target, insertion);
	PopActiveSnapshot();
	CommandCounterIncrement();
}

static bool
IsAsInstalled(const DirectTarget *target, Oid key, Oid parent_index)
{
	Relation index = index_open(key, RowExclusiveLock);
	bool is_so = DirectIsAsInstalled(target, index) &&
				 (OidIsValid(parent_index) ||
				  RelationGetFKeyList(target->table) == NIL);

	index_close(index, NoLock);
	return is_so;
}

/*
 * Inserts with what the statement's plan names.
 */
static DirectResult
InsertByStatement(DirectTarget *target, void *context)
{
	Insertion *insertion = context;
	Oid key;
	Oid parent_index;

	if (!DirectIndexesOfInsert(target->statement, target->plan->direct, &key,
							   &parent_index))
		return DIRECT_NOT_DONE;
	DirectOpenTable(target);
	if (IsAsInstalled(target, key, parent_index))
	{
		insertion->arbiters = list_make1_oid(key);
		InsertUnderParent(target, insertion, parent_index);
	}
	DirectCloseTable(target);
	return insertion->done > 0 ? DIRECT_DONE : DIRECT_NOT_DONE;
}

/*
 * Does what an INSERT would do with one row, and hands that to "take".  nulls
 * may be NULL when no parameter is null.
 */
DirectResult
DirectInsertRow(KeptPlan *plan, const Datum *parameters, const bool *nulls,
				PlanRowTaker take, void *context)
{
	DirectTarget target = {.plan = plan};
	const KeptPlan *look = plan->direct->look;
	bool inserted = false;
	Insertion insertion = {.may_be_there = look == NULL || !look->found_no_key,
						   .inserted = &inserted};
	DirectResult result;

	memcpy(insertion.parameters, parameters, plan->nparams * sizeof(Datum));
	if (nulls != NULL)
		memcpy(insertion.parameter_nulls, nulls, plan->nparams * sizeof(bool));
	result = DirectRun(&target, InsertByStatement, &insertion);
	if (result == DIRECT_DONE && !inserted)
		return DIRECT_NO_ROW;
	if (result == DIRECT_DONE && take != NULL)
		take(context, insertion.values, insertion.nulls);
	return result;
}

/*
 * Inserts those of some rows with the same parent whose keys are not there, and
 * says which.  What the parameters of several rows point to has to stay.
 * Returns how many it has looked at; the others are for the statement, which
 * finds some of them there.  may_be_there is false where a key would be a
 * surprise.
 */
int
DirectInsertRows(KeptPlan *plan, bool may_be_there, DirectParameterSetter next,
				 void *context, bool *inserted)
{
	DirectTarget target = {.plan = plan};
	Insertion insertion = {.may_be_there = may_be_there,
						   .next = next,
						   .context = context,
						   .inserted = inserted};

	if (PlanReady(plan) &&
		next(context, insertion.parameters, insertion.parameter_nulls))
		(void) DirectRun(&target, InsertByStatement, &insertion);
	return insertion.done;
}

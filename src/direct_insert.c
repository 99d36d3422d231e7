/*
 * direct_insert.c
 *		Inserts of rows that are not there without starting the executor (see
 *		direct_target.c).
 *
 * They are what INSERT .. ON CONFLICT DO NOTHING is: look whether the key is
 * there, insert speculatively, and keep the row if nobody else has inserted it
 * meanwhile.  Where there is a conflict, the statement is executed.
 *
 * Where the row refers to another one, that is looked up and locked as the
 * foreign key's trigger does, but only once for all rows that refer to it.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/sysattr.h"
#include "access/tableam.h"
#include "access/table.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/snapmgr.h"

#include "direct_check.h"
#include "direct_target.h"

/* What changed between PostgreSQL 15 and 18. */
#if PG_VERSION_NUM >= 160000
#define INSERT_INDEX_ENTRIES(result, slot, state, conflict, arbiters) \
	ExecInsertIndexTuples(result, slot, state, false, true, conflict, \
						  arbiters, false)
#else
#define INSERT_INDEX_ENTRIES(result, slot, state, conflict, arbiters) \
	ExecInsertIndexTuples(result, slot, state, false, true, conflict, arbiters)
#endif

#if PG_VERSION_NUM >= 180000
#define IS_FREE_OF_CONFLICTS(result, slot, state, found, arbiters) \
	ExecCheckIndexConstraints(result, slot, state, found, &(slot)->tts_tid, \
							  arbiters)
#else
#define IS_FREE_OF_CONFLICTS(result, slot, state, found, arbiters) \
	ExecCheckIndexConstraints(result, slot, state, found, arbiters)
#endif

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
	TupleTableSlot *slot;
	Datum values[MAX_ROW_COLUMNS];
	bool nulls[MAX_ROW_COLUMNS];
	int inserted; /* rows */
	int skipped;  /* rows whose key is there */
} Insertion;

typedef enum RowOutcome
{
	ROW_INSERTED,
	ROW_SKIPPED,
	ROW_NOT_DONE
} RowOutcome;

/*
 * Sees to it that nobody takes the row away before this transaction ends, as
 * the foreign key's trigger does: neither the version that is seen nor those
 * that others are about to put in its place.  What the transaction has written
 * itself needs no lock.
 */
static bool
HoldRow(Relation table, TupleTableSlot *slot)
{
	bool is_null;
	Datum writer =
		slot_getsysattr(slot, MinTransactionIdAttributeNumber, &is_null);
	TupleTableSlot *locked;
	TM_FailureData failure;
	TM_Result result;

	if (TransactionIdIsCurrentTransactionId(DatumGetTransactionId(writer)))
		return true;
	locked = table_slot_create(table, NULL);
	result = table_tuple_lock(
		table, &slot->tts_tid, GetActiveSnapshot(), locked,
		GetCurrentCommandId(false), LockTupleKeyShare, LockWaitBlock,
		TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS, &failure);
	ExecDropSingleTupleTableSlot(locked);
	return result == TM_Ok;
}

/*
 * Looks for the parent of the rows, and holds it.
 */
static bool
HoldFound(const DirectTarget *target, const Insertion *insertion,
		  Relation table, const RowPlaces *places, IndexScanDesc scan,
		  TupleTableSlot *slot)
{
	const DirectParent *parent = target->plan->direct->parent;
	Datum values[MAX_ROW_COLUMNS];
	bool nulls[MAX_ROW_COLUMNS];
	DirectRow row = {parent->shape, RelationGetDescr(table), values, nulls};

	if (!DirectFindRow(scan, target->plan, insertion->parameters,
					   parent->key_length, slot))
		return false;
	RowPick(places, slot->tts_values, slot->tts_isnull, values, nulls);
	return parent->is_it(&row, insertion->parameters) && HoldRow(table, slot);
}

/*
 * The same in a table that is open.
 */
static bool
HoldParentIn(const DirectTarget *target, const Insertion *insertion,
			 Relation table, Relation index)
{
	const DirectParent *parent = target->plan->direct->parent;
	TupleTableSlot *slot;
	IndexScanDesc scan;
	DirectColumns columns;
	bool is_held;

	DirectDescribeColumns(parent->shape, table, &columns);
	if (!columns.are_own || !DirectRefersTo(target, table, &columns.places) ||
		!DirectIsOwnKey(target->plan, index, parent->key_length))
		return false;
	slot = table_slot_create(table, NULL);
	scan = BEGIN_INDEX_SCAN(table, index, GetActiveSnapshot(),
							parent->key_length);
	is_held = HoldFound(target, insertion, table, &columns.places, scan, slot);
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	return is_held;
}

static bool
HoldParent(const DirectTarget *target, const Insertion *insertion,
		   Oid index_id)
{
	Relation index = index_open(index_id, AccessShareLock);
	/* for who locks rows, see LOCK TABLE */
	Relation table = table_open(index->rd_index->indrelid, RowShareLock);
	bool is_held = HoldParentIn(target, insertion, table, index);

	table_close(table, NoLock);
	index_close(index, NoLock);
	return is_held;
}

/*
 * Makes the row of the current parameters.
 */
static bool
FillRow(const DirectTarget *target, Insertion *insertion)
{
	const DirectStatement *insert = target->plan->direct;
	TupleTableSlot *slot = insertion->slot;
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
 * Inserts the row unless somebody else inserts its key at the same time.
 */
static RowOutcome
WriteRow(const DirectTarget *target, Insertion *insertion)
{
	TransactionId transaction = GetCurrentTransactionId();
	TupleTableSlot *slot = insertion->slot;
	bool in_conflict = false;
	uint32 token;

	token = SpeculativeInsertionLockAcquire(transaction);
	table_tuple_insert_speculative(target->table, slot,
								   GetCurrentCommandId(true), 0, NULL, token);
	(void) INSERT_INDEX_ENTRIES(insertion->result, slot, insertion->state,
								&in_conflict, insertion->arbiters);
	table_tuple_complete_speculative(target->table, slot, token, !in_conflict);
	SpeculativeInsertionLockRelease(transaction);
	return in_conflict ? ROW_NOT_DONE : ROW_INSERTED;
}

/*
 * Inserts the row of the current parameters unless its key is there.  To insert
 * a row and take it back is expensive, so that is looked for before.
 */
static RowOutcome
InsertRow(const DirectTarget *target, Insertion *insertion)
{
	ItemPointerData other;

	if (!FillRow(target, insertion))
		return ROW_NOT_DONE;
	if (!insertion->may_be_there ||
		IS_FREE_OF_CONFLICTS(insertion->result, insertion->slot,
							 insertion->state, &other, insertion->arbiters))
		return WriteRow(target, insertion);
	/* A snapshot of the whole transaction may not see what is there. */
	return IsolationUsesXactSnapshot() ? ROW_NOT_DONE : ROW_SKIPPED;
}

/*
 * Inserts rows up to the first that the statement has to look at.
 */
static void
InsertRows(const DirectTarget *target, Insertion *insertion)
{
	do
	{
		CHECK_FOR_INTERRUPTS();
		ResetPerTupleExprContext(insertion->state);
		switch (InsertRow(target, insertion))
		{
			case ROW_NOT_DONE:
				return;
			case ROW_SKIPPED:
				insertion->skipped++;
				break;
			case ROW_INSERTED:
				insertion->inserted++;
				if (target->take != NULL)
					target->take(target->context, insertion->values,
								 insertion->nulls);
		}
	} while (insertion->next != NULL &&
			 insertion->next(insertion->context, insertion->parameters,
							 insertion->parameter_nulls));
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
	ExecOpenIndices(insertion->result, true);
	insertion->slot = MakeSingleTupleTableSlot(RelationGetDescr(target->table),
											   &TTSOpsVirtual);
	InsertRows(target, insertion);
	ExecDropSingleTupleTableSlot(insertion->slot);
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
		HoldParent(target, insertion, parent_index))
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
	if (insertion->inserted > 0)
		return DIRECT_DONE;
	return insertion->skipped > 0 ? DIRECT_NO_ROW : DIRECT_NOT_DONE;
}

/*
 * Does what an INSERT would do with one row, and hands that to "take".  nulls
 * may be NULL when no parameter is null.
 */
DirectResult
DirectInsertRow(KeptPlan *plan, const Datum *parameters, const bool *nulls,
				PlanRowTaker take, void *context)
{
	DirectTarget target = {.plan = plan, .take = take, .context = context};
	const KeptPlan *look = plan->direct->look;
	Insertion insertion = {.may_be_there =
							   look == NULL || !look->found_no_key};

	memcpy(insertion.parameters, parameters, plan->nparams * sizeof(Datum));
	if (nulls != NULL)
		memcpy(insertion.parameter_nulls, nulls, plan->nparams * sizeof(bool));
	return DirectRun(&target, InsertByStatement, &insertion);
}

/*
 * Inserts those of some rows with the same parent whose keys are not there, and
 * hands them to "take".  Returns how many it has looked at; the others are for
 * the statement.  may_be_there is false where a key would be a surprise.
 */
int
DirectInsertRows(KeptPlan *plan, bool may_be_there, DirectParameterSetter next,
				 PlanRowTaker take, void *context)
{
	DirectTarget target = {.plan = plan, .take = take, .context = context};
	Insertion insertion = {
		.may_be_there = may_be_there, .next = next, .context = context};

	if (PlanReady(plan) &&
		next(context, insertion.parameters, insertion.parameter_nulls))
		(void) DirectRun(&target, InsertByStatement, &insertion);
	return insertion.inserted + insertion.skipped;
}

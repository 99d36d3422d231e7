/*
 * direct_batch.c
 *		Batches of external activities inserted without the executor (see
 *		direct_target.c).
 *
 * A batch is one statement for thousands of rows, so it is not the start of the
 * executor that counts, but what it does for each row: it takes arrays apart,
 * hands rows from node to node, takes a row apart again for constraints and
 * for indexes, and writes a record of the log for each.
 *
 * Nothing is left out: ids come from the sequence one by one, constraints are
 * checked by the executor's own function, and every index gets its entry, or
 * complains.  Only the order is another one: rows are checked and written some
 * at a time, and then get their entries.  So it must not matter: what calls
 * somebody's functions, or may refuse a row beside the primary key, is for the
 * statement.  Where a batch fails all of it does, but of two errors the other
 * may be told, and more ids are skipped.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/snapmgr.h"

#include "direct_check.h"
#include "direct_constraint.h"
#include "direct_target.h"

/* So many rows are written at once: about what a page takes. */
#define MAX_ROWS 64

/* Rows that are being inserted. */
typedef struct Batch
{
	DirectRowSetter next;
	PlanRowTaker take;
	void *context;
	RowPlaces places; /* of the table's columns */
	Oid sequence;
	Expr *const *constraints; /* that rows have to meet */
	TupleDesc type; /* of the slots: not counted how often it is used */
	EState *state;
	ResultRelInfo *result;
	TupleTableSlot *row; /* the one that is looked at, as it was made */
	TupleTableSlot *slots[MAX_ROWS]; /* those that are to be written */
	Datum values[MAX_ROWS][EXTERNAL_ACTIVITY_COLUMN_COUNT];
	bool nulls[MAX_ROWS][EXTERNAL_ACTIVITY_COLUMN_COUNT];
	int count;
	int slot_count; /* slots that are made */
} Batch;

/*
 * What the statement puts into each column.  It is put there as it is: for a
 * column of another type the plan would have a conversion around it.
 */
static const NodeTag sources[] = {
	T_Param, T_Param,			T_NextValueExpr, T_SubscriptingRef,
	T_Var,	 T_SubscriptingRef, T_Var,			 T_Param};

StaticAssertDecl(lengthof(sources) == EXTERNAL_ACTIVITY_COLUMN_COUNT,
				 "external_activity's columns and their sources differ");

static void
ShowRow(const Batch *batch, int i)
{
	ExecClearTuple(batch->row);
	RowPut(&batch->places, batch->values[i], batch->nulls[i],
		   batch->row->tts_values, batch->row->tts_isnull);
	ExecStoreVirtualTuple(batch->row);
}

static TupleTableSlot *
NextSlot(const DirectTarget *target, Batch *batch)
{
	MemoryContext caller_context = CurrentMemoryContext;

	if (batch->count < batch->slot_count)
		return batch->slots[batch->count];
	MemoryContextSwitchTo(batch->state->es_query_cxt);
	batch->slots[batch->slot_count++] =
		MakeTupleTableSlot(batch->type, table_slot_callbacks(target->table));
	MemoryContextSwitchTo(caller_context);
	return batch->slots[batch->count];
}

/*
 * Adds the next row to those that are to be written.  Returns false when there
 * is none.
 */
static bool
GatherRow(const DirectTarget *target, Batch *batch)
{
	Datum *values = batch->values[batch->count];
	DirectRow row = {&external_activity_shape, RelationGetDescr(target->table),
					 values, batch->nulls[batch->count]};

	if (!batch->next(batch->context, &row))
		return false;
	values[EXTERNAL_ACTIVITY_ID] =
		Int64GetDatum(nextval_internal(batch->sequence, false));
	ShowRow(batch, batch->count);
	ExecConstraints(batch->result, batch->row, batch->state);
	ExecCopySlot(NextSlot(target, batch), batch->row);
	batch->count++;
	return true;
}

/*
 * Adds the entries of a row that is written.  They are made of the row as it
 * was, so that nothing has to be taken apart.
 */
static void
AddEntries(const Batch *batch, int i)
{
	ShowRow(batch, i);
	batch->row->tts_tid = batch->slots[i]->tts_tid;
	(void) INSERT_INDEX_ENTRIES(batch->result, batch->row, batch->state, false,
								false, NULL, NIL, false);
}

static void
WriteRows(const DirectTarget *target, Batch *batch)
{
	MemoryContext caller_context = CurrentMemoryContext;

	if (batch->count == 0)
		return;
	MemoryContextSwitchTo(GetPerTupleMemoryContext(batch->state));
	table_multi_insert(target->table, batch->slots, batch->count,
					   GetCurrentCommandId(true), 0, NULL);
	for (int i = 0; i < batch->count; i++)
		AddEntries(batch, i);
	MemoryContextSwitchTo(caller_context);
	ResetPerTupleExprContext(batch->state);
	for (int i = 0; i < batch->count; i++)
		batch->take(batch->context, &batch->values[i][EXTERNAL_ACTIVITY_ID],
					&batch->nulls[i][EXTERNAL_ACTIVITY_ID]);
	batch->count = 0;
}

/*
 * Inserts the rows.  What is made here goes with the executor's state.
 */
static void
InsertRows(const DirectTarget *target, Batch *batch)
{
	MemoryContext caller_context = CurrentMemoryContext;
	bool is_more;

	MemoryContextSwitchTo(batch->state->es_query_cxt);
	DirectPrepareConstraints(batch->result, batch->constraints);
	batch->type = CreateTupleDescCopy(RelationGetDescr(target->table));
	batch->row = MakeTupleTableSlot(batch->type, &TTSOpsVirtual);
	/* a constraint may look at it */
	batch->row->tts_tableOid = RelationGetRelid(target->table);
	memset(batch->row->tts_isnull, true, batch->type->natts * sizeof(bool));
	MemoryContextSwitchTo(caller_context);
	do
	{
		CHECK_FOR_INTERRUPTS();
		is_more = GatherRow(target, batch);
		if (!is_more || batch->count == MAX_ROWS)
			WriteRows(target, batch);
	} while (is_more);
	for (int i = 0; i < batch->slot_count; i++)
		ExecClearTuple(batch->slots[i]);
}

/*
 * Whether an index orders its columns as PostgreSQL does, by functions that are
 * nobody's.
 */
static bool
IsOrderedByBuiltIns(Relation index)
{
	for (int i = 0; i < IndexRelationGetNumberOfKeyAttributes(index); i++)
	{
		if (index->rd_opfamily[i] >= FirstNormalObjectId)
			return false;
	}
	return true;
}

/*
 * Whether no index has to be asked anything, or may refuse a row, but the
 * primary key's.
 */
static bool
HasPlainIndexes(const ResultRelInfo *result)
{
	for (int i = 0; i < result->ri_NumIndices; i++)
	{
		Relation relation = result->ri_IndexRelationDescs[i];
		const FormData_pg_index *form = relation->rd_index;
		const IndexInfo *index = result->ri_IndexRelationInfo[i];

		if (index->ii_Expressions != NIL || index->ii_Predicate != NIL ||
			form->indisexclusion ||
			(form->indisunique && !form->indisprimary) ||
			!IsOrderedByBuiltIns(relation))
			return false;
	}
	return true;
}

/*
 * The same with the indexes open, if they are such.
 */
static DirectResult
InsertIntoIndexes(const DirectTarget *target, Batch *batch)
{
	bool is_plain;

	batch->state = CreateExecutorState();
	batch->result = DirectOpenIndexes(target, batch->state);
	is_plain = HasPlainIndexes(batch->result);
	if (is_plain)
		InsertRows(target, batch);
	ExecCloseIndices(batch->result);
	FreeExecutorState(batch->state);
	return is_plain ? DIRECT_DONE : DIRECT_NOT_DONE;
}

/*
 * Whether the statement's plan puts its values into the table's columns as they
 * are, and no others are there.
 */
static bool
FindColumns(Relation table, const List *columns, Batch *batch)
{
	TupleDesc type = RelationGetDescr(table);
	int count = 0;

	RowLocate(&external_activity_shape, type, &batch->places);
	for (int i = 0; i < type->natts; i++)
		count += !TupleDescAttr(type, i)->attisdropped;
	if (count != lengthof(sources) || list_length(columns) != type->natts ||
		type->constr == NULL || type->constr->num_defval != 0)
		return false;
	for (int i = 0; i < lengthof(sources); i++)
	{
		int place = batch->places.places[i];

		if (place < 0 ||
			nodeTag(list_nth_node(TargetEntry, columns, place)->expr) !=
				sources[i])
			return false;
	}
	return true;
}

/*
 * The sequence of the ids, if they are numbers of its own type.
 */
static Oid
FindSequence(const List *columns, const RowPlaces *places)
{
	const TargetEntry *column =
		list_nth(columns, places->places[EXTERNAL_ACTIVITY_ID]);
	const NextValueExpr *next = (const NextValueExpr *) column->expr;

	return next->typeId == INT8OID ? next->seqid : InvalidOid;
}

static bool
RunsTriggers(Relation table)
{
	const TriggerDesc *triggers = table->trigdesc;

	return triggers != NULL && (triggers->trig_insert_before_row ||
								triggers->trig_insert_after_row ||
								triggers->trig_insert_instead_row ||
								triggers->trig_insert_before_statement ||
								triggers->trig_insert_after_statement);
}

/*
 * Whether nothing but rows, constraints and indexes has to be looked after.
 */
static bool
IsAsInstalled(Relation table, const List *columns, Batch *batch)
{
	if (table->rd_rel->relkind != RELKIND_RELATION ||
		table->rd_rel->relispartition || table->rd_rules != NULL ||
		RunsTriggers(table) || !FindColumns(table, columns, batch) ||
		(batch->constraints = DirectFindConstraints(table)) == NULL)
		return false;
	batch->sequence = FindSequence(columns, &batch->places);
	return OidIsValid(batch->sequence);
}

/*
 * The same under a snapshot as the statement would have.
 */
static DirectResult
InsertUnderSnapshot(const DirectTarget *target, Batch *batch)
{
	DirectResult result;

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	result = InsertIntoIndexes(target, batch);
	PopActiveSnapshot();
	CommandCounterIncrement();
	return result;
}

/*
 * Inserts with what the statement's plan names.
 */
static DirectResult
InsertByStatement(DirectTarget *target, void *context)
{
	const List *columns = DirectInsertedColumns(target->statement);
	DirectResult result = DIRECT_NOT_DONE;

	if (columns == NIL)
		return DIRECT_NOT_DONE;
	DirectOpenTable(target);
	if (IsAsInstalled(target->table, columns, context))
		result = InsertUnderSnapshot(target, context);
	DirectCloseTable(target);
	return result;
}

/*
 * Inserts external activities as the statement would, all of them or none, and
 * hands their ids to "take" in their order.  What the values of several rows
 * point to has to stay.
 */
bool
DirectInsertBatch(KeptPlan *plan, DirectRowSetter next, PlanRowTaker take,
				  void *context)
{
	DirectTarget target = {.plan = plan};
	Batch *batch;
	bool is_done;

	if (!PlanReady(plan))
		return false;
	batch = palloc0(sizeof(Batch));
	batch->next = next;
	batch->take = take;
	batch->context = context;
	is_done = DirectRun(&target, InsertByStatement, batch) == DIRECT_DONE;
	pfree(batch);
	return is_done;
}

/*
 * direct_update.c
 *		Updates of one row without starting the executor.
 *
 * Nearly every call updates one to three rows that are there: the user's feed,
 * an activity or a session, and the activity of that session.  To start and
 * end the executor for such an update costs several times as much as the
 * update itself.  So these go the way of the server's own catalogs: look the
 * row up by primary key, write its next version, and add index entries where
 * that needs them.
 *
 * This is a short cut, and nothing else.  It is taken only where the statement
 * would do exactly that (see direct_check.c), under a plan that the plan cache
 * keeps valid as for an execution, with permissions checked by the executor's
 * own function.  If there is anything else, or if another transaction has
 * changed the row meanwhile, the statement is executed: looking again and
 * raising errors are the executor's.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "parser/parsetree.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgroids.h"
#include "utils/plancache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "direct_check.h"
#include "direct_update.h"
#include "direct_versions.h"

/* What changed between PostgreSQL 15 and 18 for updates. */
#if PG_VERSION_NUM >= 160000
typedef TU_UpdateIndexes IndexUpdates;
#define NO_INDEX_UPDATES TU_None
#define INSERT_INDEX_ENTRIES(result, slot, state, updates) \
	ExecInsertIndexTuples(result, slot, state, true, false, NULL, NIL, \
						  (updates) == TU_Summarizing)
#else
typedef bool IndexUpdates;
#define NO_INDEX_UPDATES false
#define INSERT_INDEX_ENTRIES(result, slot, state, updates) \
	ExecInsertIndexTuples(result, slot, state, true, false, NULL, NIL)
#endif

#if PG_VERSION_NUM >= 180000
#define INIT_RANGE_TABLE(state, statement) \
	ExecInitRangeTable(state, (statement)->rtable, (statement)->permInfos, \
					   bms_copy((statement)->unprunableRelids))
#elif PG_VERSION_NUM >= 160000
#define INIT_RANGE_TABLE(state, statement) \
	ExecInitRangeTable(state, (statement)->rtable, (statement)->permInfos)
#else
#define INIT_RANGE_TABLE(state, statement) \
	ExecInitRangeTable(state, (statement)->rtable)
#endif

/* The table of an update that is under way. */
typedef struct Target
{
	const KeptPlan *plan;
	const PlannedStmt *statement;
	Relation table;
	Relation index;	  /* by which the row is found */
	RowPlaces places; /* of the columns in the table */
	PlanRowTaker take;
	void *context;
} Target;

/*
 * Adds entries to all indexes, or to those that sum up what pages hold.
 */
static void
AddIndexEntries(const Target *target, TupleTableSlot *slot,
				IndexUpdates updates)
{
	EState *state = CreateExecutorState();
	ResultRelInfo *result = makeNode(ResultRelInfo);

	/* What the statement sets tells indexes what stays as it is. */
	INIT_RANGE_TABLE(state, target->statement);
	InitResultRelInfo(result, target->table,
					  linitial_int(target->statement->resultRelations), NULL,
					  0);
	ExecOpenIndices(result, false);
	(void) INSERT_INDEX_ENTRIES(result, slot, state, updates);
	ExecCloseIndices(result);
	FreeExecutorState(state);
}

static RegProcedure
EqualityOf(Oid type)
{
	switch (type)
	{
		case TEXTOID:
			return F_TEXTEQ;
		case INT8OID:
			return F_INT8EQ;
		case UUIDOID:
			return F_UUID_EQ;
	}
	elog(ERROR, "no key has the type %u", type);
}

/*
 * Finds the row by its key and deforms it.
 */
static bool
FindRow(const Target *target, IndexScanDesc scan, const Datum *key,
		TupleTableSlot *slot)
{
	ScanKeyData conditions[INDEX_MAX_KEYS];
	int length = target->plan->direct->key_length;

	for (int i = 0; i < length; i++)
		ScanKeyEntryInitialize(&conditions[i], 0, i + 1, BTEqualStrategyNumber,
							   InvalidOid, target->index->rd_indcollation[i],
							   EqualityOf(target->plan->types[i]), key[i]);
	index_rescan(scan, conditions, length, NULL, 0);
	if (!index_getnext_slot(scan, ForwardScanDirection, slot))
		return false;
	slot_getallattrs(slot);
	return true;
}

/*
 * Leaves nothing of columns that were dropped.  Returns false when there is a
 * null where somebody forbids it: the statement knows what to say then.
 */
static bool
FitColumns(TupleDesc type, bool *nulls)
{
	for (int i = 0; i < type->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(type, i);

		if (attribute->attisdropped)
			nulls[i] = true;
		else if (attribute->attnotnull && nulls[i])
			return false;
	}
	return true;
}

/*
 * Puts the next version of the row in the slot "next", and its columns, as
 * callers take them, in values and nulls.
 */
static bool
ChangeRow(const Target *target, const Datum *parameters,
		  const bool *parameter_nulls, TupleTableSlot *old,
		  TupleTableSlot *next, Datum *values, bool *nulls)
{
	const DirectUpdate *update = target->plan->direct;
	DirectRow row = {update->shape, RelationGetDescr(target->table), values,
					 nulls};
	int natts = row.type->natts;

	memcpy(next->tts_values, old->tts_values, natts * sizeof(Datum));
	memcpy(next->tts_isnull, old->tts_isnull, natts * sizeof(bool));
	RowPick(&target->places, old->tts_values, old->tts_isnull, values, nulls);
	if (!update->change(&row, parameters, parameter_nulls))
		return false;
	RowPut(&target->places, values, nulls, next->tts_values, next->tts_isnull);
	if (!FitColumns(row.type, next->tts_isnull))
		return false;
	ExecStoreVirtualTuple(next);
	return true;
}

/*
 * Writes the next version, unless another transaction has: to look again is
 * for the statement.  Waits for whoever is at the row, as that would.
 */
static bool
WriteVersion(const Target *target, TupleTableSlot *old, TupleTableSlot *next)
{
	TM_FailureData failure;
	LockTupleMode lock_mode;
	IndexUpdates updates;

	if (table_tuple_update(target->table, &old->tts_tid, next,
						   GetCurrentCommandId(true), GetActiveSnapshot(),
						   InvalidSnapshot, true, &failure, &lock_mode,
						   &updates) != TM_Ok)
		return false;
	if (updates != NO_INDEX_UPDATES)
		AddIndexEntries(target, next, updates);
	return true;
}

/*
 * Changes the row that a scan finds.
 */
static DirectResult
UpdateFound(const Target *target, IndexScanDesc scan, const Datum *parameters,
			const bool *parameter_nulls, TupleTableSlot *old,
			TupleTableSlot *next)
{
	Datum values[MAX_ROW_COLUMNS + 1];
	bool nulls[MAX_ROW_COLUMNS + 1];
	int place = target->plan->direct->shape->count;

	if (!FindRow(target, scan, parameters, old))
		return DIRECT_NO_ROW;
	if (!ChangeRow(target, parameters, parameter_nulls, old, next, values,
				   nulls) ||
		!DirectRunsNoTrigger(target->table, old, next) ||
		!WriteVersion(target, old, next))
		return DIRECT_NOT_DONE;
	values[place] = PointerGetDatum(&next->tts_tid);
	nulls[place] = false;
	if (target->take != NULL)
		target->take(target->context, values, nulls);
	return DIRECT_DONE;
}

/*
 * The same under a snapshot as the statement would have.
 */
static DirectResult
UpdateByIndex(const Target *target, const Datum *parameters, const bool *nulls)
{
	TupleTableSlot *old = table_slot_create(target->table, NULL);
	TupleTableSlot *next = MakeSingleTupleTableSlot(
		RelationGetDescr(target->table), &TTSOpsVirtual);
	IndexScanDesc scan;
	DirectResult result;

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	scan = BEGIN_INDEX_SCAN(target->table, target->index, GetActiveSnapshot(),
							target->plan->direct->key_length);
	result = UpdateFound(target, scan, parameters, nulls, old, next);
	index_endscan(scan);
	PopActiveSnapshot();
	CommandCounterIncrement();
	ExecDropSingleTupleTableSlot(next);
	ExecDropSingleTupleTableSlot(old);
	return result;
}

/*
 * The same with what the statement's plan names, whose locks are held.
 */
static DirectResult
UpdateByStatement(Target *target, const Datum *parameters, const bool *nulls)
{
	const PlannedStmt *statement = target->statement;
	Oid index = DirectIndexOf(statement, target->plan->direct);
	DirectResult result = DIRECT_NOT_DONE;

	if (!OidIsValid(index))
		return DIRECT_NOT_DONE;
	target->table = table_open(
		rt_fetch(linitial_int(statement->resultRelations), statement->rtable)
			->relid,
		NoLock);
	target->index = index_open(index, RowExclusiveLock);
	CHECK_PERMISSIONS(statement);
	CheckCmdReplicaIdentity(target->table, CMD_UPDATE);
	RowLocate(target->plan->direct->shape, RelationGetDescr(target->table),
			  &target->places);
	if (DirectIsAsInstalled(target->plan, target->table, target->index,
							&target->places))
		result = UpdateByIndex(target, parameters, nulls);
	index_close(target->index, NoLock);
	table_close(target->table, NoLock);
	return result;
}

/*
 * Says in whose place an error was raised, as SPI does.
 */
static void
AddContext(void *sql)
{
	errcontext("SQL statement \"%s\"", (const char *) sql);
}

/*
 * Does what a statement would do with the one row that its parameters name,
 * and hands that to "take".  nulls may be NULL when no parameter is null.
 */
DirectResult
DirectUpdateRow(KeptPlan *plan, const Datum *parameters, const bool *nulls,
				PlanRowTaker take, void *context)
{
	Target target = {.plan = plan, .take = take, .context = context};
	ErrorContextCallback error_context = {error_context_stack, AddContext,
										  unconstify(char *, plan->sql)};
	CachedPlan *cached;
	DirectResult result = DIRECT_NOT_DONE;

	/* Somebody wants to know about the permissions of every statement. */
	if (ExecutorCheckPerms_hook != NULL)
		return DIRECT_NOT_DONE;
	cached = SPI_plan_get_cached_plan(plan->plan);
	if (cached == NULL)
		return DIRECT_NOT_DONE;
	error_context_stack = &error_context;
	/* With rules there may be more statements, others, or none. */
	if (list_length(cached->stmt_list) == 1)
	{
		target.statement = linitial_node(PlannedStmt, cached->stmt_list);
		result = UpdateByStatement(&target, parameters, nulls);
	}
	error_context_stack = error_context.previous;
	ReleaseCachedPlan(cached, CurrentResourceOwner);
	return result;
}

/*
 * A label of the enum that a column has.
 */
Datum
DirectLabel(const DirectRow *row, int column, const char *label)
{
	return RowLabel(row->type, row->shape->names[column], label);
}

/*
 * Whether a column of text COLLATE "C" that is not null is equal to a value.
 */
bool
DirectIsText(const DirectRow *row, int column, Datum value)
{
	return DatumGetBool(DirectFunctionCall2Coll(texteq, C_COLLATION_OID,
												row->values[column], value));
}

/*
 * GREATEST of a column of bigint or timestamptz, which may be null, and a
 * value.
 */
int64
DirectGreatest(const DirectRow *row, int column, int64 value)
{
	if (row->nulls[column])
		return value;
	return Max(value, DatumGetInt64(row->values[column]));
}

void
DirectSet(DirectRow *row, int column, Datum value)
{
	row->values[column] = value;
	row->nulls[column] = false;
}

/*
 * Sets a change number and the generated column of its bucket.
 */
void
DirectSetNumber(DirectRow *row, int column, int bucket_column, int64 number)
{
	DirectSet(row, column, Int64GetDatum(number));
	DirectSet(row, bucket_column, Int64GetDatum(number >> 8));
}

/*
 * Sets an expiration and the generated column of its day.
 */
void
DirectSetExpiration(DirectRow *row, int column, int day_column,
					TimestampTz expiration)
{
	int64 day = expiration / USECS_PER_DAY;

	if (day * USECS_PER_DAY > expiration)
		day--;
	DirectSet(row, column, TimestampTzGetDatum(expiration));
	DirectSet(row, day_column, DateADTGetDatum((DateADT) day));
}

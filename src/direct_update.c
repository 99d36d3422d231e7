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
 * would do exactly that: its plan, which the plan cache keeps valid as for an
 * execution, is a bare update by primary key with no conditions but its own
 * (so there are no rules, no children, and no row security but one that says
 * yes); permissions are checked by the executor's own function; and the table
 * has no triggers that would run and no constraints or defaults of others.
 * If there is anything else, if the row is not there, or if anybody else is at
 * it, the statement is executed: waiting, looking again and raising errors are
 * the executor's.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "parser/parsetree.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgroids.h"
#include "utils/plancache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "direct_update.h"

/* What changed between PostgreSQL 15 and 18. */
#if PG_VERSION_NUM >= 160000
typedef TU_UpdateIndexes IndexUpdates;
#define NO_INDEX_UPDATES TU_None
#define INSERT_INDEX_ENTRIES(result, slot, state, updates) \
	ExecInsertIndexTuples(result, slot, state, true, false, NULL, NIL, \
						  (updates) == TU_Summarizing)
#define CHECK_PERMISSIONS(statement) \
	((void) ExecCheckPermissions((statement)->rtable, (statement)->permInfos, \
								 true))
#else
typedef bool IndexUpdates;
#define NO_INDEX_UPDATES false
#define INSERT_INDEX_ENTRIES(result, slot, state, updates) \
	ExecInsertIndexTuples(result, slot, state, true, false, NULL, NIL)
#define CHECK_PERMISSIONS(statement) \
	((void) ExecCheckRTPerms((statement)->rtable, true))
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

#if PG_VERSION_NUM >= 180000
#define BEGIN_INDEX_SCAN(table, index, snapshot, keys) \
	index_beginscan(table, index, snapshot, NULL, keys, 0)
#else
#define BEGIN_INDEX_SCAN(table, index, snapshot, keys) \
	index_beginscan(table, index, snapshot, keys, 0)
#endif

/* The table of an update that is under way. */
typedef struct Target
{
	const KeptPlan *plan;
	const PlannedStmt *statement;
	Relation table;
	Relation index; /* by which the row is found */
	PlanRowTaker take;
	void *context;
} Target;

/*
 * Whether the conditions of an index scan are the statement's first parameters
 * and no more, each equal to the index's column of that number.
 */
static bool
IsScanByKey(const IndexScan *scan, const DirectUpdate *update)
{
	ListCell *cell;

	foreach (cell, scan->indexqual)
	{
		const OpExpr *condition = lfirst(cell);
		int position = foreach_current_index(cell) + 1;
		const Node *column;
		const Param *parameter;

		if (!IsA(condition, OpExpr))
			return false;
		column = linitial(condition->args);
		if (IsA(column, RelabelType))
			column = (const Node *) ((const RelabelType *) column)->arg;
		parameter = lsecond(condition->args);
		if (!IsA(column, Var) || ((const Var *) column)->varattno != position)
			return false;
		if (!IsA(parameter, Param) || parameter->paramkind != PARAM_EXTERN ||
			parameter->paramid != position)
			return false;
	}
	return list_length(scan->indexqual) == update->key_length &&
		   list_length(scan->scan.plan.qual) == update->condition_count &&
		   scan->scan.plan.initPlan == NIL;
}

/*
 * The index by which a statement updates one row, if that is all that it does;
 * else InvalidOid.
 */
static Oid
IndexOfUpdate(const PlannedStmt *statement, const DirectUpdate *direct)
{
	const ModifyTable *update = (const ModifyTable *) statement->planTree;
	const IndexScan *scan;

	if (statement->commandType != CMD_UPDATE || !IsA(update, ModifyTable) ||
		update->operation != CMD_UPDATE ||
		update->plan.initPlan != NIL || update->withCheckOptionLists != NIL ||
		update->rowMarks != NIL || list_length(update->resultRelations) != 1)
		return InvalidOid;
	scan = (const IndexScan *) outerPlan(&update->plan);
	return IsA(scan, IndexScan) && IsScanByKey(scan, direct) ? scan->indexid
															 : InvalidOid;
}

/*
 * Whether the index is the primary key's, with its columns in our order.
 */
static bool
IsOwnKey(const Target *target)
{
	int length = target->plan->direct->key_length;

	if (!target->index->rd_index->indisprimary ||
		IndexRelationGetNumberOfKeyAttributes(target->index) != length)
		return false;
	for (int i = 0; i < length; i++)
	{
		if (target->index->rd_opcintype[i] != target->plan->types[i])
			return false;
	}
	return true;
}

/*
 * Whether columns have the types that they were made with, so that a value is
 * stored as it is, and as many are generated as we calculate.
 */
static bool
HasOwnColumns(const Target *target)
{
	int generated_count;

	return RowHasTypes(target->plan->direct->shape,
					   RelationGetDescr(target->table), &generated_count) &&
		   generated_count == target->plan->direct->generated_count;
}

/*
 * Whether nothing but the extension's own has to be looked after.
 */
static bool
IsAsInstalled(const Target *target)
{
	const TupleConstr *constraints = RelationGetDescr(target->table)->constr;

	return IsOwnKey(target) && !target->table->rd_rel->relispartition &&
		   constraints != NULL && constraints->num_check == 0 &&
		   constraints->num_defval == target->plan->direct->generated_count &&
		   HasOwnColumns(target);
}

/*
 * Whether an update of a row runs no trigger: nobody has made one, and those
 * of foreign keys have nothing to look at.
 */
static bool
RunsNoTrigger(Relation table, TupleTableSlot *old, TupleTableSlot *next)
{
	TriggerDesc *triggers = table->trigdesc;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		Trigger *trigger = &triggers->triggers[i];
		bool runs = true;

		if (!TRIGGER_FOR_UPDATE(trigger->tgtype))
			continue;
		switch (RI_FKey_trigger_type(trigger->tgfoid))
		{
			case RI_TRIGGER_PK:
				runs =
					RI_FKey_pk_upd_check_required(trigger, table, old, next);
				break;
			case RI_TRIGGER_FK:
				runs =
					RI_FKey_fk_upd_check_required(trigger, table, old, next);
				break;
		}
		if (runs)
			return false;
	}
	return true;
}

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
	if (!RowPick(row.shape, row.type, old->tts_values, old->tts_isnull, values,
				 nulls) ||
		!update->change(&row, parameters, parameter_nulls))
		return false;
	RowPut(row.shape, row.type, values, nulls, next->tts_values,
		   next->tts_isnull);
	if (!FitColumns(row.type, next->tts_isnull))
		return false;
	ExecStoreVirtualTuple(next);
	return true;
}

/*
 * Writes the next version where nobody else is at the row.
 */
static bool
WriteVersion(const Target *target, TupleTableSlot *old, TupleTableSlot *next)
{
	TM_FailureData failure;
	LockTupleMode lock_mode;
	IndexUpdates updates;

	if (table_tuple_update(target->table, &old->tts_tid, next,
						   GetCurrentCommandId(true), GetActiveSnapshot(),
						   InvalidSnapshot, false, &failure, &lock_mode,
						   &updates) != TM_Ok)
		return false;
	if (updates != NO_INDEX_UPDATES)
		AddIndexEntries(target, next, updates);
	return true;
}

/*
 * Changes the row that a scan finds.
 */
static bool
UpdateFound(const Target *target, IndexScanDesc scan, const Datum *parameters,
			const bool *parameter_nulls, TupleTableSlot *old,
			TupleTableSlot *next)
{
	Datum values[MAX_ROW_COLUMNS + 1];
	bool nulls[MAX_ROW_COLUMNS + 1];
	int place = target->plan->direct->shape->count;

	if (!FindRow(target, scan, parameters, old) ||
		!ChangeRow(target, parameters, parameter_nulls, old, next, values,
				   nulls) ||
		!RunsNoTrigger(target->table, old, next) ||
		!WriteVersion(target, old, next))
		return false;
	values[place] = PointerGetDatum(&next->tts_tid);
	nulls[place] = false;
	if (target->take != NULL)
		target->take(target->context, values, nulls);
	return true;
}

/*
 * The same under a snapshot as the statement would have.
 */
static bool
UpdateByIndex(const Target *target, const Datum *parameters, const bool *nulls)
{
	TupleTableSlot *old = table_slot_create(target->table, NULL);
	TupleTableSlot *next = MakeSingleTupleTableSlot(
		RelationGetDescr(target->table), &TTSOpsVirtual);
	IndexScanDesc scan;
	bool done;

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	scan = BEGIN_INDEX_SCAN(target->table, target->index, GetActiveSnapshot(),
							target->plan->direct->key_length);
	done = UpdateFound(target, scan, parameters, nulls, old, next);
	index_endscan(scan);
	PopActiveSnapshot();
	CommandCounterIncrement();
	ExecDropSingleTupleTableSlot(next);
	ExecDropSingleTupleTableSlot(old);
	return done;
}

/*
 * The same with what a plan names, whose locks are held.
 */
static bool
UpdateByPlan(Target *target, const Datum *parameters, const bool *nulls)
{
	const PlannedStmt *statement = target->statement;
	Oid index = IndexOfUpdate(statement, target->plan->direct);
	int table;
	bool done;

	if (!OidIsValid(index))
		return false;
	table = linitial_int(statement->resultRelations);
	target->table =
		table_open(rt_fetch(table, statement->rtable)->relid, NoLock);
	target->index = index_open(index, RowExclusiveLock);
	CHECK_PERMISSIONS(statement);
	CheckCmdReplicaIdentity(target->table, CMD_UPDATE);
	done = IsAsInstalled(target) && UpdateByIndex(target, parameters, nulls);
	index_close(target->index, NoLock);
	table_close(target->table, NoLock);
	return done;
}

/*
 * Does what a statement would do with the one row that its parameters name,
 * and hands that to "take".
 *
 * Returns false, and has written nothing, when the statement has to do it.
 */
bool
DirectUpdateRow(KeptPlan *plan, const Datum *parameters, const bool *nulls,
				PlanRowTaker take, void *context)
{
	Target target = {.plan = plan, .take = take, .context = context};
	CachedPlan *cached;
	bool done;

	/* Somebody wants to know about the permissions of every statement. */
	if (ExecutorCheckPerms_hook != NULL)
		return false;
	cached = SPI_plan_get_cached_plan(plan->plan);
	if (cached == NULL)
		return false;
	/* With rules there may be more statements, others, or none. */
	done = false;
	if (list_length(cached->stmt_list) == 1)
	{
		target.statement = linitial_node(PlannedStmt, cached->stmt_list);
		done = UpdateByPlan(&target, parameters, nulls);
	}
	ReleaseCachedPlan(cached, CurrentResourceOwner);
	return done;
}

/*
 * A label of the enum that a column has.
 */
Datum
DirectLabel(const DirectRow *row, int column, const char *label)
{
	Oid type = RowAttributeType(row->type, row->shape->names[column]);

	return DirectFunctionCall2(enum_in, CStringGetDatum(label),
							   ObjectIdGetDatum(type));
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

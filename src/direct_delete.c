/*
 * direct_delete.c
 *		Deletes of rows at known places without the executor.
 *
 * A purge deletes thousands of rows by one statement, so it is not the start of
 * the executor that counts, as it does for updates (see direct_update.c), but
 * what it does for each row: of a row's cost the delete itself was a third.
 *
 * This is the same short cut with the same rules: it is taken only where the
 * statement would do nothing but delete the rows, under a plan that the plan
 * cache keeps valid as for an execution, with permissions checked by the
 * executor's own function.  From the first row on that another transaction has
 * changed, or is changing, rows are left to the statement.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "parser/parsetree.h"
#include "utils/plancache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "direct_delete.h"

/* What changed between PostgreSQL 15 and 16. */
#if PG_VERSION_NUM >= 160000
#define CHECK_PERMISSIONS(statement) \
	((void) ExecCheckPermissions((statement)->rtable, (statement)->permInfos, \
								 true))
#else
#define CHECK_PERMISSIONS(statement) \
	((void) ExecCheckRTPerms((statement)->rtable, true))
#endif

/* The table and the rows of a delete that is under way. */
typedef struct Target
{
	const DirectDelete *direct;
	Relation table;
	RowPlaces places; /* of the shape's columns in the table */
	int last_place;	  /* the greatest of them */
	const ItemPointerData *tids;
	int count;
	void *context;
} Target;

/*
 * Whether a plan deletes rows by ctid and does nothing else.
 */
static bool
IsDeleteByTid(const PlannedStmt *statement, const DirectDelete *direct)
{
	const ModifyTable *delete = (const ModifyTable *) statement->planTree;
	const TidScan *scan;

	if (statement->commandType != CMD_DELETE || !IsA(delete, ModifyTable) ||
		delete->operation != CMD_DELETE || statement->subplans != NIL ||
		delete->withCheckOptionLists != NIL || delete->rowMarks != NIL ||
		list_length(delete->resultRelations) != 1)
		return false;
	scan = (const TidScan *) outerPlan(&delete->plan);
	return IsA(scan, TidScan) && list_length(scan->tidquals) == 1 &&
		   IsA(linitial(scan->tidquals), ScalarArrayOpExpr) &&
		   list_length(scan->scan.plan.qual) == direct->condition_count;
}

/*
 * Whether a delete runs triggers, be they foreign keys', or rules.
 */
static bool
RunsOthers(Relation table)
{
	const TriggerDesc *triggers = table->trigdesc;

	return table->rd_rules != NULL ||
		   (triggers != NULL && (triggers->trig_delete_before_row ||
								 triggers->trig_delete_after_row ||
								 triggers->trig_delete_instead_row ||
								 triggers->trig_delete_before_statement ||
								 triggers->trig_delete_after_statement));
}

/*
 * Whether nothing but the rows has to be looked after.
 */
static bool
IsAsInstalled(Target *target)
{
	const RowShape *shape = target->direct->shape;
	TupleDesc type = RelationGetDescr(target->table);
	int generated_count;

	RowLocate(shape, type, &target->places);
	for (int i = 0; i < shape->count; i++)
		target->last_place = Max(target->last_place, target->places.places[i]);
	return !RunsOthers(target->table) &&
		   !target->table->rd_rel->relispartition &&
		   RowHasTypes(shape, type, &target->places, &generated_count);
}

/*
 * Deletes the row at a place, if it is there and chosen.  Returns false if
 * another transaction has come to it.
 */
static bool
DeleteRow(const Target *target, const ItemPointerData *place,
		  CommandId command, TupleTableSlot *slot)
{
	const DirectDelete *direct = target->direct;
	Datum values[MAX_ROW_COLUMNS];
	bool nulls[MAX_ROW_COLUMNS];
	DirectRow row = {direct->shape, RelationGetDescr(target->table), values,
					 nulls};
	ItemPointerData tid = *place;
	TM_FailureData failure;

	if (!table_tuple_fetch_row_version(target->table, &tid,
									   GetActiveSnapshot(), slot))
		return true;
	slot_getsomeattrs(slot, target->last_place + 1);
	RowPick(&target->places, slot->tts_values, slot->tts_isnull, values,
			nulls);
	if (!direct->chosen(target->context, &row))
		return true;
	if (table_tuple_delete(target->table, &tid, command, GetActiveSnapshot(),
						   InvalidSnapshot, true, &failure, false) != TM_Ok)
		return false;
	direct->take(target->context, &row, &tid);
	return true;
}

/*
 * Goes over the rows under a snapshot as the statement would have.  Returns
 * how many there is nothing more to do with.
 */
static int
DeleteRows(const Target *target)
{
	TupleTableSlot *slot = table_slot_create(target->table, NULL);
	CommandId command;
	int done = 0;

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	command = GetCurrentCommandId(true);
	while (done < target->count)
	{
		CHECK_FOR_INTERRUPTS();
		if (!DeleteRow(target, &target->tids[done], command, slot))
			break;
		done++;
	}
	PopActiveSnapshot();
	CommandCounterIncrement();
	ExecDropSingleTupleTableSlot(slot);
	return done;
}

/*
 * The same with what the statement's plan names, whose locks are held.
 */
static int
DeleteByStatement(Target *target, const PlannedStmt *statement)
{
	int done = 0;

	if (!IsDeleteByTid(statement, target->direct))
		return 0;
	target->table = table_open(
		rt_fetch(linitial_int(statement->resultRelations), statement->rtable)
			->relid,
		NoLock);
	CHECK_PERMISSIONS(statement);
	CheckCmdReplicaIdentity(target->table, CMD_DELETE);
	if (IsAsInstalled(target))
		done = DeleteRows(target);
	table_close(target->table, NoLock);
	return done;
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
 * Does what a statement would do with the rows at some places.  Returns how
 * many of them, from the first, there is nothing more to do with: the rest is
 * the statement's.  SPI must be connected.
 */
int
DirectDeleteRows(KeptPlan *plan, const DirectDelete *direct,
				 const ItemPointerData *tids, int count, void *context)
{
	Target target = {
		.direct = direct, .tids = tids, .count = count, .context = context};
	ErrorContextCallback error_context = {error_context_stack, AddContext,
										  unconstify(char *, plan->sql)};
	CachedPlan *cached;
	int done = 0;

	/* Somebody wants to know about the permissions of every statement. */
	if (ExecutorCheckPerms_hook != NULL || !PlanReady(plan))
		return 0;
	cached = SPI_plan_get_cached_plan(plan->plan);
	if (cached == NULL)
		return 0;
	error_context_stack = &error_context;
	if (list_length(cached->stmt_list) == 1)
		done = DeleteByStatement(
			&target, linitial_node(PlannedStmt, cached->stmt_list));
	error_context_stack = error_context.previous;
	ReleaseCachedPlan(cached, CurrentResourceOwner);
	return done;
}

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
 * executor's own function.
 *
 * Rows are not read again: each was read when it was found, and what is at its
 * place can only be that version of it, since the calling query's snapshot is
 * older than that which found it, so that it is not removed.  If it is not the
 * row's last version any more, or if another transaction is about to make
 * another, it and those that follow are left to the statement.
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

/* What changed between PostgreSQL 15 and 17. */
#if PG_VERSION_NUM >= 160000
#define CHECK_PERMISSIONS(statement) \
	((void) ExecCheckPermissions((statement)->rtable, (statement)->permInfos, \
								 true))
#else
#define CHECK_PERMISSIONS(statement) \
	((void) ExecCheckRTPerms((statement)->rtable, true))
#endif
#if PG_VERSION_NUM >= 170000
#define SNAPSHOTS_ARE_KEPT true
#else
#define SNAPSHOTS_ARE_KEPT (old_snapshot_threshold < 0)
#endif

/*
 * Whether a plan deletes rows by ctid and does nothing else.
 */
static bool
IsDeleteByTid(const PlannedStmt *statement, int condition_count)
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
		   list_length(scan->scan.plan.qual) == condition_count;
}

/*
 * Whether a delete runs triggers, be they foreign keys'.
 */
static bool
RunsTriggers(Relation table)
{
	const TriggerDesc *triggers = table->trigdesc;

	return triggers != NULL && (triggers->trig_delete_before_row ||
								triggers->trig_delete_after_row ||
								triggers->trig_delete_before_statement ||
								triggers->trig_delete_after_statement);
}

/*
 * Deletes rows under a snapshot as the statement would have, and waits as that
 * would for whoever is at a row.  Returns how many are gone.
 */
static int
DeleteRows(Relation table, ItemPointerData *tids, int count)
{
	CommandId command;
	TM_FailureData failure;
	int done = 0;

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	command = GetCurrentCommandId(true);
	while (done < count &&
		   table_tuple_delete(table, &tids[done], command, GetActiveSnapshot(),
							  InvalidSnapshot, true, &failure, false) == TM_Ok)
	{
		CHECK_FOR_INTERRUPTS();
		done++;
	}
	PopActiveSnapshot();
	CommandCounterIncrement();
	return done;
}

/*
 * The same with what the statement's plan names, whose locks are held.
 */
static int
DeleteByPlan(const PlannedStmt *statement, int condition_count,
			 ItemPointerData *tids, int count)
{
	Relation table;
	int done = 0;

	if (!IsDeleteByTid(statement, condition_count))
		return 0;
	table = table_open(
		rt_fetch(linitial_int(statement->resultRelations), statement->rtable)
			->relid,
		NoLock);
	CHECK_PERMISSIONS(statement);
	CheckCmdReplicaIdentity(table, CMD_DELETE);
	if (!RunsTriggers(table))
		done = DeleteRows(table, tids, count);
	table_close(table, NoLock);
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
 * Does what a statement DELETE .. WHERE ctid = ANY ($1) AND conditions would do
 * with rows that were found, in this transaction, to meet the conditions.
 * Returns how many of them, from the first, are gone: the rest is the
 * statement's.  SPI must be connected.
 */
int
DirectDelete(KeptPlan *plan, int condition_count, ItemPointerData *tids,
			 int count)
{
	ErrorContextCallback error_context = {error_context_stack, AddContext,
										  unconstify(char *, plan->sql)};
	CachedPlan *cached;
	int done = 0;

	/* Somebody wants to know about the permissions of every statement. */
	if (ExecutorCheckPerms_hook != NULL || !SNAPSHOTS_ARE_KEPT ||
		!PlanReady(plan))
		return 0;
	cached = SPI_plan_get_cached_plan(plan->plan);
	if (cached == NULL)
		return 0;
	error_context_stack = &error_context;
	/* With rules there may be more statements, others, or none. */
	if (list_length(cached->stmt_list) == 1)
		done = DeleteByPlan(linitial_node(PlannedStmt, cached->stmt_list),
							condition_count, tids, count);
	error_context_stack = error_context.previous;
	ReleaseCachedPlan(cached, CurrentResourceOwner);
	return done;
}

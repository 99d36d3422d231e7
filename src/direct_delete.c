/*
 * direct_delete.c
 *		Deletes of rows at known places without the executor (see
 *		direct_target.c).
 *
 * A purge deletes thousands of rows by one statement, so it is not the start of
 * the executor that counts, as it does for updates (see direct_update.c), but
 * what it does for each row: of a row's cost the delete itself was a third.
 *
 * Rows are not read again: each was read when it was found, and what is at its
 * place can only be that version of it, since the calling query's snapshot is
 * older than that which found it, so that it is not removed.  If it is not the
 * row's last version any more, or if another transaction is about to make
 * another, it and those that follow are left to the statement.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "utils/snapmgr.h"

#include "direct_target.h"

/* A setting until PostgreSQL 16. */
#if PG_VERSION_NUM >= 170000
#define SNAPSHOTS_ARE_KEPT true
#else
#define SNAPSHOTS_ARE_KEPT (old_snapshot_threshold < 0)
#endif

typedef struct Deletion
{
	int condition_count;
	ItemPointerData *tids;
	int count;
	int done;
} Deletion;

/*
 * Whether a plan deletes rows of one table by ctid and does nothing else.  A
 * partition is not the only table of its plan: the whole has triggers, too.
 */
static bool
IsDeleteByTid(const PlannedStmt *statement, int condition_count)
{
	const ModifyTable *delete = (const ModifyTable *) statement->planTree;
	const TidScan *scan;

	if (statement->commandType != CMD_DELETE || !IsA(delete, ModifyTable) ||
		delete->operation != CMD_DELETE || statement->subplans != NIL ||
		delete->withCheckOptionLists != NIL || delete->rowMarks != NIL ||
		list_length(statement->rtable) != 1)
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
 * would for whoever is at a row.
 */
static void
DeleteRows(Relation table, Deletion *deletion)
{
	CommandId command;
	TM_FailureData failure;

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	command = GetCurrentCommandId(true);
	while (deletion->done < deletion->count &&
		   table_tuple_delete(table, &deletion->tids[deletion->done], command,
							  GetActiveSnapshot(), InvalidSnapshot, true,
							  &failure, false) == TM_Ok)
	{
		CHECK_FOR_INTERRUPTS();
		deletion->done++;
	}
	PopActiveSnapshot();
	CommandCounterIncrement();
}

/*
 * The same with what the statement's plan names.
 */
static DirectResult
DeleteByStatement(DirectTarget *target, void *context)
{
	Deletion *deletion = context;

	if (!IsDeleteByTid(target->statement, deletion->condition_count))
		return DIRECT_NOT_DONE;
	DirectOpenTable(target);
	if (!RunsTriggers(target->table))
		DeleteRows(target->table, deletion);
	DirectCloseTable(target);
	return DIRECT_DONE;
}

/*
 * Does what a statement DELETE .. WHERE ctid = ANY ($1) AND conditions would do
 * with rows that were found, in this transaction, to meet the conditions.
 * Returns how many of them, from the first, are gone: the rest is the
 * statement's.
 */
int
DirectDelete(KeptPlan *plan, int condition_count, ItemPointerData *tids,
			 int count)
{
	DirectTarget target = {.plan = plan};
	Deletion deletion = {
		.condition_count = condition_count, .tids = tids, .count = count};

	if (SNAPSHOTS_ARE_KEPT && PlanReady(plan))
		(void) DirectRun(&target, DeleteByStatement, &deletion);
	return deletion.done;
}

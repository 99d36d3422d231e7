/*
 * direct_target.c
 *		Statements of one row done without starting the executor.
 *
 * Nearly every call writes one to three rows: the user's feed, an activity or
 * a session, and the activity of that session.  To start and end the executor
 * for such a statement costs several times as much as the row itself.  So these
 * go the way of the server's own catalogs, by the table's and the indexes'
 * access methods (see direct_update.c, direct_insert.c and direct_delete.c).
 *
 * This is a short cut, and nothing else.  It is taken only where the statement
 * would do exactly that (see direct_check.c), under a plan that the plan cache
 * keeps valid as for an execution, with permissions checked by the executor's
 * own function.  If there is anything else, or if another transaction is in
 * the way, the statement is executed: looking again and raising errors are the
 * executor's.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "parser/parsetree.h"
#include "utils/fmgroids.h"
#include "utils/plancache.h"

#include "direct_heap.h"
#include "direct_target.h"

/* What changed between PostgreSQL 15 and 18. */
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

/*
 * Whether the caller may do what a statement does: raises an error if not.
 */
void
DirectCheckPermissions(const PlannedStmt *statement)
{
#if PG_VERSION_NUM >= 160000
	(void) ExecCheckPermissions(statement->rtable, statement->permInfos, true);
#else
	(void) ExecCheckRTPerms(statement->rtable, true);
#endif
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
 * Runs the action with the one statement that is the plan, whose locks are held
 * meanwhile.
 */
DirectResult
DirectRun(DirectTarget *target, DirectAction action, void *context)
{
	ErrorContextCallback error_context = {
		error_context_stack, AddContext,
		unconstify(char *, target->plan->sql)};
	CachedPlan *cached;
	DirectResult result = DIRECT_NOT_DONE;

	/* Somebody wants to know about the permissions of every statement. */
	if (ExecutorCheckPerms_hook != NULL)
		return DIRECT_NOT_DONE;
	cached = SPI_plan_get_cached_plan(target->plan->plan);
	if (cached == NULL)
		return DIRECT_NOT_DONE;
	error_context_stack = &error_context;
	/* With rules there may be more statements, others, or none. */
	if (list_length(cached->stmt_list) == 1)
	{
		target->statement = linitial_node(PlannedStmt, cached->stmt_list);
		result = action(target, context);
	}
	error_context_stack = error_context.previous;
	ReleaseCachedPlan(cached, CurrentResourceOwner);
	return result;
}

/*
 * Opens the table that the statement writes to, for who may do so.
 */
void
DirectOpenTable(DirectTarget *target)
{
	const PlannedStmt *statement = target->statement;
	Index position = linitial_int(statement->resultRelations);

	target->table =
		table_open(rt_fetch(position, statement->rtable)->relid, NoLock);
	DirectCheckPermissions(statement);
	CheckCmdReplicaIdentity(target->table, statement->commandType);
	if (target->plan->direct != NULL)
		DirectDescribeColumns(target->plan->direct->shape, target->table,
							  &target->columns);
}

void
DirectCloseTable(DirectTarget *target)
{
	table_close(target->table, NoLock);
}

/*
 * Opens the indexes of the statement's table, for rows that are written as the
 * statement would.  Its range table tells what an update sets, and what an error
 * may show the caller of a row.
 */
ResultRelInfo *
DirectOpenIndexes(const DirectTarget *target, EState *state)
{
	const PlannedStmt *statement = target->statement;
	ResultRelInfo *result = makeNode(ResultRelInfo);

	INIT_RANGE_TABLE(state, statement);
	InitResultRelInfo(result, target->table,
					  linitial_int(statement->resultRelations), NULL, 0);
	ExecOpenIndices(result, false);
	return result;
}

/*
 * Opens what a statement's scan reads, for who may do so.
 */
void
DirectOpenScan(DirectTarget *target, const IndexScan *scan,
			   const RowShape *shape)
{
	const PlannedStmt *statement = target->statement;

	target->table = table_open(
		rt_fetch(scan->scan.scanrelid, statement->rtable)->relid, NoLock);
	target->index = index_open(scan->indexid, AccessShareLock);
	DirectCheckPermissions(statement);
	DirectDescribeColumns(shape, target->table, &target->columns);
}

void
DirectCloseScan(DirectTarget *target)
{
	index_close(target->index, NoLock);
	table_close(target->table, NoLock);
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
 * Finds a row by its key, which is the first parameters of a plan, and deforms
 * it.
 */
bool
DirectFindRow(IndexScanDesc scan, const KeptPlan *plan, const Datum *key,
			  int length, TupleTableSlot *slot)
{
	ScanKeyData conditions[INDEX_MAX_KEYS];

	for (int i = 0; i < length; i++)
		ScanKeyEntryInitialize(&conditions[i], 0, i + 1, BTEqualStrategyNumber,
							   InvalidOid,
							   scan->indexRelation->rd_indcollation[i],
							   EqualityOf(plan->types[i]), key[i]);
	index_rescan(scan, conditions, length, NULL, 0);
	if (!DirectFetchFirst(scan, slot))
		return false;
	slot_getallattrs(slot);
	return true;
}

/*
 * Leaves nothing of columns that were dropped.  Returns false when there is a
 * null where somebody forbids it: the statement knows what to say then.
 */
bool
DirectFitColumns(TupleDesc type, bool *nulls)
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

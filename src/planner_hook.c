/*
 * planner_hook.c
 *		How the module's own statements are planned.
 *
 * Every statement is planned once per session, as a generic plan, and must be
 * good for any user, app and table size from then on.  Small or old statistics
 * (a table that was empty when the session began) make the planner choose
 * otherwise:
 *
 * - Lists are read in the order of an index, with an incremental sort inside
 *	 a bucket, and stop when the page is full.  The planner would sort all.
 * - Other statements name their rows by primary key.  Every index that begins
 *	 with user_id costs the same then, and if the planner takes another, each
 *	 write of the session reads all that the user has.
 *
 * So these statements are planned with the other ways switched off.  That is
 * done here, in the planner's hook, because it is PostgreSQL that decides when
 * to plan: any invalidation, even one that arrives while an execution waits
 * for a lock, makes it plan anew.  Statements of others are not affected, with
 * two exceptions, which PostgreSQL makes itself for the foreign key from
 * history_item: the check, which is known by its FOR KEY SHARE, and the
 * cascade when an activity is removed, which is known by its text.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "nodes/pathnodes.h"
#include "optimizer/plancat.h"
#include "optimizer/planner.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "planner_hook.h"

static planner_hook_type next_planner = NULL;
static get_relation_info_hook_type next_relation_info = NULL;

/* The statements that are prepared in this session. */
static KeptPlan *own_plans = NULL;

/* While one is planned whose rows are named by primary key. */
static bool unique_indexes_only = false;

static void
SetForPlanning(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/*
 * Leaves the planner only the ways that are good whatever the statistics, up
 * to the end of the GUC nest level.
 */
static void
RestrictPlanner(void)
{
	SetForPlanning("enable_sort", "off");
	SetForPlanning("enable_seqscan", "off");
	SetForPlanning("enable_bitmapscan", "off");
	SetForPlanning("enable_indexscan", "on");
	SetForPlanning("enable_tidscan", "on");
	SetForPlanning("enable_nestloop", "on");
	SetForPlanning("enable_hashjoin", "off");
	SetForPlanning("enable_mergejoin", "off");
	SetForPlanning("enable_incremental_sort", "on");
	SetForPlanning("jit", "off");
}

static PlannedStmt *
CallPlanner(Query *query, const char *query_string, int cursor_options,
			ParamListInfo parameters)
{
	if (next_planner != NULL)
		return next_planner(query, query_string, cursor_options, parameters);
	return standard_planner(query, query_string, cursor_options, parameters);
}

/*
 * A plan cache hands the planner its own copy of the text, so an address
 * tells whose it is.
 */
static const KeptPlan *
FindOwnPlan(const char *query_string)
{
	const KeptPlan *plan = own_plans;

	while (plan != NULL && plan->query_string != query_string)
		plan = plan->next;
	return plan;
}

/*
 * Whether a text is that of the foreign key's cascade.  Whoever writes a
 * statement like it gets a plan that is good enough for him, too.
 */
static bool
IsCascade(const char *query_string)
{
	static const char cascade[] =
		"DELETE FROM ONLY \"activityfeed\".\"history_item\" WHERE $1 ";

	return query_string != NULL &&
		   strncmp(query_string, cascade, strlen(cascade)) == 0;
}

static PlannedStmt *
PlanStatement(Query *query, const char *query_string, int cursor_options,
			  ParamListInfo parameters)
{
	const KeptPlan *plan = FindOwnPlan(query_string);
	PlannedStmt *result;
	int nest_level;

	if (plan == NULL && !IsCascade(query_string))
		return CallPlanner(query, query_string, cursor_options, parameters);
	nest_level = NewGUCNestLevel();
	RestrictPlanner();
	unique_indexes_only = plan == NULL || plan->by_key;
	PG_TRY();
	{
		result = CallPlanner(query, query_string, cursor_options, parameters);
	}
	PG_FINALLY();
	{
		unique_indexes_only = false;
	}
	PG_END_TRY();
	AtEOXact_GUC(true, nest_level);
	return result;
}

/*
 * Whether a query is what a foreign key's check looks like: one table, locked
 * FOR KEY SHARE.
 */
static bool
IsKeyCheck(const Query *query)
{
	return list_length(query->rtable) == 1 &&
		   list_length(query->rowMarks) == 1 &&
		   linitial_node(RowMarkClause, query->rowMarks)->strength ==
			   LCS_FORKEYSHARE;
}

static bool
IsOwnTable(Oid relation)
{
	Oid schema = get_namespace_oid("activityfeed", true);

	return OidIsValid(schema) && get_rel_namespace(relation) == schema;
}

/*
 * Takes the indexes that are not unique out of the planner's sight.
 */
static void
HideOtherIndexes(RelOptInfo *rel)
{
	List *unique = NIL;
	ListCell *cell;

	foreach (cell, rel->indexlist)
	{
		IndexOptInfo *index = lfirst(cell);

		if (index->unique)
			unique = lappend(unique, index);
	}
	if (unique != NIL)
		rel->indexlist = unique;
}

static void
LookAtRelation(PlannerInfo *root, Oid relation, bool inhparent,
			   RelOptInfo *rel)
{
	if (next_relation_info != NULL)
		next_relation_info(root, relation, inhparent, rel);
	if ((unique_indexes_only || IsKeyCheck(root->parse)) &&
		IsOwnTable(relation))
		HideOtherIndexes(rel);
}

/*
 * Makes a statement that was prepared known.  query_string is the plan
 * cache's, and lives as long as the session.
 */
void
PlannerHookAdd(KeptPlan *plan, const char *query_string)
{
	plan->query_string = query_string;
	plan->next = own_plans;
	own_plans = plan;
}

void
PlannerHookInstall(void)
{
	next_planner = planner_hook;
	planner_hook = PlanStatement;
	next_relation_info = get_relation_info_hook;
	get_relation_info_hook = LookAtRelation;
}

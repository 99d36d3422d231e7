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
 * - Those of a purge name them by ctid.  While a table is small, all of an
 *	 index costs less to the planner.
 *
 * So these statements are planned with the other ways switched off.  That is
 * done here, in the planner's hook, because it is PostgreSQL that decides when
 * to plan: any invalidation, even one that arrives while an execution waits
 * for a lock, makes it plan anew.
 *
 * Statements of others are not affected, not even those in functions that the
 * planner calls to estimate one of ours (a policy's, say).  There are two
 * exceptions, which PostgreSQL makes itself for the foreign key from
 * history_item: the check, which is known by its FROM ONLY .. FOR KEY SHARE,
 * and the cascade when an activity is removed, which is known by its text.
 *
 * For a service, row security is left out of them: it begins with the question
 * whether the role is one, (SELECT activityfeed.is_service()), which costs each
 * execution as much as a fifth of a call.  The answer takes its place, and a
 * plan that was made so is made anew before it is executed for a role that is
 * no service (see plans.c).
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "jit/jit.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "optimizer/cost.h"
#include "optimizer/plancat.h"
#include "optimizer/planner.h"
#include "utils/lsyscache.h"

#include "planner_hook.h"
#include "principal.h"

static planner_hook_type next_planner = NULL;
static get_relation_info_hook_type next_relation_info = NULL;

/* The statements that are prepared in this session. */
static KeptPlan *own_plans = NULL;

/* The planner's settings that matter here, as the variables hold them. */
typedef struct PlannerSettings
{
	bool sort;
	bool seqscan;
	bool bitmapscan;
	bool indexscan;
	bool tidscan;
	bool nestloop;
	bool hashjoin;
	bool mergejoin;
	bool incremental_sort;
	bool jit;
	bool unique_indexes_only; /* ours: rows are named by primary key */
	bool no_indexes;		  /* ours: rows are named by ctid */
} PlannerSettings;

static bool unique_indexes_only = false;
static bool no_indexes = false;

/* The session's own, while others are in force; else NULL. */
static const PlannerSettings *outer_settings = NULL;

static PlannerSettings
GetSettings(void)
{
	PlannerSettings settings = {
		enable_sort,	  enable_seqscan,	   enable_bitmapscan,
		enable_indexscan, enable_tidscan,	   enable_nestloop,
		enable_hashjoin,  enable_mergejoin,	   enable_incremental_sort,
		jit_enabled,	  unique_indexes_only, no_indexes};

	return settings;
}

/*
 * Sets the variables, not the settings: nobody is to see them changed, and no
 * transaction has to end well to have them back.
 */
static void
PutSettings(const PlannerSettings *settings)
{
	enable_sort = settings->sort;
	enable_seqscan = settings->seqscan;
	enable_bitmapscan = settings->bitmapscan;
	enable_indexscan = settings->indexscan;
	enable_tidscan = settings->tidscan;
	enable_nestloop = settings->nestloop;
	enable_hashjoin = settings->hashjoin;
	enable_mergejoin = settings->mergejoin;
	enable_incremental_sort = settings->incremental_sort;
	jit_enabled = settings->jit;
	unique_indexes_only = settings->unique_indexes_only;
	no_indexes = settings->no_indexes;
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
static KeptPlan *
FindOwnPlan(const char *query_string)
{
	KeptPlan *plan = own_plans;

	while (plan != NULL && plan->query_string != query_string)
		plan = plan->next;
	return plan;
}

/*
 * Plans with other settings, and puts those back that were in force.
 */
static PlannedStmt *
PlanWithSettings(const PlannerSettings *settings, const PlannerSettings *outer,
				 Query *query, const char *query_string, int cursor_options,
				 ParamListInfo parameters)
{
	const PlannerSettings in_force = GetSettings();
	const PlannerSettings *const outer_in_force = outer_settings;
	PlannedStmt *volatile result = NULL;

	PutSettings(settings);
	outer_settings = outer;
	PG_TRY();
	{
		result = CallPlanner(query, query_string, cursor_options, parameters);
	}
	PG_CATCH();
	{
		PutSettings(&in_force);
		outer_settings = outer_in_force;
		PG_RE_THROW();
	}
	PG_END_TRY();
	PutSettings(&in_force);
	outer_settings = outer_in_force;
	return result;
}

/*
 * Whether a query is what a foreign key's check looks like: one table without
 * its children, locked FOR KEY SHARE.
 */
static bool
IsKeyCheck(const Query *query)
{
	return list_length(query->rtable) == 1 &&
		   !linitial_node(RangeTblEntry, query->rtable)->inh &&
		   list_length(query->rowMarks) == 1 &&
		   linitial_node(RowMarkClause, query->rowMarks)->strength ==
			   LCS_FORKEYSHARE;
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

/*
 * Whether an expression is (SELECT activityfeed.is_service()).
 */
static bool
AsksForService(const Node *node)
{
	const SubLink *link = (const SubLink *) node;
	const Query *select;
	const TargetEntry *column;

	if (!IsA(node, SubLink) || link->subLinkType != EXPR_SUBLINK)
		return false;
	select = castNode(Query, link->subselect);
	if (select->rtable != NIL || select->jointree->quals != NULL ||
		list_length(select->targetList) != 1)
		return false;
	column = linitial_node(TargetEntry, select->targetList);
	return IsA(column->expr, FuncExpr) &&
		   PrincipalIsServiceFunction(((FuncExpr *) column->expr)->funcid);
}

/*
 * Puts "true" wherever is_service() is asked for.
 */
static Node *
AnswerForService(Node *node, void *context)
{
	if (node == NULL)
		return NULL;
	if (AsksForService(node))
	{
		*(bool *) context = true;
		return makeBoolConst(true, false);
	}
	if (IsA(node, Query))
		return (Node *) query_tree_mutator((Query *) node, AnswerForService,
										   context, 0);
	return expression_tree_mutator(node, AnswerForService, context);
}

/*
 * A statement of ours as it is to be planned for the current role, and whether
 * its plan will be for services only.
 */
static Query *
WithoutQuestions(KeptPlan *plan, Query *query)
{
	plan->for_service = false;
	if (!PrincipalIsService())
		return query;
	return (Query *) AnswerForService((Node *) query, &plan->for_service);
}

/*
 * The planner's hook.  While one of ours is planned, whatever else is planned
 * gets the session's own settings.
 */
static PlannedStmt *
PlanStatement(Query *query, const char *query_string, int cursor_options,
			  ParamListInfo parameters)
{
	KeptPlan *plan = FindOwnPlan(query_string);
	bool is_cascade = plan == NULL && IsCascade(query_string);
	bool is_key_check = plan == NULL && IsKeyCheck(query);
	PlannerSettings session = outer_settings ? *outer_settings : GetSettings();
	PlannerSettings settings = session;

	if (plan == NULL && !is_cascade && !is_key_check && outer_settings == NULL)
		return CallPlanner(query, query_string, cursor_options, parameters);
	if (plan != NULL || is_cascade)
		settings = (PlannerSettings){
			.indexscan = true,
			.tidscan = true,
			.nestloop = true,
			.incremental_sort = true,
			.unique_indexes_only = is_cascade || plan->by_key,
			.no_indexes = plan != NULL && plan->by_tid};
	if (plan != NULL)
		query = WithoutQuestions(plan, query);
	if (is_key_check)
		settings.unique_indexes_only = true;
	return PlanWithSettings(&settings, &session, query, query_string,
							cursor_options, parameters);
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
	if (unique_indexes_only && IsOwnTable(relation))
		HideOtherIndexes(rel);
	if (no_indexes && IsOwnTable(relation))
		rel->indexlist = NIL;
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

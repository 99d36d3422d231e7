/*
 * planner_hook.c
 *		Which indexes the planner may choose from, for the extension's tables.
 *
 * A statement that names a row by its key must find it by its primary key,
 * and be planned so once for all.  The planner cannot be trusted with that on
 * a table that was empty when a session began: every index that begins with
 * user_id then costs the same, and if it takes (user_id, app_id, ..), each
 * write of this session reads all that the user has.
 *
 * The same goes for the check of the foreign key from history_item, which
 * PostgreSQL plans itself: it is known by its FOR KEY SHARE.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "nodes/pathnodes.h"
#include "optimizer/plancat.h"
#include "utils/lsyscache.h"

#include "planner_hook.h"

bool planner_unique_indexes_only = false;

static get_relation_info_hook_type previous_hook = NULL;

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
IsTableOfOurs(Oid relation)
{
	Oid schema = get_namespace_oid("activityfeed", true);

	return OidIsValid(schema) && get_rel_namespace(relation) == schema;
}

static void
KeepUniqueIndexes(PlannerInfo *root, Oid relation, bool inhparent,
				  RelOptInfo *rel)
{
	List *unique = NIL;
	ListCell *cell;

	if (previous_hook != NULL)
		previous_hook(root, relation, inhparent, rel);
	if (!planner_unique_indexes_only && !IsKeyCheck(root->parse))
		return;
	if (!IsTableOfOurs(relation))
		return;
	foreach (cell, rel->indexlist)
	{
		IndexOptInfo *index = lfirst(cell);

		if (index->unique)
			unique = lappend(unique, index);
	}
	if (unique != NIL)
		rel->indexlist = unique;
}

void
PlannerHookInstall(void)
{
	previous_hook = get_relation_info_hook;
	get_relation_info_hook = KeepUniqueIndexes;
}

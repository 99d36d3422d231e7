/*
 * erase.c
 *		Removing all that a user has.
 *
 * The feed is locked first and removed last.  A writer that waits for it
 * finds it gone and begins a new one, whose numbers start at the clock: no
 * number comes twice, and cursors of the old feed are older than its oldest.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "lifecycle.h"
#include "plans.h"

/* clang-format off */

/* $1 user_id */
#define OF_USER(row) \
	"WHERE " row ".user_id OPERATOR(pg_catalog.=) $1"

static KeptPlan lock_feed = {
	.sql = "UPDATE activityfeed.feed AS f SET "
	"oldest_change_number = f.oldest_change_number " OF_USER("f"),
	.nparams = 1,
	.types = {TEXTOID},
	.by_key = true
};

static KeptPlan erase_history = {
	.sql = "DELETE FROM activityfeed.history_item AS h " OF_USER("h"),
	.nparams = 1,
	.types = {TEXTOID},
	.by_key = true
};

static KeptPlan erase_activities = {
	.sql = "DELETE FROM activityfeed.activity AS a " OF_USER("a"),
	.nparams = 1,
	.types = {TEXTOID},
	.by_key = true
};

static KeptPlan erase_feed = {
	.sql = "DELETE FROM activityfeed.feed AS f " OF_USER("f"),
	.nparams = 1,
	.types = {TEXTOID},
	.by_key = true
};

/* clang-format on */

/*
 * Returns how many rows went, the feed's included.  A user without a feed has
 * no rows: without its lock nothing may be touched, as somebody else may just
 * have erased the user, and a third begun anew.
 */
int64
EraseUser(Datum user_id)
{
	uint64 removed;

	if (PlanWrite(&lock_feed, &user_id, NULL, NULL, NULL) == 0)
		return 0;
	removed = PlanWrite(&erase_history, &user_id, NULL, NULL, NULL);
	removed += PlanWrite(&erase_activities, &user_id, NULL, NULL, NULL);
	removed += PlanWrite(&erase_feed, &user_id, NULL, NULL, NULL);
	return (int64) removed;
}

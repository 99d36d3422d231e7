/*
 * purge_find.c
 *		Finding what a purge may remove.
 *
 * Rows are found by the day of their expiration, across users, and the feed
 * of each is locked; a feed that somebody else has locked is passed over with
 * all its rows.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "direct_expired.h"
#include "plans.h"
#include "purge_delete.h"
#include "purge_find.h"

/* clang-format off */

/* $1 the time now, $2 how many */
#define EXPIRED(row) \
	row ".expiration_day OPERATOR(pg_catalog.<=) " \
	"pg_catalog.timezone('UTC', $1)::pg_catalog.date " \
	"AND " row ".expiration_date_time OPERATOR(pg_catalog.<=) $1 " \
	"LIMIT $2"

/*
 * The feed is locked in a subquery, so that no plan can begin at the feeds and
 * go through all that each has.
 */
#define WHERE_LOCKED(row) \
	"CROSS JOIN LATERAL (SELECT FROM activityfeed.feed AS f " \
	"WHERE f.user_id OPERATOR(pg_catalog.=) " row ".user_id " \
	"FOR UPDATE SKIP LOCKED) AS locked WHERE "

#define FIND_ITEMS "SELECT " EXPIRED_ROW_COLUMNS("h", "activity_id") \
	"FROM activityfeed.history_item AS h "
#define FIND_ACTIVITIES "SELECT " EXPIRED_ROW_COLUMNS("a", "id") \
	"FROM activityfeed.activity AS a "

/* How rows are found: all of them, and those whose feeds can be locked. */
typedef struct Search
{
	DirectExpired columns;
	KeptPlan all;
	KeptPlan locked;
} Search;

static Search expired_items = {
	.columns = {
		.shape = &history_item_shape,
		.columns = {
			[EXPIRED_USER_ID] = HISTORY_ITEM_USER_ID,
			[EXPIRED_ACTIVITY_ID] = HISTORY_ITEM_ACTIVITY_ID,
			[EXPIRED_STATUS] = HISTORY_ITEM_STATUS,
			[EXPIRED_CHANGE_NUMBER] = HISTORY_ITEM_CHANGE_NUMBER,
			[EXPIRED_EXPIRATION] = HISTORY_ITEM_EXPIRATION,
			[EXPIRED_DAY] = HISTORY_ITEM_EXPIRATION_DAY
		}
	},
	.all = {
		.sql = FIND_ITEMS "WHERE " EXPIRED("h"),
		.nparams = 2,
		.types = {TIMESTAMPTZOID, INT8OID}
	},
	.locked = {
		.sql = FIND_ITEMS WHERE_LOCKED("h") EXPIRED("h"),
		.nparams = 2,
		.types = {TIMESTAMPTZOID, INT8OID}
	}
};

static Search expired_activities = {
	.columns = {
		.shape = &activity_shape,
		.columns = {
			[EXPIRED_USER_ID] = ACTIVITY_USER_ID,
			[EXPIRED_ACTIVITY_ID] = ACTIVITY_ID,
			[EXPIRED_STATUS] = ACTIVITY_STATUS,
			[EXPIRED_CHANGE_NUMBER] = ACTIVITY_CHANGE_NUMBER,
			[EXPIRED_EXPIRATION] = ACTIVITY_EXPIRATION,
			[EXPIRED_DAY] = ACTIVITY_EXPIRATION_DAY
		}
	},
	.all = {
		.sql = FIND_ACTIVITIES "WHERE " EXPIRED("a"),
		.nparams = 2,
		.types = {TIMESTAMPTZOID, INT8OID}
	},
	.locked = {
		.sql = FIND_ACTIVITIES WHERE_LOCKED("a") EXPIRED("a"),
		.nparams = 2,
		.types = {TIMESTAMPTZOID, INT8OID}
	}
};

/* $1 user ids */
static KeptPlan lock_feeds = {
	.sql = "SELECT FROM activityfeed.feed AS f "
	"WHERE f.user_id OPERATOR(pg_catalog.=) ANY ($1) FOR UPDATE SKIP LOCKED",
	.nparams = 1,
	.types = {TEXTARRAYOID},
	.by_key = true
};

/*
 * What expired activities still have: tombstones of sessions, which can
 * outlive them.  $1 user ids, $2 activity ids, $3 the time now.  OFFSET keeps
 * the planner from beginning at the sessions.
 */
static KeptPlan find_items_of_expired = {
	.sql = "SELECT item.* "
	"FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) "
	"AS expired (user_id, activity_id) "
	"CROSS JOIN LATERAL (SELECT " EXPIRED_ROW_COLUMNS("h", "activity_id")
	"FROM activityfeed.history_item AS h "
	"WHERE h.user_id OPERATOR(pg_catalog.=) expired.user_id "
	"AND h.activity_id OPERATOR(pg_catalog.=) expired.activity_id "
	"AND EXISTS (SELECT FROM activityfeed.activity AS a "
	"WHERE a.user_id OPERATOR(pg_catalog.=) expired.user_id "
	"AND a.id OPERATOR(pg_catalog.=) expired.activity_id "
	"AND a.expiration_date_time OPERATOR(pg_catalog.<=) $3) OFFSET 0) AS item",
	.nparams = 3,
	.types = {TEXTARRAYOID, INT8ARRAYOID, TIMESTAMPTZOID},
	.by_key = true
};

/* clang-format on */

static ExpiredRows
FindRows(KeptPlan *plan, TimestampTz now, int64 limit)
{
	ExpiredRows found = ExpiredRowsMake();
	Datum values[2];

	values[0] = TimestampTzGetDatum(now);
	values[1] = Int64GetDatum(limit);
	(void) PlanWrite(plan, values, NULL, ExpiredRowsTake, &found);
	return found;
}

static ExpiredRows
FindAll(Search *search, TimestampTz now, int64 limit)
{
	ExpiredRows found = ExpiredRowsMake();

	if (DirectFindExpired(&search->all, &search->columns, now, limit, &found))
		return found;
	pfree(found.rows);
	return FindRows(&search->all, now, limit);
}

/*
 * Locks the feeds of rows.  Returns false unless all of them could be.
 */
static bool
LockFeeds(const ExpiredRows *found)
{
	ExpiredRows users = ExpiredRowsUsers(found);
	Datum *elements = palloc(users.count * sizeof(Datum));
	Datum values[1];
	uint64 locked;

	for (int i = 0; i < users.count; i++)
		elements[i] = PointerGetDatum(users.rows[i].user_id);
	values[0] = PlanArray(elements, NULL, users.count, TEXTOID);
	locked = PlanWrite(&lock_feeds, values, NULL, NULL, NULL);
	pfree(DatumGetPointer(values[0]));
	pfree(elements);
	pfree(users.rows);
	return locked == users.count;
}

/*
 * Finds rows that have expired, as of the snapshot, and locks their feeds.
 *
 * To lock the feed with each of its rows costs more than to delete them.  But
 * where somebody else has a feed, other rows are to be found in place of its.
 * Under Citus there is but one answer to either, which is an error.
 */
static ExpiredRows
FindExpired(Search *search, TimestampTz now, int64 limit)
{
	ExpiredRows found = FindAll(search, now, limit);

	if (!search->all.is_custom && LockFeeds(&found))
		return found;
	pfree(found.rows);
	return FindRows(&search->locked, now, limit);
}

/*
 * Finds sessions and tombstones of sessions.
 */
ExpiredRows
PurgeFindItems(TimestampTz now, int64 limit)
{
	return FindExpired(&expired_items, now, limit);
}

ExpiredRows
PurgeFindActivities(TimestampTz now, int64 limit)
{
	return FindExpired(&expired_activities, now, limit);
}

static void
FindItemsOfChunk(TimestampTz now, const ExpiredRow *rows, int count,
				 ExpiredRows *found)
{
	Datum values[3];

	ExpiredRowsSetKeys(values, rows, count);
	values[2] = TimestampTzGetDatum(now);
	(void) PlanWrite(&find_items_of_expired, values, NULL, ExpiredRowsTake,
					 found);
	pfree(DatumGetPointer(values[0]));
	pfree(DatumGetPointer(values[1]));
}

/*
 * Finds what expired activities still have of history.
 */
ExpiredRows
PurgeFindItemsOf(TimestampTz now, const ExpiredRows *activities)
{
	ExpiredRows found = ExpiredRowsMake();

	for (int i = 0; i < activities->count; i += PURGE_CHUNK_SIZE)
		FindItemsOfChunk(now, &activities->rows[i],
						 Min(PURGE_CHUNK_SIZE, activities->count - i), &found);
	return found;
}

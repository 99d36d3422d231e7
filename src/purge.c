/*
 * purge.c
 *		Removing what has expired.
 *
 * Rows are found by the day of their expiration, across users, and the feed
 * of each is locked; a feed that somebody else has locked is passed over with
 * all its rows.  So a purge waits for nobody, and any number can run at once.
 *
 * Rows are then deleted by other statements, of many users each, which look
 * at the expiration again: they have a snapshot that was taken under the lock.
 * They find the rows where they were, by ctid; one that has been written again
 * since is somewhere else, and the next purge's.
 *
 * An activity is told of its sessions only if its newest or its latest has
 * gone.  Last the feed's row is updated, also where nothing in it changes: a
 * writer under REPEATABLE READ, whose snapshot still has the rows, fails on
 * that and not on what it would derive from them.
 *
 * A feed is never removed: it keeps the numbers from being used again.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "expired_rows.h"
#include "lifecycle.h"
#include "plans.h"
#include "purge_delete.h"
#include "store.h"

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
	KeptPlan all;
	KeptPlan locked;
} Search;

static Search expired_items = {
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
 * outlive them.  $1 user ids, $2 the time now, $3 activity ids.  OFFSET keeps
 * the planner from beginning at the sessions.
 */
static KeptPlan find_items_of_expired = {
	.sql = "SELECT item.* "
	"FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($3)) "
	"AS expired (user_id, activity_id) "
	"CROSS JOIN LATERAL (SELECT " EXPIRED_ROW_COLUMNS("h", "activity_id")
	"FROM activityfeed.history_item AS h "
	"WHERE h.user_id OPERATOR(pg_catalog.=) expired.user_id "
	"AND h.activity_id OPERATOR(pg_catalog.=) expired.activity_id "
	"AND EXISTS (SELECT FROM activityfeed.activity AS a "
	"WHERE a.user_id OPERATOR(pg_catalog.=) expired.user_id "
	"AND a.id OPERATOR(pg_catalog.=) expired.activity_id "
	"AND a.expiration_date_time OPERATOR(pg_catalog.<=) $2) OFFSET 0) AS item",
	.nparams = 3,
	.types = {TEXTARRAYOID, TIMESTAMPTZOID, INT8ARRAYOID},
	.by_key = true
};

/*
 * $1 user ids, $2 activity ids, $3 the highest number and $4 the latest
 * expiration of the sessions of each that have gone.  The places of those
 * whose newest or latest may have been among them.
 */
static KeptPlan find_stale_activities = {
	.sql = "SELECT gone.n FROM ROWS FROM (pg_catalog.unnest($1), "
	"pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4)) "
	"WITH ORDINALITY AS gone (user_id, activity_id, number, latest, n) "
	"CROSS JOIN LATERAL (SELECT FROM activityfeed.activity AS a "
	"WHERE a.user_id OPERATOR(pg_catalog.=) gone.user_id "
	"AND a.id OPERATOR(pg_catalog.=) gone.activity_id "
	"AND (a.history_change_number OPERATOR(pg_catalog.<=) gone.number "
	"OR a.history_expiration_date_time OPERATOR(pg_catalog.<=) gone.latest) "
	"OFFSET 0) AS stale",
	.nparams = 4,
	.types = {TEXTARRAYOID, INT8ARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID},
	.by_key = true
};

/* $1 user_id, $2 the highest number of a row that has gone */
static KeptPlan note_in_feed = {
	.sql = "UPDATE activityfeed.feed AS f SET oldest_change_number = "
	"GREATEST(f.oldest_change_number, $2) "
	"WHERE f.user_id OPERATOR(pg_catalog.=) $1",
	.nparams = 2,
	.types = {TEXTOID, INT8OID},
	.by_key = true
};

/* clang-format on */

typedef struct Purge
{
	TimestampTz now;
	int64 removed; /* rows in all */
} Purge;

static ExpiredRows
FindRows(KeptPlan *plan, const Purge *purge, int64 limit)
{
	ExpiredRows found = ExpiredRowsMake();
	Datum values[2];

	values[0] = TimestampTzGetDatum(purge->now);
	values[1] = Int64GetDatum(limit);
	(void) PlanWrite(plan, values, NULL, ExpiredRowsTake, &found);
	return found;
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
FindExpired(Search *search, const Purge *purge, int64 limit)
{
	ExpiredRows found = FindRows(&search->all, purge, limit);

	if (!search->all.is_custom && LockFeeds(&found))
		return found;
	pfree(found.rows);
	return FindRows(&search->locked, purge, limit);
}

/*
 * Sets the first parameters to what names the activities of some rows.
 */
static void
SetActivities(Datum *values, const ExpiredRow *rows, int count)
{
	Datum *elements = palloc(count * sizeof(Datum));

	for (int i = 0; i < count; i++)
		elements[i] = PointerGetDatum(rows[i].user_id);
	values[0] = PlanArray(elements, NULL, count, TEXTOID);
	for (int i = 0; i < count; i++)
		elements[i] = Int64GetDatum(rows[i].activity_id);
	values[1] = PlanArray(elements, NULL, count, INT8OID);
	pfree(elements);
}

/*
 * One row for each activity of which sessions have gone, with the highest
 * number and the latest expiration among them.
 */
static ExpiredRows
SumByActivity(const ExpiredRows *gone)
{
	ExpiredRows sums = ExpiredRowsMake();

	for (int i = 0; i < gone->count; i++)
	{
		const ExpiredRow *row = &gone->rows[i];
		ExpiredRow *sum = sums.rows + sums.count - 1;

		if (row->is_tombstone)
			continue;
		if (sums.count == 0 || sum->activity_id != row->activity_id ||
			!ExpiredRowsSameUser(sum, row))
		{
			*ExpiredRowsAdd(&sums) = *row;
			continue;
		}
		sum->change_number = Max(sum->change_number, row->change_number);
		sum->expiration = Max(sum->expiration, row->expiration);
	}
	return sums;
}

/* The activities to be told of their history, as places in a chunk. */
typedef struct StaleActivities
{
	int count;
	int places[PURGE_CHUNK_SIZE];
} StaleActivities;

static void
TakeStale(void *context, Datum *values, bool *nulls)
{
	StaleActivities *stale = context;

	stale->places[stale->count++] = (int) DatumGetInt64(values[0]) - 1;
}

static void
FindStale(const ExpiredRow *sums, int count, StaleActivities *stale)
{
	Datum *elements = palloc(count * sizeof(Datum));
	Datum values[4];

	SetActivities(values, sums, count);
	for (int i = 0; i < count; i++)
		elements[i] = Int64GetDatum(sums[i].change_number);
	values[2] = PlanArray(elements, NULL, count, INT8OID);
	for (int i = 0; i < count; i++)
		elements[i] = TimestampTzGetDatum(sums[i].expiration);
	values[3] = PlanArray(elements, NULL, count, TIMESTAMPTZOID);
	stale->count = 0;
	(void) PlanWrite(&find_stale_activities, values, NULL, TakeStale, stale);
	for (int i = 0; i < 4; i++)
		pfree(DatumGetPointer(values[i]));
	pfree(elements);
}

/*
 * Makes what activities say of their history right.
 */
static void
RederiveHistories(const ExpiredRows *gone)
{
	ExpiredRows sums = SumByActivity(gone);
	StaleActivities *stale = palloc(sizeof(StaleActivities));

	for (int i = 0; i < sums.count; i += PURGE_CHUNK_SIZE)
	{
		FindStale(&sums.rows[i], Min(PURGE_CHUNK_SIZE, sums.count - i), stale);
		for (int j = 0; j < stale->count; j++)
		{
			const ExpiredRow *sum = &sums.rows[i + stale->places[j]];

			CHECK_FOR_INTERRUPTS();
			StoreRederiveHistory(PointerGetDatum(sum->user_id),
								 sum->activity_id, sum->expiration, NULL,
								 NULL);
		}
	}
	pfree(stale);
	pfree(sums.rows);
}

static void
NoteInFeed(const ExpiredRow *row, int64 highest)
{
	Datum values[2];

	values[0] = PointerGetDatum(row->user_id);
	values[1] = Int64GetDatum(highest);
	(void) PlanWrite(&note_in_feed, values, NULL, NULL, NULL);
}

/*
 * Counts what has gone, and tells the feeds of it.
 */
static void
FinishUsers(Purge *purge, const ExpiredRows *gone)
{
	int64 highest = 0;

	for (int i = 0; i < gone->count; i++)
	{
		const ExpiredRow *row = &gone->rows[i];
		bool is_last = i + 1 == gone->count;

		highest = Max(highest, row->change_number);
		if (!is_last && ExpiredRowsSameUser(row, row + 1))
			continue;
		CHECK_FOR_INTERRUPTS();
		NoteInFeed(row, highest);
		highest = 0;
	}
	purge->removed += gone->count;
}

/*
 * Sessions and their tombstones.
 */
static void
PurgeItems(Purge *purge, int64 limit)
{
	ExpiredRows found = FindExpired(&expired_items, purge, limit);
	ExpiredRows gone = ExpiredRowsMake();

	PurgeDelete(PURGE_EXPIRED_ITEMS, purge->now, &found, &gone);
	ExpiredRowsSort(&gone);
	RederiveHistories(&gone);
	FinishUsers(purge, &gone);
}

static void
FindItemsOfChunk(const Purge *purge, const ExpiredRow *rows, int count,
				 ExpiredRows *found)
{
	Datum values[3];

	SetActivities(values, rows, count);
	values[2] = values[1];
	values[1] = TimestampTzGetDatum(purge->now);
	(void) PlanWrite(&find_items_of_expired, values, NULL, ExpiredRowsTake,
					 found);
	pfree(DatumGetPointer(values[0]));
	pfree(DatumGetPointer(values[2]));
}

static ExpiredRows
FindItemsOfExpired(const Purge *purge, const ExpiredRows *activities)
{
	ExpiredRows found = ExpiredRowsMake();

	for (int i = 0; i < activities->count; i += PURGE_CHUNK_SIZE)
		FindItemsOfChunk(purge, &activities->rows[i],
						 Min(PURGE_CHUNK_SIZE, activities->count - i), &found);
	return found;
}

/*
 * Activities and their tombstones, with what they still have of history.
 */
static void
PurgeActivities(Purge *purge, int64 limit)
{
	ExpiredRows found = FindExpired(&expired_activities, purge, limit);
	ExpiredRows items = FindItemsOfExpired(purge, &found);
	ExpiredRows gone = ExpiredRowsMake();

	PurgeDelete(PURGE_ITEMS, purge->now, &items, &gone);
	PurgeDelete(PURGE_EXPIRED_ACTIVITIES, purge->now, &found, &gone);
	ExpiredRowsSort(&gone);
	FinishUsers(purge, &gone);
}

/*
 * Raises 0A000 for a table that has others below it.  Rows are deleted by their
 * ctid, and rows of other tables have the same.
 */
static void
RefuseChildren(const char *table)
{
	Oid schema = get_namespace_oid("activityfeed", false);
	Oid relation = get_relname_relid(table, schema);

	if (!OidIsValid(relation) || !has_subclass(relation) ||
		find_inheritance_children(relation, NoLock) == NIL)
		return;
	ereport(
		ERROR,
		(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
		 errmsg(
			 "cannot purge table \"%s\", which has partitions or child tables",
			 table),
		 errdetail(
			 "Rows are deleted by their place in one table, at which another has rows, too."),
		 errhint("Delete what has expired from them by SQL."),
		 err_generic_string(PG_DIAG_SCHEMA_NAME, "activityfeed"),
		 err_generic_string(PG_DIAG_TABLE_NAME, table)));
}

/*
 * Removes about batch_size rows at most: an activity takes along what it
 * still has, whatever the number.  Returns how many rows went.
 *
 * Cursors of the change feed from before the last change of what went are of
 * no more use.  That is so for a tombstone, and for other rows too: a reader
 * that has missed the last change may hold an older version, which was to
 * live longer.
 */
int64
PurgeExpired(int batch_size)
{
	Purge purge = {.now = GetCurrentTimestamp()};

	RefuseChildren("history_item");
	RefuseChildren("activity");
	PurgeItems(&purge, batch_size);
	if (purge.removed < batch_size)
		PurgeActivities(&purge, batch_size - purge.removed);
	return purge.removed;
}

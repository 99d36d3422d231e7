/*
 * purge.c
 *		Removing what has expired.
 *
 * Rows are found by the day of their expiration, across users, and the feed
 * of each is locked as it is found; a feed that somebody else has locked is
 * passed over with all its rows.  So a purge waits for nobody, and any number
 * can run at once.
 *
 * Rows are then deleted by other statements, one for the sessions of each
 * activity, which look at the expiration again: they have a snapshot that was
 * taken under the lock.  Last the
 * feed's row is updated, also where nothing in it changes: a writer under
 * REPEATABLE READ, whose snapshot still has the rows, fails on that and not
 * on what it would derive from them.
 *
 * A feed is never removed: it keeps the numbers from being used again.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "lifecycle.h"
#include "plans.h"
#include "store.h"

/* clang-format off */

/*
 * $1 the time now, $2 how many.  The feed is locked in a subquery, so that no
 * plan can begin at the feeds and go through all that each has.
 */
#define EXPIRED_AND_LOCKED(row) \
	"CROSS JOIN LATERAL (SELECT FROM activityfeed.feed AS f " \
	"WHERE f.user_id OPERATOR(pg_catalog.=) " row ".user_id " \
	"FOR UPDATE SKIP LOCKED) AS locked " \
	"WHERE " row ".expiration_day OPERATOR(pg_catalog.<=) " \
	"pg_catalog.timezone('UTC', $1)::pg_catalog.date " \
	"AND " row ".expiration_date_time OPERATOR(pg_catalog.<=) $1 " \
	"LIMIT $2"

static KeptPlan find_expired_items = {
	.sql = "SELECT h.user_id, h.activity_id, h.id "
	"FROM activityfeed.history_item AS h " EXPIRED_AND_LOCKED("h"),
	.nparams = 2,
	.types = {TIMESTAMPTZOID, INT8OID}
};

static KeptPlan find_expired_activities = {
	.sql = "SELECT a.user_id, a.id, NULL::pg_catalog.uuid "
	"FROM activityfeed.activity AS a " EXPIRED_AND_LOCKED("a"),
	.nparams = 2,
	.types = {TIMESTAMPTZOID, INT8OID}
};

/* What is told of a row that was deleted. */
#define RETURNING_DELETED(row) \
	"RETURNING " row ".status OPERATOR(pg_catalog.=) " \
	"'deleted'::activityfeed.status, " \
	row ".change_number, " row ".expiration_date_time"

/* $1 user_id, $2 activity id, $3 the time now, $4 ids */
static KeptPlan delete_expired_items = {
	.sql = "DELETE FROM activityfeed.history_item AS h "
	"WHERE h.user_id OPERATOR(pg_catalog.=) $1 "
	"AND h.activity_id OPERATOR(pg_catalog.=) $2 "
	"AND h.id OPERATOR(pg_catalog.=) ANY ($4) "
	"AND h.expiration_date_time OPERATOR(pg_catalog.<=) $3 "
	RETURNING_DELETED("h"),
	.nparams = 4,
	.types = {TEXTOID, INT8OID, TIMESTAMPTZOID, UUIDARRAYOID},
	.by_key = true
};

/*
 * What an expired activity still has: tombstones of sessions, which can
 * outlive it.
 */
static KeptPlan delete_items_of_expired = {
	.sql = "DELETE FROM activityfeed.history_item AS h "
	"WHERE h.user_id OPERATOR(pg_catalog.=) $1 "
	"AND h.activity_id OPERATOR(pg_catalog.=) $2 "
	"AND EXISTS (SELECT FROM activityfeed.activity AS a "
	"WHERE a.user_id OPERATOR(pg_catalog.=) $1 "
	"AND a.id OPERATOR(pg_catalog.=) $2 "
	"AND a.expiration_date_time OPERATOR(pg_catalog.<=) $3) "
	RETURNING_DELETED("h"),
	.nparams = 3,
	.types = {TEXTOID, INT8OID, TIMESTAMPTZOID},
	.by_key = true
};

static KeptPlan delete_expired_activity = {
	.sql = "DELETE FROM activityfeed.activity AS a "
	"WHERE a.user_id OPERATOR(pg_catalog.=) $1 "
	"AND a.id OPERATOR(pg_catalog.=) $2 "
	"AND a.expiration_date_time OPERATOR(pg_catalog.<=) $3 "
	RETURNING_DELETED("a"),
	.nparams = 3,
	.types = {TEXTOID, INT8OID, TIMESTAMPTZOID},
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

/* A row that was found: an item, or an activity, whose id is all zeros. */
typedef struct ExpiredRow
{
	text *user_id;
	int64 activity_id;
	pg_uuid_t id;
} ExpiredRow;

typedef struct ExpiredRows
{
	int count;
	int size;
	ExpiredRow *rows;
} ExpiredRows;

/* A purge, and what has gone of the user and activity that it is at. */
typedef struct Purge
{
	TimestampTz now;
	int64 removed;		 /* rows in all */
	int64 user_removed;	 /* rows of this user */
	int64 highest;		 /* number of this user's rows that have gone */
	TimestampTz latest;	 /* expiration among this activity's sessions */
	bool session_purged; /* one that was no tombstone */
} Purge;

static void
CollectRow(void *context, Datum *values, bool *nulls)
{
	ExpiredRows *found = context;
	ExpiredRow *row;

	if (found->count == found->size)
	{
		found->size *= 2;
		found->rows =
			repalloc_huge(found->rows, found->size * sizeof(ExpiredRow));
	}
	row = &found->rows[found->count++];
	memset(row, 0, sizeof(ExpiredRow));
	row->user_id = DatumGetTextPCopy(values[0]);
	row->activity_id = DatumGetInt64(values[1]);
	if (!nulls[2])
		row->id = *DatumGetUUIDP(values[2]);
}

static int
CompareUsers(const ExpiredRow *a, const ExpiredRow *b)
{
	int a_length = VARSIZE_ANY_EXHDR(a->user_id);
	int b_length = VARSIZE_ANY_EXHDR(b->user_id);
	int result = memcmp(VARDATA_ANY(a->user_id), VARDATA_ANY(b->user_id),
						Min(a_length, b_length));

	return result != 0 ? result : a_length - b_length;
}

/*
 * Rows of one user come together, and among them those of one activity.
 */
static int
CompareRows(const void *left, const void *right)
{
	const ExpiredRow *a = left;
	const ExpiredRow *b = right;
	int result = CompareUsers(a, b);

	if (result != 0)
		return result;
	if (a->activity_id != b->activity_id)
		return a->activity_id < b->activity_id ? -1 : 1;
	return memcmp(&a->id, &b->id, sizeof(pg_uuid_t));
}

/*
 * Finds rows that have expired, as of the snapshot, and locks their feeds.
 */
static ExpiredRows
FindExpired(KeptPlan *plan, const Purge *purge, int64 limit)
{
	ExpiredRows found = {.count = 0, .size = 64};
	Datum values[2];

	found.rows = palloc(found.size * sizeof(ExpiredRow));
	values[0] = TimestampTzGetDatum(purge->now);
	values[1] = Int64GetDatum(limit);
	(void) PlanWrite(plan, values, NULL, CollectRow, &found);
	qsort(found.rows, found.count, sizeof(ExpiredRow), CompareRows);
	return found;
}

static void
CountDeleted(Purge *purge, Datum *values)
{
	purge->removed++;
	purge->user_removed++;
	purge->highest = Max(purge->highest, DatumGetInt64(values[1]));
}

static void
TakeDeletedItem(void *context, Datum *values, bool *nulls)
{
	Purge *purge = context;

	CountDeleted(purge, values);
	if (DatumGetBool(values[0]))
		return;
	purge->session_purged = true;
	purge->latest = Max(purge->latest, DatumGetTimestampTz(values[2]));
}

static void
TakeDeletedActivity(void *context, Datum *values, bool *nulls)
{
	CountDeleted(context, values);
}

static void
SetRow(Datum *values, const ExpiredRow *row, const Purge *purge)
{
	values[0] = PointerGetDatum(row->user_id);
	values[1] = Int64GetDatum(row->activity_id);
	values[2] = TimestampTzGetDatum(purge->now);
}

/*
 * Tells a feed that rows of it have gone.
 */
static void
FinishUser(Purge *purge, const ExpiredRow *row)
{
	Datum values[2];

	values[0] = PointerGetDatum(row->user_id);
	values[1] = Int64GetDatum(purge->highest);
	if (purge->user_removed > 0)
		(void) PlanWrite(&note_in_feed, values, NULL, NULL, NULL);
	purge->user_removed = 0;
	purge->highest = 0;
}

/*
 * Makes what an activity says of its history right.
 */
static void
FinishActivity(Purge *purge, const ExpiredRow *row)
{
	if (purge->session_purged)
		StoreRederiveHistory(PointerGetDatum(row->user_id), row->activity_id,
							 purge->latest, NULL, NULL);
	purge->session_purged = false;
	purge->latest = DT_NOBEGIN;
}

static bool
IsOfSameActivity(const ExpiredRow *a, const ExpiredRow *b)
{
	return a->activity_id == b->activity_id && CompareUsers(a, b) == 0;
}

/*
 * Deletes sessions of one activity.
 */
static void
DeleteItems(Purge *purge, const ExpiredRow *rows, int count)
{
	Datum *ids = palloc(count * sizeof(Datum));
	Datum values[4];
	ArrayType *array;

	for (int i = 0; i < count; i++)
		ids[i] = UUIDPGetDatum(&rows[i].id);
	array =
		construct_array(ids, count, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR);
	SetRow(values, rows, purge);
	values[3] = PointerGetDatum(array);
	(void) PlanWrite(&delete_expired_items, values, NULL, TakeDeletedItem,
					 purge);
	pfree(array);
	pfree(ids);
}

/*
 * Sessions and their tombstones.
 */
static void
PurgeItems(Purge *purge, int64 limit)
{
	ExpiredRows found = FindExpired(&find_expired_items, purge, limit);
	const ExpiredRow *end = found.rows + found.count;
	const ExpiredRow *row = found.rows;

	while (row < end)
	{
		const ExpiredRow *next = row + 1;

		CHECK_FOR_INTERRUPTS();
		while (next < end && IsOfSameActivity(row, next))
			next++;
		DeleteItems(purge, row, (int) (next - row));
		FinishActivity(purge, row);
		if (next == end || CompareUsers(row, next) != 0)
			FinishUser(purge, row);
		row = next;
	}
}

/*
 * Activities and their tombstones, with what they still have of history.
 */
static void
PurgeActivities(Purge *purge, int64 limit)
{
	ExpiredRows found = FindExpired(&find_expired_activities, purge, limit);
	Datum values[4];

	for (int i = 0; i < found.count; i++)
	{
		const ExpiredRow *row = &found.rows[i];
		bool is_last = i + 1 == found.count;

		CHECK_FOR_INTERRUPTS();
		SetRow(values, row, purge);
		(void) PlanWrite(&delete_items_of_expired, values, NULL,
						 TakeDeletedActivity, purge);
		(void) PlanWrite(&delete_expired_activity, values, NULL,
						 TakeDeletedActivity, purge);
		if (is_last || CompareUsers(row, row + 1) != 0)
			FinishUser(purge, row);
	}
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
	Purge purge = {.now = GetCurrentTimestamp(), .latest = DT_NOBEGIN};

	PurgeItems(&purge, batch_size);
	if (purge.removed < batch_size)
		PurgeActivities(&purge, batch_size - purge.removed);
	return purge.removed;
}

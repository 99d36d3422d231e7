/*
 * purge.c
 *		Removing what has expired.
 *
 * Rows are found by the day of their expiration, across users, and the feed
 * of each is locked as it is found; a feed that somebody else has locked is
 * passed over with all its rows.  So a purge waits for nobody, and any number
 * can run at once.
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

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/itemptr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

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
	.sql = "SELECT h.user_id, h.activity_id, h.ctid "
	"FROM activityfeed.history_item AS h " EXPIRED_AND_LOCKED("h"),
	.nparams = 2,
	.types = {TIMESTAMPTZOID, INT8OID}
};

static KeptPlan find_expired_activities = {
	.sql = "SELECT a.user_id, a.id, a.ctid "
	"FROM activityfeed.activity AS a " EXPIRED_AND_LOCKED("a"),
	.nparams = 2,
	.types = {TIMESTAMPTZOID, INT8OID}
};

/*
 * $1 ctids, $2 the time now.  The calling query's snapshot is older than that
 * which found the rows: none of their places can be another row's by now.
 */
#define DELETE_CHUNK(table, row) \
	"DELETE FROM activityfeed." table " AS " row \
	" WHERE " row ".ctid OPERATOR(pg_catalog.=) ANY ($1) "
#define HAS_EXPIRED(row) \
	"AND " row ".expiration_date_time OPERATOR(pg_catalog.<=) $2 "

/* What is told of a row that was deleted. */
#define RETURNING_DELETED(row, id) \
	"RETURNING " row ".user_id, " row "." id ", " row ".ctid, " \
	row ".status OPERATOR(pg_catalog.=) 'deleted'::activityfeed.status, " \
	row ".change_number, " row ".expiration_date_time"

static KeptPlan delete_expired_items = {
	.sql = DELETE_CHUNK("history_item", "h") HAS_EXPIRED("h")
	RETURNING_DELETED("h", "activity_id"),
	.nparams = 2,
	.types = {TIDARRAYOID, TIMESTAMPTZOID},
	.by_tid = true
};

static KeptPlan delete_expired_activities = {
	.sql = DELETE_CHUNK("activity", "a") HAS_EXPIRED("a")
	RETURNING_DELETED("a", "id"),
	.nparams = 2,
	.types = {TIDARRAYOID, TIMESTAMPTZOID},
	.by_tid = true
};

/*
 * What expired activities still have: tombstones of sessions, which can
 * outlive them.  $1 user ids, $2 the time now, $3 activity ids.  OFFSET keeps
 * the planner from beginning at the sessions.
 */
static KeptPlan find_items_of_expired = {
	.sql = "SELECT item.user_id, item.activity_id, item.tid "
	"FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($3)) "
	"AS expired (user_id, activity_id) "
	"CROSS JOIN LATERAL (SELECT h.user_id, h.activity_id, h.ctid AS tid "
	"FROM activityfeed.history_item AS h "
	"WHERE h.user_id OPERATOR(pg_catalog.=) expired.user_id "
	"AND h.activity_id OPERATOR(pg_catalog.=) expired.activity_id "
	"AND EXISTS (SELECT FROM activityfeed.activity AS a "
	"WHERE a.user_id OPERATOR(pg_catalog.=) expired.user_id "
	"AND a.id OPERATOR(pg_catalog.=) expired.activity_id "
	HAS_EXPIRED("a") ") OFFSET 0) AS item",
	.nparams = 3,
	.types = {TEXTARRAYOID, TIMESTAMPTZOID, INT8ARRAYOID},
	.by_key = true
};

static KeptPlan delete_items_of_expired = {
	.sql = DELETE_CHUNK("history_item", "h")
	RETURNING_DELETED("h", "activity_id"),
	.nparams = 2,
	.types = {TIDARRAYOID, TIMESTAMPTZOID},
	.by_tid = true
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

/* How many rows a statement is given: arrays are to stay small. */
#define CHUNK_SIZE 1000

/* A row that was found, an item or an activity, and what became of it. */
typedef struct ExpiredRow
{
	text *user_id; /* neighbours may share it */
	int64 activity_id;
	ItemPointerData tid;
	bool is_session; /* and no tombstone; this and what follows, if it went */
	int64 change_number;
	TimestampTz expiration;
} ExpiredRow;

typedef struct ExpiredRows
{
	int count;
	int size;
	ExpiredRow *rows;
} ExpiredRows;

typedef struct Purge
{
	TimestampTz now;
	int64 removed; /* rows in all */
} Purge;

static ExpiredRows
MakeRows(void)
{
	ExpiredRows made = {.count = 0, .size = 64};

	made.rows = palloc(made.size * sizeof(ExpiredRow));
	return made;
}

static ExpiredRow *
AddRow(ExpiredRows *rows)
{
	if (rows->count == rows->size)
	{
		rows->size *= 2;
		rows->rows =
			repalloc_huge(rows->rows, rows->size * sizeof(ExpiredRow));
	}
	return &rows->rows[rows->count++];
}

static int
CompareTexts(const text *a, const text *b)
{
	int a_length = VARSIZE_ANY_EXHDR(a);
	int b_length = VARSIZE_ANY_EXHDR(b);
	int result =
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), Min(a_length, b_length));

	return result != 0 ? result : a_length - b_length;
}

static int
CompareUsers(const ExpiredRow *a, const ExpiredRow *b)
{
	if (a->user_id == b->user_id)
		return 0;
	return CompareTexts(a->user_id, b->user_id);
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
	return ItemPointerCompare((ItemPointer) &a->tid, (ItemPointer) &b->tid);
}

/*
 * Rows of one user are often found one after the other.
 */
static void
CollectRow(void *context, Datum *values, bool *nulls)
{
	ExpiredRows *found = context;
	ExpiredRow *row = AddRow(found);
	text *user_id = DatumGetTextPP(values[0]);

	memset(row, 0, sizeof(ExpiredRow));
	if (found->count > 1 && CompareTexts(row[-1].user_id, user_id) == 0)
		row->user_id = row[-1].user_id;
	else
		row->user_id = DatumGetTextPCopy(values[0]);
	row->activity_id = DatumGetInt64(values[1]);
	row->tid = *(ItemPointer) DatumGetPointer(values[2]);
}

/*
 * Finds rows that have expired, as of the snapshot, and locks their feeds.
 */
static ExpiredRows
FindExpired(KeptPlan *plan, const Purge *purge, int64 limit)
{
	ExpiredRows found = MakeRows();
	Datum values[2];

	values[0] = TimestampTzGetDatum(purge->now);
	values[1] = Int64GetDatum(limit);
	(void) PlanWrite(plan, values, NULL, CollectRow, &found);
	return found;
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

static void
TakeDeleted(void *context, Datum *values, bool *nulls)
{
	ExpiredRows *gone = context;
	ExpiredRow *row;

	CollectRow(context, values, nulls);
	row = &gone->rows[gone->count - 1];
	row->is_session = !DatumGetBool(values[3]);
	row->change_number = DatumGetInt64(values[4]);
	row->expiration = DatumGetTimestampTz(values[5]);
}

static void
DeleteChunk(KeptPlan *plan, const Purge *purge, const ExpiredRow *rows,
			int count, ExpiredRows *gone)
{
	Datum *elements = palloc(count * sizeof(Datum));
	Datum values[2];

	for (int i = 0; i < count; i++)
		elements[i] = PointerGetDatum(&rows[i].tid);
	values[0] = PlanArray(elements, NULL, count, TIDOID);
	values[1] = TimestampTzGetDatum(purge->now);
	(void) PlanWrite(plan, values, NULL, TakeDeleted, gone);
	pfree(DatumGetPointer(values[0]));
	pfree(elements);
}

/*
 * Deletes what was found, and adds what has gone to "gone".
 */
static void
DeleteRows(KeptPlan *plan, const Purge *purge, const ExpiredRows *found,
		   ExpiredRows *gone)
{
	for (int i = 0; i < found->count; i += CHUNK_SIZE)
	{
		CHECK_FOR_INTERRUPTS();
		DeleteChunk(plan, purge, &found->rows[i],
					Min(CHUNK_SIZE, found->count - i), gone);
	}
}

static void
SortRows(ExpiredRows *rows)
{
	qsort(rows->rows, rows->count, sizeof(ExpiredRow), CompareRows);
}

/*
 * One row for each activity of which sessions have gone, with the highest
 * number and the latest expiration among them.
 */
static ExpiredRows
SumByActivity(const ExpiredRows *gone)
{
	ExpiredRows sums = MakeRows();

	for (int i = 0; i < gone->count; i++)
	{
		const ExpiredRow *row = &gone->rows[i];
		ExpiredRow *sum = sums.rows + sums.count - 1;

		if (!row->is_session)
			continue;
		if (sums.count == 0 || sum->activity_id != row->activity_id ||
			CompareUsers(sum, row) != 0)
		{
			*AddRow(&sums) = *row;
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
	int places[CHUNK_SIZE];
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

	for (int i = 0; i < sums.count; i += CHUNK_SIZE)
	{
		FindStale(&sums.rows[i], Min(CHUNK_SIZE, sums.count - i), stale);
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
		if (!is_last && CompareUsers(row, row + 1) == 0)
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
	ExpiredRows found = FindExpired(&find_expired_items, purge, limit);
	ExpiredRows gone = MakeRows();

	DeleteRows(&delete_expired_items, purge, &found, &gone);
	SortRows(&gone);
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
	(void) PlanWrite(&find_items_of_expired, values, NULL, CollectRow, found);
	pfree(DatumGetPointer(values[0]));
	pfree(DatumGetPointer(values[2]));
}

static ExpiredRows
FindItemsOfExpired(const Purge *purge, const ExpiredRows *activities)
{
	ExpiredRows found = MakeRows();

	for (int i = 0; i < activities->count; i += CHUNK_SIZE)
		FindItemsOfChunk(purge, &activities->rows[i],
						 Min(CHUNK_SIZE, activities->count - i), &found);
	return found;
}

/*
 * Activities and their tombstones, with what they still have of history.
 */
static void
PurgeActivities(Purge *purge, int64 limit)
{
	ExpiredRows found = FindExpired(&find_expired_activities, purge, limit);
	ExpiredRows items = FindItemsOfExpired(purge, &found);
	ExpiredRows gone = MakeRows();

	DeleteRows(&delete_items_of_expired, purge, &items, &gone);
	DeleteRows(&delete_expired_activities, purge, &found, &gone);
	SortRows(&gone);
	FinishUsers(purge, &gone);
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

	PurgeItems(&purge, batch_size);
	if (purge.removed < batch_size)
		PurgeActivities(&purge, batch_size - purge.removed);
	return purge.removed;
}

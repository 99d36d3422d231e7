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
 * at the user and the expiration again: they have a snapshot that was taken
 * under the lock.  They find the rows where they were, by ctid; one that has
 * been written again since is somewhere else, and the next purge's.
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
#include "utils/array.h"
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

/* What a chunk of rows is given as: $1 user ids, $2 activity ids, $3 ctids. */
#define CHUNK \
	"ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), " \
	"pg_catalog.unnest($3)) WITH ORDINALITY " \
	"AS chunk (user_id, activity_id, tid, n)"

/* A ctid that was made free may be another user's: whose it is is looked at. */
#define DELETE_CHUNK(table, row, id) \
	"DELETE FROM activityfeed." table " AS " row " USING " CHUNK \
	" WHERE " row ".ctid OPERATOR(pg_catalog.=) chunk.tid " \
	"AND " row ".user_id OPERATOR(pg_catalog.=) chunk.user_id " \
	"AND " row "." id " OPERATOR(pg_catalog.=) chunk.activity_id "
#define HAS_EXPIRED(row) \
	"AND " row ".expiration_date_time OPERATOR(pg_catalog.<=) $4 "

/* What is told of a row that was deleted, the first being its place. */
#define RETURNING_DELETED(row) \
	"RETURNING chunk.n, " row ".status OPERATOR(pg_catalog.=) " \
	"'deleted'::activityfeed.status, " \
	row ".change_number, " row ".expiration_date_time"

#define CHUNK_TYPES {TEXTARRAYOID, INT8ARRAYOID, TIDARRAYOID, TIMESTAMPTZOID}
#define CHUNK_PARAMETERS 4

/* $4 the time now, as in what follows */
static KeptPlan delete_expired_items = {
	.sql = DELETE_CHUNK("history_item", "h", "activity_id")
	HAS_EXPIRED("h") RETURNING_DELETED("h"),
	.nparams = CHUNK_PARAMETERS,
	.types = CHUNK_TYPES,
	.by_tid = true
};

static KeptPlan delete_expired_activities = {
	.sql = DELETE_CHUNK("activity", "a", "id")
	HAS_EXPIRED("a") RETURNING_DELETED("a"),
	.nparams = CHUNK_PARAMETERS,
	.types = CHUNK_TYPES,
	.by_tid = true
};

/*
 * What expired activities still have: tombstones of sessions, which can
 * outlive them.  OFFSET keeps the planner from beginning at the sessions.
 */
static KeptPlan find_items_of_expired = {
	.sql = "SELECT item.user_id, item.activity_id, item.tid FROM " CHUNK
	" CROSS JOIN LATERAL (SELECT h.user_id, h.activity_id, h.ctid AS tid "
	"FROM activityfeed.history_item AS h "
	"WHERE h.user_id OPERATOR(pg_catalog.=) chunk.user_id "
	"AND h.activity_id OPERATOR(pg_catalog.=) chunk.activity_id "
	"AND EXISTS (SELECT FROM activityfeed.activity AS a "
	"WHERE a.user_id OPERATOR(pg_catalog.=) chunk.user_id "
	"AND a.id OPERATOR(pg_catalog.=) chunk.activity_id "
	HAS_EXPIRED("a") ") OFFSET 0) AS item",
	.nparams = CHUNK_PARAMETERS,
	.types = CHUNK_TYPES,
	.by_key = true
};

static KeptPlan delete_items_of_expired = {
	.sql = DELETE_CHUNK("history_item", "h", "activity_id")
	RETURNING_DELETED("h"),
	.nparams = CHUNK_PARAMETERS,
	.types = CHUNK_TYPES,
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
	bool is_gone;	 /* the rest is known then */
	bool is_session; /* and no tombstone */
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
	qsort(found.rows, found.count, sizeof(ExpiredRow), CompareRows);
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
	values[0] = PointerGetDatum(
		construct_array(elements, count, TEXTOID, -1, false, TYPALIGN_INT));
	for (int i = 0; i < count; i++)
		elements[i] = Int64GetDatum(rows[i].activity_id);
	values[1] = PointerGetDatum(construct_array(
		elements, count, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	pfree(elements);
}

/*
 * Executes a plan for a chunk of rows.
 */
static void
ExecuteForChunk(KeptPlan *plan, const Purge *purge, ExpiredRow *rows,
				int count, PlanRowTaker take, void *context)
{
	Datum *elements = palloc(count * sizeof(Datum));
	Datum values[CHUNK_PARAMETERS];

	SetActivities(values, rows, count);
	for (int i = 0; i < count; i++)
		elements[i] = PointerGetDatum(&rows[i].tid);
	values[2] = PointerGetDatum(construct_array(elements, count, TIDOID,
												sizeof(ItemPointerData), false,
												TYPALIGN_SHORT));
	values[3] = TimestampTzGetDatum(purge->now);
	(void) PlanWrite(plan, values, NULL, take, context);
	for (int i = 0; i < 3; i++)
		pfree(DatumGetPointer(values[i]));
	pfree(elements);
}

static void
TakeDeleted(void *context, Datum *values, bool *nulls)
{
	ExpiredRow *chunk = context;
	ExpiredRow *row = &chunk[DatumGetInt64(values[0]) - 1];

	row->is_gone = true;
	row->is_session = !DatumGetBool(values[1]);
	row->change_number = DatumGetInt64(values[2]);
	row->expiration = DatumGetTimestampTz(values[3]);
}

static void
DeleteRows(KeptPlan *plan, const Purge *purge, ExpiredRows *found)
{
	for (int i = 0; i < found->count; i += CHUNK_SIZE)
	{
		CHECK_FOR_INTERRUPTS();
		ExecuteForChunk(plan, purge, &found->rows[i],
						Min(CHUNK_SIZE, found->count - i), TakeDeleted,
						&found->rows[i]);
	}
}

/*
 * One row for each activity of which sessions have gone, with the highest
 * number and the latest expiration among them.
 */
static ExpiredRows
SumByActivity(const ExpiredRows *found)
{
	ExpiredRows sums = MakeRows();

	for (int i = 0; i < found->count; i++)
	{
		const ExpiredRow *row = &found->rows[i];
		ExpiredRow *sum = sums.rows + sums.count - 1;

		if (!row->is_gone || !row->is_session)
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
	values[2] = PointerGetDatum(construct_array(
		elements, count, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	for (int i = 0; i < count; i++)
		elements[i] = TimestampTzGetDatum(sums[i].expiration);
	values[3] = PointerGetDatum(construct_array(
		elements, count, TIMESTAMPTZOID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
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
RederiveHistories(const ExpiredRows *found)
{
	ExpiredRows sums = SumByActivity(found);
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
FinishUsers(Purge *purge, const ExpiredRows *found)
{
	int64 before = purge->removed;
	int64 highest = 0;

	for (int i = 0; i < found->count; i++)
	{
		const ExpiredRow *row = &found->rows[i];
		bool is_last = i + 1 == found->count;

		if (row->is_gone)
		{
			purge->removed++;
			highest = Max(highest, row->change_number);
		}
		if (!is_last && CompareUsers(row, row + 1) == 0)
			continue;
		CHECK_FOR_INTERRUPTS();
		if (purge->removed > before)
			NoteInFeed(row, highest);
		before = purge->removed;
		highest = 0;
	}
}

/*
 * Sessions and their tombstones.
 */
static void
PurgeItems(Purge *purge, int64 limit)
{
	ExpiredRows found = FindExpired(&find_expired_items, purge, limit);

	DeleteRows(&delete_expired_items, purge, &found);
	RederiveHistories(&found);
	FinishUsers(purge, &found);
}

static ExpiredRows
FindItemsOfExpired(const Purge *purge, const ExpiredRows *activities)
{
	ExpiredRows found = MakeRows();

	for (int i = 0; i < activities->count; i += CHUNK_SIZE)
		ExecuteForChunk(&find_items_of_expired, purge, &activities->rows[i],
						Min(CHUNK_SIZE, activities->count - i), CollectRow,
						&found);
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

	DeleteRows(&delete_items_of_expired, purge, &items);
	DeleteRows(&delete_expired_activities, purge, &found);
	for (int i = 0; i < items.count; i++)
		*AddRow(&found) = items.rows[i];
	qsort(found.rows, found.count, sizeof(ExpiredRow), CompareRows);
	FinishUsers(purge, &found);
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

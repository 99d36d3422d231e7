/*
 * store_deep.c
 *		Writing the sessions that come with an activity: deep insert.
 *
 * They are inserted first, without a statement or many of them by one.  That
 * leaves out those that are there already, also when a document names one
 * twice; they are replaced one by one after it, so that the last one counts.
 *
 * Each has the change number and the time of its place in the document.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "store.h"
#include "timestamp.h"

/* clang-format off */

/*
 * $1 user_id, $2 activity id, $3 app_id; arrays: $4 ids, $5 started, $6 last
 * active, $7 durations, $8 whether they were given, $9 time zones, $10 times,
 * $11 change numbers, $12 expirations.
 */
static KeptPlan insert_items = {
	.sql = "INSERT INTO activityfeed.history_item AS h (user_id, activity_id, id, "
	"app_id, started_date_time, last_active_date_time, "
	"active_duration_seconds, active_duration_given, user_timezone, status, "
	"created_date_time, last_modified_date_time, change_number, "
	"expiration_date_time) "
	"SELECT $1, $2, i.id, $3, i.started, i.last_active, i.duration, "
	"i.duration_given, i.time_zone, "
	"CASE WHEN i.last_active IS NULL THEN 'active'::activityfeed.status "
	"ELSE 'updated'::activityfeed.status END, "
	"i.changed, i.changed, i.number, i.expiration "
	"FROM ROWS FROM (pg_catalog.unnest($4), pg_catalog.unnest($5), "
	"pg_catalog.unnest($6), pg_catalog.unnest($7), pg_catalog.unnest($8), "
	"pg_catalog.unnest($9), pg_catalog.unnest($10), pg_catalog.unnest($11), "
	"pg_catalog.unnest($12)) AS i (id, started, last_active, duration, "
	"duration_given, time_zone, changed, number, expiration) "
	"ON CONFLICT (user_id, activity_id, id) DO NOTHING "
	"RETURNING h.change_number",
	.nparams = 12,
	.types = {TEXTOID, INT8OID, TEXTOID, UUIDARRAYOID, TIMESTAMPTZARRAYOID,
	TIMESTAMPTZARRAYOID, INT4ARRAYOID, BOOLARRAYOID, TEXTARRAYOID,
	TIMESTAMPTZARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID},
	.by_key = true
};

/* clang-format on */

/* So many sessions are worth arrays and the statement over them. */
#define MANY_ITEMS 3

#define ITEM_ARRAYS 9
#define FIRST_ARRAY 3

static const Oid array_elements[ITEM_ARRAYS] = {
	UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT4OID,		 BOOLOID,
	TEXTOID, TIMESTAMPTZOID, INT8OID,		 TIMESTAMPTZOID,
};

/* Which of the sessions were inserted. */
typedef struct Insertion
{
	int64 first_number;
	int count;
	bool *inserted;
} Insertion;

static void
TakeInserted(void *context, Datum *values, bool *nulls)
{
	Insertion *insertion = context;
	int64 place = DatumGetInt64(values[0]) - insertion->first_number;

	/* somebody's trigger may have given it any number */
	if (place >= 0 && place < insertion->count)
		insertion->inserted[place] = true;
}

static TimestampTz
ExpirationOf(const HistoryItemDocument *item, ChangeStamp stamp)
{
	return item->expiration.given ? item->expiration.value
								  : TimestampExpiration(stamp.time);
}

/*
 * The latest expiration of sessions that are all new.  stamp is the first
 * one's.
 */
TimestampTz
StoreLatestExpiration(const ActivityDocument *activity, ChangeStamp stamp)
{
	TimestampTz latest = EARLIEST_TIME;

	for (int i = 0; i < activity->history_item_count; i++)
	{
		latest = Max(latest, ExpirationOf(&activity->history_items[i], stamp));
		stamp = ChangeNext(stamp);
	}
	return latest;
}

/*
 * The id that a client has given, or one at random.
 */
static pg_uuid_t
IdOf(const HistoryItemDocument *item)
{
	return item->has_id
			   ? item->id
			   : *DatumGetUUIDP(DirectFunctionCall1(gen_random_uuid, 0));
}

/*
 * A session's elements of the arrays.
 */
static void
SetElements(const HistoryItemDocument *item, const pg_uuid_t *id,
			ChangeStamp stamp, Datum elements[ITEM_ARRAYS],
			bool nulls[ITEM_ARRAYS])
{
	elements[0] = UUIDPGetDatum(id);
	nulls[0] = false;
	StoreSetItem(item, stamp, &elements[1], &nulls[1]);
	elements[8] = TimestampTzGetDatum(ExpirationOf(item, stamp));
	nulls[8] = false;
}

/*
 * Inserts those of some sessions that are not there, and says which.
 */
static void
InsertItems(const HistoryItemKey *key, const HistoryItemDocument *items,
			const pg_uuid_t *ids, int count, ChangeStamp stamp, bool *inserted)
{
	Insertion insertion = {stamp.number, count, inserted};
	Datum values[FIRST_ARRAY + ITEM_ARRAYS];
	Datum *columns[ITEM_ARRAYS];
	bool *column_nulls[ITEM_ARRAYS];
	Datum elements[ITEM_ARRAYS];
	bool nulls[ITEM_ARRAYS];

	for (int column = 0; column < ITEM_ARRAYS; column++)
	{
		columns[column] = palloc(count * sizeof(Datum));
		column_nulls[column] = palloc(count * sizeof(bool));
	}
	for (int i = 0; i < count; i++)
	{
		SetElements(&items[i], &ids[i], stamp, elements, nulls);
		for (int column = 0; column < ITEM_ARRAYS; column++)
		{
			columns[column][i] = elements[column];
			column_nulls[column][i] = nulls[column];
		}
		stamp = ChangeNext(stamp);
	}
	values[0] = key->principal.user_id;
	values[1] = Int64GetDatum(key->activity_id);
	values[2] = key->principal.app_id;
	for (int column = 0; column < ITEM_ARRAYS; column++)
		values[FIRST_ARRAY + column] =
			PlanArray(columns[column], column_nulls[column], count,
					  array_elements[column]);
	(void) PlanWrite(&insert_items, values, NULL, TakeInserted, &insertion);
}

/*
 * Inserts those of the sessions that are not there, and says which.  Returns
 * how many it has tried: the first ones.
 */
static int
InsertNewItems(const HistoryItemKey *key, const ActivityDocument *activity,
			   const pg_uuid_t *ids, ChangeStamp stamp, bool is_new,
			   bool *inserted)
{
	int tried = StoreInsertItems(key, activity, ids, stamp, !is_new, inserted);
	int rest = activity->history_item_count - tried;

	if (rest < MANY_ITEMS)
		return tried;
	for (int i = 0; i < tried; i++)
		stamp = ChangeNext(stamp);
	InsertItems(key, &activity->history_items[tried], &ids[tried], rest, stamp,
				&inserted[tried]);
	return activity->history_item_count;
}

/*
 * Writes the sessions that came with an activity.  stamp is the first one's.
 *
 * is_new tells that the activity is, and that its row has been written as if
 * all of them were.  Where it has to be written after them, it goes to "take".
 */
void
StoreInsertHistory(const Principal *principal, int64 activity_id,
				   const ActivityDocument *activity, ChangeStamp stamp,
				   bool is_new, PlanRowTaker take, void *context)
{
	HistoryItemKey key = {.principal = *principal, .activity_id = activity_id};
	int count = activity->history_item_count;
	bool *inserted = palloc0(count * sizeof(bool));
	pg_uuid_t *ids = palloc(count * sizeof(pg_uuid_t));
	TimestampTz latest = EARLIEST_TIME;
	bool all_new = true;
	bool may_be_lower = false; /* the latest expiration than is noted */
	int tried;

	for (int i = 0; i < count; i++)
		ids[i] = IdOf(&activity->history_items[i]);
	tried = InsertNewItems(&key, activity, ids, stamp, is_new, inserted);
	for (int i = 0; i < count; i++)
	{
		const HistoryItemDocument *item = &activity->history_items[i];
		TimestampTz expiration = ExpirationOf(item, stamp);

		key.id = ids[i];
		if (!inserted[i] &&
			!StoreAddItem(&key, item, stamp, i < tried, &expiration))
		{
			all_new = false;
			may_be_lower |= is_new || item->expiration.given;
		}
		latest = Max(latest, expiration);
		stamp = ChangeNext(stamp);
	}
	if (!is_new || !all_new)
		StoreNoteHistory(principal->user_id, activity_id, stamp.number - 1,
						 latest, take, context);
	if (may_be_lower)
		StoreRederiveHistory(principal->user_id, activity_id, LATEST_TIME,
							 take, context);
}

/*
 * store_item.c
 *		Writing rows of history_item as documents say.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "row.h"
#include "store_item.h"
#include "timestamp.h"

/* clang-format off */

/*
 * $1 user_id, $2 activity id, $3 id, $4 app_id, $5 started, $6 last active,
 * $7 duration, $8 whether it was given, $9 time zone, $10 time, $11 change
 * number, $12 expiration as given, $13 expiration unless given.
 */
#define ITEM_TYPES \
	{TEXTOID, INT8OID, UUIDOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, \
	INT4OID, BOOLOID, TEXTOID, TIMESTAMPTZOID, INT8OID, TIMESTAMPTZOID, \
	TIMESTAMPTZOID}
#define ITEM_PARAMETERS			13

#define ITEM_STATUS \
	"CASE WHEN $6 IS NULL THEN 'active'::activityfeed.status " \
	"ELSE 'updated'::activityfeed.status END"
#define PARENT_IS_LIVE \
	"a.user_id OPERATOR(pg_catalog.=) $1 " \
	"AND a.id OPERATOR(pg_catalog.=) $2 " \
	"AND a.app_id OPERATOR(pg_catalog.=) $4 " \
	"AND " STATUS_IS_NOT("a.status", "deleted") " " \
	"AND a.expiration_date_time OPERATOR(pg_catalog.>) $10"

/* clang-format on */

/*
 * ITEM_IS_LIVE, and that the item is of this app.
 */
bool
ItemIsLive(const DirectRow *item, Datum app_id, Datum time)
{
	return !item->nulls[HISTORY_ITEM_STARTED] &&
		   DirectIsOther(item, HISTORY_ITEM_STATUS, "deleted") &&
		   DatumGetTimestampTz(item->values[HISTORY_ITEM_EXPIRATION]) >
			   DatumGetTimestampTz(time) &&
		   DirectIsText(item, HISTORY_ITEM_APP_ID, app_id);
}

/*
 * What every change of an item sets.
 */
void
ItemSetChange(DirectRow *item, const char *status, Datum time, Datum number)
{
	DirectSet(item, HISTORY_ITEM_STATUS,
			  DirectLabel(item, HISTORY_ITEM_STATUS, status));
	DirectSet(item, HISTORY_ITEM_LAST_MODIFIED, time);
	DirectSetNumber(item, HISTORY_ITEM_CHANGE_NUMBER,
					HISTORY_ITEM_CHANGE_BUCKET, DatumGetInt64(number));
}

/*
 * What replace_live_item does.
 */
static bool
ReplaceLiveItem(DirectRow *item, const Datum *parameters, const bool *nulls)
{
	if (!ItemIsLive(item, parameters[3], parameters[9]))
		return false;
	DirectCopy(item, HISTORY_ITEM_STARTED, &parameters[4], &nulls[4], 5);
	ItemSetChange(item, nulls[5] ? "active" : "updated", parameters[9],
				  parameters[10]);
	return true;
}

StaticAssertDecl(HISTORY_ITEM_LAST_ACTIVE == HISTORY_ITEM_STARTED + 1 &&
					 HISTORY_ITEM_DURATION == HISTORY_ITEM_STARTED + 2 &&
					 HISTORY_ITEM_DURATION_GIVEN == HISTORY_ITEM_STARTED + 3 &&
					 HISTORY_ITEM_USER_TIMEZONE == HISTORY_ITEM_STARTED + 4,
				 "what a client says of an item is not $5 to $9");

static const DirectStatement replace_live_directly = {
	.command = CMD_UPDATE,
	.shape = &history_item_shape,
	.key_length = 3,
	.condition_count = 3,
	.change = ReplaceLiveItem};

/*
 * What insert_item does.
 */
static bool
FillItem(DirectRow *item, const Datum *parameters, const bool *nulls)
{
	TimestampTz expiration =
		DatumGetTimestampTz(parameters[nulls[11] ? 12 : 11]);

	DirectSet(item, HISTORY_ITEM_USER_ID, parameters[0]);
	DirectSet(item, HISTORY_ITEM_ACTIVITY_ID, parameters[1]);
	DirectSet(item, HISTORY_ITEM_ID, parameters[2]);
	DirectSet(item, HISTORY_ITEM_APP_ID, parameters[3]);
	DirectCopy(item, HISTORY_ITEM_STARTED, &parameters[4], &nulls[4], 5);
	DirectSet(item, HISTORY_ITEM_CREATED, parameters[9]);
	ItemSetChange(item, nulls[5] ? "active" : "updated", parameters[9],
				  parameters[10]);
	DirectSetExpiration(item, HISTORY_ITEM_EXPIRATION,
						HISTORY_ITEM_EXPIRATION_DAY, expiration);
	return !TIMESTAMP_NOT_FINITE(expiration);
}

/*
 * PARENT_IS_LIVE
 */
static bool
IsLiveParent(const DirectRow *activity, const Datum *parameters)
{
	return DirectIsOther(activity, ACTIVITY_STATUS, "deleted") &&
		   DatumGetTimestampTz(activity->values[ACTIVITY_EXPIRATION]) >
			   DatumGetTimestampTz(parameters[9]) &&
		   DirectIsText(activity, ACTIVITY_APP_ID, parameters[3]);
}

static const int activity_key[] = {ACTIVITY_USER_ID, ACTIVITY_ID};
static const int activity_of_item[] = {HISTORY_ITEM_USER_ID,
									   HISTORY_ITEM_ACTIVITY_ID};

static const DirectParent activity_directly = {.shape = &activity_shape,
											   .key_length = 2,
											   .condition_count = 3,
											   .referring = activity_of_item,
											   .key = activity_key,
											   .is_it = IsLiveParent};

static const DirectStatement insert_directly = {.command = CMD_INSERT,
												.shape = &history_item_shape,
												.key_length = 3,
												.parent = &activity_directly,
												.change = FillItem};

/* clang-format off */

/*
 * A live item, whose expiration stays: what nearly every heartbeat is.  Its
 * activity is live, too, and expires no earlier: nothing of that has to be
 * looked at.  As in store.c, a statement that says little costs little.
 */
static KeptPlan replace_live_item = {
	.sql = "UPDATE activityfeed.history_item AS h SET "
	"started_date_time = $5, last_active_date_time = $6, "
	"active_duration_seconds = $7, active_duration_given = $8, "
	"user_timezone = $9, status = " ITEM_STATUS ", "
	"last_modified_date_time = $10, change_number = $11 "
	"WHERE h.user_id OPERATOR(pg_catalog.=) $1 "
	"AND h.activity_id OPERATOR(pg_catalog.=) $2 "
	"AND h.id OPERATOR(pg_catalog.=) $3 "
	"AND h.app_id OPERATOR(pg_catalog.=) $4 "
	"AND " ITEM_IS_LIVE("$10") " "
	"RETURNING " HISTORY_ITEM_COLUMNS,
	.nparams = ITEM_PARAMETERS,
	.types = ITEM_TYPES,
	.by_key = true,
	.direct = &replace_live_directly
};

static KeptPlan replace_item = {
	.sql = "UPDATE activityfeed.history_item AS h SET "
	"started_date_time = $5, last_active_date_time = $6, "
	"active_duration_seconds = $7, active_duration_given = $8, "
	"user_timezone = $9, status = " ITEM_STATUS ", "
	"created_date_time = CASE WHEN " ITEM_IS_LIVE("$10")
	" THEN h.created_date_time ELSE $10 END, "
	"last_modified_date_time = $10, change_number = $11, "
	"expiration_date_time = CASE WHEN $12 IS NOT NULL THEN $12 "
	"WHEN " ITEM_IS_LIVE("$10") " THEN h.expiration_date_time ELSE $13 END "
	"WHERE h.user_id OPERATOR(pg_catalog.=) $1 "
	"AND h.activity_id OPERATOR(pg_catalog.=) $2 "
	"AND h.id OPERATOR(pg_catalog.=) $3 "
	"AND EXISTS (SELECT FROM activityfeed.activity AS a WHERE "
	PARENT_IS_LIVE ") "
	"RETURNING " HISTORY_ITEM_COLUMNS,
	.nparams = ITEM_PARAMETERS,
	.types = ITEM_TYPES,
	.by_key = true
};

static KeptPlan insert_item = {
	.sql = "INSERT INTO activityfeed.history_item AS h (user_id, activity_id, id, "
	"app_id, started_date_time, last_active_date_time, "
	"active_duration_seconds, active_duration_given, user_timezone, status, "
	"created_date_time, last_modified_date_time, change_number, "
	"expiration_date_time) "
	"SELECT $1, $2, $3, $4, $5, $6, "
	"$7, $8, $9, " ITEM_STATUS ", $10, $10, $11, COALESCE($12, $13) "
	"FROM activityfeed.activity AS a WHERE " PARENT_IS_LIVE " "
	"ON CONFLICT (user_id, activity_id, id) DO NOTHING "
	"RETURNING " HISTORY_ITEM_COLUMNS,
	.nparams = ITEM_PARAMETERS,
	.types = ITEM_TYPES,
	.by_key = true,
	.direct = &insert_directly
};

/* clang-format on */

/*
 * Takes what is written down of an item, and hands it on.
 */
void
ItemTake(void *context, Datum *values, bool *nulls)
{
	WrittenItem *item = context;

	item->started = DatumGetTimestampTz(values[HISTORY_ITEM_STARTED]);
	item->last_active = DatumGetTimestampTz(values[HISTORY_ITEM_LAST_ACTIVE]);
	item->expiration = DatumGetTimestampTz(values[HISTORY_ITEM_EXPIRATION]);
	item->duration_given = DatumGetBool(values[HISTORY_ITEM_DURATION_GIVEN]);
	if (item->take != NULL)
		item->take(item->context, values, nulls);
}

/*
 * Each way is some statements, the likely one first; the others are for what it
 * leaves alone.
 */
static KeptPlan *const ways[][4] = {
	[ITEM_HEARTBEAT] = {&replace_live_item, &insert_item, &replace_item},
	[ITEM_EXPIRING] = {&replace_item, &insert_item},
	[ITEM_ADDED] = {&insert_item, &replace_item},
	[ITEM_REPLACED] = {&replace_item}};

static bool
TryPlans(KeptPlan *const *plans, Datum *values, const bool *nulls,
		 WrittenItem *written)
{
	while (*plans != NULL &&
		   PlanWrite(*plans, values, nulls, ItemTake, written) == 0)
		plans++;
	written->replaced = *plans != &insert_item;
	written->expiration_stays = *plans == &replace_live_item;
	return *plans != NULL;
}

/*
 * The key of an item: four values in the order of $1 to $4.
 */
void
ItemSetKey(Datum *values, const HistoryItemKey *key)
{
	values[0] = key->principal.user_id;
	values[1] = Int64GetDatum(key->activity_id);
	values[2] = UUIDPGetDatum(&key->id);
	values[3] = key->principal.app_id;
}

/*
 * What a document and its stamp say of an item, up to its expiration: seven
 * values in the order of $5 to $11.
 */
void
StoreSetItem(const HistoryItemDocument *item, ChangeStamp stamp, Datum *values,
			 bool *nulls)
{
	memset(nulls, false, 7 * sizeof(bool));
	values[0] = TimestampTzGetDatum(item->started.value);
	values[1] = TimestampTzGetDatum(item->last_active.value);
	nulls[1] = !item->last_active.given;
	values[2] = Int32GetDatum((int32) item->duration);
	nulls[2] = !item->has_duration;
	values[3] = BoolGetDatum(item->duration_given);
	nulls[4] = item->user_timezone == NULL;
	values[4] =
		nulls[4] ? (Datum) 0 : CStringGetTextDatum(item->user_timezone);
	values[5] = TimestampTzGetDatum(stamp.time);
	values[6] = Int64GetDatum(stamp.number);
}

static void
SetItemParameters(const HistoryItemKey *key, const HistoryItemDocument *item,
				  ChangeStamp stamp, Datum *values, bool *nulls)
{
	memset(nulls, false, ITEM_PARAMETERS * sizeof(bool));
	ItemSetKey(values, key);
	StoreSetItem(item, stamp, &values[4], &nulls[4]);
	values[11] = TimestampTzGetDatum(item->expiration.value);
	nulls[11] = !item->expiration.given;
	values[12] = TimestampTzGetDatum(TimestampExpiration(stamp.time));
}

/*
 * Writes one history item.
 */
StoreOutcome
ItemWrite(const HistoryItemKey *key, const HistoryItemDocument *item,
		  ChangeStamp stamp, ItemWay way, WrittenItem *written)
{
	Datum values[ITEM_PARAMETERS];
	bool nulls[ITEM_PARAMETERS];

	SetItemParameters(key, item, stamp, values, nulls);
	if (TryPlans(ways[way], values, nulls, written))
		return STORE_DONE;
	if (StoreActivityExists(&key->principal, key->activity_id))
		PlanRaiseSuppressed("history_item");
	return STORE_NOT_FOUND;
}

/* Sessions of one activity that are being inserted. */
typedef struct ItemInsertion
{
	const HistoryItemKey *key; /* but for its id */
	const ActivityDocument *activity;
	const pg_uuid_t *ids;
	ChangeStamp stamp; /* of the next one */
	int position;
} ItemInsertion;

static bool
NextItem(void *context, Datum *values, bool *nulls)
{
	ItemInsertion *insertion = context;
	int position = insertion->position++;

	if (position == insertion->activity->history_item_count)
		return false;
	SetItemParameters(insertion->key,
					  &insertion->activity->history_items[position],
					  insertion->stamp, values, nulls);
	values[2] = UUIDPGetDatum(&insertion->ids[position]);
	insertion->stamp = ChangeNext(insertion->stamp);
	return true;
}

/*
 * Inserts those of an activity's sessions that are not there without
 * statements, if that can be; stamp is the first one's.  may_be_there is false
 * when the activity is new.  Returns how many it has looked at.
 */
int
StoreInsertItems(const HistoryItemKey *key, const ActivityDocument *activity,
				 const pg_uuid_t *ids, ChangeStamp stamp, bool may_be_there,
				 bool *inserted)
{
	ItemInsertion insertion = {
		.key = key, .activity = activity, .ids = ids, .stamp = stamp};

	return DirectInsertRows(&insert_item, may_be_there, NextItem, &insertion,
							inserted);
}

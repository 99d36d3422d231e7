/*
 * store_history.c
 *		Writing history items.
 *
 * A history item's write also moves what its activity says of its history:
 * the change number of the newest item and the latest expiration.  That is no
 * change of the activity: it gets no number and no time for it.
 *
 * An activity's expiration is never before that of an item, so an activity
 * that has expired has no item that has not.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "direct.h"
#include "row.h"
#include "store.h"
#include "timestamp.h"

/* clang-format off */

#define ITEM_IS_LIVE(time) \
	"(h.status OPERATOR(pg_catalog.<>) 'deleted'::activityfeed.status AND " \
	"h.expiration_date_time OPERATOR(pg_catalog.>) " time ")"

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
	"AND a.status OPERATOR(pg_catalog.<>) 'deleted'::activityfeed.status " \
	"AND a.expiration_date_time OPERATOR(pg_catalog.>) $10"

/* clang-format on */

/*
 * ITEM_IS_LIVE, and that the item is of this app.
 */
static bool
IsLiveItem(const DirectRow *item, Datum app_id, Datum time)
{
	return !item->nulls[HISTORY_ITEM_STARTED] &&
		   DirectIsOther(item, HISTORY_ITEM_STATUS, "deleted") &&
		   DatumGetTimestampTz(item->values[HISTORY_ITEM_EXPIRATION]) >
			   DatumGetTimestampTz(time) &&
		   DirectIsText(item, HISTORY_ITEM_APP_ID, app_id);
}

static void
SetChange(DirectRow *item, const char *status, Datum time, Datum number)
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
	if (!IsLiveItem(item, parameters[3], parameters[9]))
		return false;
	DirectCopy(item, HISTORY_ITEM_STARTED, &parameters[4], &nulls[4], 5);
	SetChange(item, nulls[5] ? "active" : "updated", parameters[9],
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
	SetChange(item, nulls[5] ? "active" : "updated", parameters[9],
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

/* $1 user_id, $2 activity id, $3 newest item's number */
#define NOTE_NEWEST \
	"UPDATE activityfeed.activity AS a SET " \
	"history_change_number = GREATEST(a.history_change_number, $3)"
#define OF_ACTIVITY \
	" WHERE a.user_id OPERATOR(pg_catalog.=) $1 " \
	"AND a.id OPERATOR(pg_catalog.=) $2"

/* clang-format on */

static bool
RaiseNewest(DirectRow *activity, const Datum *parameters, const bool *nulls)
{
	DirectSetNumber(activity, ACTIVITY_HISTORY_CHANGE_NUMBER,
					ACTIVITY_HISTORY_BUCKET,
					DirectGreatest(activity, ACTIVITY_HISTORY_CHANGE_NUMBER,
								   DatumGetInt64(parameters[2])));
	return true;
}

static const DirectStatement note_newest_directly = {.command = CMD_UPDATE,
													 .shape = &activity_shape,
													 .key_length = 2,
													 .change = RaiseNewest};

/* clang-format off */

static KeptPlan note_newest = {
	.sql = NOTE_NEWEST OF_ACTIVITY,
	.nparams = 3,
	.types = {TEXTOID, INT8OID, INT8OID},
	.by_key = true,
	.direct = &note_newest_directly
};

/* clang-format on */

static bool
RaiseHistory(DirectRow *activity, const Datum *parameters, const bool *nulls)
{
	TimestampTz given = DatumGetTimestampTz(parameters[3]);
	TimestampTz latest =
		DirectGreatest(activity, ACTIVITY_HISTORY_EXPIRATION, given);
	TimestampTz expiration =
		DirectGreatest(activity, ACTIVITY_EXPIRATION, given);

	if (TIMESTAMP_NOT_FINITE(expiration))
		return false;
	DirectSet(activity, ACTIVITY_HISTORY_EXPIRATION,
			  TimestampTzGetDatum(latest));
	DirectSetExpiration(activity, ACTIVITY_EXPIRATION, ACTIVITY_EXPIRATION_DAY,
						expiration);
	return RaiseNewest(activity, parameters, nulls);
}

static const DirectStatement note_history_directly = {.command = CMD_UPDATE,
													  .shape = &activity_shape,
													  .key_length = 2,
													  .change = RaiseHistory};

/* clang-format off */

/* $4 an expiration among the items' */
static KeptPlan note_history = {
	.sql = NOTE_NEWEST ", history_expiration_date_time = "
	"GREATEST(a.history_expiration_date_time, $4), "
	"expiration_date_time = GREATEST(a.expiration_date_time, $4)" OF_ACTIVITY
	" RETURNING " ACTIVITY_COLUMNS,
	.nparams = 4,
	.types = {TEXTOID, INT8OID, INT8OID, TIMESTAMPTZOID},
	.by_key = true,
	.direct = &note_history_directly
};

/* $1 user_id, $2 activity id */
#define ITEMS_OF_ACTIVITY \
	"FROM activityfeed.history_item AS h " \
	"WHERE h.user_id OPERATOR(pg_catalog.=) $1 " \
	"AND h.activity_id OPERATOR(pg_catalog.=) $2 " \
	"AND h.status OPERATOR(pg_catalog.<>) 'deleted'::activityfeed.status"

static KeptPlan find_newest_item = {
	.sql = "SELECT h.change_number " ITEMS_OF_ACTIVITY
	" ORDER BY h.change_bucket DESC, h.change_number DESC LIMIT 1",
	.nparams = 2,
	.types = {TEXTOID, INT8OID}
};

/*
 * $3 newest item's number, $4 the expiration of an item that has gone or now
 * expires earlier.  Only if that was the latest are all items looked at.
 */
static KeptPlan rederive_history = {
	.sql = "UPDATE activityfeed.activity AS a SET "
	"history_change_number = $3, "
	"history_expiration_date_time = "
	"CASE WHEN a.history_expiration_date_time OPERATOR(pg_catalog.>) $4 "
	"THEN a.history_expiration_date_time "
	"ELSE (SELECT pg_catalog.max(h.expiration_date_time) "
	ITEMS_OF_ACTIVITY ") END "
	"WHERE a.user_id OPERATOR(pg_catalog.=) $1 "
	"AND a.id OPERATOR(pg_catalog.=) $2 "
	"RETURNING " ACTIVITY_COLUMNS,
	.nparams = 4,
	.types = {TEXTOID, INT8OID, INT8OID, TIMESTAMPTZOID},
	.by_key = true
};

/* An item that has not expired, of this app: $1 to $4 as above, $5 time. */
#define ITEM_IS_THERE \
	"h.user_id OPERATOR(pg_catalog.=) $1 " \
	"AND h.activity_id OPERATOR(pg_catalog.=) $2 " \
	"AND h.id OPERATOR(pg_catalog.=) $3 " \
	"AND h.app_id OPERATOR(pg_catalog.=) $4 " \
	"AND " ITEM_IS_LIVE("$5")

/*
 * $6 change number, $7 last active.  date_part gives a double, whose steps are
 * finer than a microsecond up to the largest duration: floor is exact.
 */
#define TOUCHED_LAST_ACTIVE \
	"GREATEST(h.started_date_time, h.last_active_date_time, $7)"

/* clang-format on */

static bool
TouchItem(DirectRow *item, const Datum *parameters, const bool *nulls)
{
	TimestampTz started =
		DatumGetTimestampTz(item->values[HISTORY_ITEM_STARTED]);
	TimestampTz last_active = DatumGetTimestampTz(parameters[6]);
	int64 duration;

	if (!IsLiveItem(item, parameters[3], parameters[4]))
		return false;
	last_active = DirectGreatest(item, HISTORY_ITEM_STARTED, last_active);
	last_active = DirectGreatest(item, HISTORY_ITEM_LAST_ACTIVE, last_active);
	if (!TimestampIsStorable(started) || !TimestampIsStorable(last_active))
		return false;
	duration = TimestampSecondsBetween(started, last_active);
	DirectSet(item, HISTORY_ITEM_LAST_ACTIVE,
			  TimestampTzGetDatum(last_active));
	if (!DatumGetBool(item->values[HISTORY_ITEM_DURATION_GIVEN]))
		DirectSet(item, HISTORY_ITEM_DURATION,
				  Int32GetDatum((int32) Min(duration, PG_INT32_MAX)));
	SetChange(item, "updated", parameters[4], parameters[5]);
	return true;
}

static const DirectStatement touch_directly = {.command = CMD_UPDATE,
											   .shape = &history_item_shape,
											   .key_length = 3,
											   .condition_count = 3,
											   .change = TouchItem};

/* clang-format off */

static KeptPlan touch_item = {
	.sql = "UPDATE activityfeed.history_item AS h SET "
	"last_active_date_time = " TOUCHED_LAST_ACTIVE ", "
	"active_duration_seconds = CASE WHEN h.active_duration_given "
	"THEN h.active_duration_seconds ELSE LEAST(2147483647::pg_catalog.float8, "
	"pg_catalog.floor(pg_catalog.date_part('epoch', " TOUCHED_LAST_ACTIVE
	" OPERATOR(pg_catalog.-) h.started_date_time)))::pg_catalog.int4 END, "
	"status = 'updated'::activityfeed.status, "
	"last_modified_date_time = $5, change_number = $6 "
	"WHERE " ITEM_IS_THERE " "
	"RETURNING " HISTORY_ITEM_COLUMNS,
	.nparams = 7,
	.types = {TEXTOID, INT8OID, UUIDOID, TEXTOID, TIMESTAMPTZOID, INT8OID,
	TIMESTAMPTZOID},
	.by_key = true,
	.direct = &touch_directly
};

static KeptPlan find_item = {
	.sql = "SELECT true FROM activityfeed.history_item AS h WHERE " ITEM_IS_THERE,
	.nparams = 5,
	.types = {TEXTOID, INT8OID, UUIDOID, TEXTOID, TIMESTAMPTZOID},
	.by_key = true
};

/*
 * $6 change number, $7 expiration.  The row is joined to itself for the
 * expiration that it had.
 */
static KeptPlan bury_item = {
	.sql = "UPDATE activityfeed.history_item AS h SET "
	"started_date_time = NULL, last_active_date_time = NULL, "
	"active_duration_seconds = NULL, active_duration_given = false, "
	"user_timezone = NULL, status = 'deleted'::activityfeed.status, "
	"last_modified_date_time = $5, change_number = $6, "
	"expiration_date_time = GREATEST(h.expiration_date_time, $7) "
	"FROM activityfeed.history_item AS old "
	"WHERE " ITEM_IS_THERE " "
	"AND old.user_id OPERATOR(pg_catalog.=) h.user_id "
	"AND old.activity_id OPERATOR(pg_catalog.=) h.activity_id "
	"AND old.id OPERATOR(pg_catalog.=) h.id "
	"AND old.user_id OPERATOR(pg_catalog.=) $1 "
	"RETURNING old.expiration_date_time",
	.nparams = 7,
	.types = {TEXTOID, INT8OID, UUIDOID, TEXTOID, TIMESTAMPTZOID, INT8OID,
	TIMESTAMPTZOID},
	.by_key = true
};

/* clang-format on */

/* Looks at an item's row on its way to the caller. */
typedef struct WrittenItem
{
	PlanRowTaker take; /* or NULL */
	void *context;
	TimestampTz started;
	TimestampTz last_active; /* only looked at where it cannot be null */
	TimestampTz expiration;
	bool duration_given;
	bool replaced;		   /* there was a row with that id */
	bool expiration_stays; /* and was live, and expires as it did */
} WrittenItem;

static void
TakeItem(void *context, Datum *values, bool *nulls)
{
	WrittenItem *item = context;

	item->started = DatumGetTimestampTz(values[HISTORY_ITEM_STARTED]);
	item->last_active = DatumGetTimestampTz(values[HISTORY_ITEM_LAST_ACTIVE]);
	item->expiration = DatumGetTimestampTz(values[HISTORY_ITEM_EXPIRATION]);
	item->duration_given = DatumGetBool(values[HISTORY_ITEM_DURATION_GIVEN]);
	if (item->take != NULL)
		item->take(item->context, values, nulls);
}

static void
TakeTime(void *context, Datum *values, bool *nulls)
{
	*(TimestampTz *) context = DatumGetTimestampTz(values[0]);
}

static void
TakeHistoryExpiration(void *context, Datum *values, bool *nulls)
{
	*(TimestampTz *) context =
		DatumGetTimestampTz(values[ACTIVITY_HISTORY_EXPIRATION]);
}

/*
 * The ways to write an item, the likely one first; the others are for what it
 * leaves alone.  An item that names its expiration may lower it, so its
 * replacement always is the full one.
 */
static KeptPlan *const heartbeat_plans[] = {&replace_live_item, &insert_item,
											&replace_item, NULL};
static KeptPlan *const expiring_plans[] = {&replace_item, &insert_item, NULL};

static bool
TryPlans(KeptPlan *const *plans, Datum *values, const bool *nulls,
		 WrittenItem *written)
{
	while (*plans != NULL &&
		   PlanWrite(*plans, values, nulls, TakeItem, written) == 0)
		plans++;
	written->replaced = *plans != &insert_item;
	written->expiration_stays = *plans == &replace_live_item;
	return *plans != NULL;
}

static void
SetItemKey(Datum *values, const HistoryItemKey *key)
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
	SetItemKey(values, key);
	StoreSetItem(item, stamp, &values[4], &nulls[4]);
	values[11] = TimestampTzGetDatum(item->expiration.value);
	nulls[11] = !item->expiration.given;
	values[12] = TimestampTzGetDatum(TimestampExpiration(stamp.time));
}

/*
 * Writes one history item.
 */
static StoreOutcome
WriteItem(const HistoryItemKey *key, const HistoryItemDocument *item,
		  ChangeStamp stamp, KeptPlan *const *plans, WrittenItem *written)
{
	Datum values[ITEM_PARAMETERS];
	bool nulls[ITEM_PARAMETERS];

	SetItemParameters(key, item, stamp, values, nulls);
	if (TryPlans(plans, values, nulls, written))
		return STORE_DONE;
	if (StoreActivityExists(&key->principal, key->activity_id))
		PlanRaiseSuppressed("history_item");
	return STORE_NOT_FOUND;
}

static void
TakeNumber(void *context, Datum *values, bool *nulls)
{
	*(int64 *) context = DatumGetInt64(values[0]);
}

/*
 * Makes an activity's view of its history right after items have gone, the
 * latest of which had this expiration, or after one may have had its
 * expiration lowered: then LATEST_TIME.
 */
void
StoreRederiveHistory(Datum user_id, int64 activity_id, TimestampTz expiration,
					 PlanRowTaker take, void *context)
{
	Datum values[4];
	bool nulls[4] = {0};
	int64 newest = 0;

	values[0] = user_id;
	values[1] = Int64GetDatum(activity_id);
	nulls[2] =
		PlanWrite(&find_newest_item, values, NULL, TakeNumber, &newest) == 0;
	values[2] = Int64GetDatum(newest);
	values[3] = TimestampTzGetDatum(expiration);
	(void) PlanWrite(&rederive_history, values, nulls, take, context);
}

/*
 * Tells an activity of a newest item and of the latest expiration of some.
 * The activity's row, as it is then, goes to "take".
 */
void
StoreNoteHistory(Datum user_id, int64 activity_id, int64 newest,
				 TimestampTz latest, PlanRowTaker take, void *context)
{
	Datum values[4];

	values[0] = user_id;
	values[1] = Int64GetDatum(activity_id);
	values[2] = Int64GetDatum(newest);
	values[3] = TimestampTzGetDatum(latest);
	(void) PlanWrite(&note_history, values, NULL, take, context);
}

static void
NoteNewest(Datum user_id, int64 activity_id, int64 newest)
{
	Datum values[3];

	values[0] = user_id;
	values[1] = Int64GetDatum(activity_id);
	values[2] = Int64GetDatum(newest);
	(void) PlanWrite(&note_newest, values, NULL, NULL, NULL);
}

/*
 * Tells an activity of its newest item.
 *
 * An item may have had its expiration lowered by a document that gives one:
 * if that could have been the latest, it is found anew.
 */
static void
NoteHistory(const HistoryItemKey *key, int64 change_number,
			const WrittenItem *item, bool may_be_lowered)
{
	Datum user_id = key->principal.user_id;
	TimestampTz latest = item->expiration;

	if (item->expiration_stays)
	{
		NoteNewest(user_id, key->activity_id, change_number);
		return;
	}
	StoreNoteHistory(user_id, key->activity_id, change_number,
					 item->expiration, TakeHistoryExpiration, &latest);
	if (may_be_lowered && latest > item->expiration)
		StoreRederiveHistory(user_id, key->activity_id, LATEST_TIME, NULL,
							 NULL);
}

/*
 * Creates or replaces one session.
 */
StoreOutcome
StoreUpsertHistoryItem(const HistoryItemKey *key,
					   const HistoryItemDocument *item, PlanRowTaker take,
					   void *context)
{
	bool expiration_given = item->expiration.given;
	WrittenItem written = {.take = take, .context = context};
	ChangeStamp stamp;

	(void) ChangeTake(key->principal.user_id, 1, true, &stamp);
	if (WriteItem(key, item, stamp,
				  expiration_given ? expiring_plans : heartbeat_plans,
				  &written) != STORE_DONE)
		return STORE_NOT_FOUND;
	NoteHistory(key, stamp.number, &written,
				written.replaced && expiration_given);
	return STORE_DONE;
}

/*
 * Writes a session of an activity that has just been written, and says when it
 * expires.  Returns whether it is new.  it_is_there tells that it is not.
 */
bool
StoreAddItem(const HistoryItemKey *key, const HistoryItemDocument *item,
			 ChangeStamp stamp, bool it_is_there, TimestampTz *expiration)
{
	static KeptPlan *const plans[] = {&insert_item, &replace_item, NULL};
	WrittenItem written = {.take = NULL};

	if (WriteItem(key, item, stamp, it_is_there ? plans + 1 : plans,
				  &written) != STORE_DONE)
		PlanRaiseSuppressed("history_item");
	*expiration = written.expiration;
	return !written.replaced;
}

/* Sessions of one activity that are being inserted. */
typedef struct ItemInsertion
{
	HistoryItemKey key;
	const ActivityDocument *activity;
	const pg_uuid_t *ids;
	ChangeStamp stamp; /* of the next one */
	int position;
	bool *inserted;
} ItemInsertion;

static bool
NextItem(void *context, Datum *values, bool *nulls)
{
	ItemInsertion *insertion = context;
	int position = insertion->position++;

	if (position == insertion->activity->history_item_count)
		return false;
	insertion->key.id = insertion->ids[position];
	SetItemParameters(&insertion->key,
					  &insertion->activity->history_items[position],
					  insertion->stamp, values, nulls);
	insertion->stamp = ChangeNext(insertion->stamp);
	return true;
}

static void
MarkInserted(void *context, Datum *values, bool *nulls)
{
	ItemInsertion *insertion = context;

	insertion->inserted[insertion->position - 1] = true;
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
	ItemInsertion insertion = {.key = *key,
							   .activity = activity,
							   .ids = ids,
							   .stamp = stamp,
							   .inserted = inserted};

	return DirectInsertRows(&insert_item, may_be_there, NextItem, MarkInserted,
							&insertion);
}

/*
 * Raises 22023 for a heartbeat that makes a session longer than its duration
 * can say.
 */
static void
CheckTouchedDuration(const WrittenItem *item)
{
	if (!item->duration_given &&
		TimestampSecondsBetween(item->started, item->last_active) >
			PG_INT32_MAX)
		ArgumentBadValue(
			"last_active",
			psprintf("be at most %d seconds after started_date_time",
					 PG_INT32_MAX));
}

/*
 * Moves a session's last active forward.  The caller raises an error for
 * STORE_NOT_FOUND, so a number that was taken is given back.
 */
StoreOutcome
StoreTouchHistoryItem(const HistoryItemKey *key, TimestampTz last_active,
					  PlanRowTaker take, void *context)
{
	WrittenItem written = {
		.take = take, .context = context, .expiration_stays = true};
	Datum values[7];
	ChangeStamp stamp;

	if (!ChangeTake(key->principal.user_id, 1, false, &stamp))
		return STORE_NOT_FOUND;
	SetItemKey(values, key);
	values[4] = TimestampTzGetDatum(stamp.time);
	values[5] = Int64GetDatum(stamp.number);
	values[6] = TimestampTzGetDatum(last_active);
	if (PlanWrite(&touch_item, values, NULL, TakeItem, &written) == 0)
		return STORE_NOT_FOUND;
	CheckTouchedDuration(&written);
	NoteHistory(key, stamp.number, &written, false);
	return STORE_DONE;
}

/*
 * Leaves a tombstone of a session.
 */
StoreOutcome
StoreDeleteHistoryItem(const HistoryItemKey *key)
{
	Datum values[7];
	ChangeStamp stamp;
	TimestampTz expiration;

	SetItemKey(values, key);
	values[4] = TimestampTzGetDatum(GetCurrentTimestamp());
	if (PlanWrite(&find_item, values, NULL, NULL, NULL) == 0 ||
		!ChangeTake(key->principal.user_id, 1, false, &stamp))
		return STORE_NOT_FOUND;
	values[4] = TimestampTzGetDatum(stamp.time);
	values[5] = Int64GetDatum(stamp.number);
	values[6] = TimestampTzGetDatum(TimestampExpiration(stamp.time));
	if (PlanWrite(&bury_item, values, NULL, TakeTime, &expiration) == 0)
		return STORE_NOT_FOUND;
	StoreRederiveHistory(key->principal.user_id, key->activity_id, expiration,
						 NULL, NULL);
	return STORE_DONE;
}

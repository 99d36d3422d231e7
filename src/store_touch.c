/*
 * store_touch.c
 *		Moving a session's last active forward, and deleting sessions.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/timestamp.h"

#include "arguments.h"
#include "row.h"
#include "store_item.h"
#include "timestamp.h"

/* clang-format off */

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

	if (!ItemIsLive(item, parameters[3], parameters[4]))
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
	ItemSetChange(item, "updated", parameters[4], parameters[5]);
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
	"pg_catalog.floor(pg_catalog.date_part('epoch'::pg_catalog.text, " TOUCHED_LAST_ACTIVE
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

static void
TakeTime(void *context, Datum *values, bool *nulls)
{
	*(TimestampTz *) context = DatumGetTimestampTz(values[0]);
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
	ItemSetKey(values, key);
	values[4] = TimestampTzGetDatum(stamp.time);
	values[5] = Int64GetDatum(stamp.number);
	values[6] = TimestampTzGetDatum(last_active);
	if (PlanWrite(&touch_item, values, NULL, ItemTake, &written) == 0)
		return STORE_NOT_FOUND;
	CheckTouchedDuration(&written);
	ItemNote(key, stamp.number, &written, false);
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

	ItemSetKey(values, key);
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

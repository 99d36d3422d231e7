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

#include "row.h"
#include "store_item.h"
#include "timestamp.h"

/* clang-format off */

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

/* clang-format on */

static void
TakeHistoryExpiration(void *context, Datum *values, bool *nulls)
{
	*(TimestampTz *) context =
		DatumGetTimestampTz(values[ACTIVITY_HISTORY_EXPIRATION]);
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
void
ItemNote(const HistoryItemKey *key, int64 change_number,
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
	if (ItemWrite(key, item, stamp,
				  expiration_given ? ITEM_EXPIRING : ITEM_HEARTBEAT,
				  &written) != STORE_DONE)
		return STORE_NOT_FOUND;
	ItemNote(key, stamp.number, &written,
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
	WrittenItem written = {.take = NULL};

	if (ItemWrite(key, item, stamp, it_is_there ? ITEM_REPLACED : ITEM_ADDED,
				  &written) != STORE_DONE)
		PlanRaiseSuppressed("history_item");
	*expiration = written.expiration;
	return !written.replaced;
}

/*
 * store.c
 *		Writing activities.
 *
 * A write takes its change numbers first, and with them the lock on the
 * user's feed; every statement after that sees all earlier writes of this
 * user, and nobody else writes until commit (see change.c).
 *
 * A row that has expired counts as absent, whether or not it was purged: it
 * is replaced as if it were not there, and is not found otherwise.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "activityfeed.h"
#include "direct.h"
#include "document_jsonb.h"
#include "identity.h"
#include "row.h"
#include "store.h"
#include "timestamp.h"

/* clang-format off */

#define ACTIVITY_IS_LIVE(time) \
	"(" STATUS_IS_NOT("a.status", "deleted") " AND " \
	"a.expiration_date_time OPERATOR(pg_catalog.>) " time ")"

/*
 * What an upsert sets: $1 user_id, $2 id, $3 app_id, $4 to $12 the client's
 * members in the order of the table, $13 time, $14 change number, $15
 * expiration without history; of an activity that is new also $16 the number
 * of its newest session and $17 their latest expiration.
 */
#define UPSERT_TYPES \
	{TEXTOID, INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, \
	TEXTOID, TEXTOID, JSONBOID, JSONBOID, TIMESTAMPTZOID, INT8OID, \
	TIMESTAMPTZOID, INT8OID, TIMESTAMPTZOID}
#define UPSERT_PARAMETERS		17

#define SET_CLIENT_MEMBERS \
	"activity_source_host = $5, activation_url = $6, app_display_name = $7, " \
	"content_url = $8, fallback_url = $9, user_timezone = $10, " \
	"visual_elements = $11, content_info = $12, "
#define IS_THE_ACTIVITY \
	"a.user_id OPERATOR(pg_catalog.=) $1 " \
	"AND a.id OPERATOR(pg_catalog.=) $2 " \
	"AND a.app_id OPERATOR(pg_catalog.=) $3 " \
	"AND a.app_activity_id OPERATOR(pg_catalog.=) $4 "

/*
 * Statements of their own for what is live and what counts as absent: the
 * executor prepares every expression and every generated column anew for each
 * execution, so the common case names no column that it leaves as it is.
 */
/* clang-format on */

/*
 * IS_THE_ACTIVITY and ACTIVITY_IS_LIVE.
 */
static bool
IsLiveActivity(const DirectRow *activity, const Datum *parameters)
{
	return DirectIsOther(activity, ACTIVITY_STATUS, "deleted") &&
		   DatumGetTimestampTz(activity->values[ACTIVITY_EXPIRATION]) >
			   DatumGetTimestampTz(parameters[12]) &&
		   DirectIsText(activity, ACTIVITY_APP_ID, parameters[2]) &&
		   DirectIsText(activity, ACTIVITY_APP_ACTIVITY_ID, parameters[3]);
}

/*
 * What replace_activity does.
 */
static bool
ReplaceActivity(DirectRow *activity, const Datum *parameters,
				const bool *nulls)
{
	TimestampTz expiration =
		DirectGreatest(activity, ACTIVITY_HISTORY_EXPIRATION,
					   DatumGetTimestampTz(parameters[14]));

	if (!IsLiveActivity(activity, parameters))
		return false;
	if (TIMESTAMP_NOT_FINITE(expiration))
		return false;
	DirectCopy(activity, ACTIVITY_SOURCE_HOST, &parameters[4], &nulls[4], 8);
	DirectSet(activity, ACTIVITY_LAST_MODIFIED, parameters[12]);
	DirectSetNumber(activity, ACTIVITY_CHANGE_NUMBER, ACTIVITY_CHANGE_BUCKET,
					DatumGetInt64(parameters[13]));
	DirectSetExpiration(activity, ACTIVITY_EXPIRATION, ACTIVITY_EXPIRATION_DAY,
						expiration);
	return true;
}

/*
 * What insert_activity does.
 */
static bool
FillActivity(DirectRow *activity, const Datum *parameters, const bool *nulls)
{
	int64 number = DatumGetInt64(parameters[13]);
	TimestampTz expiration = DatumGetTimestampTz(parameters[14]);

	DirectCopy(activity, ACTIVITY_SOURCE_HOST, &parameters[4], &nulls[4], 8);
	DirectSet(activity, ACTIVITY_USER_ID, parameters[0]);
	DirectSet(activity, ACTIVITY_ID, parameters[1]);
	DirectSet(activity, ACTIVITY_APP_ID, parameters[2]);
	DirectSet(activity, ACTIVITY_APP_ACTIVITY_ID, parameters[3]);
	DirectSet(activity, ACTIVITY_STATUS,
			  DirectLabel(activity, ACTIVITY_STATUS, "updated"));
	DirectSet(activity, ACTIVITY_CREATED, parameters[12]);
	DirectSet(activity, ACTIVITY_LAST_MODIFIED, parameters[12]);
	DirectSetNumber(activity, ACTIVITY_CHANGE_NUMBER, ACTIVITY_CHANGE_BUCKET,
					number);
	DirectSet(activity, ACTIVITY_CREATED_CHANGE_NUMBER, parameters[13]);
	if (!nulls[15])
		DirectSetNumber(activity, ACTIVITY_HISTORY_CHANGE_NUMBER,
						ACTIVITY_HISTORY_BUCKET,
						DatumGetInt64(parameters[15]));
	if (!nulls[16])
	{
		DirectSet(activity, ACTIVITY_HISTORY_EXPIRATION, parameters[16]);
		expiration = Max(expiration, DatumGetTimestampTz(parameters[16]));
	}
	DirectSetExpiration(activity, ACTIVITY_EXPIRATION, ACTIVITY_EXPIRATION_DAY,
						expiration);
	return !TIMESTAMP_NOT_FINITE(expiration);
}

StaticAssertDecl(ACTIVITY_CONTENT_INFO == ACTIVITY_SOURCE_HOST + 7,
				 "what a client says of an activity is not $5 to $12");

static const DirectStatement replace_directly = {.command = CMD_UPDATE,
												 .shape = &activity_shape,
												 .key_length = 2,
												 .condition_count = 4,
												 .change = ReplaceActivity};

static KeptPlan replace_activity;

static const DirectStatement insert_directly = {.command = CMD_INSERT,
												.shape = &activity_shape,
												.key_length = 2,
												.look = &replace_activity,
												.change = FillActivity};

/* clang-format off */

static KeptPlan replace_activity = {
	.sql = "UPDATE activityfeed.activity AS a SET " SET_CLIENT_MEMBERS
	"last_modified_date_time = $13, change_number = $14, "
	"expiration_date_time = GREATEST($15, a.history_expiration_date_time) "
	"WHERE " IS_THE_ACTIVITY "AND " ACTIVITY_IS_LIVE("$13") " "
	"RETURNING " ACTIVITY_COLUMNS,
	.nparams = UPSERT_PARAMETERS,
	.types = UPSERT_TYPES,
	.by_key = true,
	.direct = &replace_directly
};

static KeptPlan revive_activity = {
	.sql = "UPDATE activityfeed.activity AS a SET " SET_CLIENT_MEMBERS
	"status = 'updated'::activityfeed.status, "
	"created_date_time = $13, last_modified_date_time = $13, "
	"expiration_date_time = $15, change_number = $14, "
	"created_change_number = $14, history_change_number = NULL, "
	"history_expiration_date_time = NULL "
	"WHERE " IS_THE_ACTIVITY "AND NOT " ACTIVITY_IS_LIVE("$13") " "
	"RETURNING " ACTIVITY_COLUMNS,
	.nparams = UPSERT_PARAMETERS,
	.types = UPSERT_TYPES,
	.by_key = true
};

static KeptPlan insert_activity = {
	.sql = "INSERT INTO activityfeed.activity AS a (user_id, id, app_id, "
	"app_activity_id, activity_source_host, activation_url, "
	"app_display_name, content_url, fallback_url, user_timezone, "
	"visual_elements, content_info, status, created_date_time, "
	"last_modified_date_time, expiration_date_time, change_number, "
	"created_change_number, history_change_number, "
	"history_expiration_date_time) "
	"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, "
	"'updated'::activityfeed.status, $13, $13, GREATEST($15, $17), $14, $14, "
	"$16, $17) "
	"ON CONFLICT (user_id, id) DO NOTHING "
	"RETURNING " ACTIVITY_COLUMNS,
	.nparams = UPSERT_PARAMETERS,
	.types = UPSERT_TYPES,
	.by_key = true,
	.direct = &insert_directly
};

/* $1 user_id, $2 activity id */
static KeptPlan delete_history = {
	.sql = "DELETE FROM activityfeed.history_item AS h "
	"WHERE h.user_id OPERATOR(pg_catalog.=) $1 "
	"AND h.activity_id OPERATOR(pg_catalog.=) $2",
	.nparams = 2,
	.types = {TEXTOID, INT8OID},
	.by_key = true
};

/* $1 user_id, $2 id, $3 app_id, $4 app_activity_id */
static KeptPlan find_collision = {
	.sql = "SELECT true FROM activityfeed.activity AS a "
	"WHERE a.user_id OPERATOR(pg_catalog.=) $1 "
	"AND a.id OPERATOR(pg_catalog.=) $2 "
	"AND (a.app_id OPERATOR(pg_catalog.<>) $3 "
	"OR a.app_activity_id OPERATOR(pg_catalog.<>) $4)",
	.nparams = 4,
	.types = {TEXTOID, INT8OID, TEXTOID, TEXTOID},
	.by_key = true
};

/* $1 user_id, $2 id, $3 app_id, $4 time */
static KeptPlan find_activity = {
	.sql = "SELECT " STATUS_IS("a.status", "ignored") " "
	"FROM activityfeed.activity AS a "
	"WHERE a.user_id OPERATOR(pg_catalog.=) $1 "
	"AND a.id OPERATOR(pg_catalog.=) $2 "
	"AND a.app_id OPERATOR(pg_catalog.=) $3 "
	"AND " ACTIVITY_IS_LIVE("$4"),
	.nparams = 4,
	.types = {TEXTOID, INT8OID, TEXTOID, TIMESTAMPTZOID},
	.by_key = true
};

/* $1 user_id, $2 id, $3 app_id, $4 time, $5 change number, $6 expiration */
static KeptPlan bury_activity = {
	.sql = "UPDATE activityfeed.activity AS a SET "
	"activity_source_host = NULL, activation_url = NULL, "
	"app_display_name = NULL, content_url = NULL, fallback_url = NULL, "
	"user_timezone = NULL, visual_elements = NULL, content_info = NULL, "
	"status = 'deleted'::activityfeed.status, "
	"last_modified_date_time = $4, change_number = $5, "
	"expiration_date_time = GREATEST(a.expiration_date_time, $6), "
	"history_change_number = NULL, history_expiration_date_time = NULL "
	"WHERE a.user_id OPERATOR(pg_catalog.=) $1 "
	"AND a.id OPERATOR(pg_catalog.=) $2 "
	"AND a.app_id OPERATOR(pg_catalog.=) $3 "
	"AND " ACTIVITY_IS_LIVE("$4"),
	.nparams = 6,
	.types = {TEXTOID, INT8OID, TEXTOID, TIMESTAMPTZOID, INT8OID, TIMESTAMPTZOID},
	.by_key = true
};

/* $1 user_id, $2 id, $3 app_id, $4 time, $5 change number, $6 ignored */
static KeptPlan ignore_activity = {
	.sql = "UPDATE activityfeed.activity AS a SET "
	"status = CASE WHEN $6 THEN 'ignored'::activityfeed.status "
	"ELSE 'updated'::activityfeed.status END, "
	"last_modified_date_time = $4, change_number = $5 "
	"WHERE a.user_id OPERATOR(pg_catalog.=) $1 "
	"AND a.id OPERATOR(pg_catalog.=) $2 "
	"AND a.app_id OPERATOR(pg_catalog.=) $3 "
	"AND " ACTIVITY_IS_LIVE("$4"),
	.nparams = 6,
	.types = {TEXTOID, INT8OID, TEXTOID, TIMESTAMPTZOID, INT8OID, BOOLOID},
	.by_key = true
};

/* clang-format on */

static void
SetString(Datum *values, bool *nulls, int position, const char *string)
{
	nulls[position] = string == NULL;
	if (string != NULL)
		values[position] = CStringGetTextDatum(string);
}

static void
SetParameters(Datum *values, bool *nulls, const Principal *principal, int64 id,
			  const ActivityDocument *activity)
{
	memset(nulls, false, UPSERT_PARAMETERS * sizeof(bool));
	values[0] = principal->user_id;
	values[1] = Int64GetDatum(id);
	values[2] = principal->app_id;
	SetString(values, nulls, 3, activity->app_activity_id);
	SetString(values, nulls, 4, activity->activity_source_host);
	SetString(values, nulls, 5, activity->activation_url);
	SetString(values, nulls, 6, activity->app_display_name);
	SetString(values, nulls, 7, activity->content_url);
	SetString(values, nulls, 8, activity->fallback_url);
	SetString(values, nulls, 9, activity->user_timezone);
	values[10] = DocumentVisualElementsJsonb(activity->visual_elements);
	nulls[11] = activity->content_info.start == NULL;
	if (!nulls[11])
		values[11] = DocumentOpaqueJsonb(activity->content_info);
}

static void
DeleteHistory(Datum user_id, int64 activity_id)
{
	Datum values[2];

	values[0] = user_id;
	values[1] = Int64GetDatum(activity_id);
	(void) PlanWrite(&delete_history, values, NULL, NULL, NULL);
}

/*
 * What the store says of an activity; of its sessions as if they were all new.
 */
static void
SetStamp(Datum *values, bool *nulls, ChangeStamp stamp,
		 const ActivityDocument *activity)
{
	int sessions = activity->history_item_count;

	values[12] = TimestampTzGetDatum(stamp.time);
	values[13] = Int64GetDatum(stamp.number);
	values[14] = TimestampTzGetDatum(TimestampExpiration(stamp.time));
	nulls[15] = nulls[16] = sessions == 0;
	values[15] = Int64GetDatum(stamp.number + sessions);
	values[16] = TimestampTzGetDatum(
		StoreLatestExpiration(activity, ChangeNext(stamp)));
}

/*
 * Writes the activity's own row.  One that was there though it counts as
 * absent loses the history that it may still have.
 */
static StoreOutcome
WriteActivity(Datum *values, bool *nulls, PlanRowTaker take, void *context,
			  bool *is_new)
{
	*is_new = false;
	if (PlanWrite(&replace_activity, values, nulls, take, context) > 0)
		return STORE_DONE;
	if (PlanWrite(&insert_activity, values, nulls, take, context) > 0)
	{
		*is_new = true;
		return STORE_DONE;
	}
	if (PlanWrite(&revive_activity, values, nulls, take, context) > 0)
	{
		DeleteHistory(values[0], DatumGetInt64(values[1]));
		return STORE_DONE;
	}
	if (PlanWrite(&find_collision, values, NULL, NULL, NULL) == 0)
		PlanRaiseSuppressed("activity");
	return STORE_COLLISION;
}

/*
 * Creates or replaces an activity, and adds the history items that came with
 * it.
 */
StoreOutcome
StoreUpsertActivity(const Principal *principal,
					const ActivityDocument *activity, PlanRowTaker take,
					void *context)
{
	text *app_id = (text *) DatumGetPointer(principal->app_id);
	Datum values[UPSERT_PARAMETERS];
	bool nulls[UPSERT_PARAMETERS];
	bool is_new;
	int64 id;
	ChangeStamp stamp;
	StoreOutcome outcome;

	id = IdentityOfActivity(VARDATA_ANY(app_id), VARSIZE_ANY_EXHDR(app_id),
							activity->app_activity_id,
							strlen(activity->app_activity_id));
	SetParameters(values, nulls, principal, id, activity);
	(void) ChangeTake(principal->user_id, 1 + activity->history_item_count,
					  true, &stamp);
	SetStamp(values, nulls, stamp, activity);
	outcome = WriteActivity(values, nulls, take, context, &is_new);
	if (outcome == STORE_DONE && activity->history_item_count > 0)
		StoreInsertHistory(principal, id, activity, ChangeNext(stamp), is_new,
						   take, context);
	return outcome;
}

static void
TakeBoolean(void *context, Datum *values, bool *nulls)
{
	*(bool *) context = DatumGetBool(values[0]);
}

static void
SetKey(Datum *values, const Principal *principal, int64 id)
{
	values[0] = principal->user_id;
	values[1] = Int64GetDatum(id);
	values[2] = principal->app_id;
}

/*
 * Whether there is such an activity, so that nothing is locked and no number
 * is used where there is none.  Completes the key with a time.
 */
static bool
FindActivity(Datum *values, bool *is_ignored)
{
	values[3] = TimestampTzGetDatum(GetCurrentTimestamp());
	return PlanWrite(&find_activity, values, NULL, TakeBoolean, is_ignored) >
		   0;
}

bool
StoreActivityExists(const Principal *principal, int64 id)
{
	Datum values[4];
	bool is_ignored;

	SetKey(values, principal, id);
	return FindActivity(values, &is_ignored);
}

/*
 * Leaves a tombstone of an activity and nothing of its history.
 */
StoreOutcome
StoreDeleteActivity(const Principal *principal, int64 id)
{
	Datum values[6];
	bool is_ignored;
	ChangeStamp stamp;

	SetKey(values, principal, id);
	if (!FindActivity(values, &is_ignored) ||
		!ChangeTake(principal->user_id, 1, false, &stamp))
		return STORE_NOT_FOUND;
	values[3] = TimestampTzGetDatum(stamp.time);
	values[4] = Int64GetDatum(stamp.number);
	values[5] = TimestampTzGetDatum(TimestampExpiration(stamp.time));
	if (PlanWrite(&bury_activity, values, NULL, NULL, NULL) == 0)
		return STORE_NOT_FOUND;
	DeleteHistory(principal->user_id, id);
	return STORE_DONE;
}

/*
 * Hides an activity from lists, or shows it again.  One that is already so is
 * left alone.
 */
StoreOutcome
StoreIgnoreActivity(const Principal *principal, int64 id, bool ignored)
{
	Datum values[6];
	bool is_ignored;
	ChangeStamp stamp;

	SetKey(values, principal, id);
	if (!FindActivity(values, &is_ignored))
		return STORE_NOT_FOUND;
	if (is_ignored == ignored)
		return STORE_DONE;
	if (!ChangeTake(principal->user_id, 1, false, &stamp))
		return STORE_NOT_FOUND;
	values[3] = TimestampTzGetDatum(stamp.time);
	values[4] = Int64GetDatum(stamp.number);
	values[5] = BoolGetDatum(ignored);
	return PlanWrite(&ignore_activity, values, NULL, NULL, NULL) > 0
			   ? STORE_DONE
			   : STORE_NOT_FOUND;
}

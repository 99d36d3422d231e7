/*
 * feed.c
 *		Reading: lists, recency, single rows.
 *
 * A list is an index scan by bucket, newest first; an incremental sort puts
 * the at most 256 rows of a bucket in order of their exact numbers, and the
 * scan stops when the page is full.  A cursor is two conditions: the bucket
 * bounds the scan, the number is exact.
 *
 * For every app of a user, the apps are found by a loose scan of the same
 * index, one probe for each, and their pages are merged.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/timestamp.h"

#include "direct_scan.h"
#include "feed.h"
#include "row.h"

/* clang-format off */

/*
 * $1 user_id, $2 app_id, $3 before, $4 and $5 modified after and before, $6
 * the time now, $7 top.
 */
#define PAGE_PARAMETERS		7
#define PAGE_TYPES \
	TEXTOID, TEXTOID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, \
	TIMESTAMPTZOID, INT8OID

/*
 * DESC, with the operator told: PostgreSQL would look through the operator
 * classes of all types for it.
 */
#define NEWEST_FIRST "USING OPERATOR(pg_catalog.>)"

#define PAGE_OF_ACTIVITIES(app, bucket, number, condition) \
	"SELECT " ACTIVITY_COLUMNS " FROM activityfeed.activity AS a " \
	"WHERE a.user_id OPERATOR(pg_catalog.=) $1 " \
	"AND a.app_id OPERATOR(pg_catalog.=) " app " " \
	"AND a." bucket " OPERATOR(pg_catalog.<=) " \
	"($3 OPERATOR(pg_catalog.>>) 8) " \
	"AND a." number " OPERATOR(pg_catalog.<) $3 " \
	"AND a.last_modified_date_time OPERATOR(pg_catalog.>) $4 " \
	"AND a.last_modified_date_time OPERATOR(pg_catalog.<) $5 " \
	"AND a.expiration_date_time OPERATOR(pg_catalog.>) $6 " \
	"AND " condition " " \
	"ORDER BY a." bucket " " NEWEST_FIRST ", a." number " " NEWEST_FIRST " " \
	"LIMIT $7"

/* The page of every app, merged. */
#define EVERY_APP(page, number) \
	WITH_EVERY_APP \
	"SELECT " ACTIVITY_COLUMNS " FROM app CROSS JOIN LATERAL (" page ") AS a " \
	"ORDER BY a." number " DESC LIMIT $7"

/* The condition of a list by change; for every app, $8 ignored. */
#define HAS_STATUS(label) \
	"a.status OPERATOR(pg_catalog.=) '" label "'::activityfeed.status"
#define HAS_EITHER_STATUS \
	"a.status OPERATOR(pg_catalog.=) CASE WHEN $8 " \
	"THEN 'ignored'::activityfeed.status " \
	"ELSE 'updated'::activityfeed.status END"

/*
 * The condition of recency, spelled as in the partial index: the planner knows
 * a condition of an index by its operators.
 */
#define HAS_HISTORY \
	"a.history_expiration_date_time OPERATOR(pg_catalog.>) $6 " \
	"AND a.status OPERATOR(pg_catalog.=) 'updated'::activityfeed.status " \
	"AND a.history_bucket IS NOT NULL"

#define CHANGED(app, condition) \
	PAGE_OF_ACTIVITIES(app, "change_bucket", "change_number", condition)
#define RECENT(app) \
	PAGE_OF_ACTIVITIES(app, "history_bucket", "history_change_number", \
					   HAS_HISTORY)

/* clang-format on */

/* The same parameters in C. */
enum
{
	PAGE_USER_ID,
	PAGE_APP_ID,
	PAGE_BEFORE,
	PAGE_MODIFIED_AFTER,
	PAGE_MODIFIED_BEFORE,
	PAGE_NOW,
	PAGE_TOP
};

static void
PageRange(const Datum *parameters, int64 *lowest, int64 *highest)
{
	*lowest = PG_INT64_MIN;
	*highest = BUCKET_OF(DatumGetInt64(parameters[PAGE_BEFORE]));
}

/*
 * The conditions of PAGE_OF_ACTIVITIES; null fulfils none.
 */
static bool
IsOnPage(const DirectHead *row, int number, const Datum *parameters)
{
	int64 before = DatumGetInt64(parameters[PAGE_BEFORE]);
	TimestampTz now = DatumGetTimestampTz(parameters[PAGE_NOW]);
	TimestampTz modified = DirectInt64(row, ACTIVITY_LAST_MODIFIED, DT_NOEND);

	return DirectInt64(row, number, PG_INT64_MAX) < before &&
		   modified > DatumGetTimestampTz(parameters[PAGE_MODIFIED_AFTER]) &&
		   modified < DatumGetTimestampTz(parameters[PAGE_MODIFIED_BEFORE]) &&
		   DirectInt64(row, ACTIVITY_EXPIRATION, DT_NOBEGIN) > now;
}

/*
 * The conditions of CHANGED.
 */
static bool
IsListed(const DirectHead *row, const Datum *parameters, const bool *nulls)
{
	return IsOnPage(row, ACTIVITY_CHANGE_NUMBER, parameters) &&
		   DirectHasLabel(row, ACTIVITY_STATUS);
}

/*
 * The conditions of RECENT, but for those that are the index's.
 */
static bool
IsRecent(const DirectHead *row, const Datum *parameters, const bool *nulls)
{
	TimestampTz now = DatumGetTimestampTz(parameters[PAGE_NOW]);

	return IsOnPage(row, ACTIVITY_HISTORY_CHANGE_NUMBER, parameters) &&
		   DirectInt64(row, ACTIVITY_HISTORY_EXPIRATION, DT_NOBEGIN) > now;
}

#define SCAN_OF_PAGE(...) \
	{ \
		.shape = &activity_shape, \
		.keys = {ACTIVITY_USER_ID, ACTIVITY_APP_ID}, \
		.key_parameters = {PAGE_USER_ID, PAGE_APP_ID}, \
		.limit_parameter = PAGE_TOP, .is_descending = true, \
		.condition_count = 8, .range = PageRange, __VA_ARGS__ \
	}
#define SCAN_CHANGED(status) \
	SCAN_OF_PAGE(.bucket = ACTIVITY_CHANGE_BUCKET, \
				 .number = ACTIVITY_CHANGE_NUMBER, .label = status, \
				 .wants = IsListed)

static const DirectScan scan_updated = SCAN_CHANGED("updated");
static const DirectScan scan_ignored = SCAN_CHANGED("ignored");
static const DirectScan scan_recent =
	SCAN_OF_PAGE(.bucket = ACTIVITY_HISTORY_BUCKET,
				 .number = ACTIVITY_HISTORY_CHANGE_NUMBER, .wants = IsRecent);

/* clang-format off */

static KeptPlan activities_of_app = {
	.sql = CHANGED("$2", HAS_STATUS("updated")),
	.nparams = PAGE_PARAMETERS,
	.types = {PAGE_TYPES},
	.scan = &scan_updated
};

static KeptPlan ignored_of_app = {
	.sql = CHANGED("$2", HAS_STATUS("ignored")),
	.nparams = PAGE_PARAMETERS,
	.types = {PAGE_TYPES},
	.scan = &scan_ignored
};

static KeptPlan activities_of_every_app = {
	.sql = EVERY_APP(CHANGED("app.app_id", HAS_EITHER_STATUS), "change_number"),
	.nparams = PAGE_PARAMETERS + 1,
	.types = {PAGE_TYPES, BOOLOID}
};

static KeptPlan recent_of_app = {
	.sql = RECENT("$2"),
	.nparams = PAGE_PARAMETERS,
	.types = {PAGE_TYPES},
	.scan = &scan_recent
};

static KeptPlan recent_of_every_app = {
	.sql = EVERY_APP(RECENT("app.app_id"), "history_change_number"),
	.nparams = PAGE_PARAMETERS,
	.types = {PAGE_TYPES}
};

#define HISTORY_ITEM_IS_LISTED \
	"AND ($2 IS NULL OR h.app_id OPERATOR(pg_catalog.=) $2) " \
	"AND h.change_bucket OPERATOR(pg_catalog.<=) " \
	"($3 OPERATOR(pg_catalog.>>) 8) " \
	"AND h.change_number OPERATOR(pg_catalog.<) $3 " \
	"AND h.last_modified_date_time OPERATOR(pg_catalog.>) $4 " \
	"AND h.last_modified_date_time OPERATOR(pg_catalog.<) $5 " \
	"AND h.expiration_date_time OPERATOR(pg_catalog.>) $6 " \
	"AND h.status OPERATOR(pg_catalog.<>) 'deleted'::activityfeed.status "

/* $8 activity id */
static KeptPlan history_items = {
	.sql = "SELECT " HISTORY_ITEM_COLUMNS " FROM activityfeed.history_item AS h "
	"WHERE h.user_id OPERATOR(pg_catalog.=) $1 "
	"AND h.activity_id OPERATOR(pg_catalog.=) $8 "
	HISTORY_ITEM_IS_LISTED
	"ORDER BY h.change_bucket " NEWEST_FIRST ", h.change_number " NEWEST_FIRST
	" LIMIT $7",
	.nparams = PAGE_PARAMETERS + 1,
	.types = {PAGE_TYPES, INT8OID}
};

/*
 * $8 activity ids.  The page of each comes by itself: nothing but a nested
 * loop can do that, so rows of one activity stand together and in order.
 */
static KeptPlan history_of_activities = {
	.sql = "SELECT " HISTORY_ITEM_COLUMNS " "
	"FROM pg_catalog.unnest($8) AS i (id) CROSS JOIN LATERAL (SELECT "
	HISTORY_ITEM_COLUMNS " FROM activityfeed.history_item AS h "
	"WHERE h.user_id OPERATOR(pg_catalog.=) $1 "
	"AND h.activity_id OPERATOR(pg_catalog.=) i.id "
	HISTORY_ITEM_IS_LISTED
	"ORDER BY h.change_bucket " NEWEST_FIRST ", h.change_number " NEWEST_FIRST
	" LIMIT $7) AS h",
	.nparams = PAGE_PARAMETERS + 1,
	.types = {PAGE_TYPES, INT8ARRAYOID}
};

/* $1 user_id, $2 app_id, $3 the time now, $4 activity id */
static KeptPlan get_activity = {
	.sql = "SELECT " ACTIVITY_COLUMNS " FROM activityfeed.activity AS a "
	"WHERE a.user_id OPERATOR(pg_catalog.=) $1 "
	"AND a.id OPERATOR(pg_catalog.=) $4 "
	"AND ($2 IS NULL OR a.app_id OPERATOR(pg_catalog.=) $2) "
	"AND a.expiration_date_time OPERATOR(pg_catalog.>) $3 "
	"AND " STATUS_IS_NOT("a.status", "deleted"),
	.nparams = 4,
	.types = {TEXTOID, TEXTOID, TIMESTAMPTZOID, INT8OID},
	.by_key = true
};

/* $5 id */
static KeptPlan get_history_item = {
	.sql = "SELECT " HISTORY_ITEM_COLUMNS " FROM activityfeed.history_item AS h "
	"WHERE h.user_id OPERATOR(pg_catalog.=) $1 "
	"AND h.activity_id OPERATOR(pg_catalog.=) $4 "
	"AND h.id OPERATOR(pg_catalog.=) $5 "
	"AND ($2 IS NULL OR h.app_id OPERATOR(pg_catalog.=) $2) "
	"AND h.expiration_date_time OPERATOR(pg_catalog.>) $3 "
	"AND " STATUS_IS_NOT("h.status", "deleted"),
	.nparams = 5,
	.types = {TEXTOID, TEXTOID, TIMESTAMPTZOID, INT8OID, UUIDOID},
	.by_key = true
};

/* clang-format on */

static void
SetPage(Datum *values, bool *nulls, const Principal *principal,
		const FeedPage *page)
{
	memset(nulls, false, (PAGE_PARAMETERS + 1) * sizeof(bool));
	values[0] = principal->user_id;
	values[1] = principal->app_id;
	nulls[1] = principal->every_app;
	values[2] = Int64GetDatum(page->before);
	values[3] = TimestampTzGetDatum(page->modified_after);
	values[4] = TimestampTzGetDatum(page->modified_before);
	values[5] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[6] = Int64GetDatum(page->top);
}

/*
 * Activities by newest change first, the hidden ones or the others.
 */
void
FeedActivities(const Principal *principal, const FeedPage *page, bool ignored,
			   PlanRowTaker take, PlanTupleTaker take_tuple, void *context)
{
	KeptPlan *of_app = ignored ? &ignored_of_app : &activities_of_app;
	Datum values[PAGE_PARAMETERS + 1];
	bool nulls[PAGE_PARAMETERS + 1];

	SetPage(values, nulls, principal, page);
	values[PAGE_PARAMETERS] = BoolGetDatum(ignored);
	(void) PlanReadTuples(principal->every_app ? &activities_of_every_app
											   : of_app,
						  values, nulls, take, take_tuple, context);
}

/*
 * Activities by newest history item first.  The item counts expired or not,
 * but an activity is listed only while one of its items has not expired.
 */
void
FeedRecent(const Principal *principal, const FeedPage *page, PlanRowTaker take,
		   PlanTupleTaker take_tuple, void *context)
{
	Datum values[PAGE_PARAMETERS + 1];
	bool nulls[PAGE_PARAMETERS + 1];

	SetPage(values, nulls, principal, page);
	(void) PlanReadTuples(principal->every_app ? &recent_of_every_app
											   : &recent_of_app,
						  values, nulls, take, take_tuple, context);
}

/*
 * The sessions of an activity by newest change first.
 */
void
FeedHistoryItems(const Principal *principal, int64 activity_id,
				 const FeedPage *page, PlanRowTaker take, void *context)
{
	Datum values[PAGE_PARAMETERS + 1];
	bool nulls[PAGE_PARAMETERS + 1];

	SetPage(values, nulls, principal, page);
	values[PAGE_PARAMETERS] = Int64GetDatum(activity_id);
	(void) PlanRead(&history_items, values, nulls, take, context);
}

/*
 * The sessions of several activities, a page of each; ids is an array of
 * bigint.
 */
void
FeedHistoryOfActivities(const Principal *principal, Datum ids,
						const FeedPage *page, PlanRowTaker take, void *context)
{
	Datum values[PAGE_PARAMETERS + 1];
	bool nulls[PAGE_PARAMETERS + 1];

	SetPage(values, nulls, principal, page);
	values[PAGE_PARAMETERS] = ids;
	(void) PlanRead(&history_of_activities, values, nulls, take, context);
}

/*
 * The newest sessions of an activity, as they are after whatever the calling
 * statement has written.
 */
void
FeedNewestHistory(const Principal *principal, int64 activity_id, int top,
				  PlanRowTaker take, void *context)
{
	FeedPage page = {top, PG_INT64_MAX, DT_NOBEGIN, DT_NOEND};
	Datum values[PAGE_PARAMETERS + 1];
	bool nulls[PAGE_PARAMETERS + 1];

	SetPage(values, nulls, principal, &page);
	values[PAGE_PARAMETERS] = Int64GetDatum(activity_id);
	(void) PlanWrite(&history_items, values, nulls, take, context);
}

static void
SetRowKey(Datum *values, bool *nulls, const Principal *principal,
		  int64 activity_id)
{
	values[0] = principal->user_id;
	values[1] = principal->app_id;
	nulls[1] = principal->every_app;
	values[2] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[3] = Int64GetDatum(activity_id);
}

/*
 * One activity, a hidden one too, or none.
 */
void
FeedGetActivity(const Principal *principal, int64 id, PlanRowTaker take,
				void *context)
{
	Datum values[4];
	bool nulls[4] = {0};

	SetRowKey(values, nulls, principal, id);
	(void) PlanRead(&get_activity, values, nulls, take, context);
}

/*
 * One session or none; id is a uuid.
 */
void
FeedGetHistoryItem(const Principal *principal, int64 activity_id, Datum id,
				   PlanRowTaker take, void *context)
{
	Datum values[5];
	bool nulls[5] = {0};

	SetRowKey(values, nulls, principal, activity_id);
	values[4] = id;
	(void) PlanRead(&get_history_item, values, nulls, take, context);
}

/*
 * row.h
 *		The tables' columns: their order in SQL text and their places in rows.
 *
 * Within the module a row is an array of values and one of nulls, in the
 * order of the enums below, which is that of the COLUMNS lists.  Columns of
 * fixed width that are never null come first, and not in the order of the
 * table: what a list is sorted by is then found without a walk through the
 * texts before it.
 */
#ifndef ACTIVITYFEED_ROW_H
#define ACTIVITYFEED_ROW_H

#include "access/htup.h"
#include "access/tupdesc.h"

typedef enum FeedColumn
{
	FEED_USER_ID,
	FEED_CHANGE_NUMBER,
	FEED_LAST_MODIFIED,
	FEED_OLDEST_CHANGE_NUMBER,
	FEED_COLUMN_COUNT
} FeedColumn;

#define FEED_COLUMNS \
	"f.user_id, f.change_number, f.last_modified_date_time, " \
	"f.oldest_change_number"

typedef enum ActivityColumn
{
	ACTIVITY_ID,
	ACTIVITY_CHANGE_NUMBER,
	ACTIVITY_CREATED_CHANGE_NUMBER,
	ACTIVITY_CHANGE_BUCKET,
	ACTIVITY_CREATED,
	ACTIVITY_LAST_MODIFIED,
	ACTIVITY_EXPIRATION,
	ACTIVITY_EXPIRATION_DAY,
	ACTIVITY_STATUS,
	ACTIVITY_HISTORY_CHANGE_NUMBER,
	ACTIVITY_HISTORY_BUCKET,
	ACTIVITY_HISTORY_EXPIRATION,
	ACTIVITY_USER_ID,
	ACTIVITY_APP_ID,
	ACTIVITY_APP_ACTIVITY_ID,
	ACTIVITY_SOURCE_HOST,
	ACTIVITY_ACTIVATION_URL,
	ACTIVITY_APP_DISPLAY_NAME,
	ACTIVITY_CONTENT_URL,
	ACTIVITY_FALLBACK_URL,
	ACTIVITY_USER_TIMEZONE,
	ACTIVITY_VISUAL_ELEMENTS,
	ACTIVITY_CONTENT_INFO,
	ACTIVITY_COLUMN_COUNT
} ActivityColumn;

/* clang-format off */
#define ACTIVITY_COLUMNS_OF(a) \
	a ".id, " a ".change_number, " a ".created_change_number, " \
	a ".change_bucket, " a ".created_date_time, " \
	a ".last_modified_date_time, " a ".expiration_date_time, " \
	a ".expiration_day, " a ".status, " a ".history_change_number, " \
	a ".history_bucket, " a ".history_expiration_date_time, " \
	a ".user_id, " a ".app_id, " a ".app_activity_id, " \
	a ".activity_source_host, " a ".activation_url, " \
	a ".app_display_name, " a ".content_url, " a ".fallback_url, " \
	a ".user_timezone, " a ".visual_elements, " a ".content_info"
#define ACTIVITY_COLUMNS ACTIVITY_COLUMNS_OF("a")
/* clang-format on */

typedef enum HistoryItemColumn
{
	HISTORY_ITEM_ACTIVITY_ID,
	HISTORY_ITEM_CHANGE_NUMBER,
	HISTORY_ITEM_CHANGE_BUCKET,
	HISTORY_ITEM_CREATED,
	HISTORY_ITEM_LAST_MODIFIED,
	HISTORY_ITEM_EXPIRATION,
	HISTORY_ITEM_EXPIRATION_DAY,
	HISTORY_ITEM_STATUS,
	HISTORY_ITEM_ID,
	HISTORY_ITEM_USER_ID,
	HISTORY_ITEM_APP_ID,
	HISTORY_ITEM_STARTED,
	HISTORY_ITEM_LAST_ACTIVE,
	HISTORY_ITEM_DURATION,
	HISTORY_ITEM_DURATION_GIVEN,
	HISTORY_ITEM_USER_TIMEZONE,
	HISTORY_ITEM_COLUMN_COUNT
} HistoryItemColumn;

/* clang-format off */
#define HISTORY_ITEM_COLUMNS_OF(a) \
	a ".activity_id, " a ".change_number, " a ".change_bucket, " \
	a ".created_date_time, " a ".last_modified_date_time, " \
	a ".expiration_date_time, " a ".expiration_day, " a ".status, " \
	a ".id, " a ".user_id, " a ".app_id, " a ".started_date_time, " \
	a ".last_active_date_time, " a ".active_duration_seconds, " \
	a ".active_duration_given, " a ".user_timezone"
#define HISTORY_ITEM_COLUMNS HISTORY_ITEM_COLUMNS_OF("h")
/* clang-format on */

typedef enum ExternalActivityColumn
{
	EXTERNAL_ACTIVITY_CONNECTION_ID,
	EXTERNAL_ACTIVITY_ITEM_ID,
	EXTERNAL_ACTIVITY_ID,
	EXTERNAL_ACTIVITY_TYPE,
	EXTERNAL_ACTIVITY_START,
	EXTERNAL_ACTIVITY_PERFORMED_BY_TYPE,
	EXTERNAL_ACTIVITY_PERFORMED_BY_ID,
	EXTERNAL_ACTIVITY_CREATED_AT,
	EXTERNAL_ACTIVITY_COLUMN_COUNT
} ExternalActivityColumn;

#define EXTERNAL_ACTIVITY_COLUMNS \
	"e.connection_id, e.item_id, e.id, e.type, e.start_date_time, " \
	"e.performed_by_type, e.performed_by_id, e.created_date_time"

typedef enum ExternalResultColumn
{
	EXTERNAL_RESULT_INDEX,
	EXTERNAL_RESULT_ID,
	EXTERNAL_RESULT_TYPE,
	EXTERNAL_RESULT_START,
	EXTERNAL_RESULT_ERROR,
	EXTERNAL_RESULT_COLUMN_COUNT
} ExternalResultColumn;

typedef enum ChangeColumn
{
	CHANGE_NUMBER,
	CHANGE_KIND,
	CHANGE_APP_ID,
	CHANGE_ACTIVITY_ID,
	CHANGE_HISTORY_ITEM_ID,
	CHANGE_STATUS,
	CHANGE_CREATED,
	CHANGE_DOCUMENT,
	CHANGE_COLUMN_COUNT
} ChangeColumn;

/*
 * What statements ask of the status of a row that they name by its key.  By
 * the names of functions: PostgreSQL finds the operator of an enum by looking
 * at all operators of that name, with two look-ups in the catalogs for each,
 * and that was a sixth of what the first call of a session does after loading.
 */
/* clang-format off */
#define STATUS_IS(status, label) \
	"pg_catalog.enum_eq(" status ", '" label "'::activityfeed.status)"
#define STATUS_IS_NOT(status, label) \
	"pg_catalog.enum_ne(" status ", '" label "'::activityfeed.status)"
/* clang-format on */

#define MAX_ROW_COLUMNS 32

/* The bucket of a change number, as the generated columns calculate it. */
#define BUCKET_OF(number) ((number) >> 8)

/* Where a row type has the columns of a shape; -1 for one that it lacks. */
typedef struct RowPlaces
{
	int count;
	int16 places[MAX_ROW_COLUMNS];
} RowPlaces;

/* The names of a relation's columns, in the order of its enum. */
typedef struct RowShape
{
	int count;
	const char *const *names;
	struct FoundPlaces *found; /* where they were found last; or NULL */
	const Oid *types;		   /* as made, invalid for our enums; or NULL */
} RowShape;

extern const RowShape feed_shape;
extern const RowShape activity_shape;
extern const RowShape history_item_shape;
extern const RowShape external_activity_shape;
extern const RowShape external_result_shape;
extern const RowShape change_shape;

extern AttrNumber RowAttributeNumber(TupleDesc type, const char *name);
extern Oid RowAttributeType(TupleDesc type, const char *name);
extern void RowLocate(const RowShape *shape, TupleDesc type,
					  RowPlaces *places);
extern Datum RowLabel(TupleDesc type, const char *name, const char *label);
extern const char *RowLabelOf(Datum value);
extern bool RowTypesAreSame(TupleDesc one, TupleDesc other);
extern void RowPick(const RowPlaces *places, const Datum *all_values,
					const bool *all_nulls, Datum *values, bool *nulls);
extern void RowPut(const RowPlaces *places, const Datum *values,
				   const bool *nulls, Datum *all_values, bool *all_nulls);
extern HeapTuple RowForm(const RowShape *shape, TupleDesc expected,
						 const Datum *values, const bool *nulls);
extern void RowDeform(const RowShape *shape, HeapTupleHeader row,
					  Datum *values, bool *nulls);

#endif /* ACTIVITYFEED_ROW_H */

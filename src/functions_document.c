/*
 * functions_document.c
 *		What SQL calls to turn rows into documents.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "activityfeed.h"
#include "feed.h"
#include "graph_json.h"
#include "row.h"

EXPORTS_BEGIN
PG_FUNCTION_INFO_V1(activityfeed_activity_was_created);
PG_FUNCTION_INFO_V1(activityfeed_history_item_was_created);
PG_FUNCTION_INFO_V1(activityfeed_graph_json);
PG_FUNCTION_INFO_V1(activityfeed_activity_to_json);
PG_FUNCTION_INFO_V1(activityfeed_activity_to_jsonb);
PG_FUNCTION_INFO_V1(activityfeed_history_item_to_json);
PG_FUNCTION_INFO_V1(activityfeed_history_item_to_jsonb);
PG_FUNCTION_INFO_V1(activityfeed_external_activity_result_to_json);
PG_FUNCTION_INFO_V1(activityfeed_external_activity_result_to_jsonb);
EXPORTS_END

typedef void (*DocumentWriter)(StringInfo out, const Datum *values,
							   const bool *nulls);

/* Most documents have room in so many bytes. */
#define FIRST_SIZE 2048

/*
 * Writes the document of the row that is the first argument, behind the room
 * that a text's length takes.
 */
static StringInfoData
RowDocument(FunctionCallInfo fcinfo, const RowShape *shape,
			DocumentWriter write)
{
	Datum values[MAX_ROW_COLUMNS];
	bool nulls[MAX_ROW_COLUMNS];
	StringInfoData document;

	RowDeform(shape, PG_GETARG_HEAPTUPLEHEADER(0), values, nulls);
	document.data = palloc(FIRST_SIZE);
	document.maxlen = FIRST_SIZE;
	document.len = VARHDRSZ;
	document.cursor = 0;
	write(&document, values, nulls);
	return document;
}

static Datum
RowToJson(FunctionCallInfo fcinfo, const RowShape *shape, DocumentWriter write)
{
	StringInfoData document = RowDocument(fcinfo, shape, write);

	SET_VARSIZE(document.data, document.len);
	PG_RETURN_TEXT_P(document.data);
}

static Datum
RowToJsonb(FunctionCallInfo fcinfo, const RowShape *shape,
		   DocumentWriter write)
{
	StringInfoData document = RowDocument(fcinfo, shape, write);

	return DirectFunctionCall1(jsonb_in,
							   CStringGetDatum(document.data + VARHDRSZ));
}

/*
 * activity_to_json(activity) returns json
 */
Datum
activityfeed_activity_to_json(PG_FUNCTION_ARGS)
{
	return RowToJson(fcinfo, &activity_shape, GraphJsonActivity);
}

/*
 * activity_to_jsonb(activity) returns jsonb
 */
Datum
activityfeed_activity_to_jsonb(PG_FUNCTION_ARGS)
{
	return RowToJsonb(fcinfo, &activity_shape, GraphJsonActivity);
}

/*
 * history_item_to_json(history_item) returns json
 */
Datum
activityfeed_history_item_to_json(PG_FUNCTION_ARGS)
{
	return RowToJson(fcinfo, &history_item_shape, GraphJsonHistoryItem);
}

/*
 * history_item_to_jsonb(history_item) returns jsonb
 */
Datum
activityfeed_history_item_to_jsonb(PG_FUNCTION_ARGS)
{
	return RowToJsonb(fcinfo, &history_item_shape, GraphJsonHistoryItem);
}

/*
 * external_activity_result_to_json(external_activity_result) returns json
 */
Datum
activityfeed_external_activity_result_to_json(PG_FUNCTION_ARGS)
{
	return RowToJson(fcinfo, &external_result_shape, GraphJsonExternalResult);
}

/*
 * external_activity_result_to_jsonb(external_activity_result) returns jsonb
 */
Datum
activityfeed_external_activity_result_to_jsonb(PG_FUNCTION_ARGS)
{
	return RowToJsonb(fcinfo, &external_result_shape, GraphJsonExternalResult);
}

/*
 * Whether a row's two times are the same; null where one is.
 */
static Datum
TimesAreEqual(FunctionCallInfo fcinfo, const RowShape *shape, int created,
			  int last_modified)
{
	Datum values[MAX_ROW_COLUMNS];
	bool nulls[MAX_ROW_COLUMNS];

	RowDeform(shape, PG_GETARG_HEAPTUPLEHEADER(0), values, nulls);
	if (nulls[created] || nulls[last_modified])
		PG_RETURN_NULL();
	PG_RETURN_BOOL(DatumGetTimestampTz(values[created]) ==
				   DatumGetTimestampTz(values[last_modified]));
}

/*
 * was_created(activity) returns boolean
 */
Datum
activityfeed_activity_was_created(PG_FUNCTION_ARGS)
{
	return TimesAreEqual(fcinfo, &activity_shape, ACTIVITY_CREATED,
						 ACTIVITY_LAST_MODIFIED);
}

/*
 * was_created(history_item) returns boolean
 */
Datum
activityfeed_history_item_was_created(PG_FUNCTION_ARGS)
{
	return TimesAreEqual(fcinfo, &history_item_shape, HISTORY_ITEM_CREATED,
						 HISTORY_ITEM_LAST_MODIFIED);
}

static void
AppendHistoryItem(void *context, Datum *values, bool *nulls)
{
	GraphJsonNextHistoryItem((StringInfo) context, values, nulls);
}

/*
 * Appends the member historyItems.  A row that somebody made up may lack what
 * its history is found by, and then has none; or it may be another
 * principal's, and then the caller is refused.
 */
static void
AppendHistory(StringInfo document, const Datum *values, const bool *nulls,
			  int top)
{
	Principal principal = {values[ACTIVITY_USER_ID], values[ACTIVITY_APP_ID],
						   false};

	GraphJsonBeginHistory(document);
	if (!nulls[ACTIVITY_USER_ID] && !nulls[ACTIVITY_APP_ID] &&
		!nulls[ACTIVITY_ID])
	{
		PrincipalCheck(&principal);
		SPI_connect();
		FeedNewestHistory(&principal, DatumGetInt64(values[ACTIVITY_ID]), top,
						  AppendHistoryItem, document);
		SPI_finish();
	}
	GraphJsonEndHistory(document);
}

/*
 * graph_json(activity, history_top int) returns json
 */
Datum
activityfeed_graph_json(PG_FUNCTION_ARGS)
{
	int top = ArgumentTop(fcinfo, 1, "history_top");
	Datum values[MAX_ROW_COLUMNS];
	bool nulls[MAX_ROW_COLUMNS];
	StringInfoData document;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	RowDeform(&activity_shape, PG_GETARG_HEAPTUPLEHEADER(0), values, nulls);
	initStringInfo(&document);
	GraphJsonBeginActivity(&document, values, nulls);
	if (top > 0)
		AppendHistory(&document, values, nulls, top);
	GraphJsonEndActivity(&document);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(document.data, document.len));
}

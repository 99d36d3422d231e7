/*
 * functions.c
 *		What SQL calls to write and read: wrappers that read arguments, call
 *		and return.
 *
 * Documents come as json, or as jsonb from drivers that send nothing else;
 * either way they are text from here on.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "activityfeed.h"
#include "document_json.h"
#include "external.h"
#include "feed.h"
#include "identity.h"
#include "row.h"
#include "store.h"
#include "timestamp.h"

EXPORTS_BEGIN
PG_FUNCTION_INFO_V1(activityfeed_activity_id);
PG_FUNCTION_INFO_V1(activityfeed_upsert_activity);
PG_FUNCTION_INFO_V1(activityfeed_upsert_activity_jsonb);
PG_FUNCTION_INFO_V1(activityfeed_upsert_history_item);
PG_FUNCTION_INFO_V1(activityfeed_upsert_history_item_jsonb);
PG_FUNCTION_INFO_V1(activityfeed_touch_history_item);
PG_FUNCTION_INFO_V1(activityfeed_delete_activity);
PG_FUNCTION_INFO_V1(activityfeed_delete_history_item);
PG_FUNCTION_INFO_V1(activityfeed_ignore_activity);
PG_FUNCTION_INFO_V1(activityfeed_get_activity);
PG_FUNCTION_INFO_V1(activityfeed_get_history_item);
PG_FUNCTION_INFO_V1(activityfeed_activities);
PG_FUNCTION_INFO_V1(activityfeed_recent_activities);
PG_FUNCTION_INFO_V1(activityfeed_history_items);
PG_FUNCTION_INFO_V1(activityfeed_add_external_activities);
PG_FUNCTION_INFO_V1(activityfeed_add_external_activities_jsonb);
PG_FUNCTION_INFO_V1(activityfeed_external_activities);
EXPORTS_END

/* Where the rows of a result go. */
typedef struct RowResult
{
	const RowShape *shape;
	TupleDesc expected;		/* the function's row type */
	Tuplestorestate *store; /* for a set, and what it takes to add a row: */
	RowPlaces places;
	Datum *values;
	bool *nulls;
	TupleDesc same;		   /* of a table: its rows are as expected; or NULL */
	MemoryContext context; /* for a single row: where it is made */
	HeapTuple tuple;	   /* the single row */
} RowResult;

/*
 * A PlanRowTaker for a function that returns one row: the last one counts.
 */
static void
KeepRow(void *context, Datum *values, bool *nulls)
{
	RowResult *result = context;
	MemoryContext old_context = MemoryContextSwitchTo(result->context);

	if (result->tuple != NULL)
		heap_freetuple(result->tuple);
	result->tuple = RowForm(result->shape, result->expected, values, nulls);
	MemoryContextSwitchTo(old_context);
}

/*
 * A PlanRowTaker for a function that returns a set.
 */
static void
StoreRow(void *context, Datum *values, bool *nulls)
{
	RowResult *result = context;

	RowPut(&result->places, values, nulls, result->values, result->nulls);
	tuplestore_putvalues(result->store, result->expected, result->values,
						 result->nulls);
}

/*
 * Whether rows of a table are what is expected, as they are.  Columns that the
 * module does not know are null in a result.
 */
static bool
IsExpected(RowResult *result, TupleDesc table)
{
	if (result->same == table)
		return true;
	if (table->natts != result->shape->count ||
		!RowTypesAreSame(table, result->expected))
		return false;
	result->same = table;
	return true;
}

/*
 * A PlanTupleTaker for such a function: takes nothing apart that would be put
 * together again.
 */
static bool
StoreTuple(void *context, TupleTableSlot *slot)
{
	RowResult *result = context;
	TupleDesc type = slot->tts_tupleDescriptor;
	MinimalTuple tuple;
	bool is_copy;
	bool is_whole;

	if (!IsExpected(result, type))
		return false;
	tuple = ExecFetchSlotMinimalTuple(slot, &is_copy);
	/* a column that was added later has its default in the table's type only */
	is_whole = HeapTupleHeaderGetNatts(tuple) == type->natts;
	if (is_whole)
		tuplestore_puttupleslot(result->store, slot);
	if (is_copy)
		heap_free_minimal_tuple(tuple);
	return is_whole;
}

static RowResult
BeginRow(FunctionCallInfo fcinfo, const RowShape *shape)
{
	RowResult result = {.shape = shape};

	if (get_call_result_type(fcinfo, NULL, &result.expected) !=
		TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	result.context = CurrentMemoryContext;
	return result;
}

static RowResult
BeginSet(FunctionCallInfo fcinfo, const RowShape *shape)
{
	RowResult result = {.shape = shape};
	ReturnSetInfo *set;

	InitMaterializedSRF(fcinfo, 0);
	set = (ReturnSetInfo *) fcinfo->resultinfo;
	result.expected = set->setDesc;
	result.store = set->setResult;
	RowLocate(shape, result.expected, &result.places);
	result.values = palloc0(result.expected->natts * sizeof(Datum));
	result.nulls = palloc(result.expected->natts * sizeof(bool));
	memset(result.nulls, true, result.expected->natts * sizeof(bool));
	return result;
}

static void
ConnectSpi(void)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
}

static void
FinishSpi(void)
{
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "could not finish SPI");
}

/*
 * Begins a call with a document: what is read of it lives in a context of its
 * own, which takes what json-c has allocated with it.
 */
static MemoryContext
BeginDocument(void)
{
	MemoryContext context = AllocSetContextCreate(
		CurrentMemoryContext, "activityfeed document", ALLOCSET_DEFAULT_SIZES);

	return MemoryContextSwitchTo(context);
}

static void
EndDocument(MemoryContext old_context)
{
	MemoryContext context = MemoryContextSwitchTo(old_context);

	MemoryContextDelete(context);
}

/*
 * Raises 54000 for a document that is too large before it is unpacked.
 */
static void
CheckDocumentSize(Size size)
{
	DocumentError error;

	if (size <= setting_max_document_size)
		return;
	DocumentTooLarge(&error, size);
	DocumentRaise(&error);
}

/*
 * The text of a document, which lives in the current memory context.
 */
static JsonSlice
DocumentArgument(FunctionCallInfo fcinfo, int position, const char *name,
				 bool is_jsonb, bool is_batch)
{
	Datum value = ArgumentRequired(fcinfo, position, name);
	text *document;

	if (is_jsonb)
	{
		Jsonb *jsonb = DatumGetJsonbP(value);
		char *text = JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb));

		return JsonSliceOf(text, strlen(text));
	}
	if (!is_batch)
		CheckDocumentSize(toast_raw_datum_size(value) - VARHDRSZ);
	document = DatumGetTextPP(value);
	return JsonSliceOf(VARDATA_ANY(document), VARSIZE_ANY_EXHDR(document));
}

static DocumentRules
CurrentRules(void)
{
	DocumentRules rules = {.strict = setting_strict,
						   .now = GetCurrentTimestamp()};

	return rules;
}

static void
RaiseNoActivity(void)
{
	ereport(
		ERROR,
		(errcode(ERRCODE_NO_DATA_FOUND), errmsg("activity does not exist"),
		 errdetail(
			 "The user has no activity with this \"activity_id\" in this app, or it was deleted or has expired.")));
}

static void
RaiseNoHistoryItem(void)
{
	ereport(
		ERROR,
		(errcode(ERRCODE_NO_DATA_FOUND), errmsg("history item does not exist"),
		 errdetail(
			 "The activity has no history item with this \"history_item_id\", or it was deleted or has expired."),
		 errhint("Create it with upsert_history_item.")));
}

static void
RaiseCollision(void)
{
	ereport(
		ERROR,
		(errcode(ERRCODE_UNIQUE_VIOLATION),
		 errmsg("activity id is already in use"),
		 errdetail(
			 "Another activity of this user, with another app or \"appActivityId\", has the same id."),
		 err_generic_string(PG_DIAG_COLUMN_NAME, "appActivityId")));
}

/*
 * activity_id(app_id text, app_activity_id text) returns bigint
 */
Datum
activityfeed_activity_id(PG_FUNCTION_ARGS)
{
	text *app;
	text *activity;

	app = (text *) DatumGetPointer(
		ArgumentId(fcinfo, 0, "app_id", MAX_ID_LENGTH));
	activity = (text *) DatumGetPointer(
		ArgumentId(fcinfo, 1, "app_activity_id", MAX_APP_ACTIVITY_ID_LENGTH));
	PG_RETURN_INT64(IdentityOfActivity(
		VARDATA_ANY(app), VARSIZE_ANY_EXHDR(app), VARDATA_ANY(activity),
		VARSIZE_ANY_EXHDR(activity)));
}

static Datum
UpsertActivity(FunctionCallInfo fcinfo, bool is_jsonb)
{
	Principal principal = PrincipalForWrite(fcinfo);
	RowResult result = BeginRow(fcinfo, &activity_shape);
	MemoryContext old_context = BeginDocument();
	DocumentRules rules = CurrentRules();
	JsonSlice text;
	ActivityDocument activity;
	DocumentError error;
	StoreOutcome outcome;

	text = DocumentArgument(fcinfo, 2, "activity", is_jsonb, false);
	if (!DocumentReadActivity(DocumentReaderCreate(&rules), text, &activity,
							  &error))
		DocumentRaise(&error);
	ConnectSpi();
	outcome = StoreUpsertActivity(&principal, &activity, KeepRow, &result);
	if (outcome == STORE_COLLISION)
		RaiseCollision();
	FinishSpi();
	EndDocument(old_context);
	PG_RETURN_DATUM(HeapTupleGetDatum(result.tuple));
}

/*
 * upsert_activity(user_id text, app_id text, activity json)
 * returns activity
 */
Datum
activityfeed_upsert_activity(PG_FUNCTION_ARGS)
{
	return UpsertActivity(fcinfo, false);
}

/*
 * upsert_activity(user_id varchar, app_id varchar, activity jsonb)
 * returns activity
 */
Datum
activityfeed_upsert_activity_jsonb(PG_FUNCTION_ARGS)
{
	return UpsertActivity(fcinfo, true);
}

/*
 * The first four arguments of a function for one history item.
 */
static HistoryItemKey
HistoryItemKeyArguments(FunctionCallInfo fcinfo)
{
	HistoryItemKey key;

	key.principal = PrincipalForWrite(fcinfo);
	key.activity_id =
		DatumGetInt64(ArgumentRequired(fcinfo, 2, "activity_id"));
	key.id = *DatumGetUUIDP(ArgumentRequired(fcinfo, 3, "history_item_id"));
	return key;
}

static Datum
UpsertHistoryItem(FunctionCallInfo fcinfo, bool is_jsonb)
{
	HistoryItemKey key = HistoryItemKeyArguments(fcinfo);
	RowResult result = BeginRow(fcinfo, &history_item_shape);
	MemoryContext old_context = BeginDocument();
	DocumentRules rules = CurrentRules();
	JsonSlice text;
	HistoryItemDocument item;
	DocumentError error;

	text = DocumentArgument(fcinfo, 4, "history_item", is_jsonb, false);
	if (!DocumentReadHistoryItem(DocumentReaderCreate(&rules), text, &item,
								 &error) ||
		!DocumentCheckSameItem(&item, &key.id, rules.strict, &error))
		DocumentRaise(&error);
	ConnectSpi();
	if (StoreUpsertHistoryItem(&key, &item, KeepRow, &result) != STORE_DONE)
		RaiseNoActivity();
	FinishSpi();
	EndDocument(old_context);
	PG_RETURN_DATUM(HeapTupleGetDatum(result.tuple));
}

/*
 * upsert_history_item(user_id text, app_id text, activity_id bigint,
 *					   history_item_id uuid, history_item json)
 * returns history_item
 */
Datum
activityfeed_upsert_history_item(PG_FUNCTION_ARGS)
{
	return UpsertHistoryItem(fcinfo, false);
}

/*
 * upsert_history_item(user_id varchar, app_id varchar, activity_id bigint,
 *					   history_item_id uuid, history_item jsonb)
 * returns history_item
 */
Datum
activityfeed_upsert_history_item_jsonb(PG_FUNCTION_ARGS)
{
	return UpsertHistoryItem(fcinfo, true);
}

/*
 * touch_history_item(user_id text, app_id text, activity_id bigint,
 *					  history_item_id uuid, last_active timestamptz)
 * returns history_item
 */
Datum
activityfeed_touch_history_item(PG_FUNCTION_ARGS)
{
	HistoryItemKey key = HistoryItemKeyArguments(fcinfo);
	RowResult result = BeginRow(fcinfo, &history_item_shape);
	TimestampTz last_active;

	last_active =
		DatumGetTimestampTz(ArgumentRequired(fcinfo, 4, "last_active"));
	if (!TimestampIsStorable(last_active))
		ArgumentBadValue("last_active", "be in the years 1 to 9999");
	ConnectSpi();
	if (StoreTouchHistoryItem(&key, last_active, KeepRow, &result) !=
		STORE_DONE)
		RaiseNoHistoryItem();
	FinishSpi();
	PG_RETURN_DATUM(HeapTupleGetDatum(result.tuple));
}

/*
 * delete_activity(user_id text, app_id text, activity_id bigint)
 * returns boolean
 */
Datum
activityfeed_delete_activity(PG_FUNCTION_ARGS)
{
	Principal principal = PrincipalForWrite(fcinfo);
	int64 id = DatumGetInt64(ArgumentRequired(fcinfo, 2, "activity_id"));
	StoreOutcome outcome;

	ConnectSpi();
	outcome = StoreDeleteActivity(&principal, id);
	FinishSpi();
	PG_RETURN_BOOL(outcome == STORE_DONE);
}

/*
 * delete_history_item(user_id text, app_id text, activity_id bigint,
 *					   history_item_id uuid) returns boolean
 */
Datum
activityfeed_delete_history_item(PG_FUNCTION_ARGS)
{
	HistoryItemKey key = HistoryItemKeyArguments(fcinfo);
	StoreOutcome outcome;

	ConnectSpi();
	outcome = StoreDeleteHistoryItem(&key);
	FinishSpi();
	PG_RETURN_BOOL(outcome == STORE_DONE);
}

/*
 * ignore_activity(user_id text, app_id text, activity_id bigint,
 *				   ignored boolean) returns boolean
 */
Datum
activityfeed_ignore_activity(PG_FUNCTION_ARGS)
{
	Principal principal = PrincipalForWrite(fcinfo);
	int64 id = DatumGetInt64(ArgumentRequired(fcinfo, 2, "activity_id"));
	bool ignored = DatumGetBool(ArgumentRequired(fcinfo, 3, "ignored"));
	StoreOutcome outcome;

	ConnectSpi();
	outcome = StoreIgnoreActivity(&principal, id, ignored);
	FinishSpi();
	PG_RETURN_BOOL(outcome == STORE_DONE);
}

/*
 * get_activity(user_id text, app_id text, activity_id bigint)
 * returns setof activity
 */
Datum
activityfeed_get_activity(PG_FUNCTION_ARGS)
{
	Principal principal = PrincipalForRead(fcinfo);
	int64 id = DatumGetInt64(ArgumentRequired(fcinfo, 2, "activity_id"));
	RowResult result = BeginSet(fcinfo, &activity_shape);

	ConnectSpi();
	FeedGetActivity(&principal, id, StoreRow, &result);
	FinishSpi();
	return (Datum) 0;
}

/*
 * get_history_item(user_id text, app_id text, activity_id bigint,
 *					history_item_id uuid) returns setof history_item
 */
Datum
activityfeed_get_history_item(PG_FUNCTION_ARGS)
{
	Principal principal = PrincipalForRead(fcinfo);
	int64 activity_id;
	Datum id = ArgumentRequired(fcinfo, 3, "history_item_id");
	RowResult result = BeginSet(fcinfo, &history_item_shape);

	activity_id = DatumGetInt64(ArgumentRequired(fcinfo, 2, "activity_id"));
	ConnectSpi();
	FeedGetHistoryItem(&principal, activity_id, id, StoreRow, &result);
	FinishSpi();
	return (Datum) 0;
}

/*
 * Four arguments in a row: top, before a number, modified after and before.
 */
static FeedPage
PageArguments(FunctionCallInfo fcinfo, int first)
{
	FeedPage page;

	page.top = ArgumentTop(fcinfo, first, "top");
	page.before =
		PG_ARGISNULL(first + 1) ? PG_INT64_MAX : PG_GETARG_INT64(first + 1);
	page.modified_after = PG_ARGISNULL(first + 2)
							  ? DT_NOBEGIN
							  : PG_GETARG_TIMESTAMPTZ(first + 2);
	page.modified_before =
		PG_ARGISNULL(first + 3) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(first + 3);
	return page;
}

/*
 * activities(user_id text, app_id text, top int, before_change_number bigint,
 *			  modified_after timestamptz, modified_before timestamptz,
 *			  ignored boolean) returns setof activity
 */
Datum
activityfeed_activities(PG_FUNCTION_ARGS)
{
	Principal principal = PrincipalForRead(fcinfo);
	FeedPage page = PageArguments(fcinfo, 2);
	bool ignored = DatumGetBool(ArgumentRequired(fcinfo, 6, "ignored"));
	RowResult result = BeginSet(fcinfo, &activity_shape);

	ConnectSpi();
	FeedActivities(&principal, &page, ignored, StoreRow, StoreTuple, &result);
	FinishSpi();
	return (Datum) 0;
}

/*
 * recent_activities(user_id text, app_id text, top int,
 *					 before_history_change_number bigint,
 *					 modified_after timestamptz, modified_before timestamptz)
 * returns setof activity
 */
Datum
activityfeed_recent_activities(PG_FUNCTION_ARGS)
{
	Principal principal = PrincipalForRead(fcinfo);
	FeedPage page = PageArguments(fcinfo, 2);
	RowResult result = BeginSet(fcinfo, &activity_shape);

	ConnectSpi();
	FeedRecent(&principal, &page, StoreRow, StoreTuple, &result);
	FinishSpi();
	return (Datum) 0;
}

/*
 * history_items(user_id text, app_id text, activity_id bigint, top int,
 *				 before_change_number bigint, modified_after timestamptz,
 *				 modified_before timestamptz) returns setof history_item
 */
Datum
activityfeed_history_items(PG_FUNCTION_ARGS)
{
	Principal principal = PrincipalForRead(fcinfo);
	int64 id = DatumGetInt64(ArgumentRequired(fcinfo, 2, "activity_id"));
	FeedPage page = PageArguments(fcinfo, 3);
	RowResult result = BeginSet(fcinfo, &history_item_shape);

	ConnectSpi();
	FeedHistoryItems(&principal, id, &page, StoreRow, &result);
	FinishSpi();
	return (Datum) 0;
}

static ExternalItem
ExternalItemArguments(FunctionCallInfo fcinfo)
{
	ExternalItem item;

	PrincipalCheckService();
	item.connection_id = ArgumentId(fcinfo, 0, "connection_id", MAX_ID_LENGTH);
	item.item_id = ArgumentId(fcinfo, 1, "item_id", MAX_ID_LENGTH);
	return item;
}

static Datum
AddExternalActivities(FunctionCallInfo fcinfo, bool is_jsonb)
{
	ExternalItem item = ExternalItemArguments(fcinfo);
	RowResult result = BeginSet(fcinfo, &external_result_shape);
	MemoryContext old_context = BeginDocument();
	JsonSlice text;
	ExternalBatch batch;
	DocumentError error;

	RefuseReadOnly(fcinfo);
	text = DocumentArgument(fcinfo, 2, "activities", is_jsonb, true);
	if (!ExternalFindBatch(text, setting_strict, &batch, &error))
		DocumentRaise(&error);
	ConnectSpi();
	ExternalAdd(&item, &batch, RowAttributeType(result.expected, "type"),
				StoreRow, &result);
	FinishSpi();
	EndDocument(old_context);
	return (Datum) 0;
}

/*
 * add_external_activities(connection_id text, item_id text, activities json)
 * returns setof external_activity_result
 */
Datum
activityfeed_add_external_activities(PG_FUNCTION_ARGS)
{
	return AddExternalActivities(fcinfo, false);
}

/*
 * add_external_activities(connection_id varchar, item_id varchar,
 *						   activities jsonb)
 * returns setof external_activity_result
 */
Datum
activityfeed_add_external_activities_jsonb(PG_FUNCTION_ARGS)
{
	return AddExternalActivities(fcinfo, true);
}

/*
 * external_activities(connection_id text, item_id text, top int,
 *					   before_id bigint) returns setof external_activity
 */
Datum
activityfeed_external_activities(PG_FUNCTION_ARGS)
{
	ExternalItem item = ExternalItemArguments(fcinfo);
	int top = ArgumentTop(fcinfo, 2, "top");
	int64 before = PG_ARGISNULL(3) ? PG_INT64_MAX : PG_GETARG_INT64(3);
	RowResult result = BeginSet(fcinfo, &external_activity_shape);

	ConnectSpi();
	ExternalList(&item, top, before, StoreRow, &result);
	FinishSpi();
	return (Datum) 0;
}

/*
 * graph_write.c
 *		The PUT, DELETE and POST requests.
 *
 * A body is text that nobody has judged yet.  It is looked at for its size
 * and depth first, then PostgreSQL's own parser says whether it is JSON; that
 * parser returns what is wrong, but raises an error for a text that is nested
 * too deeply for its stack.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "catalog/namespace.h"
#include "common/jsonapi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "activityfeed.h"
#include "document_json.h"
#include "encoding.h"
#include "external.h"
#include "feed.h"
#include "graph_json.h"
#include "graph_request.h"
#include "row.h"
#include "store.h"

/* Deeper than any element that activityfeed.max_depth can allow. */
#define MAX_BATCH_DEPTH 1002

/* Longest part of a parser's message that is repeated, in bytes. */
#define MAX_PARSER_MESSAGE 256

static void
BadBody(GraphCall *call, const char *message)
{
	GraphAnswerError(call->answer, 400, "BadRequest", message, NULL);
}

/*
 * Answers with what is wrong with a document.
 */
static void
AnswerDocumentError(GraphCall *call, const DocumentError *error)
{
	const char *path = error->path;

	if (path != NULL && path[0] == '\0')
		path = NULL;
	if (error->sqlstate == ERRCODE_PROGRAM_LIMIT_EXCEEDED)
		GraphAnswerError(call->answer, 413, "RequestTooLarge", error->detail,
						 path);
	else if (strcmp(error->kind, "unknown_member") == 0 ||
			 strcmp(error->kind, "wrong_type") == 0)
		GraphAnswerError(call->answer, 400, "RequestBodyRead", error->detail,
						 path);
	else
		GraphAnswerError(call->answer, 400, "BadRequest", error->detail, path);
}

/*
 * Has PostgreSQL's parser judge a text.  Returns NULL for JSON, else what is
 * wrong, which may quote much of the text and is clipped.
 */
static char *
ParserMessage(JsonSlice text)
{
	JsonLexContext *lex;
	JsonParseErrorType error;
	char *message;
	size_t clipped;

#if PG_VERSION_NUM >= 170000
	lex = makeJsonLexContextCstringLen(NULL, text.start, text.end - text.start,
									   GetDatabaseEncoding(), false);
#else
	lex = makeJsonLexContextCstringLen(unconstify(char *, text.start),
									   text.end - text.start,
									   GetDatabaseEncoding(), false);
#endif
	error = pg_parse_json(lex, &nullSemAction);
	if (error == JSON_SUCCESS)
		return NULL;
	message = json_errdetail(error, lex);
	clipped = EncodingClip(message, strlen(message), MAX_PARSER_MESSAGE);
	return psprintf("%.*s%s", (int) clipped, message,
					message[clipped] == '\0' ? "" : "...");
}

/*
 * Answers 413 for a body that is too large, before it is unpacked.  In a
 * batch it is the elements that have a limit.
 */
static bool
CheckBodySize(GraphCall *call)
{
	Size size = toast_raw_datum_size(call->request->body) - VARHDRSZ;

	if (size <= setting_max_document_size)
		return true;
	GraphAnswerError(
		call->answer, 413, "RequestTooLarge",
		psprintf(
			"The body has %zu bytes, the limit set by activityfeed.max_document_size is %d.",
			size, setting_max_document_size),
		NULL);
	return false;
}

/*
 * Unpacks the body and makes sure that it is a JSON object; otherwise answers
 * and returns false.
 */
static bool
ReadBody(GraphCall *call, int max_depth, JsonSlice *body)
{
	text *packed;
	char *message;

	if (!call->request->has_body)
	{
		BadBody(call, "The request must have a body.");
		return false;
	}
	packed = DatumGetTextPP(call->request->body);
	*body = JsonSliceOf(VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed));
	if (JsonNestsDeeper(*body, max_depth))
	{
		BadBody(call, psprintf("The body is nested deeper than %d levels.",
							   max_depth));
		return false;
	}
	message = ParserMessage(*body);
	if (message != NULL)
		BadBody(call, psprintf("The body must be JSON. %s", message));
	else if (*body->start != '{')
		BadBody(call, psprintf("The body must be an object, not %s.",
							   DocumentJsonKind(*body)));
	return message == NULL && *body->start == '{';
}

static bool
ReadDocumentBody(GraphCall *call, JsonSlice *body)
{
	return (!call->request->has_body || CheckBodySize(call)) &&
		   ReadBody(call, setting_max_depth, body);
}

/*
 * A decoded part of the path in the server encoding; NULL, and 400 answered,
 * if that lacks one of its characters.
 */
static char *
ServerKey(GraphCall *call, int position)
{
	const char *utf8 = call->target.keys[position];

	if (EncodingCanHold(utf8, strlen(utf8)))
		return EncodingFromUtf8(utf8, strlen(utf8));
	BadBody(call,
			"The path contains a character that the server encoding lacks.");
	return NULL;
}

static DocumentRules
RulesFor(const char *app_activity_id)
{
	DocumentRules rules = {.strict = setting_strict,
						   .now = GetCurrentTimestamp(),
						   .app_activity_id = app_activity_id};

	return rules;
}

/* What a PUT has stored. */
typedef struct PutResult
{
	GraphCall *call;
	bool created;
	int64 change_number; /* of the activity */
} PutResult;

static int
CreatedOrReplaced(const PutResult *result)
{
	return result->created ? 201 : 200;
}

/*
 * A PlanRowTaker: writes the activity into the answer, without its closing
 * brace.
 */
static void
TakePutActivity(void *context, Datum *values, bool *nulls)
{
	PutResult *result = context;
	GraphCall *call = result->call;

	call->activity_id = DatumGetInt64(values[ACTIVITY_ID]);
	result->change_number = DatumGetInt64(values[ACTIVITY_CHANGE_NUMBER]);
	result->created = DatumGetTimestampTz(values[ACTIVITY_CREATED]) ==
					  DatumGetTimestampTz(values[ACTIVITY_LAST_MODIFIED]);
	GraphBeginAnswer(call, CreatedOrReplaced(result),
					 GraphContextOfUser(call, "/$entity"));
	GraphJsonActivityMembers(&call->answer->body, values, nulls);
}

/* The history items that came with an activity, newest first. */
typedef struct InsertedItems
{
	int64 after; /* change number of the activity */
	int count;
	StringInfoData *documents;
} InsertedItems;

static void
TakeInsertedItem(void *context, Datum *values, bool *nulls)
{
	InsertedItems *items = context;
	StringInfo document = &items->documents[items->count];

	if (DatumGetInt64(values[HISTORY_ITEM_CHANGE_NUMBER]) <= items->after)
		return;
	initStringInfo(document);
	GraphJsonHistoryItem(document, values, nulls);
	items->count++;
}

/*
 * Adds the history items that a PUT has inserted, in the order in which they
 * were sent.
 */
static void
AppendInsertedItems(const PutResult *result, int count)
{
	const GraphCall *call = result->call;
	StringInfo body = &call->answer->body;
	InsertedItems items = {.after = result->change_number};

	if (count == 0)
		return;
	items.documents = palloc0(count * sizeof(StringInfoData));
	FeedNewestHistory(&call->request->principal, call->activity_id, count,
					  TakeInsertedItem, &items);
	GraphJsonBeginHistory(body);
	for (int i = items.count - 1; i >= 0; i--)
	{
		appendBinaryStringInfo(body, items.documents[i].data,
							   items.documents[i].len);
		appendStringInfoString(body, i > 0 ? ", " : "");
	}
	GraphJsonEndHistory(body);
}

/*
 * Stores a document that was read, and answers.
 */
static void
StoreActivity(GraphCall *call, const ActivityDocument *activity)
{
	PutResult result = {.call = call};

	if (StoreUpsertActivity(&call->request->principal, activity,
							TakePutActivity, &result) == STORE_COLLISION)
	{
		GraphAnswerError(
			call->answer, 409, "nameAlreadyExists",
			"Another activity of this user, with another app or \"appActivityId\", has the same id.",
			"appActivityId");
		return;
	}
	AppendInsertedItems(&result, activity->history_item_count);
	appendStringInfoChar(&call->answer->body, '}');
	call->answer->location =
		psprintf("/me/activities/" INT64_FORMAT, call->activity_id);
}

/*
 * PUT /me/activities/{appActivityId}
 */
void
GraphPutActivity(GraphCall *call)
{
	char *app_activity_id = ServerKey(call, 0);
	DocumentRules rules = RulesFor(app_activity_id);
	JsonSlice body;
	ActivityDocument activity;
	DocumentError error;

	if (app_activity_id == NULL || !ReadDocumentBody(call, &body))
		return;
	if (DocumentReadActivity(DocumentReaderCreate(&rules), body, &activity,
							 &error))
		StoreActivity(call, &activity);
	else
		AnswerDocumentError(call, &error);
}

static HistoryItemKey
ItemKey(const GraphCall *call)
{
	HistoryItemKey key = {call->request->principal, call->activity_id,
						  call->item_id};

	return key;
}

static void
TakePutItem(void *context, Datum *values, bool *nulls)
{
	PutResult *result = context;
	GraphCall *call = result->call;
	char *rest = psprintf("('" INT64_FORMAT "')/historyItems/$entity",
						  call->activity_id);

	result->created = DatumGetTimestampTz(values[HISTORY_ITEM_CREATED]) ==
					  DatumGetTimestampTz(values[HISTORY_ITEM_LAST_MODIFIED]);
	GraphBeginAnswer(call, CreatedOrReplaced(result),
					 GraphContextOfUser(call, rest));
	GraphJsonHistoryItemMembers(&call->answer->body, values, nulls);
	appendStringInfoChar(&call->answer->body, '}');
}

/*
 * PUT /me/activities/{id}/historyItems/{guid}
 *
 * The activity is looked for first, so that no number is used in vain; it may
 * still be gone when the feed is locked.
 */
void
GraphPutHistoryItem(GraphCall *call)
{
	HistoryItemKey key = ItemKey(call);
	DocumentRules rules = RulesFor(NULL);
	PutResult result = {.call = call};
	JsonSlice body;
	HistoryItemDocument item;
	DocumentError error;

	if (!ReadDocumentBody(call, &body))
		return;
	if (!DocumentReadHistoryItem(DocumentReaderCreate(&rules), body, &item,
								 &error) ||
		!DocumentCheckSameItem(&item, &key.id, rules.strict, &error))
		AnswerDocumentError(call, &error);
	else if (!StoreActivityExists(&key.principal, key.activity_id) ||
			 StoreUpsertHistoryItem(&key, &item, TakePutItem, &result) !=
				 STORE_DONE)
		GraphAnswerNoActivity(call->answer);
}

/*
 * DELETE /me/activities/{id}
 */
void
GraphDeleteActivity(GraphCall *call)
{
	if (StoreDeleteActivity(&call->request->principal, call->activity_id) ==
		STORE_DONE)
		call->answer->status = 204;
	else
		GraphAnswerNoActivity(call->answer);
}

/*
 * DELETE /me/activities/{id}/historyItems/{guid}
 */
void
GraphDeleteHistoryItem(GraphCall *call)
{
	HistoryItemKey key = ItemKey(call);

	if (StoreDeleteHistoryItem(&key) == STORE_DONE)
		call->answer->status = 204;
	else
		GraphAnswerNoHistoryItem(call->answer);
}

/* The results of a batch on their way into the answer. */
typedef struct BatchResult
{
	StringInfo body;
	int count;
	bool has_refused;
} BatchResult;

static void
TakeBatchResult(void *context, Datum *values, bool *nulls)
{
	BatchResult *result = context;

	appendStringInfoString(result->body, result->count++ > 0 ? ", " : "");
	GraphJsonExternalResult(result->body, values, nulls);
	result->has_refused |= !nulls[EXTERNAL_RESULT_ERROR];
}

/*
 * The enum type of a result's type.
 */
static Oid
ExternalTypeEnum(void)
{
	return GetSysCacheOid2(
		TYPENAMENSP, Anum_pg_type_oid,
		CStringGetDatum("external_activity_type"),
		ObjectIdGetDatum(get_namespace_oid("activityfeed", false)));
}

/*
 * Reads the ids of the item in the path; answers 400 for one that is too
 * long.
 */
static bool
ReadExternalItem(GraphCall *call, ExternalItem *item)
{
	char *connection = ServerKey(call, 0);
	char *name = connection == NULL ? NULL : ServerKey(call, 1);

	if (name == NULL)
		return false;
	if (strlen(connection) > MAX_ID_LENGTH || strlen(name) > MAX_ID_LENGTH)
	{
		BadBody(call, psprintf("An id in the path must have at most %d bytes.",
							   MAX_ID_LENGTH));
		return false;
	}
	item->connection_id = CStringGetTextDatum(connection);
	item->item_id = CStringGetTextDatum(name);
	return true;
}

/*
 * POST /external/connections/{connection}/items/{item}/addActivities
 */
void
GraphAddExternalActivities(GraphCall *call)
{
	BatchResult result = {.body = &call->answer->body};
	ExternalItem item;
	JsonSlice body;
	ExternalBatch batch;
	DocumentError error;

	PrincipalCheckService();
	if (!ReadExternalItem(call, &item) ||
		!ReadBody(call, MAX_BATCH_DEPTH, &body))
		return;
	if (!ExternalFindBatch(body, setting_strict, &batch, &error))
	{
		AnswerDocumentError(call, &error);
		return;
	}
	GraphBeginAnswer(
		call, 200,
		"Collection(microsoft.graph.externalConnectors.externalActivityResult)");
	appendStringInfoString(result.body, ", \"value\": [");
	ExternalAdd(&item, &batch, ExternalTypeEnum(), TakeBatchResult, &result);
	appendStringInfoString(result.body, "]}");
	call->answer->status = result.has_refused ? 207 : 200;
}

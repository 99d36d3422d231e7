/*
 * graph_request.c
 *		Which request is answered by what; errors as answers.
 *
 * A table says which method of which resource is handled by which function
 * and takes which query options.  A request is judged in this order: its
 * target (400, 404), its method (405), its ids (404, 400), its options (400),
 * its body (400, 413), and then by what is stored (404, 409).
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "activityfeed.h"
#include "encoding.h"
#include "graph_json.h"
#include "graph_request.h"

#define LIST_OPTIONS \
	(ODATA_TOP | ODATA_FILTER | ODATA_EXPAND | ODATA_SKIPTOKEN)

typedef struct Route
{
	OdataResource resource;
	const char *method;
	int options; /* that may be given */
	void (*handle)(GraphCall *call);
} Route;

static const Route routes[] = {
	{ODATA_ACTIVITIES, "GET", LIST_OPTIONS, GraphListActivities},
	{ODATA_RECENT, "GET", LIST_OPTIONS, GraphListRecent},
	{ODATA_RECENT, "PUT", 0, GraphPutActivity},
	{ODATA_ACTIVITY, "GET", ODATA_EXPAND, GraphGetActivity},
	{ODATA_ACTIVITY, "PUT", 0, GraphPutActivity},
	{ODATA_ACTIVITY, "DELETE", 0, GraphDeleteActivity},
	{ODATA_HISTORY_ITEMS, "GET", LIST_OPTIONS & ~ODATA_EXPAND,
	 GraphListHistoryItems},
	{ODATA_HISTORY_ITEM, "GET", 0, GraphGetHistoryItem},
	{ODATA_HISTORY_ITEM, "PUT", 0, GraphPutHistoryItem},
	{ODATA_HISTORY_ITEM, "DELETE", 0, GraphDeleteHistoryItem},
	{ODATA_ADD_ACTIVITIES, "POST", 0, GraphAddExternalActivities}};

/*
 * Makes the answer an error.  target, what of the request is wrong, may be
 * NULL.
 */
void
GraphAnswerError(GraphAnswer *answer, int status, const char *code,
				 const char *message, const char *target)
{
	StringInfo body = &answer->body;

	answer->status = status;
	answer->location = NULL;
	resetStringInfo(body);
	appendStringInfoString(body, "{\"error\": {");
	GraphJsonStringMember(body, "code", code);
	GraphJsonStringMember(body, "message", message);
	if (target != NULL)
		GraphJsonStringMember(body, "target", target);
	appendStringInfoString(body, "}}");
}

void
GraphAnswerNoActivity(GraphAnswer *answer)
{
	GraphAnswerError(answer, 404, "itemNotFound",
					 "The user has no activity with this id in this app.",
					 NULL);
}

void
GraphAnswerNoHistoryItem(GraphAnswer *answer)
{
	GraphAnswerError(answer, 404, "itemNotFound",
					 "The activity has no history item with this id.", NULL);
}

/*
 * Begins a good answer: an object whose members follow.  context is what
 * comes after "$metadata#".
 */
void
GraphBeginAnswer(GraphCall *call, int status, const char *context)
{
	StringInfo body = &call->answer->body;

	call->answer->status = status;
	resetStringInfo(body);
	appendStringInfoChar(body, '{');
	GraphJsonStringMember(
		body, "@odata.context",
		psprintf("%s/$metadata#%s", call->target.root, context));
}

/*
 * The context of something that belongs to the user.
 */
char *
GraphContextOfUser(const GraphCall *call, const char *rest)
{
	text *user = (text *) DatumGetPointer(call->request->principal.user_id);
	size_t length = VARSIZE_ANY_EXHDR(user);
	const char *utf8 = EncodingToUtf8(VARDATA_ANY(user), &length);
	StringInfoData context;

	initStringInfo(&context);
	appendStringInfoString(&context, "users('");
	for (size_t i = 0; i < length; i++)
	{
		char character[2] = {utf8[i], '\0'};

		/* a quote inside of quotes is written twice */
		if (utf8[i] == '\'')
			OdataAppendEncoded(&context, character);
		OdataAppendEncoded(&context, character);
	}
	appendStringInfo(&context, "')/activities%s", rest);
	return context.data;
}

/*
 * Whether a target that names a user names the one whose feed this is.
 */
static bool
IsOwnUser(const GraphCall *call)
{
	text *user = (text *) DatumGetPointer(call->request->principal.user_id);
	size_t length = VARSIZE_ANY_EXHDR(user);
	const char *utf8 = EncodingToUtf8(VARDATA_ANY(user), &length);

	return call->target.user == NULL ||
		   (strlen(call->target.user) == length &&
			memcmp(call->target.user, utf8, length) == 0);
}

/*
 * Reads an id as the store writes it: decimal, without leading zeros.  What
 * goes beyond 63 bits is nobody's id, as any other text.
 */
static bool
ParseActivityId(const char *text, int64 *id)
{
	uint64 number = 0;
	size_t length = strlen(text);

	if (length < 1 || length > 19 || strspn(text, "0123456789") != length ||
		(text[0] == '0' && length > 1))
		return false;
	for (size_t i = 0; i < length; i++)
		number = number * 10 + (text[i] - '0');
	*id = (int64) number;
	return number <= PG_INT64_MAX;
}

/*
 * Reads the ids in the path.
 */
static bool
ReadKeys(GraphCall *call, const char *method)
{
	OdataTarget *target = &call->target;
	bool is_item = target->resource == ODATA_HISTORY_ITEM;

	if (target->resource == ODATA_ACTIVITY && strcmp(method, "PUT") == 0)
		return true;
	if (is_item && !DocumentParseGuid(target->keys[1], strlen(target->keys[1]),
									  &call->item_id))
	{
		GraphAnswerError(
			call->answer, 400, "BadRequest",
			"The id of a history item must be a GUID, such as 61fc8f36-919f-4b73-89d4-1cb7b159d912.",
			NULL);
		return false;
	}
	if ((is_item || target->resource == ODATA_ACTIVITY ||
		 target->resource == ODATA_HISTORY_ITEMS) &&
		!ParseActivityId(target->keys[0], &call->activity_id))
	{
		GraphAnswerNoActivity(call->answer);
		return false;
	}
	return true;
}

static void
AnswerOdataError(GraphCall *call, const OdataError *error)
{
	GraphAnswerError(call->answer, 400, "BadRequest", error->message,
					 error->option);
}

static bool
ReadOptions(GraphCall *call, int allowed)
{
	OdataError error;

	if (!OdataParseOptions(call->target.query, &call->options, &error))
	{
		AnswerOdataError(call, &error);
		return false;
	}
	if ((call->options.given & ~allowed) != 0)
	{
		GraphAnswerError(
			call->answer, 400, "BadRequest",
			"The query has an option that this request does not support.",
			NULL);
		return false;
	}
	return true;
}

/*
 * Says which methods the resource has.
 */
static void
AnswerMethodNotAllowed(GraphCall *call)
{
	StringInfoData message;
	const char *separator = "";

	initStringInfo(&message);
	appendStringInfoString(&message, "The methods of this resource are: ");
	for (int i = 0; i < lengthof(routes); i++)
	{
		if (routes[i].resource != call->target.resource)
			continue;
		appendStringInfo(&message, "%s%s", separator, routes[i].method);
		separator = ", ";
	}
	appendStringInfoChar(&message, '.');
	GraphAnswerError(call->answer, 405, "MethodNotAllowed", message.data,
					 NULL);
}

static const Route *
FindRoute(OdataResource resource, const char *method)
{
	for (int i = 0; i < lengthof(routes); i++)
	{
		if (routes[i].resource == resource &&
			pg_strcasecmp(routes[i].method, method) == 0)
			return &routes[i];
	}
	return NULL;
}

/*
 * A GET sees what the statement that it is part of has written before, and
 * all of it under one snapshot.
 */
static void
Handle(GraphCall *call, const Route *route)
{
	bool reads = strcmp(route->method, "GET") == 0;

	if (reads)
	{
		CommandCounterIncrement();
		PushActiveSnapshot(GetTransactionSnapshot());
	}
	route->handle(call);
	if (reads)
		PopActiveSnapshot();
}

static bool
ReadTarget(GraphCall *call)
{
	const char *text = call->request->target;
	size_t length = strlen(text);
	OdataError error;

	if (EncodingConvertibleLength(text, length) < length)
	{
		GraphAnswerError(call->answer, 400, "BadRequest",
						 "The target has a character that Unicode lacks.",
						 NULL);
		return false;
	}
	if (!OdataParseTarget(EncodingToUtf8(text, &length), &call->target,
						  &error))
	{
		AnswerOdataError(call, &error);
		return false;
	}
	if (call->target.resource == ODATA_NOTHING || !IsOwnUser(call))
	{
		GraphAnswerError(call->answer, 404, "ResourceNotFound",
						 "There is no such resource.", NULL);
		return false;
	}
	return true;
}

void
GraphRequestAnswer(const GraphRequest *request, GraphAnswer *answer)
{
	GraphCall call = {.request = request, .answer = answer};
	const Route *route;

	memset(answer, 0, sizeof(*answer));
	initStringInfo(&answer->body);
	if (!ReadTarget(&call))
		return;
	route = FindRoute(call.target.resource, request->method);
	if (route == NULL)
		AnswerMethodNotAllowed(&call);
	else if (ReadKeys(&call, route->method) &&
			 ReadOptions(&call, route->options))
		Handle(&call, route);
}

/*
 * Whether a request of this method needs an app to write to.
 */
bool
GraphMethodWritesFeed(const char *method)
{
	return pg_strcasecmp(method, "PUT") == 0 ||
		   pg_strcasecmp(method, "DELETE") == 0;
}

/*
 * request.c
 *		Fuzz target: which request is answered by what.
 *
 * The handlers of the requests are replaced by one that looks at what it was
 * handed.  Every request comes to one of them or to an error that is JSON.
 */
#include "postgres.h"

#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "utils/snapmgr.h"

#include "encoding.h"
#include "graph_json.h"
#include "graph_request.h"
#include "server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const methods[] = {"GET",  "PUT",   "DELETE", "POST",
									  "HEAD", "patch", "get",	 ""};
static int handled;
static int snapshots;

/* What the server does around a GET */

void
CommandCounterIncrement(void)
{
}

Snapshot
GetTransactionSnapshot(void)
{
	return NULL;
}

void
PushActiveSnapshot(Snapshot snapshot)
{
	snapshots++;
}

void
PopActiveSnapshot(void)
{
	snapshots--;
}

/*
 * A member of an answer.  Texts are the module's own, or quote a URL.
 */
void
GraphJsonStringMember(StringInfo out, const char *name, const char *string)
{
	if (out->data[out->len - 1] != '{')
		appendStringInfoString(out, ", ");
	appendStringInfo(out, "\"%s\": \"", name);
	for (const char *p = string; *p != '\0'; p++)
	{
		if (*p == '"' || *p == '\\')
			appendStringInfoChar(out, '\\');
		appendStringInfoChar(out, *p);
	}
	appendStringInfoChar(out, '"');
}

/* Handlers */

static void
RequireOwnIds(GraphCall *call, bool has_item)
{
	Require(strcmp(call->target.keys[0],
				   psprintf(INT64_FORMAT, call->activity_id)) == 0);
	if (has_item)
	{
		StringInfoData id;

		initStringInfo(&id);
		for (int i = 0; i < UUID_LEN; i++)
			appendStringInfo(&id, "%s%02x",
							 i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
							 call->item_id.data[i]);
		Require(pg_strcasecmp(id.data, call->target.keys[1]) == 0);
	}
}

/*
 * The user's name in the context, decoded, is the user.
 */
static void
RequireOwnUser(GraphCall *call)
{
	char *context = GraphContextOfUser(call, "");
	OdataTarget target;
	OdataError error;
	text *user = (text *) DatumGetPointer(call->request->principal.user_id);
	size_t length = VARSIZE_ANY_EXHDR(user);
	const char *utf8 = EncodingToUtf8(VARDATA_ANY(user), &length);
	StringInfoData expected;

	/* where the server does not know what its bytes mean, it hands them on */
	if (pg_encoding_verifymbstr(PG_UTF8, utf8, (int) length) != length)
		return;
	initStringInfo(&expected);
	for (size_t i = 0; i < length; i++)
		appendStringInfo(&expected, utf8[i] == '\'' ? "''" : "%c", utf8[i]);
	context = pnstrdup(context + strlen("users('"),
					   strlen(context) - strlen("users('')/activities"));
	Require(OdataParseTarget(psprintf("/users/%s/activities", context),
							 &target, &error));
	Require(strcmp(target.user, expected.data) == 0);
	if (call->target.user != NULL)
		Require(strlen(call->target.user) == length &&
				memcmp(call->target.user, utf8, length) == 0);
}

static void
Handle(GraphCall *call, bool reads, bool has_activity, bool has_item)
{
	handled++;
	Require(snapshots == (reads ? 1 : 0));
	Require(reads || call->options.given == 0);
	if (has_activity)
		RequireOwnIds(call, has_item);
	RequireOwnUser(call);
	GraphBeginAnswer(call, 200, "x");
	appendStringInfoChar(&call->answer->body, '}');
}

void
GraphListActivities(GraphCall *call)
{
	Handle(call, true, false, false);
}

void
GraphListRecent(GraphCall *call)
{
	Handle(call, true, false, false);
}

void
GraphGetActivity(GraphCall *call)
{
	Handle(call, true, true, false);
}

void
GraphListHistoryItems(GraphCall *call)
{
	Handle(call, true, true, false);
}

void
GraphGetHistoryItem(GraphCall *call)
{
	Handle(call, true, true, true);
}

void
GraphPutActivity(GraphCall *call)
{
	Require(call->target.keys[0] != NULL && call->target.keys[0][0] != '\0');
	Handle(call, false, false, false);
}

void
GraphPutHistoryItem(GraphCall *call)
{
	Handle(call, false, true, true);
}

void
GraphDeleteActivity(GraphCall *call)
{
	Handle(call, false, true, false);
}

void
GraphDeleteHistoryItem(GraphCall *call)
{
	Handle(call, false, true, true);
}

void
GraphAddExternalActivities(GraphCall *call)
{
	Require(call->target.keys[0] != NULL && call->target.keys[1] != NULL);
	Handle(call, false, false, false);
}

static void
RequireAnswer(const GraphAnswer *answer)
{
	Require(handled == (answer->status == 200 ? 1 : 0) && snapshots == 0);
	Require(answer->status == 200 || answer->status == 400 ||
			answer->status == 404 || answer->status == 405);
	Require(IsServerText(answer->body.data, answer->body.len));
	Require(IsJson(answer->body.data, answer->body.len, true));
}

static Datum
TextDatum(const char *string, size_t length)
{
	text *value = palloc(VARHDRSZ + length);

	SET_VARSIZE(value, VARHDRSZ + length);
	memcpy(VARDATA(value), string, length);
	return PointerGetDatum(value);
}

/*
 * The first byte chooses encoding and method; then comes the target, and in a
 * line of its own the user.
 */
static void
Try(const char *input, size_t size)
{
	GraphRequest request = {0};
	GraphAnswer answer;
	const char *line;
	const char *user = "ada";

	if (size < 1 || !IsServerText(input + 1, size - 1))
		return;
	server_encoding = server_encodings[(*input & 0x3) % 3];
	if (!IsServerText(input + 1, size - 1))
		return;
	request.method = methods[*input >> 2 & 0x7];
	request.target = pnstrdup(input + 1, size - 1);
	line = strchr(request.target, '\n');
	if (line != NULL && line[1] != '\0')
	{
		user = line + 1;
		request.target = pnstrdup(request.target, line - request.target);
	}
	/* such a user has no feed: the id of an activity could not be made */
	if (EncodingConvertibleLength(user, strlen(user)) < strlen(user))
		return;
	request.principal.user_id = TextDatum(user, strlen(user));
	handled = snapshots = 0;
	GraphRequestAnswer(&request, &answer);
	RequireAnswer(&answer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	RunInContext(Try, data, size);
	return 0;
}

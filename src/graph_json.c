/*
 * graph_json.c
 *		Rows as the documents that go over the wire.
 *
 * Documents are appended to a string as they go; every member is there, null
 * ones as explicit null.  Spaces are as in jsonb's output, which some of the
 * members are.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "activityfeed.h"
#include "graph_json.h"
#include "json_text.h"
#include "row.h"
#include "timestamp.h"

#define UUID_TEXT_LENGTH 36
#define MAX_INTEGER_LENGTH 21 /* with sign and end */

/*
 * Appends what comes before a member's value.  No name has anything to escape.
 */
static void
BeginMember(StringInfo out, const char *name)
{
	int length = (int) strlen(name);
	char *to;

	JsonTextReserve(out, length + 6);
	to = out->data + out->len;
	if (to[-1] != '{')
	{
		*to++ = ',';
		*to++ = ' ';
	}
	*to++ = '"';
	memcpy(to, name, length);
	to += length;
	*to++ = '"';
	*to++ = ':';
	*to++ = ' ';
	*to = '\0';
	out->len = (int) (to - out->data);
}

/*
 * Appends a member up to its value, or all of it when it is null.  Returns
 * whether the value is to follow.
 */
static bool
BeginOrNull(StringInfo out, const char *name, bool isnull)
{
	BeginMember(out, name);
	if (isnull)
		appendBinaryStringInfo(out, "null", 4);
	return !isnull;
}

static void
AppendText(StringInfo out, const char *name, Datum value, bool isnull)
{
	if (BeginOrNull(out, name, isnull))
	{
		text *string = DatumGetTextPP(value);

		JsonTextString(out, VARDATA_ANY(string), VARSIZE_ANY_EXHDR(string));
		if ((Pointer) string != DatumGetPointer(value))
			pfree(string);
	}
}

static void
AppendTime(StringInfo out, const char *name, Datum value, bool isnull)
{
	if (BeginOrNull(out, name, isnull))
	{
		appendStringInfoCharMacro(out, '"');
		TimestampAppend(out, DatumGetTimestampTz(value));
		appendStringInfoCharMacro(out, '"');
	}
}

static void
AppendJsonb(StringInfo out, const char *name, Datum value, bool isnull)
{
	if (BeginOrNull(out, name, isnull))
	{
		Jsonb *jsonb = DatumGetJsonbP(value);

		JsonTextJsonb(out, jsonb);
		if ((Pointer) jsonb != DatumGetPointer(value))
			pfree(jsonb);
	}
}

static void
AppendEnum(StringInfo out, const char *name, Datum value, bool isnull)
{
	if (BeginOrNull(out, name, isnull))
	{
		const char *label = RowLabelOf(value);

		JsonTextString(out, label, (int) strlen(label));
	}
}

/*
 * Ids are strings: they go beyond what JavaScript's numbers hold exactly.
 */
static void
AppendId(StringInfo out, const char *name, Datum value, bool isnull)
{
	if (BeginOrNull(out, name, isnull))
	{
		char digits[MAX_INTEGER_LENGTH];

		JsonTextString(out, digits, pg_lltoa(DatumGetInt64(value), digits));
	}
}

static void
AppendUuid(StringInfo out, const char *name, Datum value, bool isnull)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *uuid;
	char text[UUID_TEXT_LENGTH];
	int length = 0;

	if (!BeginOrNull(out, name, isnull))
		return;
	uuid = DatumGetUUIDP(value)->data;
	for (int i = 0; i < UUID_LEN; i++)
	{
		if (i == 4 || i == 6 || i == 8 || i == 10)
			text[length++] = '-';
		text[length++] = digits[uuid[i] >> 4];
		text[length++] = digits[uuid[i] & 0xf];
	}
	JsonTextString(out, text, length);
}

static void
AppendInteger(StringInfo out, const char *name, Datum value, bool isnull)
{
	if (BeginOrNull(out, name, isnull))
	{
		char digits[MAX_INTEGER_LENGTH];

		appendBinaryStringInfo(out, digits,
							   pg_ltoa(DatumGetInt32(value), digits));
	}
}

#define COLUMN(column) values[column], nulls[column]

void
GraphJsonActivityMembers(StringInfo out, const Datum *values,
						 const bool *nulls)
{
	AppendId(out, "id", COLUMN(ACTIVITY_ID));
	AppendText(out, "appActivityId", COLUMN(ACTIVITY_APP_ACTIVITY_ID));
	AppendText(out, "activitySourceHost", COLUMN(ACTIVITY_SOURCE_HOST));
	AppendText(out, "activationUrl", COLUMN(ACTIVITY_ACTIVATION_URL));
	AppendText(out, "appDisplayName", COLUMN(ACTIVITY_APP_DISPLAY_NAME));
	AppendText(out, "contentUrl", COLUMN(ACTIVITY_CONTENT_URL));
	AppendText(out, "fallbackUrl", COLUMN(ACTIVITY_FALLBACK_URL));
	AppendText(out, "userTimezone", COLUMN(ACTIVITY_USER_TIMEZONE));
	AppendJsonb(out, "visualElements", COLUMN(ACTIVITY_VISUAL_ELEMENTS));
	AppendJsonb(out, "contentInfo", COLUMN(ACTIVITY_CONTENT_INFO));
	AppendEnum(out, "status", COLUMN(ACTIVITY_STATUS));
	AppendTime(out, "createdDateTime", COLUMN(ACTIVITY_CREATED));
	AppendTime(out, "lastModifiedDateTime", COLUMN(ACTIVITY_LAST_MODIFIED));
	AppendTime(out, "expirationDateTime", COLUMN(ACTIVITY_EXPIRATION));
}

/*
 * Appends an activity without its closing brace.
 */
void
GraphJsonBeginActivity(StringInfo out, const Datum *values, const bool *nulls)
{
	appendStringInfoChar(out, '{');
	GraphJsonActivityMembers(out, values, nulls);
}

void
GraphJsonEndActivity(StringInfo out)
{
	appendStringInfoChar(out, '}');
}

void
GraphJsonActivity(StringInfo out, const Datum *values, const bool *nulls)
{
	GraphJsonBeginActivity(out, values, nulls);
	GraphJsonEndActivity(out);
}

void
GraphJsonHistoryItemMembers(StringInfo out, const Datum *values,
							const bool *nulls)
{
	AppendUuid(out, "id", COLUMN(HISTORY_ITEM_ID));
	AppendTime(out, "startedDateTime", COLUMN(HISTORY_ITEM_STARTED));
	AppendTime(out, "lastActiveDateTime", COLUMN(HISTORY_ITEM_LAST_ACTIVE));
	AppendInteger(out, "activeDurationSeconds", COLUMN(HISTORY_ITEM_DURATION));
	AppendText(out, "userTimezone", COLUMN(HISTORY_ITEM_USER_TIMEZONE));
	AppendEnum(out, "status", COLUMN(HISTORY_ITEM_STATUS));
	AppendTime(out, "createdDateTime", COLUMN(HISTORY_ITEM_CREATED));
	AppendTime(out, "lastModifiedDateTime",
			   COLUMN(HISTORY_ITEM_LAST_MODIFIED));
	AppendTime(out, "expirationDateTime", COLUMN(HISTORY_ITEM_EXPIRATION));
}

void
GraphJsonHistoryItem(StringInfo out, const Datum *values, const bool *nulls)
{
	appendStringInfoChar(out, '{');
	GraphJsonHistoryItemMembers(out, values, nulls);
	appendStringInfoChar(out, '}');
}

/*
 * Begins the member historyItems of an activity.
 */
void
GraphJsonBeginHistory(StringInfo out)
{
	BeginMember(out, "historyItems");
	appendStringInfoChar(out, '[');
}

void
GraphJsonNextHistoryItem(StringInfo out, const Datum *values,
						 const bool *nulls)
{
	if (out->data[out->len - 1] != '[')
		appendStringInfoString(out, ", ");
	GraphJsonHistoryItem(out, values, nulls);
}

void
GraphJsonEndHistory(StringInfo out)
{
	appendStringInfoChar(out, ']');
}

void
GraphJsonExternalResult(StringInfo out, const Datum *values, const bool *nulls)
{
	appendStringInfoString(
		out,
		"{\"@odata.type\": \"#microsoft.graph.externalConnectors.externalActivityResult\"");
	AppendEnum(out, "type", COLUMN(EXTERNAL_RESULT_TYPE));
	AppendTime(out, "startDateTime", COLUMN(EXTERNAL_RESULT_START));
	AppendJsonb(out, "error", COLUMN(EXTERNAL_RESULT_ERROR));
	appendStringInfoChar(out, '}');
}

void
GraphJsonStringMember(StringInfo out, const char *name, const char *string)
{
	if (BeginOrNull(out, name, string == NULL))
		JsonTextString(out, string, (int) strlen(string));
}

/*
 * Appends what Graph calls a public error: {code, message, target, details,
 * innerError}.  The sentence that names the member is the message.
 */
void
GraphJsonError(StringInfo out, const DocumentError *error)
{
	appendStringInfoChar(out, '{');
	GraphJsonStringMember(out, "code",
						  error->sqlstate == ERRCODE_PROGRAM_LIMIT_EXCEEDED
							  ? "RequestTooLarge"
							  : "BadRequest");
	GraphJsonStringMember(out, "message", error->detail);
	GraphJsonStringMember(out, "target",
						  error->path && error->path[0] != '\0' ? error->path
																: NULL);
	BeginMember(out, "details");
	appendStringInfoString(out, "[]");
	GraphJsonStringMember(out, "innerError", NULL);
	appendStringInfoChar(out, '}');
}

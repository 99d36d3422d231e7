/*
 * odata.c
 *		Fuzz target: targets, query options and tokens.
 *
 * What was read says the same when it is written again.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/timestamp.h"

#include "odata.h"
#include "server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
RequireGoodOdataError(const OdataError *error)
{
	Require(error->message != NULL);
	for (const char *p = error->message; *p != '\0'; p++)
		Require(*p >= ' ' && *p < 0x7f);
}

static void
RequireSameFilter(const OdataFilter *one, const OdataFilter *other)
{
	Require(one->after == other->after && one->before == other->before);
	Require(one->after == DT_NOBEGIN || one->after % 1000 == -1 ||
			one->after % 1000 == 999);
}

/*
 * A token is ours, or is refused; one that is ours is good for its own list
 * only.
 */
static void
TryToken(const char *text)
{
	OdataToken token = {.list = (OdataList) text[0]};
	StringInfoData again;

	if (!OdataParseToken(text, &token))
		return;
	initStringInfo(&again);
	OdataAppendToken(&again, &token);
	Require(strcmp(again.data, text) == 0);
	Require(token.before >= 0 && token.left >= ODATA_NO_LIMIT);
	token.activity_id++;
	Require(!OdataParseToken(text, &token));
}

/*
 * Options that are handed on in a link are the ones that came.
 */
static void
TryOptions(const char *query)
{
	OdataOptions options;
	OdataOptions again;
	OdataError error;
	StringInfoData link;

	if (!OdataParseOptions(query, &options, &error))
	{
		RequireGoodOdataError(&error);
		return;
	}
	initStringInfo(&link);
	OdataAppendOtherOptions(&link, query);
	for (char *p = link.data; *p != '\0'; p++)
		Require(*p > ' ' && *p < 0x7f);
	Require(OdataParseOptions(link.data, &again, &error));
	Require(again.given == (options.given & ~ODATA_SKIPTOKEN));
	Require(again.top == options.top && again.top >= 0);
	RequireSameFilter(&again.filter, &options.filter);
	RequireSameFilter(&again.nested_filter, &options.nested_filter);
	if (options.skiptoken != NULL)
		TryToken(options.skiptoken);
}

/*
 * What goes into links is in ASCII, and needs no more encoding.
 */
static void
RequireForLink(const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		Require(*p > ' ' && *p < 0x7f && strchr("\"<>\\^`{|}", *p) == NULL);
}

static void
RequireSameKey(const char *one, const char *other)
{
	Require((one == NULL) == (other == NULL));
	Require(one == NULL || strcmp(one, other) == 0);
}

/*
 * A target's root and path are a target for the same resource.
 */
static void
TryTarget(const char *text)
{
	OdataTarget target;
	OdataTarget again;
	OdataError error;

	if (!OdataParseTarget(text, &target, &error))
	{
		RequireGoodOdataError(&error);
		return;
	}
	TryOptions(target.query);
	if (target.resource == ODATA_NOTHING)
		return;
	Require(OdataParseTarget(psprintf("%s%s", target.root, target.path),
							 &again, &error));
	Require(again.resource == target.resource);
	RequireForLink(target.root);
	RequireForLink(target.path);
	Require(strncmp(target.path, target.base, strlen(target.base)) == 0);
	RequireSameKey(again.user, target.user);
	RequireSameKey(again.keys[0], target.keys[0]);
	RequireSameKey(again.keys[1], target.keys[1]);
	RequireSameKey(again.root, target.root);
	RequireSameKey(again.path, target.path);
}

/*
 * Any text can be a user and a key, once it is encoded.
 */
static void
TryEncoded(const char *text)
{
	StringInfoData path;
	OdataTarget target;
	OdataError error;
	bool is_text =
		text[0] != '\0' &&
		pg_encoding_verifymbstr(PG_UTF8, text, strlen(text)) == strlen(text);

	initStringInfo(&path);
	appendStringInfoString(&path, "/users/");
	OdataAppendEncoded(&path, text);
	appendStringInfoString(&path, "/activities/");
	OdataAppendEncoded(&path, text);
	appendStringInfoString(&path, "/historyItems/");
	OdataAppendEncoded(&path, text);
	if (!is_text)
		return;
	Require(OdataParseTarget(path.data, &target, &error));
	Require(target.resource == ODATA_HISTORY_ITEM && target.query == NULL);
	RequireSameKey(target.user, text);
	RequireSameKey(target.keys[0], text);
	RequireSameKey(target.keys[1], text);
	RequireSameKey(target.path, path.data);
}

/*
 * Any numbers survive as a token; a token with another character does not.
 */
static void
TryNumbers(const char *text, size_t length)
{
	static const char lists[] = {ODATA_LIST_ACTIVITIES, ODATA_LIST_RECENT,
								 ODATA_LIST_HISTORY};
	OdataToken token = {.list = (OdataList) lists[length % 3]};
	OdataToken again = {.list = token.list};
	StringInfoData written;

	if (length < 20)
		return;
	memcpy(&token.activity_id, text, 8);
	memcpy(&token.before, text + 8, 8);
	memcpy(&token.left, text + 16, 4);
	token.before &= PG_INT64_MAX;
	token.left = Max(token.left, ODATA_NO_LIMIT);
	again.activity_id = token.activity_id;
	initStringInfo(&written);
	OdataAppendToken(&written, &token);
	Require(OdataParseToken(written.data, &again));
	Require(again.before == token.before && again.left == token.left);
	written.data[length % written.len] ^= 1;
	Require(!OdataParseToken(written.data, &again));
}

static void
Try(const char *input, size_t size)
{
	char *text = pnstrdup(input, size);

	TryTarget(text);
	TryOptions(text);
	TryEncoded(text);
	TryNumbers(input, size);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	RunInContext(Try, data, size);
	return 0;
}

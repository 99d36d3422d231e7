/*
 * document.c
 *		Fuzz target: from JSON text to what a document says.
 *
 * Whatever PostgreSQL's parser takes as JSON is read or refused in words, is
 * never too much for json-c, and leaves no memory behind.  What was read is
 * what PostgreSQL's parser finds in the text.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "document_json.h"
#include "judge.h"
#include "server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bits of the first byte of an input. */
#define KIND 3
#define ENCODING 12
#define NOT_STRICT 16
#define SHALLOW 32

/*
 * The encodings for whose escapes the parser can be asked.
 */
static bool
CanJudge(void)
{
	return server_encoding != PG_WIN1252;
}

/*
 * found is what was read of a string member, which others may have set if the
 * document does not.
 */
static void
RequireString(const Judged *judged, const char *name, const char *found)
{
	const JudgedPart *member = JudgedMember(judged, name);
	char *string = member != NULL ? JudgedString(member->value) : NULL;

	if (string == NULL)
		Require(found == NULL);
	else
		Require(found != NULL && strcmp(string, found) == 0);
}

static void
RequireOpaque(const Judged *judged, const char *name, JsonSlice found)
{
	const JudgedPart *member = JudgedMember(judged, name);

	if (member == NULL || *member->value.start != '{')
		Require(found.start == NULL);
	else
		Require(found.start == member->value.start &&
				found.end == member->value.end);
}

static void
RequireVisualElements(const Judged *activity,
					  const VisualElementsDocument *visual)
{
	const JudgedPart *member = JudgedMember(activity, "visualElements");
	const JudgedPart *attribution;
	Judged judged = Judge(member->value);

	RequireString(&judged, "displayText", visual->display_text);
	RequireString(&judged, "description", visual->description);
	RequireString(&judged, "backgroundColor", visual->background_color);
	RequireOpaque(&judged, "content", visual->content);
	attribution = JudgedMember(&judged, "attribution");
	Require((visual->attribution != NULL) ==
			(attribution != NULL && *attribution->value.start == '{'));
	if (visual->attribution == NULL)
		return;
	judged = Judge(attribution->value);
	RequireString(&judged, "iconUrl", visual->attribution->icon_url);
	RequireString(&judged, "alternateText",
				  visual->attribution->alternate_text);
	RequireString(&judged, "alternativeText",
				  visual->attribution->alternative_text);
}

static void
RequireActivity(JsonSlice text, const ActivityDocument *activity,
				const DocumentRules *rules)
{
	Judged judged = Judge(text);
	const JudgedPart *history;

	if (rules->app_activity_id == NULL)
		RequireString(&judged, "appActivityId", activity->app_activity_id);
	RequireString(&judged, "activitySourceHost",
				  activity->activity_source_host);
	RequireString(&judged, "activationUrl", activity->activation_url);
	RequireString(&judged, "appDisplayName", activity->app_display_name);
	RequireString(&judged, "contentUrl", activity->content_url);
	RequireString(&judged, "fallbackUrl", activity->fallback_url);
	RequireString(&judged, "userTimezone", activity->user_timezone);
	RequireOpaque(&judged, "contentInfo", activity->content_info);
	RequireVisualElements(&judged, activity->visual_elements);
	history = JudgedMember(&judged, "historyItems");
	Require(activity->history_item_count ==
			(history != NULL ? Judge(history->value).count : 0));
}

/*
 * Requires that only what can be stored was taken.
 */
static bool
Settle(JsonSlice text, bool good, const DocumentError *error)
{
	if (!good)
		RequireGoodError(error);
	else if (CanJudge())
		Require(Judge(text).is_json);
	return good && CanJudge();
}

static void
TryActivity(DocumentReader *reader, JsonSlice text, const DocumentRules *rules)
{
	ActivityDocument activity;
	DocumentError error;
	bool good = DocumentReadActivity(reader, text, &activity, &error);

	if (Settle(text, good, &error))
		RequireActivity(text, &activity, rules);
}

static void
TryHistoryItem(DocumentReader *reader, JsonSlice text)
{
	HistoryItemDocument item;
	DocumentError error;
	bool good = DocumentReadHistoryItem(reader, text, &item, &error);

	if (good)
		Require(item.started.given && item.duration >= 0 &&
				item.duration <= PG_INT32_MAX);
	if (Settle(text, good, &error))
	{
		Judged judged = Judge(text);

		RequireString(&judged, "userTimezone", item.user_timezone);
	}
}

static void
TryExternalActivity(DocumentReader *reader, JsonSlice text)
{
	ExternalActivityDocument activity;
	DocumentError error;
	bool good = DocumentReadExternalActivity(reader, text, &activity, &error);

	if (good)
		Require(activity.has_type && activity.start.given);
	if (!Settle(text, good, &error))
		return;
	if (activity.performed_by != NULL)
	{
		Judged judged = Judge(text);

		judged = Judge(JudgedMember(&judged, "performedBy")->value);
		RequireString(&judged, "type", activity.performed_by->type_name);
		RequireString(&judged, "id", activity.performed_by->id);
	}
}

static void
TryBatch(DocumentReader *reader, JsonSlice text)
{
	JsonSlice array = text;
	JsonElements elements;
	JsonSlice element;

	(void) JsonFindMember(text, "activities", &array);
	JsonBeginElements(array, &elements);
	while (JsonNextElement(&elements, &element))
		TryExternalActivity(reader, element);
}

static void
TryDocument(JsonSlice text, int choice)
{
	DocumentRules rules = {.strict = (choice & NOT_STRICT) == 0,
						   .now = INT64CONST(800000000000000)};
	DocumentReader *reader;

	if ((choice & KIND) == 3)
		rules.app_activity_id = "a";
	reader = DocumentReaderCreate(&rules);
	switch (choice & KIND)
	{
		case 1:
			TryHistoryItem(reader, text);
			break;
		case 2:
			TryBatch(reader, text);
			break;
		default:
			TryActivity(reader, text, &rules);
	}
}

static void
Try(const char *input, size_t size)
{
	static const int encodings[] = {0, 1, 2, 0};
	JsonSlice text;
	size_t length;

	if (size < 1)
		return;
	server_encoding = server_encodings[encodings[(*input & ENCODING) >> 2]];
	setting_max_depth = (*input & SHALLOW) ? 4 : 64;
	text = JsonSliceOf(input + 1, size - 1);
	length = text.end - text.start;
	if (length > 0 && IsServerText(text.start, length) &&
		!JsonNestsDeeper(text, 100) && IsJson(text.start, length, false))
		TryDocument(text, *input);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	RunInContext(Try, data, size);
	return 0;
}

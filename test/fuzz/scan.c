/*
 * scan.c
 *		Fuzz target: walking over JSON text.
 *
 * Text that is not JSON must do no harm; of JSON the walk must say what
 * PostgreSQL's parser says.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "judge.h"
#include "server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {"appActivityId",
									"visualElements",
									"contentInfo",
									"content",
									"historyItems",
									"activities",
									"",
									NULL};

/*
 * Calls everything, for the sanitizers.
 */
static void
TryEverything(JsonSlice text)
{
	JsonMembers members;
	JsonElements elements;
	JsonSlice name;
	JsonSlice value;
	const char *where;
	StringInfoData out;

	initStringInfo(&out);
	JsonBeginMembers(text, &members);
	while (JsonNextMember(&members, &name, &value))
	{
		for (int i = 0; names[i] != NULL; i++)
			(void) JsonNameIs(name, names[i]);
		(void) JsonNameHas(name, '@');
		Require(value.start >= text.start && value.start <= value.end &&
				value.end <= text.end);
	}
	JsonBeginElements(text, &elements);
	while (JsonNextElement(&elements, &value))
		Require(value.start >= text.start && value.start < value.end &&
				value.end <= text.end);
	if (JsonFindTrouble(text, 4, &where) != JSON_FINE)
		Require(where >= text.start && where < text.end);
	for (const char *p = text.start; p < text.end;
		 p += 1 + (text.end - text.start) / 16)
		JsonAppendPath(&out, text, 1 + (p - text.start) % 5, p);
	(void) JsonNestsDeeper(text, 3);
	resetStringInfo(&out);
	JsonAppendWithoutSurrogates(&out, text);
	Require(!JsonHasSurrogates(text) ||
			out.len < (size_t) (text.end - text.start));
}

static void
RequireSameSlice(JsonSlice found, JsonSlice expected)
{
	Require(found.start == expected.start && found.end == expected.end);
}

static void
RequireSameName(JsonSlice name, const char *expected)
{
	bool ascii = true;

	for (const char *p = expected; *p != '\0'; p++)
		ascii = ascii && !IS_HIGHBIT_SET(*p);
	if (ascii)
		Require(JsonNameIs(name, expected));
	for (int i = 0; names[i] != NULL; i++)
		Require(JsonNameIs(name, names[i]) ==
				(strcmp(expected, names[i]) == 0));
	Require(JsonNameHas(name, '@') == (strchr(expected, '@') != NULL));
	Require(JsonNameHas(name, 'u') == (strchr(expected, 'u') != NULL));
}

/*
 * Compares the walk over members or elements with the parser's.
 */
static void
RequireSameParts(JsonSlice text, const Judged *judged)
{
	JsonElements cursor;
	JsonSlice name;
	JsonSlice value;
	int count = 0;

	JsonBeginMembers(text, &cursor);
	while (JsonNextMember(&cursor, &name, &value))
	{
		Require(count < judged->count);
		RequireSameName(name, judged->parts[count].name);
		RequireSameSlice(value, judged->parts[count++].value);
	}
	JsonBeginElements(text, &cursor);
	while (JsonNextElement(&cursor, &value))
	{
		Require(count < judged->count);
		RequireSameSlice(value, judged->parts[count++].value);
	}
	Require(count == judged->count);
	for (int i = 0; *text.start == '{' && names[i] != NULL; i++)
	{
		const JudgedPart *member = JudgedMember(judged, names[i]);

		Require(JsonFindMember(text, names[i], &value) == (member != NULL));
		if (member != NULL)
			RequireSameSlice(value, member->value);
	}
}

/*
 * Escaped pairs or the characters themselves: it is the same document.
 */
static void
RequireSameWithoutSurrogates(JsonSlice text, const Judged *judged)
{
	StringInfoData out;
	Judged again;

	initStringInfo(&out);
	JsonAppendWithoutSurrogates(&out, text);
	again = Judge((JsonSlice){out.data, out.data + out.len});
	Require(again.is_json && again.count == judged->count);
	Require((again.string == NULL) == (judged->string == NULL));
	Require(again.string == NULL || strcmp(again.string, judged->string) == 0);
	for (int i = 0; i < again.count; i++)
		Require(judged->parts[i].name == NULL ||
				strcmp(again.parts[i].name, judged->parts[i].name) == 0);
}

/*
 * text is JSON, in an encoding that the parser decodes escapes to.
 */
static void
RequireSameVerdict(JsonSlice text)
{
	Judged judged = Judge(text);
	const char *where = NULL;
	JsonTrouble trouble = JsonFindTrouble(text, 100, &where);

	if (trouble != JSON_NUMBER_TOO_LARGE)
		Require((trouble == JSON_FINE) == judged.is_json);
	if (!judged.is_json)
		return;
	for (int depth = 0; depth < 10; depth++)
	{
		Require(JsonNestsDeeper(text, depth) == (judged.depth > depth));
		if (trouble == JSON_FINE)
			Require((JsonFindTrouble(text, depth, &where) == JSON_TOO_DEEP) ==
					(judged.depth > depth));
	}
	RequireSameParts(text, &judged);
	if (server_encoding == PG_UTF8)
		RequireSameWithoutSurrogates(text, &judged);
}

/*
 * The first byte chooses the encoding.
 */
static void
Try(const char *input, size_t size)
{
	JsonSlice text;

	if (size < 1)
		return;
	server_encoding = server_encodings[*input & 1];
	text = JsonSliceOf(input + 1, size - 1);
	TryEverything(text);
	if (text.start < text.end &&
		IsServerText(text.start, text.end - text.start) &&
		!JsonNestsDeeper(text, 100) &&
		IsJson(text.start, text.end - text.start, false))
		RequireSameVerdict(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	RunInContext(Try, data, size);
	return 0;
}

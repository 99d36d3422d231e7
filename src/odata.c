/*
 * odata.c
 *		The target of a request: path, query options, $filter, $skiptoken.
 *
 * No SPI, no json-c, no catalog: text in, struct out.
 *
 * Percent-encoding is undone once, after the text was split where it is split
 * by characters as they stand.  What comes of it must be valid UTF-8 without
 * a zero.  In a path "+" is a plus.  In a query it stands for itself too, but
 * counts as a space between the words of a filter: clients write both
 * "lastModifiedDateTime+lt+..." and "...T00:00:00+01:00".
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/timestamp.h"

#include "odata.h"
#include "timestamp.h"

#define MAX_SEGMENTS 8

/* A piece of the target, still encoded. */
typedef struct Piece
{
	const char *start;
	const char *end;
} Piece;

static bool
Fail(OdataError *error, const char *option, char *message)
{
	error->option = option;
	error->message = message;
	return false;
}

static int
HexDigit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}

/*
 * The byte that is encoded at p, which is at a "%"; or -1.
 */
static int
EncodedByte(const char *p, const char *end)
{
	int high = end - p >= 3 ? HexDigit(p[1]) : -1;
	int low = high >= 0 ? HexDigit(p[2]) : -1;

	return low < 0 ? -1 : high << 4 | low;
}

/*
 * Undoes percent-encoding.  Returns NULL for a bad escape, for %00 and for
 * what is not UTF-8.
 */
static char *
Decode(Piece piece)
{
	char *decoded = palloc(piece.end - piece.start + 1);
	char *out = decoded;

	for (const char *p = piece.start; p < piece.end; p++)
	{
		int byte = (unsigned char) *p;

		if (*p == '%')
		{
			byte = EncodedByte(p, piece.end);
			if (byte <= 0)
				return NULL;
			p += 2;
		}
		*out++ = (char) byte;
	}
	*out = '\0';
	if (pg_encoding_verifymbstr(PG_UTF8, decoded, out - decoded) !=
		out - decoded)
		return NULL;
	return decoded;
}

static bool
IsUnreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		   (c >= '0' && c <= '9') || (c != '\0' && strchr("-._~", c) != NULL);
}

/*
 * Appends a value, percent-encoded for any place in a URL.
 */
void
OdataAppendEncoded(StringInfo out, const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
	{
		if (IsUnreserved(*p))
			appendStringInfoChar(out, *p);
		else
			appendStringInfo(out, "%%%02X", (unsigned char) *p);
	}
}

/*
 * Appends a piece as it was sent, but for what may not stand in a URL.
 */
static void
AppendAsSent(StringInfo out, Piece piece)
{
	for (const char *p = piece.start; p < piece.end; p++)
	{
		if (*p > ' ' && *p < 0x7f && strchr("\"<>\\^`{|}", *p) == NULL)
			appendStringInfoChar(out, *p);
		else
			appendStringInfo(out, "%%%02X", (unsigned char) *p);
	}
}

static char *
AsSent(Piece piece)
{
	StringInfoData text;

	initStringInfo(&text);
	AppendAsSent(&text, piece);
	return text.data;
}

static bool
PieceIs(Piece piece, const char *text)
{
	size_t length = strlen(text);

	return piece.end - piece.start == length &&
		   memcmp(piece.start, text, length) == 0;
}

/*
 * The segment that begins at the "/" at p.
 */
static Piece
SegmentAt(const char *p, const char *end)
{
	Piece segment = {p + 1, p + 1};

	while (segment.end < end && *segment.end != '/')
		segment.end++;
	return segment;
}

/*
 * Takes scheme and host off an absolute target, and the version off any.
 */
static Piece
SkipRoot(Piece path, Piece *root)
{
	size_t scheme = 0;
	Piece segment;

	root->start = root->end = path.start;
	if (pg_strncasecmp(path.start, "https://", 8) == 0)
		scheme = 8;
	else if (pg_strncasecmp(path.start, "http://", 7) == 0)
		scheme = 7;
	if (scheme > 0)
	{
		path.start += scheme;
		while (path.start < path.end && *path.start != '/')
			path.start++;
		root->end = path.start;
	}
	if (path.start == path.end || *path.start != '/')
		return path;
	segment = SegmentAt(path.start, path.end);
	if (PieceIs(segment, "v1.0") || PieceIs(segment, "beta"))
	{
		path.start = segment.end;
		if (scheme > 0)
			root->end = segment.end;
	}
	return path;
}

/*
 * Splits and decodes a path.  Returns how many segments there are, at most
 * MAX_SEGMENTS + 1, or -1 when one cannot be decoded.
 */
static int
DecodeSegments(Piece path, char **segments, const char **ends)
{
	const char *p = path.start;
	int count = 0;

	while (p < path.end && *p == '/' && count <= MAX_SEGMENTS)
	{
		Piece segment = SegmentAt(p, path.end);

		p = ends[count] = segment.end;
		segments[count] = Decode(segment);
		if (segments[count++] == NULL)
			return -1;
	}
	return count;
}

static bool
IsRecent(const char *segment)
{
	return strcmp(segment, "recent") == 0 ||
		   strcmp(segment, "recent()") == 0 ||
		   strcmp(segment, "microsoft.graph.recent") == 0 ||
		   strcmp(segment, "microsoft.graph.recent()") == 0;
}

/*
 * What stands after /me or /users/{user}.
 */
static OdataResource
FindActivityResource(OdataTarget *target, char **segments, int count)
{
	if (count < 1 || strcmp(segments[0], "activities") != 0)
		return ODATA_NOTHING;
	if (count == 1)
		return ODATA_ACTIVITIES;
	target->keys[0] = segments[1];
	if (count == 2)
		return IsRecent(segments[1]) ? ODATA_RECENT : ODATA_ACTIVITY;
	if (strcmp(segments[2], "historyItems") != 0)
		return ODATA_NOTHING;
	if (count == 3)
		return ODATA_HISTORY_ITEMS;
	target->keys[1] = segments[3];
	return count == 4 ? ODATA_HISTORY_ITEM : ODATA_NOTHING;
}

/*
 * What stands after /external.
 */
static OdataResource
FindExternalResource(OdataTarget *target, char **segments, int count)
{
	static const char *const full_name =
		"microsoft.graph.externalConnectors.addActivities";

	if (count != 5 || strcmp(segments[0], "connections") != 0 ||
		strcmp(segments[2], "items") != 0 ||
		(strcmp(segments[4], "addActivities") != 0 &&
		 strcmp(segments[4], full_name) != 0))
		return ODATA_NOTHING;
	target->keys[0] = segments[1];
	target->keys[1] = segments[3];
	return ODATA_ADD_ACTIVITIES;
}

/*
 * Finds the resource; returns how many segments its base has.
 */
static int
FindResource(OdataTarget *target, char **segments, int count)
{
	int base = 1;

	if (count >= 2 && strcmp(segments[0], "users") == 0)
	{
		target->user = segments[1];
		base = 2;
	}
	else if (count >= 1 && strcmp(segments[0], "external") == 0)
	{
		target->resource =
			FindExternalResource(target, segments + 1, count - 1);
		return base;
	}
	else if (count < 1 || strcmp(segments[0], "me") != 0)
		return base;
	target->resource =
		FindActivityResource(target, segments + base, count - base);
	return base;
}

/*
 * No segment of a path that we know may be empty.
 */
static bool
HasEmptySegment(char **segments, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (segments[i][0] == '\0')
			return true;
	}
	return false;
}

static bool
ParsePath(Piece path, OdataTarget *target, OdataError *error)
{
	char *segments[MAX_SEGMENTS + 1];
	const char *ends[MAX_SEGMENTS + 1];
	Piece root;
	int count;
	int base;

	path = SkipRoot(path, &root);
	if (path.end - path.start > 1 && path.end[-1] == '/')
		path.end--;
	count = DecodeSegments(path, segments, ends);
	if (count < 0)
		return Fail(
			error, NULL,
			pstrdup(
				"The path must be percent-encoded UTF-8 without a zero byte."));
	if (count > MAX_SEGMENTS || HasEmptySegment(segments, count) ||
		count == 0 || ends[count - 1] != path.end)
		return true;
	base = FindResource(target, segments, count);
	target->root = AsSent(root);
	target->base = AsSent((Piece){path.start, ends[Min(base, count) - 1]});
	target->path = AsSent(path);
	return true;
}

/*
 * Takes a target apart.  One that names no resource is ODATA_NOTHING, and
 * no error; the options are left alone.
 */
bool
OdataParseTarget(const char *text, OdataTarget *target, OdataError *error)
{
	Piece path = {text, text + strcspn(text, "?")};

	memset(target, 0, sizeof(*target));
	target->resource = ODATA_NOTHING;
	target->query = *path.end == '?' ? path.end + 1 : NULL;
	if (strchr(text, '#') != NULL)
		return Fail(
			error, NULL,
			pstrdup(
				"The target must not have a fragment; a \"#\" that belongs to a name is written %23."));
	return ParsePath(path, target, error);
}

static const char *
SkipSpaces(const char *p)
{
	while (*p == ' ' || *p == '+' || *p == '\t')
		p++;
	return p;
}

/*
 * Reads a word of letters and digits, with the space that must follow it.
 */
static bool
ReadWord(const char **p, Piece *word)
{
	word->start = *p;
	while (isalnum((unsigned char) **p) && !IS_HIGHBIT_SET(**p))
		(*p)++;
	word->end = *p;
	*p = SkipSpaces(*p);
	return word->end > word->start && *p > word->end;
}

/*
 * Whether a word is an operator, in any case.
 */
static bool
WordIs(Piece word, const char *name)
{
	size_t length = strlen(name);

	return word.end - word.start == length &&
		   pg_strncasecmp(word.start, name, length) == 0;
}

/*
 * Reads a date and time, which ends where its characters end.
 */
static bool
ReadTime(const char **p, TimestampTz *time)
{
	const char *start = *p;

	*p += strspn(*p, "0123456789-:.TZ");
	if (**p == '+' && isdigit((unsigned char) (*p)[1]))
		*p += 1 + strspn(*p + 1, "0123456789:");
	return TimestampParse(start, *p - start, time);
}

/*
 * Narrows a filter by one comparison.  Times compare as on the wire, where
 * they are cut to milliseconds: the bounds include or exclude the whole
 * millisecond.
 */
static bool
Narrow(OdataFilter *filter, Piece operator, TimestampTz time)
{
	TimestampTz first = time - ((time % 1000) + 1000) % 1000;
	TimestampTz next = first + 1000;
	OdataFilter bounds = {DT_NOBEGIN, DT_NOEND};

	if (WordIs(operator, "lt"))
		bounds.before = first;
	else if (WordIs(operator, "le"))
		bounds.before = next;
	else if (WordIs(operator, "gt"))
		bounds.after = next - 1;
	else if (WordIs(operator, "ge"))
		bounds.after = first - 1;
	else if (WordIs(operator, "eq"))
	{
		bounds.after = first - 1;
		bounds.before = next;
	}
	else
		return false;
	filter->after = Max(filter->after, bounds.after);
	filter->before = Min(filter->before, bounds.before);
	return true;
}

static bool
ReadComparison(const char **p, OdataFilter *filter)
{
	Piece property;
	Piece operator;
	TimestampTz time;

	return ReadWord(p, &property) &&
		   PieceIs(property, "lastModifiedDateTime") &&
		   ReadWord(p, &operator) && ReadTime(p, &time) &&
		   Narrow(filter, operator, time);
}

/*
 * Comparisons, joined by "and".
 */
static bool
ParseFilter(const char *text, OdataFilter *filter)
{
	const char *p = SkipSpaces(text);
	const char *end;
	Piece word;

	for (;;)
	{
		if (!ReadComparison(&p, filter))
			return false;
		end = p;
		p = SkipSpaces(p);
		if (*p == '\0')
			return true;
		if (p == end || !ReadWord(&p, &word) || !WordIs(word, "and"))
			return false;
	}
}

static bool
ReadFilter(const char *value, OdataOptions *options, OdataError *error)
{
	if (ParseFilter(value, &options->filter))
		return true;
	return Fail(
		error, "$filter",
		pstrdup(
			"Option $filter must compare lastModifiedDateTime with dates and times by lt, le, gt, ge or eq, joined by \"and\"."));
}

static bool
ReadTop(const char *value, OdataOptions *options, OdataError *error)
{
	int64 top = 0;
	const char *p = value;

	while (*p >= '0' && *p <= '9' && top <= PG_INT32_MAX)
		top = top * 10 + (*p++ - '0');
	options->top = (int) top;
	if (p > value && *p == '\0' && top <= PG_INT32_MAX)
		return true;
	return Fail(
		error, "$top",
		psprintf("Option $top must be a number from 0 to %d.", PG_INT32_MAX));
}

/*
 * historyItems, or historyItems($filter=...).
 */
static bool
ReadExpand(const char *value, OdataOptions *options, OdataError *error)
{
	static const char *const property = "historyItems";
	static const char *const nested = "($filter=";
	const char *p = value + strlen(property);
	size_t length = strlen(value);

	if (strcmp(value, property) == 0)
		return true;
	if (strncmp(value, property, strlen(property)) == 0 &&
		pg_strncasecmp(p, nested, strlen(nested)) == 0 &&
		value[length - 1] == ')')
	{
		p += strlen(nested);
		options->nested_filter_text = pnstrdup(p, value + length - 1 - p);
		if (ParseFilter(options->nested_filter_text, &options->nested_filter))
			return true;
	}
	return Fail(
		error, "$expand",
		pstrdup(
			"Option $expand must be historyItems or historyItems($filter=...) with a filter on lastModifiedDateTime."));
}

static bool
ReadSkiptoken(const char *value, OdataOptions *options, OdataError *error)
{
	options->skiptoken = pstrdup(value);
	return true;
}

typedef struct OptionRule
{
	const char *name;
	int bit;
	bool (*read)(const char *value, OdataOptions *options, OdataError *error);
} OptionRule;

static const OptionRule option_rules[] = {
	{"$top", ODATA_TOP, ReadTop},
	{"$filter", ODATA_FILTER, ReadFilter},
	{"$expand", ODATA_EXPAND, ReadExpand},
	{"$skiptoken", ODATA_SKIPTOKEN, ReadSkiptoken}};

/*
 * Names of options are known in any letter case.
 */
static const OptionRule *
FindOption(const char *name)
{
	for (int i = 0; i < lengthof(option_rules); i++)
	{
		if (pg_strcasecmp(option_rules[i].name, name) == 0)
			return &option_rules[i];
	}
	return NULL;
}

/*
 * A name is repeated only where that is no risk: the caller may have sent
 * characters that the server lacks.
 */
static bool
UnknownOption(const char *name, OdataError *error)
{
	for (const char *p = name; *p != '\0'; p++)
	{
		if (*p < ' ' || *p >= 0x7f || p - name >= 64)
			return Fail(error, NULL,
						pstrdup("The query has an option that is not known."));
	}
	return Fail(error, name,
				psprintf("Query option \"%s\" is not supported.", name));
}

/*
 * The next option of a query, without the "&" that ends it.
 */
static Piece
OptionAt(const char *p)
{
	Piece option = {p, p + strcspn(p, "&")};

	return option;
}

/*
 * Decodes an option.  Without a "=" its value is empty.
 */
static bool
DecodeOption(Piece option, char **name, char **value)
{
	const char *equals = option.start;

	while (equals < option.end && *equals != '=')
		equals++;
	*name = Decode((Piece){option.start, equals});
	*value = Decode((Piece){Min(equals + 1, option.end), option.end});
	return *name != NULL && *value != NULL;
}

static bool
ReadOption(Piece piece, OdataOptions *options, OdataError *error)
{
	char *name;
	char *value;
	const OptionRule *rule;

	if (!DecodeOption(piece, &name, &value))
		return Fail(
			error, NULL,
			pstrdup(
				"The query must be percent-encoded UTF-8 without a zero byte."));
	rule = FindOption(name);
	if (rule == NULL)
		return UnknownOption(name, error);
	if (options->given & rule->bit)
		return Fail(error, rule->name,
					psprintf("Option %s must be given once.", rule->name));
	options->given |= rule->bit;
	return rule->read(value, options, error);
}

/*
 * Reads the options of a query, which may be NULL.
 */
bool
OdataParseOptions(const char *query, OdataOptions *options, OdataError *error)
{
	memset(options, 0, sizeof(*options));
	options->filter.after = options->nested_filter.after = DT_NOBEGIN;
	options->filter.before = options->nested_filter.before = DT_NOEND;
	while (query != NULL && *query != '\0')
	{
		Piece option = OptionAt(query);

		if (option.end > option.start && !ReadOption(option, options, error))
			return false;
		query = *option.end == '&' ? option.end + 1 : NULL;
	}
	return true;
}

/*
 * Appends the options of a good query as they were sent, each with an "&",
 * but for $skiptoken.
 */
void
OdataAppendOtherOptions(StringInfo out, const char *query)
{
	while (query != NULL && *query != '\0')
	{
		Piece option = OptionAt(query);
		char *name;
		char *value;

		if (option.end > option.start && DecodeOption(option, &name, &value) &&
			pg_strcasecmp(name, "$skiptoken") != 0)
		{
			AppendAsSent(out, option);
			appendStringInfoChar(out, '&');
		}
		query = *option.end == '&' ? option.end + 1 : NULL;
	}
}

/* list, before, left and sum in hexadecimal digits */
#define TOKEN_LENGTH (1 + 16 + 8 + 8)

/*
 * FNV-1a over a token and the activity that it belongs to.  This keeps
 * mistakes out, not attackers: a forged token shows no more than its forger
 * may see.
 */
static uint32
TokenSum(const char *text, size_t length, int64 activity_id)
{
	uint32 sum = 0x811c9dc5;

	for (size_t i = 0; i < length; i++)
		sum = (sum ^ (unsigned char) text[i]) * 0x01000193;
	for (int i = 0; i < 8; i++)
		sum = (sum ^ (uint8) (activity_id >> (8 * i))) * 0x01000193;
	return sum;
}

void
OdataAppendToken(StringInfo out, const OdataToken *token)
{
	char text[TOKEN_LENGTH + 1];
	int length;

	length = snprintf(text, sizeof(text), "%c%016llx%08x", (char) token->list,
					  (unsigned long long) token->before,
					  (unsigned int) token->left);
	snprintf(text + length, sizeof(text) - length, "%08x",
			 TokenSum(text, length, token->activity_id));
	appendStringInfoString(out, text);
}

/*
 * Reads hexadecimal digits, of which there are enough.
 */
static uint64
ReadHex(const char *text, int digits)
{
	uint64 number = 0;

	for (int i = 0; i < digits; i++)
		number = number << 4 | (HexDigit(text[i]) & 0xf);
	return number;
}

bool
OdataParseToken(const char *text, OdataToken *token)
{
	StringInfoData expected;

	if (strlen(text) != TOKEN_LENGTH || text[0] != (char) token->list)
		return false;
	token->before = (int64) ReadHex(text + 1, 16);
	token->left = (int32) ReadHex(text + 17, 8);
	initStringInfo(&expected);
	OdataAppendToken(&expected, token);
	return strcmp(text, expected.data) == 0 && token->before >= 0 &&
		   token->left >= ODATA_NO_LIMIT;
}

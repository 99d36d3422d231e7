/*
 * json_scan.c
 *		Walking over JSON text that is known to be valid, without a tree.
 *
 * The json type has already refused whatever is not JSON, so finding one's
 * way needs no more than skipping strings and counting brackets.  Three
 * things are done that way because a tree cannot do them:
 *
 * - Opaque members are cut out of the text and given to jsonb's own input
 *	 function, so what is stored is what a ::jsonb would store.
 * - What jsonb would refuse is found before anything is built, which is how
 *	 a bad document can be answered instead of raised (jsonb's input function
 *	 can only raise before PostgreSQL 16).
 * - A batch is read element by element; a tree of 10 000 elements costs three
 *	 times as much for each.
 *
 * Text that is not valid JSON gives answers without meaning, but no read
 * outside of the slice.
 */
#include "postgres.h"

#include "encoding.h"
#include "json_scan.h"

/* Limits of numeric: NUMERIC_WEIGHT_MAX and NUMERIC_DSCALE_MAX (numeric.c) */
#define NUMERIC_MAX_INTEGRAL_DIGITS 131072
#define NUMERIC_MAX_FRACTION_DIGITS 16383

/* Longer exponents are out of range, and might overflow. */
#define MAX_EXPONENT_DIGITS 17

static const char *
SkipSpace(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p;
}

/*
 * p is at the opening quote; returns what follows the closing one.
 */
static const char *
SkipString(const char *p, const char *end)
{
	for (p++; (p = JsonSkipPlain(p, end)) < end; p++)
	{
		if (*p == '"')
			return p + 1;
		if (*p == '\\' && ++p == end)
			break;
	}
	return end;
}

static bool
IsNumberCharacter(char c)
{
	return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' ||
		   c == 'e' || c == 'E';
}

/*
 * Returns what follows a number, true, false or null.
 */
static const char *
SkipScalar(const char *p, const char *end)
{
	while (p < end && (IsNumberCharacter(*p) || (*p >= 'a' && *p <= 'z')))
		p++;
	return p;
}

/*
 * p is at the opening bracket; returns what follows the closing one.
 */
static const char *
SkipContainer(const char *p, const char *end)
{
	int depth = 0;

	while (p < end)
	{
		switch (*p)
		{
			case '"':
				p = SkipString(p, end);
				continue;
			case '{':
			case '[':
				depth++;
				break;
			case '}':
			case ']':
				if (--depth == 0)
					return p + 1;
				break;
		}
		p++;
	}
	return p;
}

/*
 * Returns what follows the value at p.
 */
static const char *
SkipValue(const char *p, const char *end)
{
	const char *next;

	if (p >= end)
		return p;
	if (*p == '"')
		return SkipString(p, end);
	if (*p == '{' || *p == '[')
		return SkipContainer(p, end);
	next = SkipScalar(p, end);
	return (next > p) ? next : p + 1;
}

/*
 * The value that a text consists of.
 */
JsonSlice
JsonSliceOf(const char *text, size_t length)
{
	JsonSlice slice;

	slice.end = text + length;
	slice.start = SkipSpace(text, slice.end);
	while (slice.end > slice.start &&
		   SkipSpace(slice.end - 1, slice.end) == slice.end)
		slice.end--;
	return slice;
}

/*
 * Begins a walk over the members of an object; over those of anything else it
 * ends at once.
 */
void
JsonBeginMembers(JsonSlice object, JsonMembers *members)
{
	bool is_object = object.start < object.end && *object.start == '{';

	members->cursor = is_object ? object.start + 1 : object.end;
	members->end = object.end;
}

/*
 * The name of the next member, a slice with its quotes.  The cursor is at its
 * value then: the caller has to move it past that.
 */
bool
JsonNextName(JsonMembers *members, JsonSlice *name)
{
	const char *end = members->end;
	const char *p = SkipSpace(members->cursor, end);

	if (p < end && *p == ',')
		p = SkipSpace(p + 1, end);
	if (p >= end || *p != '"')
		return false;
	name->start = p;
	name->end = p = SkipString(p, end);
	p = SkipSpace(p, end);
	if (p < end && *p == ':')
		p = SkipSpace(p + 1, end);
	members->cursor = p;
	return true;
}

/*
 * The value at the cursor, which moves past it.
 */
JsonSlice
JsonNextValue(JsonMembers *members)
{
	JsonSlice value = {members->cursor, members->end};

	value.end = members->cursor = SkipValue(value.start, members->end);
	return value;
}

/*
 * The next member.
 */
bool
JsonNextMember(JsonMembers *members, JsonSlice *name, JsonSlice *value)
{
	if (!JsonNextName(members, name))
		return false;
	*value = JsonNextValue(members);
	return true;
}

/*
 * Begins a walk over the elements of an array; over those of anything else it
 * ends at once.
 */
void
JsonBeginElements(JsonSlice array, JsonElements *elements)
{
	bool is_array = array.start < array.end && *array.start == '[';

	elements->cursor = is_array ? array.start + 1 : array.end;
	elements->end = array.end;
}

/*
 * The next element.  Where there is none, the cursor is at the array's end.
 */
bool
JsonNextElement(JsonElements *elements, JsonSlice *element)
{
	const char *end = elements->end;
	const char *p = SkipSpace(elements->cursor, end);

	if (p < end && *p == ',')
		p = SkipSpace(p + 1, end);
	if (p >= end || *p == ']')
	{
		elements->cursor = p;
		return false;
	}
	element->start = p;
	element->end = elements->cursor = SkipValue(p, end);
	return true;
}

/*
 * The four hexadecimal digits at p as a number, or -1.
 */
static int
ReadHex4(const char *p, const char *end)
{
	int result = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++, p++)
	{
		result <<= 4;
		if (*p >= '0' && *p <= '9')
			result |= *p - '0';
		else if (*p >= 'a' && *p <= 'f')
			result |= *p - 'a' + 10;
		else if (*p >= 'A' && *p <= 'F')
			result |= *p - 'A' + 10;
		else
			return -1;
	}
	return result;
}

/*
 * Decodes the escape at p, just past the backslash, if it stands for an ASCII
 * character, and moves p past it.  Returns -1 for others.
 */
static int
ReadAsciiEscape(const char **p, const char *end)
{
	char c = *(*p)++;
	int code;

	switch (c)
	{
		case 'b':
			return '\b';
		case 'f':
			return '\f';
		case 'n':
			return '\n';
		case 'r':
			return '\r';
		case 't':
			return '\t';
		case 'u':
			code = ReadHex4(*p, end);
			*p = Min(*p + 4, end);
			return (code <= 0x7f) ? code : -1;
		default:
			return c;
	}
}

/*
 * Whether a member's name, with its quotes and escapes, says what "expected"
 * (ASCII) says.
 */
bool
JsonNameIs(JsonSlice name, const char *expected)
{
	const char *p = name.start + 1;
	const char *end = name.end - 1;

	while (p < end)
	{
		int c = (unsigned char) *p++;

		if (c == '\\' && p < end)
			c = ReadAsciiEscape(&p, end);
		if (*expected == '\0' || c != (unsigned char) *expected)
			return false;
		expected++;
	}
	return *expected == '\0';
}

/*
 * Whether a member's name has an ASCII character in it, escaped or not.
 */
bool
JsonNameHas(JsonSlice name, char character)
{
	const char *p = name.start + 1;
	const char *end = name.end - 1;

	while (p < end)
	{
		int c = (unsigned char) *p++;

		if (c == '\\' && p < end)
			c = ReadAsciiEscape(&p, end);
		if (c == character)
			return true;
	}
	return false;
}

/*
 * Finds a member of an object; among several of the same name the last one
 * counts, as in jsonb.
 */
bool
JsonFindMember(JsonSlice object, const char *name, JsonSlice *value)
{
	JsonMembers members;
	JsonSlice member_name;
	JsonSlice member_value;
	bool found = false;

	JsonBeginMembers(object, &members);
	while (JsonNextMember(&members, &member_name, &member_value))
	{
		if (JsonNameIs(member_name, name))
		{
			*value = member_value;
			found = true;
		}
	}
	return found;
}

/*
 * Judges the \u escape at p, which is at its first digit, and moves p past
 * it (and past its second half, when it is a surrogate pair).
 */
static JsonTrouble
CheckUnicodeEscape(const char **p, const char *end)
{
	int code = ReadHex4(*p, end);
	int low;

	*p = Min(*p + 4, end);
	if (code == 0)
		return JSON_NUL_CHARACTER;
	if (code >= 0xdc00 && code <= 0xdfff)
		return JSON_LONE_SURROGATE;
	if (code >= 0xd800 && code <= 0xdbff)
	{
		if (end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u')
			return JSON_LONE_SURROGATE;
		low = ReadHex4(*p + 2, end);
		if (low < 0xdc00 || low > 0xdfff)
			return JSON_LONE_SURROGATE;
		*p += 6;
		code = 0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff);
	}
	if (code > 0x7f && !EncodingHasCharacter(code))
		return JSON_UNTRANSLATABLE;
	return JSON_FINE;
}

/*
 * Judges the string at p, which is at the opening quote, and moves p past it,
 * or to the escape that is wrong.
 */
static JsonTrouble
CheckString(const char **p, const char *end)
{
	const char *cursor = *p + 1;
	JsonTrouble trouble;

	while ((cursor = JsonSkipPlain(cursor, end)) < end && *cursor != '"')
	{
		if (*cursor++ != '\\' || cursor == end)
			continue;
		if (*cursor++ != 'u')
			continue;
		*p = cursor - 2;
		trouble = CheckUnicodeEscape(&cursor, end);
		if (trouble != JSON_FINE)
			return trouble;
	}
	*p = Min(cursor + 1, end);
	return JSON_FINE;
}

/*
 * The exponent of a number, or a very large one if it is too long to matter
 * how long.
 */
static int64
ReadExponent(const char *p, const char *end)
{
	bool negative = p < end && *p == '-';
	int64 exponent = 0;

	if (p < end && (*p == '-' || *p == '+'))
		p++;
	while (p < end && *p == '0')
		p++;
	if (end - p > MAX_EXPONENT_DIGITS)
		exponent = PG_INT64_MAX / 2;
	else
		while (p < end)
			exponent = exponent * 10 + (*p++ - '0');
	return negative ? -exponent : exponent;
}

/*
 * Whether numeric can hold a number, which is in the notation of JSON.  Says
 * what set_var_from_str and make_result of numeric.c would say.
 */
static bool
NumberFitsNumeric(const char *p, const char *end)
{
	int64 integral_digits = 0; /* from the first that is not 0 */
	int64 leading_zeros = 0;   /* of a fraction without integral digits */
	int64 fraction_digits = 0;
	int64 exponent = 0;
	bool in_fraction = false;
	bool is_zero = true;

	for (; p < end && *p != 'e' && *p != 'E'; p++)
	{
		if (*p == '.')
			in_fraction = true;
		else if (*p >= '0' && *p <= '9')
		{
			if (in_fraction)
				fraction_digits++;
			else if (!is_zero || *p != '0')
				integral_digits++;
			if (*p != '0')
				is_zero = false;
			else if (is_zero && in_fraction)
				leading_zeros++;
		}
	}
	if (p < end)
		exponent = ReadExponent(p + 1, end);
	if (exponent >= PG_INT32_MAX / 2 || exponent <= -(PG_INT32_MAX / 2))
		return false;
	if (fraction_digits - exponent > NUMERIC_MAX_FRACTION_DIGITS)
		return false;
	if (integral_digits == 0)
		integral_digits = -leading_zeros;
	return is_zero ||
		   integral_digits + exponent <= NUMERIC_MAX_INTEGRAL_DIGITS;
}

/*
 * Judges the number at p and moves p past it, if it is fine.
 */
static JsonTrouble
CheckNumber(const char **p, const char *end)
{
	const char *start = *p;
	const char *next = start;

	while (next < end && IsNumberCharacter(*next))
		next++;
	/* too short to be wrong: "9e9" */
	if (next - start > 3 && !NumberFitsNumeric(start, next))
		return JSON_NUMBER_TOO_LARGE;
	*p = next;
	return JSON_FINE;
}

/*
 * Finds the first thing in a valid JSON text that jsonb would refuse, or that
 * is nested deeper than max_depth, and where it is.
 */
JsonTrouble
JsonFindTrouble(JsonSlice document, int max_depth, const char **where)
{
	const char *p = document.start;
	const char *end = document.end;
	int depth = 0;

	while (p < end)
	{
		JsonTrouble trouble = JSON_FINE;

		if (*p == '"')
			trouble = CheckString(&p, end);
		else if (*p == '-' || (*p >= '0' && *p <= '9'))
			trouble = CheckNumber(&p, end);
		else
		{
			if (*p == '{' || *p == '[')
				depth++;
			else if (*p == '}' || *p == ']')
				depth--;
			if (depth > max_depth)
				trouble = JSON_TOO_DEEP;
			else
				p++;
		}
		if (trouble != JSON_FINE)
		{
			*where = p;
			return trouble;
		}
	}
	return JSON_FINE;
}

/*
 * Whether a text, be it valid JSON or not, opens more containers inside of
 * each other than max_depth: more than that a recursive parser is not given.
 */
bool
JsonNestsDeeper(JsonSlice text, int max_depth)
{
	const char *p = text.start;
	int depth = 0;

	while (p < text.end && depth <= max_depth)
	{
		if (*p == '"')
		{
			p = SkipString(p, text.end);
			continue;
		}
		if (*p == '{' || *p == '[')
			depth++;
		else if (*p == '}' || *p == ']')
			depth--;
		p++;
	}
	return depth > max_depth;
}

/* A container that is open at some point of a text. */
typedef struct JsonLevel
{
	bool is_object;
	int index;		/* of the current element */
	JsonSlice name; /* of the current member; start is NULL: none yet */
} JsonLevel;

/*
 * Notes where in its container a walk is, now that it has come to a string.
 * In an object a string is a name when a colon follows it.
 */
static void
NoteString(JsonLevel *level, const char *start, const char *next,
		   const char *end)
{
	next = SkipSpace(next, end);
	if (level->is_object && next < end && *next == ':')
	{
		level->name.start = start;
		level->name.end = next;
		while (level->name.end[-1] != '"')
			level->name.end--;
	}
}

/*
 * Follows a text up to "where" and returns how many containers are open then.
 */
static int
FollowTo(JsonSlice document, const char *where, JsonLevel *levels,
		 int max_depth)
{
	const char *p = document.start;
	int depth = 0;

	while (p < document.end && p <= where)
	{
		const char *start = p;

		if (*p == '"')
		{
			p = SkipString(p, document.end);
			if (depth > 0)
				NoteString(&levels[depth - 1], start, p, document.end);
			continue;
		}
		p++;
		if ((*start == '{' || *start == '[') && depth < max_depth)
			levels[depth++] = (JsonLevel){.is_object = *start == '{'};
		else if ((*start == '}' || *start == ']') && depth > 0)
			depth--;
		else if (*start == ',' && depth > 0)
			levels[depth - 1].index++;
	}
	return depth;
}

/*
 * Appends the path of the member that holds the byte at "where", names as
 * they are written in the text.  The text is not nested deeper than
 * max_depth.
 */
void
JsonAppendPath(StringInfo path, JsonSlice document, int max_depth,
			   const char *where)
{
	JsonLevel *levels = palloc((max_depth + 1) * sizeof(JsonLevel));
	int depth = FollowTo(document, where, levels, max_depth + 1);

	for (int i = 0; i < depth; i++)
	{
		const JsonLevel *level = &levels[i];

		if (!level->is_object)
			appendStringInfo(path, "[%d]", level->index);
		else if (level->name.start != NULL)
			appendStringInfo(path, "%s%.*s", path->len > 0 ? "." : "",
							 (int) (level->name.end - level->name.start - 2),
							 level->name.start + 1);
	}
	pfree(levels);
}

/*
 * The code point of the surrogate pair at p, which is at a backslash, or -1.
 */
static int
ReadSurrogatePair(const char *p, const char *end)
{
	int high;
	int low;

	if (end - p < 12 || p[1] != 'u' || p[6] != '\\' || p[7] != 'u')
		return -1;
	high = ReadHex4(p + 2, end);
	low = ReadHex4(p + 8, end);
	if (high < 0xd800 || high > 0xdbff || low < 0xdc00 || low > 0xdfff)
		return -1;
	return 0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff);
}

/*
 * The next surrogate pair at or after p, or NULL.
 */
static const char *
FindSurrogatePair(const char *p, const char *end)
{
	while ((p = memchr(p, '\\', end - p)) != NULL)
	{
		if (ReadSurrogatePair(p, end) >= 0)
			return p;
		p = Min(p + 2, end);
	}
	return NULL;
}

bool
JsonHasSurrogates(JsonSlice document)
{
	return FindSurrogatePair(document.start, document.end) != NULL;
}

/*
 * Appends a text, which is in UTF-8, with every escaped surrogate pair
 * replaced by its character.
 */
void
JsonAppendWithoutSurrogates(StringInfo out, JsonSlice document)
{
	const char *p = document.start;
	const char *pair;

	while ((pair = FindSurrogatePair(p, document.end)) != NULL)
	{
		appendBinaryStringInfo(out, p, pair - p);
		EncodingAppendUtf8(out, ReadSurrogatePair(pair, document.end));
		p = pair + 12;
	}
	appendBinaryStringInfo(out, p, document.end - p);
}

/*
 * How many bytes a string in UTF-8, with its quotes and without surrogates,
 * has when its escapes are decoded.
 */
size_t
JsonStringLength(JsonSlice string)
{
	const char *end = string.end - 1;
	size_t length = 0;

	for (const char *p = string.start + 1; p < end; p++, length++)
	{
		int code_point;

		if (*p != '\\' || *++p != 'u')
			continue;
		code_point = ReadHex4(p + 1, end);
		length += (code_point >= 0x80) + (code_point >= 0x800);
		p += 4;
	}
	return length;
}

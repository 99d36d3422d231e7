/*
 * json_text.c
 *		Appending values to a document that is being written.
 *
 * What is written is, byte for byte, what escape_json and JsonbToCString
 * write.  Those go through a string character by character, and the latter
 * copies each of them first: more than half of the time that a page of
 * documents took.  Here a string is looked at while it is copied, 16 bytes
 * at once, as nearly all of them have nothing to escape; and a jsonb value is
 * walked through as it is stored.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "json_scan.h"
#include "json_text.h"

static void
AppendEscaped(StringInfo out, unsigned char c)
{
	static const char letters[] = "\bb\ff\nn\rr\tt\"\"\\\\";
	const char *letter = letters;

	while (*letter != '\0' && *letter != c)
		letter += 2;
	if (*letter == '\0')
	{
		appendStringInfo(out, "\\u%04x", c);
		return;
	}
	appendStringInfoChar(out, '\\');
	appendStringInfoChar(out, letter[1]);
}

/*
 * Copies a word and says whether all of it stands for itself in a string.
 */
static inline bool
CopyPlainWord(char *to, const char *from)
{
	uint64 word;

	memcpy(&word, from, sizeof(word));
	memcpy(to, &word, sizeof(word));
	return JsonIsPlainWord(word);
}

/*
 * The same of a string that is shorter than a word.
 */
static inline bool
CopyPlainShort(char *to, const char *from, int length)
{
	uint32 first;
	uint32 last;

	if (length < (int) sizeof(uint32))
	{
		for (int i = 0; i < length; i++)
		{
			if (!JsonIsPlain(from[i]))
				return false;
			to[i] = from[i];
		}
		return true;
	}
	/* the last half may go back to what the first has copied */
	memcpy(&first, from, sizeof(first));
	memcpy(&last, from + length - sizeof(last), sizeof(last));
	memcpy(to, &first, sizeof(first));
	memcpy(to + length - sizeof(last), &last, sizeof(last));
	return JsonIsPlainWord((uint64) last << 32 | first);
}

/*
 * Copies a string, and says whether all of it stands for itself; otherwise
 * some of it was copied.
 */
static pg_attribute_always_inline bool
CopyPlain(char *to, const char *from, int length)
{
	int done = 0;

	if (length < (int) sizeof(uint64))
		return CopyPlainShort(to, from, length);
#ifdef __SSE2__
	for (; done <= length - (int) sizeof(__m128i); done += sizeof(__m128i))
	{
		__m128i bytes = _mm_loadu_si128((const __m128i *) (from + done));

		_mm_storeu_si128((__m128i *) (to + done), bytes);
		if (JsonMarks(bytes) != 0)
			return false;
	}
#endif
	for (; done <= length - (int) sizeof(uint64); done += sizeof(uint64))
	{
		if (!CopyPlainWord(to + done, from + done))
			return false;
	}
	/* the last word goes back to what was copied already */
	return done == length || CopyPlainWord(to + length - sizeof(uint64),
										   from + length - sizeof(uint64));
}

/*
 * Appends a string that has something to escape.
 */
static void
AppendEscapedString(StringInfo out, const char *string, int length)
{
	const char *end = string + length;

	appendStringInfoCharMacro(out, '"');
	for (;;)
	{
		const char *run = string;

		string = JsonSkipPlain(string, end);
		if (string > run)
			appendBinaryStringInfoNT(out, run, (int) (string - run));
		if (string == end)
			break;
		AppendEscaped(out, (unsigned char) *string++);
	}
	appendStringInfoCharMacro(out, '"');
}

/*
 * Appends a string with its quotes.
 */
void
JsonTextString(StringInfo out, const char *string, int length)
{
	char *to;

	JsonTextReserve(out, length + 2);
	to = out->data + out->len;
	if (!CopyPlain(to + 1, string, length))
	{
		AppendEscapedString(out, string, length);
		return;
	}
	to[0] = '"';
	to[length + 1] = '"';
	to[length + 2] = '\0';
	out->len += length + 2;
}

static void
AppendTwo(StringInfo out, char first, char second)
{
	JsonTextReserve(out, 2);
	out->data[out->len++] = first;
	out->data[out->len++] = second;
	out->data[out->len] = '\0';
}

static void
AppendNumeric(StringInfo out, Numeric value)
{
	char *number = DatumGetCString(
		DirectFunctionCall1(numeric_out, NumericGetDatum(value)));

	appendStringInfoString(out, number);
	pfree(number);
}

/*
 * The length of a value of a container, which is "offset" bytes behind the first.
 */
static int
EntryLength(JEntry entry, uint32 offset)
{
	return JBE_OFFLENFLD(entry) - (JBE_HAS_OFF(entry) ? offset : 0);
}

static void AppendContainer(StringInfo out, const JsonbContainer *container);

/*
 * Appends a value of a container, which is "offset" bytes behind "base".
 */
static void
AppendEntry(StringInfo out, JEntry entry, const char *base, uint32 offset)
{
	if (JBE_ISSTRING(entry))
		JsonTextString(out, base + offset, EntryLength(entry, offset));
	else if (JBE_ISCONTAINER(entry))
		AppendContainer(out,
						(const JsonbContainer *) (base + INTALIGN(offset)));
	else if (JBE_ISNUMERIC(entry))
		AppendNumeric(out, (Numeric) (base + INTALIGN(offset)));
	else if (JBE_ISNULL(entry))
		appendBinaryStringInfo(out, "null", 4);
	else
		appendStringInfoString(out, JBE_ISBOOL_TRUE(entry) ? "true" : "false");
}

/*
 * Appends the elements of an array.
 */
static void
AppendElements(StringInfo out, const JsonbContainer *array)
{
	uint32 count = JsonContainerSize(array);
	const char *base = (const char *) &array->children[count];
	uint32 offset = 0;

	for (uint32 i = 0; i < count; i++)
	{
		if (i > 0)
			AppendTwo(out, ',', ' ');
		AppendEntry(out, array->children[i], base, offset);
		JBE_ADVANCE_OFFSET(offset, array->children[i]);
	}
}

/*
 * Appends what comes before a member's value.
 */
static void
AppendKey(StringInfo out, bool is_first, const char *key, int length)
{
	char *to;

	JsonTextReserve(out, length + 6);
	if (!is_first)
		JsonTextPut(out, ", ", 2);
	to = out->data + out->len;
	if (!CopyPlain(to + 1, key, length))
	{
		AppendEscapedString(out, key, length);
		AppendTwo(out, ':', ' ');
		return;
	}
	to[0] = '"';
	memcpy(to + length + 1, "\": ", 3);
	out->len += length + 4;
}

/*
 * Appends the members of an object: all keys are stored before all values.
 */
static void
AppendMembers(StringInfo out, const JsonbContainer *object)
{
	uint32 count = JsonContainerSize(object);
	const JEntry *keys = object->children;
	const JEntry *values = keys + count;
	const char *base = (const char *) (values + count);
	uint32 key_offset = 0;
	uint32 value_offset = getJsonbOffset(object, (int) count);

	for (uint32 i = 0; i < count; i++)
	{
		AppendKey(out, i == 0, base + key_offset,
				  EntryLength(keys[i], key_offset));
		AppendEntry(out, values[i], base, value_offset);
		JBE_ADVANCE_OFFSET(key_offset, keys[i]);
		JBE_ADVANCE_OFFSET(value_offset, values[i]);
	}
}

static void
AppendContainer(StringInfo out, const JsonbContainer *container)
{
	check_stack_depth();
	if (JsonContainerIsObject(container))
	{
		appendStringInfoCharMacro(out, '{');
		AppendMembers(out, container);
		appendStringInfoCharMacro(out, '}');
		return;
	}
	appendStringInfoCharMacro(out, '[');
	AppendElements(out, container);
	appendStringInfoCharMacro(out, ']');
}

/*
 * Appends a jsonb value.
 */
void
JsonTextJsonb(StringInfo out, const Jsonb *jsonb)
{
	/* a scalar is stored as the element of an array that nobody sees */
	if (JB_ROOT_IS_SCALAR(jsonb))
		AppendElements(out, &jsonb->root);
	else
		AppendContainer(out, &jsonb->root);
}

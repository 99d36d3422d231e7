/*
 * json_text.c
 *		Appending values to a document that is being written.
 *
 * What is written is, byte for byte, what escape_json and JsonbToCString
 * write.  Those go through a string character by character, and the latter
 * copies each of them first: more than half of the time that a page of
 * documents took.  Here a string is copied in runs, as nearly all of them
 * have nothing to escape.
 */
#include "postgres.h"

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
 * Appends a string with its quotes.
 */
void
JsonTextString(StringInfo out, const char *string, int length)
{
	const char *end = string + length;

	enlargeStringInfo(out, length + 2);
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

static void
AppendScalar(StringInfo out, const JsonbValue *value)
{
	char *number;

	switch (value->type)
	{
		case jbvString:
			JsonTextString(out, value->val.string.val, value->val.string.len);
			break;
		case jbvNumeric:
			number = DatumGetCString(DirectFunctionCall1(
				numeric_out, NumericGetDatum(value->val.numeric)));
			appendStringInfoString(out, number);
			pfree(number);
			break;
		case jbvBool:
			appendStringInfoString(out, value->val.boolean ? "true" : "false");
			break;
		case jbvNull:
			appendBinaryStringInfo(out, "null", 4);
			break;
		default:
			elog(ERROR, "unexpected type of a jsonb scalar: %d", value->type);
	}
}

static void
AppendTwo(StringInfo out, char first, char second)
{
	appendStringInfoCharMacro(out, first);
	appendStringInfoCharMacro(out, second);
}

/*
 * Appends a jsonb value.
 */
void
JsonTextJsonb(StringInfo out, Jsonb *jsonb)
{
	JsonbIterator *iterator = JsonbIteratorInit(&jsonb->root);
	bool is_scalar = JB_ROOT_IS_SCALAR(jsonb);
	bool is_first = true; /* nothing that a comma must follow */
	JsonbValue value;
	JsonbIteratorToken token;

	while ((token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
	{
		bool is_end = token == WJB_END_ARRAY || token == WJB_END_OBJECT;

		if (!is_first && !is_end)
			AppendTwo(out, ',', ' ');
		is_first = token == WJB_BEGIN_ARRAY || token == WJB_BEGIN_OBJECT ||
				   token == WJB_KEY;
		if (token == WJB_BEGIN_OBJECT)
			appendStringInfoCharMacro(out, '{');
		else if (token == WJB_END_OBJECT)
			appendStringInfoCharMacro(out, '}');
		else if (token == WJB_BEGIN_ARRAY || token == WJB_END_ARRAY)
		{
			/* the root of a scalar is an array that nobody sees */
			if (!is_scalar)
				appendStringInfoCharMacro(out, token == WJB_BEGIN_ARRAY ? '['
																		: ']');
		}
		else
			AppendScalar(out, &value);
		if (token == WJB_KEY)
			AppendTwo(out, ':', ' ');
	}
}

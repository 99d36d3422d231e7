/*
 * encoding.c
 *		Between the server encoding and the UTF-8 that json-c speaks.
 *
 * A SQL_ASCII server does not know what its bytes mean: they pass as they
 * are, and escapes for anything but ASCII are refused, as jsonb does.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "mb/pg_wchar.h"

#include "encoding.h"

/*
 * Whether bytes are the same on both sides.
 */
static bool
NeedsNoConversion(void)
{
	return GetDatabaseEncoding() == PG_UTF8 ||
		   GetDatabaseEncoding() == PG_SQL_ASCII;
}

/*
 * The length of the ASCII that a text begins with.
 */
static size_t
AsciiLength(const char *text, size_t length)
{
	size_t ascii = 0;

	while (ascii < length && !IS_HIGHBIT_SET(text[ascii]))
		ascii++;
	return ascii;
}

/*
 * How much of a server text, from its start, can be said in UTF-8: all of it,
 * or what stands before the first character that UTF-8 lacks.
 */
size_t
EncodingConvertibleLength(const char *text, size_t length)
{
	unsigned char converted[8192]; /* only to see that it can be done */
	int server_encoding = GetDatabaseEncoding();
	size_t done;
	int more = 1;
	Oid conversion;

	if (NeedsNoConversion())
		return length;
	done = AsciiLength(text, length);
	if (done == length)
		return length;
	conversion = FindDefaultConversionProc(server_encoding, PG_UTF8);
	while (OidIsValid(conversion) && done < length && more > 0)
	{
		more = pg_do_encoding_conversion_buf(
			conversion, server_encoding, PG_UTF8,
			(unsigned char *) unconstify(char *, text) + done,
			(int) (length - done), converted, sizeof(converted), true);
		done += more;
	}
	return done;
}

/*
 * Returns server text of *length bytes as UTF-8, and sets *length to its
 * length; the text itself where it needs no conversion, else a palloc'd copy.
 * Raises 22P05 for a character that UTF-8 lacks.
 */
const char *
EncodingToUtf8(const char *text, size_t *length)
{
	char *converted;

	if (NeedsNoConversion() || AsciiLength(text, *length) == *length)
		return text;
	converted = pg_server_to_any(text, (int) *length, PG_UTF8);
	if (converted != text)
		*length = strlen(converted);
	return converted;
}

/*
 * Returns a palloc'd, zero-terminated copy in the server encoding.  The
 * caller has made sure that the server encoding has the characters.
 */
char *
EncodingFromUtf8(const char *text, size_t length)
{
	char *copy = pnstrdup(text, length);

	if (NeedsNoConversion() || AsciiLength(copy, length) == length)
		return copy;
	return pg_any_to_server(copy, (int) length, PG_UTF8);
}

/*
 * Appends a character in UTF-8.
 */
void
EncodingAppendUtf8(StringInfo out, uint32 code_point)
{
	unsigned char utf8[MAX_MULTIBYTE_CHAR_LEN];

	unicode_to_utf8(code_point, utf8);
	appendBinaryStringInfo(out, (char *) utf8, pg_utf_mblen(utf8));
}

/*
 * Whether the server encoding has a character that is not ASCII.
 */
bool
EncodingHasCharacter(uint32 code_point)
{
	unsigned char utf8[MAX_MULTIBYTE_CHAR_LEN + 1];
	unsigned char converted[MAX_UNICODE_EQUIVALENT_STRING + 1];
	int server_encoding = GetDatabaseEncoding();
	int length;
	Oid conversion;

	if (server_encoding == PG_UTF8)
		return true;
	if (server_encoding == PG_SQL_ASCII)
		return false;
	conversion = FindDefaultConversionProc(PG_UTF8, server_encoding);
	if (!OidIsValid(conversion))
		return false;
	unicode_to_utf8(code_point, utf8);
	length = pg_utf_mblen(utf8);
	return pg_do_encoding_conversion_buf(conversion, PG_UTF8, server_encoding,
										 utf8, length, converted,
										 sizeof(converted), true) == length;
}

/*
 * Whether the server encoding has all characters of a text, which is valid
 * UTF-8.
 */
bool
EncodingCanHold(const char *utf8, size_t length)
{
	const unsigned char *p = (const unsigned char *) utf8;
	const unsigned char *end = p + length;

	if (NeedsNoConversion())
		return true;
	for (; p < end; p += pg_utf_mblen(p))
	{
		if (IS_HIGHBIT_SET(*p) && !EncodingHasCharacter(utf8_to_unicode(p)))
			return false;
	}
	return true;
}

/*
 * The length of the longest part of server text that has at most "limit"
 * bytes and no broken character.
 */
size_t
EncodingClip(const char *text, size_t length, size_t limit)
{
	return pg_mbcliplen(text, (int) length, (int) limit);
}

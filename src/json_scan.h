/*
 * json_scan.h
 *		Walking over JSON text that is known to be valid, without a tree.
 */
#ifndef ACTIVITYFEED_JSON_SCAN_H
#define ACTIVITYFEED_JSON_SCAN_H

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "lib/stringinfo.h"
#include "port/pg_bitutils.h"

/* A piece of JSON text: a value, without the space around it. */
typedef struct JsonSlice
{
	const char *start; /* borrowed from the document */
	const char *end;   /* one past the last byte */
} JsonSlice;

/* A position inside an array, for JsonNextElement. */
typedef struct JsonElements
{
	const char *cursor;
	const char *end;
} JsonElements;

/* A position inside an object, for JsonNextMember. */
typedef JsonElements JsonMembers;

/* What jsonb would refuse in a text that json accepts. */
typedef enum JsonTrouble
{
	JSON_FINE,
	JSON_NUL_CHARACTER,	   /* \u0000 */
	JSON_LONE_SURROGATE,   /* half of a \ud8xx\udcxx pair */
	JSON_UNTRANSLATABLE,   /* \uxxxx that the server encoding lacks */
	JSON_NUMBER_TOO_LARGE, /* beyond what numeric can hold */
	JSON_TOO_DEEP,		   /* more nested containers than allowed */
	JSON_NOT_IN_UTF8	   /* a character that UTF-8 lacks: json-c's trouble */
} JsonTrouble;

/* A word with the same byte in each place. */
#define EVERY_BYTE(byte) (UINT64CONST(0x0101010101010101) * (byte))

/* Whether a word has a byte below n, which is at most 128. */
#define HAS_LESS(word, n) (((word) -EVERY_BYTE(n)) & ~(word) &EVERY_BYTE(0x80))

/*
 * Whether a character stands for itself in a string: whether it is no quote, no
 * backslash and no control character.  Every server encoding uses the bytes of
 * ASCII for nothing else, so bytes are looked at.
 */
static inline bool
JsonIsPlain(char c)
{
	return c != '"' && c != '\\' && (unsigned char) c >= ' ';
}

/*
 * The same of eight at once.
 */
static inline bool
JsonIsPlainWord(uint64 word)
{
	return (HAS_LESS(word, ' ') | HAS_LESS(word ^ EVERY_BYTE('"'), 1) |
			HAS_LESS(word ^ EVERY_BYTE('\\'), 1)) == 0;
}

#ifdef __SSE2__
/*
 * Which of sixteen do not, as bits.
 */
static inline int
JsonMarks(__m128i bytes)
{
	__m128i controls = _mm_min_epu8(bytes, _mm_set1_epi8(' ' - 1));

	return _mm_movemask_epi8(_mm_or_si128(
		_mm_cmpeq_epi8(controls, bytes),
		_mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
					 _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')))));
}
#endif

/*
 * Where a run of such characters ends.  16 or 8 are looked at at once.
 */
static inline const char *
JsonSkipPlain(const char *p, const char *end)
{
#ifdef __SSE2__
	for (; end - p >= (ptrdiff_t) sizeof(__m128i); p += sizeof(__m128i))
	{
		int marks = JsonMarks(_mm_loadu_si128((const __m128i *) p));

		if (marks != 0)
			return p + pg_rightmost_one_pos32(marks);
	}
#else
	for (; end - p >= (ptrdiff_t) sizeof(uint64); p += sizeof(uint64))
	{
		uint64 word;

		memcpy(&word, p, sizeof(word));
		if (!JsonIsPlainWord(word))
			break;
	}
#endif
	while (p < end && JsonIsPlain(*p))
		p++;
	return p;
}

extern JsonSlice JsonSliceOf(const char *text, size_t length);
extern JsonTrouble JsonFindTrouble(JsonSlice document, int max_depth,
								   const char **where);
extern bool JsonNestsDeeper(JsonSlice text, int max_depth);
extern void JsonAppendPath(StringInfo path, JsonSlice document, int max_depth,
						   const char *where);
extern bool JsonHasSurrogates(JsonSlice document);
extern void JsonAppendWithoutSurrogates(StringInfo out, JsonSlice document);
extern size_t JsonStringLength(JsonSlice string);
extern bool JsonFindMember(JsonSlice object, const char *name,
						   JsonSlice *value);
extern void JsonBeginMembers(JsonSlice object, JsonMembers *members);
extern bool JsonNextName(JsonMembers *members, JsonSlice *name);
extern JsonSlice JsonNextValue(JsonMembers *members);
extern bool JsonNextMember(JsonMembers *members, JsonSlice *name,
						   JsonSlice *value);
extern bool JsonNameIs(JsonSlice name, const char *expected);
extern bool JsonNameHas(JsonSlice name, char character);
extern void JsonBeginElements(JsonSlice array, JsonElements *elements);
extern bool JsonNextElement(JsonElements *elements, JsonSlice *element);

#endif /* ACTIVITYFEED_JSON_SCAN_H */

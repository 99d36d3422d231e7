/*
 * json_scan.h
 *		Walking over JSON text that is known to be valid, without a tree.
 */
#ifndef ACTIVITYFEED_JSON_SCAN_H
#define ACTIVITYFEED_JSON_SCAN_H

#include "lib/stringinfo.h"

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
extern bool JsonNextMember(JsonMembers *members, JsonSlice *name,
						   JsonSlice *value);
extern bool JsonNameIs(JsonSlice name, const char *expected);
extern bool JsonNameHas(JsonSlice name, char character);
extern void JsonBeginElements(JsonSlice array, JsonElements *elements);
extern bool JsonNextElement(JsonElements *elements, JsonSlice *element);

#endif /* ACTIVITYFEED_JSON_SCAN_H */

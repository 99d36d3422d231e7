/*
 * judge.h
 *		What PostgreSQL's own JSON parser says of a document, to compare with.
 */
#ifndef ACTIVITYFEED_FUZZ_JUDGE_H
#define ACTIVITYFEED_FUZZ_JUDGE_H

#include "json_scan.h"

/* A member of an object, or an element of an array. */
typedef struct JudgedPart
{
	char *name; /* without escapes; NULL: an element */
	JsonSlice value;
} JudgedPart;

typedef struct Judged
{
	bool is_json;
	int count;
	JudgedPart *parts;
	int depth;	  /* of the containers */
	char *string; /* what a text that is one string says; else NULL */
} Judged;

extern Judged Judge(JsonSlice text);
extern const JudgedPart *JudgedMember(const Judged *judged, const char *name);
extern char *JudgedString(JsonSlice value);

#endif /* ACTIVITYFEED_FUZZ_JUDGE_H */

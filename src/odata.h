/*
 * odata.h
 *		What the target of a request says: the resource and its options.
 *
 * Everything is UTF-8 and zero-terminated, and lives in the memory context
 * that was current.  What is wrong is returned, never raised.
 */
#ifndef ACTIVITYFEED_ODATA_H
#define ACTIVITYFEED_ODATA_H

#include "datatype/timestamp.h"
#include "lib/stringinfo.h"

/* What is wrong with a target; in ASCII. */
typedef struct OdataError
{
	const char *option; /* the query option; NULL: the path */
	char *message;		/* a sentence */
} OdataError;

typedef enum OdataResource
{
	ODATA_NOTHING, /* no such resource */
	ODATA_ACTIVITIES,
	ODATA_RECENT,		 /* keys[0] as of ODATA_ACTIVITY, which a PUT means */
	ODATA_ACTIVITY,		 /* keys[0]: appActivityId in a PUT, else id */
	ODATA_HISTORY_ITEMS, /* keys[0]: id of the activity */
	ODATA_HISTORY_ITEM,	 /* and keys[1]: GUID */
	ODATA_ADD_ACTIVITIES /* keys: connection, item */
} OdataResource;

typedef struct OdataTarget
{
	OdataResource resource;
	char *keys[2]; /* decoded */
	char *user;	   /* of /users/{user}, decoded; NULL: /me */

	/* For links, in ASCII. */
	char *root; /* scheme, host and version of an absolute target, else "" */
	char *base; /* /me or /users/{user} */
	char *path; /* from base on, without a trailing slash */

	const char *query; /* borrowed, still encoded; NULL: none */
} OdataTarget;

/* Exclusive bounds of lastModifiedDateTime, in microseconds. */
typedef struct OdataFilter
{
	TimestampTz after;	/* DT_NOBEGIN: none */
	TimestampTz before; /* DT_NOEND: none */
} OdataFilter;

/* The options, as bits. */
#define ODATA_TOP 1
#define ODATA_FILTER 2
#define ODATA_EXPAND 4
#define ODATA_SKIPTOKEN 8

typedef struct OdataOptions
{
	int given; /* which */
	int top;
	OdataFilter filter;		   /* without $filter: no bounds */
	OdataFilter nested_filter; /* of $expand=historyItems(...) */
	char *nested_filter_text;  /* NULL: none */
	char *skiptoken;
} OdataOptions;

/* The list that a token goes on with. */
typedef enum OdataList
{
	ODATA_LIST_ACTIVITIES = 'a',
	ODATA_LIST_RECENT = 'r',
	ODATA_LIST_HISTORY = 'h'
} OdataList;

#define ODATA_NO_LIMIT (-1)

typedef struct OdataToken
{
	OdataList list;
	int64 activity_id; /* of a list of history items, else 0 */
	int64 before;	   /* change number */
	int left;		   /* rows that $top leaves, or ODATA_NO_LIMIT */
} OdataToken;

extern bool OdataParseTarget(const char *text, OdataTarget *target,
							 OdataError *error);
extern bool OdataParseOptions(const char *query, OdataOptions *options,
							  OdataError *error);

/*
 * Reads a token.  list and activity_id of *token say for what it must be
 * good; the rest is filled in.  Returns false for one that is not ours.
 */
extern bool OdataParseToken(const char *text, OdataToken *token);
extern void OdataAppendToken(StringInfo out, const OdataToken *token);

extern void OdataAppendEncoded(StringInfo out, const char *text);
extern void OdataAppendOtherOptions(StringInfo out, const char *query);

#endif /* ACTIVITYFEED_ODATA_H */

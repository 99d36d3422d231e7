/*
 * graph_request.h
 *		The documented HTTP surface: a request in, an answer out.
 *
 * What the caller of the request did wrong is an answer; only what is not its
 * doing is raised.
 */
#ifndef ACTIVITYFEED_GRAPH_REQUEST_H
#define ACTIVITYFEED_GRAPH_REQUEST_H

#include "lib/stringinfo.h"

#include "document.h"
#include "odata.h"
#include "principal.h"

typedef struct GraphRequest
{
	Principal principal;
	const char *method;
	const char *target; /* in the server encoding */
	bool has_body;
	Datum body; /* text, not unpacked yet */
} GraphRequest;

typedef struct GraphAnswer
{
	int status;
	char *location;		 /* NULL: none */
	StringInfoData body; /* empty: none */
} GraphAnswer;

/* A request while it is answered. */
typedef struct GraphCall
{
	const GraphRequest *request;
	OdataTarget target;
	OdataOptions options;
	int64 activity_id; /* for resources below an activity's id */
	pg_uuid_t item_id; /* for a history item */
	GraphAnswer *answer;
} GraphCall;

/*
 * Answers a request.  SPI must be connected; the answer is made in the
 * current memory context.
 */
extern void GraphRequestAnswer(const GraphRequest *request,
							   GraphAnswer *answer);
extern bool GraphMethodWritesFeed(const char *method);

/* Between the files of the surface */
extern void GraphAnswerError(GraphAnswer *answer, int status, const char *code,
							 const char *message, const char *target);
extern void GraphAnswerNoActivity(GraphAnswer *answer);
extern void GraphAnswerNoHistoryItem(GraphAnswer *answer);
extern void GraphBeginAnswer(GraphCall *call, int status, const char *context);
extern char *GraphContextOfUser(const GraphCall *call, const char *rest);

extern void GraphListActivities(GraphCall *call);
extern void GraphListRecent(GraphCall *call);
extern void GraphGetActivity(GraphCall *call);
extern void GraphListHistoryItems(GraphCall *call);
extern void GraphGetHistoryItem(GraphCall *call);

extern void GraphPutActivity(GraphCall *call);
extern void GraphPutHistoryItem(GraphCall *call);
extern void GraphDeleteActivity(GraphCall *call);
extern void GraphDeleteHistoryItem(GraphCall *call);
extern void GraphAddExternalActivities(GraphCall *call);

#endif /* ACTIVITYFEED_GRAPH_REQUEST_H */

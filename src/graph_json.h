/*
 * graph_json.h
 *		Rows as the documents that go over the wire.
 */
#ifndef ACTIVITYFEED_GRAPH_JSON_H
#define ACTIVITYFEED_GRAPH_JSON_H

#include "lib/stringinfo.h"

#include "document.h"

/*
 * Each appends one document.  values and nulls are a row in the order of
 * row.h; any column may be null, whatever the table says, as a caller can
 * make up a row.
 */
extern void GraphJsonActivity(StringInfo out, const Datum *values,
							  const bool *nulls);
extern void GraphJsonHistoryItem(StringInfo out, const Datum *values,
								 const bool *nulls);
extern void GraphJsonExternalResult(StringInfo out, const Datum *values,
									const bool *nulls);
extern void GraphJsonError(StringInfo out, const DocumentError *error);

/*
 * The same without the braces, for a caller who puts annotations before or
 * members after.
 */
extern void GraphJsonActivityMembers(StringInfo out, const Datum *values,
									 const bool *nulls);
extern void GraphJsonHistoryItemMembers(StringInfo out, const Datum *values,
										const bool *nulls);
extern void GraphJsonStringMember(StringInfo out, const char *name,
								  const char *string);

/*
 * An activity with its history: Begin, any number of HistoryItem, End.
 */
extern void GraphJsonBeginActivity(StringInfo out, const Datum *values,
								   const bool *nulls);
extern void GraphJsonBeginHistory(StringInfo out);
extern void GraphJsonNextHistoryItem(StringInfo out, const Datum *values,
									 const bool *nulls);
extern void GraphJsonEndHistory(StringInfo out);
extern void GraphJsonEndActivity(StringInfo out);

#endif /* ACTIVITYFEED_GRAPH_JSON_H */

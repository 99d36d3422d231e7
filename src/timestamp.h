/*
 * timestamp.h
 *		Edm.DateTimeOffset, the documents' only notation of time.
 */
#ifndef ACTIVITYFEED_TIMESTAMP_H
#define ACTIVITYFEED_TIMESTAMP_H

#include "datatype/timestamp.h"
#include "lib/stringinfo.h"

/* 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999Z */
#define EARLIEST_TIME INT64CONST(-63082281600000000)
#define LATEST_TIME INT64CONST(252455615999999999)

#define TimestampIsStorable(t) ((t) >= EARLIEST_TIME && (t) <= LATEST_TIME)

extern bool TimestampParse(const char *text, size_t length,
						   TimestampTz *result);
extern void TimestampAppend(StringInfo out, TimestampTz time);
extern TimestampTz TimestampExpiration(TimestampTz start);
extern int64 TimestampSecondsBetween(TimestampTz start, TimestampTz end);

#endif /* ACTIVITYFEED_TIMESTAMP_H */

/*
 * active_time.h
 *		How long a user was active, by local days.
 */
#ifndef ACTIVITYFEED_ACTIVE_TIME_H
#define ACTIVITYFEED_ACTIVE_TIME_H

#include "pgtime.h"
#include "utils/date.h"

#include "principal.h"

/* Of what time, and whose days. */
typedef struct ActiveTimeSpan
{
	TimestampTz since;
	TimestampTz until;
	pg_tz *zone;
} ActiveTimeSpan;

/* Takes the whole seconds of one day and activity; never 0. */
typedef void (*ActiveTimeTaker)(void *context, DateADT day, int64 activity_id,
								int64 seconds);

extern void ActiveTime(const Principal *principal, const ActiveTimeSpan *span,
					   ActiveTimeTaker take, void *context);

#endif /* ACTIVITYFEED_ACTIVE_TIME_H */

/*
 * purge_find.h
 *		Finding what a purge may remove.
 */
#ifndef ACTIVITYFEED_PURGE_FIND_H
#define ACTIVITYFEED_PURGE_FIND_H

#include "expired_rows.h"

extern ExpiredRows PurgeFindItems(TimestampTz now, int64 limit);
extern ExpiredRows PurgeFindActivities(TimestampTz now, int64 limit);
extern ExpiredRows PurgeFindItemsOf(TimestampTz now,
									const ExpiredRows *activities);

#endif /* ACTIVITYFEED_PURGE_FIND_H */

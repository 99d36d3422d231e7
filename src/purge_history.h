/*
 * purge_history.h
 *		What activities say of the history that a purge has removed.
 */
#ifndef ACTIVITYFEED_PURGE_HISTORY_H
#define ACTIVITYFEED_PURGE_HISTORY_H

#include "expired_rows.h"

extern void PurgeTellActivities(const ExpiredRows *gone);

#endif /* ACTIVITYFEED_PURGE_HISTORY_H */

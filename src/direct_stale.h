/*
 * direct_stale.h
 *		Finding activities whose newest session may have gone without the
 *		executor.
 */
#ifndef ACTIVITYFEED_DIRECT_STALE_H
#define ACTIVITYFEED_DIRECT_STALE_H

#include "expired_rows.h"
#include "plans.h"

extern bool DirectFindStale(KeptPlan *plan, const ExpiredRow *sums, int count,
							PlanRowTaker take, void *context);

#endif /* ACTIVITYFEED_DIRECT_STALE_H */

/*
 * direct_delete.h
 *		Deletes of rows at known places without the executor.
 */
#ifndef ACTIVITYFEED_DIRECT_DELETE_H
#define ACTIVITYFEED_DIRECT_DELETE_H

#include "storage/itemptr.h"

#include "plans.h"

extern int DirectDelete(KeptPlan *plan, int condition_count,
						ItemPointerData *tids, int count);

#endif /* ACTIVITYFEED_DIRECT_DELETE_H */

/*
 * planner_hook.h
 *		How the module's own statements are planned.
 */
#ifndef ACTIVITYFEED_PLANNER_HOOK_H
#define ACTIVITYFEED_PLANNER_HOOK_H

#include "plans.h"

extern void PlannerHookInstall(void);
extern void PlannerHookAdd(KeptPlan *plan, const char *query_string);

#endif /* ACTIVITYFEED_PLANNER_HOOK_H */

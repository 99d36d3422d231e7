/*
 * planner_hook.h
 *		Which indexes the planner may choose from, for the extension's tables.
 */
#ifndef ACTIVITYFEED_PLANNER_HOOK_H
#define ACTIVITYFEED_PLANNER_HOOK_H

/*
 * While true, only unique indexes of the extension's tables are considered.
 * Whoever sets it resets it, errors included.
 */
extern bool planner_unique_indexes_only;

extern void PlannerHookInstall(void);

#endif /* ACTIVITYFEED_PLANNER_HOOK_H */

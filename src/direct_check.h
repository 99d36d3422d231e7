/*
 * direct_check.h
 *		Whether an update may be made without the executor.
 */
#ifndef ACTIVITYFEED_DIRECT_CHECK_H
#define ACTIVITYFEED_DIRECT_CHECK_H

#include "executor/tuptable.h"
#include "nodes/plannodes.h"
#include "utils/rel.h"

#include "direct_update.h"

extern Oid DirectIndexOf(const PlannedStmt *statement,
						 const DirectUpdate *direct);
extern bool DirectIsAsInstalled(const KeptPlan *plan, Relation table,
								Relation index, const RowPlaces *places);
extern bool DirectRunsNoTrigger(Relation table, TupleTableSlot *old,
								TupleTableSlot *next);

#endif /* ACTIVITYFEED_DIRECT_CHECK_H */

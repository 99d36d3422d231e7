/*
 * direct_check.h
 *		Whether a statement may be done without the executor.
 */
#ifndef ACTIVITYFEED_DIRECT_CHECK_H
#define ACTIVITYFEED_DIRECT_CHECK_H

#include "direct_target.h"

extern Oid DirectIndexOfUpdate(const PlannedStmt *statement,
							   const DirectStatement *direct);
extern bool DirectIndexesOfInsert(const PlannedStmt *statement,
								  const DirectStatement *direct, Oid *own,
								  Oid *parent);
extern List *DirectInsertedColumns(const PlannedStmt *statement);
extern bool DirectIsOwnKey(const KeptPlan *plan, Relation index, int length);
extern bool DirectIsAsInstalled(const DirectTarget *target, Relation index);
extern bool DirectRefersTo(const DirectTarget *target, Relation parent,
						   const RowPlaces *places);
extern bool DirectUpdateRunsNoTrigger(Relation table, TupleTableSlot *old,
									  TupleTableSlot *next);

#endif /* ACTIVITYFEED_DIRECT_CHECK_H */

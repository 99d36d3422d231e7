/*
 * direct_constraint.h
 *		CHECK constraints of rows that are inserted without the executor.
 */
#ifndef ACTIVITYFEED_DIRECT_CONSTRAINT_H
#define ACTIVITYFEED_DIRECT_CONSTRAINT_H

#include "nodes/execnodes.h"
#include "utils/rel.h"

extern Expr *const *DirectFindConstraints(Relation table);
extern void DirectPrepareConstraints(ResultRelInfo *result,
									 Expr *const *expressions);

#endif /* ACTIVITYFEED_DIRECT_CONSTRAINT_H */

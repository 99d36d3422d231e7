/*
 * changes.h
 *		The change feed: what a replica has to read to be up to date.
 */
#ifndef ACTIVITYFEED_CHANGES_H
#define ACTIVITYFEED_CHANGES_H

#include "utils/tuplestore.h"

#include "principal.h"

extern void ChangesRead(const Principal *principal, int64 since, int top,
						TupleDesc expected, Tuplestorestate *store);
extern uint64 ChangesInvalidateCursors(Datum user_id, bool every_user);

#endif /* ACTIVITYFEED_CHANGES_H */

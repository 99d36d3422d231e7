/*
 * direct_index.h
 *		Dead entries of the indexes by bucket.
 */
#ifndef ACTIVITYFEED_DIRECT_INDEX_H
#define ACTIVITYFEED_DIRECT_INDEX_H

#include "nodes/execnodes.h"

extern void DirectReadLeftBuckets(const ResultRelInfo *result,
								  TupleTableSlot *old, TupleTableSlot *next);

#endif /* ACTIVITYFEED_DIRECT_INDEX_H */

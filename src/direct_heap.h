/*
 * direct_heap.h
 *		The row that an index scan finds by its key, for whoever is about to
 *		write it.
 */
#ifndef ACTIVITYFEED_DIRECT_HEAP_H
#define ACTIVITYFEED_DIRECT_HEAP_H

#include "access/genam.h"
#include "executor/tuptable.h"

extern bool DirectFetchFirst(IndexScanDesc scan, TupleTableSlot *slot);

#endif /* ACTIVITYFEED_DIRECT_HEAP_H */

/*
 * direct_rows.h
 *		The rows of an index scan, where they are.
 */
#ifndef ACTIVITYFEED_DIRECT_ROWS_H
#define ACTIVITYFEED_DIRECT_ROWS_H

#include "access/relscan.h"
#include "storage/buf.h"

/* A scan of a heap's index, and its row that is looked at. */
typedef struct DirectRows
{
	IndexScanDesc scan;
	ScanDirection direction;
	Buffer buffer;		 /* the page that is pinned, if any */
	BlockNumber block;	 /* its number */
	HeapTupleData tuple; /* the row there */
} DirectRows;

extern bool DirectHasRows(Relation table);
extern bool DirectFindVersion(IndexScanDesc scan, ItemPointerData tid,
							  Buffer buffer, HeapTuple tuple);
extern void DirectBeginRows(DirectRows *rows, IndexScanDesc scan,
							ScanDirection direction);
extern HeapTuple DirectNextRow(DirectRows *rows);
extern void DirectEndRows(DirectRows *rows);

#endif /* ACTIVITYFEED_DIRECT_ROWS_H */

/*
 * direct_rows.h
 *		The rows of an index scan, without a slot for each.
 */
#ifndef ACTIVITYFEED_DIRECT_ROWS_H
#define ACTIVITYFEED_DIRECT_ROWS_H

#include "access/relscan.h"
#include "executor/tuptable.h"
#include "storage/buf.h"

/* A scan, and its row that is looked at. */
typedef struct DirectRows
{
	IndexScanDesc scan;
	ScanDirection direction;
	bool is_heap;		  /* the table */
	TupleTableSlot *slot; /* has the row where it is not */
	Buffer buffer;		  /* of a heap, has the row; or none */
	BlockNumber block;	  /* that this is */
	HeapTupleData tuple;  /* the row there */
	HeapTuple copy;		  /* of what is in the slot, or NULL */
} DirectRows;

extern void DirectBeginRows(DirectRows *rows, IndexScanDesc scan,
							ScanDirection direction);
extern HeapTuple DirectNextRow(DirectRows *rows);
extern MinimalTuple DirectCopyRow(DirectRows *rows);
extern void DirectEndRows(DirectRows *rows);

#endif /* ACTIVITYFEED_DIRECT_ROWS_H */

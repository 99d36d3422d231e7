/*
 * direct_rows.c
 *		The rows of an index scan, where they are.
 *
 * Most rows of a bucket are looked at and left.  The interface of access
 * methods puts each into a slot, which pins its page once more and is taken
 * apart again: together that costs as much as to find the row on its page.
 * Here the row is told where it is, on a page that stays pinned.  All else is as
 * index_fetch_heap() and the heap do it: pages are pruned when the scan comes to
 * them, and the index is told of rows that are dead to all.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/tableam.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/bufmgr.h"

#include "direct_rows.h"

/*
 * Whether a table's rows can be read so.
 */
bool
DirectHasRows(Relation table)
{
	return table->rd_tableam == GetHeapamTableAmRoutine();
}

/*
 * Looks on a page that is pinned for the version that a scan's snapshot sees of
 * the row of an entry.  If all its versions are dead to all, the entry is marked
 * when the scan goes on; in recovery it must not be.
 */
bool
DirectFindVersion(IndexScanDesc scan, ItemPointerData tid, Buffer buffer,
				  HeapTuple tuple)
{
	bool all_dead;
	bool found;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	found = heap_hot_search_buffer(&tid, scan->heapRelation, buffer,
								   scan->xs_snapshot, tuple, &all_dead, true);
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	if (!scan->xactStartedInRecovery)
		scan->kill_prior_tuple = all_dead;
	return found;
}

/*
 * Begins to read what a scan finds.
 */
void
DirectBeginRows(DirectRows *rows, IndexScanDesc scan, ScanDirection direction)
{
	*rows = (DirectRows){.scan = scan,
						 .direction = direction,
						 .buffer = InvalidBuffer,
						 .block = InvalidBlockNumber};
}

static void
GoToPage(DirectRows *rows, BlockNumber block)
{
	Relation table = rows->scan->heapRelation;

	if (rows->block == block)
		return;
	rows->buffer = ReleaseAndReadBuffer(rows->buffer, table, block);
	rows->block = block;
	heap_page_prune_opt(table, rows->buffer);
}

static bool
FindRow(DirectRows *rows, ItemPointerData tid)
{
	GoToPage(rows, ItemPointerGetBlockNumber(&tid));
	if (!DirectFindVersion(rows->scan, tid, rows->buffer, &rows->tuple))
		return false;
	pgstat_count_heap_fetch(rows->scan->indexRelation);
	return true;
}

/*
 * The next row, borrowed until the one after it is asked for; or NULL.
 */
HeapTuple
DirectNextRow(DirectRows *rows)
{
	ItemPointer tid;

	while ((tid = index_getnext_tid(rows->scan, rows->direction)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		if (FindRow(rows, *tid))
			return &rows->tuple;
	}
	return NULL;
}

/*
 * Before the scan itself is ended.
 */
void
DirectEndRows(DirectRows *rows)
{
	if (BufferIsValid(rows->buffer))
		ReleaseBuffer(rows->buffer);
}

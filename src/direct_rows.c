/*
 * direct_rows.c
 *		The rows of an index scan, without a slot for each.
 *
 * Most rows of a bucket are looked at and left.  To fetch one through the
 * access method's interface costs more than looking for it on its page: it is
 * put into a slot, with a pin of its own, and taken out of there.  Here the
 * page stays pinned and the row stays where it is.  Everything else is done as
 * index_fetch_heap() and the heap do it.
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
 * Begins to read what a scan finds.
 */
void
DirectBeginRows(DirectRows *rows, IndexScanDesc scan, ScanDirection direction)
{
	Relation table = scan->heapRelation;
	bool is_heap = table->rd_tableam == GetHeapamTableAmRoutine();

	*rows = (DirectRows){
		.scan = scan, .direction = direction, .block = InvalidBlockNumber};
	if (is_heap)
		rows->slot = MakeSingleTupleTableSlot(RelationGetDescr(table),
											  &TTSOpsHeapTuple);
	else
		rows->slot = table_slot_create(table, NULL);
	rows->is_heap = is_heap;
}

/*
 * Pins the page of a row.
 */
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

/*
 * Looks for the row of an entry.  An entry whose row is dead to all is marked
 * when the scan goes on.
 */
static bool
FetchRow(DirectRows *rows, ItemPointerData tid)
{
	IndexScanDesc scan = rows->scan;
	bool all_dead;
	bool found;

	GoToPage(rows, ItemPointerGetBlockNumber(&tid));
	LockBuffer(rows->buffer, BUFFER_LOCK_SHARE);
	found = heap_hot_search_buffer(&tid, scan->heapRelation, rows->buffer,
								   scan->xs_snapshot, &rows->tuple, &all_dead,
								   true);
	LockBuffer(rows->buffer, BUFFER_LOCK_UNLOCK);
	if (found)
		pgstat_count_heap_fetch(scan->indexRelation);
	if (!scan->xactStartedInRecovery)
		scan->kill_prior_tuple = all_dead;
	return found;
}

static HeapTuple
NextOfHeap(DirectRows *rows)
{
	ItemPointer tid;

	while ((tid = index_getnext_tid(rows->scan, rows->direction)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		if (FetchRow(rows, *tid))
			return &rows->tuple;
	}
	return NULL;
}

static HeapTuple
NextOfOther(DirectRows *rows)
{
	HeapTuple tuple;
	bool is_copy;

	CHECK_FOR_INTERRUPTS();
	if (rows->copy != NULL)
		heap_freetuple(rows->copy);
	rows->copy = NULL;
	if (!index_getnext_slot(rows->scan, rows->direction, rows->slot))
		return NULL;
	tuple = ExecFetchSlotHeapTuple(rows->slot, false, &is_copy);
	if (is_copy)
		rows->copy = tuple;
	return tuple;
}

/*
 * The next row, borrowed until the next one is asked for; or NULL.
 */
HeapTuple
DirectNextRow(DirectRows *rows)
{
	return rows->is_heap ? NextOfHeap(rows) : NextOfOther(rows);
}

/*
 * A copy of the row that is looked at.
 */
MinimalTuple
DirectCopyRow(DirectRows *rows)
{
	if (rows->is_heap)
		ExecStoreHeapTuple(&rows->tuple, rows->slot, false);
	return ExecCopySlotMinimalTuple(rows->slot);
}

void
DirectEndRows(DirectRows *rows)
{
	if (BufferIsValid(rows->buffer))
		ReleaseBuffer(rows->buffer);
	if (rows->copy != NULL)
		heap_freetuple(rows->copy);
	ExecDropSingleTupleTableSlot(rows->slot);
}

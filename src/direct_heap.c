/*
 * direct_heap.c
 *		The row that an index scan finds by its key, for whoever is about to
 *		write it.
 *
 * An index scan prunes each page that it comes to, if that is fuller than its
 * table's fillfactor and something has died there.  Pages of ours always are
 * after an update: rows that were inserted fill them that far.  So each update
 * would prune the one version that the update before has left behind, which
 * takes longer than the rest of the look and writes a record of its own.  Here
 * a page is pruned when the versions that are to come would not find room, or
 * when much of it is dead.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/relscan.h"
#include "access/tableam.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"
#include "utils/rel.h"

#include "direct_heap.h"
#include "direct_rows.h"

/*
 * Room is kept for so many versions of the row: its next one, and one of
 * somebody who writes another row of the page at the same time.
 */
#define VERSIONS_TO_COME 2

/*
 * A page is fuller than the fillfactor by no more than a tenth: autovacuum comes
 * when a fifth of the rows is dead, and on average half of that space is.
 */
#define MAX_DEAD_SPACE (BLCKSZ / 10)

/*
 * Whether the page should be pruned before another version of such a row is
 * written.  Nobody has to lock it for that: it is no more than a hint.
 */
static bool
IsTight(Relation table, Page page, const HeapTupleData *tuple)
{
	Size wanted =
		VERSIONS_TO_COME * (MAXALIGN(tuple->t_len) + sizeof(ItemIdData));
	Size kept = RelationGetTargetPageFreeSpace(table, HEAP_DEFAULT_FILLFACTOR);

	if (kept > MAX_DEAD_SPACE)
		wanted = Max(wanted, kept - MAX_DEAD_SPACE);
	return PageIsFull(page) || PageGetHeapFreeSpace(page) < wanted;
}

/*
 * Looks for the row of an entry on its page, which is pruned if it has to be.
 * That moves what is there, so the row is looked for again.
 */
static bool
FindInPage(IndexScanDesc scan, ItemPointerData tid, Buffer buffer,
		   HeapTuple tuple)
{
	if (!DirectFindVersion(scan, tid, buffer, tuple))
		return false;
	if (!IsTight(scan->heapRelation, BufferGetPage(buffer), tuple))
		return true;
	heap_page_prune_opt(scan->heapRelation, buffer);
	return DirectFindVersion(scan, tid, buffer, tuple);
}

/*
 * Puts the row of an entry in the slot.
 */
static bool
FetchRow(IndexScanDesc scan, ItemPointerData tid, TupleTableSlot *slot)
{
	HeapTuple tuple = &((BufferHeapTupleTableSlot *) slot)->base.tupdata;
	Buffer buffer =
		ReadBuffer(scan->heapRelation, ItemPointerGetBlockNumber(&tid));

	if (!FindInPage(scan, tid, buffer, tuple))
	{
		ReleaseBuffer(buffer);
		return false;
	}
	pgstat_count_heap_fetch(scan->indexRelation);
	slot->tts_tableOid = RelationGetRelid(scan->heapRelation);
	ExecStorePinnedBufferHeapTuple(tuple, slot, buffer);
	return true;
}

/*
 * Puts the first row of a scan in the slot, which is of the table's own kind.
 * Other access methods than the heap are asked as everywhere.
 */
bool
DirectFetchFirst(IndexScanDesc scan, TupleTableSlot *slot)
{
	ItemPointer tid;

	if (!DirectHasRows(scan->heapRelation))
		return index_getnext_slot(scan, ForwardScanDirection, slot);
	while ((tid = index_getnext_tid(scan, ForwardScanDirection)) != NULL)
	{
		if (FetchRow(scan, *tid, slot))
			return true;
	}
	return false;
}

/*
 * direct_index.c
 *		Dead entries of the indexes by bucket.
 *
 * Before PostgreSQL splits a full page of an index, it removes the entries that
 * a reader has seen to be dead to all.  Where somebody works and nobody looks at
 * the feed, nobody reads the indexes by bucket.  So whoever takes a row out of a
 * bucket reads it: there are the entries of the rows that left before.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/stratnum.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_am.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "direct_index.h"
#include "direct_target.h"

/*
 * A bucket of ours has 256 entries at most.  Somebody's own index may have
 * thousands with the same key, and all of them of rows that left, which cannot
 * be removed as long as somebody else may see them.
 */
#define MAX_ENTRIES 256

/* Of those, most are of the few live sessions. */
#define MAX_ROWS 32

/*
 * Whether the row gets another number in the last column of an index whose
 * first ones say whose it is.  Many rows share a day in the index by that.
 */
static bool
LeavesBucket(Relation index, TupleTableSlot *old, TupleTableSlot *next)
{
	const FormData_pg_index *form = index->rd_index;
	int last = form->indkey.values[form->indnkeyatts - 1] - 1;

	return index->rd_rel->relam == BTREE_AM_OID && form->indisvalid &&
		   !form->indisunique && form->indnkeyatts > 1 && last >= 0 &&
		   TupleDescAttr(old->tts_tupleDescriptor, last)->attbyval &&
		   !old->tts_isnull[last] &&
		   old->tts_values[last] != next->tts_values[last];
}

/*
 * Makes the conditions of a scan for the row's bucket.  Returns false for an
 * index by expressions, and for one by operators among which is no equality.
 */
static bool
FindBucket(Relation index, TupleTableSlot *old, ScanKey conditions)
{
	const FormData_pg_index *form = index->rd_index;

	for (int i = 0; i < form->indnkeyatts; i++)
	{
		int column = form->indkey.values[i] - 1;
		Oid type = index->rd_opcintype[i];
		Oid equal = get_opfamily_member(index->rd_opfamily[i], type, type,
										BTEqualStrategyNumber);

		if (column < 0 || old->tts_isnull[column] || !OidIsValid(equal))
			return false;
		ScanKeyEntryInitialize(&conditions[i], 0, i + 1, BTEqualStrategyNumber,
							   type, index->rd_indcollation[i],
							   get_opcode(equal), old->tts_values[column]);
	}
	return true;
}

static void
ReadBucket(Relation table, Relation index, ScanKey conditions,
		   TupleTableSlot *slot)
{
	int length = index->rd_index->indnkeyatts;
	int entries = 0;
	int rows = 0;
	IndexScanDesc scan =
		BEGIN_INDEX_SCAN(table, index, GetActiveSnapshot(), length);

	index_rescan(scan, conditions, length, NULL, 0);
	while (entries < MAX_ENTRIES && rows < MAX_ROWS &&
		   index_getnext_tid(scan, ForwardScanDirection) != NULL)
	{
		entries++;
		if (index_fetch_heap(scan, slot))
			rows++;
	}
	index_endscan(scan);
}

/*
 * Reads the buckets that a row has left.  A serializable transaction would have
 * read what it does not depend on.
 */
void
DirectReadLeftBuckets(const ResultRelInfo *result, TupleTableSlot *old,
					  TupleTableSlot *next)
{
	TupleTableSlot *slot;

	if (IsolationIsSerializable())
		return;
	slot = table_slot_create(result->ri_RelationDesc, NULL);
	for (int i = 0; i < result->ri_NumIndices; i++)
	{
		Relation index = result->ri_IndexRelationDescs[i];
		ScanKeyData conditions[INDEX_MAX_KEYS];

		if (LeavesBucket(index, old, next) &&
			FindBucket(index, old, conditions))
			ReadBucket(result->ri_RelationDesc, index, conditions, slot);
	}
	ExecDropSingleTupleTableSlot(slot);
}

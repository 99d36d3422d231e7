/*
 * direct_parent.c
 *		The row that a new one refers to, without the executor.
 *
 * It is looked up and locked as the foreign key's trigger does, but only once
 * for all rows that refer to it.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "utils/snapmgr.h"

#include "direct_check.h"
#include "direct_target.h"

/*
 * Sees to it that nobody takes the row away before this transaction ends, as
 * the foreign key's trigger does: neither the version that is seen nor those
 * that others are about to put in its place.  What the transaction has written
 * itself needs no lock.
 */
static bool
HoldRow(Relation table, TupleTableSlot *slot)
{
	bool is_null;
	Datum writer =
		slot_getsysattr(slot, MinTransactionIdAttributeNumber, &is_null);
	TupleTableSlot *locked;
	TM_FailureData failure;
	TM_Result result;

	if (TransactionIdIsCurrentTransactionId(DatumGetTransactionId(writer)))
		return true;
	locked = table_slot_create(table, NULL);
	result = table_tuple_lock(
		table, &slot->tts_tid, GetActiveSnapshot(), locked,
		GetCurrentCommandId(false), LockTupleKeyShare, LockWaitBlock,
		TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS, &failure);
	ExecDropSingleTupleTableSlot(locked);
	return result == TM_Ok;
}

/*
 * Looks for the parent of the rows, and holds it.
 */
static bool
HoldFound(const DirectTarget *target, const Datum *parameters, Relation table,
		  const RowPlaces *places, IndexScanDesc scan, TupleTableSlot *slot)
{
	const DirectParent *parent = target->plan->direct->parent;
	Datum values[MAX_ROW_COLUMNS];
	bool nulls[MAX_ROW_COLUMNS];
	DirectRow row = {parent->shape, RelationGetDescr(table), values, nulls};

	if (!DirectFindRow(scan, target->plan, parameters, parent->key_length,
					   slot))
		return false;
	RowPick(places, slot->tts_values, slot->tts_isnull, values, nulls);
	return parent->is_it(&row, parameters) && HoldRow(table, slot);
}

/*
 * The same in a table that is open.
 */
static bool
HoldParentIn(const DirectTarget *target, const Datum *parameters,
			 Relation table, Relation index)
{
	const DirectParent *parent = target->plan->direct->parent;
	TupleTableSlot *slot;
	IndexScanDesc scan;
	DirectColumns columns;
	bool is_held;

	DirectDescribeColumns(parent->shape, table, &columns);
	if (!columns.are_own || !DirectRefersTo(target, table, &columns.places) ||
		!DirectIsOwnKey(target->plan, index, parent->key_length))
		return false;
	slot = table_slot_create(table, NULL);
	scan = BEGIN_INDEX_SCAN(table, index, GetActiveSnapshot(),
							parent->key_length);
	is_held =
		HoldFound(target, parameters, table, &columns.places, scan, slot);
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	return is_held;
}

/*
 * The same with the plan's index of the parent's table.  parameters are those
 * of a row.
 */
bool
DirectHoldParent(const DirectTarget *target, const Datum *parameters,
				 Oid index_id)
{
	Relation index = index_open(index_id, AccessShareLock);
	/* for who locks rows, see LOCK TABLE */
	Relation table = table_open(index->rd_index->indrelid, RowShareLock);
	bool is_held = HoldParentIn(target, parameters, table, index);

	table_close(table, NoLock);
	index_close(index, NoLock);
	return is_held;
}

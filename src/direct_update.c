/*
 * direct_update.c
 *		Updates of one row without starting the executor: look the row up by
 *		primary key, write its next version, and add index entries where that
 *		needs them (see direct_target.c).
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "utils/snapmgr.h"

#include "direct_check.h"
#include "direct_index.h"
#include "direct_target.h"

/* What changed between PostgreSQL 15 and 18 for updates. */
#if PG_VERSION_NUM >= 160000
typedef TU_UpdateIndexes IndexUpdates;
#define NO_INDEX_UPDATES TU_None
#else
typedef bool IndexUpdates;
#define NO_INDEX_UPDATES false
#endif

typedef struct Parameters
{
	const Datum *values;
	const bool *nulls;
} Parameters;

/*
 * Adds entries to all indexes, or to those that sum up what pages hold.
 */
static void
AddIndexEntries(const DirectTarget *target, TupleTableSlot *old,
				TupleTableSlot *next, IndexUpdates updates)
{
	EState *state = CreateExecutorState();
	ResultRelInfo *result = DirectOpenIndexes(target, state);

	(void) INSERT_INDEX_ENTRIES(result, next, state, true, false, NULL, NIL,
								updates == TU_Summarizing);
	DirectReadLeftBuckets(result, old, next);
	ExecCloseIndices(result);
	FreeExecutorState(state);
}

/*
 * Puts the next version of the row in the slot "next", and its columns, as
 * callers take them, in values and nulls.
 */
static bool
ChangeRow(const DirectTarget *target, const Parameters *parameters,
		  TupleTableSlot *old, TupleTableSlot *next, Datum *values,
		  bool *nulls)
{
	const DirectStatement *update = target->plan->direct;
	DirectRow row = {update->shape, RelationGetDescr(target->table), values,
					 nulls};
	int natts = row.type->natts;

	memcpy(next->tts_values, old->tts_values, natts * sizeof(Datum));
	memcpy(next->tts_isnull, old->tts_isnull, natts * sizeof(bool));
	RowPick(&target->columns.places, old->tts_values, old->tts_isnull, values,
			nulls);
	if (!update->change(&row, parameters->values, parameters->nulls))
		return false;
	RowPut(&target->columns.places, values, nulls, next->tts_values,
		   next->tts_isnull);
	if (!DirectFitColumns(row.type, next->tts_isnull))
		return false;
	ExecStoreVirtualTuple(next);
	return true;
}

/*
 * Writes the next version, unless another transaction has: to look again is
 * for the statement.  Waits for whoever is at the row, as that would.
 */
static bool
WriteVersion(const DirectTarget *target, TupleTableSlot *old,
			 TupleTableSlot *next)
{
	TM_FailureData failure;
	LockTupleMode lock_mode;
	IndexUpdates updates;

	if (table_tuple_update(target->table, &old->tts_tid, next,
						   GetCurrentCommandId(true), GetActiveSnapshot(),
						   InvalidSnapshot, true, &failure, &lock_mode,
						   &updates) != TM_Ok)
		return false;
	if (updates != NO_INDEX_UPDATES)
		AddIndexEntries(target, old, next, updates);
	return true;
}

/*
 * Changes the row that a scan finds.
 */
static DirectResult
UpdateFound(const DirectTarget *target, IndexScanDesc scan,
			const Parameters *parameters, TupleTableSlot *old,
			TupleTableSlot *next)
{
	Datum values[MAX_ROW_COLUMNS + 1];
	bool nulls[MAX_ROW_COLUMNS + 1];
	int place = target->plan->direct->shape->count;

	if (!DirectFindRow(scan, target->plan, parameters->values,
					   target->plan->direct->key_length, old))
		return DIRECT_NO_ROW;
	if (!ChangeRow(target, parameters, old, next, values, nulls) ||
		!DirectUpdateRunsNoTrigger(target->table, old, next) ||
		!WriteVersion(target, old, next))
		return DIRECT_NOT_DONE;
	values[place] = PointerGetDatum(&next->tts_tid);
	nulls[place] = false;
	if (target->take != NULL)
		target->take(target->context, values, nulls);
	return DIRECT_DONE;
}

/*
 * The same under a snapshot as the statement would have.
 */
static DirectResult
UpdateByIndex(const DirectTarget *target, Relation index,
			  const Parameters *parameters)
{
	TupleTableSlot *old = table_slot_create(target->table, NULL);
	TupleTableSlot *next = MakeSingleTupleTableSlot(
		RelationGetDescr(target->table), &TTSOpsVirtual);
	IndexScanDesc scan;
	DirectResult result;

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	scan = BEGIN_INDEX_SCAN(target->table, index, GetActiveSnapshot(),
							target->plan->direct->key_length);
	result = UpdateFound(target, scan, parameters, old, next);
	index_endscan(scan);
	PopActiveSnapshot();
	CommandCounterIncrement();
	ExecDropSingleTupleTableSlot(next);
	ExecDropSingleTupleTableSlot(old);
	return result;
}

/*
 * The same with what the statement's plan names.
 */
static DirectResult
UpdateByStatement(DirectTarget *target, void *context)
{
	const Parameters *parameters = context;
	Oid index_id =
		DirectIndexOfUpdate(target->statement, target->plan->direct);
	DirectResult result = DIRECT_NOT_DONE;
	Relation index;

	if (!OidIsValid(index_id))
		return DIRECT_NOT_DONE;
	DirectOpenTable(target);
	index = index_open(index_id, RowExclusiveLock);
	if (DirectIsAsInstalled(target, index))
		result = UpdateByIndex(target, index, parameters);
	index_close(index, NoLock);
	DirectCloseTable(target);
	return result;
}

/*
 * Does what an UPDATE would do with the one row that its parameters name, and
 * hands that to "take".  nulls may be NULL when no parameter is null.
 */
DirectResult
DirectUpdateRow(KeptPlan *plan, const Datum *parameters, const bool *nulls,
				PlanRowTaker take, void *context)
{
	DirectTarget target = {.plan = plan, .take = take, .context = context};
	Parameters all = {parameters, nulls};

	return DirectRun(&target, UpdateByStatement, &all);
}

/*
 * direct_stale.c
 *		Finding activities whose newest session may have gone without the
 *		executor (see direct_target.c).
 *
 * A purge removes sessions of most activities that a user has, or of some.  A
 * statement looks up each by the whole of its key, from the primary key's root
 * down, and that is the most of what a purge does for it.  Here a user's
 * activities are come by in the order of the index, from the first that is
 * wanted to the last: others between them are passed over without a look at
 * their rows.  Only if these are too many are the rest looked up one by one.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/itup.h"
#include "access/stratnum.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "direct_stale.h"
#include "direct_target.h"

#define KEY_COUNT 3 /* a user, the first and the last id */

/*
 * To look up one activity costs as much as to pass over some 40.  To begin
 * with, a whole page of the index is read, which does not pay for less than
 * some.
 */
#define MIN_WALK 4
#define MAX_PASSED 32 /* for each that was found */

/* Activities that are looked for: of each, what of its sessions has gone. */
typedef struct Lookup
{
	const ExpiredRow *sums;
	int count;
	PlanRowTaker take;
	void *context;
	int number_place; /* in the table: history_change_number, */
	int latest_place; /* history_expiration_date_time */
	Oid collation;
	IndexScanDesc scan;
	TupleTableSlot *slot;
} Lookup;

/*
 * The scan by which a statement looks up a row for each of a function's, by the
 * whole of its key and one more condition, if that is all that it does; else
 * NULL.
 */
static const IndexScan *
ScanOfEach(const PlannedStmt *statement)
{
	const NestLoop *loop = (const NestLoop *) statement->planTree;
	const IndexScan *scan;

	if (statement->commandType != CMD_SELECT || !IsA(loop, NestLoop) ||
		loop->join.jointype != JOIN_INNER || loop->join.joinqual != NIL ||
		loop->join.plan.qual != NIL || loop->join.plan.initPlan != NIL ||
		!IsA(outerPlan(&loop->join.plan), FunctionScan) ||
		outerPlan(&loop->join.plan)->qual != NIL || statement->subplans != NIL)
		return NULL;
	scan = (const IndexScan *) innerPlan(&loop->join.plan);
	if (!IsA(scan, IndexScan) || list_length(scan->indexqual) != 2 ||
		list_length(scan->scan.plan.qual) != 1)
		return NULL;
	return scan;
}

/*
 * Whether the table is as it was made, and the index its primary key.
 */
static bool
IsAsInstalled(const DirectTarget *target)
{
	const int16 *places = target->columns.places.places;
	const FormData_pg_index *index = target->index->rd_index;

	return target->table->rd_rel->relkind == RELKIND_RELATION &&
		   target->columns.are_own && index->indisprimary &&
		   index->indnkeyatts == 2 &&
		   index->indkey.values[0] == places[ACTIVITY_USER_ID] + 1 &&
		   index->indkey.values[1] == places[ACTIVITY_ID] + 1 &&
		   target->index->rd_opcintype[0] == TEXTOID &&
		   target->index->rd_opcintype[1] == INT8OID;
}

static void
SetKey(const Lookup *lookup, ScanKey key, int attribute,
	   StrategyNumber strategy, RegProcedure procedure, Datum value)
{
	ScanKeyEntryInitialize(key, 0, attribute, strategy, InvalidOid,
						   attribute == 1 ? lookup->collation : InvalidOid,
						   procedure, value);
}

/*
 * Has the scan go through a user's ids from one activity's to another's.
 */
static void
SetRange(const Lookup *lookup, int first, int last)
{
	const ExpiredRow *sums = lookup->sums;
	ScanKeyData keys[KEY_COUNT];

	SetKey(lookup, &keys[0], 1, BTEqualStrategyNumber, F_TEXTEQ,
		   PointerGetDatum(sums[first].user_id));
	SetKey(lookup, &keys[1], 2, BTGreaterEqualStrategyNumber, F_INT8GE,
		   Int64GetDatum(sums[first].activity_id));
	SetKey(lookup, &keys[2], 2, BTLessEqualStrategyNumber, F_INT8LE,
		   Int64GetDatum(sums[last].activity_id));
	index_rescan(lookup->scan, keys, KEY_COUNT, NULL, 0);
}

/*
 * Goes on to the next entry of the index.
 */
static bool
NextId(const Lookup *lookup, int64 *id)
{
	IndexScanDesc scan = lookup->scan;
	bool isnull;

	CHECK_FOR_INTERRUPTS();
	if (index_getnext_tid(scan, ForwardScanDirection) == NULL)
		return false;
	*id = DatumGetInt64(
		index_getattr(scan->xs_itup, 2, scan->xs_itupdesc, &isnull));
	return true;
}

/*
 * Whether a column is not null and at most a value.
 */
static bool
IsAtMost(const TupleTableSlot *slot, int place, int64 value)
{
	return !slot->tts_isnull[place] &&
		   DatumGetInt64(slot->tts_values[place]) <= value;
}

/*
 * Looks at the row of the entry, if there is one for the snapshot, and hands out
 * the activity's place if what it knows may have gone.
 */
static void
LookAtRow(const Lookup *lookup, int i)
{
	const ExpiredRow *sum = &lookup->sums[i];
	TupleTableSlot *slot = lookup->slot;
	Datum place = Int64GetDatum(i + 1);
	bool isnull = false;

	if (!index_fetch_heap(lookup->scan, slot))
		return;
	slot_getsomeattrs(slot,
					  Max(lookup->number_place, lookup->latest_place) + 1);
	if (IsAtMost(slot, lookup->number_place, sum->change_number) ||
		IsAtMost(slot, lookup->latest_place, sum->expiration))
		lookup->take(lookup->context, &place, &isnull);
}

/*
 * Comes by a user's activities.  Returns the first that it has not come to.
 */
static int
WalkThrough(const Lookup *lookup, int first, int end)
{
	const ExpiredRow *sums = lookup->sums;
	int i = first;
	int passed = 0;
	int64 id;

	SetRange(lookup, first, end - 1);
	while (passed <= MAX_PASSED * (i - first + 1))
	{
		if (!NextId(lookup, &id))
			return end;
		while (sums[i].activity_id < id)
			i++;
		/* the key may have entries of several versions */
		if (sums[i].activity_id == id)
			LookAtRow(lookup, i);
		else
			passed++;
	}
	return i;
}

static void
LookUp(const Lookup *lookup, int i)
{
	int64 id;

	SetRange(lookup, i, i);
	while (NextId(lookup, &id))
		LookAtRow(lookup, i);
}

/*
 * Looks at the activities of one user, in the order of their ids.
 */
static void
LookAtUser(const Lookup *lookup, int first, int end)
{
	if (end - first >= MIN_WALK)
		first = WalkThrough(lookup, first, end);
	for (int i = first; i < end; i++)
		LookUp(lookup, i);
}

static void
LookAtUsers(const Lookup *lookup)
{
	const ExpiredRow *sums = lookup->sums;
	int first = 0;

	for (int i = 1; i <= lookup->count; i++)
	{
		if (i < lookup->count && ExpiredRowsSameUser(&sums[i], &sums[first]))
			continue;
		LookAtUser(lookup, first, i);
		first = i;
	}
}

/*
 * Looks at all of them under a snapshot as the statement would have.
 */
static void
LookAtAll(const DirectTarget *target, Lookup *lookup)
{
	const int16 *places = target->columns.places.places;

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	lookup->number_place = places[ACTIVITY_HISTORY_CHANGE_NUMBER];
	lookup->latest_place = places[ACTIVITY_HISTORY_EXPIRATION];
	lookup->collation = target->index->rd_indcollation[0];
	lookup->slot = table_slot_create(target->table, NULL);
	lookup->scan = BEGIN_INDEX_SCAN(target->table, target->index,
									GetActiveSnapshot(), KEY_COUNT);
	lookup->scan->xs_want_itup = true;
	LookAtUsers(lookup);
	index_endscan(lookup->scan);
	ExecDropSingleTupleTableSlot(lookup->slot);
	PopActiveSnapshot();
}

/*
 * The same with what the statement's plan names.
 */
static DirectResult
FindByStatement(DirectTarget *target, void *context)
{
	const IndexScan *scan = ScanOfEach(target->statement);
	DirectResult result = DIRECT_NOT_DONE;

	if (scan == NULL)
		return DIRECT_NOT_DONE;
	DirectOpenScan(target, scan, &activity_shape);
	if (IsAsInstalled(target))
	{
		LookAtAll(target, context);
		result = DIRECT_DONE;
	}
	DirectCloseScan(target);
	return result;
}

/*
 * Hands the places to "take", from 1 on, of those activities whose newest
 * session or latest expiration may be among what has gone, as the statement
 * would.  There is one sum for each activity, in the order of users and then
 * of ids.  Returns false when the statement has to be executed, and nothing
 * was handed out.
 */
bool
DirectFindStale(KeptPlan *plan, const ExpiredRow *sums, int count,
				PlanRowTaker take, void *context)
{
	DirectTarget target = {.plan = plan};
	Lookup lookup = {
		.sums = sums, .count = count, .take = take, .context = context};

	return PlanReady(plan) &&
		   DirectRun(&target, FindByStatement, &lookup) == DIRECT_DONE;
}

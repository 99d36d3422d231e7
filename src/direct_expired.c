/*
 * direct_expired.c
 *		Finding what has expired without the executor (see direct_target.c).
 *
 * A purge finds thousands of rows by one statement.  Half of what the executor
 * does for each is to make a row of the result of it; here its columns are
 * taken where they are.
 *
 * The index still has what batches before this one have deleted, until somebody
 * has seen that it is dead to all: that is what this scan does, as the
 * statement's would.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/stratnum.h"
#include "access/xact.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "utils/date.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "direct_expired.h"
#include "direct_rows.h"
#include "direct_target.h"

/* Rows that are looked for. */
typedef struct Search
{
	const DirectExpired *columns;
	TimestampTz now;
	int64 limit;
	ExpiredRows *found;
} Search;

/* The places in a table of the columns that are looked at. */
typedef struct Places
{
	int of[EXPIRED_COLUMN_COUNT];
	int last; /* of these */
	Datum tombstone;
} Places;

/*
 * The scan of an index by which a statement finds rows, with one condition for
 * the index and one more, if that is all that it does; else NULL.
 */
static const IndexScan *
ScanByDay(const PlannedStmt *statement)
{
	const Limit *limit = (const Limit *) statement->planTree;
	const IndexScan *scan;

	if (statement->commandType != CMD_SELECT || !IsA(limit, Limit) ||
		list_length(statement->rtable) != 1)
		return NULL;
	scan = (const IndexScan *) outerPlan(&limit->plan);
	if (!IsA(scan, IndexScan) || scan->scan.plan.initPlan != NIL ||
		list_length(scan->indexqual) != 1 ||
		list_length(scan->scan.plan.qual) != 1)
		return NULL;
	return scan;
}

/*
 * Whether the table is as it was made, and the index begins with the day.
 */
static bool
IsAsInstalled(const DirectTarget *target, const DirectExpired *columns)
{
	Relation index = target->index;
	int day = target->columns.places.places[columns->columns[EXPIRED_DAY]];

	return target->table->rd_rel->relkind == RELKIND_RELATION &&
		   DirectHasRows(target->table) && target->columns.are_own &&
		   index->rd_rel->relam == BTREE_AM_OID &&
		   index->rd_index->indkey.values[0] == day + 1 &&
		   index->rd_opcintype[0] == DATEOID;
}

static Places
Locate(const DirectTarget *target, const DirectExpired *columns)
{
	Places places = {.last = 0};

	for (int i = 0; i < EXPIRED_COLUMN_COUNT; i++)
	{
		places.of[i] = target->columns.places.places[columns->columns[i]];
		places.last = Max(places.last, places.of[i]);
	}
	places.tombstone =
		RowLabel(RelationGetDescr(target->table), "status", "deleted");
	return places;
}

/*
 * Takes a row if it has expired.  Nothing is null, unless somebody has dropped
 * NOT NULL: then it is as for the statement.
 */
static void
TakeRow(const Search *search, const Places *places, TupleTableSlot *slot)
{
	const Datum *row = slot->tts_values;
	Datum values[6];

	slot_getsomeattrs(slot, places->last + 1);
	if (slot->tts_isnull[places->of[EXPIRED_EXPIRATION]] ||
		DatumGetTimestampTz(row[places->of[EXPIRED_EXPIRATION]]) > search->now)
		return;
	values[0] = row[places->of[EXPIRED_USER_ID]];
	values[1] = row[places->of[EXPIRED_ACTIVITY_ID]];
	values[2] = PointerGetDatum(&slot->tts_tid);
	values[3] =
		BoolGetDatum(row[places->of[EXPIRED_STATUS]] == places->tombstone);
	values[4] = row[places->of[EXPIRED_CHANGE_NUMBER]];
	values[5] = row[places->of[EXPIRED_EXPIRATION]];
	ExpiredRowsTake(search->found, values, NULL);
}

/*
 * Reads rows by their day until there are enough.
 */
static void
ReadRows(const DirectTarget *target, const Search *search,
		 ScanDirection direction)
{
	Places places = Locate(target, search->columns);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(
		RelationGetDescr(target->table), &TTSOpsHeapTuple);
	IndexScanDesc scan =
		BEGIN_INDEX_SCAN(target->table, target->index, GetActiveSnapshot(), 1);
	ScanKeyData key;
	DirectRows rows;
	HeapTuple tuple;

	ScanKeyEntryInitialize(&key, 0, 1, BTLessEqualStrategyNumber, InvalidOid,
						   InvalidOid, F_DATE_LE,
						   DateADTGetDatum(DirectDay(search->now)));
	index_rescan(scan, &key, 1, NULL, 0);
	DirectBeginRows(&rows, scan, direction);
	while (search->found->count < search->limit &&
		   (tuple = DirectNextRow(&rows)) != NULL)
	{
		ExecStoreHeapTuple(tuple, slot, false);
		TakeRow(search, &places, slot);
	}
	ExecDropSingleTupleTableSlot(slot);
	DirectEndRows(&rows);
	index_endscan(scan);
}

/*
 * The same with what the statement's plan names, under a snapshot as the
 * statement would have.
 */
static DirectResult
FindByStatement(DirectTarget *target, void *context)
{
	const Search *search = context;
	const IndexScan *scan = ScanByDay(target->statement);
	DirectResult result = DIRECT_NOT_DONE;

	if (scan == NULL)
		return DIRECT_NOT_DONE;
	DirectOpenScan(target, scan, search->columns->shape);
	if (IsAsInstalled(target, search->columns))
	{
		CommandCounterIncrement();
		PushActiveSnapshot(GetTransactionSnapshot());
		ReadRows(target, search, scan->indexorderdir);
		PopActiveSnapshot();
		result = DIRECT_DONE;
	}
	DirectCloseScan(target);
	return result;
}

/*
 * Adds the rows to "found" that a statement SELECT .. WHERE expiration_day <=
 * the day of now AND expiration_date_time <= now LIMIT would return.  Returns
 * false when the statement has to be executed, and nothing was added.
 */
bool
DirectFindExpired(KeptPlan *plan, const DirectExpired *columns,
				  TimestampTz now, int64 limit, ExpiredRows *found)
{
	DirectTarget target = {.plan = plan};
	Search search = {columns, now, limit, found};

	return PlanReady(plan) &&
		   DirectRun(&target, FindByStatement, &search) == DIRECT_DONE;
}

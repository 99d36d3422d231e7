/*
 * changes.c
 *		The change feed: what a replica has to read to be up to date.
 *
 * A reader holds a cursor, the highest change number that it has seen of a
 * user, and asks for the rows with higher ones.  Numbers of one user are
 * handed out in the order of commits (see change.c), so none can appear below
 * a cursor later.  A row that has changed several times is there once.
 *
 * Activities and history items are read one after the other under the same
 * snapshot, each by its index in the order of change buckets, and sorted.
 *
 * A cursor below oldest_change_number is refused: tombstones that its holder
 * has not seen were purged.  Those who read everything anew (since = 0) must
 * not end up with such a cursor.  So a first read goes on, whatever its limit,
 * until it is past that number; and where no row is, a last row that stands
 * for the feed itself carries the number to go on from.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xlog.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "storage/lwlock.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"
#include "utils/tuplesort.h"

#include "activityfeed.h"
#include "change.h"
#include "changes.h"
#include "direct_scan.h"
#include "feed.h"
#include "graph_json.h"
#include "plans.h"
#include "row.h"

/* clang-format off */

/* $1 user_id */
static KeptPlan find_feed = {
	.sql = "SELECT f.change_number, f.oldest_change_number, f.xmin "
	"FROM activityfeed.feed AS f "
	"WHERE f.user_id OPERATOR(pg_catalog.=) $1",
	.nparams = 1,
	.types = {TEXTOID},
	.by_key = true
};

/*
 * $1 user_id, $2 app_id, $3 number after which and $4 up to which, $5 the time
 * now, $6 whether tombstones and what has expired are wanted, $7 how many.
 */
#define RANGE_PARAMETERS		7
#define RANGE_TYPES \
	{TEXTOID, TEXTOID, INT8OID, INT8OID, TIMESTAMPTZOID, BOOLOID, INT8OID}

/*
 * A tombstone is shown until it is purged, expired or not: a reader may still
 * have to learn of the deletion.  So is a row that has expired, as if it were
 * one: the reader may hold an older version that was to live longer.
 */
#define CHANGED_ROWS(columns, table, app) \
	"SELECT " columns " FROM activityfeed." table " " \
	"WHERE x.user_id OPERATOR(pg_catalog.=) $1 " \
	"AND x.app_id OPERATOR(pg_catalog.=) " app " " \
	"AND x.change_bucket OPERATOR(pg_catalog.>=) " \
	"($3 OPERATOR(pg_catalog.>>) 8) " \
	"AND x.change_bucket OPERATOR(pg_catalog.<=) " \
	"($4 OPERATOR(pg_catalog.>>) 8) " \
	"AND x.change_number OPERATOR(pg_catalog.>) $3 " \
	"AND x.change_number OPERATOR(pg_catalog.<=) $4 " \
	"AND ($6 OR (x.status OPERATOR(pg_catalog.<>) " \
	"'deleted'::activityfeed.status " \
	"AND x.expiration_date_time OPERATOR(pg_catalog.>) $5)) " \
	"ORDER BY x.change_bucket, x.change_number LIMIT $7"

#define OF_EVERY_APP(columns, table) \
	WITH_EVERY_APP "SELECT x.* FROM app CROSS JOIN LATERAL (" \
	CHANGED_ROWS(columns, table, "app.app_id") ") AS x " \
	"ORDER BY x.change_number LIMIT $7"

/* clang-format on */

/* The same parameters in C. */
enum
{
	RANGE_USER_ID,
	RANGE_APP_ID,
	RANGE_AFTER,
	RANGE_UPTO,
	RANGE_NOW,
	RANGE_TOMBSTONES,
	RANGE_LIMIT
};

static void
BucketsOfRange(const Datum *parameters, int64 *lowest, int64 *highest)
{
	*lowest = BUCKET_OF(DatumGetInt64(parameters[RANGE_AFTER]));
	*highest = BUCKET_OF(DatumGetInt64(parameters[RANGE_UPTO]));
}

/*
 * The conditions of CHANGED_ROWS.
 */
static bool
IsInRange(const DirectHead *row, int number_column, int expiration_column,
		  int status_column, const Datum *parameters)
{
	int64 number = DirectInt64(row, number_column, PG_INT64_MIN);

	if (number <= DatumGetInt64(parameters[RANGE_AFTER]) ||
		number > DatumGetInt64(parameters[RANGE_UPTO]))
		return false;
	return DatumGetBool(parameters[RANGE_TOMBSTONES]) ||
		   (DirectHasOtherLabel(row, status_column) &&
			DirectInt64(row, expiration_column, DT_NOBEGIN) >
				DatumGetTimestampTz(parameters[RANGE_NOW]));
}

static bool
ActivityIsInRange(const DirectHead *row, const Datum *parameters,
				  const bool *nulls)
{
	return IsInRange(row, ACTIVITY_CHANGE_NUMBER, ACTIVITY_EXPIRATION,
					 ACTIVITY_STATUS, parameters);
}

static bool
ItemIsInRange(const DirectHead *row, const Datum *parameters,
			  const bool *nulls)
{
	return IsInRange(row, HISTORY_ITEM_CHANGE_NUMBER, HISTORY_ITEM_EXPIRATION,
					 HISTORY_ITEM_STATUS, parameters);
}

static const DirectScan scan_activities = {
	.shape = &activity_shape,
	.keys = {ACTIVITY_USER_ID, ACTIVITY_APP_ID},
	.key_parameters = {RANGE_USER_ID, RANGE_APP_ID},
	.bucket = ACTIVITY_CHANGE_BUCKET,
	.number = ACTIVITY_CHANGE_NUMBER,
	.limit_parameter = RANGE_LIMIT,
	.condition_count = 7,
	.label = "deleted",
	.range = BucketsOfRange,
	.wants = ActivityIsInRange};

static const DirectScan scan_items = {
	.shape = &history_item_shape,
	.keys = {HISTORY_ITEM_USER_ID, HISTORY_ITEM_APP_ID},
	.key_parameters = {RANGE_USER_ID, RANGE_APP_ID},
	.bucket = HISTORY_ITEM_CHANGE_BUCKET,
	.number = HISTORY_ITEM_CHANGE_NUMBER,
	.limit_parameter = RANGE_LIMIT,
	.condition_count = 7,
	.label = "deleted",
	.range = BucketsOfRange,
	.wants = ItemIsInRange};

/* clang-format off */

static KeptPlan activities_of_app = {
	.sql = CHANGED_ROWS(ACTIVITY_COLUMNS_OF("x"), "activity AS x", "$2"),
	.nparams = RANGE_PARAMETERS,
	.types = RANGE_TYPES,
	.scan = &scan_activities
};

static KeptPlan activities_of_every_app = {
	.sql = OF_EVERY_APP(ACTIVITY_COLUMNS_OF("x"), "activity AS x"),
	.nparams = RANGE_PARAMETERS,
	.types = RANGE_TYPES
};

static KeptPlan items_of_app = {
	.sql = CHANGED_ROWS(HISTORY_ITEM_COLUMNS_OF("x"), "history_item AS x", "$2"),
	.nparams = RANGE_PARAMETERS,
	.types = RANGE_TYPES,
	.scan = &scan_items
};

static KeptPlan items_of_every_app = {
	.sql = OF_EVERY_APP(HISTORY_ITEM_COLUMNS_OF("x"), "history_item AS x"),
	.nparams = RANGE_PARAMETERS,
	.types = RANGE_TYPES
};

/*
 * $1 user_id or NULL for every user, $2 the clock's microseconds since 1970.
 * The new number is above any that was ever handed out, of commits that were
 * lost too: numbers begin at the clock and rise slower than it does.
 */
#define INVALIDATE \
	"UPDATE activityfeed.feed AS f SET " \
	"change_number = GREATEST(f.change_number OPERATOR(pg_catalog.+) 1, $1), " \
	"oldest_change_number = " \
	"GREATEST(f.change_number OPERATOR(pg_catalog.+) 1, $1)"

static KeptPlan invalidate_user = {
	.sql = INVALIDATE " WHERE f.user_id OPERATOR(pg_catalog.=) $2",
	.nparams = 2,
	.types = {INT8OID, TEXTOID},
	.by_key = true
};

static KeptPlan invalidate_every_user = {
	.sql = INVALIDATE,
	.nparams = 1,
	.types = {INT8OID}
};

/* clang-format on */

/* What a feed says of its numbers. */
typedef struct FeedState
{
	int64 newest;
	int64 oldest;		  /* cursor that is still usable */
	TransactionId writer; /* of the feed's row: the last one that we see */
} FeedState;

/* A part of a feed, by numbers. */
typedef struct ChangeRange
{
	int64 after;
	int64 upto;
	int64 limit; /* at most so many activities, and items */
	bool tombstones;
} ChangeRange;

/* Where rows are collected and put in order. */
typedef struct ChangeSort
{
	Tuplesortstate *sort;
	TupleTableSlot *slot;	  /* what comes out of the sort */
	TupleTableSlot *row_slot; /* what goes in */
	RowPlaces places;
	TupleDesc expected;
	TimestampTz now; /* one reading of the clock for all rows */
	Datum deleted;	 /* of enum status */
	Datum kind_of_activity;
	Datum kind_of_item;
	StringInfoData document; /* of the row that is on its way */
	int64 count;
} ChangeSort;

static void
TakeFeed(void *context, Datum *values, bool *nulls)
{
	FeedState *feed = context;

	feed->newest = DatumGetInt64(values[0]);
	feed->oldest = DatumGetInt64(values[1]);
	feed->writer = DatumGetTransactionId(values[2]);
}

/*
 * Raises 55000 for a cursor that has missed something, or that is of a feed
 * that was erased or restored.
 */
static void
CheckCursor(int64 since, const FeedState *feed)
{
	if (since == 0 || (since >= feed->oldest && since <= feed->newest))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 since < feed->oldest
				 ? errmsg("cursor of the change feed is too old")
				 : errmsg("cursor of the change feed is from the future"),
			 errdetail("The oldest usable \"since\" is " INT64_FORMAT
					   ", the newest is " INT64_FORMAT ".",
					   feed->oldest, feed->newest),
			 errhint("Read everything anew with \"since\" 0."),
			 err_generic_string(PG_DIAG_COLUMN_NAME, "since")));
}

/*
 * Puts one row of type change into the sort.
 */
static void
PutChange(ChangeSort *changes, const Datum *values, const bool *nulls)
{
	TupleTableSlot *slot = changes->row_slot;

	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, changes->expected->natts * sizeof(bool));
	RowPut(&changes->places, values, nulls, slot->tts_values,
		   slot->tts_isnull);
	ExecStoreVirtualTuple(slot);
	tuplesort_puttupleslot(changes->sort, slot);
	changes->count++;
}

typedef void (*DocumentWriter)(StringInfo out, const Datum *values,
							   const bool *nulls);

/*
 * Sets a change's document, unless the row was deleted or has expired: then
 * it is null, and the status says deleted.
 */
static void
SetDocument(ChangeSort *changes, Datum *change, bool *change_nulls,
			Datum expiration, DocumentWriter write, const Datum *values,
			const bool *nulls)
{
	StringInfo document = &changes->document;

	if (change[CHANGE_STATUS] == changes->deleted ||
		DatumGetTimestampTz(expiration) <= changes->now)
	{
		change[CHANGE_STATUS] = changes->deleted;
		change_nulls[CHANGE_DOCUMENT] = true;
		return;
	}
	/* behind the room that a text's length takes */
	document->len = VARHDRSZ;
	write(document, values, nulls);
	SET_VARSIZE(document->data, document->len);
	change[CHANGE_DOCUMENT] = PointerGetDatum(document->data);
}

static void
TakeActivity(void *context, Datum *values, bool *nulls)
{
	Datum change[CHANGE_COLUMN_COUNT] = {0};
	bool change_nulls[CHANGE_COLUMN_COUNT] = {0};

	change[CHANGE_NUMBER] = values[ACTIVITY_CHANGE_NUMBER];
	change[CHANGE_KIND] = ((ChangeSort *) context)->kind_of_activity;
	change[CHANGE_APP_ID] = values[ACTIVITY_APP_ID];
	change[CHANGE_ACTIVITY_ID] = values[ACTIVITY_ID];
	change_nulls[CHANGE_HISTORY_ITEM_ID] = true;
	change[CHANGE_CREATED] = values[ACTIVITY_CREATED_CHANGE_NUMBER];
	change[CHANGE_STATUS] = values[ACTIVITY_STATUS];
	SetDocument(context, change, change_nulls, values[ACTIVITY_EXPIRATION],
				GraphJsonActivity, values, nulls);
	PutChange(context, change, change_nulls);
}

static void
TakeHistoryItem(void *context, Datum *values, bool *nulls)
{
	Datum change[CHANGE_COLUMN_COUNT] = {0};
	bool change_nulls[CHANGE_COLUMN_COUNT] = {0};

	change[CHANGE_NUMBER] = values[HISTORY_ITEM_CHANGE_NUMBER];
	change[CHANGE_KIND] = ((ChangeSort *) context)->kind_of_item;
	change[CHANGE_APP_ID] = values[HISTORY_ITEM_APP_ID];
	change[CHANGE_ACTIVITY_ID] = values[HISTORY_ITEM_ACTIVITY_ID];
	change[CHANGE_HISTORY_ITEM_ID] = values[HISTORY_ITEM_ID];
	change_nulls[CHANGE_CREATED] = true;
	change[CHANGE_STATUS] = values[HISTORY_ITEM_STATUS];
	SetDocument(context, change, change_nulls, values[HISTORY_ITEM_EXPIRATION],
				GraphJsonHistoryItem, values, nulls);
	PutChange(context, change, change_nulls);
}

/*
 * Collects the activities and the items of a range.
 */
static void
CollectRange(const Principal *principal, const ChangeRange *range,
			 ChangeSort *changes)
{
	Datum values[RANGE_PARAMETERS];
	bool nulls[RANGE_PARAMETERS] = {0};

	values[0] = principal->user_id;
	values[1] = principal->app_id;
	nulls[1] = principal->every_app;
	values[2] = Int64GetDatum(range->after);
	values[3] = Int64GetDatum(range->upto);
	values[4] = TimestampTzGetDatum(changes->now);
	values[5] = BoolGetDatum(range->tombstones);
	values[6] = Int64GetDatum(range->limit);
	(void) PlanReadTuples(principal->every_app ? &activities_of_every_app
											   : &activities_of_app,
						  values, nulls, TakeActivity, NULL, changes);
	(void) PlanReadTuples(principal->every_app ? &items_of_every_app
											   : &items_of_app,
						  values, nulls, TakeHistoryItem, NULL, changes);
}

/*
 * Collects what a reader is to get, and returns at most how many of it.
 */
static int64
Collect(const Principal *principal, int64 since, int top,
		const FeedState *feed, ChangeSort *changes)
{
	int64 limit;
	ChangeRange range = {since, feed->newest, top, true};

	if (since == 0)
	{
		ChangeRange old = {0, feed->oldest, PG_INT64_MAX, false};

		CollectRange(principal, &old, changes);
		range.after = feed->oldest;
		range.limit = Max(top - changes->count, 1);
		range.tombstones = false;
	}
	limit = changes->count + range.limit;
	CollectRange(principal, &range, changes);
	return limit;
}

/*
 * Appends the row that stands for the feed itself.
 */
static void
PutFeed(const FeedState *feed, TupleDesc expected, Tuplestorestate *store)
{
	Datum values[CHANGE_COLUMN_COUNT] = {0};
	bool nulls[CHANGE_COLUMN_COUNT];

	memset(nulls, true, sizeof(nulls));
	values[CHANGE_NUMBER] = Int64GetDatum(feed->newest);
	nulls[CHANGE_NUMBER] = false;
	values[CHANGE_KIND] = CStringGetTextDatum("feed");
	nulls[CHANGE_KIND] = false;
	tuplestore_puttuple(store,
						RowForm(&change_shape, expected, values, nulls));
}

/*
 * Hands the first "limit" rows out and returns the last one's number.
 */
static int64
HandOut(ChangeSort *changes, int64 limit, int64 since, AttrNumber number,
		Tuplestorestate *store)
{
	int64 last = since;
	bool isnull;

	tuplesort_performsort(changes->sort);
	for (int64 i = 0; i < limit; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!tuplesort_gettupleslot(changes->sort, true, false, changes->slot,
									NULL))
			break;
		last = DatumGetInt64(slot_getattr(changes->slot, number, &isnull));
		tuplestore_puttupleslot(store, changes->slot);
	}
	return last;
}

/*
 * Makes sure that what was seen survives a crash: under asynchronous commit a
 * reader could otherwise hold numbers that the server has lost.
 *
 * Writers of one feed follow each other, so the commit of the last one whose
 * row we see comes after all others in the WAL.  A transaction so old that
 * its status was truncated is on disk.
 */
static void
FlushCommit(TransactionId writer)
{
	XLogRecPtr commit = InvalidXLogRecPtr;

	if (RecoveryInProgress() || !TransactionIdIsNormal(writer))
		return;
	LWLockAcquire(XactTruncationLock, LW_SHARED);
	if (!TransactionIdPrecedes(writer, OldestStatusTransactionId()))
		commit = TransactionIdGetCommitLSN(writer);
	LWLockRelease(XactTruncationLock);
	if (!XLogRecPtrIsInvalid(commit))
		XLogFlush(commit);
}

static ChangeSort
BeginSort(TupleDesc expected, AttrNumber number)
{
	ChangeSort changes = {.expected = expected, .now = GetCurrentTimestamp()};
	Oid less = Int8LessOperator;
	Oid collation = InvalidOid;
	bool nulls_first = false;

	changes.sort =
		tuplesort_begin_heap(expected, 1, &number, &less, &collation,
							 &nulls_first, work_mem, NULL, TUPLESORT_NONE);
	changes.slot = MakeSingleTupleTableSlot(expected, &TTSOpsMinimalTuple);
	changes.row_slot = MakeSingleTupleTableSlot(expected, &TTSOpsVirtual);
	RowLocate(&change_shape, expected, &changes.places);
	changes.deleted = RowLabel(expected, "status", "deleted");
	changes.kind_of_activity = CStringGetTextDatum("activity");
	changes.kind_of_item = CStringGetTextDatum("history_item");
	initStringInfo(&changes.document);
	return changes;
}

/*
 * Puts the changes of a feed after "since" into a tuplestore of rows of type
 * change, oldest first: at most "top" of them, but on a first read all up to
 * the oldest usable cursor.  SPI must be connected.
 */
void
ChangesRead(const Principal *principal, int64 since, int top,
			TupleDesc expected, Tuplestorestate *store)
{
	AttrNumber number = RowAttributeNumber(expected, "change_number");
	Datum values[1] = {principal->user_id};
	FeedState feed = {0};
	ChangeSort changes;
	int64 limit;
	int64 last;

	(void) PlanRead(&find_feed, values, NULL, TakeFeed, &feed);
	CheckCursor(since, &feed);
	if (top == 0 || feed.newest == 0)
		return;
	changes = BeginSort(expected, number);
	limit = Collect(principal, since, top, &feed, &changes);
	last = HandOut(&changes, limit, since, number, store);
	if (last < feed.oldest)
		PutFeed(&feed, expected, store);
	ExecDropSingleTupleTableSlot(changes.slot);
	ExecDropSingleTupleTableSlot(changes.row_slot);
	tuplesort_end(changes.sort);
	if (last != since || last < feed.oldest)
		FlushCommit(feed.writer);
}

/*
 * Makes every cursor that was handed out so far unusable, of one user or of
 * all.  Returns the number of feeds.  SPI must be connected.
 */
uint64
ChangesInvalidateCursors(Datum user_id, bool every_user)
{
	Datum values[2];

	values[0] = Int64GetDatum(ChangeClock());
	values[1] = user_id;
	return PlanWrite(every_user ? &invalidate_every_user : &invalidate_user,
					 values, NULL, NULL, NULL);
}

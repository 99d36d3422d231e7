/*
 * direct_scan.c
 *		A page of a list without starting the executor.
 *
 * A list is read by an index in the order of buckets, and the up to 256 rows of
 * a bucket are put in the order of their numbers.  The executor takes every
 * row of the bucket apart, copies it and sorts the copies, although a page
 * shows some 20 of them.  Here only those columns are looked at that say
 * whether a row is shown and where, and copies are kept of not many more rows
 * than the page has room for.
 *
 * As everywhere (see direct_target.c) this is a short cut for what the
 * statement would do, with the index that the planner took and the snapshot
 * that the statement would run under.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/tableam.h"
#include "catalog/pg_am.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"

#include "direct_rows.h"
#include "direct_scan.h"
#include "direct_target.h"

#define KEY_COUNT 2

/* For so many rows of a bucket there is room at first. */
#define MAX_FIRST_CAPACITY 512

/* A row that may be on the page. */
typedef struct Candidate
{
	int64 number; /* every bit turned where the highest comes first */
	MinimalTuple tuple;
} Candidate;

/* A page that is being read. */
typedef struct ListPage
{
	const DirectTarget *target;
	const DirectScan *scan;
	const Datum *parameters;
	const bool *nulls;
	PlanRowTaker take;
	PlanTupleTaker take_tuple;
	void *context;
	DirectRows rows;	   /* what is looked at */
	TupleTableSlot *slot;  /* what is handed out */
	int64 room;			   /* for so many rows more */
	Candidate *candidates; /* of one bucket */
	int64 capacity;
	int64 count;
	bool is_cut;  /* whether rows were left out: */
	int64 latest; /* those that come after this number */
} ListPage;

/*
 * The scan of an index by which a statement reads a page, if that is all that
 * it does; else NULL.
 *
 * The statement's text is ours, so what it means can only be changed by what
 * its tables are, or by row security, whose conditions would be more.  Those
 * that an index fulfils by its own condition are not among them, whoever they
 * are from.
 */
static const IndexScan *
ScanOfPage(const PlannedStmt *statement, const DirectScan *direct)
{
	const Limit *limit = (const Limit *) statement->planTree;
	const IncrementalSort *sort;
	const IndexScan *scan;

	if (statement->commandType != CMD_SELECT || !IsA(limit, Limit) ||
		list_length(statement->rtable) != 1)
		return NULL;
	sort = (const IncrementalSort *) outerPlan(&limit->plan);
	if (!IsA(sort, IncrementalSort) || sort->nPresortedCols != 1)
		return NULL;
	scan = (const IndexScan *) outerPlan(&sort->sort.plan);
	if (!IsA(scan, IndexScan) || scan->scan.plan.initPlan != NIL ||
		list_length(scan->indexqual) + list_length(scan->scan.plan.qual) !=
			direct->condition_count)
		return NULL;
	return scan;
}

/*
 * Whether the index begins with our columns.
 */
static bool
IsOwnIndex(const DirectTarget *target, const DirectScan *scan)
{
	const int columns[] = {scan->keys[0], scan->keys[1], scan->bucket};
	const Form_pg_index index = target->index->rd_index;

	if (target->index->rd_rel->relam != BTREE_AM_OID ||
		IndexRelationGetNumberOfKeyAttributes(target->index) <
			lengthof(columns))
		return false;
	for (int i = 0; i < lengthof(columns); i++)
	{
		int place = target->columns.places.places[columns[i]];

		if (index->indkey.values[i] != place + 1 ||
			target->index->rd_opcintype[i] !=
				TupleDescAttr(RelationGetDescr(target->table), place)
					->atttypid)
			return false;
	}
	return true;
}

/*
 * Whether the table and the index are such that the page can be read here.
 */
static bool
IsAsInstalled(const DirectTarget *target, const DirectScan *scan)
{
	return target->table->rd_rel->relkind == RELKIND_RELATION &&
		   DirectHasRows(target->table) && target->columns.are_own &&
		   IsOwnIndex(target, scan);
}

static int
CompareCandidates(const void *one, const void *other)
{
	int64 a = ((const Candidate *) one)->number;
	int64 b = ((const Candidate *) other)->number;

	return a < b ? -1 : a > b;
}

static void
SortCandidates(ListPage *page)
{
	qsort(page->candidates, page->count, sizeof(Candidate), CompareCandidates);
}

/*
 * Leaves those out for whom the page has no room.
 */
static void
CutCandidates(ListPage *page)
{
	SortCandidates(page);
	while (page->count > page->room)
		pfree(page->candidates[--page->count].tuple);
	page->is_cut = true;
	page->latest = page->candidates[page->count - 1].number;
}

static void
MakeRoom(ListPage *page)
{
	if (page->count < page->capacity)
		return;
	if (page->count / 2 >= page->room)
	{
		CutCandidates(page);
		return;
	}
	page->capacity *= 2;
	page->candidates =
		repalloc_huge(page->candidates, page->capacity * sizeof(Candidate));
}

/*
 * Whether the page is full without a row of that number.
 */
static bool
ComesTooLate(const ListPage *page, int64 number)
{
	return page->is_cut && number >= page->latest;
}

/*
 * Remembers a row.
 */
static void
AddCandidate(ListPage *page, int64 number, HeapTuple tuple)
{
	MakeRoom(page);
	page->candidates[page->count++] =
		(Candidate){number, COPY_MINIMAL_TUPLE(tuple)};
}

/*
 * Hands a row out, as it is where that is wanted.
 */
static void
HandOut(ListPage *page, MinimalTuple tuple)
{
	TupleTableSlot *slot = page->slot;
	Datum values[MAX_ROW_COLUMNS];
	bool nulls[MAX_ROW_COLUMNS];

	ExecStoreMinimalTuple(tuple, slot, true);
	if (page->take_tuple != NULL && page->take_tuple(page->context, slot))
		return;
	slot_getallattrs(slot);
	RowPick(&page->target->columns.places, slot->tts_values, slot->tts_isnull,
			values, nulls);
	page->take(page->context, values, nulls);
}

/*
 * Hands out the rows of a bucket for which there is room.
 */
static void
EndBucket(ListPage *page)
{
	SortCandidates(page);
	for (int64 i = 0; i < page->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (i < page->room)
			HandOut(page, page->candidates[i].tuple);
		else
			pfree(page->candidates[i].tuple);
	}
	page->room -= Min(page->count, page->room);
	page->count = 0;
	page->is_cut = false;
}

static Datum
LabelOf(const ListPage *page)
{
	if (page->scan->label == NULL)
		return (Datum) 0;
	return RowLabel(RelationGetDescr(page->target->table), "status",
					page->scan->label);
}

/*
 * Reads rows, bucket by bucket, until the page is full.
 */
static void
ReadRows(ListPage *page)
{
	const DirectScan *scan = page->scan;
	TupleDesc type = RelationGetDescr(page->target->table);
	DirectHead head = {NULL, type, &page->target->columns.places,
					   LabelOf(page)};
	int64 bucket = 0;

	while (page->room > 0 && (head.tuple = DirectNextRow(&page->rows)) != NULL)
	{
		int64 previous = bucket;
		int64 number = DirectInt64(&head, scan->number, 0);

		bucket = BUCKET_OF(number);
		if (page->count > 0 && bucket != previous)
			EndBucket(page);
		if (scan->is_descending)
			number = ~number;
		if (page->room > 0 && !ComesTooLate(page, number) &&
			scan->wants(&head, page->parameters, page->nulls))
			AddCandidate(page, number, head.tuple);
	}
	EndBucket(page);
}

static void
SetKey(const ListPage *page, ScanKey key, int attribute,
	   StrategyNumber strategy, RegProcedure procedure, Datum value)
{
	ScanKeyEntryInitialize(key, 0, attribute, strategy, InvalidOid,
						   page->target->index->rd_indcollation[attribute - 1],
						   procedure, value);
}

/*
 * The rows with the keys and in the range of buckets.
 */
static IndexScanDesc
BeginScan(const ListPage *page)
{
	const DirectScan *scan = page->scan;
	ScanKeyData keys[KEY_COUNT + 2];
	int count = KEY_COUNT;
	IndexScanDesc index_scan;
	int64 lowest;
	int64 highest;

	for (int i = 0; i < KEY_COUNT; i++)
	{
		int parameter = scan->key_parameters[i];

		SetKey(page, &keys[i], i + 1, BTEqualStrategyNumber,
			   page->target->plan->types[parameter] == TEXTOID ? F_TEXTEQ
															   : F_INT8EQ,
			   page->parameters[parameter]);
	}
	scan->range(page->parameters, &lowest, &highest);
	/* each key is compared with every entry */
	if (highest < BUCKET_OF(PG_INT64_MAX))
		SetKey(page, &keys[count++], KEY_COUNT + 1, BTLessEqualStrategyNumber,
			   F_INT8LE, Int64GetDatum(highest));
	if (lowest > PG_INT64_MIN)
		SetKey(page, &keys[count++], KEY_COUNT + 1,
			   BTGreaterEqualStrategyNumber, F_INT8GE, Int64GetDatum(lowest));
	index_scan = BEGIN_INDEX_SCAN(page->target->table, page->target->index,
								  GetActiveSnapshot(), count);
	index_rescan(index_scan, keys, count, NULL, 0);
	return index_scan;
}

/*
 * Reads a page of a table that is as installed.
 */
static void
ReadPage(ListPage *page, ScanDirection direction)
{
	IndexScanDesc index_scan = BeginScan(page);

	DirectBeginRows(&page->rows, index_scan, direction);
	page->slot = MakeSingleTupleTableSlot(
		RelationGetDescr(page->target->table), &TTSOpsMinimalTuple);
	page->capacity =
		Min(2 * Min(page->room, MAX_FIRST_CAPACITY), MAX_FIRST_CAPACITY);
	page->candidates = palloc(page->capacity * sizeof(Candidate));
	ReadRows(page);
	pfree(page->candidates);
	ExecDropSingleTupleTableSlot(page->slot);
	DirectEndRows(&page->rows);
	index_endscan(index_scan);
}

/*
 * The same with what the statement's plan names.
 */
static DirectResult
ReadByStatement(DirectTarget *target, void *context)
{
	ListPage *page = context;
	const IndexScan *scan = ScanOfPage(target->statement, page->scan);
	DirectResult result = DIRECT_NOT_DONE;

	if (scan == NULL)
		return DIRECT_NOT_DONE;
	DirectOpenScan(target, scan, page->scan->shape);
	page->target = target;
	if (IsAsInstalled(target, page->scan))
	{
		ReadPage(page, scan->indexorderdir);
		result = DIRECT_DONE;
	}
	DirectCloseScan(target);
	return result;
}

/*
 * Hands the rows to "take" that a statement would return under the active
 * snapshot, and counts them.  Returns false when the statement has to be
 * executed, and nothing was handed out.
 */
bool
DirectScanRows(KeptPlan *plan, const Datum *parameters, const bool *nulls,
			   PlanRowTaker take, PlanTupleTaker take_tuple, void *context,
			   uint64 *count)
{
	int64 limit = DatumGetInt64(parameters[plan->scan->limit_parameter]);
	DirectTarget target = {.plan = plan};
	ListPage page = {.scan = plan->scan,
					 .parameters = parameters,
					 .nulls = nulls,
					 .take = take,
					 .take_tuple = take_tuple,
					 .context = context,
					 .room = limit};

	if (!ActiveSnapshotSet() ||
		DirectRun(&target, ReadByStatement, &page) != DIRECT_DONE)
		return false;
	*count = limit - page.room;
	return true;
}

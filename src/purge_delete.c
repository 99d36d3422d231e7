/*
 * purge_delete.c
 *		Deleting the rows that a purge has found.
 *
 * Rows are deleted where they were found, by ctid, if they have still expired
 * then.  The calling query's snapshot is older than that which found them: none
 * of their places can be another row's by now.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "direct.h"
#include "plans.h"
#include "purge_delete.h"

/* clang-format off */

/* $1 ctids, $2 the time now */
#define DELETE_CHUNK(table, row) \
	"DELETE FROM activityfeed." table " AS " row \
	" WHERE " row ".ctid OPERATOR(pg_catalog.=) ANY ($1) "
#define HAS_EXPIRED(row) \
	"AND " row ".expiration_date_time OPERATOR(pg_catalog.<=) $2 "

static KeptPlan delete_expired_items = {
	.sql = DELETE_CHUNK("history_item", "h") HAS_EXPIRED("h")
	"RETURNING " EXPIRED_ROW_COLUMNS("h", "activity_id"),
	.nparams = 2,
	.types = {TIDARRAYOID, TIMESTAMPTZOID},
	.by_tid = true
};

static KeptPlan delete_expired_activities = {
	.sql = DELETE_CHUNK("activity", "a") HAS_EXPIRED("a")
	"RETURNING " EXPIRED_ROW_COLUMNS("a", "id"),
	.nparams = 2,
	.types = {TIDARRAYOID, TIMESTAMPTZOID},
	.by_tid = true
};

static KeptPlan delete_items = {
	.sql = DELETE_CHUNK("history_item", "h")
	"RETURNING " EXPIRED_ROW_COLUMNS("h", "activity_id"),
	.nparams = 2,
	.types = {TIDARRAYOID, TIMESTAMPTZOID},
	.by_tid = true
};

/* clang-format on */

/* How rows of a kind are deleted. */
typedef struct Way
{
	KeptPlan *plan;
	bool is_direct;		 /* unless something has to be heeded */
	int condition_count; /* beside the ctid */
} Way;

/* The foreign key has a trigger on each activity: a statement's work. */
static const Way ways[] = {
	[PURGE_EXPIRED_ITEMS] = {&delete_expired_items, true, 1},
	[PURGE_EXPIRED_ACTIVITIES] = {&delete_expired_activities, false, 0},
	[PURGE_ITEMS] = {&delete_items, true, 0}};

static void
DeleteByStatement(KeptPlan *plan, TimestampTz now, const ExpiredRow *rows,
				  int count, ExpiredRows *gone)
{
	Datum *elements = palloc(count * sizeof(Datum));
	Datum values[2];

	for (int i = 0; i < count; i++)
		elements[i] = PointerGetDatum(&rows[i].tid);
	values[0] = PlanArray(elements, NULL, count, TIDOID);
	values[1] = TimestampTzGetDatum(now);
	(void) PlanWrite(plan, values, NULL, ExpiredRowsTake, gone);
	pfree(DatumGetPointer(values[0]));
	pfree(elements);
}

/*
 * Returns how many rows, from the first, are gone.
 */
static int
DeleteWithoutStatement(const Way *way, const ExpiredRow *rows, int count,
					   ExpiredRows *gone)
{
	ItemPointerData tids[PURGE_CHUNK_SIZE];
	int done;

	for (int i = 0; i < count; i++)
		tids[i] = rows[i].tid;
	done = DirectDelete(way->plan, way->condition_count, tids, count);
	for (int i = 0; i < done; i++)
		*ExpiredRowsAdd(gone) = rows[i];
	return done;
}

static void
DeleteChunk(const Way *way, TimestampTz now, const ExpiredRow *rows, int count,
			ExpiredRows *gone)
{
	int done = 0;

	if (way->is_direct)
		done = DeleteWithoutStatement(way, rows, count, gone);
	if (done < count)
		DeleteByStatement(way->plan, now, &rows[done], count - done, gone);
}

/*
 * Deletes what was found, and adds what has gone to "gone".
 */
void
PurgeDelete(PurgeKind kind, TimestampTz now, const ExpiredRows *found,
			ExpiredRows *gone)
{
	for (int i = 0; i < found->count; i += PURGE_CHUNK_SIZE)
	{
		CHECK_FOR_INTERRUPTS();
		DeleteChunk(&ways[kind], now, &found->rows[i],
					Min(PURGE_CHUNK_SIZE, found->count - i), gone);
	}
}

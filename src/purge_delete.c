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

#include "direct_delete.h"
#include "plans.h"
#include "purge_delete.h"

/* clang-format off */

/* $1 ctids, $2 the time now */
#define DELETE_CHUNK(table, row) \
	"DELETE FROM activityfeed." table " AS " row \
	" WHERE " row ".ctid OPERATOR(pg_catalog.=) ANY ($1) "
#define HAS_EXPIRED(row) \
	"AND " row ".expiration_date_time OPERATOR(pg_catalog.<=) $2 "

/* What is told of a row that was deleted. */
#define RETURNING_DELETED(row, id) \
	"RETURNING " row ".user_id, " row "." id ", " row ".ctid, " \
	row ".status OPERATOR(pg_catalog.=) 'deleted'::activityfeed.status, " \
	row ".change_number, " row ".expiration_date_time"

static KeptPlan delete_expired_items = {
	.sql = DELETE_CHUNK("history_item", "h") HAS_EXPIRED("h")
	RETURNING_DELETED("h", "activity_id"),
	.nparams = 2,
	.types = {TIDARRAYOID, TIMESTAMPTZOID},
	.by_tid = true
};

static KeptPlan delete_expired_activities = {
	.sql = DELETE_CHUNK("activity", "a") HAS_EXPIRED("a")
	RETURNING_DELETED("a", "id"),
	.nparams = 2,
	.types = {TIDARRAYOID, TIMESTAMPTZOID},
	.by_tid = true
};

static KeptPlan delete_items = {
	.sql = DELETE_CHUNK("history_item", "h")
	RETURNING_DELETED("h", "activity_id"),
	.nparams = 2,
	.types = {TIDARRAYOID, TIMESTAMPTZOID},
	.by_tid = true
};

/* clang-format on */

/* The columns that those return, of a session. */
typedef enum DeletedColumn
{
	DELETED_USER_ID,
	DELETED_ACTIVITY_ID,
	DELETED_STATUS,
	DELETED_CHANGE_NUMBER,
	DELETED_EXPIRATION,
	DELETED_COLUMN_COUNT
} DeletedColumn;

static const char *const deleted_names[] = {"user_id", "activity_id", "status",
											"change_number",
											"expiration_date_time"};
static const Oid deleted_types[] = {TEXTOID, INT8OID, InvalidOid, INT8OID,
									TIMESTAMPTZOID};
static const RowShape deleted_shape = {.count = DELETED_COLUMN_COUNT,
									   .names = deleted_names,
									   .types = deleted_types};

/* A chunk that is being deleted. */
typedef struct Deletion
{
	TimestampTz now;
	Datum deleted_label; /* of the status; 0 until a row has come */
	ExpiredRows *gone;
} Deletion;

static bool
HasExpired(void *context, const DirectRow *row)
{
	const Deletion *deletion = context;

	return DatumGetTimestampTz(row->values[DELETED_EXPIRATION]) <=
		   deletion->now;
}

static bool
IsAny(void *context, const DirectRow *row)
{
	return true;
}

static void
SetOutcome(ExpiredRow *row, bool is_session, Datum number, Datum expiration)
{
	row->is_session = is_session;
	row->change_number = DatumGetInt64(number);
	row->expiration = DatumGetTimestampTz(expiration);
}

/*
 * Takes a row that was deleted without the statement.
 */
static void
TakeRow(void *context, const DirectRow *row, const ItemPointerData *tid)
{
	Deletion *deletion = context;
	ExpiredRows *gone = deletion->gone;
	Datum values[] = {row->values[DELETED_USER_ID],
					  row->values[DELETED_ACTIVITY_ID], PointerGetDatum(tid)};

	if (deletion->deleted_label == (Datum) 0)
		deletion->deleted_label = DirectLabel(row, DELETED_STATUS, "deleted");
	ExpiredRowsTake(gone, values, NULL);
	SetOutcome(&gone->rows[gone->count - 1],
			   row->values[DELETED_STATUS] != deletion->deleted_label,
			   row->values[DELETED_CHANGE_NUMBER],
			   row->values[DELETED_EXPIRATION]);
}

/*
 * Takes what the statement returns of a row.
 */
static void
TakeDeleted(void *context, Datum *values, bool *nulls)
{
	ExpiredRows *gone = context;

	ExpiredRowsTake(gone, values, nulls);
	SetOutcome(&gone->rows[gone->count - 1], !DatumGetBool(values[3]),
			   values[4], values[5]);
}

/* How rows of a kind are deleted. */
typedef struct Way
{
	KeptPlan *plan;
	DirectDelete direct; /* where shape is not NULL */
} Way;

/* The foreign key has a trigger on each activity: a statement's work. */
static const Way ways[] = {
	[PURGE_EXPIRED_ITEMS] = {&delete_expired_items,
							 {&deleted_shape, 1, HasExpired, TakeRow}},
	[PURGE_EXPIRED_ACTIVITIES] = {&delete_expired_activities, {0}},
	[PURGE_ITEMS] = {&delete_items, {&deleted_shape, 0, IsAny, TakeRow}}};

static void
DeleteByStatement(KeptPlan *plan, const Deletion *deletion,
				  const ItemPointerData *tids, int count)
{
	Datum *elements = palloc(count * sizeof(Datum));
	Datum values[2];

	for (int i = 0; i < count; i++)
		elements[i] = PointerGetDatum(&tids[i]);
	values[0] = PlanArray(elements, NULL, count, TIDOID);
	values[1] = TimestampTzGetDatum(deletion->now);
	(void) PlanWrite(plan, values, NULL, TakeDeleted, deletion->gone);
	pfree(DatumGetPointer(values[0]));
	pfree(elements);
}

static void
DeleteChunk(const Way *way, Deletion *deletion, const ExpiredRow *rows,
			int count)
{
	ItemPointerData tids[PURGE_CHUNK_SIZE];
	int done = 0;

	for (int i = 0; i < count; i++)
		tids[i] = rows[i].tid;
	if (way->direct.shape != NULL)
		done =
			DirectDeleteRows(way->plan, &way->direct, tids, count, deletion);
	if (done < count)
		DeleteByStatement(way->plan, deletion, &tids[done], count - done);
}

/*
 * Deletes what was found, and adds what has gone to "gone".
 */
void
PurgeDelete(PurgeKind kind, TimestampTz now, const ExpiredRows *found,
			ExpiredRows *gone)
{
	Deletion deletion = {.now = now, .gone = gone};

	for (int i = 0; i < found->count; i += PURGE_CHUNK_SIZE)
	{
		CHECK_FOR_INTERRUPTS();
		DeleteChunk(&ways[kind], &deletion, &found->rows[i],
					Min(PURGE_CHUNK_SIZE, found->count - i));
	}
}

/*
 * purge_history.c
 *		What activities say of the history that a purge has removed.
 *
 * An activity is told of its sessions only if its newest or its latest has
 * gone.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "direct_stale.h"
#include "plans.h"
#include "purge_delete.h"
#include "purge_history.h"
#include "store.h"

/* clang-format off */

/*
 * $1 user ids, $2 activity ids, $3 the highest number and $4 the latest
 * expiration of the sessions of each that have gone.  The places of those
 * whose newest or latest may have been among them.
 */
static KeptPlan find_stale_activities = {
	.sql = "SELECT gone.n FROM ROWS FROM (pg_catalog.unnest($1), "
	"pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4)) "
	"WITH ORDINALITY AS gone (user_id, activity_id, number, latest, n) "
	"CROSS JOIN LATERAL (SELECT FROM activityfeed.activity AS a "
	"WHERE a.user_id OPERATOR(pg_catalog.=) gone.user_id "
	"AND a.id OPERATOR(pg_catalog.=) gone.activity_id "
	"AND (a.history_change_number OPERATOR(pg_catalog.<=) gone.number "
	"OR a.history_expiration_date_time OPERATOR(pg_catalog.<=) gone.latest) "
	"OFFSET 0) AS stale",
	.nparams = 4,
	.types = {TEXTARRAYOID, INT8ARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID},
	.by_key = true
};

/* clang-format on */

/*
 * One row for each activity of which sessions have gone, with the highest
 * number and the latest expiration among them.
 */
static ExpiredRows
SumByActivity(const ExpiredRows *gone)
{
	ExpiredRows sums = ExpiredRowsMake();

	for (int i = 0; i < gone->count; i++)
	{
		const ExpiredRow *row = &gone->rows[i];
		ExpiredRow *sum = sums.rows + sums.count - 1;

		if (row->is_tombstone)
			continue;
		if (sums.count == 0 || sum->activity_id != row->activity_id ||
			!ExpiredRowsSameUser(sum, row))
		{
			*ExpiredRowsAdd(&sums) = *row;
			continue;
		}
		sum->change_number = Max(sum->change_number, row->change_number);
		sum->expiration = Max(sum->expiration, row->expiration);
	}
	return sums;
}

/*
 * Marks an activity that is to be told of its history.  Without its primary key
 * the table may have it more than once.
 */
static void
MarkStale(void *context, Datum *values, bool *nulls)
{
	bool *is_stale = context;

	is_stale[DatumGetInt64(values[0]) - 1] = true;
}

static void
FindByStatement(const ExpiredRow *sums, int count, bool *is_stale)
{
	Datum *elements = palloc(count * sizeof(Datum));
	Datum values[4];

	ExpiredRowsSetKeys(values, sums, count);
	for (int i = 0; i < count; i++)
		elements[i] = Int64GetDatum(sums[i].change_number);
	values[2] = PlanArray(elements, NULL, count, INT8OID);
	for (int i = 0; i < count; i++)
		elements[i] = TimestampTzGetDatum(sums[i].expiration);
	values[3] = PlanArray(elements, NULL, count, TIMESTAMPTZOID);
	(void) PlanWrite(&find_stale_activities, values, NULL, MarkStale,
					 is_stale);
	for (int i = 0; i < 4; i++)
		pfree(DatumGetPointer(values[i]));
	pfree(elements);
}

static void
FindStale(const ExpiredRow *sums, int count, bool *is_stale)
{
	memset(is_stale, false, count * sizeof(bool));
	if (!DirectFindStale(&find_stale_activities, sums, count, MarkStale,
						 is_stale))
		FindByStatement(sums, count, is_stale);
}

/*
 * Makes what activities say of their history right.  Rows of one activity come
 * one after the other.
 */
void
PurgeTellActivities(const ExpiredRows *gone)
{
	ExpiredRows sums = SumByActivity(gone);
	bool *is_stale = palloc(PURGE_CHUNK_SIZE * sizeof(bool));

	for (int i = 0; i < sums.count; i += PURGE_CHUNK_SIZE)
	{
		const ExpiredRow *chunk = &sums.rows[i];
		int count = Min(PURGE_CHUNK_SIZE, sums.count - i);

		FindStale(chunk, count, is_stale);
		for (int j = 0; j < count; j++)
		{
			CHECK_FOR_INTERRUPTS();
			if (is_stale[j])
				StoreRederiveHistory(PointerGetDatum(chunk[j].user_id),
									 chunk[j].activity_id, chunk[j].expiration,
									 NULL, NULL);
		}
	}
	pfree(is_stale);
	pfree(sums.rows);
}

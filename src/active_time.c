/*
 * active_time.c
 *		How long a user was active, by local days.
 *
 * Sessions come by activity and start, so one pass is enough: of each counts
 * what lies behind all before it.  That is cut where the local date changes:
 * at midnights, and where the zone's offset changes, as clocks can be put
 * past a midnight, or back behind one.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "active_time.h"
#include "plans.h"
#include "timestamp.h"

/* clang-format off */

/*
 * $1 user_id, $2 app_id, $3 since, $4 until, $5 the time now.  Sessions as in
 * live_history_item.
 */
static KeptPlan find_sessions = {
	.sql = "SELECT h.activity_id, h.started_date_time, h.last_active_date_time "
	"FROM activityfeed.activity AS a "
	"JOIN activityfeed.history_item AS h "
	"ON h.user_id OPERATOR(pg_catalog.=) a.user_id "
	"AND h.activity_id OPERATOR(pg_catalog.=) a.id "
	"WHERE a.user_id OPERATOR(pg_catalog.=) $1 "
	"AND h.user_id OPERATOR(pg_catalog.=) $1 "
	"AND ($2 IS NULL OR a.app_id OPERATOR(pg_catalog.=) $2) "
	"AND a.status OPERATOR(pg_catalog.=) 'updated'::activityfeed.status "
	"AND a.expiration_date_time OPERATOR(pg_catalog.>) $5 "
	"AND h.status OPERATOR(pg_catalog.<>) 'deleted'::activityfeed.status "
	"AND h.expiration_date_time OPERATOR(pg_catalog.>) $5 "
	"AND h.last_active_date_time OPERATOR(pg_catalog.>) $3 "
	"AND h.started_date_time OPERATOR(pg_catalog.<) $4 "
	"ORDER BY h.activity_id, h.started_date_time",
	.nparams = 5,
	.types = {TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID},
	.by_key = true
};

/* clang-format on */

/* The time counted on one local day. */
typedef struct DayTotal
{
	int64 day; /* since 2000-01-01 */
	int64 microseconds;
} DayTotal;

typedef struct Counter
{
	const ActiveTimeSpan *span;
	ActiveTimeTaker take;
	void *context;
	bool has_activity;
	int64 activity_id;	 /* whose sessions are being counted */
	TimestampTz counted; /* up to where */
	DayTotal current;
	DayTotal previous; /* a clock put back can return to it */
} Counter;

static void
FinishDay(Counter *counter, DayTotal *total)
{
	int64 seconds = total->microseconds / USECS_PER_SEC;

	if (seconds > 0)
		counter->take(counter->context, (DateADT) total->day,
					  counter->activity_id, seconds);
	total->microseconds = 0;
}

static void
AddToDay(Counter *counter, int64 day, int64 microseconds)
{
	if (day == counter->previous.day && counter->previous.microseconds > 0)
	{
		counter->previous.microseconds += microseconds;
		return;
	}
	if (day != counter->current.day)
	{
		FinishDay(counter, &counter->previous);
		counter->previous = counter->current;
		counter->current.day = day;
		counter->current.microseconds = 0;
	}
	counter->current.microseconds += microseconds;
}

static int64
FloorDivide(int64 value, int64 divisor)
{
	int64 quotient = value / divisor;

	return quotient * divisor > value ? quotient - 1 : quotient;
}

/*
 * The zone's offset from UTC at a time, in microseconds, and the time from
 * which on it is another one.
 */
static int64
OffsetAt(pg_tz *zone, TimestampTz time, TimestampTz *changes)
{
	const int64 epoch =
		(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * (int64) SECS_PER_DAY;
	pg_time_t second = FloorDivide(time, USECS_PER_SEC) + epoch;
	pg_time_t boundary;
	long before;
	long after;
	int before_is_dst;
	int after_is_dst;
	int found;

	found = pg_next_dst_boundary(&second, &before, &before_is_dst, &boundary,
								 &after, &after_is_dst, zone);
	if (found < 0)
		ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
						errmsg("timestamp out of range")));
	*changes = found == 0 ? DT_NOEND : (boundary - epoch) * USECS_PER_SEC;
	return before * USECS_PER_SEC;
}

/*
 * Counts a stretch of time on the days that it touches.
 */
static void
AddStretch(Counter *counter, TimestampTz begin, TimestampTz end)
{
	while (begin < end)
	{
		TimestampTz changes;
		int64 offset = OffsetAt(counter->span->zone, begin, &changes);
		int64 day = FloorDivide(begin + offset, USECS_PER_DAY);
		TimestampTz midnight = (day + 1) * USECS_PER_DAY - offset;
		TimestampTz next = Min(end, Min(changes, midnight));

		CHECK_FOR_INTERRUPTS();
		AddToDay(counter, day, next - begin);
		begin = next;
	}
}

static void
FinishActivity(Counter *counter)
{
	FinishDay(counter, &counter->previous);
	FinishDay(counter, &counter->current);
	counter->counted = counter->span->since;
}

static void
TakeSession(void *context, Datum *values, bool *nulls)
{
	Counter *counter = context;
	int64 activity_id = DatumGetInt64(values[0]);
	TimestampTz begin = DatumGetTimestampTz(values[1]);
	TimestampTz end = DatumGetTimestampTz(values[2]);

	if (!counter->has_activity || counter->activity_id != activity_id)
		FinishActivity(counter);
	counter->has_activity = true;
	counter->activity_id = activity_id;
	begin = Max(begin, counter->counted);
	end = Min(end, counter->span->until);
	AddStretch(counter, begin, end);
	counter->counted = Max(counter->counted, end);
}

/*
 * Hands over the whole seconds of each day and activity, activity by activity
 * and day by day.
 *
 * Only what documents can hold is counted: somebody may have written other
 * times into the tables, which are too far away for sums, and too many days.
 */
void
ActiveTime(const Principal *principal, const ActiveTimeSpan *asked,
		   ActiveTimeTaker take, void *context)
{
	ActiveTimeSpan span = {Max(asked->since, EARLIEST_TIME),
						   Min(asked->until, LATEST_TIME), asked->zone};
	Counter counter = {.span = &span, .take = take, .context = context};
	Datum values[5];
	bool nulls[5] = {0};

	values[0] = principal->user_id;
	values[1] = principal->app_id;
	nulls[1] = principal->every_app;
	values[2] = TimestampTzGetDatum(span.since);
	values[3] = TimestampTzGetDatum(span.until);
	values[4] = TimestampTzGetDatum(GetCurrentTimestamp());
	(void) PlanRead(&find_sessions, values, nulls, TakeSession, &counter);
	FinishActivity(&counter);
}

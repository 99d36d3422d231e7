/*
 * change.c
 *		Change numbers: the order of everything in a user's feed.
 *
 * Each user has a row in feed, from which every write takes its numbers.  The
 * lock on that row lives until commit, so numbers of one user are handed out
 * in the order of commits: a reader that has seen number n will never see a
 * lower one appear.
 *
 * Taking numbers is a statement of its own.  Whatever follows gets a snapshot
 * that was taken under the lock, and so sees all that earlier holders wrote.
 * UPDATE comes before INSERT: under REPEATABLE READ, after somebody erased
 * the feed, a bare INSERT .. ON CONFLICT would go on with an old snapshot.
 *
 * Times rise with numbers: the time of a write is the clock's, or one
 * microsecond after the previous write's where the clock has not moved on.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "storage/itemptr.h"
#include "storage/proc.h"
#include "utils/timestamp.h"

#include "activityfeed.h"
#include "change.h"
#include "direct.h"
#include "notify.h"
#include "plans.h"
#include "row.h"

/* clang-format off */

/*
 * $1 user_id, $2 how many numbers, $3 that less one as microseconds, $4 the
 * clock in UTC; and $5 where the row is, for the first of the two.
 *
 * Citus refuses updates in which volatile functions are called, or stable ones
 * with columns.  So the clock is a parameter, and times are added up as
 * timestamps without a zone, which depends on no setting.  With its type told,
 * the zone makes the function the only one that fits, and nothing is searched.
 */
#define UTC "'UTC'::pg_catalog.text"
#define NEXT_TIME \
	"pg_catalog.timezone(" UTC ", GREATEST($4, " \
	"pg_catalog.timezone(" UTC ", f.last_modified_date_time) " \
	"OPERATOR(pg_catalog.+) '00:00:00.000001'::pg_catalog.interval) " \
	"OPERATOR(pg_catalog.+) $3)"
#define TAKE_FROM_FEED \
	"UPDATE activityfeed.feed AS f SET " \
	"change_number = f.change_number OPERATOR(pg_catalog.+) $2, " \
	"last_modified_date_time = " NEXT_TIME " " \
	"WHERE f.user_id OPERATOR(pg_catalog.=) $1 "
#define RETURNING_STAMP \
	"RETURNING " FEED_COLUMNS ", f.ctid"

/* clang-format on */

/* After it, adding could overflow: the statement knows what to say then. */
#define LAST_PLAIN_TIME (END_TIMESTAMP - USECS_PER_DAY)

/*
 * What TAKE_FROM_FEED sets.
 */
static bool
TakeNumbers(DirectRow *feed, const Datum *parameters, const bool *nulls)
{
	int64 count = DatumGetInt64(parameters[1]);
	TimestampTz clock = DatumGetTimestamp(parameters[3]);
	int64 number = DatumGetInt64(feed->values[FEED_CHANGE_NUMBER]);
	TimestampTz time = DatumGetTimestampTz(feed->values[FEED_LAST_MODIFIED]);

	if (number > PG_INT64_MAX - count || time >= LAST_PLAIN_TIME)
		return false;
	time = Max(clock, time + 1) + count - 1;
	DirectSet(feed, FEED_CHANGE_NUMBER, Int64GetDatum(number + count));
	DirectSet(feed, FEED_LAST_MODIFIED, TimestampTzGetDatum(time));
	return true;
}

static const DirectStatement take_directly = {.command = CMD_UPDATE,
											  .shape = &feed_shape,
											  .key_length = 1,
											  .change = TakeNumbers};

/* clang-format off */

static KeptPlan take_by_place = {
	.sql = TAKE_FROM_FEED "AND f.ctid OPERATOR(pg_catalog.=) $5 " RETURNING_STAMP,
	.nparams = 5,
	.types = {TEXTOID, INT8OID, INTERVALOID, TIMESTAMPOID, TIDOID}
};

static KeptPlan take_by_key = {
	.sql = TAKE_FROM_FEED RETURNING_STAMP,
	.nparams = 4,
	.types = {TEXTOID, INT8OID, INTERVALOID, TIMESTAMPOID},
	.by_key = true,
	.direct = &take_directly
};

/*
 * A new feed starts at $5, the clock's microseconds since 1970, so that one
 * that was erased and made again does not reuse its numbers.
 */
static KeptPlan create_feed = {
	.sql = "INSERT INTO activityfeed.feed AS f (user_id, change_number, "
	"last_modified_date_time, oldest_change_number) "
	"VALUES ($1, $5 OPERATOR(pg_catalog.+) $2, "
	"pg_catalog.timezone(" UTC ", $4 OPERATOR(pg_catalog.+) $3), $5) "
	"ON CONFLICT (user_id) DO UPDATE SET "
	"change_number = f.change_number OPERATOR(pg_catalog.+) $2, "
	"last_modified_date_time = " NEXT_TIME " "
	RETURNING_STAMP,
	.nparams = 5,
	.types = {TEXTOID, INT8OID, INTERVALOID, TIMESTAMPOID, INT8OID},
	.by_key = true
};

/* clang-format on */

/*
 * Where a feed's row is that this transaction wrote.  Finding it by key goes
 * through all the versions that the transaction has left behind, which makes
 * many writes of one user in one transaction quadratic.  It is no more than a
 * hint: a statement that finds nothing there looks by key.
 */
typedef struct FeedPlace
{
	LocalTransactionId transaction;
	ItemPointerData ctid;
	int user_id_length;
	char user_id[MAX_ID_LENGTH];
} FeedPlace;

/* Of some users: each has its entry, which others may take from it. */
#define PLACE_COUNT 64

static FeedPlace places[PLACE_COUNT];

/* What RETURNING_STAMP returns. */
typedef struct TakenStamp
{
	ChangeStamp last;
	ItemPointerData ctid;
} TakenStamp;

static void
TakeStamp(void *context, Datum *values, bool *nulls)
{
	TakenStamp *taken = context;

	taken->last.number = DatumGetInt64(values[FEED_CHANGE_NUMBER]);
	taken->last.time = DatumGetTimestampTz(values[FEED_LAST_MODIFIED]);
	ItemPointerCopy((ItemPointer) DatumGetPointer(values[FEED_COLUMN_COUNT]),
					&taken->ctid);
}

static FeedPlace *
PlaceOf(const text *user_id)
{
	uint32 hash = hash_bytes((const unsigned char *) VARDATA_ANY(user_id),
							 VARSIZE_ANY_EXHDR(user_id));

	return &places[hash % PLACE_COUNT];
}

static bool
PlaceIsKnown(const FeedPlace *place, const text *user_id)
{
	return place->transaction == MyLocalTransactionId() &&
		   place->user_id_length == VARSIZE_ANY_EXHDR(user_id) &&
		   memcmp(place->user_id, VARDATA_ANY(user_id),
				  place->user_id_length) == 0;
}

static void
RememberPlace(FeedPlace *place, const text *user_id,
			  const ItemPointerData *ctid)
{
	place->transaction = MyLocalTransactionId();
	place->ctid = *ctid;
	place->user_id_length = VARSIZE_ANY_EXHDR(user_id);
	memcpy(place->user_id, VARDATA_ANY(user_id), place->user_id_length);
}

/*
 * The number at which a feed that is made now begins: the clock's
 * microseconds since 1970.
 */
int64
ChangeClock(void)
{
	return GetCurrentTimestamp() +
		   (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
}

/*
 * Takes "count" numbers for a user and locks the user's feed until the end of
 * the transaction.  Where there is no feed yet one is made, or, unless
 * "create", nothing happens and the result is false.
 *
 * *first is the stamp of the first row; ChangeNext has the others.  Raises
 * 40001 when another transaction was faster and this one has a snapshot for
 * all of its life.  SPI must be connected.
 */
bool
ChangeTake(Datum user_id, int count, bool create, ChangeStamp *first)
{
	text *user = (text *) DatumGetPointer(user_id);
	FeedPlace *place = PlaceOf(user);
	Interval more = {.time = count - 1};
	Datum values[5];
	TakenStamp taken;
	uint64 found = 0;

	values[0] = user_id;
	values[1] = Int64GetDatum(count);
	values[2] = IntervalPGetDatum(&more);
	values[3] = TimestampGetDatum(GetCurrentTimestamp());
	if (PlaceIsKnown(place, user))
	{
		values[4] = PointerGetDatum(&place->ctid);
		found = PlanWrite(&take_by_place, values, NULL, TakeStamp, &taken);
	}
	if (found == 0)
		found = PlanWrite(&take_by_key, values, NULL, TakeStamp, &taken);
	if (found == 0 && !create)
		return false;
	if (found == 0)
	{
		values[4] = Int64GetDatum(ChangeClock());
		found = PlanWrite(&create_feed, values, NULL, TakeStamp, &taken);
	}
	if (found != 1)
		PlanRaiseSuppressed("feed");
	RememberPlace(place, user, &taken.ctid);
	if (setting_notify)
		NotifyChanged(user, taken.last.number);
	first->number = taken.last.number - (count - 1);
	first->time = taken.last.time - (count - 1);
	return true;
}

/*
 * The stamp after this one, of those that were taken together.
 */
ChangeStamp
ChangeNext(ChangeStamp stamp)
{
	stamp.number++;
	stamp.time++;
	return stamp;
}

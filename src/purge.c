/*
 * purge.c
 *		Removing what has expired.
 *
 * Rows are found and their feeds locked (see purge_find.c); a feed that somebody
 * else has locked is passed over with all its rows.  So a purge waits for
 * nobody, and any number can run at once.
 *
 * Rows are then deleted by other statements, of many users each, which look
 * at the expiration again: they have a snapshot that was taken under the lock.
 * They find the rows where they were, by ctid; one that has been written again
 * since is somewhere else, and the next purge's.
 *
 * Activities are told of their sessions (see purge_history.c).  Last the feed's
 * row is updated, also where nothing in it changes: a writer under REPEATABLE
 * READ, whose snapshot still has the rows, fails on that and not on what it
 * would derive from them.
 *
 * A feed is never removed: it keeps the numbers from being used again.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "direct.h"
#include "expired_rows.h"
#include "lifecycle.h"
#include "plans.h"
#include "purge_delete.h"
#include "purge_find.h"
#include "purge_history.h"
#include "row.h"

/* What note_in_feed sets. */
static bool
RaiseOldest(DirectRow *feed, const Datum *parameters, const bool *nulls)
{
	int64 oldest = DirectGreatest(feed, FEED_OLDEST_CHANGE_NUMBER,
								  DatumGetInt64(parameters[1]));

	DirectSet(feed, FEED_OLDEST_CHANGE_NUMBER, Int64GetDatum(oldest));
	return true;
}

static const DirectStatement note_directly = {.command = CMD_UPDATE,
											  .shape = &feed_shape,
											  .key_length = 1,
											  .change = RaiseOldest};

/* clang-format off */

/* $1 user_id, $2 the highest number of a row that has gone */
static KeptPlan note_in_feed = {
	.sql = "UPDATE activityfeed.feed AS f SET oldest_change_number = "
	"GREATEST(f.oldest_change_number, $2) "
	"WHERE f.user_id OPERATOR(pg_catalog.=) $1",
	.nparams = 2,
	.types = {TEXTOID, INT8OID},
	.by_key = true,
	.direct = &note_directly
};

/* clang-format on */

typedef struct Purge
{
	TimestampTz now;
	int64 removed; /* rows in all */
} Purge;

static void
NoteInFeed(const ExpiredRow *row, int64 highest)
{
	Datum values[2];

	values[0] = PointerGetDatum(row->user_id);
	values[1] = Int64GetDatum(highest);
	(void) PlanWrite(&note_in_feed, values, NULL, NULL, NULL);
}

/*
 * Counts what has gone, and tells the feeds of it.
 */
static void
FinishUsers(Purge *purge, const ExpiredRows *gone)
{
	int64 highest = 0;

	for (int i = 0; i < gone->count; i++)
	{
		const ExpiredRow *row = &gone->rows[i];
		bool is_last = i + 1 == gone->count;

		highest = Max(highest, row->change_number);
		if (!is_last && ExpiredRowsSameUser(row, row + 1))
			continue;
		CHECK_FOR_INTERRUPTS();
		NoteInFeed(row, highest);
		highest = 0;
	}
	purge->removed += gone->count;
}

/*
 * Sessions and their tombstones.
 */
static void
PurgeItems(Purge *purge, int64 limit)
{
	ExpiredRows found = PurgeFindItems(purge->now, limit);
	ExpiredRows gone = ExpiredRowsMake();

	PurgeDelete(PURGE_EXPIRED_ITEMS, purge->now, &found, &gone);
	ExpiredRowsSort(&gone);
	PurgeTellActivities(&gone);
	FinishUsers(purge, &gone);
}

/*
 * Activities and their tombstones, with what they still have of history.
 */
static void
PurgeActivities(Purge *purge, int64 limit)
{
	ExpiredRows found = PurgeFindActivities(purge->now, limit);
	ExpiredRows items = PurgeFindItemsOf(purge->now, &found);
	ExpiredRows gone = ExpiredRowsMake();

	PurgeDelete(PURGE_ITEMS, purge->now, &items, &gone);
	PurgeDelete(PURGE_EXPIRED_ACTIVITIES, purge->now, &found, &gone);
	ExpiredRowsSort(&gone);
	FinishUsers(purge, &gone);
}

/*
 * Raises 0A000 for a table that has others below it.  Rows are deleted by their
 * ctid, and rows of other tables have the same.
 */
static void
RefuseChildren(const char *table)
{
	Oid schema = get_namespace_oid("activityfeed", false);
	Oid relation = get_relname_relid(table, schema);

	if (!OidIsValid(relation) || !has_subclass(relation) ||
		find_inheritance_children(relation, NoLock) == NIL)
		return;
	ereport(
		ERROR,
		(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
		 errmsg(
			 "cannot purge table \"%s\", which has partitions or child tables",
			 table),
		 errdetail(
			 "Rows are deleted by their place in one table, at which another has rows, too."),
		 errhint("Delete what has expired from them by SQL."),
		 err_generic_string(PG_DIAG_SCHEMA_NAME, "activityfeed"),
		 err_generic_string(PG_DIAG_TABLE_NAME, table)));
}

/*
 * Removes about batch_size rows at most: an activity takes along what it
 * still has, whatever the number.  Returns how many rows went.
 *
 * Cursors of the change feed from before the last change of what went are of
 * no more use.  That is so for a tombstone, and for other rows too: a reader
 * that has missed the last change may hold an older version, which was to
 * live longer.
 *
 * The commit is flushed.  Before its WAL is on disk a transaction's hint bits are
 * mostly not set (see SetHintBits in PostgreSQL), and without them no index
 * scan marks the entries of what it has deleted: of many batches each would
 * come by all that the others have deleted.  Asynchronous commits of others in
 * between can have the same effect, until the WAL writer comes by.
 */
int64
PurgeExpired(int batch_size)
{
	Purge purge = {.now = GetCurrentTimestamp()};

	RefuseChildren("history_item");
	RefuseChildren("activity");
	PurgeItems(&purge, batch_size);
	if (purge.removed < batch_size)
		PurgeActivities(&purge, batch_size - purge.removed);
	if (purge.removed > 0)
		ForceSyncCommit();
	return purge.removed;
}

# Many writers, and nothing lost.
#
# Eight clients write to the feeds of a few users, so that most of the time
# somebody waits for somebody.  Transactions commit, roll back, or roll back to
# a savepoint; some statements fail and are caught.  Each write is logged with
# the change number that it got, in the same transaction.  What was committed
# can then be told from the log: numbers are unique, times rise with them, each
# row carries what was logged for it last, and no row carries anything that
# was rolled back.
#
# Readers look at the log meanwhile: a number that was not there when a higher
# one was must not appear later.  The change feed depends on that.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use Test::More;
use ActivityFeedTest;

my $clients = 8;
my $transactions = 500;
my $node = start_server('concurrency');
create_document($node);
create_invariants($node);

$node->safe_psql(
	'postgres', q{
	CREATE TABLE log (
		user_id text,
		activity_id bigint,
		item_id uuid,			-- null: the activity itself
		number bigint,
		modified timestamptz,
		deleted boolean);
	CREATE INDEX ON log (user_id, number);

	-- How much of the log a reader saw below the highest number that it saw.
	CREATE TABLE seen (user_id text, number bigint, rows bigint);

	CREATE FUNCTION user_name(n int) RETURNS text LANGUAGE sql AS $$
		SELECT 'user ' || n
	$$;

	-- These read what the calling transaction has just written, under the
	-- lock that it holds.
	CREATE FUNCTION log_activity(u text, activity bigint) RETURNS void
	LANGUAGE sql AS $$
		INSERT INTO log
		SELECT user_id, id, NULL, change_number, last_modified_date_time,
			status = 'deleted'
		FROM activityfeed.activity a
		WHERE user_id = u AND id = activity
			AND NOT EXISTS (SELECT FROM log
				WHERE user_id = u AND number = a.change_number)
	$$;
	CREATE FUNCTION log_items(u text, activity bigint, ids uuid[]) RETURNS void
	LANGUAGE sql AS $$
		INSERT INTO log
		SELECT user_id, activity_id, id, change_number, last_modified_date_time,
			status = 'deleted'
		FROM activityfeed.history_item
		WHERE user_id = u AND activity_id = activity AND id = ANY (ids)
	$$;

	-- One write, of those below the bound.  The mark is stored with it.
	CREATE FUNCTION write_one(u text, mark text, bound float8) RETURNS void
	LANGUAGE plpgsql AS $$
	DECLARE
		key text := 'activity ' || floor(4 * random());
		activity bigint := activityfeed.activity_id('app', key);
		id uuid := md5(floor(3 * random())::text)::uuid;
		other uuid := md5('other')::uuid;
		dice float8 := bound * random();
	BEGIN
		IF dice < 0.20 THEN
			PERFORM activityfeed.upsert_activity(u, 'app', marked(document(key), mark));
			PERFORM log_activity(u, activity);
		ELSIF dice < 0.35 THEN
			PERFORM activityfeed.upsert_activity(u, 'app', marked(document(key,
				json_build_array(session(id, mark), session(other, mark))), mark));
			PERFORM log_activity(u, activity), log_items(u, activity, ARRAY[id, other]);
		ELSIF dice < 0.43 THEN
			IF activityfeed.delete_history_item(u, 'app', activity, id) THEN
				PERFORM log_items(u, activity, ARRAY[id]);
			END IF;
		ELSIF dice < 0.47 THEN
			IF activityfeed.delete_activity(u, 'app', activity) THEN
				PERFORM log_activity(u, activity);
			END IF;
		ELSIF dice < 0.55 THEN
			-- One that is hidden already is left alone, and no lock is taken:
			-- the number found then is somebody else's, and logged.
			IF activityfeed.ignore_activity(u, 'app', activity, dice < 0.50) THEN
				PERFORM log_activity(u, activity);
			END IF;
		ELSIF dice < 0.75 THEN
			PERFORM activityfeed.upsert_history_item(u, 'app', activity, id, session(id, mark));
			PERFORM log_items(u, activity, ARRAY[id]);
		ELSE
			PERFORM activityfeed.touch_history_item(u, 'app', activity, id);
			PERFORM log_items(u, activity, ARRAY[id]);
		END IF;
	END
	$$;

	-- Any write.  One that finds no activity or session to write to is undone
	-- alone.
	CREATE FUNCTION try_one(u text, mark text) RETURNS void
	LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM write_one(u, mark, 1);
	EXCEPTION
		WHEN no_data_found THEN
			NULL;
	END
	$$;

	-- A write that does not fail, and so needs no subtransaction.
	CREATE FUNCTION sure_one(u text, mark text) RETURNS void
	LANGUAGE sql AS $$
		SELECT write_one(u, mark, 0.55)
	$$;

	CREATE FUNCTION session(id uuid, mark text) RETURNS json LANGUAGE sql AS $$
		SELECT json_build_object('id', id, 'userTimezone', mark,
			'startedDateTime', '2026-01-01T00:00:00Z')
	$$;
	CREATE FUNCTION marked(document json, mark text) RETURNS json LANGUAGE sql AS $$
		SELECT (document::jsonb || jsonb_build_object('userTimezone', mark))::json
	$$;

	CREATE FUNCTION look(u text) RETURNS void LANGUAGE sql AS $$
		INSERT INTO seen
		SELECT user_id, max(number), count(*) FROM log WHERE user_id = u
		GROUP BY user_id
	$$;
	});

# A transaction that writes to two users does so in one order, as callers must,
# or they meet a deadlock.  So they may if they roll back to a savepoint what was
# done in a subtransaction of it: those who wait for that go on to wait for the
# whole transaction, in PostgreSQL, and keep their place in the row's queue.
my $users = q{
	\set first random(1, 4)
	\set second random(:first, 4)
};
$node->pgbench(
	"-n -c $clients -j 2 -t $transactions",
	0,
	[qr{processed: ${\($clients * $transactions)}/${\($clients * $transactions)}}],
	[qr{^$}],
	"$clients clients write",
	{
		'concurrency_alone@4' => qq{$users
			SELECT try_one(user_name(:first), 'kept');},
		'concurrency_commit@3' => qq{$users
			BEGIN;
			SELECT try_one(user_name(:first), 'kept');
			SELECT try_one(user_name(:second), 'kept');
			SELECT try_one(user_name(:second), 'kept');
			COMMIT;},
		'concurrency_rollback@2' => qq{$users
			BEGIN;
			SELECT try_one(user_name(:first), 'undone');
			SELECT try_one(user_name(:second), 'undone');
			ROLLBACK;},
		'concurrency_savepoint@2' => qq{$users
			BEGIN;
			SELECT try_one(user_name(:first), 'kept');
			SAVEPOINT s;
			SELECT sure_one(user_name(:first), 'undone');
			SELECT sure_one(user_name(:second), 'undone');
			ROLLBACK TO SAVEPOINT s;
			SELECT try_one(user_name(:second), 'kept');
			COMMIT;},
		'concurrency_look@2' => qq{$users
			SELECT look(user_name(:first));}
	});

# query(SQL): expects it to find nothing.
sub finds_nothing
{
	my ($query, $name) = @_;

	is($node->safe_psql('postgres', "$query LIMIT 10"), '', $name);
	return;
}

is( $node->safe_psql(
		'postgres', q{
		SELECT user_id, count(*) > 500 AND bool_or(deleted) AND bool_or(item_id IS NULL)
		FROM log GROUP BY 1 ORDER BY 1}),
	"user 1|t\nuser 2|t\nuser 3|t\nuser 4|t",
	'every user has a log of writes');

$node->safe_psql(
	'postgres', q{
	CREATE VIEW stored AS
	SELECT user_id, id AS activity_id, NULL::uuid AS item_id,
		change_number AS number, last_modified_date_time AS modified,
		status = 'deleted' AS deleted, user_timezone AS mark
	FROM activityfeed.activity
	UNION ALL
	SELECT user_id, activity_id, id, change_number, last_modified_date_time,
		status = 'deleted', user_timezone
	FROM activityfeed.history_item});

foreach my $relation ('stored', 'log')
{
	finds_nothing(
		"SELECT user_id, number, count(*) FROM $relation
		GROUP BY user_id, number HAVING count(*) > 1",
		"change numbers of a user are unique, $relation");
	finds_nothing(
		"SELECT * FROM (SELECT user_id, number, modified, lag(modified)
				OVER (PARTITION BY user_id ORDER BY number) AS earlier
			FROM $relation) r
		WHERE modified <= earlier",
		"last modified rises with the number, $relation");
}

# A session's last write is its own or its activity's deletion, which removes
# it; a session that was never logged after that is not there.
finds_nothing(
	q{
	WITH last AS (
		SELECT DISTINCT ON (user_id, activity_id, item_id) *
		FROM log ORDER BY user_id, activity_id, item_id, number DESC
	), expected AS (
		SELECT l.user_id, l.activity_id, l.item_id, l.number, l.modified, l.deleted
		FROM last l
		WHERE l.item_id IS NULL OR NOT EXISTS (
			SELECT FROM log d
			WHERE d.user_id = l.user_id AND d.activity_id = l.activity_id
				AND d.item_id IS NULL AND d.deleted AND d.number > l.number)
	), actual AS (
		SELECT user_id, activity_id, item_id, number, modified, deleted FROM stored
	)
	(SELECT 'missing', * FROM (TABLE expected EXCEPT TABLE actual) m)
	UNION ALL
	(SELECT 'unlogged', * FROM (TABLE actual EXCEPT TABLE expected) u)},
	'each row is what was logged for it last: no committed write is missing');
finds_nothing(
	"SELECT * FROM stored WHERE mark = 'undone'",
	'nothing that was rolled back is there');
finds_nothing(
	'SELECT l.user_id, max(l.number), f.change_number
	FROM log l LEFT JOIN activityfeed.feed f USING (user_id)
	GROUP BY l.user_id, f.change_number
	HAVING max(l.number) > f.change_number IS NOT FALSE',
	'no number is above the feed\'s');
is( $node->safe_psql('postgres', 'SELECT count(*) > 100 FROM seen'),
	't', 'readers looked');
finds_nothing(
	'SELECT * FROM seen s
	WHERE rows <> (SELECT count(*) FROM log l
		WHERE l.user_id = s.user_id AND l.number <= s.number)',
	'no number appeared below one that had been seen');
finds_nothing(
	'SELECT * FROM broken_invariant',
	'activities know their newest session and latest expiration');

$node->stop;
done_testing();

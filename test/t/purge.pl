# Purging beside writers, and beside itself; and what it costs to find what has
# expired.
#
# Everything expires a second after it was written, and is written again by six
# clients while two others purge in small batches.  A trigger looks at each
# row that a purge removes: it must have expired by then.  Nobody may wait so
# long, or fail, but for sessions that have expired before their heartbeat.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use JSON::PP;
use Test::More;

my $node = start_server('purge', <<~'CONF');
	autovacuum = off
	shared_buffers = 256MB
	log_lock_waits = on
	deadlock_timeout = 10ms
	wal_writer_delay = 10s
	CONF

create_document($node);
create_invariants($node);

# What it costs: 10^5 activities and sessions of 100 users stay, those of one
# user have expired.  A session that planned everything on tiny tables, with
# their statistics, purges.
sub buffers_of
{
	my ($session, $query) = @_;
	my $plan = decode_json($session->query_safe(
		"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) $query"))->[0]{Plan};

	return $plan->{'Shared Hit Blocks'} + $plan->{'Shared Read Blocks'};
}

sub load
{
	my ($users, $activities) = @_;

	$node->safe_psql('postgres', qq{
		SET session_replication_role = replica;
		INSERT INTO activityfeed.feed SELECT 'user ' || u, now(), 2 * $activities, 0
		FROM generate_series(1, $users) u;
		INSERT INTO activityfeed.activity (user_id, id, app_id, app_activity_id,
			visual_elements, status, created_date_time, last_modified_date_time,
			expiration_date_time, change_number, created_change_number,
			history_change_number, history_expiration_date_time)
		SELECT 'user ' || u, activityfeed.activity_id('app', a::text), 'app', a::text,
			'{"displayText": "x"}', 'updated', written, written, expires, a, a, $activities + a, expires
		FROM generate_series(1, $users) u, generate_series(1, $activities) a,
			LATERAL (SELECT now() - interval '1 hour' + a * interval '1 us' AS written,
				now() + CASE u WHEN 1 THEN - interval '1 day' ELSE interval '30 days' END AS expires) t;
		INSERT INTO activityfeed.history_item (user_id, activity_id, id, app_id,
			started_date_time, active_duration_given, status, created_date_time,
			last_modified_date_time, expiration_date_time, change_number)
		SELECT user_id, id, md5(id::text)::uuid, app_id, now(), false, 'active', written,
			written, expiration_date_time, history_change_number
		FROM activityfeed.activity,
			LATERAL (SELECT last_modified_date_time + $activities * interval '1 us' AS written) t});
	return;
}

load(2, 1);
$node->safe_psql('postgres', 'VACUUM ANALYZE');
my ($session) = open_session($node);
my ($pages) = (0);
is($session->query_safe('SELECT activityfeed.purge_expired()'), 2, 'plans are made on tiny tables');
is($session->query_safe(q{SELECT activityfeed.erase_user('user ' || u) FROM generate_series(1, 2) u}), "1\n3", 'and emptied');

load(100, 1000);
is($node->safe_psql('postgres', 'SELECT * FROM broken_invariant'), '', 'what was loaded is sound');
$pages = $node->safe_psql('postgres', q{
	SELECT sum(pg_relation_size(oid)) / current_setting('block_size')::int
	FROM pg_class WHERE relnamespace = 'activityfeed'::regnamespace AND relkind = 'r'});
cmp_ok($pages, '>', 3000, "the tables have $pages pages");

my $buffers = buffers_of($session, 'SELECT activityfeed.purge_expired(10)');
cmp_ok($buffers, '<', 1500, "a first batch of 10 rows, with planning: $buffers buffers");
$buffers = buffers_of($session, 'SELECT activityfeed.purge_expired(10)');
cmp_ok($buffers, '<', 700, "another batch of 10 rows: $buffers buffers");
$session->query_safe('SELECT activityfeed.purge_expired(980)');
$buffers = buffers_of($session, 'SELECT activityfeed.purge_expired(100)');
cmp_ok($buffers / 100, '<', 60, "100 activities: $buffers buffers");
is($session->query_safe('SELECT activityfeed.purge_expired()'), 900, 'all of the rest');
$node->safe_psql('postgres', 'VACUUM');
$session->query_safe('SELECT activityfeed.purge_expired()');
$buffers = buffers_of($session, 'SELECT activityfeed.purge_expired()');
cmp_ok($buffers, '<', 30, "nothing has expired: $buffers buffers");
is($node->safe_psql('postgres', q{SELECT count(*), count(*) FILTER (WHERE user_id = 'user 1') FROM activityfeed.activity}),
	'99000|0', 'what has expired is gone, what has not is there');
is($node->safe_psql('postgres', 'SELECT * FROM broken_invariant'), '', 'activities know their sessions');

# Erasing costs what the user has, also in a session that planned on tiny tables.
$buffers = buffers_of($session, q{SELECT activityfeed.erase_user('user 2')});
cmp_ok($buffers / 2000, '<', 40, "erasing 2000 rows: $buffers buffers");
$session->quit;
$node->safe_psql('postgres', 'TRUNCATE activityfeed.feed, activityfeed.activity, activityfeed.history_item');

# With asynchronous commit each batch comes by what the one before it has
# deleted, and not by all that has gone before that.
sub entries_read
{
	return $node->safe_psql('postgres', q{
		SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'history_item_expiration_idx'});
}

load(1, 4000);
$node->safe_psql('postgres', 'VACUUM ANALYZE');
my $entries = entries_read();
is($node->safe_psql('postgres', 'SET synchronous_commit = off; SELECT activityfeed.purge_expired(400)'), 400, "batch $_") for 1 .. 10;
$entries = entries_read() - $entries;
cmp_ok($entries / 4000, '<', 3, "ten batches of 400: $entries entries");
$node->safe_psql('postgres', 'TRUNCATE activityfeed.feed, activityfeed.activity, activityfeed.history_item');

# Beside writers, and beside itself.
$node->safe_psql(
	'postgres', q{
	CREATE TABLE removed (too_early boolean);
	CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$
	DECLARE
		too_early boolean;
	BEGIN
		IF pg_trigger_depth() = 1 AND current_setting('test.purging', true) = 'on' THEN
			too_early := old.expiration_date_time > clock_timestamp();
			IF too_early AND tg_table_name = 'history_item' AND old.status = 'deleted' THEN
				-- it may go with its activity
				too_early := NOT EXISTS (SELECT FROM activityfeed.activity a
					WHERE a.user_id = old.user_id AND a.id = old.activity_id
						AND a.expiration_date_time <= clock_timestamp());
			END IF;
			INSERT INTO removed VALUES (too_early);
		END IF;
		RETURN old;
	END
	$$;
	CREATE TRIGGER watch BEFORE DELETE ON activityfeed.activity FOR EACH ROW EXECUTE FUNCTION watch();
	CREATE TRIGGER watch BEFORE DELETE ON activityfeed.history_item FOR EACH ROW EXECUTE FUNCTION watch();

	CREATE TABLE purged (rows bigint);
	CREATE PROCEDURE purge_once() LANGUAGE plpgsql AS $$
	DECLARE
		count bigint;
	BEGIN
		SET LOCAL test.purging = on;
		count := activityfeed.purge_expired(1 + (300 * random())::int);
		SET LOCAL test.purging = off;
		INSERT INTO purged VALUES (count);
	END
	$$;

	CREATE FUNCTION write_one(u text) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		key text := 'activity ' || floor(100 * random());
		activity bigint := activityfeed.activity_id('app', key);
		item uuid := md5(floor(3 * random())::text)::uuid;
		dice float8 := random();
	BEGIN
		IF dice < 0.45 THEN
			PERFORM activityfeed.upsert_activity(u, 'app', document(key, json_build_array(
				json_build_object('id', item, 'startedDateTime', '2026-01-01T00:00:00Z'),
				json_build_object('startedDateTime', '2026-01-01T00:00:00Z'))));
		ELSIF dice < 0.55 THEN
			PERFORM activityfeed.delete_activity(u, 'app', activity);
		ELSIF dice < 0.65 THEN
			PERFORM activityfeed.delete_history_item(u, 'app', activity, item);
		ELSIF dice < 0.85 THEN
			PERFORM activityfeed.upsert_history_item(u, 'app', activity, item,
				'{"startedDateTime": "2026-01-01T00:00:00Z"}'::json);
		ELSE
			PERFORM activityfeed.touch_history_item(u, 'app', activity, item);
		END IF;
	EXCEPTION
		WHEN no_data_found THEN
			NULL;
	END
	$$;

	ALTER DATABASE postgres SET activityfeed.retention = 1;
	ALTER DATABASE postgres SET activityfeed.notify = off;
	});

my $clients = 8;
my $transactions = 1000;
$node->pgbench(
	"-n -c $clients -j 2 -t $transactions",
	0,
	[qr{processed: ${\($clients * $transactions)}/${\($clients * $transactions)}}],
	[qr{^$}],
	"$clients clients write and purge",
	{
		'purge_write@6' => q{
			\set user random(1, 12)
			SELECT write_one('user ' || :user);},
		'purge_write_more@1' => q{
			\set user random(1, 12)
			BEGIN;
			SELECT write_one('user ' || :user);
			SELECT write_one('user ' || :user);
			\sleep 2 ms
			COMMIT;},
		'purge_purge@2' => q{CALL purge_once();}
	});

is($node->safe_psql('postgres', 'SELECT count(*) > 1000, bool_or(too_early) FROM removed'),
	't|f', 'rows were purged, and none that had not expired');
is($node->safe_psql('postgres', 'SELECT (SELECT sum(rows) FROM purged) = (SELECT count(*) FROM removed)'),
	't', 'a purge says how many rows went');
diag('purged beside writers: ' . $node->safe_psql('postgres', 'SELECT sum(rows), count(*) FROM purged'));
is($node->safe_psql('postgres', 'SELECT * FROM broken_invariant LIMIT 10'),
	'', 'activities know their newest session and latest expiration');
is($node->safe_psql('postgres', q{
		SELECT count(*) FROM activityfeed.feed f WHERE oldest_change_number > change_number}),
	'0', 'no cursor is asked for that was not given');
unlike(slurp_log(), qr/deadlock detected/, 'nobody met a deadlock');

# In the end all goes, and the feeds stay.  Where writers are slow, purges beside
# them leave little.
$node->safe_psql('postgres', q{
	SELECT count(activityfeed.upsert_activity('user 1', 'app', document('last ' || n))) FROM generate_series(1, 300) n});
$node->poll_query_until('postgres', 'SELECT max(expiration_date_time) <= clock_timestamp() FROM activityfeed.activity');
$node->poll_query_until('postgres', 'SELECT coalesce(max(expiration_date_time), now()) <= clock_timestamp() FROM activityfeed.history_item');
my ($result, $out, $notices) = $node->psql('postgres', 'CALL activityfeed.purge(100)');
is($result, 0, 'purges to the end');
like($notices, qr/NOTICE:  purged 100 rows, 200 in total/, 'and tells of its progress');
is($node->safe_psql('postgres', q{
		SELECT (SELECT count(*) FROM activityfeed.feed), (SELECT count(*) FROM activityfeed.activity),
			(SELECT count(*) FROM activityfeed.history_item)}),
	'12|0|0', 'nothing is left but the feeds');

$node->stop;
done_testing();

sub slurp_log
{
	return PostgreSQL::Test::Utils::slurp_file($node->logfile);
}

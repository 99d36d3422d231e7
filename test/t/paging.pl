# Paging loses nothing.
#
# A page begins before the number of the last row of the page before it.  Lists
# are walked so from end to end, in pages of several sizes: each row has to come
# exactly once, whether the rows were written in one transaction (where all
# their timestamps are nearly equal) or in many at a time, and whether or not
# other sessions write other rows between two pages.  Page borders fall inside
# of buckets and on their borders; sessions come partly by deep inserts, whose
# numbers are taken together.

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ActivityFeedTest;

my $rows = 2000;
my $node = start_server('paging');
create_document($node);

$node->safe_psql(
	'postgres', q{
	CREATE FUNCTION session(id uuid) RETURNS json LANGUAGE sql AS $$
		SELECT json_build_object('id', id,
			'startedDateTime', '2026-01-01T00:00:00Z')
	$$;

	CREATE FUNCTION session_id(name text) RETURNS uuid LANGUAGE sql AS $$
		SELECT md5(name)::uuid
	$$;

	-- Activity n of app a, now and then one of two other apps, and five
	-- sessions of one more activity, in one document or one by one.
	CREATE FUNCTION write_step(u text, n int) RETURNS void
	LANGUAGE plpgsql AS $$
	DECLARE
		sessions json := json_agg(session(session_id('session ' || i)))
			FROM generate_series(n - 4, n) i;
		busy bigint := activityfeed.activity_id('a', 'busy');
	BEGIN
		PERFORM activityfeed.upsert_activity(u, 'a', document('page ' || n));
		IF n % 10 = 0 THEN
			PERFORM activityfeed.upsert_activity(u, app, document('page ' || n))
			FROM unnest(ARRAY['b', 'c']) app;
		END IF;
		IF n % 10 = 5 THEN
			PERFORM activityfeed.upsert_activity(u, 'a',
				document('busy', sessions));
		ELSIF n % 10 = 0 THEN
			PERFORM activityfeed.upsert_history_item(u, 'a', busy,
				(s ->> 'id')::uuid, s)
			FROM json_array_elements(sessions) s;
		END IF;
	END
	$$;

	-- A session for each activity, in another order than theirs.
	CREATE FUNCTION revisit(u text, n int) RETURNS void
	LANGUAGE plpgsql AS $$
	DECLARE
		key text := 'page ' || n * 7919 % 2000 + 1;
		visit uuid := session_id('visit');
	BEGIN
		PERFORM activityfeed.upsert_history_item(u, a.app_id, a.id, visit, session(visit))
		FROM unnest(ARRAY['a', 'b', 'c']) app,
			activityfeed.get_activity(u, app, activityfeed.activity_id(app, key)) a;
	END
	$$;

	-- What other sessions write during a walk: rows that come, move and go.
	CREATE FUNCTION other_write(u text, kind int, n int) RETURNS void
	LANGUAGE plpgsql AS $$
	DECLARE
		app text := CASE n % 3 WHEN 0 THEN 'a' WHEN 1 THEN 'b' ELSE 'z' END;
		id uuid := session_id('other ' || n);
		other bigint := activityfeed.activity_id(app, 'other ' || n);
		busy bigint := activityfeed.activity_id('a', 'busy');
	BEGIN
		CASE kind
			WHEN 1 THEN
				PERFORM activityfeed.upsert_activity(u, app,
					document('other ' || n, json_build_array(session(id))));
			WHEN 2 THEN
				PERFORM activityfeed.upsert_history_item(u, 'a', busy, id, session(id));
			WHEN 3 THEN
				PERFORM activityfeed.delete_activity(u, app, other);
			WHEN 4 THEN
				PERFORM activityfeed.delete_history_item(u, 'a', busy, id);
		END CASE;
	END
	$$;

	CREATE FUNCTION page(list text, u text, app text, size int, before bigint)
	RETURNS TABLE (app_id text, key text, number bigint)
	LANGUAGE plpgsql STABLE AS $$
	BEGIN
		CASE list
			WHEN 'activities' THEN
				RETURN QUERY SELECT a.app_id, a.app_activity_id, a.change_number
					FROM activityfeed.activities(u, app, size, before) a;
			WHEN 'recent_activities' THEN
				RETURN QUERY SELECT a.app_id, a.app_activity_id, a.history_change_number
					FROM activityfeed.recent_activities(u, app, size, before) a;
			WHEN 'history_items' THEN
				RETURN QUERY SELECT h.app_id, h.id::text, h.change_number
					FROM activityfeed.history_items(u, app,
						activityfeed.activity_id('a', 'busy'), size, before) h;
		END CASE;
	END
	$$;

	-- What each walk has to return, known without asking the extension.
	CREATE TABLE wanted AS
		SELECT list, app_id, 'page ' || n AS key
		FROM unnest(ARRAY['activities', 'recent_activities']) list,
			unnest(ARRAY['a', 'b', 'c']) app_id, generate_series(1, 2000) n
		WHERE app_id = 'a' OR n % 10 = 0
		UNION ALL
		SELECT 'history_items', 'a', session_id('session ' || n)::text
		FROM generate_series(1, 2000) n;

	CREATE UNLOGGED TABLE walked (place int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		app_id text, key text, number bigint);

	CREATE PROCEDURE wait_for_write(u text, number bigint)
	LANGUAGE plpgsql AS $$
	DECLARE
		seen bigint;
	BEGIN
		FOR attempt IN 1 .. 20000 LOOP
			SELECT f.change_number INTO seen FROM activityfeed.feed f
			WHERE f.user_id = u;
			IF seen > number THEN
				RETURN;
			END IF;
			PERFORM pg_sleep(0.001);
		END LOOP;
		RAISE 'nobody writes to the feed of "%"', u;
	END
	$$;

	-- One walk, a transaction for each page.  With "writing", somebody else
	-- has written between any two pages, or every 64 rows if they are smaller.
	CREATE PROCEDURE walk(list text, u text, app text, size int, writing boolean)
	LANGUAGE plpgsql AS $$
	DECLARE
		before bigint;
		got int;
		rows int := 0;
		feed_number bigint;
	BEGIN
		TRUNCATE walked;
		LOOP
			SELECT f.change_number INTO feed_number FROM activityfeed.feed f
			WHERE f.user_id = u;
			INSERT INTO walked (app_id, key, number)
			SELECT p.app_id, p.key, p.number FROM page(list, u, app, size, before) p;
			GET DIAGNOSTICS got = ROW_COUNT;
			EXIT WHEN got < size OR rows > 10000;
			SELECT w.number INTO before FROM walked w ORDER BY place DESC LIMIT 1;
			COMMIT;
			IF writing AND rows / 64 < (rows + got) / 64 THEN
				CALL wait_for_write(u, feed_number);
			END IF;
			rows := rows + got;
		END LOOP;
	END
	$$;

	-- What is wrong with the walk that was just made.  What others write
	-- meanwhile may come, and twice: "busy" moves back in recency when its
	-- newest session is deleted.
	CREATE FUNCTION verdict(walk_list text, app text, writing boolean) RETURNS text
	LANGUAGE sql AS $$
		SELECT format('%s missing, %s repeated, %s out of order, %s from elsewhere',
			(SELECT count(*) FROM wanted
				WHERE list = walk_list AND (app IS NULL OR app_id = app)
					AND (app_id, key) NOT IN (SELECT app_id, key FROM walked)),
			(SELECT count(*) - count(DISTINCT (app_id, key)) FROM walked
				WHERE (walk_list, app_id, key) IN (SELECT list, app_id, key FROM wanted)),
			(SELECT count(*)
				FROM (SELECT number, lag(number) OVER (ORDER BY place) AS earlier
					FROM walked) w
				WHERE number >= earlier),
			(SELECT count(*) FROM walked
				WHERE app_id <> app
					OR (NOT writing AND key <> 'busy' AND (walk_list, app_id, key)
						NOT IN (SELECT list, app_id, key FROM wanted))))
	$$;

	CREATE TABLE report (writing boolean, list text, u text, app text, size int,
		verdict text);

	CREATE PROCEDURE walk_all(writing boolean)
	LANGUAGE plpgsql AS $$
	DECLARE
		list text;
		u text;
		app text;
		size int;
	BEGIN
		FOREACH list IN ARRAY ARRAY['activities', 'recent_activities', 'history_items'] LOOP
			FOREACH u IN ARRAY ARRAY['one', 'many'] LOOP
				FOREACH app IN ARRAY ARRAY['a', NULL] LOOP
					FOREACH size IN ARRAY ARRAY[1, 7, 64, 1000] LOOP
						CALL walk(list, u, app, size, writing);
						INSERT INTO report
						VALUES (writing, list, u, app, size, verdict(list, app, writing));
						COMMIT;
					END LOOP;
				END LOOP;
			END LOOP;
		END LOOP;
	END
	$$;
	});

# Walks everything, and says what went wrong and how many walks there were.
sub walk_all
{
	my ($writing, $name) = @_;

	$node->safe_psql('postgres', "CALL walk_all($writing)");
	is( $node->safe_psql(
			'postgres', qq{
			SELECT list, u, coalesce(app, 'every app'), size, verdict
			FROM report
			WHERE writing = $writing AND verdict !~ '^0 m.*, 0 r.*, 0 o.*, 0 f'}),
		'',
		"each row comes exactly once $name");
	is( $node->safe_psql(
			'postgres', "SELECT count(*) FROM report WHERE writing = $writing"),
		3 * 2 * 2 * 4,
		"every walk was made $name");
	return;
}

# One transaction writes all of one feed, four clients write the other.
$node->safe_psql(
	'postgres', qq{
	BEGIN;
	SELECT write_step('one', n) FROM generate_series(1, $rows) n;
	SELECT revisit('one', n) FROM generate_series(1, $rows) n;
	COMMIT});
my $clients = 4;
my $transactions = $rows / $clients;
foreach my $function ('write_step', 'revisit')
{
	$node->pgbench(
		"-n -c $clients -t $transactions -D n=0",
		0,
		[qr{processed: $rows/$rows}],
		[qr{^$}],
		"$rows transactions of $clients clients, $function",
		{
			"paging_$function" => qq{\\set n :n + 1
				SELECT $function('many', :client_id * $transactions + :n)}
		});
}
is( $node->safe_psql(
		'postgres', q{
		SELECT f.user_id, count(DISTINCT a.xmin::text) > 1000
		FROM activityfeed.feed f JOIN activityfeed.activity a USING (user_id)
		GROUP BY 1 ORDER BY 1}),
	"many|t\none|f",
	'one feed was written by many transactions, the other by one');

walk_all('false', 'from a feed at rest');

# Two clients write until they are told to stop, and leave the walks some of
# the machine.
my $script = $node->basedir . '/other_writes';
append_to_file(
	$script, q{
	\set user random(0, 1)
	\set kind random(1, 4)
	\set n random(1, 50)
	SELECT other_write((ARRAY['one', 'many'])[1 + :user], :kind, :n);
	});
my ($out, $err) = ('', '');
my $writers = IPC::Run::start(
	[
		'pgbench', '-n', '-c', '2', '-R', '1000', '-T', '3600', '-f', $script,
		'-h', $node->host, '-p', $node->port, 'postgres'
	],
	'>', \$out, '2>', \$err);
walk_all('true', 'while others write');
$writers->pump_nb;
is($err, '', 'the others wrote without an error');
$writers->kill_kill;
$node->stop;

done_testing();

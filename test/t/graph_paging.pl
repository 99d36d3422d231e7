# Paging by nextLink loses nothing.
#
# A feed of 5 000 activities, 200 of which have one and the same
# lastModifiedDateTime, is walked by nextLink from end to end while another
# session writes.  Each activity that nobody writes meanwhile comes exactly
# once, in the order of the feed; what has expired, was deleted or is hidden
# comes nowhere.  And however many activities a page expands, it takes the same
# number of statements.

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ActivityFeedTest;

my $node = start_server('graph_paging', q{
	shared_preload_libraries = 'pg_stat_statements'
	pg_stat_statements.track = 'all'});
create_document($node);

$node->safe_psql(
	'postgres', q{
	CREATE EXTENSION pg_stat_statements;

	-- 5 000 to be found, and among them 100 each that have expired, were
	-- deleted, or are hidden.  Each fifth has a session.
	SELECT count(activityfeed.upsert_activity('ada', 'app', document(kind || ' ' || n,
		CASE WHEN n % 5 = 0 THEN '[{"startedDateTime": "2026-01-01T00:00:00Z"}]'::json END)))
	FROM (SELECT n, 'page' AS kind FROM generate_series(1, 5000) n
		UNION ALL
		SELECT n, kind FROM generate_series(50, 5000, 50) n, unnest(ARRAY['expired', 'deleted', 'hidden']) kind) x;
	UPDATE activityfeed.activity SET expiration_date_time = clock_timestamp()
	WHERE app_activity_id LIKE 'expired%';
	SELECT count(activityfeed.delete_activity('ada', 'app', id)),
		count(*) FILTER (WHERE activityfeed.ignore_activity('ada', 'app', id))
	FROM activityfeed.activity WHERE app_activity_id LIKE 'deleted%';
	SELECT count(activityfeed.ignore_activity('ada', 'app', id))
	FROM activityfeed.activity WHERE app_activity_id LIKE 'hidden%';

	-- Times may be equal where clocks are coarse: 200 in the middle are.
	UPDATE activityfeed.activity a SET last_modified_date_time = b.last_modified_date_time
	FROM activityfeed.activity b
	WHERE a.app_activity_id IN (SELECT 'page ' || n FROM generate_series(2401, 2600) n)
		AND b.app_activity_id = 'page 2401';

	CREATE UNLOGGED TABLE walked (place int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text);

	-- One walk, a transaction for each page.  Says how many pages there were.
	CREATE PROCEDURE walk(target text, writing boolean, INOUT pages int)
	LANGUAGE plpgsql AS $$
	DECLARE
		answer activityfeed.graph_response;
		number bigint;
	BEGIN
		TRUNCATE walked;
		pages := 0;
		WHILE target IS NOT NULL AND pages < 10000 LOOP
			SELECT f.change_number INTO number FROM activityfeed.feed f WHERE f.user_id = 'ada';
			answer := activityfeed.graph_request('ada', 'app', 'GET', target);
			IF answer.status <> 200 THEN
				RAISE '% is answered with % %', target, answer.status, answer.body;
			END IF;
			INSERT INTO walked (key)
			SELECT e ->> 'appActivityId' FROM json_array_elements(answer.body -> 'value') e;
			target := answer.body ->> '@odata.nextLink';
			pages := pages + 1;
			COMMIT;
			-- somebody else has written before the next page is read
			FOR attempt IN 1 .. 20000 LOOP
				EXIT WHEN NOT writing OR number < (SELECT f.change_number FROM activityfeed.feed f WHERE f.user_id = 'ada');
				IF attempt = 20000 THEN
					RAISE 'nobody writes';
				END IF;
				PERFORM pg_sleep(0.001);
				COMMIT;
			END LOOP;
		END LOOP;
	END
	$$;

	-- What is wrong with a walk; what the other session writes may come.
	CREATE FUNCTION verdict(step int, first int) RETURNS text
	LANGUAGE sql AS $$
		WITH wanted AS (SELECT n, 'page ' || n AS key FROM generate_series(first, 5000) n WHERE n % step = 0),
		known AS (SELECT w.place, x.n FROM walked w JOIN wanted x USING (key))
		SELECT format('%s missing, %s repeated, %s out of order, %s that should not be there',
			(SELECT count(*) FROM wanted WHERE key NOT IN (SELECT key FROM walked)),
			(SELECT count(*) - count(DISTINCT n) FROM known),
			(SELECT count(*) FROM (SELECT n, lag(n) OVER (ORDER BY place) AS earlier FROM known) k WHERE n >= earlier),
			(SELECT count(*) FROM walked WHERE key NOT LIKE 'other %' AND key NOT IN (SELECT key FROM wanted)))
	$$;

	-- What the other session does.
	CREATE FUNCTION other_write(n int, kind int) RETURNS void
	LANGUAGE plpgsql AS $$
	DECLARE
		other bigint := activityfeed.activity_id('app', 'other ' || n);
	BEGIN
		IF kind = 1 THEN
			PERFORM activityfeed.delete_activity('ada', 'app', other);
		ELSIF kind = 2 THEN
			PERFORM activityfeed.ignore_activity('ada', 'app', other, n % 2 = 0);
		ELSE
			PERFORM activityfeed.upsert_activity('ada', 'app', document('other ' || n,
				'[{"startedDateTime": "2026-01-01T00:00:00Z"}]'));
		END IF;
	END
	$$;
	});

is( $node->safe_psql(
		'postgres', q{
		SELECT count(*), count(*) - count(DISTINCT last_modified_date_time)
		FROM activityfeed.activity WHERE app_activity_id LIKE 'page %'}),
	'5000|199',
	'of 5000 activities 200 have one time');

# Each walk: target, page size, what is wanted of its rows, pages when nobody
# writes.
my @walks = (
	[ '/me/activities', 50, '1, 1', 100 ],
	[ 'https://host/v1.0/me/activities?$expand=historyItems', 333, '1, 1', 16 ],
	[ '/me/activities?$top=2500', 7, '1, 2501', 358 ],
	[ '/me/activities/recent()', 50, '5, 1', 20 ],
	[ '/beta/users/ada/activities/recent?$expand=historyItems&$top=100', 3, '5, 4501', 34 ]);

sub walk_all
{
	my ($writing, $name) = @_;

	foreach my $walk (@walks)
	{
		my ($target, $size, $wanted, $pages) = @$walk;
		# the rows of others use up $top
		next if $writing eq 'true' && $target =~ /top/;
		my ($walked, $verdict) = split /\n/, $node->safe_psql(
			'postgres', qq{
			SET activityfeed.page_size = $size;
			CALL walk('$target', $writing, NULL);
			SELECT verdict($wanted)});

		is($verdict, '0 missing, 0 repeated, 0 out of order, 0 that should not be there',
			"$target by $size $name");
		if ($writing eq 'true')
		{
			cmp_ok($walked, '>=', $pages, 'in pages');
		}
		else
		{
			is($walked, $pages, "in $pages pages");
		}
	}
	return;
}

walk_all('false', 'at rest');

my $script = $node->basedir . '/other_write';
append_to_file($script, q{
	\set n random(1, 100)
	\set kind random(1, 4)
	SELECT other_write(:n, :kind)});
my ($out, $err) = ('', '');
my $writer = IPC::Run::start(
	[
		'pgbench', '-n', '-c', '1', '-R', '500', '-T', '3600', '-f', $script,
		'-h', $node->host, '-p', $node->port, 'postgres'
	],
	'>', \$out, '2>', \$err);
walk_all('true', 'while another session writes');
$writer->pump_nb;
is($err, '', 'the other session wrote without an error');
$writer->kill_kill;

# How many statements of the module a request takes.
sub statements
{
	my ($size) = @_;
	my $target = '/me/activities?$expand=historyItems';

	return $node->safe_psql(
		'postgres', qq{
		SET activityfeed.page_size = $size;
		SELECT activityfeed.graph_request('ada', 'app', 'GET', '$target') IS NULL \\g /dev/null
		SELECT pg_stat_statements_reset() \\g /dev/null
		SELECT json_array_length(body -> 'value')
		FROM activityfeed.graph_request('ada', 'app', 'GET', '$target');
		SELECT sum(calls) FROM pg_stat_statements WHERE NOT toplevel});
}

is(statements(1), "1\n1", 'the history of a page of 1 takes a statement');
is(statements(50), "50\n1", 'of a page of 50 too');
is(statements(1000), "1000\n1", 'and of 1000');
$node->stop;

done_testing();

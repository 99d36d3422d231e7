# A backend lives for weeks, and json-c allocates outside of PostgreSQL's
# memory contexts: what a call forgets to free is gone until the session ends,
# and errors, which leave by longjmp, are where that happens.  So: thousands of
# calls that fail after the tree was built, and thousands that succeed, leave
# the memory of their backend as it was; and the memory for a batch is bounded
# by its text, not by a multiple for every element.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'needs /proc' if !-r '/proc/self/status';

my $calls = 20_000;
my $warm_up = 1_000;
my $allowed = 1024 * 1024;

# glibc keeps freed memory for itself, by thresholds that move with what has
# been freed: fixed, they leave nothing but what is in use.
$ENV{MALLOC_TRIM_THRESHOLD_} = $ENV{MALLOC_MMAP_THRESHOLD_} = 128 * 1024;

# Few shared buffers, which count as a process's own once it has touched them:
# it has touched them all after the first calls.
my $node = start_server('memory', <<~'CONF');
	shared_buffers = 1MB
	autovacuum = off
	max_wal_size = 4GB
	CONF

# Documents of 80 kB: in the bad ones what is wrong stands last, behind
# everything that json-c has made a tree of.
$node->safe_psql('postgres', <<~'SQL');
	CREATE FUNCTION document(pieces int, tail text) RETURNS json
	LANGUAGE sql RETURN format(
		'{"appActivityId": "a", "activitySourceHost": "example.com", '
		'"activationUrl": "app:1", "visualElements": {"displayText": "x"}, '
		'"contentInfo": {"parts": [%s]}%s}',
		(SELECT string_agg(format('{"part": %s, "text": "%s"}', i,
				repeat('word' || i, 80000 / pieces / length('word' || i) - 4)), ',')
		 FROM generate_series(1, pieces) i),
		', ' || tail)::json;

	CREATE TABLE bad (kind int PRIMARY KEY, state text, activity json);
	INSERT INTO bad VALUES
		(0, '22023', document(200, '"nonsense": 1')),
		(1, '22023', document(200, '"userTimezone": 1')),
		(2, '22023', document(200, '"activationUrl": null')),
		(3, '22023', document(200, '"historyItems": [{"startedDateTime": "never"}]')),
		(4, '22023', document(200, '"fallbackUrl": "\u0000"')),
		(5, '23505', document(200, '"appActivityId": "taken"')),
		(6, 'P0002', format('{"startedDateTime": "2024-01-01T00:00:00Z", "userTimezone": "%s"}',
							repeat('z', 80000))::json);

	CREATE TABLE good (kind int PRIMARY KEY, activity json);
	INSERT INTO good VALUES
		(0, document(25, NULL)),
		(1, (SELECT json_agg(json_build_object('type', 'viewed', 'startDateTime', 'never', 'n', i))
			 FROM generate_series(1, 1300) i));

	-- uncompressed, so that a call has no more to do than to fetch them
	ALTER TABLE bad ALTER activity SET STORAGE EXTERNAL;
	ALTER TABLE good ALTER activity SET STORAGE EXTERNAL;
	UPDATE bad SET activity = (activity::text || ' ')::json;
	UPDATE good SET activity = (activity::text || ' ')::json;

	-- an id that another activity has
	SELECT FROM activityfeed.upsert_activity('u', 'app', document(1, '"appActivityId": "taken"'));
	UPDATE activityfeed.activity SET app_activity_id = 'other';

	CREATE FUNCTION fail(kind int) RETURNS void
	LANGUAGE plpgsql AS $$
	DECLARE
		document json := (SELECT activity FROM bad WHERE bad.kind = fail.kind);
	BEGIN
		IF kind = 6 THEN
			PERFORM activityfeed.upsert_history_item('u', 'app', 1, '00000000-0000-0000-0000-000000000001', document);
		ELSE
			PERFORM activityfeed.upsert_activity('u', 'app', document);
		END IF;
		RAISE EXCEPTION 'no error' USING ERRCODE = 'XX000';
	END
	$$;

	-- counts the calls that failed as they should, a transaction each
	CREATE PROCEDURE fail_often(calls int, INOUT failed int DEFAULT 0)
	LANGUAGE plpgsql AS $$
	DECLARE
		expected text[] := (SELECT array_agg(state ORDER BY kind) FROM bad);
	BEGIN
		FOR i IN 1 .. calls LOOP
			BEGIN
				PERFORM fail(i % 7);
			EXCEPTION WHEN OTHERS THEN
				failed := failed + (SQLSTATE = expected[i % 7 + 1])::int;
			END;
			COMMIT;
		END LOOP;
	END
	$$;

	-- counts the calls that did what they should, a transaction each
	CREATE PROCEDURE succeed_often(calls int, INOUT succeeded int DEFAULT 0)
	LANGUAGE plpgsql AS $$
	DECLARE
		document json := (SELECT activity FROM good WHERE kind = 0);
		refused json := (SELECT activity FROM good WHERE kind = 1);
		unpacked jsonb := document;
	BEGIN
		FOR i IN 1 .. calls LOOP
			IF i % 100 = 0 THEN
				succeeded := succeeded + (SELECT (count(error) = 1300)::int
					FROM activityfeed.add_external_activities('c', 'i', refused));
			ELSIF i % 10 = 0 THEN
				succeeded := succeeded + (SELECT count(*) FROM activityfeed.upsert_activity('u', 'app', unpacked));
			ELSE
				succeeded := succeeded + (SELECT count(*) FROM activityfeed.upsert_activity('u', 'app', document));
			END IF;
			COMMIT;
		END LOOP;
	END
	$$;
	SQL

is( $node->safe_psql(
		'postgres', q{SELECT bool_and(octet_length(activity::text) BETWEEN 75000 AND 90000)
			FROM (SELECT activity FROM bad UNION ALL SELECT activity FROM good) d}),
	't',
	'the documents have about 80 kB');

# A script of statements that fail, each a transaction of its own, as psql
# reads it; expects as many errors as there are statements.
sub fail_at_top_level
{
	my ($session, $count) = @_;
	my $file = $node->basedir . '/failing.sql';

	open my $out, '>', $file or die "could not write $file: $!";
	print $out "SELECT fail(@{[$_ % 7]});\n" for 1 .. $count;
	close $out;
	$session->query("\\i $file");
	my $errors = () = $session->{stderr} =~ /ERROR:  (?:22023|23505|P0002)$/mg;
	$session->{stderr} = '';
	is($errors, $count, "$count statements failed");
}

# What is to stay as it is: the private memory that is in use, the whole data
# segment, the most that ever was in use, and what the memory contexts say.
sub memory_of
{
	my ($session, $pid) = @_;
	my %memory = map { $_ => process_status($pid, $_) } qw(RssAnon VmData VmHWM);

	$memory{contexts} = $session->query_safe(
		'SELECT sum(total_bytes) FROM pg_backend_memory_contexts');
	return \%memory;
}

sub stays_flat
{
	my ($before, $after, $name) = @_;

	for my $kind (sort keys %$before)
	{
		my $grown = $after->{$kind} - $before->{$kind};
		cmp_ok($grown, '<=', $allowed, "$name: $kind grew by $grown bytes");
	}
}

# Calls that fail, in blocks that catch the error and as statements.
{
	my ($session, $pid) = open_session($node, on_error_stop => 0);
	my $in_statements = $calls / 4;
	my $in_blocks = $calls - $in_statements;

	$session->query_safe('\set VERBOSITY sqlstate');
	is($session->query_safe("CALL fail_often(@{[$warm_up / 2]})"), $warm_up / 2, 'warm-up failed');
	fail_at_top_level($session, $warm_up / 2);
	my $before = memory_of($session, $pid);
	$in_blocks -= $warm_up / 2;
	is($session->query_safe("CALL fail_often($in_blocks)"), $in_blocks, "$in_blocks blocks failed");
	fail_at_top_level($session, $in_statements - $warm_up / 2);
	stays_flat($before, memory_of($session, $pid), 'failing calls');
	$session->quit;
}

# Calls that succeed.
{
	my ($session, $pid) = open_session($node);

	is($session->query_safe("CALL succeed_often($warm_up)"), $warm_up, 'warm-up stored');
	my $before = memory_of($session, $pid);
	my $rest = $calls - $warm_up;
	is($session->query_safe("CALL succeed_often($rest)"), $rest, "$rest calls stored");
	stays_flat($before, memory_of($session, $pid), 'succeeding calls');
	$session->quit;
}

# A batch, read from a table: at its peak five times its text.  A call with one
# element has loaded and planned before what a session needs once.
$node->safe_psql('postgres', <<~'SQL');
	CREATE TABLE batch (bad_every int PRIMARY KEY, body json);
	INSERT INTO batch
	SELECT bad_every, (SELECT json_build_object('activities', json_agg(json_build_object(
			'@odata.type', '#microsoft.graph.externalConnectors.externalActivity',
			'type', CASE WHEN i % bad_every = 0 THEN 'seen' ELSE 'viewed' END,
			'startDateTime', '2021-04-06T18:04:31.033Z',
			'performedBy', json_build_object(
				'type', 'user', 'id', '1f0c997e-99f7-43f1-8cca-086f8d42b' || i))))
		FROM generate_series(1, 10000) i)
	FROM (VALUES (10001), (10)) v (bad_every);
	SQL
for my $bad_every (10001, 10)
{
	my ($session, $pid) = open_session($node);
	my $text = $session->query_safe(
		"SELECT octet_length(body::text) FROM batch WHERE bad_every = $bad_every");
	my $add = sub {
		return $session->query_safe(
			"SELECT count(*), count(r.error) FROM activityfeed.add_external_activities('c', 'i', $_[0]) r");
	};

	$add->(q('[{"type": "viewed", "startDateTime": "2024-01-01T00:00:00Z"}, {}]'));
  SKIP:
	{
		open my $clear, '>', "/proc/$pid/clear_refs" or skip "cannot reset VmHWM: $!", 2;
		print $clear "5\n";
		close $clear or skip "cannot reset VmHWM: $!", 2;
		my $before = process_status($pid, 'VmHWM');
		is( $add->("(SELECT body FROM batch WHERE bad_every = $bad_every)"),
			'10000|' . int(10000 / $bad_every),
			'a batch of 10 000 elements');
		my $peak = process_status($pid, 'VmHWM') - $before;
		cmp_ok($peak, '<=', 5 * $text, "peaks at $peak bytes for a text of $text");
	}
	$session->quit;
}

$node->stop;
done_testing();

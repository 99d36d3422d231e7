# The server stops, at once, while everybody writes; five times.
#
# What a client was told is done must be there after each restart; of what it
# was not told, all or nothing.  So every transaction is one whose halves would
# show: a deep insert has as many sessions as its activity says, a batch as many
# elements, and every client notes what it was told on its own side, in a file
# that no server writes.  Then the tables must satisfy what they must at any
# time, and be sound to the last tuple of every index.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;

my $crashes = 5;
my $writers = 4;
my $acknowledged_before_crash = 60;    # of each writer, at least

my $node = start_server('crash', <<~'CONF');
	synchronous_commit = on
	restart_after_crash = off
	autovacuum_naptime = 1s
	checkpoint_timeout = 30s
	max_wal_size = 32MB
	full_page_writes = on
	CONF
create_document($node);
create_invariants($node);
$node->safe_psql('postgres', 'CREATE EXTENSION amcheck');

# A writer has users of its own, so what it was told is all that is to be
# there.  A step that creates is told from its number alone.
$node->safe_psql('postgres', <<~'SQL');
	CREATE FUNCTION sessions(n int) RETURNS json LANGUAGE sql AS $$
		SELECT json_agg(json_build_object('id', md5(i::text)::uuid,
			'startedDateTime', '2026-01-01T00:00:00Z', 'userTimezone', n::text))
		FROM generate_series(1, n) i
	$$;

	CREATE FUNCTION elements(n int) RETURNS json LANGUAGE sql AS $$
		SELECT json_agg(json_build_object('type', 'viewed', 'startDateTime', '2026-01-01T00:00:00Z'))
		FROM generate_series(1, n)
	$$;

	-- Step n of a writer, in one transaction; what it was is in its number.
	CREATE FUNCTION step(u text, n int) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		last_deep bigint := activityfeed.activity_id('deep', (n / 10 * 10)::text);
		kind int := n % 10;
	BEGIN
		CASE kind
			WHEN 0 THEN
				PERFORM activityfeed.upsert_activity(u, 'deep', document(n::text, sessions(100 + n % 90)));
			WHEN 1, 2 THEN
				PERFORM activityfeed.upsert_activity(u, 'flat', document((n % 7)::text));
			WHEN 3, 4, 5 THEN
				PERFORM activityfeed.touch_history_item(u, 'deep', last_deep, md5((n % 50 + 1)::text)::uuid);
			WHEN 6 THEN
				PERFORM activityfeed.delete_activity(u, 'deep', activityfeed.activity_id('deep', (n / 10 * 10 - 60)::text));
			WHEN 7 THEN
				PERFORM activityfeed.add_external_activities(u, n::text, elements(500 + n));
			WHEN 8 THEN
				PERFORM activityfeed.delete_history_item(u, 'deep', last_deep, md5((n % 50 + 1)::text)::uuid);
			ELSE
				-- expires soon: for the purge
				PERFORM set_config('activityfeed.retention', '1', true);
				PERFORM activityfeed.upsert_activity(u, 'gone', document(n::text, sessions(30)));
		END CASE;
		RETURN 'did ' || n;
	END
	$$;

	-- Deep inserts that are there in part.
	CREATE VIEW half_deep AS
	SELECT a.user_id, a.app_id, a.app_activity_id, count(h.id)
	FROM activityfeed.activity a
		LEFT JOIN activityfeed.history_item h ON h.user_id = a.user_id AND h.activity_id = a.id
	WHERE a.app_id = 'deep' AND a.status <> 'deleted'
	GROUP BY a.user_id, a.app_id, a.app_activity_id
	HAVING count(h.id) <> 100 + a.app_activity_id::int % 90;

	CREATE VIEW half_batch AS
	SELECT e.connection_id, e.item_id, count(*)
	FROM activityfeed.external_activity e
	GROUP BY e.connection_id, e.item_id HAVING count(*) % (500 + e.item_id::int) <> 0;
	SQL

# Starts a psql that runs a script, and writes what it is told to a file.
sub start_client
{
	my ($user, $script) = @_;
	my $client = { user => $user, told => $node->basedir . "/told.$user" };
	my $file = $node->basedir . "/script.$user";

	unlink $client->{told};
	open my $out, '>', $file or die "could not write $file: $!";
	print $out $script;
	close $out;
	$client->{harness} = IPC::Run::start(
		[ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-f', $file ],
		'>', $client->{told}, '2>', "$client->{told}.err");
	return $client;
}

# Steps from a number on.
sub start_writer
{
	my ($user, $from) = @_;

	return start_client($user, join '', map { "SELECT step('$user', $_);\n" } $from .. $from + 5000);
}

sub start_purge
{
	return start_client('purge', "SELECT activityfeed.purge_expired(20);\n" x 20_000);
}

# The last step that a writer was told is done: whole lines only.
sub last_told
{
	my ($writer) = @_;
	my @steps = (-e $writer->{told} ? slurp_file($writer->{told}) : '') =~ /^did (\d+)\n/mg;

	return $steps[-1];
}

sub finds_nothing
{
	my ($query, $name) = @_;

	is($node->safe_psql('postgres', "SELECT * FROM ($query) q LIMIT 10"), '', $name);
}

# What has to be there of a user whose steps up to a number are known to be
# done.  The one after it may be there too.
sub check_told
{
	my ($user, $last, $crash) = @_;

	finds_nothing(qq{
		WITH deep AS (
			SELECT n, activityfeed.activity_id('deep', n::text) AS id,
				n + 66 <= $last AS must_be_deleted, n + 66 <= $last + 1 AS may_be_deleted
			FROM generate_series(100, $last, 10) n)
		SELECT n, a.status FROM deep
			LEFT JOIN activityfeed.activity a ON a.user_id = '$user' AND a.id = deep.id
		WHERE a.id IS NULL OR CASE a.status WHEN 'deleted' THEN NOT may_be_deleted ELSE must_be_deleted END},
		"crash $crash: $user has every deep insert and deletion up to $last");
	finds_nothing(qq{
		SELECT n FROM generate_series(107, $last, 10) n
		WHERE NOT EXISTS (SELECT FROM activityfeed.external_activity
			WHERE connection_id = '$user' AND item_id = n::text)},
		"crash $crash: $user has every batch up to $last");
	finds_nothing(qq{
		SELECT n FROM generate_series(108, $last, 10) n
			LEFT JOIN activityfeed.activity a ON a.user_id = '$user' AND a.id = activityfeed.activity_id('deep', (n / 10 * 10)::text)
			LEFT JOIN activityfeed.history_item h ON h.user_id = '$user' AND h.activity_id = a.id AND h.id = md5((n % 50 + 1)::text)::uuid
		WHERE a.status <> 'deleted' AND h.status IS DISTINCT FROM 'deleted'},
		"crash $crash: $user has every deletion of a session up to $last");
	finds_nothing(qq{
		SELECT n FROM generate_series(103, $last, 10) n
			LEFT JOIN activityfeed.activity a ON a.user_id = '$user' AND a.id = activityfeed.activity_id('deep', (n / 10 * 10)::text)
			LEFT JOIN activityfeed.history_item h ON h.user_id = '$user' AND h.activity_id = a.id AND h.id = md5((n % 50 + 1)::text)::uuid
		WHERE a.status <> 'deleted' AND h.status = 'active'},
		"crash $crash: $user has every heartbeat up to $last");
	finds_nothing(qq{
		SELECT a.app_activity_id FROM activityfeed.activity a
		WHERE a.user_id = '$user' AND a.app_id = 'deep' AND a.app_activity_id::int > $last + 1},
		"crash $crash: $user has nothing of later steps");
}

my %next = map { ("writer $_" => 100) } 1 .. $writers;
my $purged = 0;
for my $crash (1 .. $crashes)
{
	my %start = %next;
	my @writers = map { start_writer($_, $start{$_}) } sort keys %start;
	my $purge = start_purge();

	# Each has been told of so many; then it stops, wherever they are.
	my $patience = 120 * 10;
	while (grep { (last_told($_) // 0) - $start{ $_->{user} } < $acknowledged_before_crash + 13 * $crash } @writers)
	{
		die 'the writers do not get on: ' . slurp_file("$writers[0]->{told}.err") if $patience-- == 0;
		select undef, undef, undef, 0.1;
	}
	$node->stop('immediate');
	$_->{harness}->finish for @writers, $purge;
	$node->start;

	for my $writer (@writers)
	{
		my $last = last_told($writer);

		like(slurp_file("$writer->{told}.err"), qr/terminating connection|server closed the connection|connection to server was lost/,
			"crash $crash: $writer->{user} was cut off after step $last");
		check_told($writer->{user}, $last, $crash);
		$next{ $writer->{user} } = int(($last + 10) / 10) * 10;
		# what was not told may be missing: the rest of this ten is done now
		$node->safe_psql('postgres', join '', map { "SELECT step('$writer->{user}', $_);" }
			grep { $_ % 10 == 6 || $_ % 10 == 7 || $_ % 10 == 3 || $_ % 10 == 8 } $last + 1 .. $next{ $writer->{user} } - 1);
	}
	$purged += $_ for slurp_file($purge->{told}) =~ /^(\d+)\n/mg;
	finds_nothing('SELECT * FROM half_deep', "crash $crash: no half deep insert");
	finds_nothing('SELECT * FROM half_batch', "crash $crash: no half batch");
	finds_nothing('SELECT * FROM broken_invariant', "crash $crash: invariants hold");
	$node->command_ok(
		[ 'pg_amcheck', '--heapallindexed', '--parent-check', '-s', 'activityfeed', 'postgres' ],
		"crash $crash: tables and indexes are sound");
}
cmp_ok($purged, '>', 0, "$purged rows were purged meanwhile");

# Writers go on: numbers rise above all that was handed out.
is($node->safe_psql('postgres', q{
		SELECT bool_and(a.change_number > m.newest AND a.status = 'updated') FROM (SELECT user_id, max(change_number) AS newest
				FROM activityfeed.activity GROUP BY user_id) m,
			LATERAL activityfeed.upsert_activity(m.user_id, 'app', document('last')) a}),
	't', 'every user writes on');

$node->stop;
done_testing();

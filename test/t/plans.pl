# Plans hold.
#
# A session keeps its plans for as long as it lives, and makes them from what
# is known of the tables then: nothing, when it began on empty ones; something
# wrong, when they grew and were not analysed since.  Left to itself the
# planner then reads and sorts all that a user has.  Every statement has to
# read a page in the same few buffers, and a write has to find its row,
# whatever the session knew when it planned, whatever its settings are, and
# whatever others do meanwhile.  Counted in buffers, so no clock matters.
#
# The tables are loaded in one go, without statistics, behind the backs of
# sessions that have planned everything.  One user has 10^5 activities, each
# with a session, and one more activity with 10^5 sessions.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $rows = 100_000;
my $node = start_server('plans', <<~'CONF');
	autovacuum = off
	shared_buffers = 256MB
	CONF

create_document($node);
$node->safe_psql('postgres', <<~SQL);
	CREATE FUNCTION session_document() RETURNS json LANGUAGE sql STABLE AS
	\$\$ SELECT '{"startedDateTime": "2026-01-01T00:00:00Z", "lastActiveDateTime": "2026-01-01T00:01:00Z"}'::json \$\$;

	CREATE FUNCTION session_id(n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS
	\$\$ SELECT lpad(n::text, 32, '0')::uuid \$\$;

	CREATE FUNCTION id(name text) RETURNS bigint LANGUAGE sql IMMUTABLE AS
	\$\$ SELECT activityfeed.activity_id('app', name) \$\$;

	-- Numbers 1 to $rows are the activities', the next $rows are their
	-- sessions', the last those of activity 0.
	CREATE PROCEDURE load() LANGUAGE plpgsql AS \$\$
	DECLARE
		now timestamptz := clock_timestamp();
		later timestamptz := now + interval '30 days';
	BEGIN
		INSERT INTO activityfeed.feed VALUES ('u', now, 3 * $rows, 0);
		INSERT INTO activityfeed.activity (user_id, id, app_id, app_activity_id,
			activity_source_host, activation_url, visual_elements, status,
			created_date_time, last_modified_date_time, expiration_date_time,
			change_number, created_change_number, history_change_number,
			history_expiration_date_time)
		SELECT 'u', id(i::text), 'app', i, 'example.com', 'app:' || i,
			'{"displayText": "x"}', 'updated', now, now, later, i, i,
			CASE i WHEN 0 THEN 3 ELSE 1 END * $rows + i, later
		FROM generate_series(0, $rows) i;
		INSERT INTO activityfeed.history_item (user_id, activity_id, id, app_id,
			started_date_time, active_duration_given, status, created_date_time,
			last_modified_date_time, expiration_date_time, change_number)
		SELECT 'u', CASE WHEN i > $rows THEN id('0') ELSE id(i::text) END,
			session_id(i), 'app', now, false, 'active', now, now,
			later - interval '1 second' * (i - $rows), $rows + i
		FROM generate_series(1, 2 * $rows) i;
	END
	\$\$;
	SQL

# Every function that reads a list, as a first page and as one from the middle
# of it, for one app and for every app.
my %reads;
for my $app ("'app'", 'NULL')
{
	my %lists = (
		activities => "activities('u', $app, 50, before_change_number => ",
		recent_activities => "recent_activities('u', $app, 50, before_history_change_number => ",
		history_items => "history_items('u', $app, id('0'), 50, before_change_number => ");
	my %middle = (
		activities => $rows / 2,
		recent_activities => $rows * 3 / 2,
		history_items => $rows * 5 / 2);

	for my $list (keys %lists)
	{
		$reads{"$list of $app"} = "activityfeed.$lists{$list} NULL)";
		$reads{"$list of $app from the middle"} = "activityfeed.$lists{$list} $middle{$list})";
	}
	$reads{"get_activity of $app"} = "activityfeed.get_activity('u', $app, id('5'))";
	$reads{"get_history_item of $app"} = "activityfeed.get_history_item('u', $app, id('0'), session_id($rows + 5))";
}

# Every function that writes, on one row.
sub writes
{
	my ($user) = @_;
	my $item = "'$user', 'app', id('0'), session_id";

	return (
		'replacing an activity' => "activityfeed.upsert_activity('$user', 'app', document('7'))",
		'creating an activity' => "activityfeed.upsert_activity('$user', 'app', document('new'))",
		'a deep insert' => "activityfeed.upsert_activity('$user', 'app', document('8', json_build_array(session_document())))",
		'creating an item' => "activityfeed.upsert_history_item($item(1), session_document())",
		'replacing an item' => "activityfeed.upsert_history_item($item($rows + 5), session_document())",
		'a heartbeat' => "activityfeed.touch_history_item($item($rows + 6))",
		'deleting an item' => "activityfeed.delete_history_item($item(2 * $rows - 5))",
		'deleting an activity' => "activityfeed.delete_activity('$user', 'app', id('9'))",
		'ignoring an activity' => "activityfeed.ignore_activity('$user', 'app', id('10'))",
		'showing it again' => "activityfeed.ignore_activity('$user', 'app', id('10'), false)");
}
my %writes = writes('u');

# How many buffers a function looks at in a session.
sub buffers_from
{
	my ($explained) = @_;
	my $plan = decode_json($explained)->[0]{Plan};

	return $plan->{'Shared Hit Blocks'} + $plan->{'Shared Read Blocks'};
}

sub explained
{
	my ($function) = @_;

	return "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) SELECT * FROM $function";
}

sub buffers_of
{
	my ($session, $function) = @_;

	return buffers_from($session->query_safe(explained($function)));
}

# Each read at most so many buffers: a page of 50 is a few of the table, those
# of one more bucket, and the way down the index.
my $few = 60;
# The first call after plans became invalid also reads catalogs to plan.
my $few_and_planning = 1000;

sub reads_are_cheap
{
	my ($session, $name) = @_;
	my @expensive;
	my $most = 0;

	for my $read (sort keys %reads)
	{
		my $first = buffers_of($session, $reads{$read});
		my $again = buffers_of($session, $reads{$read});

		push @expensive, "$read: $first, then $again buffers"
		  if $first > $few_and_planning || $again > $few;
		$most = $again if $again > $most;
	}
	is(join("\n", @expensive), '', "$name: reads are cheap (at most $most buffers)");
	return;
}

# The same for writes, which are undone.
sub writes_are_cheap
{
	my ($session, $name) = @_;
	my @expensive;
	my $most = 0;

	for my $write (sort keys %writes)
	{
		$session->query_safe('BEGIN');
		my $first = buffers_of($session, $writes{$write});
		$session->query_safe('ROLLBACK; BEGIN');
		my $again = buffers_of($session, $writes{$write});
		$session->query_safe('ROLLBACK');
		push @expensive, "$write: $first, then $again buffers"
		  if $first > $few_and_planning || $again > 2 * $few;
		$most = $again if $again > $most;
	}
	is(join("\n", @expensive), '', "$name: writes are cheap (at most $most buffers)");
	return;
}

# A session that has executed every statement often enough for any plan that
# is to be kept, on whatever was in the tables; what it wrote is gone.
sub plan_everything
{
	my ($session) = @_;
	my %scratch = writes('scratch');
	my @scratch = (
		@scratch{'creating an activity', 'replacing an activity', 'a deep insert'},
		(map { "activityfeed.upsert_activity('scratch', 'app', document('$_'))" } 0, 9, 10),
		$scratch{'creating an item'},
		"activityfeed.upsert_history_item('scratch', 'app', id('0'), session_id($rows + 5), session_document())",
		"activityfeed.upsert_history_item('scratch', 'app', id('0'), session_id($rows + 6), session_document())",
		"activityfeed.upsert_history_item('scratch', 'app', id('0'), session_id(2 * $rows - 5), session_document())",
		(map { "activityfeed.upsert_history_item('scratch', 'app', id('0'), session_id($_), session_document())" } 1 .. 8),
		@scratch{ 'replacing an item', 'a heartbeat', 'deleting an item',
			'ignoring an activity', 'showing it again', 'deleting an activity' });

	$session->query_safe(join ";\n", map { "SELECT count(*) FROM $_" } values %reads);
	$session->query_safe('BEGIN');
	$session->query_safe(join ";\n", map { "SELECT count(*) FROM $_" } @scratch);
	$session->query_safe('ROLLBACK');
	return;
}

sub planned_session
{
	my ($name) = @_;
	my ($session) = open_session($node);

	plan_everything($session);
	return [ $name, $session ];
}

my @sessions = planned_session('planned on empty tables');
$node->safe_psql('postgres', 'VACUUM ANALYZE');
push @sessions, planned_session('planned on empty, analysed tables');
$node->safe_psql(
	'postgres', q{
	SELECT count(activityfeed.upsert_activity('tiny', 'app', document(i::text,
		json_build_array(session_document())))) FROM generate_series(1, 5) i;
	VACUUM ANALYZE});
push @sessions, planned_session('planned on tiny tables');
$node->safe_psql('postgres', 'CALL load()');
push @sessions, planned_session('planned with the statistics of tiny tables');

is( $node->safe_psql('postgres', "SELECT count(*) FROM activityfeed.activities('u', 'app', 1000000)"),
	$rows + 1, 'the activities are there');
is( $node->safe_psql('postgres', "SELECT count(*) FROM activityfeed.recent_activities('u', NULL, 1000000)"),
	$rows + 1, 'and in recency');

for (@sessions)
{
	my ($name, $session) = @$_;

	reads_are_cheap($session, $name);
	writes_are_cheap($session, $name);
}

# Every setting of the planner the wrong way, before or after plans were made.
my $hostile = join ";\n", map { "SET $_" } (
	'enable_indexscan = off', 'enable_indexonlyscan = off', 'enable_incremental_sort = off',
	'enable_nestloop = off', 'enable_tidscan = off', 'enable_material = off',
	'random_page_cost = 1000', 'cpu_index_tuple_cost = 10', 'seq_page_cost = 0.001',
	'effective_cache_size = 1', 'jit_above_cost = 0', 'force_parallel_mode = on');
$hostile =~ s/force_parallel_mode/debug_parallel_query/ if $node->pg_version >= 16;

# What else happens in the life of a session: each thing to two of them.
my @events = (
	[ 'another search_path', sub { $_[0]->query_safe('SET search_path = pg_catalog') },
		sub { $_[0]->query_safe('RESET search_path') } ],
	[ 'custom plans only', sub { $_[0]->query_safe('SET plan_cache_mode = force_custom_plan') },
		sub { $_[0]->query_safe('RESET plan_cache_mode') } ],
	[ 'generic plans only', sub { $_[0]->query_safe('SET plan_cache_mode = force_generic_plan') },
		sub { $_[0]->query_safe('RESET plan_cache_mode') } ],
	[ 'hostile settings', sub { $_[0]->query_safe($hostile) }, sub { } ],
	[ 'hostile settings and plans dropped', sub { $_[0]->query_safe('DISCARD PLANS') }, sub { } ],
	[ 'hostile settings and custom plans only', sub { $_[0]->query_safe('SET plan_cache_mode = force_custom_plan') },
		sub { $_[0]->query_safe('RESET plan_cache_mode') } ],
	[ 'hostile settings and a new index', sub { $node->safe_psql('postgres',
		'CREATE INDEX lure ON activityfeed.activity (user_id); CREATE INDEX lure_too ON activityfeed.history_item (activity_id)') },
		sub { $node->safe_psql('postgres', 'DROP INDEX activityfeed.lure, activityfeed.lure_too') } ]);

for (@sessions[ 0, 2 ])
{
	my ($name, $session) = @$_;

	$session->query_safe('SET search_path = public');
	for (@events)
	{
		my ($event, $begin, $end) = @$_;

		$begin->($session);
		$session->query_safe('SET search_path = pg_catalog, public') if $event =~ /search_path/;
		reads_are_cheap($session, "$name, $event");
		writes_are_cheap($session, "$name, $event");
		$end->($session);
	}
}

# A session that waits for a lock learns while it waits that its plan is no
# longer valid, and plans anew where it is: deep in the execution.
for (@sessions[ 0, 2 ])
{
	my ($name, $session) = @$_;
	my ($locker) = open_session($node);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');

	for my $read ("activities of 'app' from the middle", "recent_activities of 'app'")
	{
		$session->query_safe("SELECT count(*) FROM $reads{$read}");
		$locker->query_safe('BEGIN; LOCK TABLE activityfeed.activity; ALTER TABLE activityfeed.activity SET (fillfactor = 80)');
		$session->query_until(qr/sent/, "\\echo sent\n" . explained($reads{$read}) . ";\n");
		$node->poll_query_until('postgres',
			"SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $pid")
		  or die 'the session does not wait for the lock';
		$locker->query_safe('COMMIT');
		my $buffers = buffers_from($session->query_safe(''));
		cmp_ok($buffers, '<=', $few_and_planning, "$name, $read, invalidated while it waits: $buffers buffers");
	}
	$locker->quit;
}

# Statistics at last, from another session.
$node->safe_psql('postgres', 'ANALYZE');
for (@sessions, planned_session('planned with good statistics'))
{
	my ($name, $session) = @$_;

	reads_are_cheap($session, "$name, after ANALYZE");
	writes_are_cheap($session, "$name, after ANALYZE");
}

$_->[1]->quit for @sessions;
$node->stop;
done_testing();

# What row security costs: a policy's functions are called once for a
# statement and not for each row, and no function reads more for a service or
# a session than for a superuser, whom no policy binds.
#
# One user has 20 000 activities with a session each, in each of two apps; ids,
# keys and numbers are spread evenly.  Everything is counted, no clock matters.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $rows = 20_000;
my $node = start_server('policies', <<~'CONF');
	autovacuum = off
	shared_buffers = 128MB
	track_functions = all
	CONF

create_document($node);
$node->safe_psql('postgres', <<~SQL);
	CREATE ROLE service LOGIN;
	CREATE ROLE session LOGIN;
	SELECT activityfeed.grant_service('service'), activityfeed.grant_session('session');
	ALTER ROLE session SET activityfeed.user_id = 'u';
	ALTER ROLE session SET activityfeed.app_id = 'app';
	CREATE FUNCTION id(name text) RETURNS bigint LANGUAGE sql IMMUTABLE AS
	\$\$ SELECT activityfeed.activity_id('app', name) \$\$;
	CREATE FUNCTION session_id(n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS
	\$\$ SELECT lpad(n::text, 32, '0')::uuid \$\$;
	INSERT INTO activityfeed.feed VALUES ('u', now(), 4 * $rows, 1);
	INSERT INTO activityfeed.activity (user_id, id, app_id, app_activity_id, activity_source_host, activation_url, visual_elements, status,
		created_date_time, last_modified_date_time, expiration_date_time, change_number, created_change_number, history_change_number, history_expiration_date_time)
	SELECT 'u', activityfeed.activity_id(app, i::text), app, i, 'example.com', 'app:', '{"displayText": "x"}', 'updated', now(), now(), now() + interval '30 days',
		2 * i + (app = 'app')::int, 2 * i, 2 * $rows + 2 * i + (app = 'app')::int, now() + interval '30 days'
	FROM generate_series(1, $rows) i, unnest('{app,other}'::text[]) app;
	INSERT INTO activityfeed.history_item (user_id, activity_id, id, app_id, started_date_time, active_duration_given, status, created_date_time, last_modified_date_time, expiration_date_time, change_number)
	SELECT 'u', activityfeed.activity_id(app, i::text), session_id(i), app, now(), false, 'active', now(), now(), now() + interval '30 days', 2 * $rows + 2 * i + (app = 'app')::int
	FROM generate_series(1, $rows) i, unnest('{app,other}'::text[]) app;
	SQL

my $me = "'u', 'app'";
my $one = "$me, id('7')";
my $item = "'{\"startedDateTime\": \"2026-01-01T00:00:00Z\"}'::json";
my %calls = (
	activities => "activities($me)",
	'activities, a later page' => "activities($me, before_change_number => $rows)",
	recent_activities => "recent_activities($me)",
	history_items => "history_items($one)",
	get_activity => "get_activity($one)",
	get_history_item => "get_history_item($one, session_id(7))",
	changes => "changes($me, 4 * $rows - 200)",
	graph_request => "graph_request($me, 'GET', '/me/activities?\$expand=historyItems')",
	graph_json => "get_activity($one) a, activityfeed.graph_json(a, 10)",
	'upsert_activity, new' => "upsert_activity($me, document('new'))",
	'upsert_activity, there' => "upsert_activity($me, document('8'))",
	'upsert_activity, with 20 sessions' => "upsert_activity($me, document('9', (SELECT json_agg($item) FROM generate_series(1, 20))))",
	'upsert_activity, new with 20 sessions' => "upsert_activity($me, document('new', (SELECT json_agg($item) FROM generate_series(1, 20))))",
	'upsert_history_item, new' => "upsert_history_item($one, session_id(0), $item)",
	'upsert_history_item, there' => "upsert_history_item($one, session_id(7), $item)",
	touch_history_item => "touch_history_item($one, session_id(7))",
	ignore_activity => "ignore_activity($one)",
	delete_history_item => "delete_history_item($one, session_id(7))",
	delete_activity => "delete_activity($one)");

my %connections;
for my $role ('postgres', 'service', 'session')
{
	my $user = $role eq 'postgres' ? $node->safe_psql('postgres', 'SELECT current_user') : $role;

	($connections{$role}) = open_session($node, extra_params => [ '-U', $user ]);
}

sub plan_of
{
	my ($role, $query) = @_;
	my $plan = $connections{$role}->query_safe("BEGIN; EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) $query; ROLLBACK");

	return decode_json($plan)->[0]{Plan};
}

sub buffers_of
{
	my $plan = plan_of(@_);

	return $plan->{'Shared Hit Blocks'} + $plan->{'Shared Read Blocks'};
}

# Without statistics and with them, the second time: plans are there then.
for my $statistics ('without statistics', 'with statistics')
{
	$node->safe_psql('postgres', 'ANALYZE') if $statistics eq 'with statistics';
	for my $call (sort keys %calls)
	{
		my %buffers;
		for my $role (sort keys %connections)
		{
			buffers_of($role, "SELECT * FROM activityfeed.$calls{$call}") for 1 .. 2;
			$buffers{$role} = buffers_of($role, "SELECT * FROM activityfeed.$calls{$call}");
		}
		# A new row is checked against its activity, and that against its feed, down an index, once for each.  And a session
		# goes by statements: the key is looked for before, and the foreign key is checked, once for each.  And each of
		# twenty rows is inserted and confirmed by itself.
		my $checks = $call =~ /20 sessions/ ? 21 * 14 : 24;
		cmp_ok($buffers{service}, '<=', $buffers{postgres} + 4, "$call $statistics: $buffers{service} buffers as a service, $buffers{postgres} as a superuser");
		cmp_ok($buffers{session}, '<=', $buffers{postgres} + $checks, "$call $statistics: $buffers{session} as a session");
	}
}

# A session's own queries: as they are in the README.
my $mine = 'user_id = activityfeed.current_user_id()';
my %queries = (
	'its newest activities' => "SELECT * FROM activityfeed.activity WHERE $mine AND app_id = activityfeed.current_app_id() ORDER BY change_bucket DESC LIMIT 10",
	'one of them' => "SELECT * FROM activityfeed.live_activity WHERE $mine AND id = id('5')",
	'the sessions of one' => "SELECT * FROM activityfeed.live_history_item WHERE $mine AND activity_id = id('5')",
	'its feed' => "SELECT * FROM activityfeed.feed WHERE $mine");

for my $query (sort keys %queries)
{
	my $role = 'session';

	buffers_of($role, $queries{$query});
	my $buffers = buffers_of($role, $queries{$query});
	my $plan = encode_json(plan_of($role, $queries{$query}));

	cmp_ok($buffers, '<=', 40, "$query: $buffers buffers");
	unlike($plan, qr/"Seq Scan"/, "$query: by an index") if $query ne 'its feed';
}

# Each function of a policy is called once for a statement that looks at every
# row, whoever asks.
sub calls_of
{
	my ($role, $query) = @_;
	my @names = qw(current_app_id current_user_id is_service);
	my $counts = 'SELECT ' . join(", ", map { "coalesce(pg_stat_get_xact_function_calls('activityfeed.$_'::regproc), 0)" } @names);
	my @lines = split /\n/, $connections{$role}->query_safe("BEGIN; $counts; $query; $counts; ROLLBACK");
	my @before = split /\|/, $lines[0];
	my @after = split /\|/, $lines[-1];

	return join(', ', map { "$names[$_] " . ($after[$_] - $before[$_]) } 0 .. $#names);
}
my $walk = 'SELECT count(*) FROM activityfeed.%s WHERE id IS NOT NULL';
for my $table ('activity', 'history_item')
{
	$_->query_safe(sprintf($walk, $table)) for values %connections;
	is(calls_of('service', sprintf($walk, $table)), 'current_app_id 0, current_user_id 0, is_service 1', "$table: a service asks once whether it is one");
	is(calls_of('session', sprintf($walk, $table)), 'current_app_id 1, current_user_id 1, is_service 1', "$table: a session asks once who it is");
}
is(calls_of('session', 'UPDATE activityfeed.history_item SET user_timezone = NULL'), 'current_app_id 2, current_user_id 2, is_service 2',
	'an UPDATE of every row asks once for old rows and once for new ones');
like(calls_of('session', qq{INSERT INTO activityfeed.history_item (user_id, activity_id, id, app_id, active_duration_given, status, created_date_time, last_modified_date_time, expiration_date_time, change_number)
		SELECT 'u', id(i::text), gen_random_uuid(), 'app', false, 'active', now(), now(), now(), 1 FROM generate_series(1, 1000) i}),
	qr/^current_app_id [1-4], current_user_id [1-5], is_service [1-5]$/, 'nor does an INSERT of many rows ask for each');

# The same by EXPLAIN: each is an InitPlan that runs once at most.
my @initplans;
my @nodes = (plan_of('session', sprintf($walk, 'activity')));
while (my $plan = shift @nodes)
{
	push @initplans, $plan if ($plan->{'Parent Relationship'} // '') eq 'InitPlan';
	push @nodes, @{ $plan->{Plans} // [] };
}
is(scalar @initplans, 3, 'three InitPlans');
is_deeply([ map { $_->{'Actual Loops'} } @initplans ], [ 1, 1, 1 ], 'each runs once');

$_->quit for values %connections;
$node->stop;
done_testing();

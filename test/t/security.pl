# Nobody chooses a principal who may not, whatever connection he makes; and
# what a session role does is no matter to other principals.
#
# A setting that nobody has defined yet can be set by anybody, so each way to
# set it is tried in a new connection, before the module is loaded, followed by
# each first use of the module.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('security', <<~'CONF');
	autovacuum = off
	max_prepared_transactions = 2
	CONF

create_document($node);
$node->safe_psql('postgres', q{
	CREATE ROLE service LOGIN;
	CREATE ROLE session LOGIN;
	CREATE ROLE pinned LOGIN;
	CREATE ROLE half LOGIN;
	SELECT activityfeed.grant_service('service');
	SELECT activityfeed.grant_session(r::regrole) FROM unnest('{session,pinned,half}'::text[]) r;
	GRANT session TO service;
	ALTER ROLE pinned SET activityfeed.user_id = 'ada';
	ALTER ROLE pinned SET activityfeed.app_id = 'reader';
	ALTER ROLE half SET activityfeed.user_id = 'ada';
	GRANT CREATE ON SCHEMA public TO PUBLIC;
	SELECT count(activityfeed.upsert_activity(u, a, document('activity ' || n, '[{"startedDateTime": "2026-01-01T00:00:00Z"}]')))
	FROM unnest('{ada,bob}'::text[]) u, unnest('{reader,game}'::text[]) a, generate_series(1, 200) n;
	ANALYZE});

# What a connection prints last, and all that it was told.
sub run_as
{
	my ($role, $sql, $options) = @_;
	local $ENV{PGOPTIONS} = $options if defined $options;
	my ($result, $out, $err) = $node->psql('postgres', $sql, on_error_stop => 0, extra_params => [ '-U', $role ]);

	$out =~ s/.*\n//s;
	return wantarray ? ($out, $err) : $out;
}

# Each says, in its way, whose rows it can read.
my $mine = q{(SELECT string_agg(DISTINCT user_id || ' ' || app_id, ', ') FROM activityfeed.activity)};
my %uses = (
	'a table' => "SELECT coalesce($mine, 'none')",
	'a view' => q{SELECT coalesce(string_agg(DISTINCT user_id || ' ' || app_id, ', '), 'none') FROM activityfeed.live_history_item},
	'a setting' => "SELECT activityfeed.current_user_id(); SELECT coalesce($mine, 'none')",
	'a function' => "DO \$\$ BEGIN PERFORM activityfeed.activities('bob', 'reader'); RAISE WARNING 'not refused'; EXCEPTION WHEN insufficient_privilege THEN END \$\$; SELECT coalesce($mine, 'none')",
	'a cast' => "SELECT NULL::activityfeed.activity::json; SELECT coalesce($mine, 'none')",
	'workers' => "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET min_parallel_index_scan_size = 0; SELECT coalesce($mine, 'none')");
my $bob = "SET activityfeed.user_id = 'bob'; SET activityfeed.app_id = 'reader'";
my %ways = (
	'SET' => [$bob],
	'SET, in capitals' => [q{SET ActivityFeed."USER_ID" = 'bob'; SET ACTIVITYFEED.APP_ID = 'reader'}],
	'SET SESSION and RESET' => ["$bob; RESET activityfeed.app_id"],
	'SET LOCAL' => [q{BEGIN; SET LOCAL activityfeed.user_id = 'bob'; SET LOCAL activityfeed.app_id = 'reader'}],
	'SET in a subtransaction' => ["BEGIN; SAVEPOINT a; $bob; SAVEPOINT b; $bob; RELEASE b"],
	'SET, rolled back' => ["BEGIN; SAVEPOINT a; $bob; ROLLBACK TO a"],
	'set_config' => [q{SELECT set_config('activityfeed.user_id', 'bob', false), set_config('activityfeed.app_id', 'reader', false)}],
	'set_config in the statement' => [q{CREATE FUNCTION pg_temp.f() RETURNS text LANGUAGE sql AS $$ SELECT set_config('activityfeed.user_id', 'bob', false) || set_config('activityfeed.app_id', 'reader', false) $$; SELECT pg_temp.f()}],
	'a function that sets' => [q{CREATE FUNCTION pg_temp.f() RETURNS void LANGUAGE plpgsql SET activityfeed.user_id = 'bob' SET activityfeed.app_id = 'reader' AS $$ BEGIN PERFORM activityfeed.current_user_id(); END $$; SELECT pg_temp.f()}],
	'SET, and everything reset' => ["$bob; RESET ALL"],
	'SET, and everything discarded' => ["$bob; DISCARD ALL"],
	'ALTER ROLE' => ["ALTER ROLE CURRENT_USER SET activityfeed.user_id = 'bob'; ALTER ROLE CURRENT_USER SET activityfeed.app_id = 'reader'"],
	'ALTER ROLE IN DATABASE' => ["ALTER ROLE CURRENT_USER IN DATABASE postgres SET activityfeed.app_id = 'game'"],
	'ALTER ROLE RESET' => ["ALTER ROLE CURRENT_USER RESET activityfeed.user_id; ALTER ROLE CURRENT_USER RESET ALL"],
	'ALTER DATABASE' => ["ALTER DATABASE postgres SET activityfeed.app_id = 'game'"],
	'options of the connection' => [ 'SELECT 1', '-c activityfeed.user_id=bob -c activityfeed.app_id=reader' ],
	'options, and everything reset' => [ 'RESET ALL', '--activityfeed.user_id=bob --activityfeed.app_id=reader' ],
	'options, and everything discarded' => [ 'DISCARD ALL', '-c activityfeed.user_id=bob -c activityfeed.app_id=reader' ]);
my %whose = (session => 'none', pinned => 'ada reader', half => 'none');

for my $way (sort keys %ways)
{
	my ($set, $options) = @{ $ways{$way} };

	for my $role (sort keys %whose)
	{
		my %seen;
		for my $use (keys %uses)
		{
			my ($out) = run_as($role, "$set;\n$uses{$use}", $options);

			push @{ $seen{$out} }, $use;
		}
		# what the connection asks for hides what the role has, before it is refused
		my $expected = defined $options ? 'none' : $whose{$role};
		is(join(', ', sort keys %seen), $expected, "$way: $role sees the same with every first use of the module")
		  or diag(explain(\%seen));
	}
}
for my $role (sort keys %whose)
{
	is(run_as($role, $uses{'a table'}), $whose{$role}, "$role in a new connection, after all that");
}

# A setting made before the module was there says so when it goes.
my ($out, $err) = run_as('session', "$bob; SELECT activityfeed.current_user_id() IS NULL");
is($out, 't', 'a setting made up before the module is loaded does not stay');
like($err, qr/permission denied to set parameter "activityfeed.user_id"/, 'and that is said');

# Positive: who may choose.
is(run_as('service', "$bob; SET ROLE session; $uses{'a table'}"), 'bob reader', 'a service chooses a principal');
is(run_as('service', "SET ROLE session; $uses{'a table'}", '-c activityfeed.user_id=bob -c activityfeed.app_id=reader'),
	'bob reader', 'by its connection, too');
is(run_as('service', "BEGIN; SET LOCAL activityfeed.user_id = 'bob'; SET LOCAL activityfeed.app_id = 'reader'; SET LOCAL ROLE session; COMMIT; $bob; SET ROLE session; RESET ALL; $uses{'a table'}"),
	'none', 'and RESET ALL leaves none');
is( run_as('service', "$bob; SET ROLE session; SET ROLE NONE; SET ROLE session; SET SESSION AUTHORIZATION DEFAULT; SET ROLE session; $uses{'a table'}"),
	'bob reader', 'roles change, the principal stays');
is( $node->safe_psql('postgres', "SET SESSION AUTHORIZATION session; $bob; SELECT coalesce($mine, 'none')", on_error_stop => 0),
	'none', 'a superuser who has become a session is one');

# In workers, where the role and the principal have to be the same.
for my $role ('session', 'service')
{
	my $seen = run_as('service', qq{
		SET activityfeed.user_id = 'ada'; SET activityfeed.app_id = 'reader'; SET ROLE $role;
		SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off;
		CREATE TEMP TABLE seen (plan text);
		DO \$\$ DECLARE line text; BEGIN
			FOR line IN EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) SELECT user_id, app_id, activityfeed.current_user_id(), activityfeed.is_service() FROM activityfeed.activity WHERE user_id = activityfeed.current_user_id() LOOP
				INSERT INTO seen VALUES (line);
			END LOOP; END \$\$;
		SELECT (SELECT count(*) > 0 FROM seen WHERE plan ~ 'Workers Launched: [1-9]'),
			string_agg(DISTINCT user_id || ' ' || app_id || ' ' || activityfeed.current_user_id() || ' ' || activityfeed.is_service(), ', ' ORDER BY user_id || ' ' || app_id || ' ' || activityfeed.current_user_id() || ' ' || activityfeed.is_service())
		FROM activityfeed.activity WHERE user_id = activityfeed.current_user_id()});
	is($seen, $role eq 'session' ? 't|ada reader ada false' : 't|ada game ada true, ada reader ada true', "workers of a $role");
}

# Whoever is refused has not looked at anything, nor locked it: no scan of a
# table or an index is begun, and nothing waits for a lock on them.
my %calls = (
	'activities' => "activities('%s', 'reader')",
	'recent_activities' => "recent_activities('%s', 'reader')",
	'history_items' => "history_items('%s', 'reader', activityfeed.activity_id('reader', 'activity 1'))",
	'get_activity' => "get_activity('%s', 'reader', activityfeed.activity_id('reader', 'activity 1'))",
	'get_history_item' => "get_history_item('%s', 'reader', activityfeed.activity_id('reader', 'activity 1'), '00000000-0000-4000-8000-000000000001')",
	'changes' => "changes('%s', 'reader', 0)",
	'active_time' => "active_time('%s', 'reader', '2026-01-01', '2026-01-02', 'UTC')",
	'graph_request' => "graph_request('%s', 'reader', 'GET', '/me/activities')",
	'upsert_activity' => "upsert_activity('%s', 'reader', public.document('activity 1'))",
	'upsert_history_item' => "upsert_history_item('%s', 'reader', activityfeed.activity_id('reader', 'activity 1'), '00000000-0000-4000-8000-000000000001', '{\"startedDateTime\": \"2026-01-01T00:00:00Z\"}'::json)",
	'touch_history_item' => "touch_history_item('%s', 'reader', activityfeed.activity_id('reader', 'activity 1'), '00000000-0000-4000-8000-000000000001')",
	'delete_activity' => "delete_activity('%s', 'reader', activityfeed.activity_id('reader', 'activity 2'))",
	'delete_history_item' => "delete_history_item('%s', 'reader', activityfeed.activity_id('reader', 'activity 1'), '00000000-0000-4000-8000-000000000001')",
	'ignore_activity' => "ignore_activity('%s', 'reader', activityfeed.activity_id('reader', 'activity 3'))");
is( $node->safe_psql('postgres', q{SELECT string_agg(DISTINCT proname, ' ' ORDER BY proname) FROM pg_proc
		WHERE pronamespace = 'activityfeed'::regnamespace AND proargnames[1:2] = '{user_id,app_id}'}),
	join(' ', sort keys %calls), 'every function with a principal is called');

my ($session) = open_session($node, extra_params => [ '-U', 'pinned' ], on_error_stop => 0);
my ($locker) = open_session($node);
my $scans = q{SELECT sum(pg_stat_get_xact_numscans(c.oid) + pg_stat_get_xact_tuples_returned(c.oid) + pg_stat_get_xact_blocks_fetched(c.oid)) FROM pg_class c
	WHERE c.relnamespace = 'activityfeed'::regnamespace AND relkind IN ('r', 'i')};

# All as often as it takes to have plans; what is there for its own user counts.
$session->query_safe(q{CREATE FUNCTION pg_temp.refused(call text) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN EXECUTE 'SELECT count(*) FROM activityfeed.' || call; RETURN 'done'; EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE; END $$});
for my $name (sort keys %calls)
{
	my $own = sprintf($calls{$name}, 'ada');
	my $other = sprintf($calls{$name}, 'bob');

	$session->query_safe("SELECT pg_temp.refused(\$call\$$own\$call\$), pg_temp.refused(\$call\$$other\$call\$)");
	my @counted = split /\n/, $session->query_safe(qq{BEGIN; $scans; SELECT pg_temp.refused(\$call\$$other\$call\$); $scans; SELECT pg_temp.refused(\$call\$$own\$call\$); $scans; ROLLBACK});

	is($counted[1], '42501', "$name of another user is refused");
	is($counted[2], $counted[0], "$name of another user has looked at no row and no index");
	cmp_ok($counted[4], '>', $counted[2], "as $name of its own does");
}

# The tables are locked against everything but a look at their columns.
$locker->query_safe('BEGIN; LOCK TABLE activityfeed.feed, activityfeed.activity, activityfeed.history_item IN EXCLUSIVE MODE');
$session->query_safe(q{SET lock_timeout = '100ms'});
for my $name (grep { /^(upsert|touch|delete|ignore)/ } sort keys %calls)
{
	is($session->query_safe(sprintf("SELECT pg_temp.refused(\$call\$$calls{$name}\$call\$)", 'bob')), '42501', "$name is refused before it would lock");
}
is($session->query_safe(sprintf("SELECT pg_temp.refused(\$call\$$calls{upsert_activity}\$call\$)", 'ada')), '55P03', 'its own waits');
$locker->query_safe('ROLLBACK');
$session->query_safe('RESET lock_timeout');

# What a session locks is its own: others write, read and purge meanwhile.
$session->query_safe(q{BEGIN; SELECT count(*) FROM (SELECT FROM activityfeed.feed FOR UPDATE) f; SELECT count(*) FROM (SELECT FROM activityfeed.activity FOR UPDATE) a; SELECT count(*) FROM (SELECT FROM activityfeed.history_item FOR UPDATE) h});
$locker->query_safe(q{SET lock_timeout = '1min'});
for my $call (map { sprintf($calls{$_}, 'bob') } grep { !/_item$/ } sort keys %calls)
{
	ok(defined $locker->query_safe("SELECT count(*) FROM activityfeed.$call"), "nothing hinders $call");
}
is($locker->query_safe(q{SELECT activityfeed.was_created(activityfeed.upsert_activity('ada', 'other', public.document('a'))) FROM activityfeed.feed WHERE user_id = 'nobody'}), '', 'reading feeds neither');
$locker->query_safe(q{SET session_replication_role = replica; UPDATE activityfeed.history_item SET expiration_date_time = '2020-01-01' WHERE app_id = 'game' AND user_id = 'bob'; RESET session_replication_role});
is($locker->query_safe(q{SELECT activityfeed.purge_expired()}), 200, 'a purge removes what others have');
$session->query_safe('ROLLBACK');

# A transaction that is prepared holds its own feed only.
$session->query_safe(q{BEGIN; SELECT activityfeed.delete_activity('ada', 'reader', activityfeed.activity_id('reader', 'activity 5')); PREPARE TRANSACTION 'ada'});
$locker->query_safe(sprintf("SELECT activityfeed.$calls{upsert_activity}", 'bob'));
$node->safe_psql('postgres', q{ROLLBACK PREPARED 'ada'});

# A notification has the user and a number, and nothing of the content.
$session->query_safe('LISTEN activityfeed');
$locker->query_safe(sprintf("SET activityfeed.notify = on; SELECT count(activityfeed.$calls{upsert_activity})", 'bob'));
like($session->query_safe('SELECT 1'), qr/payload "\{"user_id": "bob", "change_number": \d+\}"/, 'what a listener is told');

# A connection that is handed on: what the last user has left behind goes with
# DISCARD ALL.
my ($pooled) = open_session($node, extra_params => [ '-U', 'service' ], on_error_stop => 0);
$pooled->query_safe(q{BEGIN; SET LOCAL activityfeed.user_id = 'ada'; SET LOCAL activityfeed.app_id = 'reader'; SET LOCAL ROLE session;
	DECLARE held CURSOR WITH HOLD FOR SELECT user_id FROM activityfeed.activity; CREATE TEMP TABLE kept AS SELECT user_id FROM activityfeed.activity; COMMIT; DISCARD ALL});
is($pooled->query_safe(q{SELECT (SELECT count(*) FROM pg_cursors) + count(*) FROM pg_class WHERE relname = 'kept'}), 0, 'nothing is left');

$_->quit for $session, $locker, $pooled;
$node->stop;
done_testing();

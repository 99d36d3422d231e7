# Calls that are cut short: by statement_timeout, cancel, terminate and
# lock_timeout, at points that are drawn from a generator with a fixed seed,
# and by a deadlock.  Whatever the point, the call did all or nothing, the
# invariants hold, and the session, where it is left, goes on and has not
# grown.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'needs /proc' if !-r '/proc/self/status';

my $rounds = 12;
my $allowed = 2 * 1024 * 1024;
$ENV{MALLOC_TRIM_THRESHOLD_} = $ENV{MALLOC_MMAP_THRESHOLD_} = 128 * 1024;

my $node = start_server('interrupts', <<~'CONF');
	shared_buffers = 2MB
	autovacuum = off
	deadlock_timeout = 50ms
	CONF
create_document($node);
create_invariants($node);
srand(20210);

$node->safe_psql('postgres', <<~'SQL');
	CREATE FUNCTION sessions(n int) RETURNS json LANGUAGE sql AS $$
		SELECT json_agg(json_build_object('id', md5(i::text)::uuid, 'startedDateTime', '2026-01-01T00:00:00Z'))
		FROM generate_series(1, n) i
	$$;
	CREATE FUNCTION elements(n int) RETURNS json LANGUAGE sql AS $$
		SELECT json_agg(json_build_object('type', 'viewed', 'startDateTime', '2026-01-01T00:00:00Z'))
		FROM generate_series(1, n)
	$$;
	-- what each call works on
	CREATE TABLE input (deep json, batch json, request text);
	INSERT INTO input VALUES (document('deep', sessions(1500)), elements(8000),
		(document('request', sessions(1500))::jsonb)::text);
	CREATE PROCEDURE reset() LANGUAGE plpgsql AS $$
	BEGIN
		TRUNCATE activityfeed.feed, activityfeed.activity, activityfeed.history_item, activityfeed.external_activity;
		PERFORM activityfeed.upsert_activity('u', 'app', document('a' || i, sessions(5))) FROM generate_series(1, 300) i;
		SET LOCAL activityfeed.retention = 1;
		PERFORM activityfeed.upsert_activity('old', 'app', document('a' || i, sessions(5))) FROM generate_series(1, 300) i;
		RESET activityfeed.retention;
		UPDATE activityfeed.activity SET expiration_date_time = now() - interval '1 day', history_expiration_date_time = now() - interval '1 day' WHERE user_id = 'old';
		UPDATE activityfeed.history_item SET expiration_date_time = now() - interval '1 day' WHERE user_id = 'old';
	END
	$$;
	-- all rows, in short
	CREATE FUNCTION everything() RETURNS text LANGUAGE sql AS $$
		SELECT md5(concat((SELECT string_agg(f::text, ' ' ORDER BY user_id) FROM activityfeed.feed f),
			(SELECT string_agg(a::text, ' ' ORDER BY user_id, id) FROM activityfeed.activity a),
			(SELECT string_agg(h::text, ' ' ORDER BY user_id, activity_id, id) FROM activityfeed.history_item h),
			(SELECT count(*)::text FROM activityfeed.external_activity)))
	$$;
	SQL

my $a = q(activityfeed.activity_id('app', 'a1'));
my %calls = (
	'deep insert' => q{SELECT count(*) FROM activityfeed.upsert_activity('u', 'app', (SELECT deep FROM input))},
	batch => q{SELECT count(*) FROM activityfeed.add_external_activities('c', 'i', (SELECT batch FROM input))},
	request => q{SELECT count(*) FROM activityfeed.graph_request('u', 'app', 'PUT', '/me/activities/request', (SELECT request FROM input))},
	'batch request' => q{SELECT count(*) FROM activityfeed.graph_request('u', 'app', 'GET', '/me/activities/recent?$top=300&$expand=historyItems')},
	purge => q{SELECT activityfeed.purge_expired()},
	erase => q{SELECT activityfeed.erase_user('u')},
	export => q{SELECT count(*) FROM activityfeed.export_user('u')},
	changes => q{SELECT count(*) FROM activityfeed.changes('u', NULL, 0, 10000)},
	upserts => q{SELECT count(activityfeed.upsert_activity('u', 'app', document('b' || i))) FROM generate_series(1, 400) i},
	heartbeats => qq{SELECT count(activityfeed.touch_history_item('u', 'app', $a, md5((1 + i % 5)::text)::uuid)) FROM generate_series(1, 400) i},
	deletions => q{SELECT count(activityfeed.delete_activity('u', 'app', activityfeed.activity_id('app', 'a' || i))) FROM generate_series(1, 300) i},
	ignoring => q{SELECT count(activityfeed.ignore_activity('u', 'app', activityfeed.activity_id('app', 'a' || i))) FROM generate_series(1, 300) i},
	'active time' => q{SELECT count(*) FROM activityfeed.active_time('u', NULL, '2025-01-01', '2027-01-01', 'UTC')});

my ($session, $pid);
my %seen;

sub open_new_session
{
	($session, $pid) = open_session($node, on_error_stop => 0);
	$session->query_safe('\set VERBOSITY sqlstate');
	$session->query_safe("BEGIN; $_; ROLLBACK;") for map { $calls{$_} } sort keys %calls;
}

# The state that a call ended with.
sub state_of
{
	my ($statement) = @_;

	$session->query($statement);
	my ($state) = $session->{stderr} =~ /(?:ERROR|FATAL):  (\w{5})$/m;
	$session->{stderr} = '';
	return $state // 'none';
}

# All or nothing: as before if it failed, and the invariants hold in any case.
sub check_after
{
	my ($before, $state, $name) = @_;
	my ($after, $broken) = split /\|/, $node->safe_psql('postgres',
		'SELECT everything(), (SELECT count(*) FROM broken_invariant)');

	$seen{$state}++;
	return if $broken == 0 && ($state eq 'none' || $after eq $before);
	fail("$name, $state: " . ($broken ? "$broken rows break an invariant" : 'something was stored'));
}

$node->safe_psql('postgres', 'CALL reset()');
open_new_session();

# How long a call takes here and now, in milliseconds, by the server's clock.
my %takes;
for my $name (sort keys %calls)
{
	my $out = $session->query_safe("BEGIN; SELECT clock_timestamp() AS began \\gset\n$calls{$name};\n"
		. "SELECT 'ms ' || extract(epoch FROM clock_timestamp() - :'began') * 1000; ROLLBACK;");
	($takes{$name}) = $out =~ /^ms ([\d.]+)/m;
}

my $before = $node->safe_psql('postgres', 'SELECT everything()');
my %start = map { $_ => process_status($pid, $_) } qw(RssAnon VmData);
my $contexts = $session->query_safe('SELECT sum(total_bytes) FROM pg_backend_memory_contexts');
for my $round (1 .. $rounds)
{
	for my $name (sort keys %calls)
	{
		# a timeout somewhere within the call
		my $point = 1 + int(rand($takes{$name}));
		my $state = state_of("SET statement_timeout = $point;\n BEGIN;\n $calls{$name};\nSET LOCAL statement_timeout = 0; ROLLBACK;");
		state_of('ROLLBACK') if $state ne 'none';
		state_of('SET statement_timeout = 0');
		check_after($before, $state eq 'none' ? 'done' : $state, "timeout in $name");
	}
}
cmp_ok($seen{57014}, '>', 4 * $rounds, "$seen{57014} calls were cut short by a timeout, " . ($seen{done} // 0) . ' came to their end');
is($session->query_safe('SELECT pg_backend_pid()'), $pid, 'the session goes on');
for my $kind (sort keys %start)
{
	my $grown = process_status($pid, $kind) - $start{$kind};
	cmp_ok($grown, '<=', $allowed, "and its $kind grew by $grown bytes");
}
my $grown = $session->query_safe('SELECT sum(total_bytes) FROM pg_backend_memory_contexts') - $contexts;
cmp_ok($grown, '<=', $allowed, "and its memory contexts by $grown bytes");

# Cancelled and terminated from outside, after a delay that is drawn, in
# transactions that would commit.
for my $how (qw(pg_cancel_backend pg_terminate_backend))
{
	for my $name (sort keys %calls)
	{
		my $delay = rand($takes{$name}) / 1000;
		my ($victim, $victim_pid) = open_session($node, on_error_stop => 0);
		$victim->query_safe('\set VERBOSITY sqlstate');
		$node->safe_psql('postgres', 'CALL reset()');
		my $was = $node->safe_psql('postgres', 'SELECT everything()');
		my $killer = $node->background_psql('postgres');
		$killer->query_until(qr/ready/, qq{\\echo ready
			SELECT pg_sleep($delay), $how($victim_pid);\n});
		my $out = eval { $victim->query("$calls{$name};") };
		my $state = $victim->{stderr} =~ /(?:ERROR|FATAL):  (\w{5})|connection to server was lost/m ? $1 // '57P01' : 'none';
		$victim->{stderr} = '';
		eval { $killer->quit };
		if ($how eq 'pg_cancel_backend')
		{
			is($victim->query('SELECT 1'), 1, "the session goes on after $how in $name") if $state ne 'none';
			$victim->{stderr} = '';
		}
		eval { $victim->quit };
		$node->poll_query_until('postgres', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $victim_pid)");
		check_after($was, $state, "$how in $name");
	}
}
note(explain(\%seen));
cmp_ok($seen{57014} + ($seen{'57P01'} // 0), '>', 0, 'calls were cut short from outside');

# A lock that is not to be had in time.
$node->safe_psql('postgres', 'CALL reset()');
$before = $node->safe_psql('postgres', 'SELECT everything()');
my ($holder) = open_session($node);
$holder->query_safe("BEGIN; SELECT FROM activityfeed.feed WHERE user_id = 'u' FOR UPDATE;");
$session->query_safe('SET lock_timeout = 20');
for my $name (sort keys %calls)
{
	my $state = state_of("$calls{$name};");
	my $reads = $name =~ /^(export|changes|batch|batch request|active time|purge)$/;

	is($state, $reads ? 'none' : '55P03', "a locked feed and $name: $state");
}
$holder->query_safe('ROLLBACK');
$session->query_safe('SET lock_timeout = 0');
is($node->safe_psql('postgres', 'SELECT * FROM broken_invariant'), '', 'invariants hold after lock timeouts');
is($node->safe_psql('postgres', q{SELECT count(*) FROM activityfeed.activity WHERE user_id = 'u' AND change_number > created_change_number}),
	'0', 'nothing of them was stored');

# A deadlock: one of two is told, the other gets through.
my ($other) = open_session($node, on_error_stop => 0);
$other->query_safe('\set VERBOSITY sqlstate');
$session->query_safe(q{BEGIN; SELECT FROM activityfeed.upsert_activity('one', 'app', document('d'));});
$other->query_safe(q{BEGIN; SELECT FROM activityfeed.upsert_activity('two', 'app', document('d', sessions(3)));});
$session->query_until(qr/waiting/, qq{\\echo waiting
	SELECT FROM activityfeed.upsert_activity('two', 'app', document('e', sessions(3)));\n});
$node->poll_query_until('postgres', "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND pid = " . $pid);
$other->query(q{SELECT FROM activityfeed.upsert_activity('one', 'app', document('e', sessions(3)));});
$other->query('COMMIT');
$session->query('COMMIT');
my @told = grep { $_->{stderr} =~ /40P01/ } $session, $other;
is(scalar @told, 1, 'one of two is told of the deadlock');
is($node->safe_psql('postgres', q{
		SELECT string_agg(user_id || ' ' || app_activity_id, ', ' ORDER BY user_id) ~ '^(one d, two e|one e, two d)$'
		FROM activityfeed.activity WHERE user_id IN ('one', 'two')}),
	't', 'the other got through, whole');
is($node->safe_psql('postgres', 'SELECT * FROM broken_invariant'), '', 'invariants hold');

$_->{stderr} = '' for $session, $other;
$_->quit for $holder, $other, $session;
$node->stop;
done_testing();

# Calls that are cut short: by statement_timeout, cancel, terminate and
# lock_timeout, at points that are drawn, and by a deadlock.  Whatever the
# point, the call did all that it does when it is left alone, or nothing; the
# invariants hold; and the session, where it is left, goes on and has not
# grown.  Where a call is cut depends on the clock, the verdict does not.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'needs /proc' if !-r '/proc/self/status';

my $rounds = 4;
my $allowed = 2 * 1024 * 1024;
$ENV{MALLOC_TRIM_THRESHOLD_} = $ENV{MALLOC_MMAP_THRESHOLD_} = 128 * 1024;

my $node = start_server('interrupts', <<~'CONF');
	shared_buffers = 2MB
	autovacuum = off
	deadlock_timeout = 50ms
	CONF
create_document($node);
create_invariants($node);
create_sessions($node);
create_everything($node);
srand(20210);

$node->safe_psql('postgres', <<~'SQL');
	-- what each call works on
	CREATE TABLE input (deep json, batch json, request text);
	INSERT INTO input VALUES (document('deep', sessions(600)), elements(3000),
		(document('request', sessions(600))::jsonb)::text);
	CREATE PROCEDURE reset() LANGUAGE plpgsql AS $$
	BEGIN
		TRUNCATE activityfeed.feed, activityfeed.activity, activityfeed.history_item, activityfeed.external_activity;
		PERFORM activityfeed.upsert_activity('u', 'app', document('a' || i, sessions(5))) FROM generate_series(1, 100) i;
		SET LOCAL activityfeed.retention = 1;
		PERFORM activityfeed.upsert_activity('old', 'app', document('a' || i, sessions(5))) FROM generate_series(1, 100) i;
		RESET activityfeed.retention;
		UPDATE activityfeed.activity SET expiration_date_time = now() - interval '1 day', history_expiration_date_time = now() - interval '1 day' WHERE user_id = 'old';
		UPDATE activityfeed.history_item SET expiration_date_time = now() - interval '1 day' WHERE user_id = 'old';
	END
	$$;
	-- how many there are of each kind
	CREATE FUNCTION shape() RETURNS text LANGUAGE sql AS $$
		SELECT format('%s feeds with %s changes, %s activities, %s ignored, %s sessions, %s external',
			(SELECT count(*) FROM activityfeed.feed), (SELECT sum(change_number - (SELECT min(created_change_number) FROM activityfeed.activity a WHERE a.user_id = f.user_id)) FROM activityfeed.feed f),
			(SELECT count(*) FROM activityfeed.activity), (SELECT count(*) FROM activityfeed.activity WHERE status = 'ignored'),
			(SELECT count(*) FROM activityfeed.history_item),
			(SELECT count(*) FROM activityfeed.external_activity))
	$$;
	SQL

my $a = q(activityfeed.activity_id('app', 'a1'));
my %calls = (
	'deep insert' => q{SELECT count(*) FROM activityfeed.upsert_activity('u', 'app', (SELECT deep FROM input))},
	batch => q{SELECT count(*) FROM activityfeed.add_external_activities('c', 'i', (SELECT batch FROM input))},
	request => q{SELECT status FROM activityfeed.graph_request('u', 'app', 'PUT', '/me/activities/request', (SELECT request FROM input))},
	page => q{SELECT min(status) FROM generate_series(281, 300) i, activityfeed.graph_request('u', 'app', 'GET', '/me/activities/recent?$top=' || i || '&$expand=historyItems')},
	purge => q{SELECT activityfeed.purge_expired()},
	erase => q{SELECT activityfeed.erase_user('u')},
	export => q{SELECT count(*) FROM activityfeed.export_user('u')},
	changes => q{SELECT count(*) FROM activityfeed.changes('u', NULL, 0, 10000)},
	upserts => q{SELECT count(activityfeed.upsert_activity('u', 'app', document('b' || i))) FROM generate_series(1, 150) i},
	heartbeats => qq{SELECT count(activityfeed.touch_history_item('u', 'app', $a, md5((1 + i % 5)::text)::uuid)) FROM generate_series(1, 150) i},
	deletions => q{SELECT count(activityfeed.delete_activity('u', 'app', activityfeed.activity_id('app', 'a' || i))) FROM generate_series(1, 100) i},
	ignoring => q{SELECT count(activityfeed.ignore_activity('u', 'app', activityfeed.activity_id('app', 'a' || i))) FROM generate_series(1, 100) i},
	'active time' => q{SELECT count(*) FROM generate_series(1, 20) i, activityfeed.active_time('u', NULL, timestamptz '2025-01-01' + i * interval '1 s', '2027-01-01', 'UTC')});

my ($session, $pid) = open_session($node, on_error_stop => 0);
my ($watcher) = open_session($node);
$session->query_safe('\set VERBOSITY sqlstate');
$watcher->query_safe('CALL reset()');

# What a statement answers, or the state that it ends with.
sub answer_of
{
	my ($in, $statement) = @_;
	my $answer = eval { $in->query($statement) };
	my $errors = $in->{stderr};

	$in->{stderr} = '';
	return $1 if $errors =~ /(?:ERROR|FATAL):  (\w{5})$/m;
	return $errors =~ /connection to server was lost/ ? '57P01' : $answer;
}

# All rows in short, how many there are of each kind, and how many break an
# invariant.
sub look
{
	return split /\|/, $watcher->query_safe('SELECT everything(), shape(), (SELECT count(*) FROM broken_invariant)');
}

# What each call does and how long it takes when it is left alone.  The first
# time is for the caches.
my (%good, %takes);
for my $name ((sort keys %calls) x 2)
{
	my $out = $session->query_safe("BEGIN;\nSELECT clock_timestamp() AS began \\gset\n$calls{$name};\n"
		. "SELECT 'ms ' || extract(epoch FROM clock_timestamp() - :'began') * 1000;\nSELECT shape();\nROLLBACK;");
	($takes{$name}) = $out =~ /^ms ([\d.]+)$/m;
	$good{$name} = $out =~ s/^ms .*\n//mr;
}

# A timeout somewhere within the call.  One that came too late comes earlier
# the next time.
my ($before) = look();
my (%cut, @wrong);
sub time_out
{
	my ($name) = @_;
	my $within = $takes{$name};

	for (1 .. $rounds)
	{
		my $point = 1 + int(rand($within));
		my $answer = answer_of($session, "BEGIN;\nSAVEPOINT s;\nSET LOCAL statement_timeout = $point;\n$calls{$name};");
		my $error = $answer eq '57014';
		my $left = $session->query_safe(($error ? 'ROLLBACK TO s;' : 'SET LOCAL statement_timeout = 0;')
			. "\nSELECT everything();\nSELECT shape(), (SELECT count(*) FROM broken_invariant);\nROLLBACK;");
		my ($after, $shape, $broken) = split /[\n|]/, $left;

		$cut{$name} += $error;
		$within /= 2 if !$error;
		push @wrong, "$name after $point ms: $answer, $shape, $broken broken"
		  if $broken != 0 || ($error ? $after ne $before : "$answer\n$shape" ne $good{$name});
	}
}

time_out($_) for sort keys %calls;
my $sum = 'SELECT sum(total_bytes) FROM pg_backend_memory_contexts';
my $contexts = $session->query_safe($sum);
my %start = map { $_ => process_status($pid, $_) } qw(RssAnon VmData);
time_out($_) for sort keys %calls;
cmp_ok($cut{$_}, '>', 0, "$_: $cut{$_} of " . 2 * $rounds . ' were cut short by a timeout') for sort keys %calls;
is(join("\n", @wrong), '', 'each of them did all or nothing, and invariants hold');
is((look())[0], $before, 'nothing was stored');
is($session->query_safe('SELECT pg_backend_pid()'), $pid, 'the session goes on');
for my $kind (sort keys %start)
{
	my $grown = process_status($pid, $kind) - $start{$kind};
	cmp_ok($grown, '<=', $allowed, "and its $kind grew by $grown bytes");
}
my $grown = $session->query_safe($sum) - $contexts;
cmp_ok($grown, '<=', $allowed, "and its memory contexts by $grown bytes");

# Cancelled and terminated from outside, after a while that is drawn.  A session
# may go between its commit and the answer: the transaction's status tells.
for my $how (qw(pg_cancel_backend pg_terminate_backend))
{
	my ($victim, $victim_pid) = open_session($node, on_error_stop => 0);
	my $cut = 0;

	for my $name (sort keys %calls)
	{
		my $delay = rand($takes{$name}) / 1000;
		my ($was) = look();

		my $xid = $victim->query_safe("\\set VERBOSITY sqlstate\nBEGIN;\nSELECT pg_current_xact_id();");
		my ($killer) = open_session($node);
		$killer->query_until(qr/ready/, qq{\\echo ready
			SELECT pg_sleep($delay), $how($victim_pid);\n});
		my $answer = answer_of($victim, "$calls{$name};");
		my $error = $answer =~ /^57(014|P01)$/;
		my $end = answer_of($victim, 'COMMIT;') // 'gone';
		eval { $killer->quit };
		if ($how eq 'pg_terminate_backend')
		{
			eval { $victim->quit };
			$node->poll_query_until('postgres', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $victim_pid)");
			($victim, $victim_pid) = open_session($node, on_error_stop => 0);
		}
		$cut += $error;
		my ($after, $shape, $broken) = look();
		my $committed = $watcher->query_safe("SELECT pg_xact_status('$xid')") eq 'committed';
		ok($broken == 0 && ($committed ? "$answer\n$shape" eq $good{$name} : $after eq $was && ($error || $end ne '')), "$how in $name: $answer")
		  or diag("$shape, $broken broken, committed: $committed, $end");
		$watcher->query_safe('CALL reset()') if $committed;
		answer_of($victim, 'SELECT 1') if $how eq 'pg_cancel_backend' && !$error;
		is($victim->query_safe('SELECT pg_backend_pid()'), $victim_pid, 'the session goes on') if $how eq 'pg_cancel_backend';
	}
	cmp_ok($cut, '>', 0, "$how cut $cut calls short");
	$victim->quit;
}

# A lock that is not to be had in time.
$watcher->query_safe('CALL reset()');
($before) = look();
my ($holder) = open_session($node);
$holder->query_safe("BEGIN; SELECT FROM activityfeed.feed WHERE user_id = 'u' FOR UPDATE;");
for my $name (sort keys %calls)
{
	next if $name =~ /^(batch|purge)$/; # they need nothing of this user
	my $reads = $name =~ /^(export|changes|page|active time)$/;
	my $timeout = $reads ? 0 : 20;
	my $answer = answer_of($session, "SET lock_timeout = $timeout;\n$calls{$name};");

	is($answer, $reads ? (split /\n/, $good{$name})[0] : '55P03', "a locked feed and $name: $answer");
}
$holder->query_safe('ROLLBACK');
is(join(' ', (look())[0, 2]), "$before 0", 'nothing was stored, and invariants hold');
$session->query_safe('SET lock_timeout = 0');
is(answer_of($session, "$calls{request};"), (split /\n/, $good{request})[0], 'then the same session writes');

# A deadlock: one of two is told, the other gets through.
my ($other, $other_pid) = open_session($node, on_error_stop => 0);
$other->query_safe('\set VERBOSITY sqlstate');
$session->query_safe(q{BEGIN; SELECT FROM activityfeed.upsert_activity('one', 'app', document('d', sessions(3)));});
$other->query_safe(q{BEGIN; SELECT FROM activityfeed.upsert_activity('two', 'app', document('d', sessions(3)));});
$session->query_until(qr/waiting/, qq{\\echo waiting
	SELECT FROM activityfeed.upsert_activity('two', 'app', document('e', sessions(3)));\n});
$node->poll_query_until('postgres', "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND pid = $pid");
my @answers = map { answer_of($other, $_) } q{SELECT FROM activityfeed.upsert_activity('one', 'app', document('e', sessions(3)));}, 'COMMIT;';
push @answers, answer_of($session, 'COMMIT;');
is(scalar(grep { $_ eq '40P01' } @answers), 1, 'one of two is told of the deadlock');
is($watcher->query_safe(q{
		SELECT string_agg(user_id || ' ' || app_activity_id, ', ' ORDER BY user_id) ~ '^(one d, two e|one e, two d)$'
		FROM activityfeed.activity WHERE user_id IN ('one', 'two')}),
	't', 'the other got through, whole');
is((look())[2], 0, 'invariants hold');

$_->quit for $holder, $watcher, $other, $session;
$node->stop;
done_testing();

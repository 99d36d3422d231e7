# No room: the disk is full when a table, an index or a TOAST table has to
# grow, for the first time, the second, and later ones, in the middle of a
# call; and temp_file_limit.  The call fails with 53100 (53400), nothing of it
# is stored, the invariants hold, and with room again the same session writes
# on.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $library = fault_library('full_disk');

plan skip_all => 'needs a C library whose pwrite can be replaced, and /proc'
  if !-r '/proc/self/fd'
  || !defined $library;

my $node;
{
	local $ENV{LD_PRELOAD} = $library;
	$node = start_server('disk_full', "autovacuum = off\n");
}
create_document($node);
create_invariants($node);
create_sessions($node);
create_everything($node);
$node->safe_psql('postgres', <<~"SQL");
	CREATE FUNCTION have_room(int) RETURNS void LANGUAGE C STRICT AS '$library';
	CREATE FUNCTION extensions_made() RETURNS int LANGUAGE C AS '$library';
	CREATE FUNCTION padded(key text) RETURNS json LANGUAGE sql AS \$\$
		SELECT (document(key)::jsonb || jsonb_build_object('contentInfo',
			(SELECT jsonb_object_agg(i, md5(key || i)) FROM generate_series(1, 100) i)))::json
	\$\$;
	CREATE TABLE padded_document AS SELECT i, padded('more ' || i) AS document FROM generate_series(1, 3000) i;
	CREATE PROCEDURE reset() LANGUAGE plpgsql AS \$\$
	BEGIN
		TRUNCATE activityfeed.feed, activityfeed.activity, activityfeed.history_item, activityfeed.external_activity;
		PERFORM activityfeed.upsert_activity('u', 'app', document('a' || i, sessions(20))) FROM generate_series(1, 50) i;
		UPDATE activityfeed.activity SET expiration_date_time = now() - interval '1 day', history_expiration_date_time = now() - interval '1 day';
		UPDATE activityfeed.history_item SET expiration_date_time = now() - interval '1 day';
	END
	\$\$;
	SQL

my %calls = (
	'3000 upserts' => q{SELECT count(activityfeed.upsert_activity('u', 'app', document)) FROM padded_document},
	'a batch of 10000' => q{SELECT count(*) FROM activityfeed.add_external_activities('c', 'i', elements(10000))},
	'a deep insert' => q{SELECT count(*) FROM activityfeed.upsert_activity('u', 'app', document('deep', sessions(1500)))},
	'a request' => q{SELECT status FROM activityfeed.graph_request('u', 'app', 'PUT', '/me/activities/deep', document('deep', sessions(1500))::jsonb::text)});

my ($session, $pid) = open_session($node, on_error_stop => 0);
my ($watcher) = open_session($node);
$session->query_safe('\set VERBOSITY sqlstate');

# What a call answers, or the state that it ends with.
sub answer_of
{
	my ($call) = @_;
	my $answer = $session->query($call);
	my ($state) = $session->{stderr} =~ /ERROR:  (\w{5})$/m;

	$session->{stderr} = '';
	return $state // $answer;
}

# All rows in short, and how many of them break an invariant: seen by another
# session, which has room.
sub look
{
	return split /\|/, $watcher->query_safe('SELECT everything(), (SELECT count(*) FROM broken_invariant)');
}

for my $name (sort keys %calls)
{
	my $call = $calls{$name};

	$session->query_safe('CALL reset(); SELECT have_room(-1)');
	my $good = answer_of($call);
	my $grows = $session->query_safe('SELECT extensions_made()');
	cmp_ok($grows, '>', 15, "$name makes files grow $grows times");
	for my $room ($grows > 1000 ? (0, 3, 60) : (0, 1, 2, int($grows / 4), int($grows / 2), int($grows * 3 / 4)))
	{
		$session->query_safe('SELECT have_room(-1); CALL reset()');
		my ($before) = look();
		$session->query_safe("SELECT have_room($room)");
		my $answer = answer_of($call);
		my ($after, $broken) = look();
		is(join(', ', $answer, $after eq $before ? 'nothing stored' : 'stored', "$broken broken"),
			'53100, nothing stored, 0 broken', "$name with room for $room");
	}
	$session->query_safe('SELECT have_room(-1)');
	is(answer_of($call), $good, "$name: with room again the same session writes");
	is((look())[1], 0, 'invariants hold');
}

# Deletion may need no room.  It is done or it is not.
for my $call (q{SELECT activityfeed.purge_expired()}, q{SELECT activityfeed.erase_user('u')})
{
	$session->query_safe('CALL reset()');
	my ($before) = look();
	$session->query_safe('SELECT have_room(0)');
	my $answer = answer_of($call);
	my ($after, $broken) = look();
	my $stored = $after eq $before ? 'as before' : 'deleted';
	like("$answer, $stored, $broken broken", qr/^(53100, as before|(?!53100).*, deleted), 0 broken$/s, "$call: $answer, $stored");
	$session->query_safe('SELECT have_room(-1)');
	unlike(answer_of($call), qr/^53100$/, "$call with room again");
	is($session->query_safe(q{SELECT count(*) FROM activityfeed.activity}), 0, 'nothing is left');
}
is($session->query_safe('SELECT pg_backend_pid()'), $pid, 'it is the same session');

# A result that needs more temporary files than the session may have, or than
# there is room for.
$session->query_safe("CALL reset(); SET work_mem = '64kB'; $calls{'3000 upserts'}");
my ($before) = look();
my %results = (
	export => q{SELECT count(*) FROM activityfeed.export_user('u')},
	changes => q{SELECT count(*) FROM activityfeed.changes('u', NULL, 0, 10000)});
for my $name (sort keys %results)
{
	my $good = answer_of($results{$name});
	cmp_ok($good, '>=', 3000, "$name: $good rows");
	$session->query_safe(q{SET temp_file_limit = '64kB'});
	is(answer_of($results{$name}), '53400', "$name and temp_file_limit");
	$session->query_safe('RESET temp_file_limit; SELECT have_room(2)');
	is(answer_of($results{$name}), '53100', "$name and a full disk");
	is($session->query_safe('SELECT count(*) FROM pg_ls_tmpdir()'), 0, 'no temporary file is left');
	$session->query_safe('SELECT have_room(-1)');
	is(answer_of($results{$name}), $good, "$name again");
}
is(join(' ', look()), "$before 0", 'nothing is different');

$_->quit for $session, $watcher;
$node->stop;
done_testing();

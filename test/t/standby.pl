# A streaming standby answers whatever reads as its primary does, and refuses
# whatever writes, also where there would be nothing to write: it may lag
# behind, so it cannot know.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use Answers;
use Test::More;

my $primary = start_server('primary', undef, allows_streaming => 1);
my $standby = PostgreSQL::Test::Cluster->new('standby');

create_document($primary);
$primary->backup('copy');
$standby->init_from_backup($primary, 'copy', has_streaming => 1);
$standby->start;
fill_feeds($primary);
$primary->safe_psql('postgres', 'VACUUM ANALYZE');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));

is(join(', ', unlisted_functions($primary)), '', 'every function of the extension is tested here');
is(broken_feeds($primary), '', 'the feeds are whole');

# Reads.
my $expected = answers($primary);
same_answers(answers($standby), $expected, 'a standby answers as its primary');
same_answers(answers($standby, 'postgres', "SET plan_cache_mode = force_custom_plan; SET enable_indexscan = off;
	SET activityfeed.notify = on; SET default_transaction_isolation = 'repeatable read';"),
	$expected, 'whatever the settings of the session');
my %reads = read_calls();
like($primary->safe_psql('postgres', join ";\n", 'BEGIN', (sort values %reads), 'SELECT pg_current_xact_id_if_assigned() IS NULL', 'COMMIT'),
	qr/^t\z/m, 'nothing that reads takes a transaction id');

# A session that has planned everything sees what comes later.
my ($session) = open_session($standby);
my $newest = q{SELECT max(change_number), count(*) FROM activityfeed.changes('ada', NULL, 0, 1000)};
my $before = $session->query_safe($newest);
$primary->safe_psql('postgres', q{SET synchronous_commit = off; SELECT activityfeed.upsert_activity('ada', 'app 1', document('later'))});
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
my $after = $session->query_safe($newest);
isnt($after, $before, 'a session on the standby sees a later write');
is($after, $primary->safe_psql('postgres', $newest), 'as the primary does');
$session->quit;

# Writes, each in a session of its own.
my %writes = write_calls();
sub refusals
{
	my ($node, $begin) = @_;
	my @otherwise;

	for my $call (map { @$_ } @writes{ sort keys %writes })
	{
		my ($status, $out, $err) = $node->psql('postgres', "$begin\n\\set VERBOSITY sqlstate\n$call");

		push @otherwise, "$call: $out$err" if $err !~ /^psql:<stdin>:\d+: ERROR:  25006\b[^\n]*$/;
	}
	return join "\n", @otherwise;
}
is(refusals($standby, ''), '', 'whatever writes is refused on a standby');
is(refusals($primary, 'SET default_transaction_read_only = on;'), '', 'and in a transaction that is read-only');
like(($standby->psql('postgres', q{SELECT activityfeed.delete_activity('ada', 'app 1', 1)}))[2],
	qr/cannot execute delete_activity\(\) in a read-only transaction/, 'the message names the function');
like(($standby->psql('postgres', q{SET activityfeed.notify = on; LISTEN activityfeed}))[2],
	qr/cannot execute LISTEN during recovery/, 'notifications are for the primary');

# The standby takes over.
$expected = answers($standby);
$primary->stop;
$standby->promote;
same_answers(answers($standby), $expected, 'what was read is still there after a promotion');
is($standby->safe_psql('postgres', q{
	WITH before AS MATERIALIZED (SELECT change_number AS number FROM activityfeed.feed WHERE user_id = 'ada')
	SELECT change_number > number FROM before, activityfeed.upsert_activity('ada', 'app 1', document('activity 1'));
	SELECT count(*) FROM activityfeed.add_external_activities('connection', 'item 1', '[{"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z"}]') r
	WHERE r.id > 20}), "t\n1", 'numbers and ids go on');
is(broken_feeds($standby), '', 'and the feeds are whole');

$standby->stop;
done_testing();

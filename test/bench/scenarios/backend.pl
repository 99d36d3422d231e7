# One backend: its memory over 10^6 mixed calls, how often it plans, and its
# first call.

use strict;
use warnings;

use Bench;

begin('backend', sides => [ 'peer.sql', 'mixed.sql' ]);

my $calls = sized(full => 1_000_000, quick => 50_000, smoke => 2000);
my $few = $calls / 10;
my $planned = sized(full => 10_000, quick => 10_000, smoke => 1000);

# Memory after a tenth of the calls, and after all of them.
my ($early, $late) = (split /\n/, sql("
	SET synchronous_commit = off;
	CALL bench.mixed($few, $first_user, $users); SELECT bench.memory();
	CALL bench.mixed($calls - $few, $first_user, $users); SELECT bench.memory()", 'bench'))[ 0, 1 ];
record('ours', 'memory', 1, ($late - $early) / 1e6);
progress(sprintf 'memory grew by %.2f MB', ($late - $early) / 1e6);

# Plans after every statement was executed often enough.
my ($before, $after) = split /\n/, sql("
	CALL bench.mixed(500, $first_user, $users); SELECT bench.plans();
	CALL bench.mixed($planned, $first_user, $users); SELECT bench.plans()", 'bench');
# the two statements between are planned too: CALL's arguments, and SELECT
my ($alone, $again) = split /\n/, sql("
	CALL bench.mixed(0, $first_user, $users); SELECT bench.plans();
	CALL bench.mixed(0, $first_user, $users); SELECT bench.plans()", 'bench');
record('ours', 'plans', 1, $after - $before - ($again - $alone));
progress('plans made: ' . ($after - $before - ($again - $alone)));

my $key = "'$first_user', 'reader'";
my $id = "activityfeed.activity_id('reader', bench.key(1))";
my $body = sql('SELECT bench.document(1)');
my %first = (
	upsert => "SELECT activityfeed.upsert_activity($key, '$body')::json",
	touch => "SELECT activityfeed.touch_history_item($key, " . sql("SELECT $id") . ", '" . sql('SELECT bench.item_id(1)') . "')::json",
	recent => "SELECT activityfeed.recent_activities($key)::json",
	peer => "SELECT peer.upsert_activity($key, '$body')");

# The slowest of ours in each round, each in a connection of its own.
for my $round (1 .. 3 * rounds_of('judged'))
{
	my $slowest = 0;

	for my $name (in_turn($round, sort keys %first))
	{
		my ($time) = sql("\\timing on\n$first{$name};", 'bench') =~ /^Time: ([\d.]+) ms/m;

		record($name, 'first_call', $round, $time);
		$slowest = $time if $name ne 'peer' && $time > $slowest;
	}
	record('ours', 'first_call', $round, $slowest);
}

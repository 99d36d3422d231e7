# export_user of a user with 10^5 sessions of 100 activities, against the same
# rows through row_to_json.

use strict;
use warnings;

use Bench;

my $items = sized(full => 1000, quick => 1000, smoke => 10);

begin('export', users => 0, load => sub { sql("CALL bench.load($first_user, 1, 100, $items)") });

my %rows = (
	ours => "SELECT d FROM activityfeed.export_user('$first_user') d",
	row_to_json => "SELECT row_to_json(a) FROM activityfeed.activity a WHERE user_id = '$first_user'
		UNION ALL SELECT row_to_json(h) FROM activityfeed.history_item h WHERE user_id = '$first_user'");

same('sessions exported', "SELECT count(*) FROM ($rows{ours}) v (d), json_array_elements(d -> 'historyItems')",
	'SELECT count(*) FROM activityfeed.history_item');

for my $round (1 .. rounds_of('judged'))
{
	for my $side (in_turn($round, sort keys %rows))
	{
		my ($cpu, $elapsed, $bytes) = timed("SELECT sum(octet_length(d::text)) FROM ($rows{$side}) v (d)");

		record($side, 'cpu', $round, $cpu);
		record($side, 'elapsed', $round, $elapsed);
		record($side, 'megabytes', $round, $bytes / $elapsed);
		progress(sprintf 'round %d, %s: %.1f MB, %.0f MB/s', $round, $side, $bytes / 1e6, $bytes / $elapsed);
	}
}

# A bulk import: 4 000 and 40 000 upserts of new activities of one user, in one
# statement and so in one transaction.  What a row costs must not grow with the
# number of rows.

use strict;
use warnings;

use Bench;

begin('one_transaction', users => 0, sides => ['peer.sql']);

my $few = sized(full => 4000, quick => 1000, smoke => 10);
my $many = 10 * $few;

sql("CREATE TABLE bench.many AS SELECT n, bench.document(n) AS document FROM generate_series(1, $many) n;
	GRANT SELECT ON bench.many TO bench;
	ANALYZE bench.many");

my %calls = (
	ours => ['activityfeed', 'json'],
	peer => ['peer', 'jsonb']);

for my $round (1 .. rounds_of('judged'))
{
	for my $side (in_turn($round, sort keys %calls))
	{
		my ($schema, $type) = @{ $calls{$side} };
		my %per_row;

		for my $rows ($few, $many)
		{
			my ($cpu, undef, $count) = timed("SELECT count($schema.upsert_activity('user $round $rows', 'reader', document::$type))
				FROM bench.many WHERE n <= $rows");

			die "$side stored $count of $rows\n" if $count != $rows;
			$per_row{$rows} = $cpu / $rows;
		}
		record($side, 'cpu_few', $round, $per_row{$few});
		record($side, 'cpu_many', $round, $per_row{$many});
		record($side, 'growth', $round, $per_row{$many} / $per_row{$few});
		progress(sprintf 'round %d, %s: %.1f us a row of %d, %.1f of %d', $round, $side, $per_row{$few}, $few, $per_row{$many}, $many);
		sql("TRUNCATE activityfeed.feed, activityfeed.activity, activityfeed.history_item, peer.feed, peer.activity, peer.history_item");
	}
}

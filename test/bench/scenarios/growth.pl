# 10^6 heartbeats by touch_history_item of 256 users with three live sessions
# each, among the rows of the standard workload, without vacuum: how tables and
# indexes grow, and how many updates touch an index.

use strict;
use warnings;

use Bench;

begin('growth');
$users = sized(full => 256, quick => 256, smoke => 20);

my $heartbeats = sized(full => 1_000_000, quick => 40_000, smoke => 400);
my $variants = variants(q{
	SELECT jsonb_build_object('activity', activityfeed.activity_id('reader', bench.key(n))::text, 'item', bench.item_id(1))
	FROM generate_series(0, 2) n});
my %before = sizes();

transactions_of({ name => 'ours', schema => 'activityfeed', variants => $variants,
	statement => "SELECT activityfeed.touch_history_item(:user, 'reader', :activity, :item)" }, $heartbeats);

my %after = sizes();
for my $what (sort keys %after)
{
	my $grown = 100 * ($after{$what} - $before{$what}) / $before{$what};

	record('ours', $what, 1, $grown);
	progress(sprintf '%s grew by %.1f %%', $what, $grown);
}

for my $line (split /\n/, sql("SELECT relname, n_tup_upd - n_tup_hot_upd FROM pg_stat_user_tables WHERE schemaname = 'activityfeed'"))
{
	my ($table, $count) = split /\|/, $line;

	record('ours', "not_hot_$table", 1, 100 * $count / $heartbeats) if $count > 0;
}
# of all three tables together
record('ours', 'not_hot', 1, sql("SELECT 100.0 * sum(n_tup_upd - n_tup_hot_upd) / $heartbeats
	FROM pg_stat_user_tables WHERE schemaname = 'activityfeed'"));
holds('activityfeed', $first_user .. $first_user + 2);

sub sizes
{
	my @lines = split /\n/, sql(q{
		SELECT c.relname || '_heap', pg_relation_size(c.oid) FROM pg_class c
		WHERE c.relnamespace = 'activityfeed'::regnamespace AND c.relname IN ('feed', 'activity', 'history_item')
		UNION ALL
		SELECT c.relname || '_indexes', pg_indexes_size(c.oid) FROM pg_class c
		WHERE c.relnamespace = 'activityfeed'::regnamespace AND c.relname IN ('feed', 'activity', 'history_item')});

	return map { split /\|/ } @lines;
}

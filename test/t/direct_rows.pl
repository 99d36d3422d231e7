# Rows that a page looks at where they are (src/direct_rows.c) leave behind what
# an index scan leaves: entries of dead rows are marked in the index, but not
# while somebody may see the rows; pages are pruned; rows are counted.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use Test::More;

my $node = start_server('direct_rows', 'autovacuum = off');

create_document($node);
create_sessions($node);
$node->safe_psql('postgres', q{
	CREATE EXTENSION pageinspect;
	SELECT count(activityfeed.upsert_activity('leaver', 'app', document('activity ' || s, sessions(1)))) FROM generate_series(1, 40) s});

my $page = "SELECT count(*) FROM activityfeed.recent_activities('leaver', 'app', 100)";

sub dead_entries
{
	return $node->safe_psql('postgres', q{
		SELECT count(*)
		FROM generate_series(1, pg_relation_size('activityfeed.activity_history_idx') / current_setting('block_size')::int - 1) AS p
			CROSS JOIN bt_page_items('activityfeed.activity_history_idx', p) AS i
		WHERE i.dead});
}

# Some of them leave their bucket; nobody reads that.
sub leave
{
	my ($numbers) = @_;

	$node->safe_psql('postgres', qq{
		UPDATE activityfeed.activity SET history_change_number = history_change_number + 25600
		WHERE user_id = 'leaver' AND app_activity_id IN (SELECT 'activity ' || s FROM generate_series($numbers) s)});
	return;
}

is($node->safe_psql('postgres', $page), '40', 'all are on the page');
is(dead_entries(), '0', 'nobody has left, no entry is dead');

leave('1, 3');
is($node->safe_psql('postgres', $page), '40', 'three have left their bucket');
is(dead_entries(), '3', 'the page has marked their entries');

leave('11, 15');
my ($old) = open_session($node);
$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM activityfeed.feed');
leave('21, 24');
$node->safe_psql('postgres', $page);
is(dead_entries(), '8', 'those that somebody may see are not marked, others are');
$old->query_safe('COMMIT');
is($node->safe_psql('postgres', $page), '40', 'nobody sees them any more');
is(dead_entries(), '12', 'now they are');
$old->quit;

# Of the rows that it looks at, also those that the page does not show are
# counted, as the statement's scan counts them.
my @fetched = map { $node->safe_psql('postgres', qq{
	BEGIN; $_;
	SELECT pg_stat_get_xact_tuples_fetched('activityfeed.activity_history_idx'::regclass); COMMIT}) =~ s/.*\n//r } (
	"SELECT count(*) FROM activityfeed.recent_activities('leaver', 'app', 100, modified_after => '2100-01-01')",
	q{SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off;
	SELECT count(*) FROM activityfeed.activity WHERE user_id = 'leaver' AND app_id = 'app' AND history_bucket < 1::bigint << 50
		AND status = 'updated' AND last_modified_date_time > '2100-01-01'});
is($fetched[0], '40', 'rows that were looked at are counted');
is($fetched[0], $fetched[1], 'as by a statement');

# Versions that nobody sees, on pages that became full of them.
sub versions
{
	return $node->safe_psql('postgres', q{
		SELECT count(*)
		FROM generate_series(0, pg_relation_size('activityfeed.activity') / current_setting('block_size')::int - 1) AS p
			CROSS JOIN heap_page_items(get_raw_page('activityfeed.activity', p::int)) AS i
		WHERE lp_flags = 1});
}

my ($holder) = open_session($node);
$holder->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM activityfeed.feed');
$node->safe_psql('postgres', q{DO $$ BEGIN FOR i IN 1 .. 5 LOOP
	UPDATE activityfeed.activity SET created_date_time = created_date_time + interval '1 us'; COMMIT; END LOOP; END $$});
$holder->query_safe('COMMIT');
my $before = versions();
cmp_ok($before, '>=', 240, 'six versions of each row are there');
$node->safe_psql('postgres', $page);
cmp_ok(versions(), '<', $before / 2, 'a page prunes what it comes to');
$holder->quit;

$node->stop;
done_testing();

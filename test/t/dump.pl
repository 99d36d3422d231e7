# pg_dump takes the feeds along: tables, and the sequence without which the
# first batch after a restore would meet an id that is already there.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ActivityFeedTest;

my $node = start_server('dump');
my $file = PostgreSQL::Test::Utils::tempdir . '/feeds.dump';
my $contents = q{
	SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM (
		SELECT f::text FROM activityfeed.feed f UNION ALL SELECT a::text FROM activityfeed.activity a
		UNION ALL SELECT h::text FROM activityfeed.history_item h UNION ALL SELECT e::text FROM activityfeed.external_activity e) t};
my $add = q{SELECT count(*) FROM activityfeed.add_external_activities('c', 'i',
	'[{"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z"}, {"type": "created", "startDateTime": "2021-04-06T18:04:31Z"}]') r
	WHERE r.error IS NULL};

create_document($node);
$node->safe_psql(
	'postgres', q{
	SELECT count(activityfeed.upsert_activity('user ' || n % 3, 'app', document('activity ' || n,
		json_build_array(json_build_object('startedDateTime', '2026-01-01T00:00:00Z')))))
	FROM generate_series(1, 100) n;
	SELECT activityfeed.delete_activity('user 1', 'app', activityfeed.activity_id('app', 'activity 1'))});
is($node->safe_psql('postgres', $add), 2, 'external activities are stored');

my $before = $node->safe_psql('postgres', $contents);
$node->command_ok([ 'pg_dump', '-Fc', '-f', $file, $node->connstr('postgres') ], 'dumped');
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE template0');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('copy'), $file ], 'restored');
is($node->safe_psql('copy', $contents), $before, 'every row is there');
is($node->safe_psql('copy', $add), 2, 'ids go on after those that were restored');
is( $node->safe_psql('copy', q{
		SELECT activityfeed.was_created(a), a.change_number > (SELECT max(change_number) FROM activityfeed.history_item WHERE user_id = 'user 1')
		FROM activityfeed.upsert_activity('user 1', 'app', document('activity 1')) a}),
	't|t', 'and so do change numbers');

$node->stop;
done_testing();

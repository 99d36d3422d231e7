# No preloading is needed, but whoever opens many connections may want it: the
# module is then loaded, and its settings are defined, once for all of them.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('preload');

create_document($node);

my ($code, $output, $error) = $node->psql('postgres', 'SHOW activityfeed.page_size');
like($error, qr/unrecognized configuration parameter/, 'settings are unknown before the first call');

# Debian's servers look for extensions in another root first, but not for what
# is preloaded.
my $root = $node->safe_psql('postgres', "SELECT current_setting('extension_destdir', true)");
chomp(my $library = `pg_config --pkglibdir`);
$library = $root eq '' ? 'activityfeed' : "$root$library/activityfeed";

$node->append_conf('postgresql.conf', qq{
	shared_preload_libraries = '$library'
	activityfeed.page_size = 7
	activityfeed.retention = '2d'});
$node->restart;

is($node->safe_psql('postgres', 'SHOW activityfeed.page_size'), 7, 'and known where it is preloaded');
for my $connection (1, 2)
{
	is( $node->safe_psql('postgres', qq{
			SET activityfeed.notify = on;
			LISTEN activityfeed;
			SELECT expiration_date_time - last_modified_date_time
			FROM activityfeed.upsert_activity('user', 'app', document('activity $connection'))}) =~ s/ with payload .*//r,
		qq{2 days\nAsynchronous notification "activityfeed"},
		"connection $connection writes, and tells it");
}
$node->safe_psql('postgres', q{
	CREATE ROLE reader LOGIN;
	SELECT activityfeed.grant_session('reader');
	ALTER ROLE reader SET activityfeed.user_id = 'other';
	ALTER ROLE reader SET activityfeed.app_id = 'app'});
($code, $output, $error) = $node->psql('postgres', q{SELECT activityfeed.recent_activities('user', 'app')},
	connstr => $node->connstr('postgres') . ' user=reader');
like($error, qr/permission denied/, 'a session role has its own feed only');
($code, $output, $error) = $node->psql('postgres', 'SET activityfeed.page_size = 0');
like($error, qr/0 is outside the valid range/, 'limits hold');

$node->stop;
done_testing();

# Purging under the real pg_cron, with the lines of the README.  It is skipped,
# and says so, where the package postgresql-<version>-cron is not installed.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($shared) = run_command([ $ENV{PG_CONFIG} // 'pg_config', '--sharedir' ]);
if (!-e "$shared/extension/pg_cron.control")
{
	diag('skipped: no pg_cron');
	plan skip_all => 'no pg_cron';
}

my ($configuration, $schedule) = slurp_file("$FindBin::RealBin/../../README.md") =~ /^```conf\n(.*?cron.*?)^```.*?^```pgsql\n(.*?)^```/ms;
my $node = PostgreSQL::Test::Cluster->new('cron');
$node->init;
$node->append_conf('postgresql.conf', $configuration =~ s/'mydb'/'postgres'/r);
$node->append_conf('postgresql.conf', "cron.host = '" . $node->host . "'\ncron.timezone = 'UTC'");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION activityfeed; CREATE EXTENSION pg_cron');
create_document($node);
$node->safe_psql('postgres', q{
	SELECT FROM generate_series(1, 30) i, activityfeed.upsert_activity('u', 'app',
		document(i::text, '[{"startedDateTime": "2026-01-01T00:00:00Z"}]'));
	UPDATE activityfeed.activity SET expiration_date_time = now(), history_expiration_date_time = now();
	UPDATE activityfeed.history_item SET expiration_date_time = now();
	SELECT FROM activityfeed.upsert_activity('u', 'app', document('kept'))});

like($schedule, qr/cron\.schedule/, 'README has a line for pg_cron');
$node->safe_psql('postgres', $schedule);
# every minute instead of at night
is($node->safe_psql('postgres', q{UPDATE cron.job SET schedule = '* * * * *'; SELECT count(*) FROM cron.job}),
	1, 'it makes one job');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM activityfeed.activity}), 'the job runs and purges');
ok($node->poll_query_until('postgres', q{SELECT status <> 'running' FROM cron.job_run_details ORDER BY runid LIMIT 1}), 'and ends');
is($node->safe_psql('postgres', 'SELECT status FROM cron.job_run_details ORDER BY runid LIMIT 1'), 'succeeded', 'well');
is($node->safe_psql('postgres', 'SELECT app_activity_id FROM activityfeed.activity'), 'kept', 'what has not expired is there');
is($node->safe_psql('postgres', 'SELECT count(*) FROM activityfeed.history_item'), 0, 'and no session that has');
$node->stop;
done_testing();

# How the module plans its own statements is nobody else's concern.
#
# A policy calls a function while one of the module's statements is planned,
# and what the function reads is planned then, and kept for the session: with
# the session's settings, not with those that the statement is planned with.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ActivityFeedTest;

my $node = start_server('planner');

create_document($node);
$node->safe_psql(
	'postgres', q{
	CREATE TABLE who_is_it (id text PRIMARY KEY);
	INSERT INTO who_is_it VALUES ('user');
	ANALYZE who_is_it;
	CREATE FUNCTION who() RETURNS text LANGUAGE plpgsql STABLE AS $$
	BEGIN
		RETURN (SELECT id FROM who_is_it WHERE id = 'user');
	END
	$$;
	SELECT activityfeed.upsert_activity('user', 'app', document('activity'));
	CREATE ROLE reader;
	SELECT activityfeed.grant_service('reader');
	GRANT SELECT ON who_is_it TO reader;
	CREATE POLICY own ON activityfeed.activity AS RESTRICTIVE USING (user_id >= who())});

is( $node->safe_psql(
		'postgres', q{
		SET ROLE reader;
		SELECT count(*) FROM activityfeed.activities('user', 'app');
		SELECT count(who()) FROM generate_series(1, 10);
		SELECT count(*) FROM activityfeed.get_activity('user', 'app', activityfeed.activity_id('app', 'activity'))}),
	"1\n10\n1",
	'row security is in force');
$node->poll_query_until('postgres', q{SELECT seq_scan + idx_scan > 10 FROM pg_stat_user_tables WHERE relname = 'who_is_it'})
  or die 'no scans were counted';
is($node->safe_psql('postgres', q{SELECT idx_scan FROM pg_stat_user_tables WHERE relname = 'who_is_it'}),
	'0', 'what a policy reads is planned with the settings of the session');

# A foreign key's check is known by FROM ONLY; a query of the user's is not it.
$node->safe_psql(
	'postgres', q{
	INSERT INTO activityfeed.activity (user_id, id, app_id, app_activity_id, status, created_date_time,
		last_modified_date_time, expiration_date_time, change_number, created_change_number)
	SELECT 'many', n, 'app', n, 'updated', now(), now(), now() + interval '1 day', n, n FROM generate_series(1, 20000) n;
	ANALYZE activityfeed.activity});
like(
	$node->safe_psql(
		'postgres', q{
		SELECT activityfeed.activity_id('load', 'the module');
		EXPLAIN SELECT id FROM activityfeed.activity
		WHERE user_id = 'many' AND app_id = 'app' AND change_bucket = 5 FOR KEY SHARE}),
	qr/activity_change_idx/,
	"a user's FOR KEY SHARE has every index");

$node->stop;
done_testing();

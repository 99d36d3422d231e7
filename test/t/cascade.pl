# The foreign key's own statements hold.
#
# PostgreSQL removes the sessions of an activity that is removed, and looks for
# the activity of a session that is new, by statements that it makes and plans
# itself, once in a session.  One that planned them on tiny tables would later
# go through the whole table for each activity that it purges, if the module
# did not see to it.  Counted in buffers, so no clock matters.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use JSON::PP;
use Test::More;

my $sessions = 40_000;
my $node = start_server('cascade', <<~'CONF');
	autovacuum = off
	shared_buffers = 256MB
	CONF

create_document($node);
$node->safe_psql('postgres', q{
	-- So many activities of user u, the first ones expired, each but those with a
	-- session; activity 0 has as many as are asked for.
	CREATE PROCEDURE load(expired int, sessions int) LANGUAGE sql AS $$
		INSERT INTO activityfeed.feed VALUES ('u', now() + interval '1 second', expired + sessions + 1, 0);
		INSERT INTO activityfeed.activity (user_id, id, app_id, app_activity_id, status, created_date_time,
			last_modified_date_time, expiration_date_time, change_number, created_change_number,
			history_change_number, history_expiration_date_time, visual_elements)
		SELECT 'u', activityfeed.activity_id('app', n::text), 'app', n, 'updated',
			now() + n * interval '1 microsecond', now() + n * interval '1 microsecond',
			now() + CASE n WHEN 0 THEN interval '30 days' ELSE - interval '1 day' END, n + 1, n + 1,
			CASE n WHEN 0 THEN expired + 1 + sessions END, CASE n WHEN 0 THEN now() + interval '30 days' END, '{"displayText": "x"}'
		FROM generate_series(0, expired) n;
		INSERT INTO activityfeed.history_item (user_id, activity_id, id, app_id, started_date_time,
			active_duration_given, status, created_date_time, last_modified_date_time, expiration_date_time, change_number)
		SELECT 'u', activityfeed.activity_id('app', '0'), lpad(n::text, 32, '0')::uuid, 'app', now(), false, 'active',
			now() + (expired + n) * interval '1 microsecond', now() + (expired + n) * interval '1 microsecond',
			now() + interval '30 days', expired + 1 + n
		FROM generate_series(1, sessions) n
	$$});

sub buffers_of
{
	my ($session, $query) = @_;
	my $plan = decode_json($session->query_safe(
		"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) $query"))->[0]{Plan};

	return $plan->{'Shared Hit Blocks'} + $plan->{'Shared Read Blocks'};
}

my $new_session = q{SELECT activityfeed.upsert_history_item('u', 'app', activityfeed.activity_id('app', '0'),
	gen_random_uuid(), '{"startedDateTime": "2026-01-01T00:00:00Z"}'::json)};

# A session's first statements are on tiny tables: often enough for generic
# plans of what PostgreSQL makes.
$node->safe_psql('postgres', 'CALL load(20, 1); VACUUM ANALYZE');
my ($session) = open_session($node);
$session->query_safe($new_session) for 1 .. 12;
is($session->query_safe('SELECT activityfeed.purge_expired()'), 20, 'a session plans on tiny tables');

# Behind its back they grow.
$node->safe_psql('postgres', q{
	TRUNCATE activityfeed.feed, activityfeed.activity, activityfeed.history_item});
$node->safe_psql('postgres', "SET session_replication_role = replica; CALL load(3000, $sessions)");
$session->query_safe('SELECT activityfeed.purge_expired(1)');

my $buffers = buffers_of($session, 'SELECT activityfeed.purge_expired(100)') / 100;
cmp_ok($buffers, '<', 60, "purging an activity beside $sessions sessions: $buffers buffers");
$session->query_safe($new_session);
$buffers = buffers_of($session, $new_session);
cmp_ok($buffers, '<', 60, "a new session: $buffers buffers");
$session->quit;
$node->safe_psql('postgres', 'ANALYZE');
is(broken_feeds($node), '', 'invariants hold');
$node->stop;
done_testing();

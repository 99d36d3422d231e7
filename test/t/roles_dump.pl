# Services and sessions are still that after pg_dumpall -g and pg_dump were
# restored into another cluster.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('from');
my $copy = PostgreSQL::Test::Cluster->new('to');
my $folder = PostgreSQL::Test::Utils::tempdir;

create_document($node);
$node->safe_psql('postgres', q{
	CREATE ROLE service LOGIN;
	CREATE ROLE "a ""session""" LOGIN;
	CREATE ROLE pinned LOGIN;
	CREATE ROLE former LOGIN;
	SELECT activityfeed.grant_service('service');
	SELECT activityfeed.grant_session('"a ""session"""');
	SELECT activityfeed.grant_session('pinned');
	SELECT activityfeed.grant_service('former'), activityfeed.revoke_access('former');
	GRANT "a ""session""" TO service;
	ALTER ROLE pinned SET activityfeed.user_id = 'ada';
	ALTER ROLE pinned SET activityfeed.app_id = 'reader';
	SELECT count(activityfeed.upsert_activity(u, a, document('activity')))
	FROM unnest('{ada,bob}'::text[]) u, unnest('{reader,game}'::text[]) a});

# Every right of every role but the owner, and every policy.
my $rights = q{
	SELECT string_agg(line, E'\n' ORDER BY line) FROM (
		SELECT format('%s %s %s %s', o.object, a.grantee::regrole, a.privilege_type, a.is_grantable) AS line
		FROM (SELECT oid::regclass::text AS object, relacl AS acl, relowner AS owner FROM pg_class WHERE relnamespace = 'activityfeed'::regnamespace
			UNION ALL SELECT attrelid::regclass || '.' || attname, attacl, 0 FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE relnamespace = 'activityfeed'::regnamespace
			UNION ALL SELECT oid::regprocedure::text, proacl, proowner FROM pg_proc WHERE pronamespace = 'activityfeed'::regnamespace
			UNION ALL SELECT oid::regtype::text, typacl, typowner FROM pg_type WHERE typnamespace = 'activityfeed'::regnamespace
			UNION ALL SELECT nspname, nspacl, nspowner FROM pg_namespace WHERE nspname = 'activityfeed'
			UNION ALL SELECT parname, paracl, 10 FROM pg_parameter_acl) o, aclexplode(o.acl) a
		WHERE a.grantee <> o.owner
		UNION ALL SELECT format('%s %s %s %s %s %s', tablename, policyname, permissive, cmd, qual, with_check) FROM pg_policies
		UNION ALL SELECT format('%s %s', setrole::regrole, setconfig) FROM pg_db_role_setting
		UNION ALL SELECT format('%s %s', relname, relrowsecurity) FROM pg_class WHERE relnamespace = 'activityfeed'::regnamespace AND relkind = 'r') r};
my $before = $node->safe_psql('postgres', $rights);

like($before, qr/activityfeed\.user_id service SET/, 'there are rights to keep');
unlike($before, qr/former/, 'and none of one that was revoked');
$node->command_ok([ 'pg_dumpall', '-g', '-f', "$folder/globals.sql", '-d', $node->connstr('postgres') ], 'globals are dumped');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$folder/feeds.dump", $node->connstr('postgres') ], 'so is the database');

$copy->init;
$copy->start;
# the role that begins a cluster is there already
my ($result, $out, $err) = $copy->psql('postgres', slurp_file("$folder/globals.sql"), on_error_stop => 0);
is(join(', ', grep { !/already exists/ } split /\n/, $err =~ s/^psql:.*?ERROR/ERROR/mgr), '', 'globals are restored');
$copy->command_ok([ 'pg_restore', '--exit-on-error', '-d', $copy->connstr('postgres'), "$folder/feeds.dump" ], 'so is the database');
is($copy->safe_psql('postgres', $rights), $before, 'every right, policy and setting is there');

# And they hold.
sub answer_of
{
	my ($role, $sql) = @_;
	my ($status, $answer, $error) = $copy->psql('postgres', $sql, on_error_stop => 0, extra_params => [ '-U', $role ]);

	return $error =~ /permission denied/ ? 'denied' : $answer;
}
my $seen = q{SELECT string_agg(user_id || ' ' || app_id, ', ' ORDER BY user_id, app_id) FROM activityfeed.activity};

is(answer_of('service', $seen), 'ada game, ada reader, bob game, bob reader', 'a service is one');
is(answer_of('service', q{SELECT count(*) FROM activityfeed.export_user('bob')}), 2, 'and exports');
is( answer_of('service', qq{SET activityfeed.user_id = 'bob'; SET activityfeed.app_id = 'game'; SET ROLE "a ""session"""; $seen}),
	'bob game', 'and may become a session');
is(answer_of('pinned', $seen), 'ada reader', 'a session is the one it was tied to');
is( answer_of('pinned', q{SELECT activityfeed.was_created(activityfeed.upsert_activity('ada', 'reader', document('activity')))}),
	'f', 'and writes');
is(answer_of('pinned', q{SELECT activityfeed.activities('bob', 'reader')}), 'denied', 'for nobody else');
is(answer_of('pinned', q{SELECT activityfeed.export_user('ada')}), 'denied', 'and exports nothing');
is(answer_of('a "session"', $seen), '', 'a session without a principal sees nothing');
is(answer_of('former', $seen), 'denied', 'and one that was revoked is denied');

$_->stop for $node, $copy;
done_testing();

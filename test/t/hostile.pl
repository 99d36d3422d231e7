# A schema in front of pg_catalog shadows every function, operator and type
# that has a name there; temporary tables shadow ours.  What the module does
# must not reach any of them: each raises an error when it is used.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use ActivityFeedTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('hostile');
$node->init;
$node->start;

# Pseudo-types that a function in plpgsql can have, and types of interest: those
# of the tables, and what literals and expressions in our statements have.
my $shadows = <<'SQL';
CREATE SCHEMA evil;
CREATE FUNCTION evil.trap() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'hijacked'; END $$;
DO $do$
DECLARE
	f record;
	made int := 0;
BEGIN
	SET LOCAL check_function_bodies = off;
	-- functions, aggregates and window functions by name and arguments
	FOR f IN SELECT p.proname, pg_get_function_identity_arguments(p.oid) AS arguments,
			pg_get_function_result(p.oid) AS result
		FROM pg_proc p JOIN pg_type r ON r.oid = p.prorettype
		WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind <> 'p' AND p.provariadic = 0
			AND p.proallargtypes IS NULL
			AND NOT EXISTS (SELECT FROM unnest(p.proargtypes::oid[] || p.prorettype) a JOIN pg_type t ON t.oid = a
				WHERE t.typtype = 'p' AND t.typname NOT LIKE 'any%' OR t.typname = 'any')
			AND (r.typname NOT LIKE 'any%' OR EXISTS (SELECT FROM unnest(p.proargtypes::oid[]) a JOIN pg_type t ON t.oid = a WHERE t.typname LIKE 'any%'))
	LOOP
		EXECUTE format('CREATE OR REPLACE FUNCTION evil.%I(%s) RETURNS %s LANGUAGE plpgsql AS ''BEGIN RAISE ''''hijacked by %s''''; END''',
			f.proname, regexp_replace(regexp_replace(f.arguments, '^ORDER BY ', ''), ' ORDER BY ', ', '), f.result, f.proname);
		made := made + 1;
	END LOOP;
	-- operators
	FOR f IN SELECT o.oprname, format_type(o.oprleft, NULL) AS l, format_type(o.oprright, NULL) AS r, format_type(o.oprresult, NULL) AS result, o.oid
		FROM pg_operator o WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND o.oprleft <> 0
			AND NOT EXISTS (SELECT FROM pg_type t WHERE t.oid IN (o.oprleft, o.oprright, o.oprresult) AND t.typtype = 'p' AND t.typname NOT LIKE 'any%')
	LOOP
		EXECUTE format('CREATE FUNCTION evil.operator_%s(%s, %s) RETURNS %s LANGUAGE plpgsql AS ''BEGIN RAISE ''''hijacked by operator''''; END''', f.oid, f.l, f.r, f.result);
		EXECUTE format('CREATE OPERATOR evil.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = evil.operator_%s)', f.oprname, f.l, f.r, f.oid);
		made := made + 1;
	END LOOP;
	-- types
	FOR f IN SELECT typname FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype = 'b' AND typelem = 0 LOOP
		EXECUTE format('CREATE DOMAIN evil.%I AS pg_catalog.%I CHECK (evil.trap())', f.typname, f.typname);
		made := made + 1;
	END LOOP;
	RAISE NOTICE 'made %', made;
END
$do$;
SQL

# The exact operators of our own enum, which would be better than anyenum's.
my $enum_shadows = <<'SQL';
DO $do$
DECLARE
	name text;
BEGIN
	FOREACH name IN ARRAY ARRAY['=', '<>', '<', '>'] LOOP
		EXECUTE pg_catalog.format('CREATE OPERATOR evil.%s (LEFTARG = activityfeed.status, RIGHTARG = activityfeed.status, FUNCTION = evil.status_trap)', name);
	END LOOP;
END
$do$;
SQL

my $hostile = "SET search_path = evil, pg_temp, pg_catalog;\n";
my (undef, undef, $notice) = $node->psql('postgres', $shadows);
my ($made) = $notice =~ /made (\d+)/;
cmp_ok($made // 0, '>', 2500, "functions, operators and types that are shadowed: " . ($made // $notice));

my ($status, undef, $error) = $node->psql('postgres', $hostile . "SELECT 1 + 1");
like($error, qr/hijacked/, 'the shadows are in front');

# installed under that search_path, by somebody who does not know
($status, undef, $error) = $node->psql('postgres', $hostile . 'CREATE EXTENSION activityfeed');
is($error, '', 'CREATE EXTENSION is not hijacked');
$node->safe_psql('postgres', 'CREATE FUNCTION evil.status_trap(activityfeed.status, activityfeed.status) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE \'hijacked by status\'; END $$');
$node->safe_psql('postgres', $enum_shadows);

my $temporary = <<'SQL';
CREATE TEMPORARY TABLE feed (user_id pg_catalog.text CHECK (evil.trap()));
CREATE TEMPORARY TABLE activity (user_id pg_catalog.text CHECK (evil.trap()));
CREATE TEMPORARY TABLE history_item (user_id pg_catalog.text CHECK (evil.trap()));
CREATE TEMPORARY TABLE external_activity (connection_id pg_catalog.text CHECK (evil.trap()));
CREATE TEMPORARY TABLE app (app_id pg_catalog.text CHECK (evil.trap()));
SQL

# Each statement is qualified itself; %s is a principal.
my $document = q('{"appActivityId": "/a", "activitySourceHost": "https://x.example", "activationUrl": "https://x.example/a",
	"visualElements": {"displayText": "A", "content": {"a": [1]}}, "contentInfo": {"b": 2},
	"historyItems": [{"startedDateTime": "2025-03-14T09:26:00Z"}]}');
my $external = q('[{"@odata.type": "#microsoft.graph.externalConnectors.externalActivity", "type": "viewed", "startDateTime": "2025-03-14T09:26:00Z", "performedBy": {"type": "user", "id": "u"}}, {}]');
my $id = q(activityfeed.activity_id('app', '/a'));
my $item = q('61fc8f36-919f-4b73-89d4-1cb7b159d912');
my @calls = (
	"activityfeed.upsert_activity('u', 'app', $document)",
	"activityfeed.upsert_activity('u', 'app', ${document}::pg_catalog.jsonb)",
	"activityfeed.upsert_history_item('u', 'app', $id, $item, '{\"startedDateTime\": \"2025-03-14T09:26:00Z\"}')",
	"activityfeed.upsert_history_item('u', 'app', $id, $item, '{\"startedDateTime\": \"2025-03-14T09:26:00Z\"}'::pg_catalog.jsonb)",
	"activityfeed.touch_history_item('u', 'app', $id, $item)",
	"activityfeed.get_activity('u', 'app', $id)",
	"activityfeed.get_history_item('u', 'app', $id, $item)",
	(map { my $app = $_; ("activityfeed.activities('u', $app)", "activityfeed.recent_activities('u', $app)",
		"activityfeed.history_items('u', $app, $id)", "activityfeed.changes('u', $app, 0)",
		"activityfeed.active_time('u', $app, '2025-01-01', '2026-01-01', 'UTC')",
		"activityfeed.graph_request('u', $app, 'GET', '/me/activities?\$expand=historyItems&\$top=1')",
		"activityfeed.graph_request('u', $app, 'GET', '/me/activities/recent')") } "'app'", 'NULL'),
	"activityfeed.activities('u', 'app', ignored => true, before_change_number => 1)",
	"activityfeed.graph_json(a, 3) FROM activityfeed.get_activity('u', 'app', $id) a",
	"a::pg_catalog.json FROM activityfeed.get_activity('u', 'app', $id) a",
	"a::pg_catalog.jsonb FROM activityfeed.get_activity('u', 'app', $id) a",
	"h::pg_catalog.jsonb FROM activityfeed.history_items('u', 'app', $id) h",
	"activityfeed.was_created(a) FROM activityfeed.get_activity('u', 'app', $id) a",
	"activityfeed.was_created(h) FROM activityfeed.history_items('u', 'app', $id) h",
	"activityfeed.ignore_activity('u', 'app', $id)",
	"activityfeed.ignore_activity('u', 'app', $id, false)",
	"r::pg_catalog.json FROM activityfeed.add_external_activities('c', 'i', $external) r",
	"r::pg_catalog.jsonb FROM activityfeed.add_external_activities('c', 'i', ${external}::pg_catalog.jsonb) r",
	"activityfeed.external_activities('c', 'i')",
	"activityfeed.export_user('u')",
	"a FROM activityfeed.live_activity a",
	"h FROM activityfeed.live_history_item h",
	"activityfeed.current_user_id(), activityfeed.current_app_id(), activityfeed.is_service()",
	"activityfeed.delete_history_item('u', 'app', $id, $item)",
	"activityfeed.delete_activity('u', 'app', $id)",
	"activityfeed.upsert_activity('u', 'app', $document)",
	"activityfeed.graph_request('u', 'app', 'DELETE', '/me/activities/1')",
	"activityfeed.invalidate_cursors()",
	"activityfeed.invalidate_cursors('u')",
	"activityfeed.purge_expired()",
	"activityfeed.erase_user('u')",
	"activityfeed.grant_service('backend')",
	"activityfeed.grant_session('person')",
	"activityfeed.revoke_access('person')");

$node->safe_psql('postgres', 'CREATE ROLE backend; CREATE ROLE person; GRANT USAGE ON SCHEMA evil TO backend; GRANT CREATE, TEMPORARY ON DATABASE postgres TO backend');

# each function of the extension is called at least once
my $named = join ' ', @calls, 'activityfeed.purge(';
my @functions = split /\n/, $node->safe_psql('postgres', q{SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'activityfeed'::regnamespace AND proname NOT LIKE '%\_to\_json%'});
is_deeply([ grep { $named !~ /activityfeed\.\Q$_\E\(/ } @functions ], [], 'every function is called');

run_calls('a superuser', '', @calls);
$node->safe_psql('postgres', q{SELECT activityfeed.grant_service('backend')});
run_calls('a service', 'SET SESSION AUTHORIZATION backend;', grep { !/grant_|revoke_/ } @calls);

# what has expired goes too, by the procedure
$node->safe_psql('postgres', "SELECT activityfeed.upsert_activity('u', 'app', $document); UPDATE activityfeed.history_item SET expiration_date_time = '2020-01-01'; UPDATE activityfeed.activity SET expiration_date_time = '2020-01-01', history_expiration_date_time = '2020-01-01'");
(undef, undef, $error) = $node->psql('postgres', $hostile . 'CALL activityfeed.purge()');
unlike($error, qr/ERROR/, 'the procedure is not hijacked');
is($node->safe_psql('postgres', 'SELECT count(*) FROM activityfeed.activity'), 0, 'and has purged');

(undef, undef, $error) = $node->psql('postgres', $hostile . 'DROP EXTENSION activityfeed CASCADE');
unlike($error, qr/ERROR/, 'nor is DROP EXTENSION');

done_testing();

sub run_calls
{
	my ($who, $before, @statements) = @_;
	foreach my $statement (@statements)
	{
		my ($status, $output, $error) = $node->psql('postgres', $before . $hostile . $temporary . "SELECT $statement;", on_error_stop => 1);
		is($error, '', "$who: " . substr($statement =~ s/\s+/ /gr, 0, 80));
	}
	return;
}

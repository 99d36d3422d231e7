# DROP EXTENSION leaves nothing behind, and sessions that have used it go on
# with what CREATE EXTENSION makes anew: their plans and caches are of objects
# that are gone.  A schema of somebody else's is not taken over.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use Answers;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('drop');

$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->append_conf('postgresql.conf', 'autovacuum = off');
$node->start;
create_document($node);
create_helpers($node);
$node->safe_psql('postgres', q{
	CREATE ROLE backend;
	CREATE FUNCTION catalog_rows() RETURNS SETOF text LANGUAGE plpgsql AS $$
	DECLARE
		catalog regclass;
		rows bigint;
	BEGIN
		FOR catalog IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = 'pg_catalog'::regnamespace
			AND relname NOT LIKE 'pg_statistic%' ORDER BY relname LOOP
			EXECUTE 'SELECT count(*) FROM ' || catalog INTO rows;
			RETURN NEXT catalog || ' ' || rows;
		END LOOP;
	END
	$$});

my %writes = write_calls();
my $calls = join ";\n", map { @$_ } @writes{ sort keys %writes };
my $create = 'CREATE EXTENSION activityfeed;';
my $drop = 'DROP EXTENSION activityfeed;';

# What is left of an extension that was used: its data, its grants, its
# settings, a notification that is due.
my $catalog_rows = 'SELECT catalog_rows()';
my $before = $node->safe_psql('postgres', $catalog_rows);
$node->safe_psql('postgres', join "\n", $create, q{
	GRANT USAGE ON SCHEMA activityfeed TO backend;
	GRANT EXECUTE ON ALL ROUTINES IN SCHEMA activityfeed TO backend;
	GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA activityfeed TO backend;
	GRANT USAGE ON TYPE activityfeed.status TO backend;
	GRANT SELECT (id) ON activityfeed.activity TO backend;
	CREATE INDEX mine ON activityfeed.activity (app_display_name);
	SET activityfeed.notify = on;}, fill_script(), answers_script());
isnt($node->safe_psql('postgres', $catalog_rows), $before, 'the extension is in the catalogs');
$node->safe_psql('postgres', $drop);
is(fingerprint_difference($node->safe_psql('postgres', $catalog_rows), $before), '', 'DROP EXTENSION leaves no row of them');
is($node->psql('postgres', 'DROP ROLE backend; CREATE ROLE backend'), 0, 'nor what a role had been granted');
like(($node->psql('postgres', 'SHOW activityfeed.strict'))[2], qr/unrecognized configuration parameter/, 'a new session has no settings');
is($node->safe_psql('postgres', $catalog_rows), $before, 'nothing came back');

# The schema is the extension's.
$node->safe_psql('postgres', $create);
like(($node->psql('postgres', 'DROP SCHEMA activityfeed CASCADE'))[2],
	qr/cannot drop schema activityfeed because extension activityfeed requires it/, 'the schema goes with the extension only');
$node->safe_psql('postgres', q{CREATE TABLE mine (a activityfeed.status); CREATE TABLE activityfeed.mine ()});
like(($node->psql('postgres', $drop))[2], qr/cannot drop extension activityfeed because other objects depend on it/, 'what is a user\'s keeps it');
$node->safe_psql('postgres', 'DROP EXTENSION activityfeed CASCADE; DROP TABLE mine');
is(fingerprint_difference($node->safe_psql('postgres', $catalog_rows), $before), '', 'CASCADE takes that too');

# A session that has called everything meets an extension that was made anew.
my @events = (
	[ 'by itself', sub { $_[0]->query_safe("$drop $create") } ],
	[ 'by another session', sub { $node->safe_psql('postgres', "$drop $create") } ],
	[ 'in one transaction', sub { $_[0]->query_safe("BEGIN; $drop $create COMMIT") } ],
	[ 'with plans dropped', sub { $_[0]->query_safe("$drop DISCARD ALL; $create") } ],
	[ 'and not after all', sub { $_[0]->query_safe("BEGIN; $drop $create ROLLBACK") } ],
	[ 'in a savepoint that was gone back to', sub { $_[0]->query_safe("BEGIN; SAVEPOINT s; $drop $create ROLLBACK TO s; COMMIT") } ],
	[ 'with a notification due', sub { $_[0]->query_safe(qq{BEGIN; SET LOCAL activityfeed.notify = on;
		SELECT activityfeed.upsert_activity('ada', 'app 1', document('x')); $drop $create COMMIT}) } ]);

$node->safe_psql('postgres', $create);
my ($session) = open_session($node, on_error_stop => 0);
for (@events)
{
	my ($event, $make) = @$_;

	# writes that fail are no matter: that they are tried with plans is
	$session->query("$calls;");
	$session->{stderr} = '';
	$session->query_safe(fill_script());
	$session->query_safe(answers_script());
	$make->($session);
	$session->query_safe(fill_script());
	same_answers(split_answers($session->query_safe(answers_script())), answers($node), "made anew $event: the session sees what others see");
	is(broken_feeds($node), '', "made anew $event: it has written whole feeds");
	$session->query_safe('SELECT activityfeed.erase_user(user_id) FROM activityfeed.feed; TRUNCATE activityfeed.external_activity RESTART IDENTITY');
}
$session->quit;

# What was written and dropped in one transaction is notified of, and then no
# more: a session keeps nothing of it.
my ($status, $out, $err) = $node->psql('postgres', qq{LISTEN activityfeed; SET activityfeed.notify = on; BEGIN;
	SELECT FROM activityfeed.upsert_activity('ada', 'app 1', document('x')); $drop COMMIT; $create
	SELECT FROM activityfeed.upsert_activity('grace', 'app 1', document('x'))});
is($err, '', 'dropped with a notification due');
is(join(' ', $out =~ /"user_id": "(\w+)"/g), 'ada grace', 'which is sent once');

# A schema that is there already.
$node->safe_psql('postgres', "$drop CREATE ROLE mallory; CREATE SCHEMA activityfeed AUTHORIZATION mallory; GRANT USAGE ON SCHEMA activityfeed TO PUBLIC");
my $schema = q{SELECT nspowner::regrole, nspacl, obj_description(oid) FROM pg_namespace WHERE nspname = 'activityfeed'};
my $as_it_was = $node->safe_psql('postgres', $schema);
for (qw(mallory postgres))
{
	$node->safe_psql('postgres', 'ALTER SCHEMA activityfeed OWNER TO CURRENT_USER') if $_ ne 'mallory';
	$as_it_was = $node->safe_psql('postgres', $schema);
	($status, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$create");
	like($err, qr/ERROR:  42P06: schema "activityfeed" already exists\nDETAIL:  .*\nHINT:  Drop the schema, or give it another name\./,
		"a schema of $_ is refused");
	is($node->safe_psql('postgres', $schema), $as_it_was, 'and left as it was');
}
$node->safe_psql('postgres', "ALTER SCHEMA activityfeed RENAME TO other; $create");
is($node->safe_psql('postgres', q{SELECT nspowner::regrole::text = current_user, nspacl FROM pg_namespace WHERE nspname = 'activityfeed'}),
	't|', 'with another name it is no obstacle');

$node->stop;
done_testing();

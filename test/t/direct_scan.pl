# Pages without the executor (src/direct_scan.c): they are read so where they
# may be, and show what the statement shows: of rows that are hidden, expired,
# deleted and changed, in many buckets, in a transaction's own sight and in that
# of old snapshots.
#
# A policy that is true of every row, but has to be asked, keeps one of two
# roles to the statement.  auto_explain tells which statements were executed.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('direct_scan', "autovacuum = off\n");

create_document($node);
create_sessions($node);
$node->safe_psql('postgres', slurp_file("$FindBin::RealBin/../include/direct_scan.sql"));
$node->safe_psql('postgres', q{
	CREATE ROLE direct; CREATE ROLE statement; CREATE ROLE session;
	SELECT activityfeed.grant_service('direct'), activityfeed.grant_service('statement'), activityfeed.grant_session('session');
	ALTER FUNCTION directly OWNER TO direct; ALTER FUNCTION by_statement OWNER TO statement;
	CREATE POLICY p ON activityfeed.activity AS RESTRICTIVE FOR SELECT TO statement USING (app_id <> 'secret');
	CREATE POLICY p ON activityfeed.history_item AS RESTRICTIVE FOR SELECT TO statement USING (app_id <> 'secret');
	INSERT INTO activityfeed.feed VALUES ('u', now(), 1000000, 1000300);
	CALL add_activities(600); CALL add_items(900); CALL change_rows()});

my %pages = (
	recent => "activityfeed.recent_activities('u', 'app0')",
	activities => "activityfeed.activities('u', 'app0')",
	ignored => "activityfeed.activities('u', 'app0', ignored => true)",
	changes => "activityfeed.changes('u', 'app0', 0)");

# The tables of whose rows a page is read by a statement.
sub read_by_statement
{
	my ($page, $before) = @_;
	my (undef, $err) = statements_of($node, 'postgres', ($before // '') . "; SELECT count(*) FROM $page");

	die $err if $err !~ /Query Text: SELECT count/;
	my %tables = map { $_ => 1 } $err =~ /Query Text: SELECT (?:a|x)\.[^\n]* FROM activityfeed\.(\w+) AS/g;
	return join ' ', sort keys %tables;
}

is(read_by_statement($pages{recent}), '', 'recency: no statement');
is(read_by_statement($pages{changes}), '', 'the change feed: none');
is(read_by_statement($pages{activities}), '', 'activities: none');
is(read_by_statement($pages{ignored}), '', 'ignored ones: none');
is(read_by_statement($pages{recent}, 'SET ROLE direct'), '', 'recency, a service: none');
is(read_by_statement($pages{changes}, 'SET ROLE direct'), '', 'the change feed, a service: none');
is(read_by_statement($pages{recent}, 'SET ROLE statement'), 'activity', 'recency, with a policy: a statement');
is(read_by_statement($pages{$_}, 'SET ROLE statement'), 'activity', "$_, with a policy: a statement") for qw(activities ignored);
is(read_by_statement($pages{changes}, 'SET ROLE statement'), 'activity history_item', 'the change feed, with policies: statements');
my $session = q{SET activityfeed.user_id = 'u'; SET activityfeed.app_id = 'app0'; SET ROLE };
is(read_by_statement($pages{recent}, $session . 'session'), 'activity', 'a session role: a statement with its policies');
is(read_by_statement($pages{recent}, $session . "direct; SELECT count(*) FROM $pages{recent}; SET ROLE session"),
	'activity', 'the same in a connection that acted as a service before');

#
# The same rows.
#

my $count = $ENV{ACTIVITYFEED_CALLS} // 1500;
my $seed = $ENV{ACTIVITYFEED_SEED} // 1;

sub differences
{
	return $node->safe_psql('postgres', 'SELECT call, direct, by_statement FROM difference LIMIT 1');
}

for my $part (1 .. 3)
{
	my ($repeatable) = open_session($node);

	# what a transaction saw first is what it sees
	$repeatable->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM activityfeed.feed');
	my $seen = $repeatable->query_safe("SELECT md5(directly(p)::text), md5(by_statement(p)::text) FROM unnest(ARRAY['recent_activities(''u'', ''app1'', 100000)',
		'changes(''u'', ''app1'', 0, 100000)']) p");
	$node->safe_psql('postgres', "CALL random_pages($count / 3, ($seed + $part) / 1000.0)");
	is($repeatable->query_safe("SELECT md5(directly(p)::text), md5(by_statement(p)::text) FROM unnest(ARRAY['recent_activities(''u'', ''app1'', 100000)',
		'changes(''u'', ''app1'', 0, 100000)']) p"), $seen, "part $part: an old snapshot sees what it saw");
	like($seen, qr/^(\w+)\|\g1\n(\w+)\|\g2$/, "part $part: the same in both ways");
	$repeatable->quit;
	$node->safe_psql('postgres', 'VACUUM activityfeed.activity, activityfeed.history_item') if $part == 2;
}
is(differences(), '', "$count random pages (seed $seed) show the same rows");
cmp_ok($node->safe_psql('postgres', 'SELECT rows / calls FROM tally'), '>', 20, 'rows were shown');

# While others change rows, whoever reads sees one state.
$node->pgbench(
	'--no-vacuum --client=4 --jobs=2 --transactions=' . int($count / 10),
	0,
	[qr{processed: (\d+)/\g1}],
	[qr{^$}],
	'pages and changes',
	{   'changes' => q{DO $$ BEGIN CALL change_rows(); EXCEPTION WHEN deadlock_detected OR foreign_key_violation THEN NULL; END $$},
		'pages' => q{INSERT INTO difference SELECT p, directly(p), by_statement(p) FROM unnest(ARRAY['recent_activities(''u'', ''app0'')',
			'recent_activities(''u'', ''app1'', 300)', 'activities(''u'', ''app0'')']) AS p
			WHERE directly(p) IS DISTINCT FROM by_statement(p)} =~ s/\s+/ /gr });
is(differences(), '', 'pages that are read while rows change show the same rows');

#
# Whatever has to be heeded.
#

sub same_pages
{
	my ($name) = @_;

	$node->safe_psql('postgres', 'DO $$ BEGIN FOR i IN 1 .. 100 LOOP CALL compare_page(); END LOOP; END $$');
	is(differences(), '', "$name: the same rows");
	return;
}

my @obstacles = (
	[ 'without the index', 'DROP INDEX activityfeed.activity_history_idx',
		q{CREATE INDEX activity_history_idx ON activityfeed.activity (user_id, app_id, history_bucket) WHERE status = 'updated' AND history_bucket IS NOT NULL} ],
	[ 'without the index of changes', 'DROP INDEX activityfeed.activity_change_idx',
		'CREATE INDEX activity_change_idx ON activityfeed.activity (user_id, app_id, change_bucket)', 'activities' ],
	[ 'a partial index of changes', q{DROP INDEX activityfeed.activity_change_idx;
		CREATE INDEX activity_change_idx ON activityfeed.activity (user_id, app_id, change_bucket) WHERE status = 'updated'},
		q{DROP INDEX activityfeed.activity_change_idx;
		CREATE INDEX activity_change_idx ON activityfeed.activity (user_id, app_id, change_bucket)}, 'activities' ],
	[ 'a child table', q{CREATE TABLE child () INHERITS (activityfeed.activity);
		INSERT INTO child (user_id, id, app_id, app_activity_id, status, created_date_time, last_modified_date_time, expiration_date_time,
			change_number, created_change_number, history_change_number, history_expiration_date_time)
		SELECT 'u', i, 'app0', i, 'updated', now(), now(), '2100-01-01', number(), 0, number(), '2100-01-01' FROM generate_series(1, 20) i},
		'DROP TABLE child; ANALYZE activityfeed.activity' ],
	[ 'a rule', q{CREATE VIEW everything AS SELECT * FROM activityfeed.activity;
		ALTER TABLE activityfeed.activity RENAME TO stored; ALTER VIEW everything SET SCHEMA activityfeed; ALTER VIEW activityfeed.everything RENAME TO activity;
		GRANT SELECT ON activityfeed.activity TO direct, statement},
		'DROP VIEW activityfeed.activity; ALTER TABLE activityfeed.stored RENAME TO activity' ]);

for my $obstacle (@obstacles)
{
	my ($name, $make, $drop, $page) = @$obstacle;

	$node->safe_psql('postgres', $make);
	is(read_by_statement($pages{$page // 'recent'}), 'activity', "$name: a statement");
	same_pages($name);
	$node->safe_psql('postgres', $drop);
	is(read_by_statement($pages{$page // 'recent'}), '', "no more $name: none");
}

# Columns of others are null in results.  One that is added is not stored in
# older rows, and one that is dropped leaves its values behind.
$node->safe_psql('postgres', "ALTER TABLE activityfeed.activity ADD extra text DEFAULT 'added'");
is(read_by_statement($pages{recent}), '', 'a column that was added: no statement');
$node->safe_psql('postgres', 'DO $$ BEGIN FOR i IN 1 .. 20 LOOP CALL change_rows(); END LOOP; END $$');
same_pages('a column that was added');
is($node->safe_psql('postgres', "SELECT count(*) > 20, count(extra) FROM activityfeed.recent_activities('u', 'app0', 1000)"),
	't|0', 'its values are not shown');
$node->safe_psql('postgres', 'ALTER TABLE activityfeed.activity DROP extra');
same_pages('a column that was dropped');

# Nulls where the tables as made have none.
$node->safe_psql('postgres', q{
	ALTER TABLE activityfeed.activity ALTER status DROP NOT NULL, ALTER change_number DROP NOT NULL, ALTER change_bucket DROP NOT NULL,
		ALTER last_modified_date_time DROP NOT NULL, ALTER expiration_date_time DROP NOT NULL, ALTER expiration_day DROP NOT NULL;
	ALTER TABLE activityfeed.history_item ALTER status DROP NOT NULL, ALTER expiration_date_time DROP NOT NULL, ALTER expiration_day DROP NOT NULL;
	UPDATE activityfeed.activity SET status = NULL WHERE id % 9 = 0;
	UPDATE activityfeed.activity SET change_number = NULL WHERE id % 9 = 1;
	UPDATE activityfeed.activity SET last_modified_date_time = NULL WHERE id % 9 = 2;
	UPDATE activityfeed.activity SET expiration_date_time = NULL WHERE id % 9 = 3;
	UPDATE activityfeed.history_item SET status = NULL WHERE change_number % 9 = 0;
	UPDATE activityfeed.history_item SET expiration_date_time = NULL WHERE change_number % 9 = 1});
is(read_by_statement($pages{changes}), '', 'nulls: no statement');
$node->safe_psql('postgres', q{DO $$ DECLARE p text; BEGIN
	FOREACH p IN ARRAY ARRAY['recent_activities(''u'', ''app0'', 100000)', 'changes(''u'', ''app0'', 0, 100000)'] LOOP
		CALL note(p, directly(p), by_statement(p));
	END LOOP;
END $$});
is(differences(), '', 'nulls: the same rows');
$node->safe_psql('postgres', q{
	DELETE FROM activityfeed.history_item WHERE status IS NULL OR expiration_date_time IS NULL;
	DELETE FROM activityfeed.activity WHERE status IS NULL OR change_number IS NULL OR last_modified_date_time IS NULL OR expiration_date_time IS NULL});

# Somebody else's index may be the one that the planner takes.
$node->safe_psql('postgres', q{
	CREATE INDEX i ON activityfeed.activity (user_id, app_id, history_bucket DESC) WHERE status = 'updated' AND history_bucket IS NOT NULL;
	DROP INDEX activityfeed.activity_history_idx});
is(read_by_statement($pages{recent}), '', 'an index in the other order: no statement');
same_pages('an index in the other order');

#
# Who may, and whom it concerns.
#

$node->safe_psql('postgres', 'REVOKE SELECT ON activityfeed.activity FROM direct');
my ($result, $out, $err) = $node->psql('postgres', "SET ROLE direct; SELECT count(*) FROM $pages{recent}");
like($err, qr/permission denied for table activity/, 'a service without SELECT is refused');
$node->safe_psql('postgres', 'GRANT SELECT ON activityfeed.activity TO direct');

my @locked = map { $node->safe_psql('postgres', qq{
	BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT $_('recent_activities(''u'', ''app0'')') IS NULL;
	SELECT DISTINCT relation::regclass, locktype FROM pg_locks WHERE mode = 'SIReadLock' ORDER BY 1, 2; ROLLBACK}) } qw(directly by_statement);
is($locked[0], $locked[1], 'a serializable transaction locks what it read');
like($locked[0], qr/activityfeed\.activity\|/, 'rows are among it');

my @one = map { (open_session($node, on_error_stop => 0))[0] } 1 .. 2;
$node->safe_psql('postgres', "SELECT activityfeed.upsert_activity(u, 'app', document('a', sessions(1))) FROM unnest(ARRAY['one', 'two']) u");
$one[0]->query_safe("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM activityfeed.recent_activities('one', 'app')");
$one[1]->query_safe("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM activityfeed.recent_activities('two', 'app')");
$one[0]->query_safe("SELECT count(activityfeed.upsert_activity('two', 'app', document('b', sessions(1)))); COMMIT");
$one[1]->query("SELECT count(activityfeed.upsert_activity('one', 'app', document('b', sessions(1)))); COMMIT");
is($node->safe_psql('postgres', "SELECT count(*) FROM activityfeed.activity WHERE user_id IN ('one', 'two') AND app_activity_id = 'b'"),
	'1', 'of two serializable transactions that write what the other has read, one fails');
$_->quit for @one;

done_testing();

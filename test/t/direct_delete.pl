# Deletes without the executor (src/direct_delete.c): a purge makes them where
# they may be, nothing else is to be seen of them, and whatever somebody adds to
# history_item that a delete has to heed makes them statements again.
#
# auto_explain tells which statements were executed.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('direct_delete', <<~'CONF');
	autovacuum = off
	wal_level = logical
	CONF

create_direct_and_statements($node);

# A trigger that does nothing: every delete has to be a statement.
$node->safe_psql('statements', 'CREATE TRIGGER noted AFTER DELETE ON activityfeed.history_item FOR EACH ROW EXECUTE FUNCTION do_nothing()');

#
# The same rows expire, the same remain.
#

$node->safe_psql(
	'direct', q{
	CREATE ROLE service; CREATE ROLE purger;
	SELECT activityfeed.grant_service('service'), activityfeed.grant_service('purger')});
for my $database ('direct', 'statements')
{
	$node->safe_psql($database, q{
		-- some of the sessions and tombstones, and all of some activities
		CREATE PROCEDURE let_expire(round int) LANGUAGE sql AS $$
			UPDATE activityfeed.history_item h SET expiration_date_time = '2020-01-01'
			WHERE abs(hashint8(h.activity_id # round)) % 5 = 0 OR abs(hashtext(h.id::text || h.activity_id || round)) % 3 = 0;
			UPDATE activityfeed.activity a SET expiration_date_time = '2020-01-01',
				history_expiration_date_time = CASE WHEN history_expiration_date_time IS NOT NULL THEN timestamptz '2020-01-01' END
			WHERE abs(hashint8(a.id # round)) % 5 = 0;
			UPDATE activityfeed.activity a SET history_expiration_date_time = (SELECT max(h.expiration_date_time)
				FROM activityfeed.history_item h WHERE h.user_id = a.user_id AND h.activity_id = a.id AND h.status <> 'deleted')
			WHERE abs(hashint8(a.id # round)) % 5 <> 0
		$$;
		CREATE VIEW oldest AS SELECT f.oldest_change_number - min(a.created_change_number) AS number
		FROM activityfeed.feed f JOIN activityfeed.activity a USING (user_id) WHERE f.user_id = 'u' GROUP BY f.user_id, f.oldest_change_number});
}

sub history
{
	my ($database) = @_;
	my @told;

	for my $round (1 .. 8)
	{
		push @told, $node->safe_psql($database, qq{
			TRUNCATE outcome;
			CALL random_calls(300, $round / 1000.0);
			CALL let_expire($round);
			SELECT activityfeed.purge_expired($round);
			SELECT activityfeed.purge_expired(1000);
			SELECT count(*) FROM activityfeed.history_item WHERE expiration_date_time < now();
			SELECT * FROM outcome ORDER BY call;
			SELECT * FROM rows_without_clock});
	}
	return @told;
}

my %told = map { $_ => [ history($_) ] } 'direct', 'statements';
for my $round (0 .. 7)
{
	my ($first, $second, $left) = split /\n/, $told{direct}[$round];

	cmp_ok($first + $second, '>', 3, "round $round: some rows are purged") if $round > 0;
	is($left, 0, "round $round: all that had expired");
	ok($told{direct}[$round] eq $told{statements}[$round], "round $round: answers and rows are those of statements");
}
is(broken_feeds($node, $_), '', "$_: the feeds are as they have to be") for 'direct', 'statements';

#
# When a purge deletes without a statement.
#

$node->safe_psql('direct', q{
	SELECT activityfeed.upsert_activity('u', 'app', document('a', sessions(9)));
	GRANT USAGE ON SCHEMA public TO PUBLIC});

my $expire = q{UPDATE activityfeed.history_item SET expiration_date_time = '2020-01-01'
	WHERE activity_id = activityfeed.activity_id('app', 'a') AND id IN (session_id(1), session_id(2))};

# The tables from which a purge of two sessions deletes by a statement; all is
# rolled back.
sub deleted_by_statement
{
	my ($before, $after) = @_;
	my ($out, $err) = statements_of($node, 'direct',
		"BEGIN; $expire; " . ($before // '') . q{; SELECT 'removed ' || activityfeed.purge_expired();} . ($after // '') . '; ROLLBACK');

	die $err if $out !~ /removed 2/;
	my %tables = map { $_ => 1 } $err =~ /Query Text: DELETE FROM activityfeed\.(\w+)/g;
	return join ' ', sort keys %tables;
}

is(deleted_by_statement(), '', 'no statement deletes');

my @obstacles = (
	[ 'a trigger before a row', 'CREATE TRIGGER t BEFORE DELETE ON activityfeed.history_item FOR EACH ROW EXECUTE FUNCTION return_old()',
		'DROP TRIGGER t ON activityfeed.history_item' ],
	[ 'a trigger after a row', 'CREATE TRIGGER t AFTER DELETE ON activityfeed.history_item FOR EACH ROW EXECUTE FUNCTION return_old()',
		'DROP TRIGGER t ON activityfeed.history_item' ],
	[ 'a trigger before a statement', 'CREATE TRIGGER t BEFORE DELETE ON activityfeed.history_item EXECUTE FUNCTION note_statement()',
		'DROP TRIGGER t ON activityfeed.history_item' ],
	[ 'a trigger after a statement', 'CREATE TRIGGER t AFTER DELETE ON activityfeed.history_item EXECUTE FUNCTION note_statement()',
		'DROP TRIGGER t ON activityfeed.history_item' ],
	[ 'a trigger with transition tables',
		'CREATE TRIGGER t AFTER DELETE ON activityfeed.history_item REFERENCING OLD TABLE AS o FOR EACH STATEMENT EXECUTE FUNCTION note_statement()',
		'DROP TRIGGER t ON activityfeed.history_item' ],
	[ 'a foreign key', 'CREATE TABLE child (u text, a bigint, i uuid, FOREIGN KEY (u, a, i) REFERENCES activityfeed.history_item)', 'DROP TABLE child' ],
	[ 'a rule', 'CREATE RULE r AS ON DELETE TO activityfeed.history_item DO ALSO INSERT INTO noted VALUES (1)', 'DROP RULE r ON activityfeed.history_item' ]);

$node->safe_psql('direct', 'CREATE FUNCTION return_old() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN old; END $$');
for my $obstacle (@obstacles)
{
	my ($name, $make, $drop) = @$obstacle;

	$node->safe_psql('direct', $make);
	is(deleted_by_statement(), 'history_item', "$name: a statement");
	$node->safe_psql('direct', $drop);
	is(deleted_by_statement(), '', "without $name: none");
}

# Rows of other tables may be at the same places: they are not touched.
my %below = (
	'a child table' => [ 'CREATE TABLE child () INHERITS (activityfeed.history_item)', 'DROP TABLE child; ANALYZE activityfeed.history_item' ],
	'a child table of activities' => [ 'CREATE TABLE child () INHERITS (activityfeed.activity)', 'DROP TABLE child; ANALYZE activityfeed.activity' ],
	'a partitioned table' => [ q{ALTER TABLE activityfeed.history_item RENAME TO stored;
		CREATE TABLE activityfeed.history_item (LIKE activityfeed.stored INCLUDING GENERATED) PARTITION BY HASH (user_id);
		ALTER TABLE activityfeed.history_item ATTACH PARTITION activityfeed.stored FOR VALUES WITH (MODULUS 1, REMAINDER 0)},
		q{ALTER TABLE activityfeed.history_item DETACH PARTITION activityfeed.stored; DROP TABLE activityfeed.history_item;
		ALTER TABLE activityfeed.stored RENAME TO history_item} ]);

for my $name (sort keys %below)
{
	my ($make, $drop) = @{ $below{$name} };

	$node->safe_psql('direct', $make);
	my ($result, $out, $err) = $node->psql('direct', "BEGIN; $expire; SELECT activityfeed.purge_expired()");
	like($err, qr/cannot purge table "(history_item|activity)", which has partitions or child tables/, "$name: refused");
	$node->safe_psql('direct', $drop);
	is(deleted_by_statement(), '', "without $name: purged");
}

# Made while a session has its plans.
is(deleted_by_statement(qq{
		SAVEPOINT s; SELECT activityfeed.purge_expired(); ROLLBACK TO s;
		CREATE TRIGGER t AFTER DELETE ON activityfeed.history_item FOR EACH ROW EXECUTE FUNCTION return_old()}),
	'history_item', 'a trigger that is made in the middle of a session');

#
# Who may.
#

is(deleted_by_statement('SET ROLE service'), '', 'a service, for whom row security says yes: no statement');
$node->safe_psql('direct', q{CREATE POLICY p ON activityfeed.history_item AS RESTRICTIVE FOR DELETE TO purger USING (app_id <> 'secret')});
is(deleted_by_statement('SET ROLE purger'), 'history_item', 'a policy that somebody added: a statement');
is(deleted_by_statement('SET ROLE service; SAVEPOINT s; SELECT activityfeed.purge_expired(); ROLLBACK TO s; SET ROLE purger'),
	'history_item', 'the same in a connection that acted as another role before');
$node->safe_psql('direct', 'DROP POLICY p ON activityfeed.history_item; REVOKE DELETE ON activityfeed.history_item FROM service');
my ($result, $out, $err) = $node->psql('direct', "BEGIN; $expire; SET ROLE service; SELECT activityfeed.purge_expired()");
like($err, qr/permission denied for table history_item/, 'a service without DELETE is refused');
$node->safe_psql('direct', 'GRANT DELETE ON activityfeed.history_item TO service');
($result, $out, $err) = $node->psql('direct',
	"$expire; CREATE PUBLICATION p FOR TABLE activityfeed.history_item; ALTER TABLE activityfeed.history_item REPLICA IDENTITY NOTHING; SELECT activityfeed.purge_expired()");
like($err, qr/cannot delete from table "history_item" because it does not have a replica identity/, 'a publication without a replica identity is told');
$node->safe_psql('direct', 'DROP PUBLICATION p; ALTER TABLE activityfeed.history_item REPLICA IDENTITY DEFAULT');
($result, $out, $err) = $node->psql('direct', 'SET default_transaction_read_only = on; SELECT activityfeed.purge_expired()');
like($err, qr/cannot execute purge_expired\(\) in a read-only transaction/, 'nothing is purged in a read-only transaction');

#
# What is left of them.
#

is($node->safe_psql('direct', q{
	BEGIN; SAVEPOINT s; SELECT activityfeed.purge_expired() \g /dev/null
	ROLLBACK TO s; SELECT activityfeed.purge_expired(); SELECT activityfeed.purge_expired(); COMMIT}), "2\n0", 'what is rolled back to a savepoint was not purged');
is($node->safe_psql('direct', q{SELECT count(*) FROM activityfeed.history_item WHERE activity_id = activityfeed.activity_id('app', 'a')}), 7, 'the others stay');
$node->safe_psql('direct', 'VACUUM activityfeed.history_item');
is($node->safe_psql('direct', q{SELECT count(*) FROM pg_class i JOIN pg_index x ON x.indexrelid = i.oid, bt_index_check(i.oid, true)
	WHERE i.relnamespace = 'activityfeed'::regnamespace}), 10, 'every index has every row');
is(broken_feeds($node, 'direct'), '', 'the feeds are as they have to be');

done_testing();

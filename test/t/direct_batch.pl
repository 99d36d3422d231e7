# Batches of external activities without the executor (src/direct_batch.c): they
# leave what the statement leaves, and whatever somebody adds to the table that
# has to be heeded makes them a statement again.
#
# auto_explain tells which statements were executed.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use Test::More;

my $node = start_server('direct_batch', "autovacuum = off\nwal_level = replica");
my $table = 'activityfeed.external_activity';

create_direct_and_statements($node);
$node->safe_psql('statements', "CREATE TRIGGER noted AFTER INSERT ON $table FOR EACH ROW EXECUTE FUNCTION do_nothing()");
$node->safe_psql('direct', 'CREATE EXTENSION pg_walinspect');
$node->safe_psql($_, q{
	-- So many elements; every 7th is bad, every 5th nobody's.
	CREATE FUNCTION batch(n int) RETURNS json LANGUAGE sql AS $$
		SELECT coalesce(json_agg(json_strip_nulls(json_build_object(
			'type', CASE WHEN i % 7 = 0 THEN 'liked' ELSE (enum_range(NULL::activityfeed.external_activity_type))[1 + i % 4]::text END,
			'startDateTime', to_char(timestamp '2026-01-01' + i * interval '1 s 7 ms', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
			'performedBy', CASE WHEN i % 5 > 0 THEN json_build_object('type', (enum_range(NULL::activityfeed.identity_type))[1 + i % 3]::text,
				'id', 'someone ' || repeat('x', i % 505)) END)) ORDER BY i), '[]')
		FROM generate_series(1, n) i
	$$;
	CREATE FUNCTION add(n int, item text DEFAULT 'item') RETURNS SETOF activityfeed.external_activity_result LANGUAGE sql AS $$
		SELECT * FROM activityfeed.add_external_activities('connection', item, batch(n))
	$$;
	CREATE FUNCTION is_from(v timestamptz) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN v > '2020-01-01'; END $$;
	CREATE FUNCTION counted() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM activityfeed.external_activity'}) for 'direct', 'statements';

my $add = q{count(*) FROM add(100)};

# Whether a call inserts by a statement.
sub is_statement
{
	my ($call, %options) = @_;
	my (undef, $err) = statements_of($node, $options{database} // 'direct', ($options{before} // '') . "; SELECT $call");

	die $err if $err !~ /Query Text: SELECT/;
	return $err =~ /Query Text: INSERT INTO activityfeed\.external_activity/ ? 1 : 0;
}

# The same in both databases, but for the clock, which is a row's last column.
sub same
{
	my ($name, $sql) = @_;
	my ($direct, $statements) = map {
		my ($result, $out, $err) = $node->psql($_, $sql);
		"$out\n$err" =~ s/(Failing row contains .*), [^,]*\)/$1)/r
	} 'direct', 'statements';

	ok($direct eq $statements, "$name: the same");
	if ($direct ne $statements)
	{
		my @one = split /\n/, $direct;
		my @other = split /\n/, $statements;
		my ($first) = grep { ($one[$_] // '') ne ($other[$_] // '') } 0 .. (@one > @other ? $#one : $#other);
		diag("direct:     " . ($one[$first] // '') . "\nstatements: " . ($other[$first] // ''));
	}
	return $direct;
}

my $rows = "SELECT connection_id, item_id, id, type, start_date_time, performed_by_type, performed_by_id, dense_rank() OVER (ORDER BY created_date_time) FROM $table ORDER BY id";

is(is_statement($add), 0, 'no statement');
is(is_statement($add, database => 'statements'), 1, 'with a trigger, one');

# Sizes around those of what is written at once and of a chunk; ids in their
# order, and what the session knows of the sequence.
for my $size (0, 1, 6, 7, 8, 63, 64, 65, 75, 129, 999, 1000, 1001, 2500)
{
	same("$size elements", "SELECT * FROM add($size, 'of $size'); SELECT last_value, is_called FROM activityfeed.external_activity_id_seq");
}
same('nothing but bad ones', q{SELECT * FROM activityfeed.add_external_activities('c', 'i', '[{}, 1, null]')});
same('the sequence, for the session', q{SELECT count(*) FROM add(10); SELECT lastval(), currval('activityfeed.external_activity_id_seq')});
same('rows', $rows);
like(same('what a command has added', q{BEGIN; SELECT counted(), count(*), counted() FROM add(70); SELECT counted(); SELECT count(*) FROM add(70); SELECT counted()}), qr/\d/, 'and it is counted');
same('what is rolled back', qq{BEGIN; SAVEPOINT s; SELECT count(*) FROM add(70); ROLLBACK TO s; SELECT counted(); SELECT count(*) FROM add(70, 'again'); SELECT counted(); COMMIT; $rows});
same('repeatable read', qq{BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT counted(); SELECT count(*) FROM add(70); SELECT counted(); COMMIT});
same('read only', 'BEGIN READ ONLY; SELECT count(*) FROM add(3)');
same('a sequence with a cache', "ALTER SEQUENCE activityfeed.external_activity_id_seq CACHE 10; SELECT count(*) FROM add(25); SELECT last_value FROM activityfeed.external_activity_id_seq;
	ALTER SEQUENCE activityfeed.external_activity_id_seq CACHE 1; $rows");
is($node->safe_psql($_, "SELECT bt_index_parent_check('activityfeed.external_activity_pkey', true, true)"), '', "$_: the index has every row")
  for 'direct', 'statements';

# The records of the log that a call leaves.
sub records
{
	my ($name) = @_;

	return $node->safe_psql('direct', qq{SELECT $add \\g /dev/null
		SELECT pg_current_wal_insert_lsn() AS begin \\gset
		SELECT $add \\g /dev/null
		SELECT pg_switch_wal() AS "end" \\gset
		SELECT count(*) FROM pg_get_wal_records_info(:'begin', :'end') WHERE resource_manager || ' ' || record_type LIKE '$name%'});
}
is(records('Heap INSERT'), 0, 'rows go into the log together');
cmp_ok(records('Heap2 MULTI_INSERT'), '<=', 6, 'by few records');

#
# Whatever has to be heeded.
#

# Rules that leave rows out, or put them elsewhere.
for my $action ("WHERE NEW.type = 'viewed' DO INSTEAD NOTHING", 'DO INSTEAD INSERT INTO elsewhere VALUES (NEW.*) RETURNING elsewhere.*')
{
	$node->safe_psql($_, "CREATE TABLE elsewhere (LIKE $table INCLUDING ALL); CREATE RULE r AS ON INSERT TO $table $action") for 'direct', 'statements';
	same("a rule, $action", "SELECT counted() AS n \\gset\nSELECT $add; SELECT counted() - :n, count(*) FROM elsewhere");
	$node->safe_psql($_, "DROP RULE r ON $table; DROP TABLE elsewhere") for 'direct', 'statements';
}

my $drop = "ALTER TABLE $table DROP";
my @obstacles = (
	[ 'a trigger before a row', "CREATE TRIGGER t BEFORE INSERT ON $table FOR EACH ROW EXECUTE FUNCTION do_nothing()", "DROP TRIGGER t ON $table" ],
	[ 'a trigger after a row', "CREATE TRIGGER t AFTER INSERT ON $table FOR EACH ROW EXECUTE FUNCTION do_nothing()", "DROP TRIGGER t ON $table" ],
	[ 'a trigger before the statement', "CREATE TRIGGER t BEFORE INSERT ON $table EXECUTE FUNCTION do_nothing()", "DROP TRIGGER t ON $table" ],
	[ 'a trigger with new rows', "CREATE TRIGGER t AFTER INSERT ON $table REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION do_nothing()", "DROP TRIGGER t ON $table" ],
	[ 'a deferred trigger', "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON $table DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION do_nothing()", "DROP TRIGGER t ON $table" ],
	[ 'a foreign key', "CREATE TABLE parent (id text COLLATE \"C\" PRIMARY KEY); INSERT INTO parent VALUES ('connection'); ALTER TABLE $table ADD CONSTRAINT c FOREIGN KEY (connection_id) REFERENCES parent NOT VALID", "DROP TABLE parent CASCADE" ],
	[ 'a rule', "CREATE RULE r AS ON INSERT TO $table DO ALSO INSERT INTO noted VALUES (1)", "DROP RULE r ON $table" ],
	[ 'a constraint with a function', "ALTER TABLE $table ADD CONSTRAINT c CHECK (is_from(start_date_time))", "$drop CONSTRAINT c" ],
	[ 'a constraint that asks the clock', "ALTER TABLE $table ADD CONSTRAINT c CHECK (start_date_time < now() + interval '1 year')", "$drop CONSTRAINT c" ],
	[ 'a constraint with a domain', "CREATE DOMAIN d AS text; ALTER TABLE $table ADD CONSTRAINT c CHECK (octet_length(item_id::d) > 0)", "$drop CONSTRAINT c; DROP DOMAIN d" ],
	[ 'a unique constraint', "ALTER TABLE $table ADD CONSTRAINT c UNIQUE (id)", "$drop CONSTRAINT c" ],
	[ 'a deferred unique constraint', "ALTER TABLE $table ADD CONSTRAINT c UNIQUE (id) DEFERRABLE INITIALLY DEFERRED", "$drop CONSTRAINT c" ],
	[ 'an exclusion constraint', "ALTER TABLE $table ADD CONSTRAINT c EXCLUDE USING btree (id WITH =)", "$drop CONSTRAINT c" ],
	[ 'an index by a function', "CREATE INDEX i ON $table (is_from(start_date_time))", 'DROP INDEX activityfeed.i' ],
	[ 'a partial index', "CREATE INDEX i ON $table (id) WHERE is_from(start_date_time)", 'DROP INDEX activityfeed.i' ],
	[ 'an index by an order of somebody', "CREATE FUNCTION compare(bigint, bigint) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN btint8cmp(\$1, \$2); END';
		CREATE OPERATOR CLASS oddly FOR TYPE bigint USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 compare(bigint, bigint); CREATE INDEX i ON $table (id oddly)",
		'DROP INDEX activityfeed.i; DROP OPERATOR FAMILY oddly USING btree; DROP FUNCTION compare' ],
	[ 'a column', "ALTER TABLE $table ADD extra int", "$drop extra" ],
	[ 'a default', "ALTER TABLE $table ADD extra int DEFAULT 7", "$drop extra" ],
	[ 'a default of ours', "ALTER TABLE $table ALTER performed_by_id SET DEFAULT 'me'", "ALTER TABLE $table ALTER performed_by_id DROP DEFAULT" ],
	[ 'a generated column', "ALTER TABLE $table ADD extra bigint GENERATED ALWAYS AS (id + 1) STORED", "$drop extra" ],
	[ 'a domain', "CREATE DOMAIN d AS text COLLATE \"C\" CHECK (value <> 'nobody'); ALTER TABLE $table ALTER performed_by_id TYPE d", "ALTER TABLE $table ALTER performed_by_id TYPE text COLLATE \"C\"; DROP DOMAIN d" ],
	[ 'a domain of an enum', "CREATE DOMAIN d AS activityfeed.external_activity_type CHECK (value IS NOT NULL); ALTER TABLE $table ALTER type TYPE d", "ALTER TABLE $table ALTER type TYPE activityfeed.external_activity_type; DROP DOMAIN d" ],
	[ 'a length', "ALTER TABLE $table ALTER item_id TYPE varchar(600) COLLATE \"C\"", "ALTER TABLE $table ALTER item_id TYPE text COLLATE \"C\"" ],
	[ 'fewer digits of a second', "ALTER TABLE $table DROP CONSTRAINT external_activity_start_is_finite, ALTER start_date_time TYPE timestamptz(0)",
		"ALTER TABLE $table ALTER start_date_time TYPE timestamptz, ADD CONSTRAINT external_activity_start_is_finite CHECK (isfinite(start_date_time))" ],
	[ 'small ids', "ALTER TABLE $table ALTER id TYPE int", "ALTER TABLE $table ALTER id TYPE bigint" ],
	[ 'ids by a default', "ALTER EXTENSION activityfeed DROP SEQUENCE activityfeed.external_activity_id_seq; ALTER TABLE $table ALTER id DROP IDENTITY; CREATE SEQUENCE s START 100000; ALTER TABLE $table ALTER id SET DEFAULT nextval('s')",
		"ALTER TABLE $table ALTER id DROP DEFAULT; DROP SEQUENCE s; ALTER TABLE $table ALTER id ADD GENERATED ALWAYS AS IDENTITY (START 200000)" ],
	[ 'a view in its place', "ALTER TABLE $table RENAME TO really; CREATE VIEW $table AS SELECT * FROM activityfeed.really",
		"DROP VIEW $table; ALTER TABLE activityfeed.really RENAME TO external_activity" ]);

for my $obstacle (@obstacles)
{
	my ($name, $make, $undo) = @$obstacle;

	$node->safe_psql('direct', $make);
	is(is_statement($add), 1, "$name: a statement");
	$node->safe_psql('direct', $undo);
	is(is_statement($add), 0, "without $name: none");
}

# A partition, whose rows the whole has an eye on; from PostgreSQL 17 on it has no identity.
if ($node->psql('direct', "CREATE TABLE whole (LIKE $table) PARTITION BY LIST (connection_id); ALTER TABLE whole ATTACH PARTITION $table FOR VALUES IN ('connection')") == 0)
{
	is(is_statement($add), 1, 'a partition: a statement');
	$node->safe_psql('direct', "ALTER TABLE whole DETACH PARTITION $table");
}

# What they add is as good in the index as ever.
is($node->safe_psql('direct', "CREATE INDEX i ON $table (start_date_time); CREATE INDEX b ON $table USING brin (created_date_time); CREATE INDEX h ON $table USING hash (performed_by_id)"), '', 'more indexes');
is(is_statement('count(*) FROM add(500)'), 0, 'more indexes: no statement');
is($node->safe_psql('direct', "SELECT bt_index_check('activityfeed.i', true), bt_index_check('activityfeed.external_activity_pkey', true);
	SET enable_seqscan = off; SELECT count(*) > 0 FROM $table WHERE performed_by_id = 'someone xxx'"), "|\nt", 'they have every row');
$node->safe_psql('direct', 'DROP INDEX activityfeed.i, activityfeed.b, activityfeed.h');

# In the middle of a session, which has its plan.
is($node->safe_psql('direct', qq{TRUNCATE noted; SELECT $add \\g /dev/null
	CREATE TRIGGER t AFTER INSERT ON $table EXECUTE FUNCTION note_statement(); SELECT $add \\g /dev/null
	SELECT count(*) FROM noted; DROP TRIGGER t ON $table}), '1', 'a trigger that is made in the middle of a session runs');
is($node->safe_psql('direct', qq{SELECT $add \\g /dev/null
	CREATE FUNCTION refuse(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN INSERT INTO noted VALUES (7); RETURN true; END';
	ALTER FUNCTION refuse VOLATILE; ALTER TABLE $table ADD CONSTRAINT c CHECK (refuse(item_id)) NOT VALID; SELECT $add \\g /dev/null
	SELECT count(*) FROM noted WHERE n = 7; ALTER TABLE $table DROP CONSTRAINT c; DROP FUNCTION refuse}), '86', 'and so does the function of a constraint');

# Constraints are checked, whichever they are.
for my $rule ("CHECK (performed_by_id <> 'someone xx')", 'CHECK (octet_length(item_id) < 3)', 'CHECK (id % 50 > 0)', 'CHECK (performed_by_id IS NOT NULL)')
{
	$node->safe_psql($_, "SELECT setval('activityfeed.external_activity_id_seq', 500000); ALTER TABLE $table ADD CONSTRAINT c $rule NOT VALID") for 'direct', 'statements';
	like(same($rule, "\\set VERBOSITY verbose\nSELECT $add"), qr/new row for relation "external_activity" violates check constraint "c".*Failing row contains/s, "$rule is heeded");
	$node->safe_psql($_, "ALTER TABLE $table DROP CONSTRAINT c") for 'direct', 'statements';
}
$node->safe_psql($_, "CREATE DOMAIN d AS text; SELECT setval('activityfeed.external_activity_id_seq', 550000); ALTER TABLE $table ADD CONSTRAINT c CHECK (octet_length(item_id::d) > 0)") for 'direct', 'statements';
like(same('a domain of a constraint that is made narrower in the middle of a session', "SELECT $add; ALTER DOMAIN d ADD CONSTRAINT narrow CHECK (value <> 'item'); SELECT $add"),
	qr/value for domain d violates check constraint "narrow"/, 'is heeded');
$node->safe_psql($_, "ALTER TABLE $table DROP CONSTRAINT c; DROP DOMAIN d") for 'direct', 'statements';
$node->safe_psql($_, "ALTER TABLE $table ADD CONSTRAINT c CHECK (tableoid = '$table'::regclass AND (external_activity).id > 0)") for 'direct', 'statements';
is(same('a constraint on the table and the whole row', "SELECT $add"), "100\n", 'sees both');
is(is_statement($add), 0, 'a constraint on the table and the whole row: no statement');
$node->safe_psql($_, "ALTER TABLE $table DROP CONSTRAINT c") for 'direct', 'statements';
$node->safe_psql('direct', "ALTER TABLE $table ADD CONSTRAINT c CHECK (length(item_id) > 3)");
is(is_statement($add), 0, 'a constraint that calls nothing of somebody: no statement');
$node->safe_psql('direct', "ALTER TABLE $table DROP CONSTRAINT c");

# Other errors.
$node->safe_psql($_, "SELECT setval('activityfeed.external_activity_id_seq', 600000); SELECT $add; SELECT setval('activityfeed.external_activity_id_seq', 599980)") for 'direct', 'statements';
like(same('an id that is there', "\\set VERBOSITY verbose\nSELECT $add"), qr/duplicate key value violates unique constraint "external_activity_pkey"/, 'is refused');
$node->safe_psql($_, "SELECT setval('activityfeed.external_activity_id_seq', 700000); UPDATE $table SET performed_by_type = 'user', performed_by_id = 'x' WHERE performed_by_id IS NULL;
	ALTER TABLE $table ALTER performed_by_id SET NOT NULL") for 'direct', 'statements';
like(same('nobody, where there must be somebody', "\\set VERBOSITY verbose\nSELECT $add"), qr/null value in column "performed_by_id" of relation "external_activity" violates not-null constraint/, 'is refused');
$node->safe_psql($_, "ALTER TABLE $table ALTER performed_by_id DROP NOT NULL; ALTER SEQUENCE activityfeed.external_activity_id_seq MAXVALUE 700040") for 'direct', 'statements';
like(same('a sequence that has come to its end', "\\set VERBOSITY verbose\nSELECT $add"), qr/reached maximum value of sequence/, 'is refused');
$node->safe_psql($_, 'ALTER SEQUENCE activityfeed.external_activity_id_seq NO MAXVALUE') for 'direct', 'statements';

#
# Who may.
#

$node->safe_psql('direct', 'CREATE ROLE service');
$node->safe_psql($_, q{SELECT activityfeed.grant_service('service'); REVOKE ALL ON SEQUENCE activityfeed.external_activity_id_seq FROM service}) for 'direct', 'statements';
is(is_statement($add, before => 'SET ROLE service'), 0, 'a service, for whom row security says yes: no statement');
same('a service, which needs no right to the sequence', "SET ROLE service; SELECT $add");
for my $right ('INSERT', 'SELECT')
{
	$node->safe_psql($_, "REVOKE $right ON $table FROM service") for 'direct', 'statements';
	like(same("a service without $right", "SET ROLE service; SELECT $add"), qr/permission denied for table external_activity/, 'is refused');
	$node->safe_psql($_, "GRANT $right ON $table TO service") for 'direct', 'statements';
}
my $policy = "CREATE POLICY p ON $table AS RESTRICTIVE FOR INSERT TO service WITH CHECK";
$node->safe_psql('direct', "$policy (item_id <> 'secret')");
is(is_statement($add, before => 'SET ROLE service'), 1, 'a policy that somebody added: a statement');
$node->safe_psql('direct', "DROP POLICY p ON $table");
like(same('a policy that is made in the middle of a session', "SET ROLE service; SELECT $add; RESET ROLE; $policy (item_id = 'secret'); SET ROLE service; SELECT $add"),
	qr/violates row-level security policy "p"/, 'is heeded');
$node->safe_psql($_, "DROP POLICY p ON $table") for 'direct', 'statements';

# A violated constraint names what one may read, or has sent.
$node->safe_psql($_, "SELECT setval('activityfeed.external_activity_id_seq', 750000); REVOKE SELECT, INSERT ON $table FROM service; GRANT INSERT, SELECT (id) ON $table TO service; ALTER TABLE $table DISABLE ROW LEVEL SECURITY;
	ALTER TABLE $table ADD CONSTRAINT c CHECK (octet_length(item_id) < 3) NOT VALID") for 'direct', 'statements';
like(same('a row of which one may read the id', "\\set VERBOSITY verbose\nSET ROLE service; SELECT $add"), qr/Failing row contains \(connection_id, item_id, id, /, 'says what it has');
$node->safe_psql($_, "ALTER TABLE $table DROP CONSTRAINT c; ALTER TABLE $table ENABLE ROW LEVEL SECURITY; GRANT SELECT ON $table TO service") for 'direct', 'statements';

#
# Logical decoding.
#

$node->append_conf('postgresql.conf', 'wal_level = logical');
$node->restart;
$node->safe_psql($_, "SELECT setval('activityfeed.external_activity_id_seq', 800000); SELECT pg_create_logical_replication_slot('of_$_', 'test_decoding')") for 'direct', 'statements';
is(is_statement($add), 0, 'with logical decoding: no statement');
$node->safe_psql('statements', "SELECT $add");
same('what is decoded', q{SELECT regexp_replace(data, '(created_date_time).*', '') FROM pg_logical_slot_get_changes((SELECT slot_name FROM pg_replication_slots WHERE database = current_database()), NULL, NULL, 'include-xids', 'false')
	WHERE data NOT LIKE '%sequence%'});

done_testing();

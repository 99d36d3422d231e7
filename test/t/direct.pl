# Updates and inserts without the executor (src/direct_target.c): they are made
# where they may be, nothing else is to be seen of them, and whatever somebody
# adds to a table that has to be heeded makes them statements again.
#
# auto_explain tells which statements were executed.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('direct', <<~'CONF');
	autovacuum = off
	wal_level = logical
	CONF

create_direct_and_statements($node);

# A trigger that does nothing: every change has to be a statement.
$node->safe_psql('statements', join '', map {
		"CREATE TRIGGER noted AFTER INSERT OR UPDATE ON activityfeed.$_ FOR EACH ROW EXECUTE FUNCTION do_nothing();"
} qw(feed activity history_item));

# The tables that a call writes to by a statement.
sub written_by_statement
{
	my ($call, %options) = @_;
	my (undef, $err) = statements_of($node, $options{database} // 'direct', ($options{before} // '') . "; SELECT $call");

	die $err if $err !~ /Query Text: SELECT/;
	my %tables = map { $_ => 1 } $err =~ /Query Text: (?:UPDATE|INSERT INTO) activityfeed\.(\w+)/g;
	return join ' ', sort keys %tables;
}

my $put = "activityfeed.upsert_activity('u', 'app', document('a'))";
my $session = "'u', 'app', activityfeed.activity_id('app', 'a'), '00000000-0000-0000-0000-000000000001'";
my $heartbeat = "activityfeed.upsert_history_item($session, '{\"startedDateTime\": \"2026-01-01T00:00:00Z\"}')";
my $touch = "activityfeed.touch_history_item($session, '2026-01-01T00:01:00Z')";

# With random ids, of another user: nothing of it is compared.
my $create = "activityfeed.upsert_activity('v', 'app', document(gen_random_uuid()::text))";
my $deep = "activityfeed.upsert_activity('v', 'app', document(gen_random_uuid()::text, sessions(5)))";
my $begin = "activityfeed.upsert_history_item('v', 'app', activityfeed.activity_id('app', 'a'), gen_random_uuid(), '{\"startedDateTime\": \"2026-01-01T00:00:00Z\"}')";

$node->safe_psql($_, "SELECT $put; SELECT $heartbeat; SELECT activityfeed.upsert_activity('v', 'app', document('a'))") for 'direct', 'statements';
my %calls = (put => $put, heartbeat => $heartbeat, touch => $touch, create => $create, 'deep insert' => $deep, 'new session' => $begin);
my %tables = map { $_ => $_ =~ /put|create/ ? 'activity feed' : 'activity feed history_item' } keys %calls;

for my $name (sort keys %calls)
{
	is(written_by_statement($calls{$name}), '', "$name: no statement writes");
	is(written_by_statement($calls{$name}, database => 'statements'), $tables{$name}, "$name: with triggers, statements do");
}

#
# The same calls, the same rows and answers.
#

my $calls = $ENV{ACTIVITYFEED_CALLS} // 3000;
my $seed = $ENV{ACTIVITYFEED_SEED} // 1;
my %outcome = map { $_ => $node->safe_psql($_, "CALL random_calls($calls, $seed / 1000.0); SELECT * FROM outcome ORDER BY call; SELECT * FROM rows_without_clock") } 'direct', 'statements';

cmp_ok(scalar(split /\n/, $outcome{direct}), '>', $calls, 'the calls answered');
ok($outcome{direct} eq $outcome{statements}, "$calls random calls (seed $seed) have the same answers and leave the same rows") or do {
	my @one = split /\n/, $outcome{direct};
	my @other = split /\n/, $outcome{statements};
	my ($first) = grep { ($one[$_] // '') ne ($other[$_] // '') } 0 .. $#one;
	diag("direct:     $one[$first]\nstatements: $other[$first]");
};
is(broken_feeds($node, $_), '', "$_: the feeds are as they have to be") for 'direct', 'statements';

#
# Whatever has to be heeded.
#

my @obstacles = (
	[ 'a trigger before a row', 'history_item', 'CREATE TRIGGER t BEFORE UPDATE ON activityfeed.history_item FOR EACH ROW EXECUTE FUNCTION do_nothing()',
		'DROP TRIGGER t ON activityfeed.history_item' ],
	[ 'a trigger of a statement', 'feed', 'CREATE TRIGGER t AFTER UPDATE ON activityfeed.feed EXECUTE FUNCTION do_nothing()',
		'DROP TRIGGER t ON activityfeed.feed' ],
	[ 'a trigger with transition tables', 'activity',
		'CREATE TRIGGER t AFTER UPDATE ON activityfeed.activity REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION do_nothing()',
		'DROP TRIGGER t ON activityfeed.activity' ],
	[ 'a deferred trigger', 'activity',
		'CREATE CONSTRAINT TRIGGER t AFTER UPDATE ON activityfeed.activity DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION do_nothing()',
		'DROP TRIGGER t ON activityfeed.activity' ],
	[ 'a rule', 'feed', 'CREATE RULE r AS ON UPDATE TO activityfeed.feed DO ALSO INSERT INTO noted VALUES (1)', 'DROP RULE r ON activityfeed.feed' ],
	[ 'a constraint', 'history_item', 'ALTER TABLE activityfeed.history_item ADD CONSTRAINT c CHECK (change_number > 0)',
		'ALTER TABLE activityfeed.history_item DROP CONSTRAINT c' ],
	[ 'a default', 'feed', 'ALTER TABLE activityfeed.feed ADD extra int DEFAULT 7', 'ALTER TABLE activityfeed.feed DROP extra' ],
	[ 'a generated column', 'activity', 'ALTER TABLE activityfeed.activity ADD extra bigint GENERATED ALWAYS AS (change_number + 1) STORED',
		'ALTER TABLE activityfeed.activity DROP extra' ],
	[ 'a unique constraint that is deferred', 'activity', 'ALTER TABLE activityfeed.activity ADD CONSTRAINT c UNIQUE (user_id, change_number) DEFERRABLE INITIALLY DEFERRED',
		'ALTER TABLE activityfeed.activity DROP CONSTRAINT c' ],
	[ 'a child table', 'history_item', 'CREATE TABLE child () INHERITS (activityfeed.history_item)', 'DROP TABLE child; ANALYZE activityfeed.history_item' ],
	[ 'a foreign key to what changes', 'activity',
		'CREATE UNIQUE INDEX i ON activityfeed.activity (user_id, change_number); CREATE TABLE child (u text, n bigint, FOREIGN KEY (u, n) REFERENCES activityfeed.activity (user_id, change_number))',
		'DROP TABLE child; DROP INDEX activityfeed.i' ]);

for my $obstacle (@obstacles)
{
	my ($name, $table, $make, $drop) = @$obstacle;
	my $call = $table eq 'activity' ? $put : $heartbeat;

	$node->safe_psql('direct', $make);
	is(written_by_statement($call), $table, "$name: a statement");
	$node->safe_psql('direct', $drop);
	is(written_by_statement($call), '', "without $name: none");
}

my @insert_obstacles = (
	[ 'a trigger before a new row', 'history_item', 'CREATE TRIGGER t BEFORE INSERT ON activityfeed.history_item FOR EACH ROW EXECUTE FUNCTION do_nothing()',
		'DROP TRIGGER t ON activityfeed.history_item' ],
	[ 'a trigger of an INSERT', 'activity', 'CREATE TRIGGER t BEFORE INSERT ON activityfeed.activity EXECUTE FUNCTION do_nothing()',
		'DROP TRIGGER t ON activityfeed.activity' ],
	[ 'a trigger with new rows', 'history_item',
		'CREATE TRIGGER t AFTER INSERT ON activityfeed.history_item REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION do_nothing()',
		'DROP TRIGGER t ON activityfeed.history_item' ],
	[ 'a deferred trigger of an INSERT', 'activity',
		'CREATE CONSTRAINT TRIGGER t AFTER INSERT ON activityfeed.activity DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION do_nothing()',
		'DROP TRIGGER t ON activityfeed.activity' ],
	[ 'a constraint of activities', 'activity', 'ALTER TABLE activityfeed.activity ADD CONSTRAINT c CHECK (change_number > 0)',
		'ALTER TABLE activityfeed.activity DROP CONSTRAINT c' ],
	[ 'a column of a domain', 'history_item', q{CREATE DOMAIN d AS int DEFAULT 7; ALTER TABLE activityfeed.history_item ADD extra d},
		'ALTER TABLE activityfeed.history_item DROP extra; DROP DOMAIN d' ],
	[ 'an identity column', 'activity', 'ALTER TABLE activityfeed.activity ADD extra int GENERATED ALWAYS AS IDENTITY',
		'ALTER TABLE activityfeed.activity DROP extra' ],
	[ 'a deferred unique constraint', 'history_item', 'ALTER TABLE activityfeed.history_item ADD CONSTRAINT c UNIQUE (user_id, change_number) DEFERRABLE INITIALLY DEFERRED',
		'ALTER TABLE activityfeed.history_item DROP CONSTRAINT c' ],
	[ 'a deferred foreign key', 'history_item', 'ALTER TABLE activityfeed.history_item ALTER CONSTRAINT history_item_activity_fkey DEFERRABLE INITIALLY DEFERRED',
		'ALTER TABLE activityfeed.history_item ALTER CONSTRAINT history_item_activity_fkey NOT DEFERRABLE' ],
	[ 'another foreign key', 'history_item',
		'CREATE TABLE parent (n int PRIMARY KEY); ALTER TABLE activityfeed.history_item ADD CONSTRAINT z FOREIGN KEY (active_duration_seconds) REFERENCES parent NOT VALID',
		'DROP TABLE parent CASCADE' ],
	[ 'a foreign key of activities', 'activity',
		'CREATE TABLE parent (app_id text COLLATE "C" PRIMARY KEY); ALTER TABLE activityfeed.activity ADD CONSTRAINT c FOREIGN KEY (user_timezone) REFERENCES parent NOT VALID',
		'DROP TABLE parent CASCADE' ],
	[ 'no foreign key', 'history_item', 'ALTER TABLE activityfeed.history_item DROP CONSTRAINT history_item_activity_fkey',
		'ALTER TABLE activityfeed.history_item ADD CONSTRAINT history_item_activity_fkey FOREIGN KEY (user_id, activity_id) REFERENCES activityfeed.activity ON DELETE CASCADE' ],
	[ 'a child table of activities', 'history_item', 'CREATE TABLE child () INHERITS (activityfeed.activity)', 'DROP TABLE child; ANALYZE activityfeed.activity' ]);

for my $obstacle (@insert_obstacles)
{
	my ($name, $table, $make, $drop) = @$obstacle;

	$node->safe_psql('direct', $make);
	for my $call ($table eq 'activity' ? $create : ($begin, $deep))
	{
		like(written_by_statement($call), qr/\b$table$/, "$name: a statement");
	}
	$node->safe_psql('direct', $drop);
	is(written_by_statement($table eq 'activity' ? $create : $deep), '', "without $name: none");
}

$node->safe_psql('direct', 'CREATE RULE r AS ON INSERT TO activityfeed.history_item DO ALSO NOTIFY noted');
my ($result, $out, $err) = $node->psql('direct', "SELECT $begin");
like($err, qr/cannot perform INSERT RETURNING|cannot be used with table that has INSERT or UPDATE rules/, 'a rule for INSERT: a statement, which cannot be');
$node->safe_psql('direct', 'DROP RULE r ON activityfeed.history_item');

my $own_key = 'FOREIGN KEY (user_id, activity_id) REFERENCES activityfeed.activity';
$node->safe_psql('direct', "ALTER TABLE activityfeed.history_item DROP CONSTRAINT history_item_activity_fkey; CREATE UNIQUE INDEX i ON activityfeed.activity (user_id, change_number);
	ALTER TABLE activityfeed.history_item ADD CONSTRAINT history_item_activity_fkey $own_key (user_id, change_number) NOT VALID");
($result, $out, $err) = $node->psql('direct', "SELECT $begin");
like($err, qr/violates foreign key constraint "history_item_activity_fkey"/, 'a foreign key to other columns is heeded');
$node->safe_psql('direct', "ALTER TABLE activityfeed.history_item DROP CONSTRAINT history_item_activity_fkey; CREATE TABLE parent (LIKE activityfeed.activity INCLUDING ALL);
	ALTER TABLE activityfeed.history_item ADD CONSTRAINT history_item_activity_fkey FOREIGN KEY (user_id, activity_id) REFERENCES parent NOT VALID");
($result, $out, $err) = $node->psql('direct', "SELECT $begin");
like($err, qr/is not present in table "parent"/, 'a foreign key to another table is heeded');
$node->safe_psql('direct', "ALTER TABLE activityfeed.history_item DROP CONSTRAINT history_item_activity_fkey; DROP INDEX activityfeed.i; DROP TABLE parent;
	ALTER TABLE activityfeed.history_item ADD CONSTRAINT history_item_activity_fkey $own_key ON DELETE CASCADE");
is(written_by_statement($begin), '', 'with its own key: none');

for my $case ([ activity => app_display_name => $create ], [ history_item => user_timezone => $begin ], [ history_item => user_timezone => $deep ])
{
	my ($table, $column, $call) = @$case;

	($result, $out, $err) = $node->psql('direct', "BEGIN; UPDATE activityfeed.$table SET $column = '-'; ALTER TABLE activityfeed.$table ALTER $column SET NOT NULL; SELECT $call");
	like($err, qr/null value in column "$column" of relation "$table" violates not-null constraint/, "a $column that may not be null any more: refused");
}

# As the foreign key's trigger does.
is($node->safe_psql('direct', qq{BEGIN; SELECT $begin \\g /dev/null
	SELECT mode FROM pg_locks WHERE pid = pg_backend_pid() AND relation = 'activityfeed.activity'::regclass AND mode = 'RowShareLock'}),
	'RowShareLock', 'the table whose row is locked is open for that');

# Made while a session has its plans.
$node->safe_psql('direct', qq{
	SELECT $heartbeat;
	CREATE TRIGGER t AFTER UPDATE ON activityfeed.history_item FOR EACH ROW EXECUTE FUNCTION note_number();
	SELECT $heartbeat, $touch});
is($node->safe_psql('direct', q{SELECT count(*), max(n) = (SELECT change_number FROM activityfeed.feed WHERE user_id = 'u') FROM noted WHERE n > 1}),
	'2|t', 'a trigger that is made in the middle of a session runs');
$node->safe_psql('direct', 'DROP TRIGGER t ON activityfeed.history_item');

# A statement has its triggers even if it finds no row; the INSERT .. ON CONFLICT
# DO UPDATE after it has them, too.
is($node->safe_psql('direct', q{
	CREATE TRIGGER t AFTER UPDATE ON activityfeed.feed EXECUTE FUNCTION note_statement();
	TRUNCATE noted;
	SELECT activityfeed.upsert_activity('somebody new', 'app', document('a')) \\g /dev/null
	SELECT count(*) FROM noted}), '2', 'a trigger of a statement that finds no row runs');
$node->safe_psql('direct', 'DROP TRIGGER t ON activityfeed.feed');

# NOT NULL, dropped: what is null is not equal, and nothing to stumble over.
for my $column ('app_id', 'status')
{
	for my $case ([ activity => $put ], [ activity => $begin =~ s/'v'/'u'/r ], [ history_item => $heartbeat ], [ history_item => $touch ])
	{
		my ($table, $call) = @$case;
		my ($direct, $statements) = map {
			my ($result, $out, $err) = $node->psql($_, "BEGIN; ALTER TABLE activityfeed.$table ALTER $column DROP NOT NULL;
				UPDATE activityfeed.$table SET $column = NULL; SELECT $call");
			$err =~ /ERROR:  (.*)/ ? $1 : 'none';
		} 'direct', 'statements';

		is($direct, $statements, "$column of $table is null: $direct");
	}
}

#
# Who may.
#

$node->safe_psql('direct', q{
	CREATE ROLE service; CREATE ROLE session; CREATE ROLE reader;
	SELECT activityfeed.grant_service('service'), activityfeed.grant_session('session');
	GRANT EXECUTE ON FUNCTION document, do_nothing TO PUBLIC});
is(written_by_statement($heartbeat, before => 'SET ROLE service'), '', 'a service, for whom row security says yes: no statement');
is(written_by_statement($heartbeat, before => "SET activityfeed.user_id = 'u'; SET activityfeed.app_id = 'app'; SET ROLE session"),
	'activity feed history_item', 'a session role: statements with its policies');
is( written_by_statement(
		$heartbeat, before => "SET activityfeed.user_id = 'u'; SET activityfeed.app_id = 'app'; SET ROLE service; SELECT $heartbeat; SET ROLE session"),
	'activity feed history_item',
	'the same in a connection that acted as a service before');
$node->safe_psql('direct', q{CREATE POLICY p ON activityfeed.history_item AS RESTRICTIVE FOR UPDATE TO service USING (app_id <> 'secret')});
is(written_by_statement($heartbeat, before => 'SET ROLE service'), 'history_item', 'a policy that somebody added: a statement');
$node->safe_psql('direct', q{DROP POLICY p ON activityfeed.history_item; REVOKE UPDATE ON activityfeed.history_item FROM service});
($result, $out, $err) = $node->psql('direct', "SET ROLE service; SELECT $touch");
like($err, qr/permission denied for table history_item/, 'a service without UPDATE is refused');
$node->safe_psql('direct', 'GRANT UPDATE ON activityfeed.history_item TO service');
is(written_by_statement($deep, before => 'SET ROLE service'), '', 'a deep insert by a service: no statement');
is(written_by_statement($deep, before => "SET activityfeed.user_id = 'v'; SET activityfeed.app_id = 'app'; SET ROLE session"),
	'activity feed history_item', 'a deep insert by a session role: statements with its policies');
for my $case ([ activity => $create ], [ history_item => $begin ], [ history_item => $deep ])
{
	my ($table, $call) = @$case;
	my $policy = "CREATE POLICY p ON activityfeed.$table AS RESTRICTIVE FOR INSERT TO service WITH CHECK";

	$node->safe_psql('direct', "$policy (app_id <> 'secret')");
	like(written_by_statement($call, before => 'SET ROLE service'), qr/\b$table$/, "a policy for new rows of $table that somebody added: a statement");
	($result, $out, $err) = $node->psql('direct', "SET ROLE service; SELECT $call; RESET ROLE; DROP POLICY p ON activityfeed.$table; $policy (app_id <> 'app'); SET ROLE service; SELECT $call");
	like($err, qr/violates row-level security policy "p" for table "$table"/, "one that is made in the middle of a session: refused");
	$node->safe_psql('direct', "DROP POLICY p ON activityfeed.$table");
}
$node->safe_psql('direct', 'REVOKE INSERT ON activityfeed.activity FROM service');
($result, $out, $err) = $node->psql('direct', "SET ROLE service; SELECT $create");
like($err, qr/permission denied for table activity/, 'a service without INSERT is refused');
$node->safe_psql('direct', 'GRANT INSERT ON activityfeed.activity TO service');
($result, $out, $err) = $node->psql('direct', "CREATE PUBLICATION p FOR TABLE activityfeed.feed; ALTER TABLE activityfeed.feed REPLICA IDENTITY NOTHING; SELECT $put");
like($err, qr/cannot update table "feed" because it does not have a replica identity/, 'a publication without a replica identity is told');
$node->safe_psql('direct', 'DROP PUBLICATION p; ALTER TABLE activityfeed.feed REPLICA IDENTITY DEFAULT');

#
# Indexes, wide rows, subtransactions.
#

$node->safe_psql('direct', q{
	CREATE INDEX exact ON activityfeed.history_item (user_id, last_modified_date_time);
	CREATE INDEX newest ON activityfeed.activity (history_change_number);
	CREATE INDEX clock ON activityfeed.feed (last_modified_date_time)});
is(written_by_statement($heartbeat), '', 'more indexes: no statement');
$node->safe_psql('direct', q{
	SELECT count(activityfeed.upsert_activity('wide', 'app', document(i::text, sessions(3)))) FROM generate_series(1, 50) i;
	DO $$
	BEGIN
		FOR i IN 1 .. 3000 LOOP
			PERFORM activityfeed.touch_history_item('wide', 'app', activityfeed.activity_id('app', (i % 50 + 1)::text), session_id(i % 3 + 1));
			PERFORM activityfeed.upsert_activity('wide', 'app', wide_document((i % 50 + 1)::text)) WHERE i % 10 = 0;
			IF i % 7 = 0 THEN COMMIT; END IF;
		END LOOP;
	END $$});
is($node->safe_psql('direct', q{SELECT count(*) FROM pg_class i JOIN pg_index x ON x.indexrelid = i.oid, bt_index_check(i.oid, true)
	WHERE i.relnamespace = 'activityfeed'::regnamespace}), 13, 'every index has every row');
is( $node->safe_psql('direct', q{SELECT count(*), count(*) FILTER (WHERE (SELECT count(*) FROM activityfeed.history_items(user_id, app_id, id)) = 3), min(length(content_info::text))
	FROM activityfeed.activity WHERE user_id = 'wide'}), '50|50|60015', 'wide values stay');
is(broken_feeds($node, 'direct'), '', 'the feeds are as they have to be');
($result, $out, $err) = $node->psql('direct', "CREATE UNIQUE INDEX only_one ON activityfeed.activity (user_id, app_display_name) NULLS NOT DISTINCT WHERE user_id = 'one'; SELECT activityfeed.upsert_activity('one', 'app', document(k)) FROM (VALUES ('a'), ('b')) v (k)");
like($err, qr/duplicate key value violates unique constraint "only_one"/, "somebody's unique index is heeded");
$node->safe_psql('direct', 'DROP INDEX activityfeed.only_one');

# A row that is there is not inserted and taken back.
sub inserted
{
	my ($table, @calls) = @_;
	my $run = join '', map { "SELECT $_ \\g /dev/null\n" } @calls;

	return $node->safe_psql('direct', "BEGIN; $run SELECT pg_stat_get_xact_tuples_inserted('activityfeed.$table'::regclass)");
}

my $once = "activityfeed.upsert_activity('once', 'app', document('a', sessions(5)))";
is(inserted('activity', $once, $once), 1, 'an activity that is there: one row was inserted');
is(inserted('activity', $once, "activityfeed.delete_activity('once', 'app', activityfeed.activity_id('app', 'a'))", $once), 1, 'a tombstone that becomes an activity: one');
is(inserted('history_item', $once, $once), 5, 'sessions that are there: one row each');

my $feed = q{(SELECT change_number FROM activityfeed.feed WHERE user_id = 'u')};
is($node->safe_psql('direct', qq{
	CREATE TEMP TABLE before AS SELECT $feed AS n;
	BEGIN; SAVEPOINT s; SELECT $touch \\g /dev/null
	ROLLBACK TO s; SELECT $touch \\g /dev/null
	SELECT $touch \\g /dev/null
	COMMIT; SELECT $feed - n FROM before}), '2', 'what is rolled back to a savepoint was not written');

done_testing();

# Inserts without the executor (src/direct_insert.c): many rows at once, and
# rows whose keys somebody else has inserted meanwhile.  Where the log is for
# logical decoding, they go another way, and leave the same.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use Test::More;

my $node = start_server('direct_insert', "autovacuum = off\nwal_level = replica");

create_direct_and_statements($node);
$node->safe_psql('statements', join '', map {
		"CREATE TRIGGER noted AFTER INSERT OR UPDATE ON activityfeed.$_ FOR EACH ROW EXECUTE FUNCTION do_nothing();"
} qw(feed activity history_item));
$node->safe_psql('direct', 'CREATE EXTENSION pg_walinspect');
$node->safe_psql($_, q{
	-- Sessions of these numbers, which tell how long they were.
	CREATE FUNCTION numbered(VARIADIC numbers int[]) RETURNS json LANGUAGE sql AS $$
		SELECT json_agg(json_build_object('id', session_id(n), 'startedDateTime', '2026-01-01T00:00:00Z',
			'lastActiveDateTime', to_char(timestamp '2026-01-01' + i * interval '1 s', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) ORDER BY i)
		FROM unnest(numbers) WITH ORDINALITY u (n, i)
	$$;
	CREATE FUNCTION range(first int, last int) RETURNS int[] LANGUAGE sql RETURN ARRAY(SELECT generate_series(first, last));
	-- Sessions of these numbers of an activity that is not there.
	CREATE FUNCTION orphans(key text, VARIADIC numbers int[]) RETURNS void LANGUAGE sql AS $$
		SET LOCAL session_replication_role = replica;
		INSERT INTO activityfeed.history_item (user_id, activity_id, id, app_id, started_date_time, active_duration_given,
			status, created_date_time, last_modified_date_time, expiration_date_time, change_number)
		SELECT 'u', activityfeed.activity_id('app', key), session_id(n), 'app', now(), false,
			'active', now(), now(), now() + interval '30 days', 1 FROM unnest(numbers) n;
		SET LOCAL session_replication_role = origin;
	$$;
	CREATE FUNCTION insert(key text, sessions json, who text DEFAULT 'u') RETURNS text LANGUAGE sql
	RETURN without_clock(activityfeed.upsert_activity(who, 'app', document(key, sessions))::json)}) for 'direct', 'statements';

# The records of the log that calls leave.
sub records
{
	my ($name, @calls) = @_;
	my $run = join '', map { "SELECT $_ \\g /dev/null\n" } @calls;

	return $node->safe_psql('direct', qq{SELECT insert('plans', sessions(3), 'v') \\g /dev/null
		SELECT pg_current_wal_insert_lsn() AS begin \\gset
		$run
		SELECT pg_switch_wal() AS "end" \\gset
		SELECT count(*) FROM pg_get_wal_records_info(:'begin', :'end') WHERE resource_manager || ' ' || record_type LIKE '$name%'});
}

sub counted
{
	my ($what, @calls) = @_;
	my $run = join '', map { "SELECT $_ \\g /dev/null\n" } @calls;

	return $node->safe_psql('direct', "BEGIN; $run SELECT pg_stat_get_xact_tuples_$what('activityfeed.history_item'::regclass)");
}

# The same calls in both databases.
sub same_calls
{
	my ($name, @calls) = @_;
	my $run = join '', map { "SELECT $_;\n" } @calls;
	my ($direct, $statements) = map { [ split /\n/, $node->safe_psql($_, "$run SELECT * FROM rows_without_clock") ] } 'direct', 'statements';
	my ($first) = grep { ($direct->[$_] // '') ne ($statements->[$_] // '') } 0 .. $#$statements;

	ok(!defined $first && @$direct == @$statements, "$name: the same answers and rows")
	  or diag(defined $first ? "direct:     $direct->[$first]\nstatements: $statements->[$first]" : 'more rows');
	return;
}

sub everything_as_by_statements
{
	my ($level) = @_;

	# More than are written at once; what was there; and what a document says twice.
	same_calls("$level: many sessions", qq{insert('$level many', numbered(VARIADIC range(1, 200)))});
	same_calls("$level: some of them are there", qq{insert('$level some', numbered(VARIADIC range(60, 70)))},
		qq{insert('$level some', numbered(VARIADIC range(1, 200)))}, qq{insert('$level some', numbered(VARIADIC range(1, 210)))});
	same_calls("$level: one session twice", qq{insert('$level twice', numbered(1, 2, 3, 2, 4))}, qq{insert('$level twice', numbered(5, 5))},
		qq{insert('$level twice', numbered(6, 7, 8, 9, 6))}, qq{insert('$level twice 2', numbered(1, 1, 1, 1, 2))});
	same_calls("$level: one twice, the second long after the first", qq{insert('$level far', numbered(VARIADIC range(1, 150) || 1 || range(151, 170) || 65))},
		qq{insert('$level far', numbered(VARIADIC range(171, 300) || 171))});

	# Which is found when it is inserted.
	same_calls("$level: sessions that are there before their activity", qq{orphans('$level orphans', 2, 90)},
		qq{insert('$level orphans', numbered(VARIADIC range(1, 100)))}, qq{orphans('$level one', 1)}, qq{insert('$level one', numbered(1))});

	is($node->safe_psql('direct', q{SELECT count(*) FROM pg_class i JOIN pg_index x ON x.indexrelid = i.oid, bt_index_parent_check(i.oid, true, true)
		WHERE i.relnamespace = 'activityfeed'::regnamespace}), 14, "$level: every index has every row");
	is(broken_feeds($node, $_), '', "$level: the feeds of $_ are as they have to be") for 'direct', 'statements';
	return;
}

# Partial indexes: what is null leaves a row out, or does not.
$node->safe_psql('direct', q{
	CREATE INDEX one ON activityfeed.activity (id) WHERE history_bucket IS NULL;
	CREATE INDEX two ON activityfeed.activity (id) WHERE status = 'updated' OR history_bucket IS NOT NULL;
	CREATE INDEX three ON activityfeed.activity (id) WHERE activity IS DISTINCT FROM NULL;
	CREATE INDEX four ON activityfeed.history_item (id) WHERE last_active_date_time IS NOT NULL AND user_timezone IS NULL;
	SELECT insert('without', NULL, 'w'), insert('with', sessions(5), 'w'), insert('with times', numbered(1, 2, 3), 'w')});

# Of a session that a document names twice, no other index complains: one that
# is made anew has the same key, and somebody's own may have a part of it.
sub unique_as_by_statements
{
	my ($level) = @_;

	for my $database ('direct', 'statements')
	{
		my $other = $node->background_psql($database);

		$other->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM activityfeed.history_item LIMIT 0');
		# which waits for that one, when all insert into it
		$node->psql($database, q{SET lock_timeout = '1s'; REINDEX INDEX CONCURRENTLY activityfeed.history_item_pkey});
		is($node->safe_psql($database, q{SELECT indisready, indisvalid FROM pg_index WHERE indexrelid = to_regclass('activityfeed.history_item_pkey_ccnew')}),
			't|f', "$level: $database has the key's index twice");
		$other->quit;
	}
	same_calls("$level: one session twice while the key's index is made anew", qq{insert('$level anew', numbered(1, 2, 3, 2, 4))},
		qq{insert('$level anew', numbered(5, 6, 7, 6, 8))}, qq{insert('$level anew 2', numbered(VARIADIC range(1, 80) || 70))});
	$node->safe_psql($_, 'DROP INDEX activityfeed.history_item_pkey_ccnew') for 'direct', 'statements';
	for my $rule ('UNIQUE (user_id, activity_id, id, started_date_time)', 'EXCLUDE USING btree (user_id WITH =, activity_id WITH =, id WITH =)')
	{
		$node->safe_psql($_, "ALTER TABLE activityfeed.history_item ADD CONSTRAINT mine $rule") for 'direct', 'statements';
		same_calls("$level: one session twice, $rule", qq{insert('$level $rule', numbered(1, 2, 3, 2, 4))}, qq{insert('$level $rule', numbered(5, 6, 7, 6, 8))});
		$node->safe_psql($_, 'ALTER TABLE activityfeed.history_item DROP CONSTRAINT mine') for 'direct', 'statements';
	}
	return;
}

everything_as_by_statements('replica');
unique_as_by_statements('replica');
is(records('Heap INSERT', q{insert('records', sessions(20), 'v')}), 0, 'rows go into the log together');
is(records('Heap2 MULTI_INSERT', q{insert('records 2', sessions(20), 'v')}) <= 4, 1, 'by few records');
is(counted('deleted', q{insert('counted', sessions(20), 'v')}, q{insert('counted', sessions(30), 'v')}), 0, 'nothing is taken back that was looked for');
is(counted('deleted', q{insert('counted', numbered(1, 2, 3, 2), 'v')}), 1, 'what is said twice is taken back');

$node->append_conf('postgresql.conf', 'wal_level = logical');
$node->restart;
everything_as_by_statements('logical');
unique_as_by_statements('logical');
is(records('Heap2 MULTI_INSERT', q{insert('records 3', sessions(20), 'v')}), 0, 'with logical decoding, one at a time');
is(records('Heap HEAP_CONFIRM', q{insert('records 4', sessions(20), 'v')}), 21, 'each confirmed');

done_testing();

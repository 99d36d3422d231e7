# A heartbeat is the most frequent write there is, and what it moves is indexed
# by bucket only, so that nearly every one is a HOT update: no index is
# written, none grows, and dead rows go without a vacuum.  One index on what
# moves, or one such column in a predicate, and this is lost without any other
# test noticing.
#
# 256 users with three live sessions each, 40 000 heartbeats with a commit
# each, and no vacuum.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $users = 256;
my $heartbeats = 40_000;
my $clients = 4;
my $node = start_server('hot', 'autovacuum = off');

create_document($node);
create_sessions($node);
$node->safe_psql(
	'postgres', qq{
	SELECT count(activityfeed.upsert_activity('user ' || u, 'app',
		document('activity ' || s, json_build_array(json_build_object(
			'id', md5(s::text)::uuid, 'startedDateTime', '2026-01-01T00:00:00Z')))))
	FROM generate_series(1, $users) u, generate_series(1, 3) s});

# Sessions that have ended, but not yet told what they did, are waited for.
sub statistics
{
	$node->poll_query_until('postgres', q{
		SELECT count(*) = 0 FROM pg_stat_activity
		WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()})
	  or die 'sessions did not end';
	my %rows = map { my ($table, @counts) = split /\|/; $table => \@counts }
	  split /\n/, $node->safe_psql('postgres', q{
		SELECT relname, n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables
		WHERE schemaname = 'activityfeed'});
	return \%rows;
}

sub index_pages
{
	return $node->safe_psql('postgres', q{
		SELECT sum(pg_relation_size(indexrelid)) / current_setting('block_size')::int
		FROM pg_stat_user_indexes WHERE schemaname = 'activityfeed'});
}

my $before = statistics();
my $pages = index_pages();

$node->pgbench(
	"--no-vacuum --client=$clients --jobs=2 --protocol=prepared --transactions="
	  . $heartbeats / $clients,
	0,
	[qr{actually processed: $heartbeats/$heartbeats}],
	[qr{^$}],
	'heartbeats',
	{   'heartbeat' => qq{
			\\set user random(1, $users)
			\\set session random(1, 3)
			SELECT activityfeed.touch_history_item('user ' || :user, 'app',
				activityfeed.activity_id('app', 'activity ' || :session),
				md5(:session::text)::uuid);
		} });

my $after = statistics();
my %updates;
my %not_hot;

for my $table (qw(feed activity history_item))
{
	$updates{$table} = $after->{$table}[0] - $before->{$table}[0];
	$not_hot{$table} = $updates{$table} - ($after->{$table}[1] - $before->{$table}[1]);
	is($updates{$table}, $heartbeats, "every heartbeat updates $table once");
}
cmp_ok($not_hot{activity} + $not_hot{history_item}, '<=', 6 * $heartbeats / 100,
	"at most 6 updates of activity ($not_hot{activity}) and history_item"
	. " ($not_hot{history_item}) in 100 heartbeats are not HOT");
cmp_ok($not_hot{feed}, '<=', $heartbeats / 100, "99 % of feed's updates are HOT, $not_hot{feed} are not");

# The change of a bucket writes a new entry, which may split a page; 600 of
# them in each of two indexes come to some 6 pages, 40 000 heartbeats in a
# single index to 300.
my $grown = index_pages() - $pages;
cmp_ok($grown, '<=', 20, "the indexes have not grown but by $grown pages");

# To remove dead versions writes a record for each page.  It is done when a page
# needs the room, and not after each of the three updates of a heartbeat.
my $lsn = $node->safe_psql('postgres', 'CREATE EXTENSION pg_walinspect; SELECT pg_current_wal_insert_lsn()');
$node->safe_psql('postgres', q{
	DO $$
	BEGIN
		FOR i IN 1 .. 400 LOOP
			PERFORM activityfeed.touch_history_item('user ' || i % 200 + 1, 'app',
				activityfeed.activity_id('app', 'activity 1'), md5('1')::uuid);
			COMMIT;
		END LOOP;
	END $$});
my $pruned = $node->safe_psql('postgres', qq{
	SELECT count(*) FROM pg_get_wal_records_info('$lsn', pg_current_wal_flush_lsn())
	WHERE record_type LIKE 'PRUNE%'});
cmp_ok($pruned, '>', 0, 'pages are pruned where they have to be');
cmp_ok($pruned, '<=', 400, "400 heartbeats prune $pruned pages");

# Half of a page of feeds is free: to use up all that room would leave as many dead
# versions as there are rows, and autovacuum comes for a fifth.
$node->safe_psql('postgres', 'CREATE EXTENSION pageinspect');
my $free = $node->safe_psql('postgres', q{
	SELECT min(100 * (h.upper - h.lower) / h.pagesize)
	FROM generate_series(0, pg_relation_size('activityfeed.feed') / current_setting('block_size')::int - 1) AS p
		CROSS JOIN page_header(get_raw_page('activityfeed.feed', p::int)) AS h});
cmp_ok($free, '>=', 35, "of each page of feed $free % are free");

# Entries of dead versions go when their page is full, if somebody has seen that
# they are dead.  Nobody reads here but who leaves a bucket, so of three rows
# that leave one, the last sees two.  What the heartbeats have left of room in a
# page is chance, and a full one would lose them: so there are new indexes first.
$node->safe_psql('postgres', 'REINDEX TABLE activityfeed.activity; REINDEX TABLE activityfeed.history_item');
$node->safe_psql('postgres', q{
	SELECT activityfeed.upsert_activity('leaver', 'app', document('activity ' || s,
		json_build_array(json_build_object('id', md5(s::text)::uuid, 'startedDateTime', '2026-01-01T00:00:00Z'))))
	FROM generate_series(1, 3) s});

# of 'leaver' in hexadecimal
sub entries
{
	my ($index, $which) = @_;

	return $node->safe_psql('postgres', qq{
		SELECT count(*)
		FROM generate_series(1, pg_relation_size('activityfeed.$index') / current_setting('block_size')::int - 1) AS p
			CROSS JOIN bt_page_items('activityfeed.$index', p) AS i
		WHERE $which AND i.data LIKE '%6c 65 61 76 65 72%'});
}

for my $session (1 .. 3)
{
	$node->safe_psql('postgres', qq{
		DO \$\$
		BEGIN
			FOR i IN 1 .. 257 LOOP
				PERFORM activityfeed.touch_history_item('leaver', 'app',
					activityfeed.activity_id('app', 'activity $session'), md5('$session')::uuid);
				COMMIT;
			END LOOP;
		END \$\$});
}
for my $index (qw(activity_history_idx history_item_app_change_idx))
{
	cmp_ok(entries($index, 'i.dead'), '>=', 2, "who leaves a bucket sees who has left it before, in $index");
}

# Who looks for a row by its key comes to its former entries, too, and they are
# dead from then on, unless they come behind the one that counts.  Who adds an
# entry sees all but the newest former one: there would be two for each row.
my $alive = 0;
$alive += entries($_, 'NOT i.dead') for qw(activity_pkey history_item_pkey);
cmp_ok($alive, '<', 12, "who looks for a row sees that its former entries are dead: $alive in two keys of three rows are not");

# In somebody's index thousands may leave one place, and stay while somebody may
# see them.
$node->safe_psql('postgres', 'CREATE INDEX by_status ON activityfeed.history_item (app_id, status)');
my $old = $node->background_psql('postgres');
$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM activityfeed.history_item');
$node->safe_psql('postgres', q{
	CREATE PROCEDURE work(who text) LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM activityfeed.upsert_activity(who, 'busy', document('report', sessions(1)));
		COMMIT;
		PERFORM activityfeed.touch_history_item(who, 'busy', activityfeed.activity_id('busy', 'report'), md5('1')::uuid);
	END $$;
	DO $$ BEGIN FOR i IN 1 .. 400 LOOP CALL work('user ' || i); COMMIT; END LOOP; END $$});
my $read = $node->safe_psql('postgres', q{
	SELECT FROM activityfeed.upsert_activity('another', 'busy', document('report', sessions(1)));
	BEGIN;
	SELECT FROM activityfeed.touch_history_item('another', 'busy', activityfeed.activity_id('busy', 'report'), md5('1')::uuid);
	SELECT pg_stat_get_xact_tuples_returned('activityfeed.by_status'::regclass)});
cmp_ok($read, '>', 0, 'who leaves a place in an index of somebody reads it');
cmp_ok($read, '<=', 256, 'but not all that was there before');
$old->quit;

# A class of operators may lack equality.
$node->safe_psql('postgres', q{
	CREATE OPERATOR FAMILY without_equality USING btree;
	CREATE OPERATOR CLASS without_equality FOR TYPE int8 USING btree FAMILY without_equality AS
		OPERATOR 1 <, OPERATOR 5 >, FUNCTION 1 btint8cmp(int8, int8);
	CREATE INDEX by_number ON activityfeed.history_item (user_id, change_number without_equality)});
is($node->psql('postgres', q{SELECT FROM activityfeed.touch_history_item('another', 'busy', activityfeed.activity_id('busy', 'report'), md5('1')::uuid)}),
	0, 'an index without equality is left alone');

$node->stop;
done_testing();

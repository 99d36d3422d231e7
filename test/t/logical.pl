# Logical replication: a second node that subscribes to the tables answers
# whatever reads as the first one does, after every kind of write.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use Answers;
use PostgreSQL::Test::Utils;
use Test::More;

my $publisher = start_server('publisher', undef, allows_streaming => 'logical');
my $subscriber = start_server('subscriber', undef, allows_streaming => 'logical');
my $tables = $publisher->safe_psql('postgres', q{
	SELECT string_agg(c.oid::regclass::text, ', ' ORDER BY relname) FROM pg_class c
	WHERE relkind = 'r' AND relnamespace = 'activityfeed'::regnamespace});

is($publisher->safe_psql('postgres', q{
	SELECT c.oid::regclass FROM pg_class c LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
	WHERE relkind = 'r' AND relnamespace = 'activityfeed'::regnamespace AND (relreplident <> 'd' OR i.indrelid IS NULL)}),
	'', 'every table has a primary key, which is its replica identity');

# As the README says.
my $readme = slurp_file("$FindBin::RealBin/../../README.md");
my ($publish) = $readme =~ /^(CREATE PUBLICATION feeds .*?;)$/m;
my ($take_over) = $readme =~ /^(SELECT setval\(.*?;)$/m;

create_document($publisher);
create_helpers($_) for $publisher, $subscriber;

# Half of it is there before, and comes with the first copy.
$publisher->safe_psql('postgres', fill_script() . $publish);
$subscriber->safe_psql('postgres', 'CREATE SUBSCRIPTION feeds CONNECTION ' . q{'} . $publisher->connstr . q{ dbname=postgres'} . ' PUBLICATION feeds');
$subscriber->wait_for_subscription_sync($publisher, 'feeds');
is($publisher->safe_psql('postgres', q{
	SELECT string_agg(schemaname || '.' || tablename, ', ' ORDER BY tablename) FROM pg_publication_tables WHERE pubname = 'feeds'}),
	$tables, 'every table is published');
same_answers(answers($subscriber), answers($publisher), 'the first copy answers as the original');

# Waits until the other node has all, and compares.
sub replicated
{
	my ($name, @writes) = @_;

	$publisher->safe_psql('postgres', join ";\n", @writes);
	$publisher->wait_for_catchup('feeds');
	same_answers(answers($subscriber), answers($publisher), "$name: the subscriber answers as the publisher");
	# but for the sequence, which is not replicated
	is(join("\n", grep { !/^\|ids of external/ } split /\n/, broken_feeds($subscriber)), '', "$name: its feeds are whole");
	return;
}

my $cursor = $subscriber->safe_psql('postgres', q{SELECT change_number FROM activityfeed.feed WHERE user_id = 'ada'});
replicated('upserts, heartbeats, tombstones', fill_script());
replicated('one transaction', 'BEGIN', fill_script(), q{SAVEPOINT s; SELECT activityfeed.delete_activity('ada', 'app 1', id(1)); ROLLBACK TO s; COMMIT});
is( $subscriber->safe_psql('postgres', "SELECT * FROM activityfeed.changes('ada', NULL, $cursor, 1000)"),
	$publisher->safe_psql('postgres', "SELECT * FROM activityfeed.changes('ada', NULL, $cursor, 1000)"),
	'a cursor of one is good for the other');
replicated('rows that are large', q{
	SELECT activityfeed.upsert_activity('ada', 'app 1', (document('activity 1')::jsonb || jsonb_build_object('contentInfo',
		(SELECT jsonb_object_agg(n::text, md5(n::text)) FROM generate_series(1, 5000) n)))::json)},
	q{SELECT activityfeed.ignore_activity('ada', 'app 1', id(1)), activityfeed.ignore_activity('ada', 'app 1', id(1), false)},
	q{SELECT activityfeed.upsert_history_item('ada', 'app 1', id(1), item(7), '{"startedDateTime": "2026-01-01T00:00:00Z"}')});
is($subscriber->safe_psql('postgres', q{SELECT length(content_info::text) > 100000 FROM activityfeed.activity WHERE user_id = 'ada' AND id = id(1)}),
	't', 'what an update left alone is kept');
# What is in conflict with it is found when it is inserted: nobody may hear of
# what is taken back then.
replicated('a session that is there before its activity', q{BEGIN}, q{SET LOCAL session_replication_role = replica},
	q{INSERT INTO activityfeed.history_item (user_id, activity_id, id, app_id, started_date_time, active_duration_given, status,
			created_date_time, last_modified_date_time, expiration_date_time, change_number)
		SELECT user_id, id(77), item(7), app_id, started_date_time, active_duration_given, status,
			created_date_time, last_modified_date_time, expiration_date_time, change_number
		FROM activityfeed.history_item WHERE user_id = 'ada' AND activity_id = id(1) AND id = item(7)}, q{COMMIT},
	q{SELECT activityfeed.upsert_activity('ada', 'app 1', document('activity 77',
		(SELECT json_agg(json_build_object('id', item(n), 'startedDateTime', '2026-01-02T00:00:00Z')) FROM generate_series(6, 9) n)))});
is($subscriber->safe_psql('postgres', q{SELECT count(*) FROM activityfeed.history_items('ada', 'app 1', id(77))}), 4, 'all of its sessions are there');
replicated('a purge', q{UPDATE activityfeed.history_item SET expiration_date_time = '2026-01-01' WHERE activity_id = id(10);
	UPDATE activityfeed.activity SET expiration_date_time = '2026-01-01', history_expiration_date_time = '2026-01-01' WHERE id = id(10)},
	'CALL activityfeed.purge()');
is($subscriber->safe_psql('postgres', 'SELECT count(*) FROM activityfeed.activity WHERE id IN (id(8), id(10))'), 0, 'its rows are gone');
replicated('cursors made invalid', q{SELECT activityfeed.invalidate_cursors('grace')});
replicated('a user erased, and begun anew', q{SELECT activityfeed.erase_user('ada')}, fill_script());
replicated('a user erased', q{SELECT activityfeed.erase_user('ada')});
is($subscriber->safe_psql('postgres', q{SELECT (SELECT count(*) FROM activityfeed.feed WHERE user_id = 'ada')
	+ (SELECT count(*) FROM activityfeed.activity WHERE user_id = 'ada') + (SELECT count(*) FROM activityfeed.history_item WHERE user_id = 'ada')}),
	0, 'no row is left');

# The subscriber takes over.  A sequence is not replicated.
$publisher->stop;
$subscriber->safe_psql('postgres', qq{
	ALTER SUBSCRIPTION feeds DISABLE;
	ALTER SUBSCRIPTION feeds SET (slot_name = NONE);
	DROP SUBSCRIPTION feeds;
	$take_over});
create_document($subscriber);
$subscriber->safe_psql('postgres', fill_script());
is(broken_feeds($subscriber), '', 'it can be written to when it takes over');
$subscriber->stop;
done_testing();

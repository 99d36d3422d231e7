# What a purge finds and tells without the executor (src/direct_expired.c,
# src/direct_stale.c and the feed's update in src/purge.c): it does so where it
# may, the rows are those of statements, and whatever somebody adds that reading
# has to heed makes them statements again.
#
# auto_explain tells which statements were executed.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use ActivityFeedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('direct_purge', 'autovacuum = off');

create_direct_and_statements($node);

#
# The same rows go, and the same activities are told.
#

# A user with many activities, and users with few, each with three sessions.
# Activities have entries of several versions in their primary key.
my $load = q{
	CREATE VIEW places AS SELECT user_id, id, row_number() OVER (PARTITION BY user_id ORDER BY id) AS place FROM activityfeed.activity;
	CREATE PROCEDURE let_expire(sessions int[], among text) LANGUAGE plpgsql AS $$ BEGIN
		EXECUTE 'UPDATE activityfeed.history_item h SET expiration_date_time = ''2020-01-01'' FROM places p
			WHERE p.user_id = h.user_id AND p.id = h.activity_id AND (' || among || ') AND h.id = ANY ($1)'
		USING ARRAY(SELECT session_id(n) FROM unnest(sessions) n);
		UPDATE activityfeed.activity a SET history_expiration_date_time = (SELECT max(expiration_date_time)
			FROM activityfeed.history_item h WHERE h.user_id = a.user_id AND h.activity_id = a.id);
	END $$;
	CREATE VIEW rest AS SELECT a.user_id, a.app_activity_id, h.id, h.change_number = a.history_change_number AS is_newest
		FROM activityfeed.activity a LEFT JOIN activityfeed.history_item h ON h.user_id = a.user_id AND h.activity_id = a.id;
	SELECT FROM (VALUES ('few', 5), ('many', 600), ('more', 40), ('one', 1), ('three', 3)) u (name, count), generate_series(1, count) n,
		activityfeed.upsert_activity(name, 'app', document('key' || n, sessions(3)));
	DO $$ BEGIN
		FOR i IN 1 .. 5 LOOP
			UPDATE activityfeed.activity SET user_timezone = repeat('x', 100 * i);
		END LOOP;
	END $$};

# For each round: sessions, the last of which is the newest, and of which
# activities they expire.
my @rounds = (
	[ 'some among many others, and those of few', '{3}', q{p.user_id <> 'many' OR p.place % 100 = 7} ],
	[ 'nearly all',                               '{2,3}', q{p.user_id = 'many' AND p.place % 7 <> 0} ],
	[ 'a few that stand together, then others',   '{1,2,3}', q{p.user_id = 'many' AND (p.place BETWEEN 301 AND 309 OR p.place > 590)} ],
	[ 'older ones, which no activity is told of', '{1}', q{p.user_id = 'more' AND p.place < 30} ],
	[ 'the last ones',                            '{1,2,3}', q{p.place % 2 = 0} ],
	[ 'all',                                      '{1,2,3}', 'true' ]);

# Without the views, types of columns can be changed.
my $drop_views = q{
	ALTER EXTENSION activityfeed DROP VIEW activityfeed.live_activity;
	ALTER EXTENSION activityfeed DROP VIEW activityfeed.live_history_item;
	DROP VIEW activityfeed.live_activity, activityfeed.live_history_item;};

$node->safe_psql($_, $load) for 'direct', 'statements';

# A trigger and other columns: what is found and told has to be by statements.
$node->safe_psql('statements', $drop_views . q{
	ALTER TABLE activityfeed.history_item ALTER user_timezone TYPE varchar(999);
	ALTER TABLE activityfeed.activity ALTER user_timezone TYPE varchar(999);
	CREATE TRIGGER t BEFORE UPDATE ON activityfeed.feed EXECUTE FUNCTION do_nothing()});

# What a purge executes, of: finding items and activities, the test whether a
# newest session has gone, the feed's update.  All is rolled back if before
# begins a transaction.
sub purge
{
	my ($database, $before) = @_;
	my %kinds = (
		items => qr/SELECT h\.user_id[^\n]* FROM activityfeed\.history_item AS h WHERE/,
		activities => qr/SELECT a\.user_id[^\n]* FROM activityfeed\.activity AS a WHERE/,
		newest => qr/SELECT gone\.n /,
		feed => qr/UPDATE activityfeed\.feed AS f SET oldest/);

	my ($out, $err) = statements_of($node, $database, ($before // '') . q{; SELECT 'removed ' || activityfeed.purge_expired()});
	my ($removed) = $out =~ /removed (\d+)/;
	die $err if !defined $removed;
	return ($removed, join ' ', grep { $err =~ /Query Text: $kinds{$_}/ } sort keys %kinds);
}

for my $round (@rounds)
{
	my ($name, $sessions, $among) = @$round;
	my $expire = "CALL let_expire('$sessions', \$\$ $among \$\$)";
	my (%removed, %kinds);

	for my $database ('direct', 'statements')
	{
		my $expired = $node->safe_psql($database, "$expire; SELECT count(*) FROM activityfeed.history_item WHERE expiration_date_time < now()");

		($removed{$database}, $kinds{$database}) = purge($database);
		is($removed{$database}, $expired, "$name: all that had expired, in $database");
		is(broken_feeds($node, $database), '', "$name: the feeds are as they have to be, in $database");
	}
	cmp_ok($removed{direct}, '>', 10, "$name: there are some");
	is($kinds{direct}, '', "$name: no statement finds or tells");
	is($kinds{statements}, 'activities feed items newest', "$name: statements find and tell");
	is($node->safe_psql('direct', 'SELECT * FROM rest ORDER BY 1, 2, 3'),
		$node->safe_psql('statements', 'SELECT * FROM rest ORDER BY 1, 2, 3'), "$name: the same is left");
	is(told($_), 't', "$name: cursors move to the highest number that went, in $_") for 'direct', 'statements';
}

# Sessions have the numbers that follow their activities', and those of all are
# gone in the end.
sub told
{
	my ($database) = @_;

	return $node->safe_psql($database, q{
		SELECT bool_and(f.oldest_change_number = (SELECT max(a.change_number + n) FROM activityfeed.activity a, generate_series(1, 3) n
			WHERE a.user_id = f.user_id AND NOT EXISTS (SELECT FROM activityfeed.history_item h
				WHERE h.user_id = a.user_id AND h.activity_id = a.id AND h.change_number = a.change_number + n)))
		FROM activityfeed.feed f WHERE oldest_change_number > (SELECT min(change_number) FROM activityfeed.activity a WHERE a.user_id = f.user_id)});
}

#
# When a purge finds and tells without statements.
#

$node->safe_psql('direct', q{
	SELECT activityfeed.upsert_activity('u', 'app', document('a', sessions(9)));
	CREATE ROLE service; CREATE ROLE purger;
	GRANT USAGE ON SCHEMA public TO PUBLIC;
	SELECT activityfeed.grant_service('service'), activityfeed.grant_service('purger');} . $drop_views);

my $expire = q{BEGIN; UPDATE activityfeed.history_item SET expiration_date_time = '2020-01-01'
	WHERE user_id = 'u' AND id IN (session_id(8), session_id(9))};

sub statements
{
	my ($before) = @_;
	my ($removed, $kinds) = purge('direct', "$expire; " . ($before // ''));

	die "$removed rows were removed" if $removed != 2;
	return $kinds;
}

is(statements(), '', 'no statement finds or tells');

my @obstacles = (
	[ 'a column of sessions that is not as made', 'items', 'ALTER TABLE activityfeed.history_item ALTER user_timezone TYPE varchar(999)',
		'ALTER TABLE activityfeed.history_item ALTER user_timezone TYPE text' ],
	[ 'a column of activities that is not as made', 'activities newest', 'ALTER TABLE activityfeed.activity ALTER user_timezone TYPE varchar(999)',
		'ALTER TABLE activityfeed.activity ALTER user_timezone TYPE text' ],
	[ 'an index that is not valid', 'items', q{UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'activityfeed.history_item_expiration_idx'::regclass},
		q{UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'activityfeed.history_item_expiration_idx'::regclass} ],
	[ 'an index that knows the time, too', 'items', q{UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'activityfeed.history_item_expiration_idx'::regclass;
		CREATE INDEX i ON activityfeed.history_item (expiration_day, expiration_date_time)},
		q{DROP INDEX activityfeed.i; UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'activityfeed.history_item_expiration_idx'::regclass} ],
	[ 'an index by time', 'items', q{UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'activityfeed.history_item_expiration_idx'::regclass;
		CREATE INDEX i ON activityfeed.history_item (expiration_date_time)},
		q{DROP INDEX activityfeed.i; UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'activityfeed.history_item_expiration_idx'::regclass} ],
	[ 'an index by day, latest first', '', q{UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'activityfeed.history_item_expiration_idx'::regclass;
		CREATE INDEX i ON activityfeed.history_item (expiration_day DESC, id)},
		q{DROP INDEX activityfeed.i; UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'activityfeed.history_item_expiration_idx'::regclass} ],
	[ 'a trigger of the feed', 'feed', 'CREATE TRIGGER t BEFORE UPDATE ON activityfeed.feed EXECUTE FUNCTION do_nothing()',
		'DROP TRIGGER t ON activityfeed.feed' ]);

for my $obstacle (@obstacles)
{
	my ($name, $kinds, $make, $drop) = @$obstacle;

	$node->safe_psql('direct', $make);
	is(statements(), $kinds, "$name: " . ($kinds || 'none'));
	$node->safe_psql('direct', $drop);
	is(statements(), '', "without $name: none");
}

#
# Who may.
#

is(statements('SET ROLE service'), '', 'a service, for whom row security says yes: no statement');
for my $policy ([ 'history_item', 'items' ], [ 'activity', 'activities newest' ], [ 'feed', 'feed' ])
{
	my ($table, $kinds) = @$policy;

	$node->safe_psql('direct', "CREATE POLICY p ON activityfeed.$table AS RESTRICTIVE TO purger USING (user_id <> 'secret')");
	is(statements('SET ROLE purger'), $kinds, "a policy of $table that somebody added: statements");
	is(statements('SET ROLE service; SAVEPOINT s; SELECT activityfeed.purge_expired(); ROLLBACK TO s; SET ROLE purger'),
		$kinds, 'the same in a connection that acted as another role before');
	$node->safe_psql('direct', "DROP POLICY p ON activityfeed.$table");
}
$node->safe_psql('direct', q{CREATE POLICY p ON activityfeed.activity AS RESTRICTIVE TO purger USING (user_id = 'u')});
is(statements('SET ROLE purger'), 'activities newest', 'a policy about a column of the key: statements');
$node->safe_psql('direct', q{
	DROP POLICY p ON activityfeed.activity;
	CREATE POLICY p ON activityfeed.history_item AS RESTRICTIVE TO purger USING (expiration_day > '2000-01-01')});
is(statements('SET ROLE purger'), 'items', 'a policy that the index of days fulfils: a statement');
$node->safe_psql('direct', 'DROP POLICY p ON activityfeed.history_item');
for my $table ('history_item', 'activity', 'feed')
{
	$node->safe_psql('direct', "REVOKE SELECT ON activityfeed.$table FROM service");
	my ($result, $out, $err) = $node->psql('direct', 'SET ROLE service; SELECT activityfeed.purge_expired()');
	like($err, qr/permission denied for table $table/, "a service without SELECT on $table is refused, though nothing has expired");
	$node->safe_psql('direct', "GRANT SELECT ON activityfeed.$table TO service");
}

#
# What is found.
#

is($node->safe_psql('direct', q{
	BEGIN; UPDATE activityfeed.history_item SET expiration_date_time = clock_timestamp() + '1 minute' WHERE user_id = 'u' AND id = session_id(1);
	SELECT activityfeed.purge_expired(); ROLLBACK}), 0, 'a session that expires later in the day stays');
is($node->safe_psql('direct', "$expire; " . q{SELECT activityfeed.purge_expired(1); SELECT activityfeed.purge_expired(1); SELECT activityfeed.purge_expired(1); ROLLBACK}),
	"1\n1\n0", 'not more than were asked for, and what was written in the transaction');

# All of it twice: the second purge comes by what the first has deleted.
$node->safe_psql('direct', q{UPDATE activityfeed.history_item SET expiration_date_time = '2020-01-01' WHERE user_id = 'u' AND id IN (session_id(1), session_id(2), session_id(3))});
is($node->safe_psql('direct', "SELECT activityfeed.purge_expired(2); SELECT activityfeed.purge_expired(2); SELECT activityfeed.purge_expired(2)"), "2\n1\n0",
	'each is removed once');
$node->safe_psql('direct', q{UPDATE activityfeed.history_item SET expiration_date_time = '2020-01-01' WHERE user_id = 'u' AND id = session_id(4)});
is($node->safe_psql('direct', 'SELECT activityfeed.purge_expired(2); SELECT count(*) FROM activityfeed.history_item WHERE user_id = $$u$$'), "1\n5",
	'one that expires afterwards, too');
# A key that is there more than once, before and without a primary key.
my $repeated = q{
	BEGIN; ALTER TABLE activityfeed.history_item DROP CONSTRAINT history_item_activity_fkey;
	ALTER TABLE activityfeed.activity DROP CONSTRAINT activity_pkey%s;
	CREATE TEMP TABLE again ON COMMIT DROP AS SELECT * FROM activityfeed.activity WHERE user_id = 'u';
	ALTER TABLE again DROP change_bucket, DROP history_bucket, DROP expiration_day;
	DO $$ DECLARE columns text; BEGIN
		SELECT string_agg(attname, ', ') INTO columns FROM pg_attribute WHERE attrelid = 'again'::regclass AND attnum > 0 AND NOT attisdropped;
		EXECUTE format('INSERT INTO activityfeed.activity (%%1$s) SELECT %%1$s FROM again, generate_series(1, 3)', columns);
	END $$;
	UPDATE activityfeed.history_item SET expiration_date_time = '2020-01-01' WHERE user_id = 'u' AND id = session_id(9);
	SELECT activityfeed.purge_expired(); ROLLBACK};
for my $key ('', ', ADD CONSTRAINT activity_pkey PRIMARY KEY (user_id, id) DEFERRABLE INITIALLY DEFERRED')
{
	my ($out, $err) = statements_of($node, 'direct', sprintf($repeated, $key));
	my $told = () = $err =~ /Query Text: UPDATE activityfeed\.activity /g;

	is("$out removed, $told told", '1 removed, 1 told',
		'an activity that is there four times is told once' . ($key && ', under a key that is checked later'));
}
# Of two that expire on one day the first goes, which is not the newest and
# expires last.
$node->safe_psql('direct', q{
	SELECT activityfeed.upsert_activity('v', 'app', document('a', sessions(2)));
	UPDATE activityfeed.history_item SET expiration_date_time = '2020-01-01 12:00 UTC' WHERE user_id = 'v' AND id = session_id(1);
	UPDATE activityfeed.history_item SET expiration_date_time = '2020-01-01 06:00 UTC' WHERE user_id = 'v' AND id = session_id(2);
	UPDATE activityfeed.activity SET history_expiration_date_time = '2020-01-01 12:00 UTC' WHERE user_id = 'v'});
is($node->safe_psql('direct', q{SELECT activityfeed.purge_expired(1); SELECT id = session_id(2) FROM activityfeed.history_item WHERE user_id = 'v'}), "1\nt",
	'the session that expires last goes before the newest');
is(broken_feeds($node, 'direct'), '', 'its activity is told');
is($node->safe_psql('direct', q{SELECT count(*) FROM pg_class i JOIN pg_index x ON x.indexrelid = i.oid, bt_index_check(i.oid, true)
	WHERE i.relnamespace = 'activityfeed'::regnamespace}), 10, 'every index has every row');
is(broken_feeds($node, $_), '', "$_: the feeds are as they have to be") for 'direct', 'statements';

$node->stop;
done_testing();

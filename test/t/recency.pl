# Recency is exact.
#
# The store answers "what was used last" from two columns that every write to
# the history keeps up to date, and from an index by buckets.  A generated
# history of several users and apps tries each way of going wrong: sessions
# that are put, touched, lowered in their expiration, deleted and put again,
# activities that are replaced, hidden, shown, deleted and that expire, and
# transactions that roll back.  At every 100th step the lists are compared, row
# for row and member for member, with what the tables say by definition; and
# each activity's own columns with its sessions.  Expirations pass all the time.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use Test::More;
use ActivityFeedTest;

my $seed = 0.20210;
my $steps = 5000;
my $node = start_server('recency');
create_document($node);
create_invariants($node);

$node->safe_psql(
	'postgres', q{
	CREATE FUNCTION below(n int) RETURNS int LANGUAGE sql VOLATILE AS $$
		SELECT floor(n * random())::int
	$$;

	-- A session; two in five expire soon.
	CREATE FUNCTION session(id uuid) RETURNS json
	LANGUAGE plpgsql VOLATILE AS $$
	DECLARE
		started timestamptz := clock_timestamp() - random() * interval '1 day';
		dice float8 := random();
		expiration timestamptz;
	BEGIN
		IF dice < 0.4 THEN
			expiration := clock_timestamp() + interval '0.2 s' + random() * interval '3 s';
		ELSIF dice < 0.6 THEN
			expiration := clock_timestamp() + random() * interval '60 days' + interval '1 min';
		END IF;
		RETURN json_build_object('id', id, 'startedDateTime', started,
			'lastActiveDateTime',
			CASE WHEN random() < 0.5 THEN started + interval '1 min' END,
			'expirationDateTime', expiration);
	END
	$$;

	-- One write.  Returns what it was and whether it found what it needs.
	CREATE FUNCTION step() RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		u text := 'user ' || below(3);
		app text := 'app ' || below(3);
		key text := 'activity ' || floor(40 * random() * random());
		activity bigint := activityfeed.activity_id(app, key);
		id uuid := md5(below(4)::text)::uuid;
		sessions json := json_build_array(session(id), session(md5(below(4)::text)::uuid));
		dice float8 := random();
		kind text;
		done boolean := true;
	BEGIN
		kind := CASE
			WHEN dice < 0.20 THEN 'upsert'
			WHEN dice < 0.30 THEN 'deep insert'
			WHEN dice < 0.50 THEN 'put'
			WHEN dice < 0.75 THEN 'touch'
			WHEN dice < 0.85 THEN 'delete session'
			WHEN dice < 0.90 THEN 'delete'
			WHEN dice < 0.95 THEN 'ignore'
			ELSE 'show' END;
		-- some activities expire soon
		IF key ~ '[789]$' THEN
			PERFORM set_config('activityfeed.retention', '1s', true);
		END IF;
		CASE kind
			WHEN 'upsert' THEN
				PERFORM activityfeed.upsert_activity(u, app, document(key));
			WHEN 'deep insert' THEN
				PERFORM activityfeed.upsert_activity(u, app, document(key, sessions));
			WHEN 'put' THEN
				PERFORM activityfeed.upsert_history_item(u, app, activity, id, sessions -> 0);
			WHEN 'touch' THEN
				PERFORM activityfeed.touch_history_item(u, app, activity, id);
			WHEN 'delete session' THEN
				done := activityfeed.delete_history_item(u, app, activity, id);
			WHEN 'delete' THEN
				done := activityfeed.delete_activity(u, app, activity);
			WHEN 'ignore' THEN
				done := activityfeed.ignore_activity(u, app, activity);
			WHEN 'show' THEN
				done := activityfeed.ignore_activity(u, app, activity, false);
		END CASE;
		RETURN format('%s: %s', kind, done);
	EXCEPTION
		WHEN no_data_found THEN
			RETURN format('%s: f', kind);
		WHEN invalid_parameter_value THEN
			-- the machine was so slow that the expiration is over already
			IF NOT EXISTS (SELECT FROM json_array_elements(sessions) s
					WHERE (s ->> 'expirationDateTime')::timestamptz <= clock_timestamp()) THEN
				RAISE;
			END IF;
			RETURN format('%s: late', kind);
	END
	$$;

	-- The lists by definition, as they are at one time.
	CREATE FUNCTION by_definition(list text, u text, app text, top int, before bigint,
		at timestamptz)
	RETURNS SETOF activityfeed.activity LANGUAGE sql STABLE AS $$
		SELECT a.*
		FROM activityfeed.activity a
			LEFT JOIN (SELECT activity_id, max(change_number) AS newest,
					bool_or(expiration_date_time > at) AS some_left
				FROM activityfeed.history_item
				WHERE user_id = u AND status <> 'deleted'
				GROUP BY activity_id) h ON h.activity_id = a.id
			CROSS JOIN LATERAL (SELECT CASE list WHEN 'recent' THEN h.newest
				ELSE a.change_number END AS number) n
		WHERE a.user_id = u AND (app IS NULL OR a.app_id = app)
			AND a.expiration_date_time > at
			AND a.status::text = CASE list WHEN 'ignored' THEN 'ignored' ELSE 'updated' END
			AND (list <> 'recent' OR h.some_left)
			AND (before IS NULL OR n.number < before)
		ORDER BY n.number DESC LIMIT top
	$$;

	CREATE FUNCTION by_extension(list text, u text, app text, top int, before bigint)
	RETURNS SETOF activityfeed.activity LANGUAGE plpgsql STABLE AS $$
	BEGIN
		IF list = 'recent' THEN
			RETURN QUERY SELECT * FROM activityfeed.recent_activities(u, app, top, before);
		ELSE
			RETURN QUERY SELECT * FROM activityfeed.activities(u, app, top, before,
				ignored => list = 'ignored');
		END IF;
	END
	$$;

	CREATE TABLE outcome (step int, what text);
	CREATE TABLE comparison (step int, list text, u text, app text, top int,
		before bigint, rows int, same boolean);
	CREATE TABLE inconsistency (step int, rows bigint);

	-- Compares one list.  The extension looks at the clock itself, so a
	-- comparison during which something expires is made again.
	CREATE FUNCTION compare(step int, list text, u text, app text, top int, before bigint)
	RETURNS bigint[] LANGUAGE plpgsql AS $$
	DECLARE
		started timestamptz;
		finished timestamptz;
		got activityfeed.activity[];
		wanted activityfeed.activity[];
	BEGIN
		LOOP
			started := clock_timestamp();
			got := ARRAY(SELECT a FROM by_extension(list, u, app, top, before) a);
			finished := clock_timestamp();
			EXIT WHEN NOT EXISTS (SELECT FROM activityfeed.activity a
					WHERE a.user_id = u
						AND a.expiration_date_time BETWEEN started AND finished)
				AND NOT EXISTS (SELECT FROM activityfeed.history_item h
					WHERE h.user_id = u
						AND h.expiration_date_time BETWEEN started AND finished);
		END LOOP;
		wanted := ARRAY(SELECT a FROM by_definition(list, u, app, top, before, started) a);
		INSERT INTO comparison
		VALUES (step, list, u, app, top, before, cardinality(wanted), got = wanted);
		RETURN ARRAY(SELECT CASE list WHEN 'recent' THEN a.history_change_number
			ELSE a.change_number END FROM unnest(wanted) a);
	END
	$$;

	CREATE PROCEDURE compare_all(step int) LANGUAGE plpgsql AS $$
	DECLARE
		list text;
		u text;
		app text;
		numbers bigint[];
	BEGIN
		INSERT INTO inconsistency SELECT step, count(*) FROM broken_invariant;
		FOREACH list IN ARRAY ARRAY['recent', 'activities', 'ignored'] LOOP
			FOREACH u IN ARRAY ARRAY['user 0', 'user 1', 'user 2'] LOOP
				FOREACH app IN ARRAY ARRAY['app 0', 'app 1', 'app 2', NULL] LOOP
					numbers := compare(step, list, u, app, 1000, NULL);
					PERFORM compare(step, list, u, app, top, NULL)
					FROM unnest(ARRAY[1, 5]) top;
					PERFORM compare(step, list, u, app, 7,
						numbers[1 + below(cardinality(numbers))]);
					COMMIT;
				END LOOP;
			END LOOP;
		END LOOP;
	END
	$$;

	-- A transaction for each step; one in thirty is rolled back.
	CREATE PROCEDURE history(seed float8, steps int) LANGUAGE plpgsql AS $$
	DECLARE
		what text;
	BEGIN
		PERFORM setseed(seed);
		FOR i IN 1 .. steps LOOP
			what := step();
			IF random() < 1.0 / 30 THEN
				ROLLBACK;
				what := 'rolled back';
			END IF;
			INSERT INTO outcome VALUES (i, what);
			COMMIT;
			IF i % 100 = 0 THEN
				CALL compare_all(i);
			END IF;
		END LOOP;
	END
	$$;

	-- Gives every app of every user an activity whose only session, and one
	-- whose newest session, expires soon.
	CREATE PROCEDURE expire_in(distance interval) LANGUAGE plpgsql AS $$
	DECLARE
		soon json := json_build_object('startedDateTime', clock_timestamp(),
			'expirationDateTime', clock_timestamp() + distance);
		late json := json_build_object('startedDateTime', clock_timestamp());
	BEGIN
		PERFORM activityfeed.delete_activity(u, app, activityfeed.activity_id(app, key)),
			activityfeed.upsert_activity(u, app, document(key, sessions))
		FROM unnest(ARRAY['user 0', 'user 1', 'user 2']) u,
			unnest(ARRAY['app 0', 'app 1', 'app 2']) app,
			(VALUES ('only soon', json_build_array(soon)),
				('late, soon', json_build_array(late, soon))) v (key, sessions);
	END
	$$;

	CREATE VIEW listed AS
		SELECT app_activity_id AS key, count(*)
		FROM unnest(ARRAY['user 0', 'user 1', 'user 2']) u,
			activityfeed.recent_activities(u, NULL, 1000)
		WHERE app_activity_id LIKE '%soon'
		GROUP BY 1 ORDER BY 1;
	});

# No comparison up to now has failed, and no row is wrong.
sub all_is_well
{
	my ($name) = @_;

	is( $node->safe_psql(
			'postgres',
			'SELECT step, list, u, app, top, before FROM comparison WHERE same IS NOT TRUE LIMIT 10'),
		'',
		"lists are what they are by definition, $name");
	is( $node->safe_psql(
			'postgres', 'SELECT * FROM inconsistency WHERE rows > 0 LIMIT 10'),
		'',
		"activities know their newest session and latest expiration, $name");
	return;
}

$node->safe_psql('postgres', "CALL history($seed, $steps)");
all_is_well("at every 100th of $steps steps, seed $seed");

note($node->safe_psql('postgres', $_))
  foreach (
	'SELECT what, count(*) FROM outcome GROUP BY 1 ORDER BY 1',
	'SELECT list, count(*), max(rows), sum(rows) FROM comparison GROUP BY 1');

# The history must have been one: each kind of write found its row now and
# then, and now and then did not.
is( $node->safe_psql(
		'postgres', q{
		SELECT what, count(*) FROM outcome WHERE what NOT LIKE '%late'
		GROUP BY 1 HAVING count(*) >= 20 ORDER BY 1}) =~ s/\|\d+//gr,
	join("\n",
		'deep insert: t', 'delete session: f', 'delete session: t',
		'delete: f', 'delete: t', 'ignore: f',
		'ignore: t', 'put: f', 'put: t',
		'rolled back', 'show: f', 'show: t',
		'touch: f', 'touch: t', 'upsert: t'),
	'writes of every kind were made');
is( $node->safe_psql(
		'postgres', q{
		SELECT list, max(rows) >= 5, count(*) FILTER (WHERE rows > 0) > 100
		FROM comparison GROUP BY 1 ORDER BY 1}),
	"activities|t|t\nignored|t|t\nrecent|t|t",
	'lists that were compared had rows');

# Lists before and after a time at which sessions expire.  A machine that is too
# slow for a distance gets a longer one.
my $before;
foreach my $distance (2, 10, 60)
{
	$node->safe_psql('postgres', "CALL expire_in('$distance s')");
	$node->safe_psql('postgres', "CALL compare_all($steps + 1)");
	$before = $node->safe_psql('postgres', 'SELECT * FROM listed');
	last if $before =~ /only soon/;
}
is($before, "late, soon|9\nonly soon|9",
	'activities are listed until their sessions expire');
all_is_well('before sessions expire');

$node->poll_query_until(
	'postgres', q{
	SELECT max(h.expiration_date_time) < clock_timestamp()
	FROM activityfeed.history_item h JOIN activityfeed.activity a
		ON a.user_id = h.user_id AND a.id = h.activity_id
	WHERE a.app_activity_id = 'only soon'}) or die 'sessions do not expire';
$node->safe_psql('postgres', "CALL compare_all($steps + 2)");
is($node->safe_psql('postgres', 'SELECT * FROM listed'),
	'late, soon|9',
	'an activity with no unexpired session is not recent, one with another session is');
all_is_well('after sessions expired');
is( $node->safe_psql(
		'postgres', q{
		SELECT count(*) > 10 FROM activityfeed.activity
		WHERE status <> 'deleted' AND expiration_date_time < clock_timestamp()
		UNION ALL
		SELECT count(*) > 100 FROM activityfeed.history_item
		WHERE status <> 'deleted' AND expiration_date_time < clock_timestamp()}),
	"t\nt",
	'expired activities and sessions were among the rows');

$node->stop;
done_testing();

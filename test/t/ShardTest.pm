# What the tests of a feed on several machines share: the same seeded calls are
# made through them and in one database, and what is answered must be equal.

package ShardTest;

use strict;
use warnings;

use Exporter 'import';
use Test::More;

our @EXPORT = qw(create_calls make_calls compare_answers);

# make_calls(): what "users" users do, the same in every database; functions
# are those of the search_path.  Answers go to table answer, without what
# differs from run to run: times of the clock are left out, and change numbers
# are counted from the user's first.
my $calls = <<'SQL';
CREATE TABLE answer (user_id text, step int, call text, answer text, PRIMARY KEY (user_id, step));

CREATE FUNCTION plain(answer jsonb, first bigint) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	name text;
BEGIN
	IF jsonb_typeof(answer) = 'array' THEN
		RETURN (SELECT jsonb_agg(plain(e, first) ORDER BY n) FROM jsonb_array_elements(answer) WITH ORDINALITY t (e, n));
	ELSIF jsonb_typeof(answer) <> 'object' THEN
		RETURN answer;
	END IF;
	answer := answer - ARRAY['created_date_time', 'last_modified_date_time', 'expiration_date_time',
		'history_expiration_date_time', 'expiration_day', 'change_bucket', 'history_bucket',
		'createdDateTime', 'lastModifiedDateTime', 'expirationDateTime'];
	FOREACH name IN ARRAY ARRAY['change_number', 'created_change_number', 'history_change_number'] LOOP
		IF answer -> name <> 'null' THEN
			answer := answer || jsonb_build_object(name, (answer ->> name)::bigint - first);
		END IF;
	END LOOP;
	RETURN (SELECT jsonb_object_agg(key, plain(value, first)) FROM jsonb_each(answer));
END
$$;

CREATE FUNCTION document(key text, step int, sessions json) RETURNS json LANGUAGE sql AS $$
	SELECT json_build_object('appActivityId', key, 'activitySourceHost', 'https://www.example.com',
		'activationUrl', CASE WHEN step % 9 > 0 THEN 'example:' || step END,
		'visualElements', json_build_object('displayText', key || ' «' || step || '» \" \'),
		'contentInfo', json_build_object('step', step, 'exact', 12345678901234567890.50), 'historyItems', sessions)
$$;

-- The nth call: one of all kinds, with arguments that hit and miss.
CREATE FUNCTION call(n int, step int, who text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	app text := 'app ' || n % 2;
	key text := 'key ' || n / 2 % 5;
	id bigint := activityfeed.activity_id(app, key);
	session uuid := md5(concat_ws(' ', who, n / 16 % 3))::uuid;
	started timestamptz := timestamptz '2025-01-01 00:00:00.5Z' + make_interval(mins => step);
	item text := json_build_object('startedDateTime', started);
	arguments text := format('%L, %L, %s', who, app, id);
	every text := format('%L, %s', who, CASE WHEN n % 3 = 0 THEN 'NULL' ELSE quote_literal(app) END);
BEGIN
	RETURN CASE n / 64 % 20
		WHEN 0 THEN format('upsert_activity(%L, %L, %L)', who, app, document(key, step, NULL))
		WHEN 1 THEN format('upsert_activity(%L, %L, %L::jsonb)', who, app, document(key, step, NULL))
		WHEN 2 THEN format('upsert_activity(%L, %L, %L)', who, app,
			document(key, step, json_build_array(json_build_object('id', session, 'startedDateTime', started))))
		WHEN 3 THEN format('upsert_history_item(%s, %L, %L)', arguments, session, item)
		WHEN 4 THEN format('upsert_history_item(%s, %L, %L)', arguments, session, item)
		WHEN 5 THEN format('upsert_history_item(%s, %L, %L::jsonb)', arguments, session, item)
		WHEN 6 THEN format('touch_history_item(%s, %L, %L)', arguments, session, started)
		WHEN 7 THEN format('touch_history_item(%s, %L, %L)', arguments, session, started - interval '1 day')
		WHEN 8 THEN format('get_activity(%s)', arguments)
		WHEN 9 THEN format('get_history_item(%s, %L)', arguments, session)
		WHEN 10 THEN format('activities(%s, %s)', every, n % 5)
		WHEN 11 THEN format('recent_activities(%s, %s)', every, n % 5)
		WHEN 12 THEN format('history_items(%s)', arguments)
		WHEN 13 THEN format('changes(%s, 0)', every)
		WHEN 14 THEN format('ignore_activity(%s, %L)', arguments, n % 3 > 0)
		WHEN 15 THEN CASE WHEN n % 2 = 0 THEN format('delete_activity(%s)', arguments)
			ELSE format('delete_history_item(%s, %L)', arguments, session) END
		WHEN 16 THEN format('graph_request(%L, %L, %L, %L)', who, app, 'GET', '/me/activities/recent?$expand=historyItems')
		WHEN 17 THEN format('active_time(%s, %L, %L, %L)', every, '2025-01-01', '2025-02-01', 'Asia/Tokyo')
		WHEN 18 THEN format('export_user(%L)', who)
		ELSE CASE WHEN n % 7 > 0 THEN format('changes(%s, %s)', every, n % 2) ELSE format('erase_user(%L)', who) END
	END;
END
$$;

-- All the rows that a call returns, or how it is refused.
CREATE FUNCTION answer_of(call text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	answer jsonb;
BEGIN
	EXECUTE format('SELECT coalesce(jsonb_agg(to_jsonb(r)), ''[]'') FROM %s r', call) INTO answer;
	RETURN answer;
EXCEPTION WHEN OTHERS THEN
	RETURN to_jsonb('refused: ' || SQLSTATE);
END
$$;

CREATE PROCEDURE make_calls(users int, steps int) LANGUAGE plpgsql AS $$
DECLARE
	who text;
	call text;
	first bigint;
	given jsonb;
BEGIN
	FOR u IN 1 .. users LOOP
		who := 'user ' || u || ' ü';
		first := NULL;
		FOR s IN 1 .. steps LOOP
			call := call(('x' || left(md5(u || ' ' || s), 6))::bit(24)::int, s, who);
			given := answer_of(call);
			first := coalesce(first, (given #>> '{0,change_number}')::bigint);
			INSERT INTO answer VALUES (who, s, call, plain(given, first)::text);
			first := CASE WHEN call NOT LIKE 'erase_user%' THEN first END;
		END LOOP;
		COMMIT;
	END LOOP;
END
$$;
SQL

sub create_calls
{
	my ($node, $database) = @_;
	return $node->safe_psql($database, $calls);
}

sub make_calls
{
	my ($node, $database, $search_path, $users, $steps) = @_;
	return $node->safe_psql($database,
		"SET search_path = public, $search_path; SET timezone = 'UTC'; CALL make_calls($users, $steps)");
}

sub answers
{
	my ($node, $database) = @_;
	return split /\n/, $node->safe_psql($database,
		q{SELECT user_id || ' ' || step || ' ' || call, answer FROM answer ORDER BY user_id COLLATE "C", step});
}

# Every call is answered alike, and the calls are such that this means
# something.
sub compare_answers
{
	my ($node, $sharded, $whole) = @_;
	my @sharded = answers($node, $sharded);
	my @whole = answers($node, $whole);
	my @different = grep { $sharded[$_] ne $whole[$_] } 0 .. $#whole;

	is(scalar @sharded, scalar @whole, 'as many answers: ' . scalar @whole);
	is(scalar @different, 0, 'and the same ones');
	diag(sprintf("one machine: %.400s\nshards: %.400s", $whole[$_], $sharded[$_])) foreach grep { defined } @different[ 0 .. 2 ];
	note("$_") foreach answer_kinds($node, $whole);
	return;
}

sub answer_kinds
{
	my ($node, $database) = @_;
	return split /\n/, $node->safe_psql($database,
		q{SELECT split_part(call, '(', 1), count(*), count(*) FILTER (WHERE answer = '[]'),
			count(*) FILTER (WHERE answer LIKE '"refused%') FROM answer GROUP BY 1 ORDER BY 1});
}

1;

-- What isolation specs share.  Each has, as its first setup block:
--   DO $$ BEGIN EXECUTE pg_read_file(current_setting('test.include') || '/isolation.sql'); END $$;
-- test.include is this folder; it comes with PGOPTIONS (see README.md beside
-- the specs).  All is in a schema of its own, which the next
-- spec makes anew.
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS spec CASCADE;
RESET client_min_messages;
CREATE SCHEMA spec;

-- An activity, with sessions to insert with it.
CREATE FUNCTION spec.document(name text, sessions json DEFAULT NULL, key text DEFAULT 'report')
RETURNS json LANGUAGE sql RETURN json_build_object(
	'appActivityId', key, 'activitySourceHost', 'docs.example',
	'activationUrl', 'docs:report', 'historyItems', sessions,
	'visualElements', json_build_object('displayText', name));

-- A session's id.
CREATE FUNCTION spec.guid(n int) RETURNS uuid LANGUAGE sql
RETURN repeat(n::text, 32)::uuid;

-- A session that was so many seconds long, with an id where it is to be
-- inserted with its activity.
CREATE FUNCTION spec.session(seconds int, id uuid DEFAULT NULL) RETURNS json LANGUAGE sql
RETURN json_strip_nulls(json_build_object('id', id, 'startedDateTime', '2024-05-01T10:00:00Z',
	'lastActiveDateTime', to_char(timestamp '2024-05-01 10:00' + make_interval(secs => seconds), 'YYYY-MM-DD"T"HH24:MI:SS"Z"')));

CREATE FUNCTION spec.report(key text DEFAULT 'report') RETURNS bigint LANGUAGE sql
RETURN activityfeed.activity_id('docs', key);

-- Each write as a row of answers, or the SQLSTATE of what it met.
CREATE FUNCTION spec.attempt(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	EXECUTE 'SELECT ' || call INTO answer;
	RETURN answer;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END
$$;
CREATE FUNCTION spec.put(name text, sessions json DEFAULT NULL, key text DEFAULT 'report', who text DEFAULT 'alice') RETURNS text LANGUAGE sql
RETURN spec.attempt(format('CASE WHEN activityfeed.was_created(a) THEN ''created'' ELSE ''replaced'' END
	FROM activityfeed.upsert_activity(%L, ''docs'', spec.document(%L, %L, %L)) a', who, name, sessions, key));
CREATE FUNCTION spec.put_session(n int, seconds int, who text DEFAULT 'alice') RETURNS text LANGUAGE sql
RETURN spec.attempt(format('CASE WHEN activityfeed.was_created(h) THEN ''created'' ELSE ''replaced'' END
	FROM activityfeed.upsert_history_item(%L, ''docs'', spec.report(), spec.guid(%s), spec.session(%s)) h', who, n, seconds));
CREATE FUNCTION spec.touch(n int, seconds int, who text DEFAULT 'alice') RETURNS text LANGUAGE sql
RETURN spec.attempt(format('active_duration_seconds
	FROM activityfeed.touch_history_item(%L, ''docs'', spec.report(), spec.guid(%s), timestamptz ''2024-05-01 10:00Z'' + make_interval(secs => %s))', who, n, seconds));
CREATE FUNCTION spec.remove(key text DEFAULT 'report', who text DEFAULT 'alice') RETURNS text LANGUAGE sql
RETURN spec.attempt(format('activityfeed.delete_activity(%L, ''docs'', spec.report(%L))', who, key));
CREATE FUNCTION spec.remove_session(n int, who text DEFAULT 'alice') RETURNS text LANGUAGE sql
RETURN spec.attempt(format('activityfeed.delete_history_item(%L, ''docs'', spec.report(), spec.guid(%s))', who, n));
CREATE FUNCTION spec.ignore(ignored boolean, who text DEFAULT 'alice') RETURNS text LANGUAGE sql
RETURN spec.attempt(format('activityfeed.ignore_activity(%L, ''docs'', spec.report(), %L)', who, ignored));
CREATE FUNCTION spec.graph(method text, target text, body json DEFAULT NULL) RETURNS text LANGUAGE sql
RETURN spec.attempt(format('(activityfeed.graph_request(''alice'', ''docs'', %L, %L, %L)).status',
	method, replace(target, 'ID', spec.report()::text), body));

-- Lets rows of these keys, or sessions of this id, expire.
CREATE FUNCTION spec.expire(key text) RETURNS void LANGUAGE sql AS $$
	UPDATE activityfeed.history_item SET expiration_date_time = now() - interval '1 second'
	WHERE activity_id = spec.report(key);
	UPDATE activityfeed.activity SET expiration_date_time = now() - interval '1 second',
		history_expiration_date_time = CASE WHEN history_change_number IS NOT NULL THEN now() - interval '1 second' END
	WHERE app_activity_id = key
$$;
CREATE FUNCTION spec.expire_session(n int) RETURNS void LANGUAGE sql AS $$
	UPDATE activityfeed.history_item SET expiration_date_time = now() - interval '1 second'
	WHERE id = spec.guid(n);
	UPDATE activityfeed.activity a SET history_expiration_date_time =
		(SELECT max(expiration_date_time) FROM activityfeed.history_item h
		WHERE h.user_id = a.user_id AND h.activity_id = a.id AND h.status <> 'deleted')
$$;

-- What there is: a row for each activity, with its sessions by their last
-- change; those in brackets are tombstones.
CREATE VIEW spec.state AS
SELECT a.user_id, a.app_activity_id AS key, a.status, a.visual_elements->>'displayText' AS name, h.sessions
FROM activityfeed.activity a
	LEFT JOIN LATERAL (SELECT string_agg(CASE WHEN h.status = 'deleted' THEN '(' || left(h.id::text, 1) || ')'
			ELSE left(h.id::text, 1) || ':' || coalesce(h.active_duration_seconds::text, 'runs') END,
			' ' ORDER BY h.change_number) AS sessions
		FROM activityfeed.history_item h
		WHERE h.user_id = a.user_id AND h.activity_id = a.id) h ON true
ORDER BY a.user_id, a.app_activity_id;

-- broken_invariant, what the tables must not say.
DO $$
BEGIN
	SET LOCAL search_path = spec;
	EXECUTE pg_read_file(current_setting('test.include') || '/invariants.sql');
END
$$;

-- Whether the store keeps what it promises: "ok", or what breaks it.
CREATE FUNCTION spec.invariants() RETURNS text LANGUAGE sql AS $$
	SELECT coalesce('broken: ' || string_agg(concat_ws(', ', user_id, rule, place), '; ' ORDER BY user_id, rule, place), 'ok')
	FROM spec.broken_invariant
$$;

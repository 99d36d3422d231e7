\set ECHO none
-- What the tests by topic share.  Included by each of them:
--   \getenv inputdir PG_ABS_SRCDIR
--   \set prelude :inputdir '/include/prelude.sql'
--   \i :prelude
-- Tests use user ids of their own, so that each can be run alone.
SET client_min_messages = warning;
SET search_path = activityfeed, pg_temp, public;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET intervalstyle = 'postgres';

-- A document that is good, with members changed or added.
CREATE FUNCTION pg_temp.doc(members jsonb DEFAULT '{}') RETURNS json LANGUAGE sql AS $$
	SELECT ('{"appActivityId": "/article?12345", "activitySourceHost": "https://www.contoso.com",
		"activationUrl": "https://www.contoso.com/article?id=12345",
		"visualElements": {"displayText": "How to Tie a Reef Knot"}}'::jsonb || members)::json
$$;

-- A history item that is good, with members changed or added.
CREATE FUNCTION pg_temp.item(members jsonb DEFAULT '{}') RETURNS json LANGUAGE sql AS $$
	SELECT ('{"startedDateTime": "2018-02-26T20:54:04.345Z"}'::jsonb || members)::json
$$;

-- A GUID that is easy to tell.
CREATE FUNCTION pg_temp.guid(n int) RETURNS uuid LANGUAGE sql AS $$
	SELECT ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid
$$;

-- Runs a statement and returns all that a client is told of its error:
-- SQLSTATE, constraint name and column name, message, detail, hint.
CREATE FUNCTION pg_temp.attempt(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	state text;
	kind text;
	path text;
	message text;
	detail text;
	hint text;
BEGIN
	EXECUTE statement;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, kind = CONSTRAINT_NAME, path = COLUMN_NAME,
		message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n', format('%s %s at %s: %s', state, coalesce(nullif(kind, ''), '-'), coalesce(nullif(path, ''), '-'), message),
		'DETAIL: ' || nullif(detail, ''), 'HINT: ' || nullif(hint, ''));
END
$$;

-- The same for one document put as an activity, or as a history item.
CREATE FUNCTION pg_temp.put(document text) RETURNS text LANGUAGE sql AS $$
	SELECT pg_temp.attempt(format('SELECT activityfeed.upsert_activity(''put'', ''app'', %L::json)', document))
$$;
CREATE FUNCTION pg_temp.put_item(document text) RETURNS text LANGUAGE sql AS $$
	SELECT pg_temp.attempt(format('SELECT activityfeed.upsert_history_item(''put'', ''app'',
		activityfeed.activity_id(''app'', ''/article?12345''), pg_temp.guid(1), %L::json)', document))
$$;

-- All that the store holds of a user, as one value: to see that nothing changed.
CREATE FUNCTION pg_temp.everything(principal text) RETURNS text LANGUAGE sql AS $$
	SELECT md5(concat(
		(SELECT string_agg(f::text, ' ') FROM activityfeed.feed f WHERE f.user_id = principal),
		(SELECT string_agg(a::text, ' ' ORDER BY id) FROM activityfeed.activity a WHERE a.user_id = principal),
		(SELECT string_agg(h::text, ' ' ORDER BY id) FROM activityfeed.history_item h WHERE h.user_id = principal)))
$$;

-- Whether all that the store promises of a user's rows is so.
CREATE FUNCTION pg_temp.invariants_hold(principal text) RETURNS boolean LANGUAGE sql AS $$
	WITH row AS (
		SELECT change_number, last_modified_date_time FROM activityfeed.activity WHERE user_id = principal
		UNION ALL
		SELECT change_number, last_modified_date_time FROM activityfeed.history_item WHERE user_id = principal)
	SELECT NOT EXISTS (
		-- numbers are unique within a user, and none is above the feed's
		SELECT FROM row LEFT JOIN activityfeed.feed f ON f.user_id = principal
		GROUP BY row.change_number, f.change_number
		HAVING count(*) > 1 OR f.change_number IS NULL OR row.change_number > f.change_number)
	AND NOT EXISTS (
		-- times rise with numbers
		SELECT FROM (SELECT last_modified_date_time <= lag(last_modified_date_time) OVER (ORDER BY change_number) AS falls FROM row) t
		WHERE falls)
	AND NOT EXISTS (
		-- an activity knows its newest item and its latest expiration
		SELECT FROM activityfeed.activity a
			LEFT JOIN LATERAL (SELECT max(change_number) AS newest, max(expiration_date_time) AS latest
				FROM activityfeed.history_item h
				WHERE h.user_id = a.user_id AND h.activity_id = a.id AND h.status <> 'deleted') h ON true
		WHERE a.user_id = principal AND (a.history_change_number IS DISTINCT FROM h.newest
			OR a.history_expiration_date_time IS DISTINCT FROM h.latest
			OR a.expiration_date_time < h.latest))
	AND NOT EXISTS (
		-- a tombstone has nothing of the client's, and no items
		SELECT FROM activityfeed.activity a
		WHERE a.user_id = principal AND a.status = 'deleted' AND (num_nonnulls(a.activity_source_host, a.activation_url,
				a.app_display_name, a.content_url, a.fallback_url, a.user_timezone, a.visual_elements, a.content_info) > 0
			OR EXISTS (SELECT FROM activityfeed.history_item h WHERE h.user_id = a.user_id AND h.activity_id = a.id)))
	AND NOT EXISTS (
		-- an item belongs to its activity's app, and its status says what it is
		SELECT FROM activityfeed.history_item h
			JOIN activityfeed.activity a ON a.user_id = h.user_id AND a.id = h.activity_id
		WHERE h.user_id = principal AND (h.app_id <> a.app_id
			OR (h.status = 'deleted') <> (h.started_date_time IS NULL)
			OR h.status = 'deleted' AND num_nonnulls(h.last_active_date_time, h.active_duration_seconds, h.user_timezone) > 0
			OR (h.status = 'active') <> (h.status <> 'deleted' AND h.last_active_date_time IS NULL)))
$$;
\set ECHO all

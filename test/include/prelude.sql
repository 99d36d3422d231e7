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
SET search_path = pg_temp;
\set invariants :inputdir '/include/invariants.sql'
\i :invariants
SET search_path = activityfeed, pg_temp, public;
CREATE FUNCTION pg_temp.invariants_hold(principal text) RETURNS boolean LANGUAGE sql AS $$
	SELECT NOT EXISTS (SELECT FROM pg_temp.broken_invariant WHERE user_id = principal)
$$;
\set ECHO all

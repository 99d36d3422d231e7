-- A feed as a web API by PostgREST: functions that take and return JSON, for
-- the user and the app that the token of the request names.  Run it as a
-- superuser in a database that has the extension:
--
--   psql -v ON_ERROR_STOP=1 -f examples/postgrest.sql
--
-- and tell PostgREST:
--
--   db-schemas = "feed_api"
--   db-anon-role = "web_anonymous"
--   db-pre-request = "feed_gate.set_principal"
--
-- It logs in as a role of yours, made by
--   CREATE ROLE ... LOGIN NOINHERIT PASSWORD ...;
--   GRANT web_user, web_anonymous TO ...;
-- Tokens have the claims "role" ("web_user"), "sub" (the user) and "app_id".

BEGIN;

-- web_user is a session role: it reaches the feed of the request's principal
-- and nothing else.  feed_gate is nobody's login; it may choose the principal.
CREATE ROLE web_anonymous;
CREATE ROLE web_user;
CREATE ROLE feed_gate;
SELECT activityfeed.grant_session('web_user');
GRANT SET ON PARAMETER activityfeed.user_id, activityfeed.app_id TO feed_gate;
GRANT USAGE ON SCHEMA activityfeed TO feed_gate;
GRANT EXECUTE ON FUNCTION activityfeed.current_user_id() TO feed_gate;

-- Not among db-schemas: no request can call what is in it.
CREATE SCHEMA feed_gate;
GRANT USAGE ON SCHEMA feed_gate TO web_user, web_anonymous;

-- A claim that is a string and not empty.
CREATE FUNCTION feed_gate.claim(claims json, name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN json_typeof(claims -> name) = 'string' THEN nullif(claims ->> name, '') END;
GRANT EXECUTE ON FUNCTION feed_gate.claim(json, text) TO feed_gate;

-- PostgREST calls it in the transaction of each request, after it has set the
-- role and the claims.  Whatever the claims are, what was before is replaced;
-- with the transaction it goes.
CREATE FUNCTION feed_gate.set_principal() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	claims json := nullif(current_setting('request.jwt.claims', true), '');
	user_id text := feed_gate.claim(claims, 'sub');
	app_id text := feed_gate.claim(claims, 'app_id');
BEGIN
	-- loads the module: until then anybody may set a setting of any name
	PERFORM activityfeed.current_user_id();
	IF user_id IS NULL OR app_id IS NULL THEN
		user_id := '';
		app_id := '';
	END IF;
	PERFORM set_config('activityfeed.user_id', user_id, true);
	PERFORM set_config('activityfeed.app_id', app_id, true);
END
$$;
GRANT USAGE ON SCHEMA feed_gate TO feed_gate;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA feed_gate FROM PUBLIC;
ALTER FUNCTION feed_gate.set_principal() OWNER TO feed_gate;
GRANT EXECUTE ON FUNCTION feed_gate.set_principal() TO web_user, web_anonymous;

-- The user of the request.  PostgREST answers 42501 with 401 or 403.
CREATE FUNCTION feed_gate.user_id() RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF activityfeed.current_user_id() IS NULL THEN
		RAISE insufficient_privilege USING MESSAGE = 'the token names no user and app';
	END IF;
	RETURN activityfeed.current_user_id();
END
$$;
REVOKE ALL ON FUNCTION feed_gate.user_id() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION feed_gate.user_id() TO web_user;

--
-- What requests call: POST /rpc/put_activity {"activity": {...}}
--

CREATE SCHEMA feed_api;
GRANT USAGE ON SCHEMA feed_api TO web_user, web_anonymous;

CREATE FUNCTION feed_api.put_activity(activity json) RETURNS json LANGUAGE sql AS $$
	SELECT a::json FROM activityfeed.upsert_activity(feed_gate.user_id(), activityfeed.current_app_id(), activity) a
$$;

CREATE FUNCTION feed_api.put_history_item(activity_id bigint, history_item_id uuid, history_item json) RETURNS json LANGUAGE sql AS $$
	SELECT h::json FROM activityfeed.upsert_history_item(feed_gate.user_id(), activityfeed.current_app_id(),
		activity_id, history_item_id, history_item) h
$$;

CREATE FUNCTION feed_api.touch_history_item(activity_id bigint, history_item_id uuid) RETURNS json LANGUAGE sql AS $$
	SELECT h::json FROM activityfeed.touch_history_item(feed_gate.user_id(), activityfeed.current_app_id(),
		activity_id, history_item_id) h
$$;

CREATE FUNCTION feed_api.delete_activity(activity_id bigint) RETURNS boolean LANGUAGE sql AS $$
	SELECT activityfeed.delete_activity(feed_gate.user_id(), activityfeed.current_app_id(), activity_id)
$$;

-- {"value": [...], "next": cursor or null}; ids and cursors are strings
CREATE FUNCTION feed_api.recent_activities(top int DEFAULT 20, before text DEFAULT NULL) RETURNS json LANGUAGE sql STABLE AS $$
	SELECT json_build_object(
		'value', coalesce(json_agg(a::json ORDER BY a.history_change_number DESC), '[]'),
		'next', CASE WHEN count(*) = top THEN min(a.history_change_number)::text END)
	FROM activityfeed.recent_activities(feed_gate.user_id(), activityfeed.current_app_id(), top, before::bigint) a
$$;

CREATE FUNCTION feed_api.changes(since text DEFAULT '0', top int DEFAULT 100) RETURNS json LANGUAGE sql STABLE AS $$
	SELECT json_build_object(
		'value', coalesce(json_agg(json_build_object('kind', c.kind, 'activityId', c.activity_id::text,
			'historyItemId', c.history_item_id, 'status', c.status, 'document', c.document) ORDER BY c.change_number), '[]'),
		'next', coalesce(max(c.change_number)::text, since))
	FROM activityfeed.changes(feed_gate.user_id(), activityfeed.current_app_id(), since::bigint, top) c
$$;

-- The documented HTTP surface; the status of the answer is the request's.
CREATE FUNCTION feed_api.graph_request(method text, target text, body json DEFAULT NULL) RETURNS json LANGUAGE sql AS $$
	SELECT CASE WHEN set_config('response.status', r.status::text, true) IS NOT NULL THEN r.body END
	FROM activityfeed.graph_request(feed_gate.user_id(), activityfeed.current_app_id(), method, target, body::text) r
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA feed_api FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA feed_api TO web_user;

COMMIT;

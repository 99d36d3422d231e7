-- Functions in schema feed that call those of activityfeed on the shard of the
-- user, by PL/Proxy.  For the database that applications connect to: it has
-- the extensions activityfeed and plproxy, and a server named feed whose
-- options p0, p1, ... are the shards (their number is a power of two).
--
--   psql -v ON_ERROR_STOP=1 -f examples/plproxy.sql
--
-- Run it again after an update of the extension.

BEGIN;
SET LOCAL search_path = pg_catalog;
CREATE SCHEMA IF NOT EXISTS feed;

-- Where something lives: by the first four bytes of its SHA-256, which are the
-- same in every version of PostgreSQL and in every encoding of a database.
-- PL/Proxy looks at as many bits as it needs.  Never change it while there is
-- data.
CREATE OR REPLACE FUNCTION feed.shard_of(key text) RETURNS int
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN ('x' || encode(substr(sha256(convert_to(key, 'UTF8')), 1, 4), 'hex'))::bit(32)::int;

-- One function for each that begins with the user, or with an external
-- connection and an item; what is for all users runs on all shards, and
-- returns a row for each of them.
DO $$
DECLARE
	f record;
BEGIN
	FOR f IN
		SELECT p.proname AS name, place.key, pg_get_function_arguments(p.oid) AS arguments,
			CASE WHEN place.key = 'ALL' THEN 'SETOF ' ELSE '' END || pg_get_function_result(p.oid) AS result
		FROM pg_proc p
			CROSS JOIN LATERAL (SELECT CASE
				WHEN p.proname IN ('purge_expired', 'invalidate_cursors') THEN 'ALL'
				WHEN p.proargnames[1] = 'user_id' THEN 'feed.shard_of(user_id)'
				WHEN p.proargnames[1] = 'connection_id' THEN 'feed.shard_of(item_id)' END) AS place (key)
		WHERE p.pronamespace = 'activityfeed'::regnamespace AND p.prokind = 'f' AND place.key IS NOT NULL
	LOOP
		EXECUTE format('CREATE OR REPLACE FUNCTION feed.%I(%s) RETURNS %s LANGUAGE plproxy AS %L',
			f.name, f.arguments, f.result,
			format('CLUSTER %L; RUN ON %s; TARGET activityfeed.%I;', 'feed', f.key, f.name));
	END LOOP;
END
$$;

-- graph_json reads the sessions, which are on the shard: what it is there for
-- in a statement of its own, by id.
CREATE OR REPLACE FUNCTION feed.graph_json(user_id text, app_id text, activity_id bigint, history_top int DEFAULT 0)
RETURNS SETOF json LANGUAGE plproxy AS $$
	CLUSTER 'feed';
	RUN ON feed.shard_of(user_id);
	SELECT activityfeed.graph_json(a, history_top) FROM activityfeed.get_activity(user_id, app_id, activity_id) a;
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA feed FROM PUBLIC;
COMMIT;

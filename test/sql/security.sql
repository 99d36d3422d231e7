-- What a session role can do to other principals: nothing
\getenv inputdir PG_ABS_SRCDIR
\set prelude :inputdir '/include/prelude.sql'
\i :prelude
-- A user with two apps, and another user.  What a session of ada and reader
-- must not get to see has SECRET in it.
CREATE ROLE regress_feed_service;
CREATE ROLE regress_feed_session;
SELECT grant_service('regress_feed_service');
SELECT grant_session('regress_feed_session');
GRANT regress_feed_session TO regress_feed_service;
GRANT CREATE ON SCHEMA public TO regress_feed_session;
CREATE FUNCTION pg_temp.fill(user_id text, app_id text, word text) RETURNS void LANGUAGE sql AS $$
	SELECT activityfeed.upsert_activity(user_id, app_id, pg_temp.doc(jsonb_build_object('appActivityId', word || '/1', 'contentInfo', jsonb_build_object('@type', word),
		'historyItems', jsonb_build_array(jsonb_build_object('id', pg_temp.guid(length(word)), 'startedDateTime', '2026-01-01T00:00:00Z',
			'lastActiveDateTime', '2026-01-01T00:01:00Z', 'userTimezone', word)))));
	SELECT activityfeed.upsert_activity(user_id, app_id, pg_temp.doc(jsonb_build_object('appActivityId', word || '/2')))
$$;
SELECT pg_temp.fill('sec ada', 'reader', 'mine');
SELECT pg_temp.fill('sec ada', 'game', 'SECRET of a game');
SELECT pg_temp.fill('sec bob SECRET', 'reader', 'SECRET of bob');
SELECT add_external_activities('c', 'SECRET', '[{"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z"}]') IS NOT NULL AS added;
CREATE TEMP TABLE foreign_id AS
SELECT a.user_id, a.app_id, a.id, a.change_number, h.id AS item_id
FROM activity a JOIN history_item h ON h.user_id = a.user_id AND h.activity_id = a.id
WHERE a.user_id LIKE 'sec %' AND (a.user_id, a.app_id) <> ('sec ada', 'reader');
GRANT SELECT ON foreign_id TO PUBLIC;
-- all that others have
CREATE FUNCTION pg_temp.others() RETURNS text LANGUAGE sql AS $$
	SELECT md5(concat(
		(SELECT string_agg(f::text, ' ' ORDER BY f::text) FROM activityfeed.feed f WHERE f.user_id LIKE 'sec bob%'),
		(SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM activityfeed.activity a WHERE a.user_id LIKE 'sec%' AND (a.user_id, a.app_id) <> ('sec ada', 'reader')),
		(SELECT string_agg(h::text, ' ' ORDER BY h::text) FROM activityfeed.history_item h WHERE h.user_id LIKE 'sec%' AND (h.user_id, h.app_id) <> ('sec ada', 'reader')),
		(SELECT string_agg(e::text, ' ' ORDER BY e::text) FROM activityfeed.external_activity e)))
$$;
CREATE TEMP TABLE before AS SELECT pg_temp.others() AS others;
-- Runs a statement.  Says how many rows it gave or wrote, or what is told of
-- the error, and cries if any of that is of others.
CREATE FUNCTION pg_temp.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	state text;
	message text;
	detail text;
	hint text;
	context text;
	r record;
	rows int := 0;
	leak text := '';
BEGIN
	IF statement ~* '^(SELECT|WITH|TABLE|EXECUTE|FETCH|EXPLAIN|VALUES)' THEN
		FOR r IN EXECUTE statement LOOP
			rows := rows + 1;
			leak := CASE WHEN r::text ~ 'SECRET' THEN ', LEAK' ELSE leak END;
		END LOOP;
	ELSE
		EXECUTE statement;
		GET DIAGNOSTICS rows = ROW_COUNT;
	END IF;
	RETURN format('%s rows%s', rows, leak);
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT,
		context = PG_EXCEPTION_CONTEXT;
	RETURN concat_ws(' / ', state || ' ' || message, nullif(detail, ''),
		CASE WHEN concat(message, detail, hint, regexp_replace(context, 'SQL statement.*', '')) ~ 'SECRET' THEN 'LEAK' END);
END
$$;
-- A call of a function, made of its signature, for a principal and with ids of somebody else's.
CREATE FUNCTION pg_temp.call(function regprocedure, user_id text, app_id text, f foreign_id) RETURNS text LANGUAGE sql AS $$
	SELECT format('SELECT * FROM %s(%s)', proname::text, (
		SELECT string_agg(format('%s', CASE name
			WHEN 'user_id' THEN quote_nullable(user_id)
			WHEN 'app_id' THEN quote_nullable(app_id)
			WHEN 'activity_id' THEN f.id::text
			WHEN 'history_item_id' THEN quote_literal(f.item_id)
			WHEN 'activity' THEN quote_literal(pg_temp.doc('{"appActivityId": "forged"}'))
			WHEN 'history_item' THEN quote_literal(pg_temp.item())
			WHEN 'top' THEN '10'
			WHEN 'history_top' THEN '10'
			WHEN 'since' THEN CASE type WHEN 'int8'::regtype THEN '0' ELSE '''2025-12-01''' END
			WHEN 'until' THEN '''2026-02-01'''
			WHEN 'time_zone' THEN '''UTC'''
			WHEN 'method' THEN '''GET'''
			WHEN 'target' THEN '''/me/activities?$expand=historyItems'''
			WHEN 'last_active' THEN '''2026-01-02'''
			WHEN 'ignored' THEN 'true'
			WHEN 'before_change_number' THEN quote_literal(f.change_number)
			WHEN 'before_history_change_number' THEN quote_literal(f.change_number)
			ELSE 'NULL' END || '::' || type::text), ', ' ORDER BY n)
		FROM unnest(p.proargnames, p.proargtypes::regtype[]) WITH ORDINALITY a (name, type, n) WHERE n <= p.pronargs))
	FROM pg_proc p WHERE p.oid = function
$$;
CREATE FUNCTION pg_temp.functions_of_principals() RETURNS SETOF regprocedure LANGUAGE sql AS $$
	SELECT oid FROM pg_proc WHERE pronamespace = 'activityfeed'::regnamespace AND proargnames[1:2] = '{user_id,app_id}'
$$;
-- A session may make such rows too: it needs no right on the type for that.
CREATE FUNCTION pg_temp.forged(members jsonb) RETURNS activityfeed.activity LANGUAGE sql AS $$
	SELECT jsonb_populate_record(NULL::activityfeed.activity, members)
$$;
SET SESSION AUTHORIZATION regress_feed_service;
SET activityfeed.user_id = 'sec ada';
SET activityfeed.app_id = 'reader';
SET ROLE regress_feed_session;
SET search_path = activityfeed, public;
--
-- Functions
--
-- every one with a principal that is another's, or every app, or nobody
SELECT function, string_agg(DISTINCT pg_temp.try(pg_temp.call(function, p.user_id, p.app_id, f)), E'\n') AS refused
FROM pg_temp.functions_of_principals() function, foreign_id f,
	(VALUES ('sec bob SECRET', 'reader'), ('sec bob SECRET', 'game'), ('sec ada', 'game'), ('SECRET nobody', 'reader'), ('sec ada ', 'reader'), ('Sec ada', 'reader')) p (user_id, app_id)
GROUP BY function ORDER BY function::text COLLATE "C";
SELECT string_agg(DISTINCT left(pg_temp.try(pg_temp.call(function, u, NULL, f)), 80), E'\n') AS every_app
FROM pg_temp.functions_of_principals() function, foreign_id f, unnest('{sec ada,sec bob SECRET}'::text[]) u;
SELECT string_agg(DISTINCT left(pg_temp.try(pg_temp.call(function, p.user_id, p.app_id, f)), 80), E'\n') AS no_principal
FROM pg_temp.functions_of_principals() function, foreign_id f, (VALUES (NULL, NULL), ('', 'reader'), ('sec ada', ''), (NULL, 'reader')) p (user_id, app_id);
-- its own principal, with ids, items and numbers of others: nothing is there
SELECT function, string_agg(DISTINCT pg_temp.try(pg_temp.call(function, 'sec ada', 'reader', f)), E'\n') AS answer
FROM pg_temp.functions_of_principals() function, foreign_id f GROUP BY function ORDER BY function::text COLLATE "C";
SELECT DISTINCT regexp_replace(pg_temp.try(format('SELECT * FROM activityfeed.changes(''sec ada'', ''reader'', %s)', f.change_number + 100000000000)), '\d{9,}', 'N', 'g') AS future FROM foreign_id f;
SELECT DISTINCT (g).status, (g).body::text ~ 'SECRET' AS leak
FROM foreign_id f, unnest(ARRAY['/me/activities/%s', '/me/activities/%s/historyItems', '/me/activities/%s/historyItems/%s', '/users/sec%%20bob%%20SECRET/activities/%s']) t,
	unnest('{GET,DELETE,PUT,POST}'::text[]) m, activityfeed.graph_request('sec ada', 'reader', m, format(t, f.id, f.item_id), '{"startedDateTime": "2026-01-01T00:00:00Z"}') g
ORDER BY 1;
-- what belongs to services, one by one and by way of graph_request
SELECT statement, pg_temp.try(statement) AS refused FROM unnest(ARRAY[
	'SELECT activityfeed.export_user(''sec ada'')', 'SELECT activityfeed.erase_user(''sec ada'')', 'SELECT activityfeed.purge_expired()', 'CALL activityfeed.purge()',
	'SELECT activityfeed.invalidate_cursors(''sec ada'')', 'SELECT activityfeed.external_activities(''c'', ''SECRET'')',
	'SELECT activityfeed.add_external_activities(''c'', ''SECRET'', ''[]''::json)', 'SELECT activityfeed.add_external_activities(''c'', ''SECRET'', ''[]''::jsonb)',
	'SELECT activityfeed.grant_service(''regress_feed_session'')', 'SELECT activityfeed.revoke_access(''regress_feed_service'')',
	'SELECT activityfeed.graph_request(''sec ada'', ''reader'', ''POST'', ''/external/connections/c/items/SECRET/addActivities'', ''{"activities": [{"type": "x"}]}'')']) statement;
-- also where somebody granted them by mistake
RESET SESSION AUTHORIZATION;
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA activityfeed TO regress_feed_session;
GRANT SELECT, INSERT, UPDATE, DELETE ON external_activity TO regress_feed_session;
SET SESSION AUTHORIZATION regress_feed_service;
SET ROLE regress_feed_session;
SELECT function, pg_temp.try(format('SELECT activityfeed.%s', function)) AS refused FROM unnest(ARRAY[
	'export_user(''sec ada'')', 'erase_user(''sec ada'')', 'purge_expired()', 'invalidate_cursors()', 'invalidate_cursors(''sec ada'')',
	'external_activities(''c'', ''SECRET'')', 'add_external_activities(''c'', ''SECRET'', ''[]''::json)', 'add_external_activities(''c'', ''SECRET'', ''[]''::jsonb)']) function;
SELECT pg_temp.try('CALL activityfeed.purge()');
SELECT statement, pg_temp.try(statement) FROM unnest(ARRAY['SELECT * FROM activityfeed.external_activity', 'UPDATE activityfeed.external_activity SET item_id = ''x''',
	'DELETE FROM activityfeed.external_activity', 'INSERT INTO activityfeed.external_activity (connection_id, item_id, type, start_date_time, created_date_time) VALUES (''c'', ''i'', ''viewed'', now(), now())']) statement;
-- nor can it make others by functions that grant as their caller
SET client_min_messages = error;
SELECT pg_temp.try('SELECT activityfeed.grant_service(''regress_feed_session'')');
RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
SELECT grant_session('regress_feed_session');
SELECT pg_temp.others() = others AS untouched FROM before;
SET SESSION AUTHORIZATION regress_feed_service;
SET ROLE regress_feed_session;
--
-- Tables
--
CREATE FUNCTION pg_temp.activity_values(user_id text, app_id text, id bigint, key text) RETURNS text LANGUAGE sql AS $$
	SELECT format('INSERT INTO activityfeed.activity (user_id, app_id, id, app_activity_id, status, created_date_time, last_modified_date_time, expiration_date_time, change_number, created_change_number)
		VALUES (%L, %L, %s, %L, ''updated'', now(), now(), ''9999-01-01'', 1, 1)', user_id, app_id, id, key)
$$;
CREATE FUNCTION pg_temp.item_values(user_id text, app_id text, activity_id bigint) RETURNS text LANGUAGE sql AS $$
	SELECT format('INSERT INTO activityfeed.history_item (user_id, app_id, activity_id, id, active_duration_given, status, created_date_time, last_modified_date_time, expiration_date_time, change_number)
		VALUES (%L, %L, %s, gen_random_uuid(), false, ''updated'', now(), now(), ''9999-01-01'', 1)', user_id, app_id, activity_id)
$$;
-- what it sees: its own, in every way of looking
SELECT relation, pg_temp.try(format(way, relation)) AS seen, count(*) AS ways
FROM unnest('{feed,activity,history_item,live_activity,live_history_item}'::text[]) relation,
	unnest(ARRAY['SELECT * FROM activityfeed.%s', 'SELECT * FROM activityfeed.%1$s UNION SELECT * FROM activityfeed.%1$s', 'SELECT * FROM activityfeed.%s WHERE user_id ~ ''sec''',
		'SELECT * FROM activityfeed.%1$s x WHERE EXISTS (SELECT FROM activityfeed.%1$s y WHERE y.user_id = x.user_id OR true)', 'WITH x AS MATERIALIZED (SELECT * FROM activityfeed.%s) SELECT * FROM x']) way
GROUP BY 1, 2 ORDER BY 1, 2;
SELECT relation, pg_temp.try(format(way, relation)) AS seen, count(*) AS ways
FROM unnest('{feed,activity,history_item}'::text[]) relation,
	unnest(ARRAY['SELECT * FROM activityfeed.%s TABLESAMPLE BERNOULLI (100)', 'SELECT * FROM activityfeed.%s TABLESAMPLE SYSTEM (100) REPEATABLE (0)', 'SELECT * FROM ONLY activityfeed.%s',
		'SELECT tableoid, ctid, xmin, t FROM activityfeed.%s t', 'SELECT * FROM activityfeed.%s FOR UPDATE', 'SELECT * FROM activityfeed.%s FOR KEY SHARE SKIP LOCKED',
		'SELECT * FROM activityfeed.%1$s WHERE ctid = ANY (SELECT format(''(%%s,%%s)'', b, n)::tid FROM generate_series(0, pg_relation_size(''activityfeed.%1$s'') / 8192) b, generate_series(1, 200) n)']) way
GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(DISTINCT change_bucket) > 0 AS generated, max(user_id), max(app_id) FROM activity;
COPY activityfeed.feed (user_id) TO STDOUT;
COPY activityfeed.activity (user_id, app_id) TO STDOUT;
COPY (SELECT user_id, app_id, user_timezone FROM activityfeed.history_item) TO STDOUT;
-- writing for others, moving rows, taking ids of theirs
-- (18 has other words for a table of a table's type)
SELECT what, regexp_replace(pg_temp.try(statement), '^42809 .*', '42809') AS refused FROM (VALUES
	('a feed of another user', 'INSERT INTO activityfeed.feed VALUES (''sec bob SECRET'', now(), 1, 1)'),
	('a new feed of another user', 'INSERT INTO activityfeed.feed VALUES (''sec squatted'', now(), 9223372036854775807, 1)'),
	('a feed of another user, or nothing', 'INSERT INTO activityfeed.feed VALUES (''sec bob SECRET'', now(), 1, 1) ON CONFLICT DO NOTHING'),
	('a feed of another user, or update', 'INSERT INTO activityfeed.feed VALUES (''sec bob SECRET'', now(), 1, 1) ON CONFLICT (user_id) DO UPDATE SET change_number = 1'),
	('an activity of another user', pg_temp.activity_values('sec bob SECRET', 'reader', activity_id('reader', 'new'), 'new')),
	('one that is there', pg_temp.activity_values('sec bob SECRET', 'reader', activity_id('reader', 'SECRET of bob/1'), 'SECRET of bob/1')),
	('an activity of another app', pg_temp.activity_values('sec ada', 'game', activity_id('game', 'new'), 'new')),
	('the id of another app''s activity', pg_temp.activity_values('sec ada', 'reader', activity_id('game', 'SECRET of a game/1'), 'x')),
	('an id that another app has not used', pg_temp.activity_values('sec ada', 'reader', activity_id('game', 'not there'), 'x')),
	('another app''s activity, or nothing', pg_temp.activity_values('sec ada', 'reader', activity_id('game', 'SECRET of a game/1'), 'x') || ' ON CONFLICT DO NOTHING'),
	('another app''s activity, or update', pg_temp.activity_values('sec ada', 'reader', activity_id('game', 'SECRET of a game/1'), 'x') || ' ON CONFLICT (user_id, id) DO UPDATE SET status = ''deleted'''),
	('an id of nobody', pg_temp.activity_values('sec ada', 'reader', 1, 'x')),
	('another key than the id''s', pg_temp.activity_values('sec ada', 'reader', activity_id('reader', 'x'), 'y')),
	('an item of another user''s activity', pg_temp.item_values('sec bob SECRET', 'reader', activity_id('reader', 'SECRET of bob/1'))),
	('an item of another app''s activity', pg_temp.item_values('sec ada', 'reader', activity_id('game', 'SECRET of a game/1'))),
	('an item of an activity that is nowhere', pg_temp.item_values('sec ada', 'reader', activity_id('game', 'not there'))),
	('an item that says another app', pg_temp.item_values('sec ada', 'game', activity_id('reader', 'mine/1'))),
	('moving to another user', 'UPDATE activityfeed.activity SET user_id = ''sec bob SECRET'''),
	('moving to another app', 'UPDATE activityfeed.history_item SET app_id = ''game'''),
	('moving to another id', 'UPDATE activityfeed.activity SET id = 1'),
	('moving to another activity', 'UPDATE activityfeed.history_item SET activity_id = 1'),
	('the oldest cursor', 'UPDATE activityfeed.feed SET oldest_change_number = 0'),
	('removing activities', 'DELETE FROM activityfeed.activity'),
	('removing feeds', 'DELETE FROM activityfeed.feed'),
	('removing items of others', 'DELETE FROM activityfeed.history_item WHERE user_timezone <> ''mine'''),
	('changing items of others', 'UPDATE activityfeed.history_item SET user_timezone = ''x'' WHERE user_timezone <> ''mine'''),
	('changing activities of others', 'UPDATE activityfeed.activity SET status = ''deleted'' WHERE app_activity_id ~ ''SECRET'''),
	('changing feeds of others', 'UPDATE activityfeed.feed SET change_number = 0 WHERE user_id <> ''sec ada'''),
	('merging into feeds', 'MERGE INTO activityfeed.feed f USING (SELECT ''sec bob SECRET'' AS u) s ON f.user_id = s.u WHEN MATCHED THEN UPDATE SET change_number = 0 WHEN NOT MATCHED THEN INSERT VALUES (u, now(), 1, 1)'),
	('merging into activities', 'MERGE INTO activityfeed.activity a USING foreign_id s ON a.user_id = s.user_id AND a.id = s.id WHEN MATCHED THEN UPDATE SET status = ''deleted'' WHEN NOT MATCHED THEN DO NOTHING'),
	('merging into items', 'MERGE INTO activityfeed.history_item h USING foreign_id s ON h.id = s.item_id WHEN MATCHED THEN DELETE'),
	('TRUNCATE', 'TRUNCATE activityfeed.feed, activityfeed.activity, activityfeed.history_item'),
	('a trigger', 'CREATE TRIGGER t BEFORE INSERT ON activityfeed.activity FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()'),
	('a rule', 'CREATE RULE r AS ON INSERT TO activityfeed.feed DO INSTEAD NOTHING'),
	('a policy', 'CREATE POLICY p ON activityfeed.feed USING (true)'),
	('no row security', 'ALTER TABLE activityfeed.activity DISABLE ROW LEVEL SECURITY'),
	('an index', 'CREATE INDEX ON activityfeed.activity ((1 / 0))'),
	('statistics', 'CREATE STATISTICS s ON user_id, app_id FROM activityfeed.activity'),
	('a child', 'CREATE TABLE public.child () INHERITS (activityfeed.activity)'),
	('a reference', 'CREATE TABLE public.probe (user_id text REFERENCES activityfeed.feed)'),
	('a table of the type', 'CREATE TABLE public.probe OF activityfeed.activity'),
	('a function in the schema', 'CREATE FUNCTION activityfeed.is_service(int) RETURNS bool LANGUAGE sql AS ''SELECT true'''),
	('another is_service', 'CREATE OR REPLACE FUNCTION activityfeed.is_service() RETURNS bool LANGUAGE sql AS ''SELECT true'''),
	('a cast', 'CREATE CAST (activityfeed.activity AS text) WITH INOUT AS IMPLICIT'),
	('a lock on the feeds', 'LOCK TABLE activityfeed.feed IN SHARE MODE'),
	('a lock on the activities', 'LOCK TABLE activityfeed.activity IN SHARE MODE'),
	('no row security, asked for', 'SELECT set_config(''row_security'', ''off'', false)'),
	('feeds without it', 'SELECT * FROM activityfeed.feed'),
	('a function without it', 'SELECT activityfeed.activities(''sec ada'', ''reader'')'),
	('writing without it', 'SELECT activityfeed.upsert_activity(''sec ada'', ''reader'', pg_temp.doc())'),
	('row security again', 'SELECT set_config(''row_security'', ''on'', false)')) t (what, statement);
COPY activityfeed.feed FROM STDIN;
\.
-- nor can a service
RESET ROLE;
COPY activityfeed.feed FROM STDIN;
\.
SET ROLE regress_feed_session;
-- statistics, which hold values
SELECT count(*) FROM pg_stats WHERE schemaname = 'activityfeed' AND tablename IN ('feed', 'activity', 'history_item');
SELECT pg_temp.try('SELECT * FROM pg_statistic');
RESET SESSION AUTHORIZATION;
ANALYZE feed, activity, history_item;
SELECT count(*) > 0 AS there_are_statistics FROM pg_stats WHERE schemaname = 'activityfeed';
SET SESSION AUTHORIZATION regress_feed_service;
SET ROLE regress_feed_session;
SELECT count(*) FROM pg_stats WHERE schemaname = 'activityfeed' AND tablename IN ('feed', 'activity', 'history_item');
SELECT count(*) FROM pg_stats_ext_exprs WHERE schemaname = 'activityfeed';
-- functions and operators that tell what they are called with, as cheap as can be
CREATE FUNCTION public.tell(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN RAISE WARNING 'told: %', $1; RETURN true; END $$;
CREATE FUNCTION public.tell(text, text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN RAISE WARNING 'told: %', $1; RETURN true; END $$;
CREATE OPERATOR public.<<< (FUNCTION = public.tell, LEFTARG = text, RIGHTARG = text, RESTRICT = eqsel, JOIN = eqjoinsel);
SELECT pg_temp.try('CREATE FUNCTION public.proof(text) RETURNS boolean LANGUAGE sql LEAKPROOF AS ''SELECT true''');
SELECT count(*) FROM feed WHERE public.tell(user_id);
SELECT count(*) FROM activity WHERE app_activity_id OPERATOR(public.<<<) 'x';
SELECT count(*) FROM live_history_item WHERE public.tell(user_timezone) AND user_timezone OPERATOR(public.<<<) 'x';
SELECT count(*) FROM activity a JOIN history_item h ON public.tell(a.app_activity_id || h.user_timezone) WHERE h.activity_id = a.id;
UPDATE activity SET app_display_name = 'x' WHERE public.tell(content_info::text);
DELETE FROM history_item WHERE public.tell(user_timezone) AND false IS NOT DISTINCT FROM public.tell(user_timezone);
-- errors that tell
SELECT statement, pg_temp.try(statement) FROM unnest(ARRAY[
	'SELECT count(*) FROM activityfeed.activity WHERE 1 / (CASE WHEN app_activity_id ~ ''SECRET'' THEN 0 ELSE 1 END) = 1',
	'SELECT count(*) FROM activityfeed.feed WHERE CASE WHEN user_id ~ ''bob'' THEN user_id::int = 1 ELSE true END',
	'SELECT count(*) FROM activityfeed.history_item WHERE CASE WHEN user_timezone ~ ''SECRET'' THEN user_timezone::date IS NULL ELSE true END',
	'SELECT count(*) FROM activityfeed.live_activity WHERE CASE WHEN content_info ->> ''@type'' ~ ''SECRET'' THEN (content_info ->> ''@type'')::int = 1 ELSE true END']) statement;
-- everything that was told is the session's own
RESET SESSION AUTHORIZATION;
SELECT pg_temp.others() = others AS untouched FROM before;
SET SESSION AUTHORIZATION regress_feed_service;
SET ROLE regress_feed_session;
--
-- The choice of a principal
--
-- (18 names a setting as it was defined)
SELECT statement, replace(pg_temp.try(statement), 'ACTIVITYFEED.App_Id', 'activityfeed.app_id') AS refused FROM unnest(ARRAY[
	'SET activityfeed.user_id = ''sec bob SECRET''', 'SET LOCAL activityfeed.user_id = ''sec bob SECRET''', 'SET activityfeed.app_id = ''game''', 'SET activityfeed.app_id TO DEFAULT',
	'SELECT set_config(''activityfeed.user_id'', ''sec bob SECRET'', false)', 'SELECT set_config(''activityfeed.app_id'', ''game'', true)', 'SELECT set_config(''ACTIVITYFEED.App_Id'', ''game'', true)',
	'UPDATE pg_settings SET setting = ''game'' WHERE name = ''activityfeed.app_id''', 'RESET activityfeed.app_id',
	'CREATE FUNCTION public.f() RETURNS int LANGUAGE sql SET activityfeed.app_id = ''game'' AS ''SELECT 1''',
	'CREATE FUNCTION public.f() RETURNS int LANGUAGE sql SET activityfeed.app_id FROM CURRENT AS ''SELECT 1''',
	'ALTER FUNCTION public.tell(text) SET activityfeed.user_id = ''sec bob SECRET''',
	'ALTER ROLE regress_feed_session SET activityfeed.app_id = ''game''', 'ALTER ROLE CURRENT_USER RESET activityfeed.app_id',
	'ALTER SYSTEM SET activityfeed.app_id = ''game''', 'GRANT SET ON PARAMETER activityfeed.app_id TO regress_feed_session',
	'SET activityfeed.retention = 1', 'SET activityfeed.max_batch = 10']) statement;
SELECT left(pg_temp.try('GRANT regress_feed_service TO regress_feed_session'), 5) AS granted;
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET activityfeed.app_id = %L', current_database(), 'game'); EXCEPTION WHEN insufficient_privilege THEN RAISE WARNING '%', SQLSTATE; END $$;
SELECT current_user_id(), current_app_id(), count(*) FROM activity;
-- a service's function with settings of its own, called by a session
RESET ROLE;
SET activityfeed.user_id = 'sec ada';
SELECT current_user_id(), current_app_id();
SELECT pg_temp.try('CREATE FUNCTION pg_temp.game() RETURNS bigint LANGUAGE sql SET activityfeed.app_id = ''game'' AS ''SELECT count(*) FROM activityfeed.activity''') AS created;
GRANT EXECUTE ON FUNCTION pg_temp.game TO PUBLIC;
SELECT pg_temp.game() >= 6 AS every_row;
SET ROLE regress_feed_session;
SELECT pg_temp.try('SELECT pg_temp.game()');
-- nothing, or half a principal, is nobody
RESET ROLE;
SET activityfeed.app_id = '';
SET ROLE regress_feed_session;
SELECT (SELECT count(*) FROM feed) AS feeds, (SELECT count(*) FROM activity) AS activities, (SELECT count(*) FROM history_item) AS items, current_app_id() IS NULL AS no_app;
SELECT string_agg(DISTINCT left(pg_temp.try(pg_temp.call(function, 'sec ada', app, f)), 60), E'\n') AS answer
FROM pg_temp.functions_of_principals() function, foreign_id f, unnest('{reader,NULL}'::text[]) app;
RESET ROLE;
SET activityfeed.app_id = 'reader';
SET activityfeed.user_id = '';
SET ROLE regress_feed_session;
SELECT (SELECT count(*) FROM feed) AS feeds, (SELECT count(*) FROM activity) AS activities, (SELECT count(*) FROM history_item) AS items, current_user_id() IS NULL AS no_user;
SELECT pg_temp.try('INSERT INTO activityfeed.feed VALUES ('''', now(), 1, 1)');
SELECT string_agg(DISTINCT left(pg_temp.try(pg_temp.call(function, u, 'reader', f)), 60), E'\n') AS answer
FROM pg_temp.functions_of_principals() function, foreign_id f, unnest('{sec ada,"",NULL}'::text[]) u;
-- RESET ALL and DISCARD: to the pinned principal or none
RESET ALL;
SET search_path = activityfeed, public;
SELECT current_user_id() IS NULL AND current_app_id() IS NULL AS nobody, count(*) FROM activity;
RESET ROLE;
SET activityfeed.user_id = 'sec ada';
SET activityfeed.app_id = 'reader';
SET ROLE regress_feed_session;
SET timezone = 'UTC';
--
-- Plans, cursors, and functions that others own
--
-- prepared by one, run as another; the functions keep plans in the same way
CREATE FUNCTION pg_temp.seen() RETURNS text LANGUAGE sql AS $$
	SELECT format('%s seen, %s listed', (SELECT string_agg(DISTINCT app_activity_id, ', ' ORDER BY app_activity_id) FROM activityfeed.activity WHERE user_id LIKE 'sec%'),
		pg_temp.try('SELECT a.app_activity_id FROM activityfeed.activities(''sec ada'', ''reader'') a'))
$$;
CREATE FUNCTION pg_temp.kept() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT string_agg(app_activity_id, ', ' ORDER BY app_activity_id) FROM activityfeed.activity WHERE user_id LIKE 'sec%');
END
$$;
PREPARE seen AS SELECT string_agg(app_activity_id, ', ' ORDER BY app_activity_id) FROM activityfeed.activity WHERE user_id LIKE 'sec%';
SET plan_cache_mode = force_generic_plan;
EXECUTE seen;
SELECT pg_temp.seen(), pg_temp.kept();
RESET ROLE;
EXECUTE seen;
SELECT pg_temp.seen(), pg_temp.kept();
SET activityfeed.app_id = 'game';
SET ROLE regress_feed_session;
EXECUTE seen;
SELECT pg_temp.seen(), pg_temp.kept();
RESET SESSION AUTHORIZATION;
EXECUTE seen;
SELECT pg_temp.seen(), pg_temp.kept();
SET activityfeed.user_id = 'sec bob SECRET';
SET activityfeed.app_id = 'reader';
SET SESSION AUTHORIZATION regress_feed_session;
EXECUTE seen;
SELECT pg_temp.seen(), pg_temp.kept();
RESET SESSION AUTHORIZATION;
SET activityfeed.user_id = 'sec ada';
SET SESSION AUTHORIZATION regress_feed_service;
SET ROLE regress_feed_session;
EXECUTE seen;
SELECT pg_temp.seen(), pg_temp.kept();
-- a cursor goes on as the principal that it was begun with; one that was not yet read shows what its reader may see
BEGIN;
DECLARE c CURSOR FOR SELECT app_activity_id FROM activityfeed.activity WHERE user_id LIKE 'sec%' ORDER BY 1;
FETCH 1 FROM c;
RESET ROLE;
SET LOCAL activityfeed.app_id = 'game';
SET LOCAL ROLE regress_feed_session;
FETCH ALL FROM c;
COMMIT;
RESET ROLE;
BEGIN;
DECLARE c CURSOR FOR SELECT app_activity_id FROM activityfeed.activity WHERE user_id LIKE 'sec%' ORDER BY 1;
SET LOCAL ROLE regress_feed_session;
FETCH ALL FROM c;
COMMIT;
SET ROLE regress_feed_session;
-- views: with the rights of their owner, but as the caller's principal
CREATE VIEW public.mine AS SELECT app_activity_id FROM activityfeed.activity WHERE user_id LIKE 'sec%';
SELECT * FROM public.mine ORDER BY 1;
GRANT SELECT ON public.mine TO regress_feed_service;
RESET ROLE;
SELECT count(*) > 3 AS every_row FROM public.mine;
SET ROLE regress_feed_session;
-- a function with the rights of a session role does not act for more than that
CREATE FUNCTION public.as_session(user_id text, app_id text) RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$ SELECT count(*) FROM activityfeed.activities(user_id, app_id) $$;
RESET ROLE;
SELECT pg_temp.try('SELECT public.as_session(''sec ada'', ''reader'')'), pg_temp.try('SELECT public.as_session(''sec bob SECRET'', ''reader'')');
SET ROLE regress_feed_session;
--
-- Rows that are made up
--
SELECT members, pg_temp.try(format('SELECT activityfeed.graph_json(pg_temp.forged(%L), 10)', members)) AS graph_json,
	pg_temp.try(format('SELECT pg_temp.forged(%1$L)::json, pg_temp.forged(%1$L)::jsonb, activityfeed.was_created(pg_temp.forged(%1$L))', members)) AS casts
FROM unnest(ARRAY['{}', '{"user_id": "sec bob SECRET", "app_id": "reader", "id": 1}', '{"user_id": "sec ada", "app_id": "game", "id": 1}', '{"user_id": "sec ada", "app_id": "reader", "id": 1}',
	'{"user_id": "sec ada", "app_id": "reader"}', '{"user_id": "", "app_id": "", "id": 1}', '{"user_id": "sec ada", "id": 1}', '{"created_date_time": "infinity"}', '{"last_modified_date_time": "-infinity"}',
	'{"expiration_date_time": "294276-01-01"}', '{"expiration_date_time": "0001-01-01 BC"}', '{"visual_elements": 5, "content_info": "x"}', '{"created_date_time": "2026-01-01", "last_modified_date_time": "2026-01-01"}']::jsonb[]) members;
SELECT DISTINCT pg_temp.try(format('SELECT activityfeed.graph_json(pg_temp.forged(%L), 10)', to_jsonb(f))) FROM foreign_id f;
SELECT activityfeed.graph_json(pg_temp.forged(jsonb_build_object('user_id', 'sec ada', 'app_id', 'reader', 'id', f.id)), 10) ->> 'historyItems' AS items FROM foreign_id f;
SELECT pg_temp.try('SELECT activityfeed.graph_json(NULL, 10)'), pg_temp.try('SELECT activityfeed.graph_json(pg_temp.forged(''{}''), NULL)'), pg_temp.try('SELECT activityfeed.graph_json(pg_temp.forged(''{}''), -1)');
SELECT members, pg_temp.try(format('SELECT jsonb_populate_record(NULL::activityfeed.history_item, %1$L)::json, jsonb_populate_record(NULL::activityfeed.history_item, %1$L)::jsonb', members)) AS casts
FROM unnest(ARRAY['{}', '{"user_id": "sec bob SECRET"}', '{"started_date_time": "infinity"}', '{"last_active_date_time": "-infinity"}', '{"active_duration_seconds": -2147483648}', '{"status": "ignored"}']::jsonb[]) members;
-- Rows written straight to the tables, with whatever their columns hold: what
-- the session itself and a service get of them is an error at worst.
INSERT INTO activityfeed.activity (user_id, app_id, id, app_activity_id, visual_elements, content_info, activation_url, status, created_date_time, last_modified_date_time, expiration_date_time, change_number,
	created_change_number, history_change_number, history_expiration_date_time)
SELECT 'sec ada', 'reader', activityfeed.activity_id('reader', 'forged ' || n), 'forged ' || n, v, c, repeat(E'\\\t', t), s, created, modified, expiration, number, created_number, history_number, history_expiration
FROM (VALUES
	(1, NULL::jsonb, NULL::jsonb, 0, 'updated'::activityfeed.status, now(), now(), 'infinity'::timestamptz, 9223372036854775807, -1, 9223372036854775807, 'infinity'::timestamptz),
	(2, '5', '[]', 100000, 'active', '-infinity', 'infinity', 'infinity', -9223372036854775808, 9223372036854775807, -9223372036854775808, '-infinity'),
	(3, '"x"', 'null', 10, 'ignored', 'infinity', '-infinity', '-infinity', 0, 0, 0, NULL),
	(4, '{}', '{}', 10, 'deleted', now(), now(), '-infinity', 1, 1, 1, 'infinity'),
	(5, '[]', '{}', 10, 'updated', now(), now(), '2000-01-01', 9223372036854775807, 1, NULL, NULL),
	(6, '[]', '{}', 10, 'updated', now(), now(), '9999-01-01', 9223372036854775806, 1, 5, 'infinity')) t (n, v, c, t, s, created, modified, expiration, number, created_number, history_number, history_expiration);
INSERT INTO activityfeed.history_item (user_id, app_id, activity_id, id, started_date_time, last_active_date_time, active_duration_seconds, active_duration_given, status,
	created_date_time, last_modified_date_time, expiration_date_time, change_number)
SELECT 'sec ada', 'reader', a.id, gen_random_uuid(), started, last_active, duration, given, status, last_active, now(), expiration, number
FROM (SELECT id FROM activityfeed.activity WHERE app_activity_id LIKE 'forged%') a,
	unnest('{infinity,-infinity,2026-01-01,NULL}'::timestamptz[]) started, unnest('{infinity,-infinity,2026-01-02}'::timestamptz[]) last_active,
	unnest('{NULL,-2147483648,2147483647}'::int[], '{true,false,false}'::bool[], '{active,updated,ignored}'::activityfeed.status[], '{infinity,-infinity,9999-01-01}'::timestamptz[],
		'{9223372036854775807,-9223372036854775808,3}'::bigint[]) x (duration, given, status, expiration, number);
UPDATE activityfeed.feed SET last_modified_date_time = 'infinity';
CREATE TEMP TABLE mine AS SELECT DISTINCT ON (activity_id, change_number) h.user_id, h.app_id, h.activity_id AS id, h.change_number, h.id AS item_id FROM activityfeed.history_item h;
GRANT SELECT ON mine TO PUBLIC;
CREATE FUNCTION pg_temp.survives(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	result := pg_temp.try(statement);
	-- undone, so that each starts from the same rows
	RAISE EXCEPTION USING ERRCODE = 'P0009', MESSAGE = CASE WHEN result ~ '^[0-9]+ rows' THEN 'rows' ELSE left(result, 60) END;
EXCEPTION WHEN SQLSTATE 'P0009' THEN
	RETURN SQLERRM;
END
$$;
SELECT function, string_agg(DISTINCT pg_temp.survives(pg_temp.call(function, 'sec ada', 'reader', f)), E'\n') AS answers
FROM pg_temp.functions_of_principals() function, (SELECT user_id::text, app_id::text, id, change_number, item_id FROM mine) m, LATERAL (SELECT m::text::foreign_id) f (f)
GROUP BY function ORDER BY function::text COLLATE "C";
RESET ROLE;
SELECT current_user, function, string_agg(DISTINCT pg_temp.survives(pg_temp.call(function, 'sec ada', app, f)), E'\n') AS answers
FROM pg_temp.functions_of_principals() function, (SELECT user_id::text, app_id::text, id, change_number, item_id FROM mine) m, LATERAL (SELECT m::text::foreign_id) f (f), unnest('{reader,NULL}'::text[]) app
GROUP BY function ORDER BY function::text COLLATE "C";
SELECT statement, pg_temp.survives(statement) FROM unnest(ARRAY['SELECT activityfeed.export_user(''sec ada'')', 'SELECT activityfeed.changes(''sec ada'', NULL, 0, 1)', 'SELECT activityfeed.changes(''sec ada'', NULL, 5)',
	'SELECT activityfeed.purge_expired()', 'SELECT activityfeed.purge_expired(1)', 'SELECT activityfeed.invalidate_cursors(''sec ada'')', 'SELECT activityfeed.erase_user(''sec ada'')',
	'SELECT activityfeed.active_time(''sec ada'', NULL, ''9990-01-01'', ''infinity'', ''America/New_York'')', 'SELECT activityfeed.active_time(''sec ada'', NULL, ''-infinity'', ''0010-01-01'', ''Asia/Tokyo'')',
	'SELECT a::json FROM activityfeed.activity a', 'SELECT h::jsonb FROM activityfeed.history_item h', 'SELECT activityfeed.graph_json(a, 1000) FROM activityfeed.activity a WHERE change_number > 0']) statement;
-- they do not keep a purge from its work, which comes to an end
SET client_min_messages = warning;
CALL activityfeed.purge();
SELECT activityfeed.purge_expired() AS left_over;
SELECT activityfeed.erase_user('sec ada') > 0 AS erased;
SELECT count(*) AS left_over FROM activityfeed.activity a FULL JOIN activityfeed.history_item h ON false WHERE 'sec ada' IN (a.user_id, h.user_id);
-- with the feed erased, a session that writes to the tables makes nothing that a later erasure would miss
SET ROLE regress_feed_session;
SELECT pg_temp.try(pg_temp.activity_values('sec ada', 'reader', activityfeed.activity_id('reader', 'x'), 'x'));
RESET SESSION AUTHORIZATION;
RESET activityfeed.user_id;
RESET activityfeed.app_id;
SET client_min_messages = warning;
DROP OWNED BY regress_feed_session;
SELECT activityfeed.revoke_access('regress_feed_session'), activityfeed.revoke_access('regress_feed_service');
DROP OWNED BY regress_feed_service;
DROP ROLE regress_feed_session, regress_feed_service;

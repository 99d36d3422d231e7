-- What others add to the tables: updates go by the statement then
\getenv inputdir PG_ABS_SRCDIR
\set prelude :inputdir '/include/prelude.sql'
\i :prelude
CREATE FUNCTION pg_temp.upsert(extra jsonb DEFAULT '{}') RETURNS TABLE (content_url text, zone text) LANGUAGE sql AS $$
	SELECT a.content_url, a.user_timezone FROM activityfeed.upsert_activity('direct', 'app',
		(jsonb '{"appActivityId": "x", "activitySourceHost": "https://e.com", "activationUrl": "https://e.com/x", "appDisplayName": "App",
			"contentUrl": "https://e.com/c", "visualElements": {"displayText": "x"}}' || extra)::json) a $$;
CREATE FUNCTION pg_temp.touch(last_active timestamptz) RETURNS int LANGUAGE sql AS $$
	SELECT h.active_duration_seconds FROM activityfeed.touch_history_item('direct', 'app', activityfeed.activity_id('app', 'x'),
		'11111111-1111-1111-1111-111111111111', last_active) h $$;
SELECT * FROM pg_temp.upsert();
SELECT count(*) FROM upsert_history_item('direct', 'app', activity_id('app', 'x'), '11111111-1111-1111-1111-111111111111'::uuid, '{"startedDateTime": "2018-02-26T20:54:04Z"}'::json);
SELECT pg_temp.touch('2018-02-26T20:54:05Z');
-- rules: more statements than one, or none
BEGIN;
CREATE RULE r AS ON UPDATE TO feed DO ALSO NOTIFY direct;
SELECT * FROM pg_temp.upsert();
ROLLBACK;
BEGIN;
CREATE TEMP TABLE log (LIKE feed);
CREATE RULE r AS ON UPDATE TO feed DO ALSO INSERT INTO log VALUES (NEW.*);
SELECT * FROM pg_temp.upsert();
SELECT count(*) FROM log;
ROLLBACK;
BEGIN;
CREATE RULE r AS ON UPDATE TO activity DO INSTEAD NOTHING;
SELECT pg_temp.touch('2018-02-26T20:54:06Z');
ROLLBACK;
-- another order of the key
BEGIN;
ALTER TABLE history_item DROP CONSTRAINT history_item_pkey, ADD PRIMARY KEY (user_id, id, activity_id);
SELECT pg_temp.touch('2018-02-26T20:54:07Z');
ROLLBACK;
BEGIN;
SET LOCAL client_min_messages = warning;
ALTER TABLE activity DROP CONSTRAINT activity_pkey CASCADE, ADD PRIMARY KEY (id, user_id);
SELECT * FROM pg_temp.upsert();
ROLLBACK;
-- NOT NULL, and a partition's bounds
\set VERBOSITY sqlstate
BEGIN;
DELETE FROM activity WHERE user_id <> 'direct';
ALTER TABLE activity ALTER COLUMN content_url SET NOT NULL;
SELECT * FROM pg_temp.upsert('{"contentUrl": null}');
ROLLBACK;
BEGIN;
DELETE FROM activity WHERE user_id <> 'direct';
CREATE TABLE public.parent (LIKE activity INCLUDING GENERATED) PARTITION BY LIST (activity_source_host);
ALTER TABLE public.parent ATTACH PARTITION activity FOR VALUES IN ('https://e.com');
SELECT * FROM pg_temp.upsert('{"activitySourceHost": "https://f.com"}');
ROLLBACK;
\set VERBOSITY default
-- types that values are fitted to
BEGIN;
DROP VIEW broken_invariant CASCADE;
ALTER TABLE feed ALTER COLUMN last_modified_date_time TYPE timestamptz(0);
SELECT * FROM pg_temp.upsert();
SELECT last_modified_date_time = date_trunc('second', last_modified_date_time) AS rounded FROM feed WHERE user_id = 'direct';
ROLLBACK;
-- generated columns that are others'
BEGIN;
ALTER TABLE activity ALTER COLUMN history_bucket DROP EXPRESSION, ADD COLUMN host_length int GENERATED ALWAYS AS (length(activity_source_host)) STORED;
SELECT * FROM pg_temp.upsert('{"activitySourceHost": "https://longer.example.com"}');
SELECT host_length = length(activity_source_host) AS generated FROM activity WHERE user_id = 'direct';
ROLLBACK;
-- the same columns, generated otherwise
BEGIN;
SET LOCAL client_min_messages = warning;
ALTER TABLE history_item DROP COLUMN change_bucket CASCADE;
ALTER TABLE history_item ADD COLUMN change_bucket bigint NOT NULL GENERATED ALWAYS AS (change_number >> 4) STORED;
SELECT pg_temp.touch('2018-02-26T20:54:08Z');
SELECT change_bucket = change_number >> 4 AS generated FROM history_item WHERE user_id = 'direct';
ROLLBACK;
BEGIN;
SET LOCAL client_min_messages = warning;
ALTER TABLE activity DROP COLUMN expiration_day CASCADE;
ALTER TABLE activity ADD COLUMN expiration_day date NOT NULL GENERATED ALWAYS AS ((expiration_date_time AT TIME ZONE 'Etc/GMT-14')::date + 3) STORED;
SELECT * FROM pg_temp.upsert('{"appActivityId": "y"}');
SELECT expiration_day = (expiration_date_time AT TIME ZONE 'Etc/GMT-14')::date + 3 AS generated FROM activity WHERE user_id = 'direct' AND app_activity_id = 'y';
ROLLBACK;
-- infinity
BEGIN;
UPDATE activity SET history_expiration_date_time = 'infinity' WHERE user_id = 'direct';
SELECT * FROM pg_temp.upsert();
SELECT expiration_date_time, expiration_day FROM activity WHERE user_id = 'direct';
ROLLBACK;
-- the usual again
SELECT * FROM pg_temp.upsert();
SELECT pg_temp.touch('2018-02-26T20:54:08Z');

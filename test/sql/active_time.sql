-- Active time by local days, against a plain definition
\getenv inputdir PG_ABS_SRCDIR
\set prelude :inputdir '/include/prelude.sql'
\i :prelude
-- by hand: overlaps count once, running and given ones do not matter, fractions are cut from a day's total
SELECT FROM upsert_activity('active', 'app', pg_temp.doc('{"historyItems": [
	{"startedDateTime": "2024-05-01T10:00:00Z", "lastActiveDateTime": "2024-05-01T10:10:00Z", "activeDurationSeconds": 7},
	{"startedDateTime": "2024-05-01T10:05:00Z", "lastActiveDateTime": "2024-05-01T10:06:00Z"},
	{"startedDateTime": "2024-05-01T10:09:00Z", "lastActiveDateTime": "2024-05-01T10:11:00Z"},
	{"startedDateTime": "2024-05-01T12:00:00Z"},
	{"startedDateTime": "2024-05-01T23:59:59.6Z", "lastActiveDateTime": "2024-05-02T00:00:00.6Z"},
	{"startedDateTime": "2024-05-02T01:00:00Z", "lastActiveDateTime": "2024-05-02T01:00:00.5Z"},
	{"startedDateTime": "2024-05-03T01:00:00Z", "lastActiveDateTime": "2024-05-03T01:00:00Z"},
	{"startedDateTime": "2024-05-04T01:00:00Z", "lastActiveDateTime": "2024-05-04T01:00:00.999999Z"}]}'));
SELECT day, seconds, activity_id = activity_id('app', '/article?12345') AS activity FROM active_time('active', 'app', '2024-01-01', '2025-01-01', 'UTC');
SELECT day, seconds FROM active_time('active', 'app', '-infinity', 'infinity', 'utc');
-- from since up to until
SELECT day, seconds FROM active_time('active', 'app', '2024-05-01 10:04:30', '2024-05-01 10:10:30.5', 'UTC');
SELECT day, seconds FROM active_time('active', 'app', '2024-05-01 10:11:00', '2024-05-01 23:59:59.6', 'UTC');
SELECT day, seconds FROM active_time('active', 'app', '2025-01-01', '2024-01-01', 'UTC');
-- apps: one, every
SELECT FROM upsert_activity('active', 'other', pg_temp.doc('{"historyItems": [{"startedDateTime": "2024-05-01T10:00:00Z", "lastActiveDateTime": "2024-05-01T10:01:00Z"}]}'));
SELECT day, seconds FROM active_time('active', 'other', '2024-01-01', '2025-01-01', 'UTC');
SELECT count(*), sum(seconds) FROM active_time('active', NULL, '2024-01-01', '2025-01-01', 'UTC');
SELECT count(*) FROM active_time('active', 'nothing', '2024-01-01', '2025-01-01', 'UTC');
-- not what is hidden, deleted or expired
SELECT FROM ignore_activity('active', 'other', activity_id('other', '/article?12345'));
SELECT count(*) FROM active_time('active', 'other', '2024-01-01', '2025-01-01', 'UTC');
SELECT FROM upsert_activity('active', 'short', pg_temp.doc('{"historyItems": [
	{"id": "00000000-0000-4000-8000-000000000001", "startedDateTime": "2024-05-01T10:00:00Z", "lastActiveDateTime": "2024-05-01T10:01:00Z"},
	{"id": "00000000-0000-4000-8000-000000000002", "startedDateTime": "2024-05-01T11:00:00Z", "lastActiveDateTime": "2024-05-01T11:02:00Z"},
	{"id": "00000000-0000-4000-8000-000000000003", "startedDateTime": "2024-05-01T12:00:00Z", "lastActiveDateTime": "2024-05-01T12:04:00Z"}]}'));
SELECT delete_history_item('active', 'short', activity_id('short', '/article?12345'), pg_temp.guid(1));
UPDATE history_item SET expiration_date_time = now() WHERE user_id = 'active' AND id = pg_temp.guid(2);
SELECT day, seconds FROM active_time('active', 'short', '2024-01-01', '2025-01-01', 'UTC');
UPDATE activity SET expiration_date_time = now() WHERE user_id = 'active' AND app_id = 'short';
SELECT day, seconds FROM active_time('active', 'short', '2024-01-01', '2025-01-01', 'UTC');
-- days of 23 and 25 hours; one whose midnight does not exist; one that has two; one that is skipped; a clock put back behind midnight
SELECT FROM upsert_activity('active', 'long', pg_temp.doc('{"historyItems": [
	{"startedDateTime": "1988-01-01T00:00:00Z", "lastActiveDateTime": "2025-01-01T00:00:00Z"}]}'));
SELECT zone, day, seconds / 3600.0 AS hours FROM (VALUES ('Europe/Berlin', '2024-03-31'::date), ('Europe/Berlin', '2024-10-27'), ('America/Sao_Paulo', '2018-11-04'), ('America/Sao_Paulo', '2018-02-17'),
		('America/Havana', '2019-11-03'), ('Pacific/Apia', '2011-12-29'), ('Pacific/Apia', '2011-12-30'), ('Pacific/Apia', '2011-12-31'),
		('America/St_Johns', '1990-10-27'), ('America/St_Johns', '1990-10-28'), ('Australia/Lord_Howe', '2024-04-07')) v (zone, wanted),
	active_time('active', 'long', wanted - 10, wanted + 10, zone) WHERE day = wanted;
SELECT count(*), count(DISTINCT day) FROM active_time('active', 'long', '-infinity', 'infinity', 'America/St_Johns');
-- zones: by full name in any case, POSIX; nothing else
SELECT zone, count(*) FROM unnest('{utc,EUROPE/berlin,Etc/GMT+5,XYZ-5:30}'::text[]) zone, active_time('active', 'app', '2024-01-01', '2025-01-01', zone) GROUP BY 1 ORDER BY 1;
SELECT pg_temp.attempt('SELECT * FROM activityfeed.active_time(''active'', ''app'', ''2024-01-01'', ''2025-01-01'', ''Mars/Phobos'')');
SELECT left(zone, 20) AS zone, left(pg_temp.attempt(format('SELECT * FROM activityfeed.active_time(''active'', ''app'', ''2024-01-01'', ''2025-01-01'', %L)', zone)), 5) AS verdict
FROM unnest(ARRAY['', ' ', 'Mars/Phobos', 'CEST', '../etc/passwd', 'right/UTC', repeat('x', 1000), 'Europe']) zone;
SELECT pg_temp.attempt('SELECT * FROM activityfeed.active_time(''active'', ''app'', ' || arguments || ')')
FROM unnest(ARRAY['NULL, ''2025-01-01'', ''UTC''', '''2024-01-01'', NULL, ''UTC''', '''2024-01-01'', ''2025-01-01'', NULL']) arguments;

-- The plain definition: the minutes of all sessions, each once, by the date that a clock in the zone shows.
CREATE FUNCTION pg_temp.minutes(principal text, app text, since timestamptz, until timestamptz, zone text)
RETURNS TABLE (day date, activity_id bigint, seconds bigint) LANGUAGE sql AS $$
	SELECT (minute AT TIME ZONE zone)::date, h.activity_id, 60 * count(DISTINCT minute)
	FROM activityfeed.live_history_item h, generate_series(h.started_date_time, h.last_active_date_time - interval '1 minute', interval '1 minute') minute
	WHERE h.user_id = principal AND (app IS NULL OR h.app_id = app) AND minute >= since AND minute < until
	GROUP BY 1, 2
$$;
-- Sessions of up to three days, to the minute, around days on which something happens to a clock.
SELECT setseed(0.42);
CREATE TEMP TABLE random_session AS
SELECT 'activity ' || floor(8 * random()) AS key, date_trunc('minute', around + (random() - 0.5) * interval '6 days') AS started,
	floor(random() * random() * 4320) * interval '1 minute' AS length
FROM unnest('{1990-04-01,1990-10-28,2011-12-30,2018-02-18,2018-11-04,2019-11-03,2024-03-31,2024-04-07,2024-10-27,2024-11-03}'::timestamptz[]) around, generate_series(1, 25);
SELECT count(*) FROM (SELECT key, json_agg(json_build_object('startedDateTime', started, 'lastActiveDateTime', started + length)) AS items
	FROM random_session GROUP BY key) s, upsert_activity('active random', 'app ' || right(key, 1)::int % 2, pg_temp.doc(jsonb_build_object('appActivityId', key, 'historyItems', items)));
WITH zone AS (
	SELECT unnest('{UTC,Europe/Berlin,America/New_York,America/Sao_Paulo,America/Havana,America/St_Johns,Pacific/Apia,Australia/Lord_Howe,Asia/Kathmandu}'::text[]) AS zone
), bound AS (
	SELECT * FROM (VALUES ('-infinity'::timestamptz, 'infinity'::timestamptz, NULL), ('1990-10-28 02:31', '2024-10-27 00:31', 'app 1')) v (since, until, app)
), difference AS (
	SELECT zone, count(*) AS rows FROM zone, bound, LATERAL (
		(SELECT * FROM active_time('active random', app, since, until, zone) EXCEPT ALL SELECT * FROM pg_temp.minutes('active random', app, since, until, zone))
		UNION ALL
		(SELECT * FROM pg_temp.minutes('active random', app, since, until, zone) EXCEPT ALL SELECT * FROM active_time('active random', app, since, until, zone))) d
	GROUP BY zone)
SELECT zone, coalesce(d.rows, 0) AS differences, (SELECT count(*) > 150 FROM active_time('active random', NULL, '-infinity', 'infinity', zone)) AS many
FROM zone LEFT JOIN difference d USING (zone) ORDER BY zone COLLATE "C";
-- To the microsecond, by ranges, where a day begins at midnight.
SELECT count(*) FROM (SELECT json_agg(json_build_object('startedDateTime', started + random() * interval '1 minute', 'lastActiveDateTime', started + length + interval '1 minute' + random() * interval '1 minute')) AS items
	FROM random_session) s, upsert_activity('active ranges', 'app', pg_temp.doc(jsonb_build_object('historyItems', items)));
WITH zone AS (SELECT unnest('{UTC,Europe/Berlin,America/New_York}'::text[]) AS zone),
time AS (SELECT range_agg(tstzrange(started_date_time, last_active_date_time)) AS ranges FROM live_history_item WHERE user_id = 'active ranges'),
expected AS (
	SELECT zone, d::date AS day, floor(extract(epoch FROM sum(upper(piece) - lower(piece))))::bigint AS seconds
	FROM zone, time, generate_series('1990-01-01'::timestamp, '2025-01-01', '1 day') d,
		unnest(ranges * tstzmultirange(tstzrange(d AT TIME ZONE zone, (d + interval '1 day') AT TIME ZONE zone))) piece
	GROUP BY 1, 2),
actual AS (SELECT zone, day, seconds FROM zone, active_time('active ranges', 'app', '-infinity', 'infinity', zone))
SELECT zone, count(*) > 20 AS many, count(*) FILTER (WHERE e.seconds IS DISTINCT FROM a.seconds) AS differences
FROM expected e FULL JOIN actual a USING (zone, day) WHERE coalesce(e.seconds, 1) > 0 GROUP BY zone ORDER BY zone COLLATE "C";

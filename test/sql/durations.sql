-- activeDurationSeconds: given or calculated
\getenv inputdir PG_ABS_SRCDIR
\set prelude :inputdir '/include/prelude.sql'
\i :prelude
SELECT count(*) FROM upsert_activity('durations', 'app', pg_temp.doc());
CREATE FUNCTION pg_temp.duration(members jsonb, OUT duration int, OUT given boolean, OUT status status) LANGUAGE sql AS $$
	SELECT active_duration_seconds, active_duration_given, status
	FROM upsert_history_item('durations', 'app', activity_id('app', '/article?12345'), pg_temp.guid(1), pg_temp.item(members))
$$;
-- rounded down, never up
SELECT last, (pg_temp.duration(jsonb_build_object('lastActiveDateTime', last))).* FROM unnest(ARRAY['2018-02-26T20:54:04.345Z', '2018-02-26T20:54:24.345Z',
	'2018-02-26T20:54:24.344999Z', '2018-02-26T20:54:24.3459999Z', '2018-02-27T20:54:04.345Z', '2018-02-26T22:54:04.345+02:00']) AS last;
-- null while the session runs; given ones stay
SELECT members, (pg_temp.duration(members)).* FROM unnest(ARRAY['{}', '{"lastActiveDateTime": null}', '{"activeDurationSeconds": 5}', '{"activeDurationSeconds": 0}',
	'{"activeDurationSeconds": null}', '{"activeDurationSeconds": 2147483647}', '{"lastActiveDateTime": "2018-02-26T20:54:24Z", "activeDurationSeconds": 3}',
	'{"lastActiveDateTime": "2018-02-26T20:54:24Z", "activeDurationSeconds": null}']::jsonb[]) members;
-- the longest, and one second more
SELECT (pg_temp.duration('{"startedDateTime": "1950-01-01T00:00:00Z", "lastActiveDateTime": "2018-01-19T03:14:07.999Z"}')).*;
SELECT pg_temp.attempt($$SELECT pg_temp.duration('{"startedDateTime": "1950-01-01T00:00:00Z", "lastActiveDateTime": "2018-01-19T03:14:08Z"}')$$);
SELECT pg_temp.attempt($$SELECT pg_temp.duration('{"activeDurationSeconds": 2147483648}')$$);
SELECT pg_temp.attempt($$SELECT pg_temp.duration('{"activeDurationSeconds": -1}')$$);
SELECT pg_temp.attempt($$SELECT pg_temp.duration('{"activeDurationSeconds": 123456789012345678901234567890}')$$);
SELECT pg_temp.attempt($$SELECT pg_temp.duration('{"activeDurationSeconds": 1.0}')$$);
SELECT pg_temp.attempt($$SELECT pg_temp.duration('{"activeDurationSeconds": "20"}')$$);
SELECT pg_temp.attempt($$SELECT pg_temp.duration('{"lastActiveDateTime": "2018-02-26T20:54:04.344Z"}')$$);
-- heartbeats: forward only, recalculated unless given
CREATE FUNCTION pg_temp.touch(last timestamptz, OUT last_active timestamptz, OUT duration int, OUT status status) LANGUAGE sql AS $$
	SELECT last_active_date_time, active_duration_seconds, status
	FROM touch_history_item('durations', 'app', activity_id('app', '/article?12345'), pg_temp.guid(2), last)
$$;
SELECT status, active_duration_seconds FROM upsert_history_item('durations', 'app', activity_id('app', '/article?12345'), pg_temp.guid(2), pg_temp.item());
SELECT * FROM pg_temp.touch('2018-02-26T20:54:10Z');
SELECT * FROM pg_temp.touch('2018-02-26T20:55:04.344999Z');
SELECT * FROM pg_temp.touch('2018-02-26T20:54:30Z');
SELECT * FROM pg_temp.touch('2018-02-26T20:55:04.345Z');
-- never before the session started
SELECT status FROM upsert_history_item('durations', 'app', activity_id('app', '/article?12345'), pg_temp.guid(2), pg_temp.item());
SELECT * FROM pg_temp.touch('2018-02-26T20:00:00Z');
SELECT active_duration_given FROM upsert_history_item('durations', 'app', activity_id('app', '/article?12345'), pg_temp.guid(2), pg_temp.item('{"activeDurationSeconds": 3}'));
SELECT * FROM pg_temp.touch('2018-02-26T20:59:00Z');
-- the default is the clock
SELECT last_active_date_time > clock_timestamp() - interval '1 minute' AS now
FROM touch_history_item('durations', 'app', activity_id('app', '/article?12345'), pg_temp.guid(2));
-- a session of more seconds than a duration can say
SELECT status FROM upsert_history_item('durations', 'app', activity_id('app', '/article?12345'), pg_temp.guid(2), pg_temp.item('{"startedDateTime": "1950-01-01T00:00:00Z"}'));
SELECT * FROM pg_temp.touch('2018-01-19T03:14:07.999999Z');
SELECT pg_temp.everything('durations') AS before \gset
SELECT pg_temp.attempt($$SELECT pg_temp.touch('2018-01-19T03:14:08Z')$$);
SELECT pg_temp.attempt($$SELECT pg_temp.touch('infinity')$$);
SELECT pg_temp.attempt($$SELECT pg_temp.touch('-infinity')$$);
SELECT pg_temp.attempt($$SELECT pg_temp.touch('0044-03-15 BC')$$);
SELECT pg_temp.attempt($$SELECT pg_temp.touch(NULL)$$);
SELECT pg_temp.everything('durations') = :'before' AS unchanged;
SELECT pg_temp.invariants_hold('durations');

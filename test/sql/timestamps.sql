-- Edm.DateTimeOffset in and out
\getenv inputdir PG_ABS_SRCDIR
\set prelude :inputdir '/include/prelude.sql'
\i :prelude
SELECT count(*) FROM upsert_activity('timestamps', 'app', pg_temp.doc());
CREATE FUNCTION pg_temp.time_in(value text) RETURNS timestamptz LANGUAGE sql AS $$
	SELECT started_date_time FROM upsert_history_item('timestamps', 'app', activity_id('app', '/article?12345'), pg_temp.guid(1),
		json_build_object('startedDateTime', value))
$$;
CREATE FUNCTION pg_temp.time_out(value text) RETURNS text LANGUAGE sql AS $$
	SELECT upsert_history_item('timestamps', 'app', activity_id('app', '/article?12345'), pg_temp.guid(1),
		json_build_object('startedDateTime', value))::json->>'startedDateTime'
$$;
-- in: microseconds, cut and not rounded; out: milliseconds, cut, without trailing zeros
SELECT value, pg_temp.time_in(value), pg_temp.time_out(value) FROM unnest(ARRAY[
	'2015-02-11T20:54:04.3457274+00:00', '2018-02-26T20:54:04Z', '2018-02-26T20:54:04.1Z', '2018-02-26T20:54:04.12Z', '2018-02-26T20:54:22.140Z',
	'2018-02-26T20:54:23.000Z', '2018-02-26T20:54:04.9999999Z', '2018-02-26T20:54:04.999999999999Z', '2018-02-26T20:54:04.000999Z',
	'2018-02-26T20:54:59.999999Z', '2018-02-26T22:54:04+02:00', '2018-02-26T23:54:04-05:30', '2018-02-26T20:54:04-00:00',
	'2018-02-26T20:54:04+14:00', '2018-02-26T20:54:04-14:00', '2016-02-29T00:00:00Z', '2000-02-29T00:00:00Z', '1969-12-31T23:59:59.9999Z',
	'1582-10-10T00:00:00Z', '0001-01-01T00:00:00Z', '0001-01-01T00:00:00.0009Z', '9999-12-31T23:59:59.999999Z', '9999-12-31T23:59:59+00:01']) AS value;
-- refused
SELECT value, split_part(pg_temp.put_item(json_build_object('startedDateTime', value)::text), ':', 1) AS verdict FROM unnest(ARRAY[
	'2018-02-26T20:54:04', '2018-02-26T20:54:60Z', '2018-02-26T20:60:00Z', '2018-02-26T24:00:00Z', '2018-02-29T00:00:00Z', '1900-02-29T00:00:00Z',
	'2018-13-01T00:00:00Z', '2018-00-01T00:00:00Z', '2018-01-00T00:00:00Z', '2018-04-31T00:00:00Z', '2018-02-26 20:54:04Z', '2018-02-26t20:54:04Z',
	'2018-02-26T20:54:04z', '2018-02-26T20:54:04.Z', '2018-02-26T20:54:04.1234567890123Z', '2018-02-26T20:54:04,5Z', '2018-02-26T20:54Z', '2018-02-26',
	'2018-2-26T20:54:04Z', '18-02-26T20:54:04Z', '12018-02-26T20:54:04Z', '+2018-02-26T20:54:04Z', '2018-02-26T20:54:04+0200', '2018-02-26T20:54:04+02',
	'2018-02-26T20:54:04+14:01', '2018-02-26T20:54:04+02:60', '2018-02-26T20:54:04+02:00Z', '2018-02-26T20:54:04 Z', ' 2018-02-26T20:54:04Z',
	'2018-02-26T20:54:04Z ', '2018-02-26T20:54:04 UTC', '0000-01-01T00:00:00Z', '0001-01-01T00:00:00+00:01', '9999-12-31T23:59:59-00:01',
	'infinity', '-infinity', 'now', 'epoch', 'tomorrow', '1519678444', '']) AS value;
SELECT pg_temp.put_item('{"startedDateTime": "2018-02-26T20:54:04"}');
SELECT pg_temp.put_item('{"startedDateTime": ""}');
SELECT pg_temp.put_item('{"startedDateTime": "2018-02-26T20:54:04Z", "lastActiveDateTime": ""}');
SELECT pg_temp.put_item('{"startedDateTime": 1519678444}');
SELECT pg_temp.put_item('{"startedDateTime": "2018-02-26T20:54:04Z", "expirationDateTime": "infinity"}');
-- input and output do not depend on the session's settings
SET timezone = 'America/Los_Angeles';
SET datestyle = 'SQL, DMY';
SELECT pg_temp.time_out('2018-02-26T20:54:04.345Z');
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
-- a row that the store would not write
SELECT pg_temp.attempt($$SELECT ROW(1, '00000000-0000-4000-8000-000000000001', 1, now(), now(), NULL, 'updated', 'infinity', now(), 1, NULL, NULL, false, 'u', 'a', NULL)::activityfeed.history_item::json$$);
SELECT pg_temp.attempt($$SELECT ROW(1, '00000000-0000-4000-8000-000000000001', 1, now(), now(), NULL, 'updated', '10000-01-01', now(), 1, NULL, NULL, false, 'u', 'a', NULL)::activityfeed.history_item::json$$);
-- expirations: given, by default a month after creation, not moved by a replace, raised on the activity
CREATE FUNCTION pg_temp.expires(item int, expiration text, OUT item_lives interval, OUT activity_follows boolean) LANGUAGE sql AS $$
	SELECT date_trunc('hour', h.expiration_date_time - h.created_date_time),
		(graph_json(a)->>'expirationDateTime')::timestamptz >= date_trunc('milliseconds', h.expiration_date_time)
	FROM upsert_history_item('timestamps', 'exp', activity_id('exp', '/article?12345'), pg_temp.guid(item), pg_temp.item(jsonb_build_object('expirationDateTime', expiration))) h,
		upsert_activity('timestamps', 'exp', pg_temp.doc()) a
$$;
SELECT count(*) FROM upsert_activity('timestamps', 'exp', pg_temp.doc());
SELECT * FROM pg_temp.expires(1, NULL);
SELECT created_date_time + interval '90 days' AS later FROM history_item WHERE user_id = 'timestamps' AND app_id = 'exp' AND id = pg_temp.guid(1) \gset
SELECT item_lives, activity_follows FROM pg_temp.expires(1, replace(:'later', ' ', 'T') || ':00');
SELECT item_lives, activity_follows FROM pg_temp.expires(1, NULL);
SELECT a.expiration_date_time = a.history_expiration_date_time AS raised_by_history FROM get_activity('timestamps', 'exp', activity_id('exp', '/article?12345')) a;
-- lowered again: the activity's view of its history follows, its own expiration does not
SELECT created_date_time + interval '10 days' AS sooner FROM history_item WHERE user_id = 'timestamps' AND app_id = 'exp' AND id = pg_temp.guid(1) \gset
SELECT count(*) FROM upsert_history_item('timestamps', 'exp', activity_id('exp', '/article?12345'), pg_temp.guid(1),
	pg_temp.item(jsonb_build_object('expirationDateTime', replace(:'sooner', ' ', 'T') || ':00')));
SELECT a.history_expiration_date_time = :'sooner' AS lowered, a.expiration_date_time = :'later' AS kept FROM get_activity('timestamps', 'exp', activity_id('exp', '/article?12345')) a;
-- a put sets it anew
SELECT a.expiration_date_time - a.last_modified_date_time AS lives FROM upsert_activity('timestamps', 'exp', pg_temp.doc()) a;
-- in the past: refused
SELECT pg_temp.put_item('{"startedDateTime": "2018-02-26T20:54:04Z", "expirationDateTime": "2020-01-01T00:00:00Z"}');
-- in a deep insert too
SELECT count(*) FROM upsert_activity('timestamps', 'exp', pg_temp.doc(jsonb_build_object('historyItems', jsonb_build_array(
	jsonb_build_object('id', pg_temp.guid(1), 'startedDateTime', '2018-02-26T20:54:04Z', 'expirationDateTime', replace(:'sooner', ' ', 'T') || ':00'),
	jsonb_build_object('id', pg_temp.guid(2), 'startedDateTime', '2018-02-26T20:54:04Z', 'expirationDateTime', replace(:'later', ' ', 'T') || ':00')))));
SELECT a.history_expiration_date_time = :'later' AS latest, a.expiration_date_time = :'later' AS raised FROM get_activity('timestamps', 'exp', activity_id('exp', '/article?12345')) a;
SELECT count(*) FROM upsert_activity('timestamps', 'exp', pg_temp.doc(jsonb_build_object('historyItems', jsonb_build_array(
	jsonb_build_object('id', pg_temp.guid(2), 'startedDateTime', '2018-02-26T20:54:04Z', 'expirationDateTime', replace(:'sooner', ' ', 'T') || ':00')))));
SELECT a.history_expiration_date_time = :'sooner' AS lowered FROM get_activity('timestamps', 'exp', activity_id('exp', '/article?12345')) a;
-- expired items count as absent
UPDATE history_item SET expiration_date_time = clock_timestamp() WHERE user_id = 'timestamps' AND app_id = 'exp' AND id = pg_temp.guid(1);
SELECT count(*) FROM get_history_item('timestamps', 'exp', activity_id('exp', '/article?12345'), pg_temp.guid(1));
SELECT delete_history_item('timestamps', 'exp', activity_id('exp', '/article?12345'), pg_temp.guid(1));
SELECT pg_temp.attempt($$SELECT activityfeed.touch_history_item('timestamps', 'exp', activityfeed.activity_id('exp', '/article?12345'), pg_temp.guid(1))$$);
SELECT was_created(h) FROM upsert_history_item('timestamps', 'exp', activity_id('exp', '/article?12345'), pg_temp.guid(1), pg_temp.item()) h;
SELECT pg_temp.invariants_hold('timestamps');

-- Ids of activities, and of users, apps and items
\getenv inputdir PG_ABS_SRCDIR
\set prelude :inputdir '/include/prelude.sql'
\i :prelude
-- the first 63 bits of a SHA-256: known values, and computed in SQL
SELECT activity_id('app', '/article?12345'), activity_id('a', 'b'), activity_id('ab', 'c'), activity_id('a', 'bc'), activity_id('é', 'ü/?&#');
SELECT bool_and(activity_id(app, activity) = ('x' || encode(substr(sha256(convert_to(app, 'UTF8') || '\x00'::bytea || convert_to(activity, 'UTF8')), 1, 8), 'hex'))::bit(64)::bigint >> 1 & 9223372036854775807) AS agrees,
	min(activity_id(app, activity)) >= 0 AS never_negative
FROM (SELECT 'app' || n AS app, repeat('activity' || n, n / 2 + 1) AS activity FROM generate_series(1, 200) n) x;
SELECT activity_id(NULL, 'x'), activity_id('x', NULL);
-- limits in bytes, at and past them
SELECT activity_id(repeat('a', 512), repeat('b', 2048)) IS NOT NULL AS longest;
SELECT pg_temp.attempt($$SELECT activityfeed.activity_id('', 'x')$$);
SELECT pg_temp.attempt($$SELECT activityfeed.activity_id('x', '')$$);
SELECT pg_temp.attempt($$SELECT activityfeed.activity_id(repeat('a', 513), 'x')$$);
SELECT pg_temp.attempt($$SELECT activityfeed.activity_id('x', repeat('b', 2049))$$);
SELECT pg_temp.attempt($$SELECT activityfeed.activity_id('x', repeat('é', 1025))$$);
SELECT octet_length(a.app_activity_id), octet_length(a.user_id), octet_length(a.app_id)
FROM upsert_activity(repeat('é', 256), repeat('a', 512), pg_temp.doc(jsonb_build_object('appActivityId', repeat('é', 1024)))) a;
SELECT pg_temp.put(pg_temp.doc(jsonb_build_object('appActivityId', repeat('x', 2049)))::text);
-- any characters
SELECT a.app_activity_id FROM unnest(ARRAY['/article?12345', 'a b/ü?&#', 'it''s(ok)!~*', '100%', 'a+b=c;d:e@f,g$h', E'tab\tand\nnewline', ' ', '"', '\', '😀']) AS x,
	upsert_activity('ids', 'app', pg_temp.doc(jsonb_build_object('appActivityId', x))) a;
-- case matters, and so does everything else
SELECT count(DISTINCT activity_id('app', x)) FROM unnest(ARRAY['a', 'A', 'a ', ' a', U&'\00E1', U&'\0061\0301']) AS x;
-- a collision is an error, and overwrites nothing
INSERT INTO activity (user_id, id, app_id, app_activity_id, status, created_date_time, last_modified_date_time, expiration_date_time, change_number, created_change_number)
VALUES ('ids', activity_id('app', 'collides'), 'app', 'other', 'updated', now(), now(), now() + interval '1 day', 1, 1);
SELECT pg_temp.attempt($$SELECT activityfeed.upsert_activity('ids', 'app', pg_temp.doc('{"appActivityId": "collides"}'))$$);
SELECT app_activity_id FROM activity WHERE user_id = 'ids' AND id = activity_id('app', 'collides');
UPDATE activity SET expiration_date_time = now() WHERE user_id = 'ids' AND app_activity_id = 'other';
SELECT pg_temp.attempt($$SELECT activityfeed.upsert_activity('ids', 'app', pg_temp.doc('{"appActivityId": "collides"}'))$$);
DELETE FROM activity WHERE user_id = 'ids' AND app_activity_id = 'other';
-- ids of history items: any case in, lower case out
SELECT h::json->>'id' AS id FROM upsert_history_item('ids', 'app', activity_id('app', '100%'), 'ABCDEF00-0000-4000-8000-00000000000F', pg_temp.item()) h;
SELECT count(*) FROM upsert_history_item('ids', 'app', activity_id('app', '100%'), 'abcdef00-0000-4000-8000-00000000000f', pg_temp.item('{"id": "ABCDEF00-0000-4000-8000-00000000000F"}'));
SELECT count(*) FROM history_items('ids', 'app', activity_id('app', '100%'));
-- the document's id must be the one in the call
SELECT pg_temp.attempt($$SELECT activityfeed.upsert_history_item('ids', 'app', activityfeed.activity_id('app', '100%'), pg_temp.guid(1), pg_temp.item('{"id": "abcdef00-0000-4000-8000-00000000000f"}'))$$);
SELECT value, split_part(pg_temp.put(pg_temp.doc(jsonb_build_object('historyItems', jsonb_build_array(jsonb_build_object('id', value, 'startedDateTime', '2018-02-26T20:54:04Z'))))::text), ':', 1) AS verdict
FROM unnest(ARRAY['', 'x', '{abcdef00-0000-4000-8000-00000000000f}', 'abcdef0000004000800000000000000f', 'abcdef00-0000-4000-8000-00000000000', 'abcdef00-0000-4000-8000-00000000000g',
	'abcdef00-0000-4000-8000-00000000000ff', 'abcdef000-000-4000-8000-00000000000f']) AS value;
-- another app's activity is no activity of this app
SELECT pg_temp.attempt($$SELECT activityfeed.upsert_history_item('ids', 'app2', activityfeed.activity_id('app', '100%'), pg_temp.guid(1), pg_temp.item())$$);
SELECT count(*) FROM get_activity('ids', 'app2', activity_id('app', '100%'));
SELECT count(*) FROM get_activity('ids', NULL, activity_id('app', '100%'));
SELECT count(*) FROM history_items('ids', 'app2', activity_id('app', '100%'));
SELECT count(*) FROM get_history_item('ids', 'app2', activity_id('app', '100%'), 'abcdef00-0000-4000-8000-00000000000f');
SELECT delete_activity('ids', 'app2', activity_id('app', '100%')), ignore_activity('ids', 'app2', activity_id('app', '100%')),
	delete_history_item('ids', 'app2', activity_id('app', '100%'), 'abcdef00-0000-4000-8000-00000000000f');
SELECT pg_temp.attempt($$SELECT activityfeed.touch_history_item('ids', 'app2', activityfeed.activity_id('app', '100%'), 'abcdef00-0000-4000-8000-00000000000f')$$);
SELECT pg_temp.invariants_hold('ids');

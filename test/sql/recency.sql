-- recent_activities(): by newest history item, each activity once
\getenv inputdir PG_ABS_SRCDIR
\set prelude :inputdir '/include/prelude.sql'
\i :prelude
SELECT count(*) FROM generate_series(1, 5) n, upsert_activity('recency', 'app' || n % 2, pg_temp.doc(jsonb_build_object('appActivityId', 'a' || n)));
CREATE FUNCTION pg_temp.visit(activity text, item int) RETURNS text LANGUAGE sql AS $$
	SELECT id::text FROM upsert_history_item('recency', 'app' || right(activity, 1)::int % 2,
		activity_id('app' || right(activity, 1)::int % 2, activity), pg_temp.guid(item), pg_temp.item())
$$;
CREATE FUNCTION pg_temp.recent(app text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(app_activity_id, ' ') FROM recent_activities('recency', app)
$$;
-- none has history yet
SELECT pg_temp.recent();
SELECT pg_temp.visit('a1', 1) IS NOT NULL AS v, pg_temp.visit('a2', 1) IS NOT NULL AS v, pg_temp.visit('a3', 1) IS NOT NULL AS v, pg_temp.visit('a1', 2) IS NOT NULL AS v;
SELECT pg_temp.recent(), pg_temp.recent('app1'), pg_temp.recent('app0');
-- an item's newest change counts, of whatever kind
SELECT status FROM touch_history_item('recency', 'app0', activity_id('app0', 'a2'), pg_temp.guid(1));
SELECT pg_temp.recent();
-- a put of the activity does not
SELECT was_created(a) FROM upsert_activity('recency', 'app1', pg_temp.doc('{"appActivityId": "a3"}')) a;
SELECT pg_temp.recent();
-- deleting the newest item: the one before counts again
SELECT delete_history_item('recency', 'app1', activity_id('app1', 'a1'), pg_temp.guid(2));
SELECT pg_temp.recent();
SELECT delete_history_item('recency', 'app1', activity_id('app1', 'a1'), pg_temp.guid(1));
SELECT pg_temp.recent();
-- hidden, shown, deleted
SELECT ignore_activity('recency', 'app0', activity_id('app0', 'a2'));
SELECT pg_temp.recent();
SELECT pg_temp.visit('a2', 2) IS NOT NULL AS v;
SELECT pg_temp.recent();
SELECT ignore_activity('recency', 'app0', activity_id('app0', 'a2'), false);
SELECT pg_temp.recent();
SELECT delete_activity('recency', 'app1', activity_id('app1', 'a3'));
SELECT pg_temp.recent();
-- pages
SELECT pg_temp.visit('a5', 1) IS NOT NULL AS v, pg_temp.visit('a4', 1) IS NOT NULL AS v;
SELECT app_activity_id FROM recent_activities('recency', NULL, top => 1);
SELECT history_change_number AS cursor FROM recent_activities('recency', NULL, top => 1) \gset
SELECT app_activity_id FROM recent_activities('recency', NULL, top => 5, before_history_change_number => :cursor);
SELECT count(*) FROM recent_activities('recency', NULL, top => 0);
-- the position is that of the newest item, expired or not; listed while any has not expired
SELECT pg_temp.visit('a4', 2) IS NOT NULL AS v, pg_temp.visit('a5', 2) IS NOT NULL AS v, pg_temp.visit('a2', 3) IS NOT NULL AS v, pg_temp.visit('a4', 3) IS NOT NULL AS v;
UPDATE history_item SET expiration_date_time = clock_timestamp() WHERE user_id = 'recency' AND activity_id = activity_id('app0', 'a4') AND id = pg_temp.guid(3);
SELECT pg_temp.recent();
UPDATE history_item SET expiration_date_time = clock_timestamp() WHERE user_id = 'recency' AND activity_id = activity_id('app0', 'a4');
UPDATE activity SET history_expiration_date_time = clock_timestamp() WHERE user_id = 'recency' AND id = activity_id('app0', 'a4');
SELECT pg_temp.recent();
SELECT count(*) FROM get_activity('recency', 'app0', activity_id('app0', 'a4'));
-- the modified bounds are on the activity's own time
SELECT count(*) FROM recent_activities('recency', NULL, modified_after => clock_timestamp());

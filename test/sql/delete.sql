-- delete_activity() and delete_history_item(): tombstones
\getenv inputdir PG_ABS_SRCDIR
\set prelude :inputdir '/include/prelude.sql'
\i :prelude
SELECT count(*) FROM generate_series(1, 3) n, upsert_activity('delete', 'app', pg_temp.doc(jsonb_build_object('appActivityId', 'a' || n, 'userTimezone', 'UTC', 'contentInfo', '{"a": 1}'::jsonb,
	'historyItems', jsonb_build_array(jsonb_build_object('id', pg_temp.guid(1), 'startedDateTime', '2018-02-26T20:54:04Z', 'userTimezone', 'UTC'), '{"startedDateTime": "2018-02-26T20:54:04Z"}'::jsonb))));
SELECT delete_activity('delete', 'app', activity_id('app', 'a1'));
-- gone everywhere
SELECT app_activity_id FROM activities('delete', 'app');
SELECT app_activity_id FROM recent_activities('delete', 'app');
SELECT count(*) FROM get_activity('delete', 'app', activity_id('app', 'a1'));
SELECT count(*) FROM history_items('delete', 'app', activity_id('app', 'a1'));
-- what is left: keys, ids, times, status; not what the client sent
SELECT app_id, app_activity_id, num_nulls(activity_source_host, activation_url, app_display_name, content_url, fallback_url, user_timezone, visual_elements, content_info) AS nulls,
	status, created_date_time < last_modified_date_time AS times, expiration_date_time - last_modified_date_time AS kept,
	change_number = (SELECT change_number FROM feed WHERE user_id = 'delete') AS newest, created_change_number < change_number AS incarnation, history_change_number, history_expiration_date_time
FROM activity WHERE user_id = 'delete' AND app_activity_id = 'a1';
SELECT count(*) FROM history_item WHERE user_id = 'delete' AND activity_id = activity_id('app', 'a1');
-- again: there is none
SELECT pg_temp.everything('delete') AS before \gset
SELECT delete_activity('delete', 'app', activity_id('app', 'a1')), delete_activity('delete', 'app', activity_id('app', 'none')), delete_activity('nobody', 'app', activity_id('app', 'a2'));
SELECT delete_history_item('delete', 'app', activity_id('app', 'a1'), pg_temp.guid(1)), delete_history_item('delete', 'app', activity_id('app', 'a2'), pg_temp.guid(9)),
	delete_history_item('nobody', 'app', activity_id('app', 'a2'), pg_temp.guid(1));
SELECT pg_temp.attempt($$SELECT activityfeed.upsert_history_item('delete', 'app', activityfeed.activity_id('app', 'a1'), pg_temp.guid(1), pg_temp.item())$$);
SELECT pg_temp.attempt($$SELECT activityfeed.touch_history_item('delete', 'app', activityfeed.activity_id('app', 'a1'), pg_temp.guid(1))$$);
SELECT pg_temp.attempt($$SELECT activityfeed.touch_history_item('nobody', 'app', activityfeed.activity_id('app', 'a1'), pg_temp.guid(1))$$);
SELECT pg_temp.attempt($$SELECT activityfeed.upsert_history_item('nobody', 'app', activityfeed.activity_id('app', 'a1'), pg_temp.guid(1), pg_temp.item())$$);
SELECT pg_temp.everything('delete') = :'before' AS unchanged, (SELECT count(*) FROM feed WHERE user_id = 'nobody') AS feeds;
-- a put after it creates
SELECT was_created(a), a.created_change_number = a.change_number AS new_incarnation, a.history_change_number FROM upsert_activity('delete', 'app', pg_temp.doc('{"appActivityId": "a1"}')) a;
-- one session
SELECT delete_history_item('delete', 'app', activity_id('app', 'a2'), pg_temp.guid(1));
SELECT count(*) FROM history_items('delete', 'app', activity_id('app', 'a2'));
SELECT count(*) FROM get_history_item('delete', 'app', activity_id('app', 'a2'), pg_temp.guid(1));
SELECT status, num_nulls(started_date_time, last_active_date_time, active_duration_seconds, user_timezone) AS nulls, active_duration_given, expiration_date_time - last_modified_date_time AS kept
FROM history_item WHERE user_id = 'delete' AND activity_id = activity_id('app', 'a2') AND id = pg_temp.guid(1);
SELECT pg_temp.attempt($$SELECT activityfeed.touch_history_item('delete', 'app', activityfeed.activity_id('app', 'a2'), pg_temp.guid(1))$$);
-- it is no change of the activity
SELECT was_created(a) FROM get_activity('delete', 'app', activity_id('app', 'a2')) a;
-- an item that was to be kept longer keeps its tombstone as long
SELECT h.created_date_time + interval '90 days' AS later FROM history_items('delete', 'app', activity_id('app', 'a3'), top => 1) h \gset
SELECT count(*) FROM upsert_history_item('delete', 'app', activity_id('app', 'a3'), pg_temp.guid(1), pg_temp.item(jsonb_build_object('expirationDateTime', replace(:'later', ' ', 'T') || ':00')));
SELECT delete_history_item('delete', 'app', activity_id('app', 'a3'), pg_temp.guid(1));
SELECT expiration_date_time = :'later' AS kept FROM history_item WHERE user_id = 'delete' AND activity_id = activity_id('app', 'a3') AND id = pg_temp.guid(1);
-- expired ones are not there
UPDATE activity SET expiration_date_time = clock_timestamp() WHERE user_id = 'delete' AND app_activity_id = 'a3';
SELECT delete_activity('delete', 'app', activity_id('app', 'a3'));
UPDATE activity SET expiration_date_time = history_expiration_date_time WHERE user_id = 'delete' AND app_activity_id = 'a3';
SELECT pg_temp.invariants_hold('delete');

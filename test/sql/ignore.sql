-- ignore_activity(): hide and show
\getenv inputdir PG_ABS_SRCDIR
\set prelude :inputdir '/include/prelude.sql'
\i :prelude
SELECT count(*) FROM generate_series(1, 3) n, upsert_activity('ignore', 'app', pg_temp.doc(jsonb_build_object('appActivityId', 'a' || n, 'historyItems', '[{"startedDateTime": "2018-02-26T20:54:04Z"}]'::jsonb)));
SELECT ignore_activity('ignore', 'app', activity_id('app', 'a2'));
SELECT app_activity_id FROM activities('ignore', 'app');
SELECT app_activity_id FROM recent_activities('ignore', 'app');
SELECT app_activity_id, status FROM activities('ignore', 'app', ignored => true);
SELECT app_activity_id FROM activities('ignore', NULL, ignored => true);
-- kept: it can be read by id, with its sessions
SELECT status FROM get_activity('ignore', 'app', activity_id('app', 'a2'));
SELECT count(*) FROM history_items('ignore', 'app', activity_id('app', 'a2'));
SELECT a::json->>'status' AS status FROM get_activity('ignore', 'app', activity_id('app', 'a2')) a;
-- it is a change: a number and a time; but not when it is so already
SELECT change_number = (SELECT change_number FROM feed WHERE user_id = 'ignore') AS newest, last_modified_date_time > created_date_time AS later FROM get_activity('ignore', 'app', activity_id('app', 'a2'));
SELECT pg_temp.everything('ignore') AS before \gset
SELECT ignore_activity('ignore', 'app', activity_id('app', 'a2'));
SELECT ignore_activity('ignore', 'app', activity_id('app', 'a1'), false);
SELECT ignore_activity('ignore', 'app', activity_id('app', 'none'));
SELECT ignore_activity('ignore', 'no app', activity_id('app', 'a1'));
SELECT ignore_activity('nobody', 'app', activity_id('app', 'a1'));
SELECT pg_temp.everything('ignore') = :'before' AS unchanged, (SELECT count(*) FROM feed WHERE user_id = 'nobody') AS feeds;
SELECT ignore_activity('ignore', 'app', activity_id('app', 'a2'), false);
SELECT app_activity_id, status FROM activities('ignore', 'app');
-- deleted and expired ones are not there
SELECT delete_activity('ignore', 'app', activity_id('app', 'a1'));
SELECT ignore_activity('ignore', 'app', activity_id('app', 'a1'));
UPDATE activity SET expiration_date_time = clock_timestamp() WHERE user_id = 'ignore' AND app_activity_id = 'a3';
SELECT ignore_activity('ignore', 'app', activity_id('app', 'a3'));

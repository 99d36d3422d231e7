-- Erasing a user: nothing is left, and what comes after begins anew
\getenv inputdir PG_ABS_SRCDIR
\set prelude :inputdir '/include/prelude.sql'
\i :prelude
SELECT FROM generate_series(1, 3) n, unnest('{erase,erase other}'::text[]) principal,
	upsert_activity(principal, 'app ' || n, pg_temp.doc('{"historyItems": [{"id": "00000000-0000-4000-8000-000000000001", "startedDateTime": "2024-01-01T00:00:00Z"},
		{"startedDateTime": "2024-01-01T00:00:00Z"}]}'));
SELECT delete_history_item('erase', 'app 1', activity_id('app 1', '/article?12345'), pg_temp.guid(1));
SELECT delete_activity('erase', 'app 2', activity_id('app 2', '/article?12345'));
SELECT ignore_activity('erase', 'app 3', activity_id('app 3', '/article?12345'));
SELECT change_number AS number FROM feed WHERE user_id = 'erase' \gset
SELECT pg_temp.everything('erase other') AS other \gset
-- 3 activities, 4 sessions, 1 feed
SELECT erase_user('erase');
-- every table that has a user_id
SELECT table_name, (xpath('/row/count/text()', query_to_xml(format('SELECT count(*) FROM activityfeed.%I WHERE user_id = ''erase''', table_name), false, true, '')))[1]::text AS rows
FROM information_schema.columns WHERE table_schema = 'activityfeed' AND column_name = 'user_id' ORDER BY 1;
SELECT pg_temp.everything('erase other') = :'other' AS others_stay;
-- again, and nobody
SELECT erase_user('erase'), erase_user('erase nobody');
SELECT count(*) FROM feed WHERE user_id = 'erase nobody';
-- what comes after begins above all old numbers, in the same transaction too
SELECT change_number > :number AS above, was_created(a) FROM upsert_activity('erase', 'app 1', pg_temp.doc()) a;
SELECT oldest_change_number > :number AS old_cursors_are_refused FROM feed WHERE user_id = 'erase';
BEGIN;
SELECT change_number AS number FROM upsert_activity('erase', 'app 1', pg_temp.doc('{"historyItems": [{"startedDateTime": "2024-01-01T00:00:00Z"}]}')) \gset
SELECT erase_user('erase');
SELECT change_number > :number AS above, history_change_number FROM upsert_activity('erase', 'app 1', pg_temp.doc());
SELECT oldest_change_number > :number AS old_cursors_are_refused FROM feed WHERE user_id = 'erase';
SELECT erase_user('erase');
COMMIT;
SELECT count(*) FROM feed WHERE user_id = 'erase';
-- taken back
BEGIN;
SELECT erase_user('erase other');
ROLLBACK;
SELECT pg_temp.everything('erase other') = :'other' AS others_stay;
SELECT pg_temp.attempt('SELECT activityfeed.erase_user(NULL)');
SELECT pg_temp.attempt('SELECT activityfeed.erase_user('''')');
SELECT pg_temp.attempt('SELECT activityfeed.erase_user(repeat(''x'', 513))');

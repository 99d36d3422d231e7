-- Settings: defaults, bounds, who may set them, what they do
\getenv inputdir PG_ABS_SRCDIR
\set prelude :inputdir '/include/prelude.sql'
\i :prelude
-- known once the module is loaded, by any call
SELECT activity_id('app', 'x') IS NOT NULL AS loaded;
SELECT name, setting, unit, context, vartype, min_val, max_val, boot_val FROM pg_settings WHERE name LIKE 'activityfeed.%' ORDER BY name;
SHOW activityfeed.retention;
SHOW activityfeed.max_document_size;
SELECT name FROM pg_settings WHERE name LIKE 'activityfeed.%' AND short_desc = '';
-- bounds, and no other names
SELECT setting, left(pg_temp.attempt('SET activityfeed.' || setting), 5) AS verdict FROM unnest(ARRAY['retention = 0', 'retention = -2', 'retention = 1', 'retention = -1',
	'max_document_size = ''1023B''', 'max_document_size = ''17MB''', 'max_depth = 3', 'max_depth = 1001', 'max_batch = 0', 'max_batch = 1000001', 'strict = perhaps', 'nonsense = 1']) AS setting;
SELECT pg_temp.attempt('SET activityfeed.retention = 0');
RESET activityfeed.retention;
-- strict is anybody's; the limits are a superuser's
CREATE ROLE settings_user;
GRANT USAGE ON SCHEMA activityfeed TO settings_user;
SET ROLE settings_user;
SELECT setting, left(pg_temp.attempt('SET activityfeed.' || setting), 5) AS verdict FROM unnest(ARRAY['strict = off', 'retention = ''1d''', 'max_document_size = ''2MB''', 'max_depth = 10', 'max_batch = 10']) AS setting;
RESET ROLE;
REVOKE USAGE ON SCHEMA activityfeed FROM settings_user;
DROP ROLE settings_user;
RESET activityfeed.strict;
-- retention: what is stored from now on
SET activityfeed.retention = '1d';
SELECT a.expiration_date_time - a.last_modified_date_time AS activity FROM upsert_activity('settings', 'app', pg_temp.doc('{"historyItems": [{"startedDateTime": "2018-02-26T20:54:04Z"}]}')) a;
SELECT expiration_date_time - created_date_time AS item FROM history_items('settings', 'app', activity_id('app', '/article?12345'));
-- -1 keeps: until the last moment that a document can name
SET activityfeed.retention = -1;
SELECT a.expiration_date_time, a::json->>'expirationDateTime' AS document FROM upsert_activity('settings', 'app', pg_temp.doc('{"historyItems": [{"startedDateTime": "2018-02-26T20:54:04Z"}]}')) a;
SELECT count(*) FROM recent_activities('settings', 'app');
SELECT was_created(b) FROM get_activity('settings', 'app', activity_id('app', '/article?12345')) a, upsert_activity('settings', 'app', a::json) b;
SELECT delete_activity('settings', 'app', activity_id('app', '/article?12345'));
SELECT expiration_date_time FROM activity WHERE user_id = 'settings';
-- the shortest
SET activityfeed.retention = 1;
SELECT a.expiration_date_time - a.last_modified_date_time AS activity FROM upsert_activity('settings', 'short', pg_temp.doc('{"historyItems": [{"startedDateTime": "2018-02-26T20:54:04Z"}]}')) a;
SELECT count(*) FROM activities('settings', 'short');
SELECT pg_sleep(1.1);
SELECT (SELECT count(*) FROM activities('settings', 'short')) AS activities, (SELECT count(*) FROM recent_activities('settings', 'short')) AS recent,
	(SELECT count(*) FROM get_activity('settings', 'short', activity_id('short', '/article?12345'))) AS by_id,
	(SELECT count(*) FROM history_items('settings', 'short', activity_id('short', '/article?12345'))) AS items,
	(SELECT count(*) FROM live_activity WHERE user_id = 'settings') AS live, (SELECT count(*) FROM activity WHERE user_id = 'settings' AND app_id = 'short') AS rows;
-- to the second also where now() stands still
BEGIN;
SELECT count(*) FROM upsert_activity('settings', 'short', pg_temp.doc());
SELECT count(*) FROM activities('settings', 'short');
SELECT pg_sleep(1.1);
SELECT count(*) FROM activities('settings', 'short');
SELECT count(*) FROM live_activity WHERE user_id = 'settings' AND app_id = 'short';
COMMIT;
RESET activityfeed.retention;
SELECT pg_temp.invariants_hold('settings');

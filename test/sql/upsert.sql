-- Creating and replacing activities
\getenv inputdir PG_ABS_SRCDIR
\set prelude :inputdir '/include/prelude.sql'
\i :prelude
\set data :inputdir '/data/'
\set file :data 'put_activity.request.json'
\set published `cat :'file'`
-- created, then replaced; the id stays
SELECT was_created(a), a.id = activity_id('app', '/article?12345') AS id_is_computed, a.status,
	a.created_date_time = a.last_modified_date_time AS times, a.change_number = a.created_change_number AS numbers,
	a.expiration_date_time - a.last_modified_date_time AS lives
FROM upsert_activity('upsert', 'app', :'published') a;
SELECT was_created(a), a.id = activity_id('app', '/article?12345') AS id_is_computed, a.status,
	a.created_date_time < a.last_modified_date_time AS times, a.change_number - a.created_change_number AS numbers,
	a.expiration_date_time - a.last_modified_date_time AS lives
FROM upsert_activity('upsert', 'app', :'published') a;
-- every member of the answer
SELECT key, CASE WHEN key LIKE '%DateTime' THEN '...' ELSE value::text END AS value FROM jsonb_each((SELECT a::jsonb FROM activities('upsert', 'app') a)) ORDER BY key COLLATE "C";
-- what is answered can be put back, and makes no difference but the times
SELECT was_created(b), b::jsonb - 'lastModifiedDateTime' - 'expirationDateTime' = a::jsonb - 'lastModifiedDateTime' - 'expirationDateTime' AS same
FROM activities('upsert', 'app') a, upsert_activity('upsert', 'app', a::json) b;
-- also in one statement with the history
SELECT was_created(b) FROM upsert_activity('upsert', 'app2', pg_temp.doc('{"historyItems": [{"startedDateTime": "2018-02-26T20:54:04Z"}, {"startedDateTime": "2018-02-26T20:54:04Z", "activeDurationSeconds": 7}]}')) a,
	upsert_activity('upsert', 'app2', graph_json(a, 10)) b;
SELECT count(*), count(active_duration_seconds) FROM history_items('upsert', 'app2', activity_id('app2', '/article?12345'));
-- the jsonb form, and how untyped arguments resolve
SELECT was_created(a) FROM upsert_activity('upsert', 'jsonb', :'published'::jsonb) a;
SELECT a.content_info = b.content_info AND a.visual_elements = b.visual_elements AS same
FROM activities('upsert', 'app') a, activities('upsert', 'jsonb') b;
PREPARE untyped AS SELECT was_created(a) FROM upsert_activity($1, $2, $3) a;
SELECT parameter_types FROM pg_prepared_statements WHERE name = 'untyped';
EXECUTE untyped('upsert', 'prepared', :'published');
-- users and apps are apart
SELECT was_created(a) FROM upsert_activity('upsert2', 'app', :'published') a;
SELECT user_id, app_id, count(*) FROM activity WHERE user_id LIKE 'upsert%' GROUP BY 1, 2 ORDER BY 1, 2;
-- server-set members in a request are ignored; so are annotations
SELECT was_created(a), a.created_date_time > '2020-01-01' AS created, a.status, a.id = activity_id('app', 'x') AS id
FROM upsert_activity('upsert', 'app', pg_temp.doc('{"appActivityId": "x", "id": "1", "status": "deleted", "createdDateTime": "2017-06-09T20:54:43.969Z",
	"lastModifiedDateTime": 1, "expirationDateTime": null, "@odata.type": "#microsoft.graph.userActivity", "@odata.etag": {}, "activationUrl@odata.type": "#String",
	"visualElements": {"@odata.type": "microsoft.graph.visualInfo", "displayText": "x", "attribution": {"@odata.type": "#microsoft.graph.imageInfo"}}}')) a;
-- many in one statement
SELECT count(*), count(DISTINCT a.change_number) AS numbers, bool_and(was_created(a)) AS created
FROM generate_series(1, 100) n, upsert_activity('upsert', 'many', pg_temp.doc(jsonb_build_object('appActivityId', n))) a;
SELECT count(*), count(DISTINCT a.change_number) AS numbers, bool_and(was_created(a)) AS created
FROM generate_series(1, 100) n, upsert_activity('upsert', 'many', pg_temp.doc(jsonb_build_object('appActivityId', n::text))) a;
-- within one transaction, now() stands still and times do not
BEGIN;
SELECT a.last_modified_date_time < b.last_modified_date_time AS rises, a.change_number + 1 = b.change_number AS next
FROM upsert_activity('upsert', 'tx', pg_temp.doc()) a, upsert_activity('upsert', 'tx', a::json) b;
COMMIT;
-- an expired activity counts as absent: the next put creates, unhidden and without its old history
SELECT count(*) FROM upsert_activity('upsert', 'expired', pg_temp.doc('{"historyItems": [{"startedDateTime": "2018-02-26T20:54:04Z"}]}'));
SELECT ignore_activity('upsert', 'expired', activity_id('expired', '/article?12345'));
UPDATE history_item SET expiration_date_time = clock_timestamp() WHERE user_id = 'upsert' AND app_id = 'expired';
UPDATE activity SET expiration_date_time = clock_timestamp(), history_expiration_date_time = clock_timestamp() WHERE user_id = 'upsert' AND app_id = 'expired';
SELECT count(*) FROM get_activity('upsert', 'expired', activity_id('expired', '/article?12345'));
SELECT was_created(a), a.status, a.change_number = a.created_change_number AS new_incarnation, a.history_change_number
FROM upsert_activity('upsert', 'expired', pg_temp.doc()) a;
SELECT count(*) AS items FROM history_item WHERE user_id = 'upsert' AND app_id = 'expired';
SELECT pg_temp.invariants_hold('upsert');

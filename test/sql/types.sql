-- Enums, row types and views
\getenv inputdir PG_ABS_SRCDIR
\set prelude :inputdir '/include/prelude.sql'
\i :prelude
SELECT enum_range(NULL::status), enum_range(NULL::external_activity_type), enum_range(NULL::identity_type);
-- the sentinel of the metadata is no value
SELECT pg_temp.attempt($$SELECT 'unknownFutureValue'::activityfeed.status$$);
SELECT pg_temp.attempt($$SELECT 'unknownFutureValue'::activityfeed.external_activity_type$$);
-- row types cast to json and jsonb, which agree
SELECT upsert_activity('types', 'app', pg_temp.doc('{"historyItems": [{"startedDateTime": "2018-02-26T20:54:04Z"}]}')) IS NOT NULL AS stored;
SELECT a::json::jsonb = a::jsonb AS same, pg_typeof(a::json), pg_typeof(a::jsonb), graph_json(a)::jsonb = a::jsonb AS same_as_graph_json
FROM activities('types', 'app') a;
SELECT h::json::jsonb = h::jsonb AS same, pg_typeof(h::json) FROM history_items('types', 'app', activity_id('app', '/article?12345')) h;
SELECT r::json::jsonb = r::jsonb AS same, r::json FROM add_external_activities('types', 'item', '[{"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z"}]') r;
-- casts are explicit: a composite does not turn into a document unasked
SELECT json_typeof(to_json(a)->'visual_elements') AS "to_json keeps the columns" FROM activities('types', 'app') a;
-- a row that somebody made up
SELECT (NULL::activity)::json, graph_json(NULL::activity), was_created(NULL::activity);
SELECT ROW(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::activity::json;
SELECT graph_json(ROW(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::activity, 5)->'historyItems' AS history;
SELECT ROW(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::history_item::json;
SELECT ROW(NULL, NULL, NULL, NULL, NULL)::external_activity_result::json;
-- views show what is live, and only that
SELECT app_activity_id, status FROM live_activity WHERE user_id = 'types';
SELECT status FROM live_history_item WHERE user_id = 'types';
SELECT count(*) FROM live_activity WHERE visual_elements @> '{"displayText": "How to Tie a Reef Knot"}' AND user_id = 'types';
SELECT ignore_activity('types', 'app', activity_id('app', '/article?12345'));
SELECT (SELECT count(*) FROM live_activity WHERE user_id = 'types') AS activities,
	(SELECT count(*) FROM live_history_item WHERE user_id = 'types') AS items;
SELECT ignore_activity('types', 'app', activity_id('app', '/article?12345'), false);
UPDATE history_item SET expiration_date_time = clock_timestamp() WHERE user_id = 'types';
SELECT (SELECT count(*) FROM live_activity WHERE user_id = 'types') AS activities,
	(SELECT count(*) FROM live_history_item WHERE user_id = 'types') AS items;
UPDATE activity SET expiration_date_time = clock_timestamp() WHERE user_id = 'types';
SELECT count(*) AS activities FROM live_activity WHERE user_id = 'types';
SELECT relname, reloptions FROM pg_class WHERE relnamespace = 'activityfeed'::regnamespace AND relkind = 'v' ORDER BY 1;
-- the row types survive columns of somebody else's
BEGIN;
ALTER TABLE activity ADD COLUMN extra int DEFAULT 7;
SELECT extra IS NULL AS unknown_column_is_null, app_activity_id FROM upsert_activity('types2', 'app', pg_temp.doc());
ALTER TABLE activity ADD COLUMN extra2 text DEFAULT 'x';
ALTER TABLE activity DROP COLUMN extra;
SELECT app_activity_id, extra2, a::jsonb ? 'appActivityId' AS document FROM activities('types2', 'app') a;
SELECT app_activity_id, a::jsonb ? 'appActivityId' AS document FROM upsert_activity('types2', 'app', pg_temp.doc()) a;
ROLLBACK;
SELECT count(*) FROM activities('types2', 'app');
-- triggers of the user's own work as on any table: one that writes the same feed
SELECT count(*) FROM upsert_activity('types3', 'app', pg_temp.doc('{"historyItems": [{"id": "00000000-0000-4000-8000-000000000001", "startedDateTime": "2018-02-26T20:54:04Z"}]}'));
CREATE FUNCTION pg_temp.touch_first() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM activityfeed.touch_history_item(NEW.user_id, NEW.app_id, NEW.activity_id, pg_temp.guid(1));
	RETURN NULL;
END
$$;
CREATE TRIGGER touch_first AFTER INSERT ON history_item FOR EACH ROW WHEN (NEW.user_id = 'types3') EXECUTE FUNCTION pg_temp.touch_first();
SELECT count(*) FROM upsert_history_item('types3', 'app', activity_id('app', '/article?12345'), pg_temp.guid(2), pg_temp.item());
SELECT count(*) FROM upsert_activity('types3', 'app', pg_temp.doc('{"historyItems": [{"startedDateTime": "2018-02-26T20:54:04Z"}, {"startedDateTime": "2018-02-26T20:54:04Z"}]}'));
DROP TRIGGER touch_first ON history_item;
SELECT right(id::text, 1) = '1' AS touched_last FROM history_items('types3', 'app', activity_id('app', '/article?12345'), top => 1);
SELECT pg_temp.invariants_hold('types3');

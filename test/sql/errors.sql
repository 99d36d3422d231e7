-- Every error that the code can raise, with SQLSTATE, path and DETAIL; and
-- that a bad call stores nothing and uses no number
\getenv inputdir PG_ABS_SRCDIR
\set prelude :inputdir '/include/prelude.sql'
\i :prelude
SELECT count(*) FROM upsert_activity('put', 'app', pg_temp.doc());
SELECT pg_temp.everything('put') AS before \gset
-- 22023: arguments, of every function
SELECT call, pg_temp.attempt('SELECT activityfeed.' || call) FROM unnest(ARRAY[
	'upsert_activity(NULL, ''app'', pg_temp.doc())', 'upsert_activity(''put'', NULL, pg_temp.doc())', 'upsert_activity('''', ''app'', pg_temp.doc())',
	'upsert_activity(''put'', '''', pg_temp.doc())', 'upsert_activity(repeat(''x'', 513), ''app'', pg_temp.doc())', 'upsert_activity(''put'', repeat(''x'', 513), pg_temp.doc())',
	'upsert_activity(''put'', ''app'', NULL::json)', 'upsert_activity(''put'', ''app'', NULL::jsonb)',
	'upsert_history_item(NULL, ''app'', 1, pg_temp.guid(1), pg_temp.item())', 'upsert_history_item(''put'', ''app'', NULL, pg_temp.guid(1), pg_temp.item())',
	'upsert_history_item(''put'', ''app'', 1, NULL, pg_temp.item())', 'upsert_history_item(''put'', ''app'', 1, pg_temp.guid(1), NULL::json)',
	'touch_history_item(NULL, ''app'', 1, pg_temp.guid(1))', 'touch_history_item(''put'', ''app'', NULL, pg_temp.guid(1))', 'touch_history_item(''put'', ''app'', 1, NULL)',
	'touch_history_item(''put'', ''app'', 1, pg_temp.guid(1), NULL)', 'touch_history_item(''put'', ''app'', 1, pg_temp.guid(1), ''infinity'')',
	'delete_activity(NULL, ''app'', 1)', 'delete_activity(''put'', ''app'', NULL)', 'delete_history_item(''put'', NULL, 1, pg_temp.guid(1))', 'delete_history_item(''put'', ''app'', 1, NULL)',
	'ignore_activity(NULL, ''app'', 1)', 'ignore_activity(''put'', ''app'', NULL)', 'ignore_activity(''put'', ''app'', 1, NULL)',
	'get_activity(NULL, ''app'', 1)', 'get_activity(''put'', '''', 1)', 'get_activity(''put'', ''app'', NULL)', 'get_history_item(''put'', ''app'', NULL, pg_temp.guid(1))', 'get_history_item(''put'', ''app'', 1, NULL)',
	'activities(NULL, ''app'')', 'activities('''', ''app'')', 'activities(''put'', '''')', 'activities(''put'', ''app'', -1)', 'activities(''put'', ''app'', NULL)', 'activities(''put'', ''app'', ignored => NULL)',
	'recent_activities(NULL, NULL)', 'recent_activities(''put'', NULL, -1)', 'history_items(NULL, NULL, 1)', 'history_items(''put'', NULL, NULL)', 'history_items(''put'', NULL, 1, -1)',
	'graph_json(NULL::activityfeed.activity, -1)', 'graph_json(NULL::activityfeed.activity, NULL)',
	'external_activities(NULL, ''i'')', 'external_activities(''c'', '''')', 'external_activities(''c'', ''i'', NULL)', 'activity_id('''', ''x'')']) AS call;
-- none of these stored anything or used a number
CREATE FUNCTION pg_temp.nothing_stored(before text) RETURNS boolean LANGUAGE sql AS $$
	SELECT pg_temp.everything('put') = before AND NOT EXISTS (SELECT FROM activityfeed.feed WHERE user_id NOT IN (SELECT user_id FROM activityfeed.activity))
$$;
SELECT pg_temp.nothing_stored(:'before');
-- 22023: a wrong type for every member
SELECT member, split_part(pg_temp.put(pg_temp.doc(jsonb_build_object(member, '[[]]'::jsonb))::text), E'\n', 2) AS "an array",
	split_part(pg_temp.put(pg_temp.doc(jsonb_build_object(member, 7))::text), E'\n', 2) AS "a number"
FROM unnest(ARRAY['appActivityId', 'activitySourceHost', 'activationUrl', 'appDisplayName', 'contentUrl', 'fallbackUrl', 'userTimezone', 'visualElements', 'contentInfo', 'historyItems', '@odata.type']) AS member;
SELECT member, split_part(pg_temp.put(pg_temp.doc(jsonb_build_object('visualElements', jsonb_build_object('displayText', 'x') || jsonb_build_object(member, '[]'::jsonb)))::text), E'\n', 2) AS "an array",
	split_part(pg_temp.put(pg_temp.doc(jsonb_build_object('visualElements', jsonb_build_object('displayText', 'x') || jsonb_build_object(member, true)))::text), E'\n', 2) AS "a boolean"
FROM unnest(ARRAY['displayText', 'description', 'backgroundColor', 'attribution', 'content', '@odata.type']) AS member;
SELECT member, split_part(pg_temp.put(pg_temp.doc(jsonb_build_object('visualElements', jsonb_build_object('displayText', 'x', 'attribution', jsonb_build_object(member, '{}'::jsonb))))::text), E'\n', 2) AS "an object"
FROM unnest(ARRAY['iconUrl', 'alternateText', 'alternativeText', 'addImageQuery', '@odata.type']) AS member;
SELECT member, split_part(pg_temp.put_item(pg_temp.item(jsonb_build_object(member, '{}'::jsonb))::text), E'\n', 2) AS "an object",
	split_part(pg_temp.put_item(pg_temp.item(jsonb_build_object(member, true))::text), E'\n', 2) AS "a boolean"
FROM unnest(ARRAY['startedDateTime', 'lastActiveDateTime', 'activeDurationSeconds', 'expirationDateTime', 'userTimezone', 'id', '@odata.type']) AS member;
-- 22023: missing, for every required member
SELECT member, pg_temp.put((pg_temp.doc()::jsonb - member)::text) FROM unnest(ARRAY['appActivityId', 'activitySourceHost', 'activationUrl', 'visualElements']) AS member;
SELECT member, split_part(pg_temp.put(pg_temp.doc(jsonb_build_object(member, NULL))::text), ':', 1) AS "null",
	split_part(pg_temp.put(pg_temp.doc(jsonb_build_object(member, ''))::text), ':', 1) AS empty FROM unnest(ARRAY['appActivityId', 'activitySourceHost', 'activationUrl', 'visualElements']) AS member;
SELECT visual, split_part(pg_temp.put(pg_temp.doc(jsonb_build_object('visualElements', visual))::text), ':', 1) AS verdict FROM unnest(ARRAY['{}', '{"displayText": null}', '{"displayText": ""}']::jsonb[]) AS visual;
SELECT pg_temp.put_item('{}');
SELECT pg_temp.put_item('{"startedDateTime": null}');
-- 22023: unknown, at every level
SELECT pg_temp.put(pg_temp.doc('{"colour": 1}')::text);
SELECT pg_temp.put(pg_temp.doc('{"visualElements": {"displayText": "x", "colour": 1}}')::text);
SELECT pg_temp.put(pg_temp.doc('{"visualElements": {"displayText": "x", "attribution": {"colour": 1}}}')::text);
SELECT pg_temp.put(pg_temp.doc('{"historyItems": [{"startedDateTime": "2018-02-26T20:54:04Z"}, {"colour": 1, "startedDateTime": "2018-02-26T20:54:04Z"}]}')::text);
SELECT pg_temp.put_item(pg_temp.item('{"colour": null}')::text);
SELECT pg_temp.put(pg_temp.doc('{"AppActivityId": "x"}')::text);
SELECT length(pg_temp.put(pg_temp.doc(jsonb_build_object(repeat('ü', 5000), 1))::text)) < 2000 AS path_is_clipped;
SELECT pg_temp.nothing_stored(:'before');
-- 22023: values
SELECT host, split_part(pg_temp.put(pg_temp.doc(jsonb_build_object('activitySourceHost', host))::text), ':', 1) AS verdict FROM unnest(ARRAY[
	'https://www.contoso.com', 'http://contoso.com', 'HTTPS://contoso.com', 'contoso.com', 'contoso.com/', 'https://contoso.com/', 'https://contoso.com:8443', 'contoso.com:1/', 'localhost', 'a_b-c.d',
	'münchen.example', '[::1]', 'https://[2001:db8::1]:443/', '192.0.2.1', 'contoso.com:65535',
	'https://contoso.com/a', 'contoso.com//', 'https://contoso.com?x', 'https://contoso.com#x', 'https://me@contoso.com', 'ftp://contoso.com', 'ms-app://x', 'https://', 'http:///', '/', ':80', 'contoso.com:', 'contoso.com:x',
	'contoso.com:65536', 'contoso.com:123456', ' contoso.com', 'contoso.com ', 'con toso.com', 'contoso.com\x', '[]', '[::1', '[g]', 'https:contoso.com', 'a,b']) AS host;
SELECT color, split_part(pg_temp.put(pg_temp.doc(jsonb_build_object('visualElements', jsonb_build_object('displayText', 'x', 'backgroundColor', color)))::text), ':', 1) AS verdict
FROM unnest(ARRAY['#fff', '#FF0000', '#80ff0000', 'red', '', '#', '#ff', '#ffff', '#fffff', '#fffffff', '#fffffffff', '#ggg', 'ff0000', '#ff0000 ', 'rgb(1,2,3)']) AS color;
SELECT value, split_part(pg_temp.put(pg_temp.doc(jsonb_build_object('visualElements', jsonb_build_object('displayText', 'x', 'attribution', jsonb_build_object('addImageQuery', value))))::text), ':', 1) AS verdict
FROM unnest(ARRAY['true', 'false', '"true"', '"false"', 'null', '"True"', '""', '1', '"1"']::jsonb[]) AS value;
-- the accepted ones put the same activity; from here on all are refused
SELECT pg_temp.everything('put') AS before \gset
SELECT pg_temp.put(pg_temp.doc('{"activitySourceHost": "https://contoso.com/a"}')::text);
SELECT pg_temp.put(pg_temp.doc('{"visualElements": {"displayText": "x", "attribution": {"addImageQuery": "maybe"}}}')::text);
SELECT pg_temp.put(pg_temp.doc('{"@odata.type": "#microsoft.graph.user"}')::text);
SELECT pg_temp.put(pg_temp.doc('{"visualElements": {"displayText": "x", "@odata.type": "#microsoft.graph.imageInfo"}}')::text);
SELECT pg_temp.put_item(pg_temp.item('{"@odata.type": "#microsoft.graph.userActivity"}')::text);
-- a double encoded, a malformed and a wrong document are in json.sql; times in timestamps.sql; durations in durations.sql; batches in external.sql
-- P0002, 23505: no such activity or item, collision (in delete.sql and ids.sql too)
SELECT pg_temp.attempt($$SELECT activityfeed.upsert_history_item('put', 'app', 1, pg_temp.guid(1), pg_temp.item())$$);
SELECT pg_temp.attempt($$SELECT activityfeed.touch_history_item('put', 'app', 1, pg_temp.guid(1))$$);
SELECT pg_temp.nothing_stored(:'before');
-- 27000: a trigger keeps a row out
CREATE FUNCTION pg_temp.veto() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
BEGIN;
CREATE TRIGGER veto BEFORE INSERT OR UPDATE ON feed FOR EACH ROW EXECUTE FUNCTION pg_temp.veto();
SELECT pg_temp.put(pg_temp.doc()::text);
ROLLBACK;
BEGIN;
CREATE TRIGGER veto BEFORE INSERT OR UPDATE ON activity FOR EACH ROW EXECUTE FUNCTION pg_temp.veto();
SELECT pg_temp.put(pg_temp.doc()::text);
SELECT pg_temp.put(pg_temp.doc('{"appActivityId": "other"}')::text);
ROLLBACK;
BEGIN;
CREATE TRIGGER veto BEFORE INSERT OR UPDATE ON history_item FOR EACH ROW EXECUTE FUNCTION pg_temp.veto();
SELECT pg_temp.put_item(pg_temp.item()::text);
SELECT pg_temp.put(pg_temp.doc('{"historyItems": [{"startedDateTime": "2018-02-26T20:54:04Z"}]}')::text);
ROLLBACK;
BEGIN;
CREATE TRIGGER veto BEFORE INSERT ON external_activity FOR EACH ROW EXECUTE FUNCTION pg_temp.veto();
SELECT pg_temp.attempt($$SELECT activityfeed.add_external_activities('put', 'veto', '[{"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z"}]')$$);
ROLLBACK;
SELECT pg_temp.nothing_stored(:'before');
SELECT count(*) AS activities FROM activity WHERE user_id = 'put';
SELECT count(*) AS items FROM history_item WHERE user_id = 'put';
SELECT pg_temp.invariants_hold('put');

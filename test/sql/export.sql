-- Export: what is in it, and that it can be put back
\getenv inputdir PG_ABS_SRCDIR
\set prelude :inputdir '/include/prelude.sql'
\i :prelude
SELECT FROM upsert_activity('export', 'reader', pg_temp.doc('{"appActivityId": "two", "contentInfo": {"@type": "Article", "n": 1.50}, "historyItems": [
	{"id": "00000000-0000-4000-8000-000000000001", "startedDateTime": "2024-01-01T00:00:00Z", "lastActiveDateTime": "2024-01-01T00:01:00Z"},
	{"id": "00000000-0000-4000-8000-000000000002", "startedDateTime": "2024-01-02T00:00:00Z"}]}'));
SELECT FROM upsert_activity('export', 'reader', pg_temp.doc('{"appActivityId": "none"}'));
SELECT FROM upsert_activity('export', 'an "app" \', pg_temp.doc('{"appActivityId": "hidden", "historyItems": [{"startedDateTime": "2024-01-01T00:00:00Z"}]}'));
SELECT ignore_activity('export', 'an "app" \', activity_id('an "app" \', 'hidden'));
-- what is not in it
SELECT FROM upsert_activity('export', 'reader', pg_temp.doc('{"appActivityId": "deleted"}'));
SELECT delete_activity('export', 'reader', activity_id('reader', 'deleted'));
SELECT FROM upsert_activity('export', 'reader', pg_temp.doc('{"appActivityId": "expired"}'));
UPDATE activity SET expiration_date_time = now() WHERE app_activity_id = 'expired';
SELECT FROM generate_series(3, 4) n, upsert_history_item('export', 'reader', activity_id('reader', 'two'), pg_temp.guid(n), pg_temp.item());
SELECT delete_history_item('export', 'reader', activity_id('reader', 'two'), pg_temp.guid(3));
UPDATE history_item SET expiration_date_time = now() WHERE user_id = 'export' AND id = pg_temp.guid(4);
SELECT FROM upsert_activity('export other', 'reader', pg_temp.doc('{"appActivityId": "other"}'));
-- documents
SELECT d->>'appActivityId' AS key, d->>'@activityfeed.appId' AS app, d->>'status' AS status, jsonb_path_query_array(d::jsonb, '$.historyItems[*].id ? (@ starts with "0000")') AS items,
	json_array_length(d->'historyItems') AS count
FROM export_user('export') d ORDER BY d->>'appActivityId' COLLATE "C";
-- each is what graph_json says of the activity, and the app
SELECT bool_and(d::jsonb - '@activityfeed.appId' = graph_json(a, 100)::jsonb), bool_and(d->>'@activityfeed.appId' = a.app_id), count(*)
FROM export_user('export') d JOIN activity a ON a.user_id = 'export' AND a.id = (d->>'id')::bigint;
-- nobody, and no id
SELECT count(*) FROM export_user('export nobody');
SELECT pg_temp.attempt('SELECT activityfeed.export_user(NULL)');
SELECT pg_temp.attempt('SELECT activityfeed.export_user('''')');
-- in a list of columns, with a limit, in a cursor
SELECT count(*) FROM (SELECT export_user('export')) e;
SELECT count(*) FROM (SELECT export_user('export') LIMIT 1) e;
-- put back elsewhere, it is the same but for what the store sets
SELECT FROM export_user('export') d, upsert_activity('export again', d->>'@activityfeed.appId', d);
SELECT ignore_activity('export again', app_id, id) FROM activity WHERE user_id = 'export' AND status = 'ignored';
CREATE FUNCTION pg_temp.essence(document json) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_set(document::jsonb - '{createdDateTime,lastModifiedDateTime,expirationDateTime}'::text[], '{historyItems}',
		coalesce((SELECT jsonb_agg(i - '{createdDateTime,lastModifiedDateTime}'::text[] ORDER BY i->>'id') FROM jsonb_array_elements(document::jsonb->'historyItems') i), '[]'))
$$;
SELECT pg_temp.essence(d) FROM export_user('export') d EXCEPT SELECT pg_temp.essence(d) FROM export_user('export again') d;
SELECT pg_temp.essence(d) FROM export_user('export again') d EXCEPT SELECT pg_temp.essence(d) FROM export_user('export') d;
SELECT count(*) FROM (SELECT pg_temp.essence(d) FROM export_user('export') d INTERSECT SELECT pg_temp.essence(d) FROM export_user('export again') d) same;
-- lines of JSON: COPY's text format would double backslashes, so CSV with a quote and a delimiter that JSON never has
SELECT FROM upsert_activity('export lines', 'app', pg_temp.doc(jsonb_build_object('appActivityId', E'a "b" \\ \n \t , \x7f \\.', 'contentInfo', jsonb_build_object('x', E'\r\n\\"\u2028'))));
COPY (SELECT (d::jsonb - '{createdDateTime,lastModifiedDateTime,expirationDateTime}'::text[])::text FROM export_user('export lines') d) TO STDOUT (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02');

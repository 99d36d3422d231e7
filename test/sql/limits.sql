-- Sizes: at the limit and past it
\getenv inputdir PG_ABS_SRCDIR
\set prelude :inputdir '/include/prelude.sql'
\i :prelude
-- a document of exactly so many bytes
CREATE FUNCTION pg_temp.sized(bytes int) RETURNS text LANGUAGE sql AS $$
	SELECT replace(pg_temp.doc('{"appDisplayName": "@"}')::text, '@', repeat('x', bytes - octet_length(pg_temp.doc('{"appDisplayName": ""}')::text)))
$$;
SELECT octet_length(pg_temp.sized(1048576)), pg_temp.put(pg_temp.sized(1048576));
SELECT pg_temp.put(pg_temp.sized(1048577));
SELECT pg_temp.attempt($$SELECT activityfeed.upsert_activity('put', 'app', pg_temp.sized(1048577)::jsonb)$$);
SET activityfeed.max_document_size = '1kB';
SELECT pg_temp.put(pg_temp.sized(1024));
SELECT pg_temp.put(pg_temp.sized(1025));
SELECT pg_temp.put_item(pg_temp.item(jsonb_build_object('userTimezone', repeat('x', 1024)))::text);
SET activityfeed.max_document_size = '16MB';
SELECT pg_temp.put(pg_temp.sized(16 * 1024 * 1024));
RESET activityfeed.max_document_size;
-- 100 MB
SELECT pg_temp.attempt($$SELECT activityfeed.upsert_activity('put', 'app', pg_temp.sized(100000000)::json)$$);
-- stored compressed, one is refused by what it unpacks to
CREATE TEMP TABLE stored AS SELECT pg_temp.sized(2000000)::json AS document;
SELECT pg_column_size(document) < 100000 AS compressed FROM stored;
SELECT pg_temp.attempt($$SELECT activityfeed.upsert_activity('put', 'app', document) FROM stored$$);
-- in a batch the limit is for each element
SELECT r.index, r.id IS NOT NULL AS stored, r.type, r.start_date_time, r.error->>'code' AS code, r.error->>'message' AS message FROM add_external_activities('limits', 'sizes', json_build_array(
	json_build_object('type', 'viewed', 'startDateTime', '2021-04-06T18:04:31Z', 'x@y', repeat('x', 1048576)), json_build_object('type', 'viewed', 'startDateTime', '2021-04-06T18:04:31Z', 'x@y', repeat('x', 1000000)),
	json_build_object('type', 'viewed', 'startDateTime', '2021-04-06T18:04:31Z', 'x@y', repeat('x', 1000000)))) r;
SELECT r.index, r.id IS NOT NULL AS stored, r.error->>'code' AS code, r.error->>'message' AS message FROM add_external_activities('limits', 'depth',
	('[{"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z", "x@y": ' || repeat('[', 63) || repeat(']', 63) || '}, {"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z", "x@y": ' || repeat('[', 64) || repeat(']', 64) || '}]')::json) r;
-- elements of a batch, and history items
SET activityfeed.max_batch = 3;
SELECT count(*) FROM add_external_activities('limits', 'count', '[1, 2, 3]');
SELECT pg_temp.attempt($$SELECT activityfeed.add_external_activities('limits', 'count', '[1, 2, 3, 4]')$$);
SELECT pg_temp.put(pg_temp.doc('{"historyItems": [{"startedDateTime": "2018-02-26T20:54:04Z"}, {"startedDateTime": "2018-02-26T20:54:04Z"}, {"startedDateTime": "2018-02-26T20:54:04Z"}]}')::text);
SELECT pg_temp.put(pg_temp.doc('{"historyItems": [1, 2, 3, 4]}')::text);
RESET activityfeed.max_batch;
SELECT count(*), count(r.id) FROM add_external_activities('limits', 'default', (SELECT json_agg('{"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z"}'::json) FROM generate_series(1, 10000))) r;
SELECT pg_temp.attempt($$SELECT activityfeed.add_external_activities('limits', 'default', (SELECT json_agg('{"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z"}'::json) FROM generate_series(1, 10001)))$$);
SELECT count(*) FROM external_activity WHERE connection_id = 'limits' AND item_id = 'default';
SELECT pg_temp.invariants_hold('put');

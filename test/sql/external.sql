-- add_external_activities(): a result for each element, the good ones stored
\getenv inputdir PG_ABS_SRCDIR
\set prelude :inputdir '/include/prelude.sql'
\i :prelude
\set data :inputdir '/data/'
\set file :data 'add_activities.request.json'
\set published `cat :'file'`
\set file :data 'add_activities.response.json'
\set answer `cat :'file'`
\set file :data 'add_activities.batch.json'
\set batch `cat :'file'`
-- the published request and answer
SELECT r::jsonb = :'answer'::jsonb->'value'->0 AS as_published FROM add_external_activities('contosohr', 'TSP228082938', :'published') r;
SELECT type, start_date_time, performed_by_type, performed_by_id FROM external_activities('contosohr', 'TSP228082938');
-- five, two of them bad
SELECT r.index, r.id IS NOT NULL AS stored, r.type, r.start_date_time, r.error FROM add_external_activities('contosohr', 'batch', :'batch') r;
SELECT type, start_date_time, performed_by_type, performed_by_id FROM external_activities('contosohr', 'batch');
-- the results as documents, in the order sent
SELECT json_agg(r::json)->2 AS refused, json_agg(r::json)->4 AS stored FROM add_external_activities('contosohr', 'batch2', :'batch') r;
-- ids are those of the rows, in the order sent
CREATE TEMP TABLE result AS SELECT * FROM add_external_activities('contosohr', 'batch3', :'batch');
SELECT r.index, e.type, e.start_date_time FROM result r LEFT JOIN external_activity e ON e.item_id = 'batch3' AND e.id = r.id ORDER BY r.index;
SELECT array_agg(id) = array_agg(id ORDER BY id) AS rising FROM (SELECT id FROM result WHERE id IS NOT NULL ORDER BY index) r;
-- append-only: sent twice, stored twice; newest id first
SELECT count(*) FROM add_external_activities('contosohr', 'batch', :'batch');
SELECT count(*), array_agg(id) = array_agg(id ORDER BY id DESC) AS newest_first FROM external_activities('contosohr', 'batch');
SELECT min(id) AS cursor FROM external_activities('contosohr', 'batch', top => 2) \gset
SELECT count(*) FROM external_activities('contosohr', 'batch', before_id => :cursor);
SELECT count(*) FROM external_activities('contosohr', 'batch', top => 0);
-- a bare array, an empty one, and the jsonb form
SELECT r.type, r.error FROM add_external_activities('c', 'bare', '[{"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z"}]') r;
SELECT count(*) FROM add_external_activities('c', 'empty', '[]');
SELECT count(*) FROM add_external_activities('c', 'empty', '{"activities": []}');
SELECT r.type, r.error FROM add_external_activities('c', 'jsonb', '[{"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z"}]'::jsonb) r;
-- of two members of one name the last counts, also when it is spelt with escapes
SELECT count(*) FROM add_external_activities('c', 'last', '{"activities": [1, 2], "activit\u0069es": [{"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z"}]}');
-- all bad: nothing stored
SELECT r.index, r.type, r.start_date_time, r.error->>'target' AS target, r.error->>'message' AS message
FROM add_external_activities('c', 'bad', '[1, null, "x", [], {}, {"type": "viewed"}, {"startDateTime": "2021-04-06T18:04:31Z"},
	{"type": "Viewed", "startDateTime": "2021-04-06T18:04:31Z"}, {"type": "unknownFutureValue", "startDateTime": "2021-04-06T18:04:31Z"},
	{"type": 7, "startDateTime": "2021-04-06T18:04:31Z"}, {"type": "", "startDateTime": "2021-04-06T18:04:31Z"}, {"type": "viewed", "startDateTime": ""},
	{"type": "viewed", "startDateTime": 0}, {"type": "viewed", "startDateTime": "2021-04-06T18:04:31"},
	{"colour": 1, "type": "viewed", "startDateTime": "2021-04-06T18:04:31Z"},
	{"@odata.type": "#microsoft.graph.userActivity", "type": "viewed", "startDateTime": "2021-04-06T18:04:31Z"},
	{"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z", "performedBy": "me"}, {"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z", "performedBy": {}},
	{"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z", "performedBy": {"type": "user"}}, {"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z", "performedBy": {"id": "x"}},
	{"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z", "performedBy": {"type": "robot", "id": "x"}},
	{"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z", "performedBy": {"type": "user", "id": ""}},
	{"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z", "performedBy": {"type": "user", "id": "x", "name": "y"}},
	{"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z", "performedBy": {"type": "user", "id": "\u0000"}},
	{"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z", "performedBy": {"type": "user", "id": "\ud800"}}]') r;
SELECT r.error->>'code' AS code, r.error->>'message' AS message FROM add_external_activities('c', 'bad', json_build_array(
	json_build_object('type', 'viewed', 'startDateTime', '2021-04-06T18:04:31Z', 'performedBy', json_build_object('type', 'user', 'id', repeat('x', 513))))) r;
SELECT count(*) FROM external_activities('c', 'bad');
-- accepted: identities in any case, answered as documented; annotations; null for nobody
SELECT r.error FROM add_external_activities('c', 'good', '[{"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z", "performedBy": {"type": "EXTERNALGROUP", "id": "x"}},
	{"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z", "performedBy": {"@odata.type": "microsoft.graph.externalConnectors.identity", "type": "Group", "id": "x"}},
	{"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z", "performedBy": null, "performedBy@odata.bind": "x"}]') r;
SELECT performed_by_type FROM external_activities('c', 'good');
-- what a result says of a bad element, however it is spelt; annotations likewise
SELECT r.type, r.start_date_time, r.error->>'target' AS target FROM add_external_activities('c', 'spelt', '{"\u0040x": 1, "activities": [
	{"colour": 1, "type": "view\u0065d", "startDateTime": "2021-04-06T18:04:31\u005a"}, {"colour": 1, "typ\u0065": "viewed"}, {"@odata.type": null, "type": "viewed", "startDateTime": "2021-04-06T18:04:31Z"}]}') r;
-- strict off: unknown members are ignored
SET activityfeed.strict = off;
SELECT r.error FROM add_external_activities('c', 'lax', '{"colour": 1, "activities": [{"colour": 1, "type": "viewed", "startDateTime": "2021-04-06T18:04:31Z"}]}') r;
RESET activityfeed.strict;
-- the request itself is bad
SELECT pg_temp.attempt($$SELECT activityfeed.add_external_activities('c', 'request', '{}')$$);
SELECT pg_temp.attempt($$SELECT activityfeed.add_external_activities('c', 'request', '{"activities": null}')$$);
SELECT pg_temp.attempt($$SELECT activityfeed.add_external_activities('c', 'request', '{"activities": {}}')$$);
SELECT pg_temp.attempt($$SELECT activityfeed.add_external_activities('c', 'request', '{"activities": [], "colour": 1}')$$);
SELECT pg_temp.attempt($$SELECT activityfeed.add_external_activities('c', 'request', '7')$$);
SELECT pg_temp.attempt($$SELECT activityfeed.add_external_activities('c', 'request', '"[]"')$$);
SELECT pg_temp.attempt($$SELECT activityfeed.add_external_activities('c', 'request', NULL::json)$$);
SELECT pg_temp.attempt($$SELECT activityfeed.add_external_activities(NULL, 'request', '[]')$$);
SELECT pg_temp.attempt($$SELECT activityfeed.add_external_activities('', 'request', '[]')$$);
SELECT pg_temp.attempt($$SELECT activityfeed.add_external_activities('c', repeat('x', 513), '[]')$$);
SELECT pg_temp.attempt($$SELECT activityfeed.add_external_activities('c', 'request', '[')$$);
SELECT pg_temp.attempt($$SELECT activityfeed.external_activities('c', 'request', -1)$$);
SELECT count(*) FROM external_activities('c', 'request');
-- more than one chunk, good and bad mixed, in order
SELECT count(*), count(r.id) AS stored, count(r.error) AS refused, bool_and((r.index % 3 = 0) = (r.error IS NOT NULL)) AS verdicts,
	array_agg(r.id) = array_agg(r.id ORDER BY r.index) AS in_order, min(r.index), max(r.index)
FROM add_external_activities('c', 'chunks', (SELECT json_agg(json_build_object('type', CASE WHEN n % 3 = 0 THEN 'liked' ELSE 'viewed' END,
	'startDateTime', to_char('2021-01-01'::timestamp + n * interval '1 second', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))) FROM generate_series(0, 2499) n)) r;
SELECT count(*) AS wrong FROM (SELECT start_date_time, lag(start_date_time) OVER (ORDER BY id) AS previous FROM external_activity WHERE item_id = 'chunks') x WHERE start_date_time <= previous;
-- one transaction id for all of it
BEGIN;
SELECT count(*) FROM add_external_activities('c', 'xid', (SELECT json_agg(json_build_object('type', CASE WHEN n % 2 = 0 THEN 'liked' ELSE 'viewed' END, 'startDateTime', '2021-04-06T18:04:31Z')) FROM generate_series(1, 200) n));
SELECT count(DISTINCT xmin::text) AS transaction_ids, count(*) AS rows FROM external_activity WHERE item_id = 'xid';
COMMIT;

-- historyItems in an activity: a deep insert, all or nothing
\getenv inputdir PG_ABS_SRCDIR
\set prelude :inputdir '/include/prelude.sql'
\i :prelude
\set data :inputdir '/data/'
\set file :data 'put_activity.request.json'
\set published `cat :'file'`
\set file :data 'deep_insert.historyItems.request.json'
\set items `cat :'file'`
\set file :data 'deep_insert.historyItem.response.json'
\set answer `cat :'file'`
SELECT was_created(a), a.history_change_number - a.change_number AS numbers_after, a.history_expiration_date_time = a.expiration_date_time AS expires_with_it
FROM upsert_activity('deep', 'app', (:'published'::jsonb || jsonb_build_object('historyItems', :'items'::jsonb))::json) a;
-- the published answer, but for what the server sets
SELECT h::jsonb - '{id,createdDateTime,lastModifiedDateTime,expirationDateTime}'::text[]
	= :'answer'::jsonb - '{id,createdDateTime,lastModifiedDateTime,expirationDateTime}'::text[] AS as_published,
	h.active_duration_seconds, was_created(h), h.id::text ~ '^[0-9a-f]{8}-[0-9a-f]{4}-4' AS random_guid
FROM history_items('deep', 'app', activity_id('app', '/article?12345')) h;
-- without ids they add, with ids they replace; of two with one id the second counts
SELECT count(*) FROM upsert_activity('deep', 'app', (:'published'::jsonb || jsonb_build_object('historyItems', :'items'::jsonb))::json);
SELECT count(*) FROM history_items('deep', 'app', activity_id('app', '/article?12345'));
SELECT a.history_change_number - a.change_number AS numbers_after FROM upsert_activity('deep', 'ids', pg_temp.doc(
	'{"historyItems": [{"id": "00000000-0000-4000-8000-00000000000A", "startedDateTime": "2018-02-26T20:54:04Z"},
		{"id": "00000000-0000-4000-8000-00000000000b", "startedDateTime": "2018-02-26T20:54:05Z"},
		{"id": "00000000-0000-4000-8000-00000000000a", "startedDateTime": "2018-02-26T20:54:06Z"}]}')) a;
SELECT id, started_date_time, was_created(h) FROM history_items('deep', 'ids', activity_id('ids', '/article?12345')) h;
-- numbers and times follow the order of the elements
SELECT count(*) FROM upsert_activity('deep', 'order', pg_temp.doc(jsonb_build_object('historyItems',
	(SELECT jsonb_agg(jsonb_build_object('startedDateTime', format('2018-02-26T20:%s:00Z', lpad(n::text, 2, '0')))) FROM generate_series(0, 49) n))));
SELECT array_agg(h.started_date_time ORDER BY h.change_number) = array_agg(h.started_date_time ORDER BY h.started_date_time) AS in_order,
	max(h.change_number) - min(h.change_number) AS numbers, count(DISTINCT h.last_modified_date_time) AS times
FROM history_items('deep', 'order', activity_id('order', '/article?12345'), top => 100) h;
-- one bad element, and nothing of the request is stored
SELECT pg_temp.everything('deep') AS before \gset
SELECT pg_temp.attempt($$SELECT activityfeed.upsert_activity('deep', 'app', pg_temp.doc('{"appDisplayName": "changed",
	"historyItems": [{"startedDateTime": "2018-02-26T20:54:04Z"}, {"startedDateTime": "2018-02-26T20:54:04Z", "lastActiveDateTime": "2018-02-26T20:54:03Z"}]}'))$$);
SELECT pg_temp.attempt($$SELECT activityfeed.upsert_activity('deep3', 'app', pg_temp.doc('{"historyItems": [{}]}'))$$);
SELECT pg_temp.attempt($$SELECT activityfeed.upsert_activity('deep3', 'app', pg_temp.doc('{"historyItems": [7]}'))$$);
SELECT pg_temp.everything('deep') = :'before' AS unchanged, (SELECT count(*) FROM feed WHERE user_id = 'deep3') AS feeds;
-- an empty array is none
SELECT a.history_change_number FROM upsert_activity('deep', 'none', pg_temp.doc('{"historyItems": []}')) a;
-- graph_json shows them, newest first, as many as asked for
SELECT json_array_length(graph_json(a, 3)->'historyItems') AS three, graph_json(a)::jsonb ? 'historyItems' AS unasked,
	graph_json(a, 1)->'historyItems'->0->>'startedDateTime' AS newest
FROM get_activity('deep', 'order', activity_id('order', '/article?12345')) a;
-- in one statement with the upsert that stored them
SELECT json_array_length(graph_json(a, 5)->'historyItems') AS seen
FROM upsert_activity('deep', 'same', pg_temp.doc('{"historyItems": [{"startedDateTime": "2018-02-26T20:54:04Z"}, {"startedDateTime": "2018-02-26T20:54:04Z"}]}')) a;
SELECT pg_temp.invariants_hold('deep');

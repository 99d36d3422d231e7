-- activityfeed.strict, on and off
\getenv inputdir PG_ABS_SRCDIR
\set prelude :inputdir '/include/prelude.sql'
\i :prelude
\set data :inputdir '/data/'
\set file :data 'put_activity.request.json'
\set put `cat :'file'`
\set file :data 'put_activity.response.json'
\set answer `cat :'file'`
\set file :data 'graph_explorer_sample.request.json'
\set explorer `cat :'file'`
\set file :data 'seed001_v10_example1.request.json'
\set current `cat :'file'`
\set file :data 'get_activities.response.json'
\set list `cat :'file'`
CREATE TEMP TABLE published (name text, body text);
INSERT INTO published VALUES ('documented request', :'put'), ('documented answer', :'answer'), ('Graph Explorer sample', :'explorer'),
	('current page''s request', :'current'), ('listed activity', (:'list'::json->'value'->0)::text);
-- every published body: all but one are good under strict, all without
SELECT name, pg_temp.put(body) FROM published;
SET activityfeed.strict = off;
SELECT name, pg_temp.put(body) FROM published;
-- what stays required without strict
SELECT body, split_part(pg_temp.put(body), ':', 1) AS verdict FROM unnest(ARRAY[
	'{"appActivityId": "x", "visualElements": {"displayText": "y"}}', '{"appActivityId": "", "visualElements": {"displayText": "y"}}', '{"visualElements": {"displayText": "y"}}',
	'{"appActivityId": "x", "visualElements": {"displayText": ""}}', '{"appActivityId": "x", "visualElements": {}}', '{"appActivityId": "x"}', '{}',
	'{"appActivityId": "x", "activitySourceHost": "", "activationUrl": "", "visualElements": {"displayText": "y"}}',
	'{"appActivityId": "x", "activitySourceHost": null, "activationUrl": null, "visualElements": {"displayText": "y"}}',
	'{"appActivityId": "x", "activitySourceHost": "a/b", "visualElements": {"displayText": "y"}}',
	'{"appActivityId": "x", "visualElements": {"displayText": "y", "backgroundColor": "red"}}',
	'{"appActivityId": "x", "colour": 1, "visualElements": {"displayText": "y", "colour": 1, "attribution": {"colour": 1}}, "historyItems": [{"colour": 1, "startedDateTime": "2018-02-26T20:54:04Z"}]}',
	'{"appActivityId": "x", "visualElements": {"displayText": "y"}, "historyItems": [{}]}',
	'{"appActivityId": "x", "colour": "\u0000", "visualElements": {"displayText": "y"}}',
	'{"appActivityId": 7, "visualElements": {"displayText": "y"}}']) AS body;
SELECT a.activity_source_host = '' AS empty, a.activation_url IS NULL AS absent FROM upsert_activity('strict', 'app', '{"appActivityId": "x", "activitySourceHost": "", "visualElements": {"displayText": "y"}}') a;
-- the call's id wins over the document's
SELECT h.id FROM upsert_history_item('strict', 'app', activity_id('app', 'x'), pg_temp.guid(1), pg_temp.item('{"id": "00000000-0000-4000-8000-000000000002"}')) h;
-- the same bodies under strict, where the hint says the way out
RESET activityfeed.strict;
SELECT pg_temp.put('{"appActivityId": "x", "activationUrl": "a", "visualElements": {"displayText": "y"}}');
SELECT pg_temp.put('{"appActivityId": "x", "activitySourceHost": "a", "activationUrl": "", "visualElements": {"displayText": "y"}}');
SELECT pg_temp.put(pg_temp.doc('{"colour": 1}')::text);

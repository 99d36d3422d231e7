-- What demo.sh shows.  :data is the folder of the published bodies.
\pset footer off
\pset columns 100
\set activity `cat :'data'/put_activity.request.json`
\set history_items `cat :'data'/deep_insert.historyItems.request.json`
\set history_item `cat :'data'/put_historyitem.request.json`
\set explorer `cat :'data'/graph_explorer_sample.request.json`
\set external `cat :'data'/add_activities.request.json`
\set batch `cat :'data'/add_activities.batch.json`

SET client_min_messages = warning;
CREATE EXTENSION activityfeed;
SET search_path = activityfeed, public;
SET timezone = 'UTC';

\echo
\echo '== The documented activity, put twice: created, then replaced'
\echo
SELECT a.app_activity_id AS "appActivityId", a.id, was_created(a) AS created
FROM upsert_activity('demo-user', 'contoso', :'activity') a;
SELECT a.app_activity_id AS "appActivityId", a.id, was_created(a) AS created
FROM upsert_activity('demo-user', 'contoso', :'activity') a;

\echo
\echo '== What is stored, as the document that a client gets'
\echo
\pset format unaligned
\pset tuples_only on
SELECT jsonb_pretty(a::jsonb)
FROM get_activity('demo-user', 'contoso', activity_id('contoso', '/article?12345')) a;
\pset tuples_only off
\pset format aligned

\echo
\echo '== A deep insert: the same activity with a session of 20 seconds'
\echo
SELECT item->>'startedDateTime' AS "startedDateTime", item->>'lastActiveDateTime' AS "lastActiveDateTime",
	item->'activeDurationSeconds' AS "activeDurationSeconds (calculated)"
FROM upsert_activity('demo-user', 'contoso',
		((:'activity'::jsonb) || jsonb_build_object('historyItems', :'history_items'::jsonb))::json) a,
	json_array_elements(graph_json(a, history_top => 10)->'historyItems') item;

\echo
\echo '== The documented history item; times come with seven digits and are cut'
\echo
\pset format unaligned
\pset tuples_only on
SELECT jsonb_pretty(h::jsonb)
FROM upsert_history_item('demo-user', 'contoso', activity_id('contoso', '/article?12345'),
	'9d0b74e4-4b41-43ea-b34d-f9c1bf9f809c', :'history_item') h;
\pset tuples_only off
\pset format aligned

\echo
\echo '== The Graph Explorer sample, from another app'
\echo
SELECT a.app_display_name AS "appDisplayName", a.app_activity_id AS "appActivityId", was_created(a) AS created
FROM upsert_activity('demo-user', 'graph-explorer', :'explorer') a;

\echo
\echo '== The documented external activity, and a batch of five with two bad elements'
\echo
\pset format wrapped
SELECT r.index, r.id, r.type, r.start_date_time AS "startDateTime", r.error->>'message' AS error
FROM add_external_activities('contosohr', 'TSP228082938', :'external') r;
SELECT r.index, r.id, r.type, r.start_date_time AS "startDateTime", r.error->>'message' AS error
FROM add_external_activities('contosohr', 'TSP228082938', :'batch') r;
\pset format aligned

\echo
\echo '== Recent activities of every app, newest use first'
\echo
SELECT a.app_display_name AS "app", a.visual_elements->>'displayText' AS "displayText",
	date_trunc('second', h.started_date_time) AS "last session", h.active_duration_seconds AS "seconds"
FROM recent_activities('demo-user', NULL) a,
	LATERAL history_items(a.user_id, a.app_id, a.id, top => 1) h;

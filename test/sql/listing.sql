-- activities(), history_items(), external lists: order, pages, bounds
\getenv inputdir PG_ABS_SRCDIR
\set prelude :inputdir '/include/prelude.sql'
\i :prelude
SELECT count(*) FROM generate_series(1, 600) n, upsert_activity('listing', 'app' || n % 3, pg_temp.doc(jsonb_build_object('appActivityId', 'a' || n)));
-- newest change first; activities without history included
SELECT app_activity_id FROM activities('listing', 'app0', top => 3);
SELECT app_activity_id FROM activities('listing', NULL, top => 3);
SELECT count(*) FROM activities('listing', 'app0');
SELECT count(*) FROM activities('listing', 'app0', top => 1000);
SELECT count(*) FROM activities('listing', NULL, top => 1000);
SELECT count(*) FROM activities('listing', 'app0', top => 0);
SELECT count(*) FROM activities('listing', 'app0', top => 2147483647);
SELECT count(*) FROM activities('nobody', NULL);
SELECT count(*) FROM activities('listing', 'no app');
SELECT array_agg(app_activity_id) = array_agg(app_activity_id ORDER BY change_number DESC) AS in_order FROM activities('listing', NULL, top => 1000);
-- a change moves to the front
SELECT was_created(a) FROM upsert_activity('listing', 'app1', pg_temp.doc('{"appActivityId": "a1"}')) a;
SELECT app_activity_id FROM activities('listing', NULL, top => 2);
-- a history item does not
SELECT count(*) FROM upsert_history_item('listing', 'app2', activity_id('app2', 'a2'), pg_temp.guid(1), pg_temp.item());
SELECT app_activity_id FROM activities('listing', NULL, top => 1);
SELECT app_activity_id FROM recent_activities('listing', NULL, top => 2);
-- pages by cursor: each once, for one app and for all
CREATE FUNCTION pg_temp.walk(app text, page int, OUT rows bigint, OUT ids bigint, OUT pages int) LANGUAGE plpgsql AS $$
DECLARE
	seen bigint[] := '{}';
	next bigint;
	chunk bigint[];
BEGIN
	pages := 0;
	LOOP
		SELECT array_agg(id), min(change_number) INTO chunk, next FROM activities('listing', app, page, next);
		EXIT WHEN chunk IS NULL;
		seen := seen || chunk;
		pages := pages + 1;
	END LOOP;
	SELECT count(*), count(DISTINCT s) INTO rows, ids FROM unnest(seen) s;
END
$$;
SELECT app, page, (pg_temp.walk(app, page)).* FROM unnest(ARRAY['app0', NULL]) AS app, unnest(ARRAY[1, 7, 64, 256, 1000]) AS page;
-- modified bounds are exclusive
SELECT last_modified_date_time AS bound FROM activities('listing', 'app0', top => 1) \gset
SELECT count(*) FROM activities('listing', 'app0', top => 1000, modified_before => :'bound');
SELECT count(*) FROM activities('listing', 'app0', modified_after => :'bound');
SELECT count(*) FROM activities('listing', 'app0', top => 1000, modified_after => :'bound'::timestamptz - interval '1 microsecond');
SELECT count(*) FROM activities('listing', NULL, top => 1000, modified_after => '-infinity', modified_before => 'infinity');
-- cursors at the ends
SELECT count(*) FROM activities('listing', 'app0', before_change_number => 0);
SELECT count(*) FROM activities('listing', 'app0', before_change_number => -9223372036854775808);
SELECT count(*) FROM activities('listing', 'app0', top => 1000, before_change_number => 9223372036854775807);
-- history items
SELECT count(*) FROM generate_series(1, 300) n, upsert_history_item('listing', 'app0', activity_id('app0', 'a3'), pg_temp.guid(n), pg_temp.item());
SELECT id FROM history_items('listing', 'app0', activity_id('app0', 'a3'), top => 2);
SELECT count(*) FROM history_items('listing', NULL, activity_id('app0', 'a3'), top => 1000);
SELECT change_number AS cursor, last_modified_date_time AS bound FROM history_items('listing', 'app0', activity_id('app0', 'a3'), top => 10) ORDER BY change_number LIMIT 1 \gset
SELECT id FROM history_items('listing', 'app0', activity_id('app0', 'a3'), top => 2, before_change_number => :cursor);
SELECT count(*) FROM history_items('listing', 'app0', activity_id('app0', 'a3'), top => 1000, modified_after => :'bound');
SELECT count(*) FROM history_items('listing', 'app0', activity_id('app0', 'a3'), top => 1000, modified_before => :'bound');
-- in the select list, behind a cursor, under a limit
SELECT (activities('listing', 'app0', 2)).app_activity_id;
BEGIN;
DECLARE c CURSOR FOR SELECT app_activity_id FROM activities('listing', 'app0', 3);
FETCH 2 FROM c;
FETCH ALL FROM c;
COMMIT;
SELECT app_activity_id FROM activities('listing', 'app0') LIMIT 1;
-- bad bounds
SELECT pg_temp.attempt($$SELECT activityfeed.activities('listing', 'app0', -1)$$);
SELECT pg_temp.attempt($$SELECT activityfeed.recent_activities('listing', 'app0', NULL)$$);
SELECT pg_temp.attempt($$SELECT activityfeed.history_items('listing', 'app0', 1, -1)$$);
SELECT pg_temp.attempt($$SELECT activityfeed.activities('listing', 'app0', ignored => NULL)$$);
-- what has expired is not listed
UPDATE activity SET expiration_date_time = clock_timestamp() WHERE user_id = 'listing' AND app_activity_id IN ('a597', 'a600');
SELECT app_activity_id FROM activities('listing', 'app0', top => 2);
SELECT pg_temp.invariants_hold('listing');

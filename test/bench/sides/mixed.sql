-- A client's day: calls of every kind, a commit after every 100.
CREATE PROCEDURE bench.mixed(calls int, first_user bigint, users int) LANGUAGE plpgsql AS $$
DECLARE
	documents json[] := (SELECT array_agg(bench.document(n)::json ORDER BY n) FROM generate_series(0, 19) n);
	ids bigint[] := (SELECT array_agg(activityfeed.activity_id('reader', bench.key(n)) ORDER BY n) FROM generate_series(0, 19) n);
	item uuid := bench.item_id(1);
	body json := (SELECT p.body FROM bench.published p WHERE name = 'history_item');
	batch json := '[{"type": "viewed", "startDateTime": "2024-01-01T00:00:00Z"}, {"type": "liked"}]';
	principal text;
	n int;
BEGIN
	FOR i IN 1 .. calls LOOP
		principal := (first_user + i % users)::text;
		n := 1 + (i / 7) % 20;
		CASE i % 12
			WHEN 0, 1 THEN PERFORM activityfeed.upsert_activity(principal, 'reader', documents[n])::json;
			WHEN 2, 3 THEN PERFORM activityfeed.upsert_history_item(principal, 'reader', ids[n], item, body)::json;
			WHEN 4, 5 THEN PERFORM activityfeed.touch_history_item(principal, 'reader', ids[n], item)::json;
			WHEN 6 THEN PERFORM a::json FROM activityfeed.recent_activities(principal, 'reader') a;
			WHEN 7 THEN PERFORM activityfeed.graph_json(a, 2) FROM activityfeed.activities(principal, 'reader', 5) a;
			WHEN 8 THEN PERFORM FROM activityfeed.changes(principal, 'reader', 0, 10);
			WHEN 9 THEN PERFORM r::json FROM activityfeed.add_external_activities('c', principal, batch) r;
			WHEN 10 THEN PERFORM FROM activityfeed.graph_request(principal, 'reader', 'GET', '/me/activities?$top=2&$expand=historyItems');
			ELSE
				PERFORM activityfeed.upsert_history_item(principal, 'reader', ids[n], bench.item_id(9999), body);
				PERFORM activityfeed.delete_history_item(principal, 'reader', ids[n], bench.item_id(9999));
		END CASE;
		IF i % 100 = 0 THEN
			COMMIT;
		END IF;
	END LOOP;
END
$$;

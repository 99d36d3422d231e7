-- changes(): what a replica reads to be up to date
\getenv inputdir PG_ABS_SRCDIR
\set prelude :inputdir '/include/prelude.sql'
\i :prelude
-- numbers as distances from the feed's first one
CREATE FUNCTION pg_temp.first() RETURNS bigint LANGUAGE sql AS $$
	SELECT min(created_change_number) FROM activityfeed.activity WHERE user_id = 'changes'
$$;
CREATE FUNCTION pg_temp.show(since bigint, app text DEFAULT NULL, top int DEFAULT 100,
	OUT number bigint, OUT kind text, OUT app_id text, OUT name text, OUT item int, OUT status status, OUT created bigint, OUT document boolean)
RETURNS SETOF record LANGUAGE sql AS $$
	SELECT c.change_number - pg_temp.first(), c.kind, c.app_id,
		(SELECT a.app_activity_id FROM activityfeed.activity a WHERE a.user_id = 'changes' AND a.id = c.activity_id),
		right(c.history_item_id::text, 3)::int, c.status, c.created_change_number - pg_temp.first(), c.document IS NOT NULL
	FROM activityfeed.changes('changes', app, CASE WHEN since = 0 THEN 0 ELSE since + pg_temp.first() END, top) c
$$;
SELECT count(*) FROM changes('changes', NULL, 0);
SELECT count(*) FROM upsert_activity('changes', 'app', pg_temp.doc('{"appActivityId": "a"}'));
SELECT count(*) FROM upsert_activity('changes', 'app', pg_temp.doc('{"appActivityId": "b"}'));
SELECT count(*) FROM upsert_activity('changes', 'other', pg_temp.doc('{"appActivityId": "c"}'));
SELECT count(*) FROM upsert_history_item('changes', 'app', activity_id('app', 'a'), pg_temp.guid(1), pg_temp.item());
SELECT count(*) FROM upsert_history_item('changes', 'app', activity_id('app', 'b'), pg_temp.guid(2), pg_temp.item());
-- everything, one app's, and what came later
SELECT * FROM pg_temp.show(0);
SELECT * FROM pg_temp.show(0, 'app');
SELECT * FROM pg_temp.show(2);
SELECT * FROM pg_temp.show(4);
-- documents are those of the casts
SELECT bool_and(c.document::text = a::json::text) AS same FROM changes('changes', NULL, 0) c, activities('changes', NULL) a WHERE c.kind = 'activity' AND c.activity_id = a.id;
SELECT bool_and(c.document::text = h::json::text) AS same FROM changes('changes', NULL, 0) c, history_items('changes', NULL, c.activity_id) h WHERE c.history_item_id = h.id;
-- a row that changed several times is there once, with its newest number; a heartbeat is a change of the item only
SELECT count(touch_history_item('changes', 'app', activity_id('app', 'a'), pg_temp.guid(1))) FROM generate_series(1, 3);
SELECT count(*) FROM upsert_activity('changes', 'app', pg_temp.doc('{"appActivityId": "a"}'));
SELECT * FROM pg_temp.show(4);
-- hidden and shown
SELECT ignore_activity('changes', 'app', activity_id('app', 'b'));
SELECT * FROM pg_temp.show(8);
-- deletions
SELECT delete_history_item('changes', 'app', activity_id('app', 'a'), pg_temp.guid(1)), delete_activity('changes', 'app', activity_id('app', 'b'));
SELECT * FROM pg_temp.show(8);
-- a first read has no tombstones
SELECT * FROM pg_temp.show(0);
-- deleted and made again: lower numbers of that activity are gone
SELECT count(*) FROM upsert_activity('changes', 'app', pg_temp.doc('{"appActivityId": "b", "historyItems": [{"id": "00000000-0000-4000-8000-000000000007", "startedDateTime": "2018-02-26T20:54:04Z"}]}'));
SELECT * FROM pg_temp.show(9);
-- pages
SELECT * FROM pg_temp.show(1, top => 2);
SELECT * FROM pg_temp.show(2, 'app', top => 1);
SELECT count(*) FROM pg_temp.show(1, top => 0);
-- nothing new
SELECT count(*) FROM pg_temp.show(13);
-- what has expired is not there; a tombstone is, until it is purged
UPDATE activity SET expiration_date_time = clock_timestamp() WHERE user_id = 'changes' AND app_activity_id = 'c';
UPDATE history_item SET expiration_date_time = clock_timestamp() WHERE user_id = 'changes' AND status = 'deleted';
SELECT * FROM pg_temp.show(1);
-- bad cursors
CREATE FUNCTION pg_temp.verdict(since bigint) RETURNS text LANGUAGE sql AS $$
	SELECT regexp_replace(pg_temp.attempt(format('SELECT activityfeed.changes(''changes'', NULL, %s)', since)), '\d{16}', 'n', 'g')
$$;
SELECT pg_temp.verdict(1), pg_temp.verdict(pg_temp.first() - 2), pg_temp.verdict(pg_temp.first() - 1), pg_temp.verdict(pg_temp.first() + 13), pg_temp.verdict(pg_temp.first() + 14), pg_temp.verdict(9223372036854775807);
SELECT pg_temp.verdict(-1);
SELECT pg_temp.attempt($$SELECT activityfeed.changes('changes', NULL, NULL)$$);
SELECT pg_temp.attempt($$SELECT activityfeed.changes('changes', NULL, 0, -1)$$);
SELECT pg_temp.attempt($$SELECT activityfeed.changes(NULL, NULL, 0)$$);
SELECT pg_temp.attempt($$SELECT activityfeed.changes('changes nobody', NULL, 7)$$);
-- a feed whose oldest usable cursor has moved: a first read goes past it, whatever top says, and ends with a cursor that is good
UPDATE feed SET oldest_change_number = pg_temp.first() + 8 WHERE user_id = 'changes';
SELECT pg_temp.verdict(pg_temp.first() + 7), pg_temp.verdict(pg_temp.first() + 8);
SELECT * FROM pg_temp.show(0, top => 1);
SELECT * FROM pg_temp.show(0);
UPDATE feed SET oldest_change_number = change_number WHERE user_id = 'changes';
SELECT * FROM pg_temp.show(0, top => 1);
SELECT count(*) FROM pg_temp.show(13);
-- after a failover or a restore
SELECT change_number AS before FROM feed WHERE user_id = 'changes' \gset
SELECT invalidate_cursors('changes');
SELECT left(pg_temp.verdict(:before), 5) AS verdict, change_number > :before AS moved, change_number = oldest_change_number AS all_refused,
	change_number >= extract(epoch FROM clock_timestamp() - interval '1 minute') * 1000000 AS above_any_that_was_lost FROM feed WHERE user_id = 'changes';
SELECT c.kind, c.activity_id, c.document FROM changes('changes', NULL, 0) c ORDER BY change_number DESC LIMIT 1;
SELECT count(*) FROM changes('changes', NULL, (SELECT max(change_number) FROM changes('changes', NULL, 0)));
SELECT count(*) FROM upsert_activity('changes', 'app', pg_temp.doc('{"appActivityId": "a"}'));
SELECT invalidate_cursors('changes nobody');
SELECT invalidate_cursors() = (SELECT count(*) FROM feed) AS every_feed;
SELECT pg_temp.attempt($$SELECT activityfeed.invalidate_cursors('')$$);
SELECT pg_temp.invariants_hold('changes');
-- cursors of a feed that was erased are refused by the one that is made after it; so are those from before a purge
SELECT change_number AS before FROM feed WHERE user_id = 'changes' \gset
SELECT erase_user('changes') > 0 AS erased;
SELECT left(pg_temp.verdict(:before), 5) AS verdict;
SELECT count(*) FROM upsert_activity('changes', 'app', pg_temp.doc('{"historyItems": [{"id": "00000000-0000-4000-8000-000000000001", "startedDateTime": "2018-02-26T20:54:04Z"}]}'));
SELECT left(pg_temp.verdict(:before), 5) AS verdict;
SELECT delete_history_item('changes', 'app', activity_id('app', '/article?12345'), pg_temp.guid(1));
SELECT * FROM pg_temp.show(1);
UPDATE history_item SET expiration_date_time = clock_timestamp() WHERE user_id = 'changes';
SELECT * FROM pg_temp.show(1);
SELECT purge_expired() > 0 AS purged;
SELECT left(pg_temp.verdict(pg_temp.first() + 1), 5) AS before_it, left(pg_temp.verdict(pg_temp.first() + 2), 5) AS from_it;
SELECT * FROM pg_temp.show(0);
SELECT count(*) FROM pg_temp.show(2);

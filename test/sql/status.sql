-- The status enumeration: updated, active, ignored, deleted
\getenv inputdir PG_ABS_SRCDIR
\set prelude :inputdir '/include/prelude.sql'
\i :prelude
-- updated after a put, a fresh creation included
SELECT a.status FROM upsert_activity('status', 'app', pg_temp.doc()) a;
SELECT a.status FROM upsert_activity('status', 'app', pg_temp.doc()) a;
-- a session is active while it runs
SELECT status FROM upsert_history_item('status', 'app', activity_id('app', '/article?12345'), pg_temp.guid(1), pg_temp.item());
SELECT status FROM touch_history_item('status', 'app', activity_id('app', '/article?12345'), pg_temp.guid(1));
SELECT status FROM upsert_history_item('status', 'app', activity_id('app', '/article?12345'), pg_temp.guid(1), pg_temp.item());
SELECT status FROM upsert_history_item('status', 'app', activity_id('app', '/article?12345'), pg_temp.guid(1), pg_temp.item('{"lastActiveDateTime": "2018-02-26T20:54:05Z"}'));
-- ignored is sticky: through puts, heartbeats and deep inserts, until shown again
SELECT ignore_activity('status', 'app', activity_id('app', '/article?12345'));
SELECT a.status FROM upsert_activity('status', 'app', pg_temp.doc()) a;
SELECT status FROM touch_history_item('status', 'app', activity_id('app', '/article?12345'), pg_temp.guid(1));
SELECT a.status FROM upsert_activity('status', 'app', pg_temp.doc('{"historyItems": [{"startedDateTime": "2018-02-26T20:54:04Z"}]}')) a;
SELECT ignore_activity('status', 'app', activity_id('app', '/article?12345'), ignored => false);
SELECT status FROM get_activity('status', 'app', activity_id('app', '/article?12345'));
-- deleted: a tombstone; what comes after it is new
SELECT ignore_activity('status', 'app', activity_id('app', '/article?12345'));
SELECT delete_activity('status', 'app', activity_id('app', '/article?12345'));
SELECT status FROM activity WHERE user_id = 'status';
SELECT a.status, was_created(a) FROM upsert_activity('status', 'app', pg_temp.doc()) a;
SELECT status FROM upsert_history_item('status', 'app', activity_id('app', '/article?12345'), pg_temp.guid(1), pg_temp.item());
SELECT delete_history_item('status', 'app', activity_id('app', '/article?12345'), pg_temp.guid(1));
SELECT status FROM history_item WHERE user_id = 'status';
SELECT status, was_created(h) FROM upsert_history_item('status', 'app', activity_id('app', '/article?12345'), pg_temp.guid(1), pg_temp.item()) h;
-- what a client sends is ignored, but for the sentinel of the metadata
SELECT a.status FROM upsert_activity('status', 'app', pg_temp.doc('{"status": "nonsense"}')) a;
SELECT a.status FROM upsert_activity('status', 'app', pg_temp.doc('{"status": 7}')) a;
SELECT pg_temp.put(pg_temp.doc('{"status": "unknownFutureValue"}')::text);
SELECT pg_temp.put(pg_temp.doc('{"historyItems": [{"startedDateTime": "2018-02-26T20:54:04Z", "status": "unknownFutureValue"}]}')::text);
SELECT pg_temp.invariants_hold('status');

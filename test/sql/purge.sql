-- Purging: what goes, what stays, what the feed and its activities say after it
\getenv inputdir PG_ABS_SRCDIR
\set prelude :inputdir '/include/prelude.sql'
\i :prelude
-- Lets time pass for a user's rows.
CREATE FUNCTION pg_temp.age(principal text, days int) RETURNS void LANGUAGE sql AS $$
	UPDATE activityfeed.activity SET expiration_date_time = expiration_date_time - make_interval(days => days),
		history_expiration_date_time = history_expiration_date_time - make_interval(days => days) WHERE user_id = principal;
	UPDATE activityfeed.history_item SET expiration_date_time = expiration_date_time - make_interval(days => days) WHERE user_id = principal
$$;
-- All rows of a user, by what they were made as.
CREATE VIEW pg_temp.rows AS
	SELECT user_id, app_activity_id AS key, NULL::uuid AS item, status, change_number AS number FROM activity
	UNION ALL SELECT h.user_id, app_activity_id, h.id, h.status, h.change_number FROM history_item h JOIN activity a ON a.user_id = h.user_id AND a.id = h.activity_id;
CREATE FUNCTION pg_temp.at(principal text) RETURNS bigint LANGUAGE sql AS
$$ SELECT oldest_change_number FROM activityfeed.feed WHERE user_id = principal $$;

-- what other tests have left
SELECT purge_expired() >= 0 AS purged;
-- nothing has expired
SELECT FROM upsert_activity('purge 1', 'app', pg_temp.doc('{"historyItems": [
	{"id": "00000000-0000-4000-8000-000000000001", "startedDateTime": "2024-01-01T00:00:00Z", "expirationDateTime": "9000-01-01T00:00:00Z"},
	{"id": "00000000-0000-4000-8000-000000000002", "startedDateTime": "2024-01-01T00:00:00Z", "expirationDateTime": "9000-01-01T00:00:00Z"},
	{"id": "00000000-0000-4000-8000-000000000003", "startedDateTime": "2024-01-01T00:00:00Z"},
	{"id": "00000000-0000-4000-8000-000000000004", "startedDateTime": "2024-01-01T00:00:00Z"}]}'));
SELECT pg_temp.everything('purge 1') AS before, pg_temp.at('purge 1') AS oldest \gset
SELECT purge_expired(), pg_temp.everything('purge 1') = :'before' AS unchanged;
-- the newest sessions go, the activity has older ones
SELECT pg_temp.age('purge 1', 31);
SELECT purge_expired();
SELECT key, item, status FROM pg_temp.rows WHERE user_id = 'purge 1' ORDER BY number;
SELECT a.history_change_number = h.change_number AS newest, history_expiration_date_time = h.expiration_date_time AS latest
FROM activity a JOIN history_item h ON h.user_id = a.user_id AND h.id = pg_temp.guid(2) WHERE a.user_id = 'purge 1';
SELECT count(*) FROM recent_activities('purge 1', 'app');
SELECT pg_temp.at('purge 1') > :oldest AS cursors_move;
-- an older session goes: the newest is the same
UPDATE history_item SET expiration_date_time = now() WHERE user_id = 'purge 1' AND id = pg_temp.guid(1);
SELECT purge_expired();
SELECT item FROM pg_temp.rows WHERE user_id = 'purge 1' AND item IS NOT NULL;
SELECT pg_temp.invariants_hold('purge 1');
-- the last session goes: the activity has no history
SELECT pg_temp.age('purge 1', 366 * 8000);
UPDATE activity SET expiration_date_time = now() + '1 day' WHERE user_id = 'purge 1';
SELECT purge_expired();
SELECT history_change_number, history_expiration_date_time, history_bucket FROM activity WHERE user_id = 'purge 1';
SELECT (SELECT count(*) FROM activities('purge 1', 'app')) AS activities, (SELECT count(*) FROM recent_activities('purge 1', 'app')) AS recent;
SELECT pg_temp.invariants_hold('purge 1'), pg_temp.at('purge 1') > :oldest AS cursors_move;

-- an activity goes, an ignored one too, with its sessions; the feed stays
SELECT FROM upsert_activity('purge 2', 'app', pg_temp.doc('{"historyItems": [{"startedDateTime": "2024-01-01T00:00:00Z"}]}'));
SELECT FROM upsert_activity('purge 2', 'app', pg_temp.doc('{"appActivityId": "hidden"}'));
SELECT ignore_activity('purge 2', 'app', activity_id('app', 'hidden'));
SELECT pg_temp.age('purge 2', 31);
SELECT change_number AS number, oldest_change_number AS oldest FROM feed WHERE user_id = 'purge 2' \gset
SELECT purge_expired();
SELECT count(*) FROM pg_temp.rows WHERE user_id = 'purge 2';
SELECT change_number = :number AS same_number, oldest_change_number > :oldest AS cursors_move FROM feed WHERE user_id = 'purge 2';
SELECT change_number > :number AS goes_on FROM upsert_activity('purge 2', 'app', pg_temp.doc());

-- cursors below the highest that went are of no more use
SELECT FROM upsert_activity('purge 3', 'app', pg_temp.doc('{"appActivityId": "kept", "historyItems": [
	{"id": "00000000-0000-4000-8000-000000000001", "startedDateTime": "2024-01-01T00:00:00Z"},
	{"id": "00000000-0000-4000-8000-000000000002", "startedDateTime": "2024-01-01T00:00:00Z", "expirationDateTime": "9000-01-01T00:00:00Z"}]}'));
SELECT FROM upsert_activity('purge 3', 'app', pg_temp.doc('{"appActivityId": "gone"}'));
SELECT delete_history_item('purge 3', 'app', activity_id('app', 'kept'), pg_temp.guid(1));
SELECT delete_activity('purge 3', 'app', activity_id('app', 'gone'));
SELECT FROM upsert_activity('purge 3', 'app', pg_temp.doc('{"appActivityId": "expires"}'));
SELECT number AS item_tombstone FROM pg_temp.rows WHERE user_id = 'purge 3' AND item IS NOT NULL AND status = 'deleted' \gset
SELECT number AS tombstone FROM pg_temp.rows WHERE user_id = 'purge 3' AND item IS NULL AND status = 'deleted' \gset
SELECT purge_expired();
UPDATE history_item SET expiration_date_time = now() WHERE user_id = 'purge 3' AND status = 'deleted';
SELECT purge_expired(), pg_temp.at('purge 3') = :item_tombstone AS cursors_from_there;
SELECT pg_temp.age('purge 3', 31);
SELECT purge_expired(), pg_temp.at('purge 3') > :tombstone AND pg_temp.at('purge 3') = change_number AS cursors_from_what_expired FROM feed WHERE user_id = 'purge 3';
SELECT key, item, status FROM pg_temp.rows WHERE user_id = 'purge 3' ORDER BY number;
SELECT pg_temp.invariants_hold('purge 3');
-- an older one does not move it back
SELECT FROM upsert_activity('purge 3', 'app', pg_temp.doc('{"appActivityId": "other"}'));
SELECT delete_activity('purge 3', 'app', activity_id('app', 'other'));
UPDATE feed SET oldest_change_number = change_number + 1 WHERE user_id = 'purge 3';
SELECT pg_temp.age('purge 3', 31);
SELECT purge_expired(), pg_temp.at('purge 3') = change_number + 1 AS as_it_was FROM feed WHERE user_id = 'purge 3';
-- a session's tombstone that would outlive its activity goes with it
SELECT FROM upsert_activity('purge 4', 'app', pg_temp.doc('{"historyItems": [
	{"id": "00000000-0000-4000-8000-000000000001", "startedDateTime": "2024-01-01T00:00:00Z", "expirationDateTime": "9000-01-01T00:00:00Z"}]}'));
SELECT delete_history_item('purge 4', 'app', activity_id('app', '/article?12345'), pg_temp.guid(1));
SELECT number AS tombstone FROM pg_temp.rows WHERE user_id = 'purge 4' AND status = 'deleted' \gset
UPDATE activity SET expiration_date_time = now() WHERE user_id = 'purge 4';
SELECT purge_expired(), pg_temp.at('purge 4') = :tombstone AS cursors_from_there;
SELECT count(*) FROM pg_temp.rows WHERE user_id = 'purge 4';

-- to the second, in any time zone, and never what is kept for ever
SET activityfeed.retention = -1;
SELECT FROM upsert_activity('purge 5', 'app', pg_temp.doc('{"appActivityId": "for ever", "historyItems": [{"startedDateTime": "2024-01-01T00:00:00Z"}]}'));
RESET activityfeed.retention;
SELECT FROM unnest('{past,future}'::text[]) key, upsert_activity('purge 5', 'app', pg_temp.doc(jsonb_build_object('appActivityId', key)));
UPDATE activity SET expiration_date_time = now() WHERE app_activity_id = 'past';
UPDATE activity SET expiration_date_time = now() + '1 minute' WHERE app_activity_id = 'future';
SET timezone = 'Pacific/Kiritimati';
SELECT purge_expired();
SET timezone = 'Pacific/Pago_Pago';
SELECT purge_expired();
SET timezone = 'UTC';
SELECT key, item IS NULL AS activity FROM pg_temp.rows WHERE user_id = 'purge 5' ORDER BY number;
SELECT bool_and(expiration_day = (expiration_date_time AT TIME ZONE 'UTC')::date) FROM activity;
SELECT bool_and(expiration_day = (expiration_date_time AT TIME ZONE 'UTC')::date) FROM history_item;

-- in batches; an activity's sessions before itself
SELECT FROM generate_series(1, 3) n, upsert_activity('purge 6' || n, 'app', pg_temp.doc('{"historyItems": [{"startedDateTime": "2024-01-01T00:00:00Z"},
	{"startedDateTime": "2024-01-01T00:00:00Z"}, {"startedDateTime": "2024-01-01T00:00:00Z"}]}'));
SELECT pg_temp.age('purge 6' || n, 31) FROM generate_series(1, 3) n;
SELECT purge_expired(5), bool_and(pg_temp.invariants_hold('purge 6' || n)) FROM generate_series(1, 3) n;
SELECT purge_expired(5), bool_and(pg_temp.invariants_hold('purge 6' || n)) FROM generate_series(1, 3) n;
SELECT purge_expired(5);
SELECT purge_expired(batch_size => 5);
-- the procedure goes on to the end
SELECT FROM generate_series(1, 7) n, upsert_activity('purge 7', 'app', pg_temp.doc(jsonb_build_object('appActivityId', n::text)));
SELECT pg_temp.age('purge 7', 31);
SET client_min_messages = notice;
CALL purge(3);
CALL purge();
SET client_min_messages = warning;
SELECT count(*) FROM pg_temp.rows WHERE user_id = 'purge 7';
-- a batch has a size
SELECT pg_temp.attempt('SELECT activityfeed.purge_expired(' || size || ')') FROM unnest('{0,-1,1000001,"NULL"}'::text[]) AS size;
SELECT purge_expired(1), purge_expired(1000000);

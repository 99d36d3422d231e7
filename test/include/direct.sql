-- What test/t/direct.pl calls, in both of its databases.

CREATE TABLE noted (n bigint);

CREATE FUNCTION do_nothing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RETURN NEW;
END $$;

CREATE FUNCTION note_number() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO noted VALUES (NEW.change_number);
	RETURN NEW;
END $$;

CREATE FUNCTION note_statement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO noted VALUES (0);
	RETURN NULL;
END $$;

-- As sessions() numbers them.
CREATE FUNCTION session_id(n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
	SELECT md5(n::text)::uuid
$$;

-- An activity that is toasted, incompressibly.
CREATE FUNCTION wide_document(key text) RETURNS json LANGUAGE sql AS $$
	SELECT (document(key)::jsonb || jsonb_build_object('contentInfo', jsonb_build_object('content',
		(SELECT string_agg(md5(key || i), '') FROM generate_series(1, 1875) i)))) - 'historyItems'
$$;

-- One of "choices" choices, by the session's random numbers.
CREATE FUNCTION choice(choices int) RETURNS int LANGUAGE sql VOLATILE AS $$
	SELECT floor(random() * choices)::int
$$;

CREATE FUNCTION moment() RETURNS text LANGUAGE sql VOLATILE AS $$
	SELECT to_char(timestamp '2026-01-01' + choice(100000) * interval '1 s 7 ms', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

CREATE FUNCTION random_activity(key text) RETURNS json LANGUAGE sql VOLATILE AS $$
	SELECT jsonb_strip_nulls(document(key)::jsonb || jsonb_build_object(
		'appDisplayName', CASE choice(3) WHEN 0 THEN 'name' || choice(9) END,
		'contentUrl', CASE choice(3) WHEN 0 THEN 'https://www.example.com/' || choice(9) END,
		'fallbackUrl', CASE choice(3) WHEN 0 THEN 'https://www.example.com/' || choice(9) END,
		'userTimezone', CASE choice(3) WHEN 0 THEN 'Europe/Zurich' END,
		'contentInfo', CASE choice(3) WHEN 0 THEN jsonb_build_object('@type', repeat('x', choice(4000))) END,
		'historyItems', CASE choice(6) WHEN 0 THEN sessions(choice(6) + 1)::jsonb || CASE choice(3) WHEN 0 THEN sessions(choice(2) + 1)::jsonb ELSE '[]' END END))::json
$$;

CREATE FUNCTION random_session() RETURNS json LANGUAGE sql VOLATILE AS $$
	SELECT jsonb_strip_nulls(jsonb_build_object(
		'startedDateTime', '2026-01-01T00:00:00Z',
		'lastActiveDateTime', CASE choice(2) WHEN 0 THEN moment() END,
		'activeDurationSeconds', CASE choice(5) WHEN 0 THEN choice(1000) END,
		'userTimezone', CASE choice(3) WHEN 0 THEN 'Europe/Zurich' END,
		'expirationDateTime', CASE choice(9) WHEN 0 THEN '2100-01-0' || (1 + choice(9)) || 'T00:00:00Z' END))::json
$$;

CREATE TABLE outcome (call int, answer text);

-- An answer without what the clock says.
CREATE FUNCTION without_clock(answer json) RETURNS text LANGUAGE sql AS $$
	SELECT (answer::jsonb - '{createdDateTime,lastModifiedDateTime,expirationDateTime,historyItems}'::text[])::text
$$;

-- One call of user u: on a few activities of two apps, and now and then on rows
-- that have expired.
CREATE FUNCTION random_call() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	app text := 'app' || choice(2);
	key text := 'key' || choice(12);
	identity bigint := activityfeed.activity_id(app, key);
	item uuid := session_id(1 + choice(4));
	kind int := choice(40);
BEGIN
	CASE
		WHEN kind < 12 THEN RETURN without_clock(activityfeed.upsert_activity('u', app, random_activity(key))::json);
		WHEN kind < 22 THEN RETURN without_clock(activityfeed.upsert_history_item('u', app, identity, item, random_session())::json);
		WHEN kind < 34 THEN RETURN without_clock(activityfeed.touch_history_item('u', app, identity, item, moment()::timestamptz)::json);
		WHEN kind < 35 THEN RETURN activityfeed.delete_history_item('u', app, identity, item);
		WHEN kind < 36 THEN RETURN activityfeed.delete_activity('u', app, identity);
		WHEN kind < 37 THEN RETURN activityfeed.ignore_activity('u', app, identity);
		WHEN kind < 38 THEN
			UPDATE activityfeed.history_item h SET expiration_date_time = '2020-01-01' WHERE h.user_id = 'u' AND h.activity_id = identity AND h.id = item;
			UPDATE activityfeed.activity a SET history_expiration_date_time = (SELECT max(h.expiration_date_time) FROM activityfeed.history_item h
				WHERE h.user_id = 'u' AND h.activity_id = identity AND h.status <> 'deleted') WHERE a.user_id = 'u' AND a.id = identity;
			RETURN 'a session expires';
		WHEN kind < 39 THEN
			UPDATE activityfeed.activity a SET expiration_date_time = '2020-01-01',
				history_expiration_date_time = CASE WHEN history_expiration_date_time IS NOT NULL THEN timestamptz '2020-01-01' END WHERE a.user_id = 'u' AND a.id = identity;
			UPDATE activityfeed.history_item h SET expiration_date_time = '2020-01-01' WHERE h.user_id = 'u' AND h.activity_id = identity;
			RETURN 'an activity expires';
		ELSE
			BEGIN
				PERFORM activityfeed.upsert_activity('u', app, random_activity(key));
				RAISE division_by_zero;
			EXCEPTION WHEN division_by_zero THEN
				RETURN 'rolled back';
			END;
	END CASE;
EXCEPTION WHEN OTHERS THEN
	RETURN sqlstate || ' ' || sqlerrm;
END $$;

CREATE PROCEDURE random_calls(calls int, seed float8) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM setseed(seed);
	FOR i IN 1 .. calls LOOP
		INSERT INTO outcome VALUES (i, random_call());
		IF choice(3) > 0 THEN
			COMMIT;
		END IF;
	END LOOP;
END $$;

-- All rows; numbers count from the first, times are left out where the clock
-- gave them.
CREATE VIEW rows_without_clock AS
WITH first AS (SELECT min(created_change_number) AS number FROM activityfeed.activity WHERE user_id = 'u')
SELECT a.id, jsonb_build_object('row', to_jsonb(a) - '{created_date_time,last_modified_date_time,expiration_date_time,history_expiration_date_time,change_number,created_change_number,history_change_number,change_bucket,history_bucket,expiration_day}'::text[],
	'change', a.change_number - number, 'created', a.created_change_number - number, 'history', a.history_change_number - number,
	'bucket', a.change_bucket - (a.change_number >> 8), 'history bucket', a.history_bucket - (a.history_change_number >> 8),
	'day', a.expiration_day - (a.expiration_date_time AT TIME ZONE 'UTC')::date, 'expired', a.expiration_date_time < now(),
	'new', a.created_date_time = a.last_modified_date_time,
	'retention', CASE WHEN a.expiration_date_time > '2099-01-01' THEN a.expiration_date_time::text END) AS row
FROM activityfeed.activity a, first WHERE a.user_id = 'u'
UNION ALL
SELECT h.activity_id, jsonb_build_object('row', to_jsonb(h) - '{created_date_time,last_modified_date_time,expiration_date_time,change_number,change_bucket,expiration_day}'::text[],
	'change', h.change_number - number, 'bucket', h.change_bucket - (h.change_number >> 8),
	'day', h.expiration_day - (h.expiration_date_time AT TIME ZONE 'UTC')::date, 'expired', h.expiration_date_time < now(),
	'new', h.created_date_time = h.last_modified_date_time,
	'retention', CASE WHEN h.expiration_date_time > '2099-01-01' THEN h.expiration_date_time::text END)
FROM activityfeed.history_item h, first WHERE h.user_id = 'u'
ORDER BY 1, 2;

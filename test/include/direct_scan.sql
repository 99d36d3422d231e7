-- What test/t/direct_scan.pl calls.

-- One of "choices" choices, by the session's random numbers.
CREATE FUNCTION choice(choices bigint) RETURNS bigint LANGUAGE sql VOLATILE AS $$
	SELECT floor(random() * choices)::bigint
$$;

CREATE TABLE difference (call text, direct text[], by_statement text[]);
CREATE TABLE tally (calls bigint, rows bigint);
INSERT INTO tally VALUES (0, 0);
CREATE SEQUENCE number START 1000000;

CREATE FUNCTION moment() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
	SELECT timestamptz '2026-01-01 00:00:00Z' + choice(100) * interval '1 day'
$$;

CREATE FUNCTION expiration() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
	SELECT CASE choice(5) WHEN 0 THEN timestamptz '2020-01-01' ELSE timestamptz '2100-01-01' + choice(9) * interval '1 day' END
$$;

-- Numbers of one user are unique, and not in the order of rows.
CREATE FUNCTION number() RETURNS bigint LANGUAGE sql VOLATILE AS $$
	SELECT n / 64 * 64 + (n * 37) % 64 FROM nextval('number') AS n
$$;

CREATE PROCEDURE add_activities(how_many int) LANGUAGE sql AS $$
	INSERT INTO activityfeed.activity (user_id, id, app_id, app_activity_id, app_display_name, content_info, status, created_date_time,
		last_modified_date_time, expiration_date_time, change_number, created_change_number, history_change_number, history_expiration_date_time)
	SELECT 'u', abs(hashtextextended(random()::text, 1)), 'app' || choice(2), random()::text, CASE choice(2) WHEN 0 THEN 'name' END,
		CASE choice(9) WHEN 0 THEN jsonb_build_object('@type', repeat('x', choice(9000)::int)) END,
		(enum_range(NULL::activityfeed.status))[2 + choice(CASE WHEN choice(4) = 0 THEN 3 ELSE 1 END)], moment(), moment(), expiration(),
		number(), 0, CASE choice(8) WHEN 0 THEN NULL ELSE number() END, CASE choice(8) WHEN 0 THEN NULL ELSE expiration() END
	FROM generate_series(1, how_many);
$$;

CREATE PROCEDURE add_items(how_many int) LANGUAGE sql AS $$
	INSERT INTO activityfeed.history_item (user_id, activity_id, id, app_id, started_date_time, active_duration_given, status,
		created_date_time, last_modified_date_time, expiration_date_time, change_number)
	SELECT user_id, id, gen_random_uuid(), app_id, moment(), false, (enum_range(NULL::activityfeed.status))[1 + choice(3)], moment(), moment(),
		expiration(), number()
	FROM activityfeed.activity, generate_series(1, 3) WHERE user_id = 'u' ORDER BY random() LIMIT how_many;
$$;

-- Changes some rows in one of many ways.
CREATE PROCEDURE change_rows() LANGUAGE plpgsql AS $$
DECLARE
	rows tid[] := ARRAY(SELECT ctid FROM activityfeed.activity WHERE user_id = 'u' ORDER BY random() LIMIT 1 + choice(9));
	items tid[] := ARRAY(SELECT ctid FROM activityfeed.history_item WHERE user_id = 'u' ORDER BY random() LIMIT 1 + choice(9));
BEGIN
	CASE choice(10)
		WHEN 0 THEN UPDATE activityfeed.activity SET history_change_number = number() WHERE ctid = ANY (rows);
		WHEN 1 THEN UPDATE activityfeed.activity SET change_number = number(), last_modified_date_time = moment() WHERE ctid = ANY (rows);
		WHEN 2 THEN UPDATE activityfeed.activity SET expiration_date_time = expiration(), history_expiration_date_time = expiration() WHERE ctid = ANY (rows);
		WHEN 3 THEN UPDATE activityfeed.activity SET status = (enum_range(NULL::activityfeed.status))[2 + choice(3)] WHERE ctid = ANY (rows);
		WHEN 4 THEN UPDATE activityfeed.activity SET history_change_number = NULL, history_expiration_date_time = NULL WHERE ctid = ANY (rows);
		WHEN 5 THEN DELETE FROM activityfeed.activity WHERE ctid = ANY (rows);
		WHEN 6 THEN CALL add_activities(1 + choice(9)::int);
		WHEN 7 THEN CALL add_items(1 + choice(9)::int);
		WHEN 8 THEN UPDATE activityfeed.history_item SET change_number = number(), expiration_date_time = expiration() WHERE ctid = ANY (items);
		WHEN 9 THEN DELETE FROM activityfeed.history_item WHERE ctid = ANY (items);
	END CASE;
	UPDATE activityfeed.feed SET change_number = (SELECT last_value + 64 FROM number) WHERE user_id = 'u';
END $$;

-- A page by its call: in both ways whatever the rows are then, as text.
CREATE FUNCTION directly(call text) RETURNS text[] LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
DECLARE
	rows text[];
BEGIN
	EXECUTE 'SELECT array_agg(r::text) FROM activityfeed.' || call || ' AS r' INTO rows;
	RETURN rows;
END $$;

CREATE FUNCTION by_statement(call text) RETURNS text[] LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
DECLARE
	rows text[];
BEGIN
	EXECUTE 'SELECT array_agg(r::text) FROM activityfeed.' || call || ' AS r' INTO rows;
	RETURN rows;
END $$;

CREATE FUNCTION random_page() RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	app text := CASE choice(9) WHEN 0 THEN 'NULL' ELSE quote_literal('app' || choice(2)) END;
	list int := choice(3);
	top int := (ARRAY[0, 1, 2, 5, 20, 20, 20, 50, 300, 100000])[1 + choice(10)];
	feed activityfeed.feed := (SELECT f FROM activityfeed.feed AS f WHERE user_id = 'u');
	cursor_number bigint := feed.change_number - choice(CASE choice(2) WHEN 0 THEN feed.change_number - 1000000 ELSE 600 END);
BEGIN
	IF choice(3) = 0 THEN
		RETURN format('changes(%L, %s, %s, %s)', 'u', app, CASE choice(4) WHEN 0 THEN 0 ELSE greatest(cursor_number, feed.oldest_change_number) END, top);
	END IF;
	RETURN format('%s(%L, %s, %s, %L, %L, %L%s)', CASE list WHEN 0 THEN 'recent_activities' ELSE 'activities' END, 'u', app, top,
		CASE choice(2) WHEN 0 THEN cursor_number END, CASE choice(4) WHEN 0 THEN moment() END, CASE choice(4) WHEN 0 THEN moment() END,
		(ARRAY['', ', false', ', true'])[1 + list]);
END $$;

CREATE PROCEDURE note(call text, direct text[], statement text[]) LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO difference SELECT call, direct, statement WHERE direct IS DISTINCT FROM statement;
	UPDATE tally SET calls = calls + 1, rows = rows + coalesce(cardinality(statement), 0);
END $$;

CREATE PROCEDURE compare_page() LANGUAGE plpgsql AS $$
DECLARE
	page text := random_page();
BEGIN
	CALL note(page, directly(page), by_statement(page));
END $$;

-- A page of a cursor, which shows nothing of what changes after it is opened.
CREATE PROCEDURE compare_cursor() LANGUAGE plpgsql AS $$
DECLARE
	page text := random_page();
	before text[] := by_statement(page);
	pages refcursor;
	direct text[];
	statement text[];
BEGIN
	OPEN pages FOR SELECT directly(page), by_statement(page);
	CALL change_rows();
	FETCH pages INTO direct, statement;
	CLOSE pages;
	CALL note(page, direct, statement);
	CALL note(page, direct, before);
END $$;

CREATE PROCEDURE change_and_roll_back() LANGUAGE plpgsql AS $$
BEGIN
	CALL change_rows();
	RAISE division_by_zero;
EXCEPTION WHEN division_by_zero THEN
	NULL;
END $$;

CREATE PROCEDURE random_pages(pages int, seed float8) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM setseed(seed);
	FOR i IN 1 .. pages LOOP
		CASE choice(8)
			WHEN 0, 1, 2 THEN CALL change_rows();
			WHEN 3 THEN CALL change_and_roll_back();
			WHEN 4 THEN CALL compare_cursor();
			ELSE NULL;
		END CASE;
		CALL compare_page();
		IF choice(3) = 0 THEN
			COMMIT;
		END IF;
	END LOOP;
END $$;

-- What measures and what loads: schema bench.  The folder of the module comes
-- in the variable "module".
CREATE SCHEMA bench;

CREATE PROCEDURE bench.measure(statement text, texts text[], calls int, per_transaction int, first_user bigint, users bigint,
	INOUT cpu float8 DEFAULT NULL, INOUT elapsed float8 DEFAULT NULL, INOUT rows float8 DEFAULT NULL)
AS :'module', 'bench_measure' LANGUAGE C;
CREATE FUNCTION bench.cpu() RETURNS float8 AS :'module', 'bench_cpu' LANGUAGE C VOLATILE;
CREATE FUNCTION bench.memory() RETURNS bigint AS :'module', 'bench_memory' LANGUAGE C VOLATILE;
CREATE FUNCTION bench.plans() RETURNS bigint AS :'module', 'bench_plans' LANGUAGE C VOLATILE;

-- The published documents.
CREATE TABLE bench.published (name text PRIMARY KEY, body text NOT NULL);
INSERT INTO bench.published VALUES
	('activity', pg_read_file(:'data' || '/put_activity.request.json')),
	('history_item', pg_read_file(:'data' || '/put_historyitem.request.json'));

CREATE FUNCTION bench.key(n bigint) RETURNS text LANGUAGE sql IMMUTABLE
RETURN '/article?' || 10000 + n;

CREATE FUNCTION bench.item_id(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
RETURN md5('item ' || n)::uuid;

-- The published activity under another key of the same length.
CREATE FUNCTION bench.document(n bigint) RETURNS text LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT replace(body, '"/article?12345"', to_json(bench.key(n))::text) FROM bench.published WHERE name = 'activity';
END;

-- The same with so many sessions.
CREATE FUNCTION bench.deep_document(n bigint, sessions int) RETURNS text LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT regexp_replace(bench.document(n), '\s*}\s*$', '') || ', "historyItems": [' || string_agg(
		replace(body, '{', '{"id": "' || bench.item_id(s) || '", '), ', ' ORDER BY s) || ']}'
	FROM bench.published, generate_series(1, sessions) s WHERE name = 'history_item';
END;

-- Its members as typed columns, and as text where they are JSON.
CREATE FUNCTION bench.columns(n bigint) RETURNS jsonb LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT jsonb_build_object('activity', activityfeed.activity_id('reader', d ->> 'appActivityId')::text, 'key', d ->> 'appActivityId',
		'host', d ->> 'activitySourceHost', 'activation_url', d ->> 'activationUrl', 'app_display_name', d ->> 'appDisplayName',
		'content_url', d ->> 'contentUrl', 'fallback_url', d ->> 'fallbackUrl', 'timezone', d ->> 'userTimezone',
		'visual', (d -> 'visualElements')::text, 'content', (d -> 'contentInfo')::text)
	FROM (SELECT bench.document(n)::jsonb) AS v (d);
END;

-- What the functions would have written: per user so many activities, oldest
-- first, and then so many finished sessions of each, in turn, one transaction
-- each.  The client's columns are those that upsert_activity makes of the
-- published document.
CREATE PROCEDURE bench.load(first_user bigint, users int, activities int, items int) LANGUAGE plpgsql AS $$
DECLARE
	base bigint := extract(epoch FROM now() - interval '1 day') * 1000000;
	start timestamptz := now() - interval '1 day';
	model activityfeed.activity;
BEGIN
	model := activityfeed.upsert_activity('model', 'reader', bench.document(0)::json);
	PERFORM activityfeed.erase_user('model');
	INSERT INTO activityfeed.feed (user_id, change_number, last_modified_date_time, oldest_change_number)
	SELECT first_user + u, base + last, start + last * interval '1 us', base
	FROM generate_series(0, users - 1) u, (VALUES (activities * (items + 1))) v (last);
	INSERT INTO activityfeed.activity (user_id, id, app_id, app_activity_id, activity_source_host, activation_url, app_display_name,
		content_url, fallback_url, user_timezone, visual_elements, content_info, status, created_date_time, last_modified_date_time,
		expiration_date_time, change_number, created_change_number, history_change_number, history_expiration_date_time)
	SELECT first_user + u, activityfeed.activity_id('reader', bench.key(a)), 'reader', bench.key(a), model.activity_source_host,
		model.activation_url, model.app_display_name, model.content_url, model.fallback_url, model.user_timezone,
		model.visual_elements, model.content_info, 'updated', start + n * interval '1 us', start + n * interval '1 us',
		start + newest * interval '1 us' + interval '30 days', base + n, base + n,
		CASE WHEN items > 0 THEN base + newest END, CASE WHEN items > 0 THEN start + newest * interval '1 us' + interval '30 days' END
	FROM generate_series(0, users - 1) u, generate_series(0, activities - 1) a,
		LATERAL (VALUES (a + 1, items * activities + a + 1)) v (n, newest);
	CALL bench.add_items(first_user, users, activities, 1, items, base, start);
END
$$;

-- Sessions number first to last of each of so many activities.
CREATE PROCEDURE bench.add_items(first_user bigint, users int, activities int, first int, last int, base bigint, start timestamptz)
LANGUAGE sql BEGIN ATOMIC
	INSERT INTO activityfeed.history_item (user_id, activity_id, id, app_id, started_date_time, last_active_date_time,
		active_duration_seconds, active_duration_given, user_timezone, status, created_date_time, last_modified_date_time,
		expiration_date_time, change_number)
	SELECT first_user + u, k.id, bench.item_id(i), 'reader', start - interval '90 s', start,
		90, false, 'Africa/Casablanca', 'updated', start + n * interval '1 us', start + n * interval '1 us',
		start + n * interval '1 us' + interval '30 days', base + n
	FROM generate_series(0, users - 1) u, generate_series(first, last) i,
		(SELECT a, activityfeed.activity_id('reader', bench.key(a)) AS id FROM generate_series(0, activities - 1) a) k,
		LATERAL (VALUES (i * activities::bigint + a + 1)) v (n)
	ORDER BY u, i, a;
END;

-- So many sessions more of one activity of a user, which are the user's newest.
CREATE PROCEDURE bench.add_newest(single_user text, items int) LANGUAGE plpgsql AS $$
DECLARE
	base bigint;
	start timestamptz;
	busy bigint := activityfeed.activity_id('reader', bench.key(0));
	latest timestamptz;
BEGIN
	SELECT change_number, last_modified_date_time INTO base, start FROM activityfeed.feed WHERE user_id = single_user;
	INSERT INTO activityfeed.history_item (user_id, activity_id, id, app_id, started_date_time, last_active_date_time,
		active_duration_seconds, active_duration_given, user_timezone, status, created_date_time, last_modified_date_time,
		expiration_date_time, change_number)
	SELECT single_user, busy, bench.item_id(1000000 + i), 'reader', start - interval '90 s', start,
		90, false, 'Africa/Casablanca', 'updated', start + i * interval '1 us', start + i * interval '1 us',
		start + i * interval '1 us' + interval '30 days', base + i
	FROM generate_series(1, items) i;
	latest := start + items * interval '1 us' + interval '30 days';
	UPDATE activityfeed.activity
	SET history_change_number = base + items, history_expiration_date_time = latest, expiration_date_time = latest
	WHERE user_id = single_user AND id = busy;
	UPDATE activityfeed.feed
	SET change_number = base + items, last_modified_date_time = start + items * interval '1 us'
	WHERE user_id = single_user;
END
$$;

-- Tables defined as those of the extension, in another schema and with the
-- same rows.
CREATE PROCEDURE bench.copy_tables(target text) LANGUAGE plpgsql AS $$
DECLARE
	name text;
	options text[];
	columns text;
BEGIN
	EXECUTE format('CREATE SCHEMA %I', target);
	FOREACH name IN ARRAY ARRAY['feed', 'activity', 'history_item'] LOOP
		EXECUTE format('CREATE TABLE %I.%I (LIKE activityfeed.%I INCLUDING ALL)', target, name, name);
		SELECT reloptions INTO options FROM pg_class WHERE oid = ('activityfeed.' || name)::regclass;
		EXECUTE format('ALTER TABLE %I.%I SET (%s)', target, name, array_to_string(options, ', '));
		SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns FROM pg_attribute
		WHERE attrelid = ('activityfeed.' || name)::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
		EXECUTE format('INSERT INTO %I.%I (%s) SELECT %s FROM activityfeed.%I', target, name, columns, columns, name);
	END LOOP;
	EXECUTE format('ALTER TABLE %I.history_item ADD FOREIGN KEY (user_id, activity_id) REFERENCES %I.activity (user_id, id) ON DELETE CASCADE',
		target, target);
END
$$;

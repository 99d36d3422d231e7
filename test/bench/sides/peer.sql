-- The peer: what an expert writes by hand in plpgsql on the same tables (same
-- columns, keys, indexes, fillfactor, foreign key), with the document as jsonb
-- and the answer as jsonb.
--
-- It does: the required members, the id as defined, the change number under
-- the feed's row lock before anything else, the row in full replace, created
-- and change numbers as defined, hidden stays hidden, an expired or deleted row
-- counts as absent, durations, what an activity knows of its history; and it
-- answers the whole document with every member.  Values and order are the
-- same as ours, checked before each measurement.
--
-- It leaves out, to its advantage: unknown members, types and values of
-- optional members, limits of size and depth, collisions of ids, sessions left
-- over from an activity that had expired, sessions that expire at a time of
-- their own, expirations that are lowered, settings (retention, strict,
-- notify), any check of who is calling, row security.  Times in the answer are
-- spelled as jsonb spells them (microseconds, +00:00), which is cheaper than Z.
--
-- Ways it is made fast: no dynamic SQL, no EXCEPTION block, no row variables,
-- no SQL function that would not be inlined, members taken out of the document
-- inside the statement that writes them, UPDATE before INSERT (which wrote less
-- WAL than ON CONFLICT alone and was faster where rows are there; where they
-- are not it costs a probe), the answer built in RETURNING.
CALL bench.copy_tables('peer');

CREATE FUNCTION peer.upsert_activity(principal text, app text, document jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	key text := document ->> 'appActivityId';
	visual jsonb := document -> 'visualElements';
	identity bigint;
	number bigint;
	stamp timestamptz;
	answer jsonb;
BEGIN
	IF key = '' OR document ->> 'activitySourceHost' = '' OR document ->> 'activationUrl' = '' OR visual ->> 'displayText' = ''
		OR num_nulls(key, document ->> 'activitySourceHost', document ->> 'activationUrl', visual ->> 'displayText') > 0 THEN
		RAISE EXCEPTION 'a required member is missing' USING ERRCODE = '22023';
	END IF;
	identity := (('x' || encode(substr(sha256(convert_to(app, 'UTF8') || '\x00' || convert_to(key, 'UTF8')), 1, 8), 'hex'))::bit(64) >> 1)::bigint;

	UPDATE peer.feed f
	SET change_number = f.change_number + 1,
		last_modified_date_time = greatest(clock_timestamp(), f.last_modified_date_time + '1 us')
	WHERE f.user_id = principal
	RETURNING f.change_number, f.last_modified_date_time INTO number, stamp;
	IF NOT FOUND THEN
		INSERT INTO peer.feed AS f (user_id, change_number, last_modified_date_time, oldest_change_number)
		SELECT principal, clock + 1, clock_timestamp(), clock
		FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) AS c (clock)
		ON CONFLICT (user_id) DO UPDATE SET change_number = f.change_number + 1,
			last_modified_date_time = greatest(clock_timestamp(), f.last_modified_date_time + '1 us')
		RETURNING f.change_number, f.last_modified_date_time INTO number, stamp;
	END IF;

	UPDATE peer.activity a
	SET activity_source_host = document ->> 'activitySourceHost',
		activation_url = document ->> 'activationUrl',
		app_display_name = document ->> 'appDisplayName',
		content_url = document ->> 'contentUrl',
		fallback_url = document ->> 'fallbackUrl',
		user_timezone = document ->> 'userTimezone',
		visual_elements = jsonb_build_object('displayText', visual -> 'displayText', 'description', visual -> 'description',
			'backgroundColor', visual -> 'backgroundColor', 'content', visual -> 'content',
			'attribution', CASE WHEN visual ? 'attribution' THEN jsonb_build_object(
				'iconUrl', visual -> 'attribution' -> 'iconUrl', 'alternateText', visual -> 'attribution' -> 'alternateText',
				'addImageQuery', (visual -> 'attribution' ->> 'addImageQuery')::boolean) END),
		content_info = document -> 'contentInfo',
		status = CASE WHEN a.status = 'ignored' AND a.expiration_date_time > stamp THEN 'ignored' ELSE 'updated' END::activityfeed.status,
		created_date_time = CASE WHEN a.status <> 'deleted' AND a.expiration_date_time > stamp THEN a.created_date_time ELSE stamp END,
		last_modified_date_time = stamp,
		expiration_date_time = CASE WHEN a.status <> 'deleted' AND a.expiration_date_time > stamp
			THEN greatest(stamp + '30 days', a.history_expiration_date_time) ELSE stamp + '30 days' END,
		change_number = number,
		created_change_number = CASE WHEN a.status <> 'deleted' AND a.expiration_date_time > stamp THEN a.created_change_number ELSE number END,
		history_change_number = CASE WHEN a.status <> 'deleted' AND a.expiration_date_time > stamp THEN a.history_change_number END,
		history_expiration_date_time = CASE WHEN a.status <> 'deleted' AND a.expiration_date_time > stamp THEN a.history_expiration_date_time END
	WHERE a.user_id = principal AND a.id = identity
	RETURNING jsonb_build_object('id', a.id::text, 'appActivityId', a.app_activity_id, 'activitySourceHost', a.activity_source_host,
		'activationUrl', a.activation_url, 'appDisplayName', a.app_display_name, 'contentUrl', a.content_url,
		'fallbackUrl', a.fallback_url, 'userTimezone', a.user_timezone, 'visualElements', a.visual_elements,
		'contentInfo', a.content_info, 'status', a.status, 'createdDateTime', a.created_date_time,
		'lastModifiedDateTime', a.last_modified_date_time, 'expirationDateTime', a.expiration_date_time) INTO answer;
	IF FOUND THEN
		RETURN answer;
	END IF;

	INSERT INTO peer.activity AS a (user_id, id, app_id, app_activity_id, activity_source_host, activation_url, app_display_name,
		content_url, fallback_url, user_timezone, visual_elements, content_info, status, created_date_time, last_modified_date_time,
		expiration_date_time, change_number, created_change_number)
	VALUES (principal, identity, app, key, document ->> 'activitySourceHost', document ->> 'activationUrl',
		document ->> 'appDisplayName', document ->> 'contentUrl', document ->> 'fallbackUrl', document ->> 'userTimezone',
		jsonb_build_object('displayText', visual -> 'displayText', 'description', visual -> 'description',
			'backgroundColor', visual -> 'backgroundColor', 'content', visual -> 'content',
			'attribution', CASE WHEN visual ? 'attribution' THEN jsonb_build_object(
				'iconUrl', visual -> 'attribution' -> 'iconUrl', 'alternateText', visual -> 'attribution' -> 'alternateText',
				'addImageQuery', (visual -> 'attribution' ->> 'addImageQuery')::boolean) END),
		document -> 'contentInfo', 'updated', stamp, stamp, stamp + '30 days', number, number)
	RETURNING jsonb_build_object('id', a.id::text, 'appActivityId', a.app_activity_id, 'activitySourceHost', a.activity_source_host,
		'activationUrl', a.activation_url, 'appDisplayName', a.app_display_name, 'contentUrl', a.content_url,
		'fallbackUrl', a.fallback_url, 'userTimezone', a.user_timezone, 'visualElements', a.visual_elements,
		'contentInfo', a.content_info, 'status', a.status, 'createdDateTime', a.created_date_time,
		'lastModifiedDateTime', a.last_modified_date_time, 'expirationDateTime', a.expiration_date_time) INTO answer;
	RETURN answer;
END
$$;

-- An activity with sessions, for documents that have them: three statements,
-- whatever the number of sessions.  Left out, to its advantage: sessions that
-- are there already are an error and are not replaced.
CREATE FUNCTION peer.deep_insert(principal text, app text, document jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	key text := document ->> 'appActivityId';
	visual jsonb := document -> 'visualElements';
	items int := jsonb_array_length(document -> 'historyItems');
	identity bigint;
	number bigint; -- the activity's
	stamp timestamptz;
	answer jsonb;
BEGIN
	IF key = '' OR document ->> 'activitySourceHost' = '' OR document ->> 'activationUrl' = '' OR visual ->> 'displayText' = ''
		OR num_nulls(key, document ->> 'activitySourceHost', document ->> 'activationUrl', visual ->> 'displayText') > 0 THEN
		RAISE EXCEPTION 'a required member is missing' USING ERRCODE = '22023';
	END IF;
	identity := (('x' || encode(substr(sha256(convert_to(app, 'UTF8') || '\x00' || convert_to(key, 'UTF8')), 1, 8), 'hex'))::bit(64) >> 1)::bigint;

	UPDATE peer.feed f
	SET change_number = f.change_number + 1 + items,
		last_modified_date_time = greatest(clock_timestamp(), f.last_modified_date_time + '1 us') + items * interval '1 us'
	WHERE f.user_id = principal
	RETURNING f.change_number - items, f.last_modified_date_time - items * interval '1 us' INTO number, stamp;
	IF NOT FOUND THEN
		INSERT INTO peer.feed AS f (user_id, change_number, last_modified_date_time, oldest_change_number)
		SELECT principal, clock + 1 + items, clock_timestamp() + items * interval '1 us', clock
		FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) AS c (clock)
		ON CONFLICT (user_id) DO UPDATE SET change_number = f.change_number + 1 + items,
			last_modified_date_time = greatest(clock_timestamp(), f.last_modified_date_time + '1 us') + items * interval '1 us'
		RETURNING f.change_number - items, f.last_modified_date_time - items * interval '1 us' INTO number, stamp;
	END IF;

	INSERT INTO peer.activity AS a (user_id, id, app_id, app_activity_id, activity_source_host, activation_url, app_display_name,
		content_url, fallback_url, user_timezone, visual_elements, content_info, status, created_date_time, last_modified_date_time,
		expiration_date_time, change_number, created_change_number, history_change_number, history_expiration_date_time)
	VALUES (principal, identity, app, key, document ->> 'activitySourceHost', document ->> 'activationUrl',
		document ->> 'appDisplayName', document ->> 'contentUrl', document ->> 'fallbackUrl', document ->> 'userTimezone',
		jsonb_build_object('displayText', visual -> 'displayText', 'description', visual -> 'description',
			'backgroundColor', visual -> 'backgroundColor', 'content', visual -> 'content',
			'attribution', CASE WHEN visual ? 'attribution' THEN jsonb_build_object(
				'iconUrl', visual -> 'attribution' -> 'iconUrl', 'alternateText', visual -> 'attribution' -> 'alternateText',
				'addImageQuery', (visual -> 'attribution' ->> 'addImageQuery')::boolean) END),
		document -> 'contentInfo', 'updated', stamp, stamp, stamp + items * interval '1 us' + '30 days', number, number,
		number + items, stamp + items * interval '1 us' + '30 days')
	ON CONFLICT (user_id, id) DO UPDATE
	SET activity_source_host = excluded.activity_source_host,
		activation_url = excluded.activation_url,
		app_display_name = excluded.app_display_name,
		content_url = excluded.content_url,
		fallback_url = excluded.fallback_url,
		user_timezone = excluded.user_timezone,
		visual_elements = excluded.visual_elements,
		content_info = excluded.content_info,
		status = CASE WHEN a.status = 'ignored' AND a.expiration_date_time > stamp THEN 'ignored' ELSE 'updated' END::activityfeed.status,
		created_date_time = CASE WHEN a.status <> 'deleted' AND a.expiration_date_time > stamp THEN a.created_date_time ELSE stamp END,
		last_modified_date_time = stamp,
		expiration_date_time = greatest(excluded.expiration_date_time,
			CASE WHEN a.status <> 'deleted' AND a.expiration_date_time > stamp THEN a.history_expiration_date_time END),
		change_number = number,
		created_change_number = CASE WHEN a.status <> 'deleted' AND a.expiration_date_time > stamp THEN a.created_change_number ELSE number END,
		history_change_number = number + items,
		history_expiration_date_time = greatest(excluded.history_expiration_date_time,
			CASE WHEN a.status <> 'deleted' AND a.expiration_date_time > stamp THEN a.history_expiration_date_time END)
	RETURNING jsonb_build_object('id', a.id::text, 'appActivityId', a.app_activity_id, 'activitySourceHost', a.activity_source_host,
		'activationUrl', a.activation_url, 'appDisplayName', a.app_display_name, 'contentUrl', a.content_url,
		'fallbackUrl', a.fallback_url, 'userTimezone', a.user_timezone, 'visualElements', a.visual_elements,
		'contentInfo', a.content_info, 'status', a.status, 'createdDateTime', a.created_date_time,
		'lastModifiedDateTime', a.last_modified_date_time, 'expirationDateTime', a.expiration_date_time) INTO answer;

	INSERT INTO peer.history_item (user_id, activity_id, id, app_id, started_date_time, last_active_date_time,
		active_duration_seconds, active_duration_given, user_timezone, status, created_date_time, last_modified_date_time,
		expiration_date_time, change_number)
	SELECT principal, identity, coalesce((d ->> 'id')::uuid, gen_random_uuid()), app, started, active,
		coalesce((d ->> 'activeDurationSeconds')::int, floor(extract(epoch FROM active - started))::int),
		d ->> 'activeDurationSeconds' IS NOT NULL, d ->> 'userTimezone',
		CASE WHEN active IS NULL THEN 'active' ELSE 'updated' END::activityfeed.status,
		stamp + n * interval '1 us', stamp + n * interval '1 us', stamp + n * interval '1 us' + '30 days', number + n
	FROM jsonb_array_elements(document -> 'historyItems') WITH ORDINALITY AS e (d, n),
		LATERAL (VALUES ((d ->> 'startedDateTime')::timestamptz, (d ->> 'lastActiveDateTime')::timestamptz)) AS t (started, active);
	RETURN answer;
END
$$;

CREATE FUNCTION peer.upsert_history_item(principal text, app text, activity bigint, item uuid, document jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
	started timestamptz := document ->> 'startedDateTime';
	active timestamptz := document ->> 'lastActiveDateTime';
	given int := document ->> 'activeDurationSeconds';
	number bigint;
	stamp timestamptz;
	expires timestamptz;
	answer jsonb;
BEGIN
	IF started IS NULL OR active < started OR given < 0 THEN
		RAISE EXCEPTION 'a member is missing or has a bad value' USING ERRCODE = '22023';
	END IF;

	UPDATE peer.feed f
	SET change_number = f.change_number + 1,
		last_modified_date_time = greatest(clock_timestamp(), f.last_modified_date_time + '1 us')
	WHERE f.user_id = principal
	RETURNING f.change_number, f.last_modified_date_time INTO number, stamp;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'activity does not exist' USING ERRCODE = 'P0002';
	END IF;

	UPDATE peer.history_item h
	SET started_date_time = started,
		last_active_date_time = active,
		active_duration_seconds = coalesce(given, floor(extract(epoch FROM active - started))::int),
		active_duration_given = given IS NOT NULL,
		user_timezone = document ->> 'userTimezone',
		status = CASE WHEN active IS NULL THEN 'active' ELSE 'updated' END::activityfeed.status,
		created_date_time = CASE WHEN h.status <> 'deleted' AND h.expiration_date_time > stamp THEN h.created_date_time ELSE stamp END,
		last_modified_date_time = stamp,
		expiration_date_time = CASE WHEN h.status <> 'deleted' AND h.expiration_date_time > stamp THEN h.expiration_date_time ELSE stamp + '30 days' END,
		change_number = number
	WHERE h.user_id = principal AND h.activity_id = activity AND h.id = item
	RETURNING h.expiration_date_time, jsonb_build_object('id', h.id, 'startedDateTime', h.started_date_time,
		'lastActiveDateTime', h.last_active_date_time, 'activeDurationSeconds', h.active_duration_seconds,
		'userTimezone', h.user_timezone, 'status', h.status, 'createdDateTime', h.created_date_time,
		'lastModifiedDateTime', h.last_modified_date_time, 'expirationDateTime', h.expiration_date_time) INTO expires, answer;
	IF NOT FOUND THEN
		INSERT INTO peer.history_item AS h (user_id, activity_id, id, app_id, started_date_time, last_active_date_time,
			active_duration_seconds, active_duration_given, user_timezone, status, created_date_time, last_modified_date_time,
			expiration_date_time, change_number)
		VALUES (principal, activity, item, app, started, active, coalesce(given, floor(extract(epoch FROM active - started))::int),
			given IS NOT NULL, document ->> 'userTimezone', CASE WHEN active IS NULL THEN 'active' ELSE 'updated' END::activityfeed.status,
			stamp, stamp, stamp + '30 days', number)
		RETURNING h.expiration_date_time, jsonb_build_object('id', h.id, 'startedDateTime', h.started_date_time,
			'lastActiveDateTime', h.last_active_date_time, 'activeDurationSeconds', h.active_duration_seconds,
			'userTimezone', h.user_timezone, 'status', h.status, 'createdDateTime', h.created_date_time,
			'lastModifiedDateTime', h.last_modified_date_time, 'expirationDateTime', h.expiration_date_time) INTO expires, answer;
	END IF;

	UPDATE peer.activity a
	SET history_change_number = number,
		history_expiration_date_time = greatest(a.history_expiration_date_time, expires),
		expiration_date_time = greatest(a.expiration_date_time, expires)
	WHERE a.user_id = principal AND a.id = activity AND a.app_id = app AND a.status <> 'deleted' AND a.expiration_date_time > stamp;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'activity does not exist' USING ERRCODE = 'P0002';
	END IF;
	RETURN answer;
END
$$;

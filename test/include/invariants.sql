-- What the tables must satisfy at any time, between any two transactions: the
-- one query that says so.  It makes a view of what is broken, which has to be
-- empty, in the first schema of the search path.  Names are qualified, and
-- there is no psql in it: psql, TAP tests and isolation specs all read it.
--
-- Not here, as the tables' own constraints say it: keys are unique, columns
-- that must have a value have one, external activities are whole.
CREATE VIEW broken_invariant (user_id, rule, place) AS
WITH written AS NOT MATERIALIZED (
	SELECT a.user_id, a.change_number, a.last_modified_date_time, a.created_date_time,
		a.app_id, a.change_bucket, a.expiration_date_time, a.expiration_day,
		pg_catalog.format('activity %s', a.id) AS place
	FROM activityfeed.activity a
	UNION ALL
	SELECT h.user_id, h.change_number, h.last_modified_date_time, h.created_date_time,
		h.app_id, h.change_bucket, h.expiration_date_time, h.expiration_day,
		pg_catalog.format('item %s of activity %s', h.id, h.activity_id)
	FROM activityfeed.history_item h),
activity AS NOT MATERIALIZED (
	SELECT a.*, pg_catalog.format('activity %s', a.id) AS place, h.newest, h.latest, h.items
	FROM activityfeed.activity a
		CROSS JOIN LATERAL (
			SELECT max(h.change_number) FILTER (WHERE h.status <> 'deleted') AS newest,
				max(h.expiration_date_time) FILTER (WHERE h.status <> 'deleted') AS latest,
				count(*) AS items
			FROM activityfeed.history_item h
			WHERE h.user_id = a.user_id AND h.activity_id = a.id) h),
item AS NOT MATERIALIZED (
	SELECT h.*, pg_catalog.format('item %s of activity %s', h.id, h.activity_id) AS place
	FROM activityfeed.history_item h)

-- Change numbers: the order of all that a user writes.
SELECT w.user_id, 'a change number is there once', pg_catalog.string_agg(w.place, ', ')
FROM written w GROUP BY w.user_id, w.change_number HAVING count(*) > 1
UNION ALL
SELECT w.user_id, 'a row belongs to a feed, whose number and time are not below its own', w.place
FROM written w LEFT JOIN activityfeed.feed f ON f.user_id = w.user_id
WHERE (w.change_number <= f.change_number AND w.last_modified_date_time <= f.last_modified_date_time) IS NOT TRUE
UNION ALL
SELECT w.user_id, 'times rise with change numbers', w.place
FROM (SELECT w.*, lag(w.last_modified_date_time) OVER (PARTITION BY w.user_id ORDER BY w.change_number) AS earlier
	FROM written w) w
WHERE w.last_modified_date_time <= w.earlier
UNION ALL
SELECT w.user_id, 'a row is not modified before it is created', w.place
FROM written w WHERE w.last_modified_date_time < w.created_date_time
UNION ALL
SELECT w.user_id, 'bucket and day are those of number and expiration', w.place
FROM written w
WHERE w.change_bucket <> w.change_number >> 8
	OR w.expiration_day <> (w.expiration_date_time AT TIME ZONE 'UTC')::date
UNION ALL
SELECT f.user_id, 'the oldest usable cursor is one that may have been given', 'feed'
FROM activityfeed.feed f WHERE f.oldest_change_number > f.change_number

-- Activities.
UNION ALL
SELECT a.user_id, 'an activity''s id is the digest of its names', a.place
FROM activity a WHERE a.id <> activityfeed.activity_id(a.app_id, a.app_activity_id)
UNION ALL
SELECT a.user_id, 'an activity knows its newest session', a.place
FROM activity a
WHERE a.history_change_number IS DISTINCT FROM a.newest
	OR a.history_bucket IS DISTINCT FROM a.newest >> 8
UNION ALL
SELECT a.user_id, 'an activity knows its sessions'' latest expiration, and lives as long', a.place
FROM activity a
WHERE a.history_expiration_date_time IS DISTINCT FROM a.latest
	OR a.expiration_date_time < a.latest
UNION ALL
SELECT a.user_id, 'an activity is updated, ignored or deleted', a.place
FROM activity a WHERE a.status NOT IN ('updated', 'ignored', 'deleted')
UNION ALL
SELECT a.user_id, 'an activity that is not deleted has what is required', a.place
FROM activity a WHERE a.status <> 'deleted' AND a.visual_elements ->> 'displayText' IS NULL
UNION ALL
SELECT a.user_id, 'a deleted activity keeps nothing of the client''s, and no sessions', a.place
FROM activity a
WHERE a.status = 'deleted'
	AND (a.items > 0 OR pg_catalog.num_nonnulls(a.activity_source_host, a.activation_url, a.app_display_name,
		a.content_url, a.fallback_url, a.user_timezone, a.visual_elements, a.content_info) > 0)
UNION ALL
SELECT a.user_id, 'an activity was created with its created number', a.place
FROM activity a
WHERE a.created_change_number > a.change_number
	OR (a.created_change_number = a.change_number) <> (a.created_date_time = a.last_modified_date_time)

-- Sessions.
UNION ALL
SELECT h.user_id, 'a session belongs to an activity of its app, deleted with it and written after it', h.place
FROM item h
	LEFT JOIN activityfeed.activity a ON a.user_id = h.user_id AND a.id = h.activity_id
WHERE (a.app_id = h.app_id AND a.status <> 'deleted' AND a.created_change_number < h.change_number) IS NOT TRUE
UNION ALL
SELECT h.user_id, 'a session is active, updated or deleted, by what it has', h.place
FROM item h
WHERE h.status <> CASE WHEN h.started_date_time IS NULL THEN 'deleted'::activityfeed.status
	WHEN h.last_active_date_time IS NULL THEN 'active' ELSE 'updated' END
UNION ALL
SELECT h.user_id, 'a deleted session keeps nothing of the client''s', h.place
FROM item h
WHERE h.status = 'deleted' AND (h.active_duration_given
	OR pg_catalog.num_nonnulls(h.last_active_date_time, h.active_duration_seconds, h.user_timezone) > 0)
UNION ALL
SELECT h.user_id, 'a session ends after it starts', h.place
FROM item h WHERE h.last_active_date_time < h.started_date_time
UNION ALL
SELECT h.user_id, 'a duration is the one given, or the whole seconds to last active', h.place
FROM item h
WHERE h.status <> 'deleted' AND CASE WHEN h.active_duration_given
	THEN (h.active_duration_seconds >= 0) IS NOT TRUE
	ELSE h.active_duration_seconds IS DISTINCT FROM pg_catalog.floor(
		EXTRACT(epoch FROM h.last_active_date_time - h.started_date_time)) END

-- External activities: the next id is one that is not there.
UNION ALL
SELECT NULL, 'ids of external activities come from their sequence', pg_catalog.format('external activity %s', e.highest)
FROM (SELECT max(id) AS highest FROM activityfeed.external_activity) e, activityfeed.external_activity_id_seq s
WHERE e.highest > s.last_value;

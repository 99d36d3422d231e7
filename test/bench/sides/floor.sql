-- The floor: what any store of such rows has to do at the least.
--
-- It does: one typed statement on one table, prepared by the client; the
-- client's values as text, numbers and times; a row as wide as ours; the
-- table's fillfactor as ours; logged tables; the primary key, and for sessions
-- the exact recency index (user, last modified) that one would make without
-- thinking of HOT updates.
--
-- It leaves out: JSON in any form (visualElements and contentInfo are text),
-- every check, the id (the client calculates it), change numbers and the lock
-- that orders a user's writes, status, tombstones, expiry, what an activity
-- knows of its history, any other index, any answer but the id.
CREATE SCHEMA floor;

CREATE TABLE floor.activity (
	user_id text COLLATE "C" NOT NULL,
	id bigint NOT NULL,
	app_id text COLLATE "C" NOT NULL,
	app_activity_id text COLLATE "C" NOT NULL,
	activity_source_host text,
	activation_url text,
	app_display_name text,
	content_url text,
	fallback_url text,
	user_timezone text,
	visual_elements text,
	content_info text,
	created_date_time timestamptz NOT NULL,
	last_modified_date_time timestamptz NOT NULL,
	expiration_date_time timestamptz NOT NULL,
	PRIMARY KEY (user_id, id)
) WITH (fillfactor = 80);

CREATE TABLE floor.history_item (
	user_id text COLLATE "C" NOT NULL,
	activity_id bigint NOT NULL,
	id uuid NOT NULL,
	started_date_time timestamptz,
	last_active_date_time timestamptz,
	active_duration_seconds int,
	user_timezone text,
	created_date_time timestamptz NOT NULL,
	last_modified_date_time timestamptz NOT NULL,
	expiration_date_time timestamptz NOT NULL,
	PRIMARY KEY (user_id, activity_id, id)
) WITH (fillfactor = 90);
CREATE INDEX ON floor.history_item (user_id, last_modified_date_time);

INSERT INTO floor.activity
SELECT user_id, id, app_id, app_activity_id, activity_source_host, activation_url, app_display_name, content_url, fallback_url,
	user_timezone, visual_elements::text, content_info::text, created_date_time, last_modified_date_time, expiration_date_time
FROM activityfeed.activity;

INSERT INTO floor.history_item
SELECT user_id, activity_id, id, started_date_time, last_active_date_time, active_duration_seconds, user_timezone,
	created_date_time, last_modified_date_time, expiration_date_time
FROM activityfeed.history_item;

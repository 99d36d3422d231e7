/* sql/activityfeed--1.0.sql */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION activityfeed" to load this file. \quit

--
-- The schema is made here, so that it belongs to the extension and goes with
-- it.  One that is there already may be somebody else's, who could then put
-- into it what he likes: it is not taken over.
--
DO $$
BEGIN
	IF pg_catalog.to_regnamespace('activityfeed') IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'duplicate_schema',
			MESSAGE = 'schema "activityfeed" already exists',
			DETAIL = 'The extension makes this schema and shares it with nobody.',
			HINT = 'Drop the schema, or give it another name.',
			SCHEMA = 'activityfeed';
	END IF;
END
$$;
CREATE SCHEMA activityfeed;
COMMENT ON SCHEMA activityfeed IS
'Per-user activity feed in the resource model of Microsoft Graph user activities';

--
-- Types
--

CREATE TYPE activityfeed.status AS ENUM ('active', 'updated', 'deleted', 'ignored');
COMMENT ON TYPE activityfeed.status IS
'State of a row: active (a session that still runs), updated (stored by a PUT), deleted (tombstone), ignored (hidden by the user)';

CREATE TYPE activityfeed.external_activity_type AS ENUM ('viewed', 'modified', 'created', 'commented');
COMMENT ON TYPE activityfeed.external_activity_type IS
'What was done to an external item';

CREATE TYPE activityfeed.identity_type AS ENUM ('user', 'group', 'externalGroup');
COMMENT ON TYPE activityfeed.identity_type IS
'Kind of identity that performed an external activity';

CREATE TYPE activityfeed.external_activity_result AS (
	index int,
	id bigint,
	type activityfeed.external_activity_type,
	start_date_time timestamptz,
	error jsonb
);
COMMENT ON TYPE activityfeed.external_activity_result IS
'Outcome for one element of a batch: stored (id is set, error is null) or refused (error is {code, message, target, details, innerError})';
COMMENT ON COLUMN activityfeed.external_activity_result.index IS
'Position of the element in the request, from 0';
COMMENT ON COLUMN activityfeed.external_activity_result.id IS
'Id of the stored external activity; null when it was refused';
COMMENT ON COLUMN activityfeed.external_activity_result.type IS
'Type as sent; null when it could not be read';
COMMENT ON COLUMN activityfeed.external_activity_result.start_date_time IS
'Start as sent; null when it could not be read';
COMMENT ON COLUMN activityfeed.external_activity_result.error IS
'Null when stored, otherwise what was wrong; target is the path of the member within the element';

CREATE TYPE activityfeed.change AS (
	change_number bigint,
	kind text,
	app_id text,
	activity_id bigint,
	history_item_id uuid,
	status activityfeed.status,
	created_change_number bigint,
	document json
);
COMMENT ON TYPE activityfeed.change IS
'What a replica has to know of one row of a feed';
COMMENT ON COLUMN activityfeed.change.change_number IS
'Number of the row''s last change; the last one read is the next "since"';
COMMENT ON COLUMN activityfeed.change.kind IS
'activity, history_item, or feed: a last row that only carries the number to go on from';
COMMENT ON COLUMN activityfeed.change.app_id IS 'The application';
COMMENT ON COLUMN activityfeed.change.activity_id IS 'The activity, or the one that the session belongs to';
COMMENT ON COLUMN activityfeed.change.history_item_id IS 'The session; null for an activity';
COMMENT ON COLUMN activityfeed.change.status IS 'deleted for a tombstone';
COMMENT ON COLUMN activityfeed.change.created_change_number IS
'Of an activity: number with which this incarnation began; what a replica holds of it with lower numbers is gone';
COMMENT ON COLUMN activityfeed.change.document IS 'The document; null for a tombstone';

CREATE TYPE activityfeed.graph_response AS (
	status int,
	location text,
	body json
);
COMMENT ON TYPE activityfeed.graph_response IS
'Answer to a request: what an HTTP server sends back';
COMMENT ON COLUMN activityfeed.graph_response.status IS
'HTTP status: 200, 201, 204, 207, 400, 404, 405, 409 or 413';
COMMENT ON COLUMN activityfeed.graph_response.location IS
'Location header of the answer to a PUT of an activity; null otherwise';
COMMENT ON COLUMN activityfeed.graph_response.body IS
'Body of the answer, an error''s too; null for 204';

--
-- Tables
--
-- Every ordering rests on change numbers: each user has one row in feed, each
-- write takes the next number from it and so holds its lock until commit.
-- What is indexed is the number divided by 256 (the bucket), so that a
-- heartbeat is a HOT update nearly always.
--
-- Columns of fixed width come first: a list looks at them in up to 256 rows
-- for a page, and behind the texts they would have to be searched for.  What a
-- heartbeat changes stands together: the WAL of an update has all that is
-- between the first and the last byte that differ.
--
-- The tables of a feed have no CHECK constraints: the executor parses each of
-- them anew for every statement, and the functions let nothing through that
-- they would refuse.
--

CREATE TABLE activityfeed.feed (
	user_id text COLLATE "C" NOT NULL,
	last_modified_date_time timestamptz NOT NULL,
	change_number bigint NOT NULL,
	oldest_change_number bigint NOT NULL,
	CONSTRAINT feed_pkey PRIMARY KEY (user_id)
) WITH (fillfactor = 50);

COMMENT ON TABLE activityfeed.feed IS
'One row per user: the source of change numbers and the lock under which that user''s feed is written';
COMMENT ON COLUMN activityfeed.feed.user_id IS 'The user, as the application names it; 1 to 512 bytes';
COMMENT ON COLUMN activityfeed.feed.change_number IS 'The newest change number handed out; a new feed starts at the microseconds since 1970';
COMMENT ON COLUMN activityfeed.feed.last_modified_date_time IS 'The newest last_modified_date_time handed out; rises strictly';
COMMENT ON COLUMN activityfeed.feed.oldest_change_number IS 'A cursor of the change feed below this number is no longer usable';
COMMENT ON CONSTRAINT feed_pkey ON activityfeed.feed IS 'One feed per user';

CREATE TABLE activityfeed.activity (
	id bigint NOT NULL,
	change_number bigint NOT NULL,
	created_change_number bigint NOT NULL,
	change_bucket bigint NOT NULL GENERATED ALWAYS AS (change_number OPERATOR(pg_catalog.>>) 8) STORED,
	created_date_time timestamptz NOT NULL,
	last_modified_date_time timestamptz NOT NULL,
	expiration_date_time timestamptz NOT NULL,
	expiration_day date NOT NULL GENERATED ALWAYS AS ((expiration_date_time AT TIME ZONE 'UTC')::pg_catalog.date) STORED,
	status activityfeed.status NOT NULL,
	history_change_number bigint,
	history_bucket bigint GENERATED ALWAYS AS (history_change_number OPERATOR(pg_catalog.>>) 8) STORED,
	history_expiration_date_time timestamptz,
	user_id text COLLATE "C" NOT NULL,
	app_id text COLLATE "C" NOT NULL,
	app_activity_id text COLLATE "C" NOT NULL,
	activity_source_host text,
	activation_url text,
	app_display_name text,
	content_url text,
	fallback_url text,
	user_timezone text,
	visual_elements jsonb,
	content_info jsonb,
	CONSTRAINT activity_pkey PRIMARY KEY (user_id, id)
) WITH (fillfactor = 80);

CREATE INDEX activity_change_idx ON activityfeed.activity (user_id, app_id, change_bucket);
CREATE INDEX activity_history_idx ON activityfeed.activity (user_id, app_id, history_bucket)
	WHERE status OPERATOR(pg_catalog.=) 'updated' AND history_bucket IS NOT NULL;
CREATE INDEX activity_expiration_idx ON activityfeed.activity (expiration_day);

COMMENT ON TABLE activityfeed.activity IS
'What a user worked on, one row per user, app and appActivityId; a deleted one stays as a tombstone until it expires';
COMMENT ON COLUMN activityfeed.activity.user_id IS 'The user whose feed this is';
COMMENT ON COLUMN activityfeed.activity.id IS 'activityfeed.activity_id(app_id, app_activity_id); a string of digits in documents';
COMMENT ON COLUMN activityfeed.activity.app_id IS 'The application; 1 to 512 bytes';
COMMENT ON COLUMN activityfeed.activity.app_activity_id IS 'appActivityId: the application''s own key; 1 to 2048 bytes';
COMMENT ON COLUMN activityfeed.activity.activity_source_host IS 'activitySourceHost: the host that the activity belongs to';
COMMENT ON COLUMN activityfeed.activity.activation_url IS 'activationUrl: opens the activity in the application; any scheme';
COMMENT ON COLUMN activityfeed.activity.app_display_name IS 'appDisplayName: the application''s name for people';
COMMENT ON COLUMN activityfeed.activity.content_url IS 'contentUrl: where the content is served';
COMMENT ON COLUMN activityfeed.activity.fallback_url IS 'fallbackUrl: opened where the application is not installed';
COMMENT ON COLUMN activityfeed.activity.user_timezone IS 'userTimezone as the client sent it';
COMMENT ON COLUMN activityfeed.activity.visual_elements IS 'visualElements: displayText, description, backgroundColor, attribution, content';
COMMENT ON COLUMN activityfeed.activity.content_info IS 'contentInfo: a JSON-LD object, stored as sent';
COMMENT ON COLUMN activityfeed.activity.status IS 'updated, ignored or deleted';
COMMENT ON COLUMN activityfeed.activity.created_date_time IS 'When this incarnation was first stored';
COMMENT ON COLUMN activityfeed.activity.last_modified_date_time IS 'When it was last put, ignored, shown or deleted; history does not move it';
COMMENT ON COLUMN activityfeed.activity.expiration_date_time IS 'From then on it counts as absent';
COMMENT ON COLUMN activityfeed.activity.change_number IS 'Number of the last change of this row';
COMMENT ON COLUMN activityfeed.activity.created_change_number IS 'Number with which this incarnation began';
COMMENT ON COLUMN activityfeed.activity.history_change_number IS 'Change number of its newest history item that is not deleted; null when it has none';
COMMENT ON COLUMN activityfeed.activity.history_expiration_date_time IS 'Latest expiration of its history items that are not deleted; null when it has none';
COMMENT ON COLUMN activityfeed.activity.change_bucket IS 'change_number / 256, for the index';
COMMENT ON COLUMN activityfeed.activity.history_bucket IS 'history_change_number / 256, for the index';
COMMENT ON COLUMN activityfeed.activity.expiration_day IS 'The day in UTC of expiration_date_time, for the index';
COMMENT ON CONSTRAINT activity_pkey ON activityfeed.activity IS 'An activity is known by its user and id';
COMMENT ON INDEX activityfeed.activity_change_idx IS 'Listing and the change feed, newest bucket first';
COMMENT ON INDEX activityfeed.activity_history_idx IS 'Recency: activities with history, by the bucket of the newest item';
COMMENT ON INDEX activityfeed.activity_expiration_idx IS 'Purging: what has expired, of every user';

CREATE TABLE activityfeed.history_item (
	activity_id bigint NOT NULL,
	id uuid NOT NULL,
	change_bucket bigint NOT NULL GENERATED ALWAYS AS (change_number OPERATOR(pg_catalog.>>) 8) STORED,
	created_date_time timestamptz NOT NULL,
	expiration_date_time timestamptz NOT NULL,
	expiration_day date NOT NULL GENERATED ALWAYS AS ((expiration_date_time AT TIME ZONE 'UTC')::pg_catalog.date) STORED,
	status activityfeed.status NOT NULL,
	started_date_time timestamptz,
	last_modified_date_time timestamptz NOT NULL,
	change_number bigint NOT NULL,
	last_active_date_time timestamptz,
	active_duration_seconds int,
	active_duration_given boolean NOT NULL,
	user_id text COLLATE "C" NOT NULL,
	app_id text COLLATE "C" NOT NULL,
	user_timezone text,
	CONSTRAINT history_item_pkey PRIMARY KEY (user_id, activity_id, id),
	CONSTRAINT history_item_activity_fkey FOREIGN KEY (user_id, activity_id)
		REFERENCES activityfeed.activity (user_id, id) ON DELETE CASCADE
) WITH (fillfactor = 90);

CREATE INDEX history_item_activity_change_idx ON activityfeed.history_item (user_id, activity_id, change_bucket);
CREATE INDEX history_item_app_change_idx ON activityfeed.history_item (user_id, app_id, change_bucket);
CREATE INDEX history_item_expiration_idx ON activityfeed.history_item (expiration_day);

COMMENT ON TABLE activityfeed.history_item IS
'Sessions in which a user was engaged in an activity; a deleted one stays as a tombstone until it expires';
COMMENT ON COLUMN activityfeed.history_item.user_id IS 'The user whose feed this is';
COMMENT ON COLUMN activityfeed.history_item.activity_id IS 'The activity that the session belongs to';
COMMENT ON COLUMN activityfeed.history_item.id IS 'GUID chosen by the client, or by the store in a deep insert';
COMMENT ON COLUMN activityfeed.history_item.app_id IS 'The application, as in the activity';
COMMENT ON COLUMN activityfeed.history_item.started_date_time IS 'startedDateTime: when the session began; null in a tombstone only';
COMMENT ON COLUMN activityfeed.history_item.last_active_date_time IS 'lastActiveDateTime: when the user was last seen active; null while the session still runs';
COMMENT ON COLUMN activityfeed.history_item.active_duration_seconds IS 'activeDurationSeconds: as given, else whole seconds from started to last active';
COMMENT ON COLUMN activityfeed.history_item.active_duration_given IS 'Whether the client gave the duration; a given one is never recalculated';
COMMENT ON COLUMN activityfeed.history_item.user_timezone IS 'userTimezone as the client sent it';
COMMENT ON COLUMN activityfeed.history_item.status IS 'active (still running), updated or deleted';
COMMENT ON COLUMN activityfeed.history_item.created_date_time IS 'When this incarnation was first stored';
COMMENT ON COLUMN activityfeed.history_item.last_modified_date_time IS 'When it was last put, touched or deleted';
COMMENT ON COLUMN activityfeed.history_item.expiration_date_time IS 'From then on it counts as absent';
COMMENT ON COLUMN activityfeed.history_item.change_number IS 'Number of the last change of this row';
COMMENT ON COLUMN activityfeed.history_item.change_bucket IS 'change_number / 256, for the indexes';
COMMENT ON COLUMN activityfeed.history_item.expiration_day IS 'The day in UTC of expiration_date_time, for the index';
COMMENT ON CONSTRAINT history_item_pkey ON activityfeed.history_item IS 'A session is known by its user, activity and id';
COMMENT ON CONSTRAINT history_item_activity_fkey ON activityfeed.history_item IS 'A session belongs to an activity';
COMMENT ON INDEX activityfeed.history_item_activity_change_idx IS 'The sessions of one activity, newest bucket first';
COMMENT ON INDEX activityfeed.history_item_app_change_idx IS 'The change feed: sessions of one user and app by bucket';
COMMENT ON INDEX activityfeed.history_item_expiration_idx IS 'Purging: what has expired, of every user';

CREATE TABLE activityfeed.external_activity (
	connection_id text COLLATE "C" NOT NULL
		CONSTRAINT external_activity_connection_id_length CHECK (pg_catalog.octet_length(connection_id) OPERATOR(pg_catalog.>=) 1
			AND pg_catalog.octet_length(connection_id) OPERATOR(pg_catalog.<=) 512),
	item_id text COLLATE "C" NOT NULL
		CONSTRAINT external_activity_item_id_length CHECK (pg_catalog.octet_length(item_id) OPERATOR(pg_catalog.>=) 1
			AND pg_catalog.octet_length(item_id) OPERATOR(pg_catalog.<=) 512),
	id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
	type activityfeed.external_activity_type NOT NULL,
	start_date_time timestamptz NOT NULL
		CONSTRAINT external_activity_start_is_finite CHECK (pg_catalog.isfinite(start_date_time)),
	performed_by_type activityfeed.identity_type,
	performed_by_id text COLLATE "C"
		CONSTRAINT external_activity_performed_by_id_length CHECK (pg_catalog.octet_length(performed_by_id) OPERATOR(pg_catalog.>=) 1
			AND pg_catalog.octet_length(performed_by_id) OPERATOR(pg_catalog.<=) 512),
	created_date_time timestamptz NOT NULL,
	CONSTRAINT external_activity_performed_by_whole CHECK ((performed_by_type IS NULL) OPERATOR(pg_catalog.=) (performed_by_id IS NULL)),
	CONSTRAINT external_activity_pkey PRIMARY KEY (connection_id, item_id, id)
);

COMMENT ON TABLE activityfeed.external_activity IS
'Who did what to an item of an external connection; append-only';
COMMENT ON COLUMN activityfeed.external_activity.connection_id IS 'The external connection; 1 to 512 bytes';
COMMENT ON COLUMN activityfeed.external_activity.item_id IS 'The item in that connection; 1 to 512 bytes';
COMMENT ON COLUMN activityfeed.external_activity.id IS 'Number from a sequence; not in commit order';
COMMENT ON COLUMN activityfeed.external_activity.type IS 'type: viewed, modified, created or commented';
COMMENT ON COLUMN activityfeed.external_activity.start_date_time IS 'startDateTime: when it happened';
COMMENT ON COLUMN activityfeed.external_activity.performed_by_type IS 'performedBy.type: user, group or externalGroup; null when nobody was named';
COMMENT ON COLUMN activityfeed.external_activity.performed_by_id IS 'performedBy.id; 1 to 512 bytes; null when nobody was named';
COMMENT ON COLUMN activityfeed.external_activity.created_date_time IS 'When it was stored';
COMMENT ON CONSTRAINT external_activity_connection_id_length ON activityfeed.external_activity IS 'A connection id has 1 to 512 bytes';
COMMENT ON CONSTRAINT external_activity_item_id_length ON activityfeed.external_activity IS 'An item id has 1 to 512 bytes';
COMMENT ON CONSTRAINT external_activity_start_is_finite ON activityfeed.external_activity IS 'Documents know no infinity';
COMMENT ON CONSTRAINT external_activity_performed_by_id_length ON activityfeed.external_activity IS 'An identity''s id has 1 to 512 bytes';
COMMENT ON CONSTRAINT external_activity_performed_by_whole ON activityfeed.external_activity IS 'An identity has a type and an id';
COMMENT ON CONSTRAINT external_activity_pkey ON activityfeed.external_activity IS 'Reading an item''s activities, newest id first';
COMMENT ON SEQUENCE activityfeed.external_activity_id_seq IS 'Ids of external activities';

-- lz4 decompresses several times faster than pglz; servers may lack it.
DO $$
BEGIN
	IF EXISTS (SELECT FROM pg_catalog.pg_settings
			   WHERE name OPERATOR(pg_catalog.=) 'default_toast_compression'
			   AND 'lz4' OPERATOR(pg_catalog.=) ANY (enumvals)) THEN
		ALTER TABLE activityfeed.activity
			ALTER COLUMN visual_elements SET COMPRESSION lz4,
			ALTER COLUMN content_info SET COMPRESSION lz4;
	END IF;
END
$$;

-- The data belongs to the user: dump it. Without the sequence the first
-- insert after a restore would meet an id that is already there.
SELECT pg_catalog.pg_extension_config_dump('activityfeed.feed', '');
SELECT pg_catalog.pg_extension_config_dump('activityfeed.activity', '');
SELECT pg_catalog.pg_extension_config_dump('activityfeed.history_item', '');
SELECT pg_catalog.pg_extension_config_dump('activityfeed.external_activity', '');
SELECT pg_catalog.pg_extension_config_dump('activityfeed.external_activity_id_seq', '');

--
-- Views
--
-- clock_timestamp(), so that a row is gone to the second also in a long
-- transaction; security_invoker, so that row security is the caller's.
--

CREATE VIEW activityfeed.live_activity WITH (security_invoker = true) AS
SELECT a.user_id, a.id, a.app_id, a.app_activity_id, a.activity_source_host,
	a.activation_url, a.app_display_name, a.content_url, a.fallback_url,
	a.user_timezone, a.visual_elements, a.content_info, a.status,
	a.created_date_time, a.last_modified_date_time, a.expiration_date_time,
	a.change_number, a.created_change_number, a.history_change_number,
	a.history_expiration_date_time
FROM activityfeed.activity a
WHERE a.status OPERATOR(pg_catalog.=) 'updated'
	AND a.expiration_date_time OPERATOR(pg_catalog.>) pg_catalog.clock_timestamp();
COMMENT ON VIEW activityfeed.live_activity IS
'Activities that are not deleted, not ignored and not expired: for counts, search and ORMs';

CREATE VIEW activityfeed.live_history_item WITH (security_invoker = true) AS
SELECT h.user_id, h.activity_id, h.id, h.app_id, h.started_date_time,
	h.last_active_date_time, h.active_duration_seconds,
	h.active_duration_given, h.user_timezone, h.status,
	h.created_date_time, h.last_modified_date_time, h.expiration_date_time,
	h.change_number
FROM activityfeed.history_item h
	JOIN activityfeed.activity a ON a.user_id OPERATOR(pg_catalog.=) h.user_id AND a.id OPERATOR(pg_catalog.=) h.activity_id
WHERE h.status OPERATOR(pg_catalog.<>) 'deleted'
	AND h.expiration_date_time OPERATOR(pg_catalog.>) pg_catalog.clock_timestamp()
	AND a.status OPERATOR(pg_catalog.=) 'updated'
	AND a.expiration_date_time OPERATOR(pg_catalog.>) pg_catalog.clock_timestamp();
COMMENT ON VIEW activityfeed.live_history_item IS
'Sessions that are not deleted and not expired, of activities that are not deleted, not ignored and not expired';

DO $$
DECLARE
	c record;
BEGIN
	-- a view's columns say what the table's say
	FOR c IN
		SELECT v.attrelid::pg_catalog.regclass AS view, v.attname AS name,
			pg_catalog.col_description(t.attrelid, t.attnum) AS text
		FROM (VALUES ('activityfeed.live_activity'::pg_catalog.regclass, 'activityfeed.activity'::pg_catalog.regclass),
				('activityfeed.live_history_item', 'activityfeed.history_item')) AS pair (view, source)
			JOIN pg_catalog.pg_attribute v ON v.attrelid OPERATOR(pg_catalog.=) pair.view
			JOIN pg_catalog.pg_attribute t ON t.attrelid OPERATOR(pg_catalog.=) pair.source
				AND t.attname OPERATOR(pg_catalog.=) v.attname AND t.attnum OPERATOR(pg_catalog.>) 0
	LOOP
		EXECUTE pg_catalog.format('COMMENT ON COLUMN %s.%I IS %L', c.view, c.name, c.text);
	END LOOP;
END
$$;

--
-- Principals
--
-- A session role sees the rows of the session's principal only, a service
-- role all; the functions check the same at entry.  The policies are made
-- here, since those made later on an extension's tables are not dumped.  Each
-- calls a function once for a statement and not for each row.
--

CREATE FUNCTION activityfeed.current_user_id()
RETURNS text
AS 'MODULE_PATHNAME', 'activityfeed_current_user_id'
LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION activityfeed.current_user_id() IS
'The user that a session role acts for: setting activityfeed.user_id, or null when it is empty';

CREATE FUNCTION activityfeed.current_app_id()
RETURNS text
AS 'MODULE_PATHNAME', 'activityfeed_current_app_id'
LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION activityfeed.current_app_id() IS
'The app that a session role acts for: setting activityfeed.app_id, or null when it is empty';

CREATE FUNCTION activityfeed.is_service()
RETURNS boolean
AS 'MODULE_PATHNAME', 'activityfeed_is_service'
LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION activityfeed.is_service() IS
'Whether the current role may act for any principal: whether it may set activityfeed.user_id and activityfeed.app_id';

ALTER TABLE activityfeed.feed ENABLE ROW LEVEL SECURITY;
ALTER TABLE activityfeed.activity ENABLE ROW LEVEL SECURITY;
ALTER TABLE activityfeed.history_item ENABLE ROW LEVEL SECURITY;

CREATE POLICY feed_principal ON activityfeed.feed
	USING ((SELECT activityfeed.is_service())
		OR user_id OPERATOR(pg_catalog.=) (SELECT activityfeed.current_user_id()));
COMMENT ON POLICY feed_principal ON activityfeed.feed IS
'Services see every feed, sessions their user''s';

CREATE POLICY activity_principal ON activityfeed.activity
	USING ((SELECT activityfeed.is_service())
		OR (user_id OPERATOR(pg_catalog.=) (SELECT activityfeed.current_user_id())
			AND app_id OPERATOR(pg_catalog.=) (SELECT activityfeed.current_app_id())));
COMMENT ON POLICY activity_principal ON activityfeed.activity IS
'Services see every activity, sessions those of their user and app';

CREATE POLICY history_item_principal ON activityfeed.history_item
	USING ((SELECT activityfeed.is_service())
		OR (user_id OPERATOR(pg_catalog.=) (SELECT activityfeed.current_user_id())
			AND app_id OPERATOR(pg_catalog.=) (SELECT activityfeed.current_app_id())));
COMMENT ON POLICY history_item_principal ON activityfeed.history_item IS
'Services see every session, session roles those of their user and app';

-- The foreign key knows the user and not the app.
CREATE POLICY history_item_parent ON activityfeed.history_item AS RESTRICTIVE FOR INSERT
	WITH CHECK ((SELECT activityfeed.is_service())
		OR EXISTS (SELECT FROM activityfeed.activity a
			WHERE a.user_id OPERATOR(pg_catalog.=) history_item.user_id
				AND a.id OPERATOR(pg_catalog.=) history_item.activity_id
				AND a.app_id OPERATOR(pg_catalog.=) history_item.app_id));
COMMENT ON POLICY history_item_parent ON activityfeed.history_item IS
'A session role adds to activities of its own app only';

-- External activities belong to no principal.
ALTER TABLE activityfeed.external_activity ENABLE ROW LEVEL SECURITY;
CREATE POLICY external_activity_service ON activityfeed.external_activity
	USING ((SELECT activityfeed.is_service()));
COMMENT ON POLICY external_activity_service ON activityfeed.external_activity IS
'Services only, also where somebody was granted the table by mistake';

--
-- Identity
--

CREATE FUNCTION activityfeed.activity_id(app_id text, app_activity_id text)
RETURNS bigint
AS 'MODULE_PATHNAME', 'activityfeed_activity_id'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION activityfeed.activity_id(text, text) IS
'Id of the activity that an app knows as app_activity_id: the first 63 bits of SHA-256 over app_id, a zero byte and app_activity_id in UTF-8; 22023 for an id of a wrong length';

-- The key of an activity has the user and not the app: with any id, a session
-- could learn of activities in other apps, and take their ids away from them.
-- And rows of a user who has no feed would be out of reach for those who lock
-- it to erase or purge.
CREATE POLICY activity_identity ON activityfeed.activity AS RESTRICTIVE FOR INSERT
	WITH CHECK ((SELECT activityfeed.is_service())
		OR (id OPERATOR(pg_catalog.=) activityfeed.activity_id(app_id, app_activity_id)
			AND EXISTS (SELECT FROM activityfeed.feed f
				WHERE f.user_id OPERATOR(pg_catalog.=) activity.user_id)));
COMMENT ON POLICY activity_identity ON activityfeed.activity IS
'A session role adds activities with ids of its own app only, and to a feed that is there';

--
-- Writing
--

CREATE FUNCTION activityfeed.upsert_activity(user_id text, app_id text, activity json)
RETURNS activityfeed.activity
AS 'MODULE_PATHNAME', 'activityfeed_upsert_activity'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION activityfeed.upsert_activity(text, text, json) IS
'Creates an activity or replaces it in full; historyItems in the document are inserted with it, all or nothing; 22023 for a bad document, 54000 for one that is too large or too deep, 23505 for a collision of ids';

CREATE FUNCTION activityfeed.upsert_activity(user_id varchar, app_id varchar, activity jsonb)
RETURNS activityfeed.activity
AS 'MODULE_PATHNAME', 'activityfeed_upsert_activity_jsonb'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION activityfeed.upsert_activity(varchar, varchar, jsonb) IS
'upsert_activity for drivers that send documents as jsonb';

CREATE FUNCTION activityfeed.upsert_history_item(user_id text, app_id text, activity_id bigint, history_item_id uuid, history_item json)
RETURNS activityfeed.history_item
AS 'MODULE_PATHNAME', 'activityfeed_upsert_history_item'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION activityfeed.upsert_history_item(text, text, bigint, uuid, json) IS
'Creates a session of an activity or replaces it in full; the duration is calculated unless given; P0002 where there is no such activity, 22023 and 54000 as in upsert_activity';

CREATE FUNCTION activityfeed.upsert_history_item(user_id varchar, app_id varchar, activity_id bigint, history_item_id uuid, history_item jsonb)
RETURNS activityfeed.history_item
AS 'MODULE_PATHNAME', 'activityfeed_upsert_history_item_jsonb'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION activityfeed.upsert_history_item(varchar, varchar, bigint, uuid, jsonb) IS
'upsert_history_item for drivers that send documents as jsonb';

CREATE FUNCTION activityfeed.touch_history_item(user_id text, app_id text, activity_id bigint, history_item_id uuid, last_active timestamptz DEFAULT pg_catalog.clock_timestamp())
RETURNS activityfeed.history_item
AS 'MODULE_PATHNAME', 'activityfeed_touch_history_item'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION activityfeed.touch_history_item(text, text, bigint, uuid, timestamptz) IS
'Heartbeat: moves last active forward, never back and never before started, and recalculates the duration unless it was given; P0002 where there is no such item';

CREATE FUNCTION activityfeed.delete_activity(user_id text, app_id text, activity_id bigint)
RETURNS boolean
AS 'MODULE_PATHNAME', 'activityfeed_delete_activity'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION activityfeed.delete_activity(text, text, bigint) IS
'Deletes an activity and its history and leaves a tombstone; false where there is none';

CREATE FUNCTION activityfeed.delete_history_item(user_id text, app_id text, activity_id bigint, history_item_id uuid)
RETURNS boolean
AS 'MODULE_PATHNAME', 'activityfeed_delete_history_item'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION activityfeed.delete_history_item(text, text, bigint, uuid) IS
'Deletes one session and leaves a tombstone; false where there is none';

CREATE FUNCTION activityfeed.ignore_activity(user_id text, app_id text, activity_id bigint, ignored boolean DEFAULT true)
RETURNS boolean
AS 'MODULE_PATHNAME', 'activityfeed_ignore_activity'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION activityfeed.ignore_activity(text, text, bigint, boolean) IS
'Hides an activity from lists and recency, or shows it again; false where there is none';

--
-- Reading
--
-- A row that has expired is not returned, whether or not it was purged.
-- app_id NULL means every app of the user.
--

CREATE FUNCTION activityfeed.get_activity(user_id text, app_id text, activity_id bigint)
RETURNS SETOF activityfeed.activity
AS 'MODULE_PATHNAME', 'activityfeed_get_activity'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 1;
COMMENT ON FUNCTION activityfeed.get_activity(text, text, bigint) IS
'The activity with that id, an ignored one too, or no row';

CREATE FUNCTION activityfeed.get_history_item(user_id text, app_id text, activity_id bigint, history_item_id uuid)
RETURNS SETOF activityfeed.history_item
AS 'MODULE_PATHNAME', 'activityfeed_get_history_item'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 1;
COMMENT ON FUNCTION activityfeed.get_history_item(text, text, bigint, uuid) IS
'The session with that id, or no row';

CREATE FUNCTION activityfeed.activities(user_id text, app_id text, top int DEFAULT 50, before_change_number bigint DEFAULT NULL,
	modified_after timestamptz DEFAULT NULL, modified_before timestamptz DEFAULT NULL, ignored boolean DEFAULT false)
RETURNS SETOF activityfeed.activity
AS 'MODULE_PATHNAME', 'activityfeed_activities'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 50;
COMMENT ON FUNCTION activityfeed.activities(text, text, int, bigint, timestamptz, timestamptz, boolean) IS
'Activities by newest change first; the next page begins before the last row''s change_number; both modified bounds are exclusive; ignored => true lists the hidden ones instead';

CREATE FUNCTION activityfeed.recent_activities(user_id text, app_id text, top int DEFAULT 20, before_history_change_number bigint DEFAULT NULL,
	modified_after timestamptz DEFAULT NULL, modified_before timestamptz DEFAULT NULL)
RETURNS SETOF activityfeed.activity
AS 'MODULE_PATHNAME', 'activityfeed_recent_activities'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 20;
COMMENT ON FUNCTION activityfeed.recent_activities(text, text, int, bigint, timestamptz, timestamptz) IS
'Activities that have history, each once, by newest history item first; the next page begins before the last row''s history_change_number';

CREATE FUNCTION activityfeed.history_items(user_id text, app_id text, activity_id bigint, top int DEFAULT 50, before_change_number bigint DEFAULT NULL,
	modified_after timestamptz DEFAULT NULL, modified_before timestamptz DEFAULT NULL)
RETURNS SETOF activityfeed.history_item
AS 'MODULE_PATHNAME', 'activityfeed_history_items'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 50;
COMMENT ON FUNCTION activityfeed.history_items(text, text, bigint, int, bigint, timestamptz, timestamptz) IS
'The sessions of an activity by newest change first; the next page begins before the last row''s change_number';

--
-- External activities
--

CREATE FUNCTION activityfeed.add_external_activities(connection_id text, item_id text, activities json)
RETURNS SETOF activityfeed.external_activity_result
AS 'MODULE_PATHNAME', 'activityfeed_add_external_activities'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION activityfeed.add_external_activities(text, text, json) IS
'Stores a batch, {"activities": [...]} or a bare array; one result per element in the order sent: bad ones carry an error and the rest are stored; 22023 and 54000 when the request itself is bad, and nothing is stored';

CREATE FUNCTION activityfeed.add_external_activities(connection_id varchar, item_id varchar, activities jsonb)
RETURNS SETOF activityfeed.external_activity_result
AS 'MODULE_PATHNAME', 'activityfeed_add_external_activities_jsonb'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION activityfeed.add_external_activities(varchar, varchar, jsonb) IS
'add_external_activities for drivers that send documents as jsonb';

CREATE FUNCTION activityfeed.external_activities(connection_id text, item_id text, top int DEFAULT 50, before_id bigint DEFAULT NULL)
RETURNS SETOF activityfeed.external_activity
AS 'MODULE_PATHNAME', 'activityfeed_external_activities'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 50;
COMMENT ON FUNCTION activityfeed.external_activities(text, text, int, bigint) IS
'What was stored for an item, newest id first; ids are not in commit order';

--
-- Documents
--

CREATE FUNCTION activityfeed.graph_json(activity activityfeed.activity, history_top int DEFAULT 0)
RETURNS json
AS 'MODULE_PATHNAME', 'activityfeed_graph_json'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION activityfeed.graph_json(activityfeed.activity, int) IS
'The activity as a document with up to history_top of its sessions, newest first; historyItems is there when history_top is above 0; null for null';

CREATE FUNCTION activityfeed.graph_request(user_id text, app_id text, method text, target text, body text DEFAULT NULL)
RETURNS activityfeed.graph_response
AS 'MODULE_PATHNAME', 'activityfeed_graph_request'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION activityfeed.graph_request(text, text, text, text, text) IS
'Answers a request of the documented HTTP surface; what its sender did wrong is an answer (400, 404, 405, 409, 413) and no error';

CREATE FUNCTION activityfeed.activity_to_json(activity activityfeed.activity)
RETURNS json
AS 'MODULE_PATHNAME', 'activityfeed_activity_to_json'
LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION activityfeed.activity_to_json(activityfeed.activity) IS
'The activity as a document, without its history';

CREATE FUNCTION activityfeed.activity_to_jsonb(activity activityfeed.activity)
RETURNS jsonb
AS 'MODULE_PATHNAME', 'activityfeed_activity_to_jsonb'
LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION activityfeed.activity_to_jsonb(activityfeed.activity) IS
'The activity as a document, without its history';

CREATE FUNCTION activityfeed.history_item_to_json(history_item activityfeed.history_item)
RETURNS json
AS 'MODULE_PATHNAME', 'activityfeed_history_item_to_json'
LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION activityfeed.history_item_to_json(activityfeed.history_item) IS
'The session as a document';

CREATE FUNCTION activityfeed.history_item_to_jsonb(history_item activityfeed.history_item)
RETURNS jsonb
AS 'MODULE_PATHNAME', 'activityfeed_history_item_to_jsonb'
LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION activityfeed.history_item_to_jsonb(activityfeed.history_item) IS
'The session as a document';

CREATE FUNCTION activityfeed.external_activity_result_to_json(result activityfeed.external_activity_result)
RETURNS json
AS 'MODULE_PATHNAME', 'activityfeed_external_activity_result_to_json'
LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION activityfeed.external_activity_result_to_json(activityfeed.external_activity_result) IS
'The result as a document';

CREATE FUNCTION activityfeed.external_activity_result_to_jsonb(result activityfeed.external_activity_result)
RETURNS jsonb
AS 'MODULE_PATHNAME', 'activityfeed_external_activity_result_to_jsonb'
LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION activityfeed.external_activity_result_to_jsonb(activityfeed.external_activity_result) IS
'The result as a document';

CREATE CAST (activityfeed.activity AS json) WITH FUNCTION activityfeed.activity_to_json(activityfeed.activity);
COMMENT ON CAST (activityfeed.activity AS json) IS 'The activity as a document, without its history';
CREATE CAST (activityfeed.activity AS jsonb) WITH FUNCTION activityfeed.activity_to_jsonb(activityfeed.activity);
COMMENT ON CAST (activityfeed.activity AS jsonb) IS 'The activity as a document, without its history';
CREATE CAST (activityfeed.history_item AS json) WITH FUNCTION activityfeed.history_item_to_json(activityfeed.history_item);
COMMENT ON CAST (activityfeed.history_item AS json) IS 'The session as a document';
CREATE CAST (activityfeed.history_item AS jsonb) WITH FUNCTION activityfeed.history_item_to_jsonb(activityfeed.history_item);
COMMENT ON CAST (activityfeed.history_item AS jsonb) IS 'The session as a document';
CREATE CAST (activityfeed.external_activity_result AS json) WITH FUNCTION activityfeed.external_activity_result_to_json(activityfeed.external_activity_result);
COMMENT ON CAST (activityfeed.external_activity_result AS json) IS 'The result as a document';
CREATE CAST (activityfeed.external_activity_result AS jsonb) WITH FUNCTION activityfeed.external_activity_result_to_jsonb(activityfeed.external_activity_result);
COMMENT ON CAST (activityfeed.external_activity_result AS jsonb) IS 'The result as a document';

-- In C and not in SQL: a function in SQL would depend on the columns, and then
-- nobody could add one to the table.
CREATE FUNCTION activityfeed.was_created(activity activityfeed.activity)
RETURNS boolean
AS 'MODULE_PATHNAME', 'activityfeed_activity_was_created'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION activityfeed.was_created(activityfeed.activity) IS
'Whether the upsert that returned this row created it (201) or replaced it (200)';

CREATE FUNCTION activityfeed.was_created(history_item activityfeed.history_item)
RETURNS boolean
AS 'MODULE_PATHNAME', 'activityfeed_history_item_was_created'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION activityfeed.was_created(activityfeed.history_item) IS
'Whether the upsert that returned this row created it (201) or replaced it (200)';

--
-- Change feed
--

CREATE FUNCTION activityfeed.changes(user_id text, app_id text, since bigint, top int DEFAULT 100)
RETURNS SETOF activityfeed.change
AS 'MODULE_PATHNAME', 'activityfeed_changes'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100;
COMMENT ON FUNCTION activityfeed.changes(text, text, bigint, int) IS
'What changed after number since, oldest first, deletions as tombstones; since 0 gives everything live; 55000 for a cursor that is too old or from the future';

CREATE FUNCTION activityfeed.invalidate_cursors(user_id text DEFAULT NULL)
RETURNS bigint
AS 'MODULE_PATHNAME', 'activityfeed_invalidate_cursors'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION activityfeed.invalidate_cursors(text) IS
'Refuses every cursor that was handed out so far, of one user or of all: for after a failover that lost commits or a point-in-time restore; returns the number of feeds';

--
-- Lifecycle
--

CREATE FUNCTION activityfeed.purge_expired(batch_size int DEFAULT 10000)
RETURNS bigint
AS 'MODULE_PATHNAME', 'activityfeed_purge_expired'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION activityfeed.purge_expired(int) IS
'Removes sessions, activities and tombstones that have expired, of every user, about batch_size at most; skips users whose feeds others are writing to; returns how many rows went';

-- Operators are qualified: a procedure that commits cannot have a search_path
-- of its own.
CREATE PROCEDURE activityfeed.purge(batch_size int DEFAULT 10000)
LANGUAGE plpgsql AS $$
DECLARE
	removed bigint;
	total bigint := 0;
BEGIN
	LOOP
		removed := activityfeed.purge_expired(batch_size);
		COMMIT;
		EXIT WHEN removed OPERATOR(pg_catalog.=) 0;
		total := total OPERATOR(pg_catalog.+) removed;
		RAISE NOTICE 'purged % rows, % in total', removed, total;
	END LOOP;
END
$$;
COMMENT ON PROCEDURE activityfeed.purge(int) IS
'Calls purge_expired until nothing is left, with a commit and a notice for each batch';

CREATE FUNCTION activityfeed.export_user(user_id text)
RETURNS SETOF json
AS 'MODULE_PATHNAME', 'activityfeed_export_user'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 1000;
COMMENT ON FUNCTION activityfeed.export_user(text) IS
'All that a user has, in every app: a document for each activity, hidden ones too, with its whole history, in several documents where it has more than 1000 sessions; the app is in the annotation @activityfeed.appId; no tombstones and nothing that has expired';

CREATE FUNCTION activityfeed.erase_user(user_id text)
RETURNS bigint
AS 'MODULE_PATHNAME', 'activityfeed_erase_user'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION activityfeed.erase_user(text) IS
'Removes every row of a user, tombstones and the feed included; returns how many rows went; a later write begins a new feed, in which older cursors are of no use';

CREATE FUNCTION activityfeed.active_time(user_id text, app_id text, since timestamptz, until timestamptz, time_zone text)
RETURNS TABLE (day date, activity_id bigint, seconds bigint)
AS 'MODULE_PATHNAME', 'activityfeed_active_time'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100;
COMMENT ON FUNCTION activityfeed.active_time(text, text, timestamptz, timestamptz, text) IS
'Whole seconds for each day of a time zone and activity in which at least one of its sessions ran, from since up to until; sessions that overlap count once, running ones not at all; days with no whole second are left out';

--
-- Roles
--
-- These only GRANT and REVOKE, as the role that calls them.  What is granted
-- here is in dumps, but for SET ON PARAMETER, which pg_dumpall has.
--

CREATE FUNCTION activityfeed.grant_session(role regrole)
RETURNS void
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	other pg_catalog.pg_roles;
BEGIN
	PERFORM activityfeed.revoke_access(role);
	-- a role can become each one that it is a member of, whether or not it inherits
	SELECT r.* INTO other FROM pg_catalog.pg_roles r
	WHERE pg_catalog.pg_has_role(role, r.oid, 'MEMBER')
		AND (r.rolbypassrls OR r.rolreplication OR r.rolcreaterole
			OR EXISTS (SELECT FROM pg_catalog.pg_class c
				WHERE c.relnamespace OPERATOR(pg_catalog.=) 'activityfeed'::pg_catalog.regnamespace
					AND c.relowner OPERATOR(pg_catalog.=) r.oid)
			OR pg_catalog.has_parameter_privilege(r.oid, 'activityfeed.user_id', 'SET')
			OR pg_catalog.has_parameter_privilege(r.oid, 'activityfeed.app_id', 'SET')
			OR pg_catalog.has_table_privilege(r.oid, 'activityfeed.feed', 'UPDATE, DELETE, TRUNCATE, TRIGGER')
			OR pg_catalog.has_table_privilege(r.oid, 'activityfeed.activity', 'UPDATE, DELETE, TRUNCATE, TRIGGER')
			OR pg_catalog.has_table_privilege(r.oid, 'activityfeed.history_item', 'UPDATE, TRUNCATE, TRIGGER')
			OR pg_catalog.has_table_privilege(r.oid, 'activityfeed.external_activity', 'SELECT, INSERT, UPDATE, DELETE'))
	ORDER BY r.oid OPERATOR(pg_catalog.<>) role, r.rolname LIMIT 1;
	IF FOUND THEN
		RAISE insufficient_privilege USING
			MESSAGE = pg_catalog.format('role %s cannot be a session role', role),
			DETAIL = CASE WHEN other.oid OPERATOR(pg_catalog.=) role
				THEN 'It has rights that a session role must not have.'
				ELSE pg_catalog.format('It is a member of role %I, which has rights that a session role must not have.', other.rolname) END,
			HINT = 'Such are: superuser, BYPASSRLS, REPLICATION, CREATEROLE, the rights of a service or of the tables'' owner, and rights on tables that were granted otherwise.';
	END IF;
	EXECUTE pg_catalog.format('GRANT USAGE ON SCHEMA activityfeed TO %s', role);
	EXECUTE pg_catalog.format('GRANT SELECT ON activityfeed.feed, activityfeed.activity,
		activityfeed.history_item, activityfeed.live_activity,
		activityfeed.live_history_item TO %s', role);
	-- the columns that no function changes are left out: a row stays with its principal
	EXECUTE pg_catalog.format('GRANT INSERT,
		UPDATE (change_number, last_modified_date_time)
		ON activityfeed.feed TO %s', role);
	EXECUTE pg_catalog.format('GRANT INSERT,
		UPDATE (activity_source_host, activation_url, app_display_name, content_url, fallback_url,
			user_timezone, visual_elements, content_info, status, created_date_time,
			last_modified_date_time, expiration_date_time, change_number, created_change_number,
			history_change_number, history_expiration_date_time)
		ON activityfeed.activity TO %s', role);
	EXECUTE pg_catalog.format('GRANT INSERT, DELETE,
		UPDATE (started_date_time, last_active_date_time, active_duration_seconds,
			active_duration_given, user_timezone, status, created_date_time,
			last_modified_date_time, expiration_date_time, change_number)
		ON activityfeed.history_item TO %s', role);
	EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION
		activityfeed.current_user_id(),
		activityfeed.current_app_id(),
		activityfeed.is_service(),
		activityfeed.activity_id(text, text),
		activityfeed.upsert_activity(text, text, json),
		activityfeed.upsert_activity(varchar, varchar, jsonb),
		activityfeed.upsert_history_item(text, text, bigint, uuid, json),
		activityfeed.upsert_history_item(varchar, varchar, bigint, uuid, jsonb),
		activityfeed.touch_history_item(text, text, bigint, uuid, timestamptz),
		activityfeed.delete_activity(text, text, bigint),
		activityfeed.delete_history_item(text, text, bigint, uuid),
		activityfeed.ignore_activity(text, text, bigint, boolean),
		activityfeed.get_activity(text, text, bigint),
		activityfeed.get_history_item(text, text, bigint, uuid),
		activityfeed.activities(text, text, int, bigint, timestamptz, timestamptz, boolean),
		activityfeed.recent_activities(text, text, int, bigint, timestamptz, timestamptz),
		activityfeed.history_items(text, text, bigint, int, bigint, timestamptz, timestamptz),
		activityfeed.graph_json(activityfeed.activity, int),
		activityfeed.graph_request(text, text, text, text, text),
		activityfeed.activity_to_json(activityfeed.activity),
		activityfeed.activity_to_jsonb(activityfeed.activity),
		activityfeed.history_item_to_json(activityfeed.history_item),
		activityfeed.history_item_to_jsonb(activityfeed.history_item),
		activityfeed.was_created(activityfeed.activity),
		activityfeed.was_created(activityfeed.history_item),
		activityfeed.changes(text, text, bigint, int),
		activityfeed.active_time(text, text, timestamptz, timestamptz, text)
		TO %s', role);
END
$$;
COMMENT ON FUNCTION activityfeed.grant_session(regrole) IS
'Makes a role a session role: it may use the feed of the principal that activityfeed.user_id and activityfeed.app_id name, and loses every other right in the schema; 42501 for one that could reach more all the same';

CREATE FUNCTION activityfeed.grant_service(role regrole)
RETURNS void
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM activityfeed.revoke_access(role);
	EXECUTE pg_catalog.format('GRANT USAGE ON SCHEMA activityfeed TO %s', role);
	EXECUTE pg_catalog.format('GRANT SET ON PARAMETER activityfeed.user_id, activityfeed.app_id TO %s', role);
	EXECUTE pg_catalog.format('GRANT SELECT, INSERT, UPDATE, DELETE ON activityfeed.feed,
		activityfeed.activity, activityfeed.history_item TO %s', role);
	EXECUTE pg_catalog.format('GRANT SELECT, INSERT ON activityfeed.external_activity TO %s', role);
	EXECUTE pg_catalog.format('GRANT SELECT ON activityfeed.live_activity,
		activityfeed.live_history_item TO %s', role);
	EXECUTE pg_catalog.format('GRANT EXECUTE ON ALL ROUTINES IN SCHEMA activityfeed TO %s', role);
	EXECUTE pg_catalog.format('REVOKE EXECUTE ON FUNCTION activityfeed.grant_service(regrole),
		activityfeed.grant_session(regrole), activityfeed.revoke_access(regrole) FROM %s', role);
END
$$;
COMMENT ON FUNCTION activityfeed.grant_service(regrole) IS
'Makes a role a service: it may act for any user and app, take in external activities, export, erase and purge, and choose the principal of a session';

CREATE FUNCTION activityfeed.revoke_access(role regrole)
RETURNS void
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid OPERATOR(pg_catalog.=) role) THEN
		RAISE undefined_object USING MESSAGE = pg_catalog.format('role with OID %s does not exist', role::pg_catalog.oid);
	END IF;
	EXECUTE pg_catalog.format('REVOKE ALL ON ALL TABLES IN SCHEMA activityfeed FROM %s', role);
	EXECUTE pg_catalog.format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA activityfeed FROM %s', role);
	EXECUTE pg_catalog.format('REVOKE ALL ON ALL ROUTINES IN SCHEMA activityfeed FROM %s', role);
	EXECUTE pg_catalog.format('REVOKE ALL ON SCHEMA activityfeed FROM %s', role);
	-- fails for somebody who has no right on them: an owner who is no superuser
	IF EXISTS (SELECT FROM pg_catalog.pg_parameter_acl p, pg_catalog.aclexplode(p.paracl) a
		WHERE p.parname OPERATOR(pg_catalog.=) ANY ('{activityfeed.user_id,activityfeed.app_id}')
			AND a.grantee OPERATOR(pg_catalog.=) role)
	THEN
		EXECUTE pg_catalog.format('REVOKE ALL ON PARAMETER activityfeed.user_id, activityfeed.app_id FROM %s', role);
	END IF;
END
$$;
COMMENT ON FUNCTION activityfeed.revoke_access(regrole) IS
'Takes back all rights of a role in the schema and on its settings';

--
-- Nothing for PUBLIC: what is its by default, and what default privileges of
-- the installing role may have added.
--

REVOKE ALL ON ALL TABLES IN SCHEMA activityfeed FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA activityfeed FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA activityfeed FROM PUBLIC;
-- Not the row types of tables and views: they give access to no row, and
-- pg_dump warns of privileges on them each time.
REVOKE ALL ON TYPE activityfeed.status, activityfeed.external_activity_type,
	activityfeed.identity_type, activityfeed.external_activity_result,
	activityfeed.change, activityfeed.graph_response FROM PUBLIC;

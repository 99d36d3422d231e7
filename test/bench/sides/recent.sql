-- The sides of recent_activities(20).
--
-- The floor is one SELECT of 20 rows from a table in which somebody else keeps,
-- for each activity, the exact number of its newest session, with an index on
-- just that: no incremental sort, no condition on status or expiry, no
-- documents.  It returns the document's 14 columns as PostgreSQL's own types,
-- as rows (the JSON ones are jsonb, and come as text over the wire as in a
-- document).
--
-- The peers have the extension's tables, and indexes made for them alone (but
-- the last), which cover what they need, so that sessions are read from the
-- index only:
--   group_by      GROUP BY activity, max(number), the newest 20
--   recursive     the newest session, then the newest of any other activity, and
--                 so on (a recursive CTE that skips what it has seen)
--   group_by_own  the first again, on the extension's tables with no index but
--                 theirs, as whoever has such a list among others would have it
-- They are statements that the client prepares: no plpgsql around them.  They
-- answer a jsonb document for each row.  Left out, to their advantage: a page
-- is short when one of its 20 is hidden, the recursive one looks at the newest
-- session's expiration only, and nobody pays for their indexes here (an exact
-- index costs every heartbeat its HOT update).
CREATE SCHEMA floor;
CREATE TABLE floor.recent WITH (fillfactor = 80) AS
SELECT user_id, app_id, history_change_number, id, app_activity_id, activity_source_host, activation_url, app_display_name,
	content_url, fallback_url, user_timezone, visual_elements, content_info, status, created_date_time, last_modified_date_time,
	expiration_date_time
FROM activityfeed.activity;
CREATE INDEX ON floor.recent (user_id, app_id, history_change_number DESC);

CALL bench.copy_tables('peer');
CREATE INDEX ON peer.history_item (user_id, app_id, activity_id, change_number DESC) INCLUDE (expiration_date_time) WHERE status <> 'deleted';
CREATE INDEX ON peer.history_item (user_id, app_id, change_number DESC) INCLUDE (activity_id, expiration_date_time) WHERE status <> 'deleted';

CALL bench.copy_tables('own');

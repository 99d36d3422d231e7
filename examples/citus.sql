-- Distributes the tables and functions of activityfeed over the workers of a
-- Citus cluster: feeds by user, external activities by item.  Run it once, on
-- the coordinator and as a superuser, in a database that has the extension
-- citus; the files of activityfeed must be installed on every node, and Citus
-- creates the extension there.
--
--   psql -v ON_ERROR_STOP=1 -f examples/citus.sql

SET search_path = pg_catalog;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS activityfeed;

-- Citus takes no policies with subqueries.  Without them there is no row
-- security: only service roles may be given access.
SELECT bool_and(success) AS without_policies
FROM run_command_on_all_nodes($command$
	DO $$
	DECLARE
		p record;
	BEGIN
		FOR p IN SELECT polname, polrelid::regclass AS relation FROM pg_catalog.pg_policy
			WHERE polrelid IN (SELECT oid FROM pg_catalog.pg_class WHERE relnamespace = 'activityfeed'::regnamespace)
		LOOP
			EXECUTE format('DROP POLICY %I ON %s', p.polname, p.relation);
			EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', p.relation);
		END LOOP;
	END
	$$
$command$);

-- One user's rows of all three tables are on one worker: their keys, and the
-- foreign key from a session to its activity, begin with user_id.
SELECT create_distributed_table('activityfeed.feed', 'user_id', colocate_with => 'none');
SELECT create_distributed_table('activityfeed.activity', 'user_id', colocate_with => 'activityfeed.feed');
SELECT create_distributed_table('activityfeed.history_item', 'user_id', colocate_with => 'activityfeed.feed');
SELECT create_distributed_table('activityfeed.external_activity', 'item_id', colocate_with => 'none');

-- A call of a function with the user, or the item, among its arguments is made
-- where that one's rows are.
SELECT create_distributed_function(p.oid::regprocedure, place.argument, colocate_with => place.relation)
FROM pg_proc p
	JOIN (VALUES ('user_id', 'user_id', 'activityfeed.feed'),
			('connection_id', 'item_id', 'activityfeed.external_activity')) AS place (first, argument, relation)
		ON place.first = p.proargnames[1]
WHERE p.pronamespace = 'activityfeed'::regnamespace AND p.prokind = 'f'
	AND p.proname <> 'invalidate_cursors'
ORDER BY p.oid;

RESET search_path;
RESET client_min_messages;

-- Every side runs as role bench, which is no superuser.  Last, when all
-- schemas are there.
DO $$
DECLARE
	name text;
BEGIN
	IF to_regprocedure('activityfeed.grant_service(regrole)') IS NOT NULL THEN
		EXECUTE 'SELECT activityfeed.grant_service(''bench'')';
	ELSE
		GRANT USAGE ON SCHEMA activityfeed TO bench;
		GRANT EXECUTE ON ALL ROUTINES IN SCHEMA activityfeed TO bench;
		GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA activityfeed TO bench;
	END IF;
	FOR name IN SELECT nspname FROM pg_namespace WHERE nspname IN ('bench', 'floor', 'numbered', 'peer', 'own') LOOP
		EXECUTE format('GRANT USAGE ON SCHEMA %I TO bench', name);
		EXECUTE format('GRANT EXECUTE ON ALL ROUTINES IN SCHEMA %I TO bench', name);
		EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO bench', name);
		EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA %I TO bench', name);
	END LOOP;
END
$$;

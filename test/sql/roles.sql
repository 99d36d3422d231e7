-- Services and sessions: what grant_service, grant_session and revoke_access do
\getenv inputdir PG_ABS_SRCDIR
\set prelude :inputdir '/include/prelude.sql'
\i :prelude
CREATE ROLE regress_feed_service;
CREATE ROLE regress_feed_session;
CREATE ROLE regress_feed_other;
SELECT grant_service('regress_feed_service');
SELECT grant_session('regress_feed_session');
-- who may call what: every function of the schema is here
SELECT CASE WHEN session AND service THEN 'service, session' WHEN service THEN 'service' WHEN NOT session THEN 'administrator' END AS may_call,
	string_agg(function, E'\n' ORDER BY function COLLATE "C") AS functions
FROM (SELECT p.oid::regprocedure::text AS function,
		has_function_privilege('regress_feed_service', p.oid, 'EXECUTE') AS service,
		has_function_privilege('regress_feed_session', p.oid, 'EXECUTE') AS session
	FROM pg_proc p WHERE pronamespace = 'activityfeed'::regnamespace) f
GROUP BY 1 ORDER BY 1;
-- and do what to which relation
SELECT c.relname, role, string_agg(privilege, ', ' ORDER BY privilege) FILTER (WHERE granted) AS may
FROM pg_class c, unnest('{regress_feed_service,regress_feed_session,regress_feed_other}'::name[]) role,
	unnest(CASE relkind WHEN 'S' THEN '{SELECT,USAGE,UPDATE}' ELSE '{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}' END::text[]) privilege,
	LATERAL (SELECT CASE relkind WHEN 'S' THEN has_sequence_privilege(role, c.oid, privilege) ELSE has_table_privilege(role, c.oid, privilege) END AS granted) g
WHERE relnamespace = 'activityfeed'::regnamespace AND relkind IN ('r', 'v', 'S')
GROUP BY 1, 2 HAVING bool_or(granted) ORDER BY 1, 2;
-- columns that it may update of tables that it may not update as a whole
SELECT c.relname, role, string_agg(attname, ', ' ORDER BY attnum) AS may_update
FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid AND attnum > 0, unnest('{regress_feed_service,regress_feed_session}'::name[]) role
WHERE relnamespace = 'activityfeed'::regnamespace AND relkind IN ('r', 'v') AND NOT has_table_privilege(role, c.oid, 'UPDATE')
	AND has_column_privilege(role, c.oid, attnum, 'UPDATE')
GROUP BY 1, 2 ORDER BY 1, 2;
-- the schema, the settings, types
SELECT role, has_schema_privilege(role, 'activityfeed', 'USAGE') AS usage, has_schema_privilege(role, 'activityfeed', 'CREATE') AS creates,
	has_parameter_privilege(role, 'activityfeed.user_id', 'SET') AS user_id, has_parameter_privilege(role, 'activityfeed.app_id', 'SET') AS app_id,
	has_parameter_privilege(role, 'activityfeed.user_id', 'ALTER SYSTEM') AS alters,
	(SELECT count(*) FROM pg_type t WHERE typnamespace = 'activityfeed'::regnamespace AND typelem = 0 AND has_type_privilege(role, t.oid, 'USAGE')) AS row_types
FROM unnest('{regress_feed_service,regress_feed_session,regress_feed_other}'::name[]) role;
-- nothing is granted with the right to grant it on
CREATE FUNCTION pg_temp.grants(role text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT format('%s %s %s %s', object, a.privilege_type, CASE WHEN a.is_grantable THEN 'grantable' END, a.grantor::regrole)
	FROM (SELECT oid::regclass::text AS object, relacl AS acl FROM pg_class
		UNION ALL SELECT attrelid::regclass || '.' || attname, attacl FROM pg_attribute
		UNION ALL SELECT oid::regprocedure::text, proacl FROM pg_proc
		UNION ALL SELECT nspname, nspacl FROM pg_namespace
		UNION ALL SELECT typname, typacl FROM pg_type
		UNION ALL SELECT parname, paracl FROM pg_parameter_acl) o, aclexplode(o.acl) a
	WHERE a.grantee = role::regrole
$$;
SELECT count(*) FILTER (WHERE g LIKE '%grantable%') AS grantable, count(*) > 50 AS some
FROM (SELECT pg_temp.grants('regress_feed_service') UNION ALL SELECT pg_temp.grants('regress_feed_session')) t (g);
-- a second call changes nothing, and from one kind to the other nothing is left
CREATE TEMP TABLE granted AS
SELECT (SELECT md5(string_agg(g, ',' ORDER BY g)) FROM pg_temp.grants('regress_feed_service') g) AS service,
	(SELECT md5(string_agg(g, ',' ORDER BY g)) FROM pg_temp.grants('regress_feed_session') g) AS session;
CREATE FUNCTION pg_temp.kind(role text) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce((SELECT CASE md5(string_agg(g, ',' ORDER BY g)) WHEN granted.service THEN 'service' WHEN granted.session THEN 'session' END
		FROM pg_temp.grants(role) g), 'neither') FROM granted
$$;
DO $$
DECLARE
	step text;
	kinds text := '';
BEGIN
	FOREACH step IN ARRAY '{service,service,session,session,service,session}'::text[] LOOP
		EXECUTE format('SELECT activityfeed.grant_%s(%L)', step, 'regress_feed_other');
		kinds := kinds || ' ' || step || '=' || pg_temp.kind('regress_feed_other');
	END LOOP;
	RAISE WARNING '%', kinds;
END
$$;
-- revoke_access leaves nothing, neither rights nor what would hinder DROP ROLE
GRANT EXECUTE ON FUNCTION purge_expired TO regress_feed_other;
GRANT SELECT (item_id) ON external_activity TO regress_feed_other;
GRANT USAGE ON SEQUENCE external_activity_id_seq TO regress_feed_other;
GRANT ALTER SYSTEM ON PARAMETER activityfeed.app_id TO regress_feed_other;
GRANT CREATE ON SCHEMA activityfeed TO regress_feed_other;
SELECT revoke_access('regress_feed_other');
SELECT pg_temp.kind('regress_feed_other'), count(*) AS traces FROM pg_shdepend WHERE refobjid = 'regress_feed_other'::regrole;
SELECT revoke_access('regress_feed_other');
SELECT grant_service('regress_feed_other');
SELECT revoke_access('regress_feed_other');
SELECT count(*) AS traces FROM pg_shdepend WHERE refobjid = 'regress_feed_other'::regrole;
DROP ROLE regress_feed_other;
-- what a service is: a role that may set both settings, by itself or as a member
CREATE ROLE regress_feed_member IN ROLE regress_feed_service;
CREATE ROLE regress_feed_half;
GRANT USAGE ON SCHEMA activityfeed TO regress_feed_half;
GRANT EXECUTE ON FUNCTION is_service TO regress_feed_half;
GRANT SET ON PARAMETER activityfeed.user_id TO regress_feed_half;
SET ROLE regress_feed_service;
SELECT activityfeed.is_service();
SET ROLE regress_feed_member;
SELECT activityfeed.is_service();
SET ROLE regress_feed_session;
SELECT activityfeed.is_service();
SET ROLE regress_feed_half;
SELECT activityfeed.is_service();
RESET ROLE;
REVOKE SET ON PARAMETER activityfeed.user_id FROM regress_feed_half;
GRANT SET ON PARAMETER activityfeed.app_id TO regress_feed_half;
SET ROLE regress_feed_half;
SELECT activityfeed.is_service();
RESET ROLE;
SELECT activityfeed.is_service();
-- neither kind may make others, or take their rights
SET ROLE regress_feed_service;
SELECT activityfeed.grant_service('regress_feed_service');
SELECT activityfeed.grant_session('regress_feed_session');
SELECT activityfeed.revoke_access('regress_feed_session');
SET ROLE regress_feed_session;
SELECT activityfeed.grant_service('regress_feed_session');
SELECT activityfeed.grant_session('regress_feed_session');
SELECT activityfeed.revoke_access('regress_feed_service');
RESET ROLE;
-- a role that could reach more all the same cannot be a session, and keeps what it had
CREATE ROLE regress_feed_super SUPERUSER;
CREATE ROLE regress_feed_bypass BYPASSRLS;
CREATE ROLE regress_feed_replication REPLICATION;
CREATE ROLE regress_feed_maker CREATEROLE;
CREATE ROLE regress_feed_noinherit NOINHERIT IN ROLE regress_feed_service;
CREATE ROLE regress_feed_distant NOINHERIT IN ROLE regress_feed_noinherit;
CREATE ROLE regress_feed_under_bypass IN ROLE regress_feed_bypass;
CREATE ROLE regress_feed_reader IN ROLE pg_read_all_data;
CREATE ROLE regress_feed_writer IN ROLE pg_write_all_data;
SELECT role, pg_temp.attempt(format('SELECT activityfeed.grant_session(%L)', role)) AS refused
FROM unnest('{regress_feed_super,regress_feed_bypass,regress_feed_replication,regress_feed_maker,regress_feed_member,regress_feed_noinherit,regress_feed_distant,
	regress_feed_under_bypass,regress_feed_reader,regress_feed_writer}'::text[]) role;
-- one that has a part of a service's rights loses it
SELECT grant_session('regress_feed_half');
SELECT pg_temp.kind('regress_feed_half');
-- sessions may be members of each other
CREATE ROLE regress_feed_sub IN ROLE regress_feed_session;
SELECT grant_session('regress_feed_sub');
SELECT pg_temp.kind('regress_feed_sub');
-- a superuser can be called a service, and is one anyway
SELECT grant_service('regress_feed_super');
SELECT pg_temp.kind('regress_feed_super');
-- rights that everybody has count, too
GRANT SELECT ON external_activity TO PUBLIC;
SELECT pg_temp.attempt('SELECT activityfeed.grant_session(''regress_feed_session'')');
REVOKE SELECT ON external_activity FROM PUBLIC;
SELECT pg_temp.kind('regress_feed_session');
-- names that have to be quoted, no name, a name of nobody
CREATE ROLE "regress feed ""; DROP TABLE activityfeed.feed; --";
CREATE ROLE "current_user";
CREATE ROLE "Session";
SELECT grant_session('"regress feed ""; DROP TABLE activityfeed.feed; --"');
SELECT pg_temp.kind('"regress feed ""; DROP TABLE activityfeed.feed; --"');
SELECT grant_session('"current_user"');
SELECT pg_temp.kind('"current_user"');
SELECT grant_service('"Session"');
SELECT pg_temp.kind('"Session"');
SELECT revoke_access(r::regrole) FROM unnest(ARRAY['"regress feed ""; DROP TABLE activityfeed.feed; --"', '"current_user"', '"Session"']) r;
DROP ROLE "regress feed ""; DROP TABLE activityfeed.feed; --", "current_user", "Session";
SELECT grant_session(NULL) IS NULL AS session, grant_service(NULL) IS NULL AS service, revoke_access(NULL) IS NULL AS revoked;
SELECT function, pg_temp.attempt(format('SELECT activityfeed.%s(%s)', function, argument))
FROM unnest('{grant_session,grant_service,revoke_access}'::text[]) function,
	unnest(ARRAY['''regress_nobody''', '''public''', '''-''', '4294967294::oid::regrole']) argument;
-- an owner who is no superuser makes sessions; for services somebody who may grant the settings has to let him
CREATE ROLE regress_feed_owner;
CREATE ROLE regress_feed_owner_member IN ROLE regress_feed_owner;
BEGIN;
DO $$
DECLARE
	c text;
BEGIN
	FOR c IN
		SELECT format('ALTER %s %s OWNER TO regress_feed_owner', CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, oid::regclass)
		FROM pg_class WHERE relnamespace = 'activityfeed'::regnamespace AND relkind IN ('r', 'v')
		UNION ALL SELECT format('ALTER ROUTINE %s OWNER TO regress_feed_owner', oid::regprocedure)
		FROM pg_proc WHERE pronamespace = 'activityfeed'::regnamespace
		UNION ALL SELECT 'ALTER SCHEMA activityfeed OWNER TO regress_feed_owner'
	LOOP
		EXECUTE c;
	END LOOP;
END
$$;
CREATE ROLE regress_feed_fresh;
SET LOCAL ROLE regress_feed_owner;
SELECT grant_session('regress_feed_fresh');
SELECT count(*) > 40 AS granted FROM pg_temp.grants('regress_feed_fresh');
SELECT pg_temp.attempt('SELECT activityfeed.grant_service(''regress_feed_fresh'')');
SELECT revoke_access('regress_feed_fresh');
SELECT count(*) AS granted FROM pg_temp.grants('regress_feed_fresh');
SELECT pg_temp.attempt('SELECT activityfeed.grant_session(''regress_feed_owner'')');
SELECT pg_temp.attempt('SELECT activityfeed.grant_session(''regress_feed_owner_member'')');
RESET ROLE;
GRANT SET ON PARAMETER activityfeed.user_id, activityfeed.app_id TO regress_feed_owner WITH GRANT OPTION;
SET LOCAL ROLE regress_feed_owner;
SELECT grant_service('regress_feed_fresh');
SELECT has_parameter_privilege('regress_feed_fresh', 'activityfeed.user_id', 'SET');
SELECT revoke_access('regress_feed_fresh');
SELECT count(*) AS granted FROM pg_temp.grants('regress_feed_fresh');
ROLLBACK;
SELECT revoke_access(r::regrole) FROM unnest('{regress_feed_service,regress_feed_session,regress_feed_half,regress_feed_sub,regress_feed_super}'::text[]) r;
DROP ROLE regress_feed_service, regress_feed_session, regress_feed_half, regress_feed_sub, regress_feed_super, regress_feed_member,
	regress_feed_bypass, regress_feed_replication, regress_feed_maker, regress_feed_noinherit, regress_feed_distant, regress_feed_under_bypass, regress_feed_reader,
	regress_feed_writer, regress_feed_owner_member, regress_feed_owner;
SELECT count(*) AS roles_left FROM pg_roles WHERE rolname LIKE 'regress%';

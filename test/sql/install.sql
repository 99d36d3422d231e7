-- What CREATE EXTENSION makes: every object, commented, marked, and nobody's
\getenv inputdir PG_ABS_SRCDIR
\set prelude :inputdir '/include/prelude.sql'
\i :prelude
-- members of the extension; from 17 on, arrays and tables' row types count too
SELECT pg_describe_object(classid, objid, objsubid) AS object
FROM pg_depend LEFT JOIN pg_type t ON classid = 'pg_type'::regclass AND t.oid = objid LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
	AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'activityfeed')
	AND coalesce(t.typcategory, 'X') <> 'A' AND coalesce(c.relkind, 'c') = 'c'
ORDER BY pg_describe_object(classid, objid, objsubid) COLLATE "C";
-- columns, in the order of the design
SELECT attrelid::regclass AS relation, string_agg(attname || ' ' || format_type(atttypid, atttypmod)
		|| CASE WHEN attnotnull THEN ' not null' ELSE '' END
		|| CASE WHEN attgenerated <> '' THEN ' generated' ELSE '' END
		|| CASE WHEN attidentity <> '' THEN ' identity' ELSE '' END
		|| CASE WHEN attcollation = '"C"'::regcollation THEN ' "C"' ELSE '' END, E'\n' ORDER BY attnum) AS columns
FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped
	AND attrelid = ANY ('{feed,activity,history_item,external_activity,external_activity_result,graph_response}'::regclass[])
GROUP BY attrelid ORDER BY attrelid::regclass::text COLLATE "C";
SELECT relname, reloptions FROM pg_class WHERE oid = ANY ('{feed,activity,history_item}'::regclass[]) ORDER BY relname;
SELECT indexrelid::regclass AS index, pg_get_indexdef(indexrelid) AS definition
FROM pg_index WHERE indrelid = ANY ('{feed,activity,history_item,external_activity}'::regclass[]) ORDER BY indexrelid::regclass::text COLLATE "C";
-- lz4 where the server has it
SELECT count(*) = 2 OR NOT EXISTS (SELECT FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)) AS lz4
FROM pg_attribute WHERE attrelid = 'activity'::regclass AND attcompression = 'l';
-- what is without a comment: nothing
SELECT pg_describe_object(d.classid, d.objid, 0) AS "object without a comment"
FROM pg_depend d
WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
	AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'activityfeed')
	AND d.classid NOT IN ('pg_type'::regclass) AND obj_description(objid, classid::regclass::name) IS NULL;
SELECT typname AS "type without a comment" FROM pg_type
WHERE typnamespace = 'activityfeed'::regnamespace AND typtype = 'e' AND obj_description(oid, 'pg_type') IS NULL;
SELECT attrelid::regclass, attname AS "column without a comment" FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
WHERE relnamespace = 'activityfeed'::regnamespace AND relkind IN ('r', 'v', 'c') AND attnum > 0
	AND col_description(attrelid, attnum) IS NULL;
SELECT conname AS "constraint without a comment" FROM pg_constraint
WHERE connamespace = 'activityfeed'::regnamespace AND contype IN ('c', 'f', 'p', 'u') AND obj_description(oid, 'pg_constraint') IS NULL;
SELECT i.relname AS "index without a comment" FROM pg_class i
WHERE relnamespace = 'activityfeed'::regnamespace AND relkind = 'i' AND obj_description(oid, 'pg_class') IS NULL
	AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.oid);
-- volatility (i, s, v), strictness and parallel safety (s, r, u)
SELECT proname, pg_get_function_arguments(oid) AS arguments, pg_get_function_result(oid) AS result, provolatile, proisstrict, proparallel
FROM pg_proc WHERE pronamespace = 'activityfeed'::regnamespace ORDER BY proname COLLATE "C", pg_get_function_arguments(oid) COLLATE "C";
-- nothing is granted to PUBLIC
SELECT 'function' AS kind, oid::regprocedure::text AS granted FROM pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner)))
WHERE pronamespace = 'activityfeed'::regnamespace AND grantee = 0
UNION ALL
SELECT 'relation', c.oid::regclass::text FROM pg_class c, aclexplode(c.relacl)
WHERE relnamespace = 'activityfeed'::regnamespace AND grantee = 0
UNION ALL
SELECT 'type', t.oid::regtype::text FROM pg_type t, aclexplode(coalesce(t.typacl, acldefault('T', typowner)))
WHERE typnamespace = 'activityfeed'::regnamespace AND grantee = 0 AND typelem = 0
	AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = typrelid AND relkind <> 'c')
UNION ALL
SELECT 'schema', nspname FROM pg_namespace, aclexplode(nspacl) WHERE nspname = 'activityfeed' AND grantee = 0;
-- row security, commented
SELECT tablename, policyname, permissive, cmd, qual, with_check, obj_description(p.oid, 'pg_policy') IS NOT NULL AS commented
FROM pg_policies JOIN pg_policy p ON polname = policyname WHERE schemaname = 'activityfeed' ORDER BY 1, 2;
SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class WHERE relnamespace = 'activityfeed'::regnamespace AND relkind = 'r' ORDER BY relname;
-- what pg_dump is to take along
SELECT c::regclass FROM pg_extension, unnest(extconfig) c WHERE extname = 'activityfeed' ORDER BY c::regclass::text COLLATE "C";
-- replication identifies rows by primary keys
SELECT relname, relreplident FROM pg_class WHERE relnamespace = 'activityfeed'::regnamespace AND relkind = 'r' ORDER BY relname;
-- the extension is bound to its schema, and leaves nothing of its own behind
SELECT extrelocatable, extnamespace::regnamespace FROM pg_extension WHERE extname = 'activityfeed';
DROP VIEW pg_temp.broken_invariant;
DROP EXTENSION activityfeed;
-- default privileges of the installing role give nothing to PUBLIC either
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;
CREATE EXTENSION activityfeed;
SELECT relname FROM pg_class, aclexplode(relacl) WHERE relnamespace = 'activityfeed'::regnamespace AND grantee = 0;
ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM PUBLIC;
DROP EXTENSION activityfeed;
SELECT to_regnamespace('activityfeed') IS NULL AS schema_is_gone;
CREATE EXTENSION activityfeed;
SELECT id IS NOT NULL AS works_again FROM upsert_activity('install', 'app', pg_temp.doc());

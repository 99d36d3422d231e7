-- All that the catalogs say of the extension's objects, without OIDs and in an
-- order of its own: two installations are the same if these lines are.
-- Included by psql; prints nothing else.
SET search_path = pg_catalog;

-- What an object is called, without the OIDs that names of the server's own
-- making have.
CREATE FUNCTION pg_temp.plain(name text) RETURNS text LANGUAGE sql AS $$
	SELECT regexp_replace(name, '((pg_toast|Trigger_[ac])_)\d+', '\1', 'g')
$$;
CREATE FUNCTION pg_temp.name(class oid, object oid, part int) RETURNS text LANGUAGE sql AS $$
	SELECT pg_temp.plain(pg_describe_object(class, object, part))
$$;

-- Its members, what belongs to them, and the schema.
CREATE TEMP TABLE member AS
WITH RECURSIVE extension AS (
	SELECT oid, extnamespace FROM pg_extension WHERE extname = 'activityfeed'),
member (classid, objid) AS (
	SELECT d.classid, d.objid FROM pg_depend d, extension e
	WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
	UNION
	SELECT d.classid, d.objid FROM pg_depend d JOIN member m ON d.refclassid = m.classid AND d.refobjid = m.objid
	WHERE d.deptype IN ('i', 'a') AND d.classid <> 'pg_attrdef'::regclass)
SELECT classid, objid, pg_temp.name(classid, objid, 0) AS name FROM member
UNION SELECT 'pg_namespace'::regclass, oid, 'schema ' || nspname FROM pg_namespace WHERE nspname = 'activityfeed'
UNION SELECT 'pg_extension'::regclass, oid, 'extension' FROM extension;

-- Privileges; none at all stand for those that the kind of object has by default.
CREATE FUNCTION pg_temp.acl(acl aclitem[], kind text, owner oid) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(a::text, ' ' ORDER BY a::text), 'nobody') FROM unnest(coalesce(acl, acldefault(kind::"char", owner))) a
$$;

SELECT regexp_replace(line, E'\\s+', ' ', 'g') FROM (
	SELECT format('%s is there, %s', name, coalesce((SELECT string_agg(concat_ws(' ', d.deptype, pg_temp.name(d.refclassid, d.refobjid, d.refobjsubid)), '; '
			ORDER BY d.deptype, pg_temp.name(d.refclassid, d.refobjid, d.refobjsubid) COLLATE "C") FROM pg_depend d
		WHERE d.classid = m.classid AND d.objid = m.objid), 'for itself')) AS line FROM member m
	UNION ALL
	SELECT format('%s: column %s is %s', name, d.objsubid, d.description) FROM member m
		JOIN pg_description d ON d.classoid = m.classid AND d.objoid = m.objid
	UNION ALL
	-- the privileges that pg_dump compares with, unless they are a table's default
	SELECT format('%s: %s: initially %s', name, p.objsubid, pg_temp.acl(p.initprivs, NULL, NULL)) FROM member m
		JOIN pg_init_privs p ON p.classoid = m.classid AND p.objoid = m.objid
		LEFT JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid
	WHERE p.objsubid <> 0 OR pg_temp.acl(p.initprivs, NULL, NULL) IS DISTINCT FROM
		pg_temp.acl(NULL, CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END, c.relowner)
	UNION ALL
	SELECT format('extension: %s, %s, relocatable %s, owner %s', extnamespace::regnamespace, (SELECT string_agg(format('%s where %s',
			c.config::regclass, quote_literal(extcondition[c.n])), ', ' ORDER BY c.config::regclass::text COLLATE "C")
		FROM unnest(extconfig) WITH ORDINALITY c (config, n)), extrelocatable, extowner::regrole)
	FROM pg_extension WHERE extname = 'activityfeed'
	UNION ALL
	SELECT format('%s: owner %s, acl %s', name, n.nspowner::regrole, pg_temp.acl(n.nspacl, 'n', n.nspowner)) FROM member m
		JOIN pg_namespace n ON m.classid = 'pg_namespace'::regclass AND n.oid = m.objid
	UNION ALL
	SELECT format('%s: %s owner %s, acl %s, %s, row security %s %s, identity %s, persistence %s, access %s', name, c.relkind,
		c.relowner::regrole, pg_temp.acl(c.relacl, CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END, c.relowner), c.reloptions, c.relrowsecurity, c.relforcerowsecurity, c.relreplident, c.relpersistence,
		(SELECT amname FROM pg_am WHERE oid = c.relam)) FROM member m
		JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid
	UNION ALL
	SELECT format('%s: column %s %s %s, collation %s, not null %s, generated %s, identity %s, storage %s, compression %s, statistics %s, default %s, acl %s, %s',
		name, row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum), a.attname, format_type(a.atttypid, a.atttypmod),
		CASE WHEN a.attcollation <> 0 THEN a.attcollation::regcollation END, a.attnotnull, a.attgenerated, a.attidentity, a.attstorage,
		a.attcompression, nullif(a.attstattarget, -1), pg_get_expr(d.adbin, d.adrelid), pg_temp.acl(a.attacl, 'c', 10),
		-- a server may keep a version of its own there
		(SELECT string_agg(o, ' ' ORDER BY o) FROM unnest(a.attoptions) o WHERE o NOT LIKE 'pg\_attver=%')) FROM member m
		JOIN pg_attribute a ON m.classid = 'pg_class'::regclass AND a.attrelid = m.objid AND a.attnum > 0 AND NOT a.attisdropped
		LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
	UNION ALL
	SELECT format('%s: %s, valid %s', name, pg_temp.plain(pg_get_indexdef(i.indexrelid)), i.indisvalid) FROM member m
		JOIN pg_index i ON m.classid = 'pg_class'::regclass AND i.indexrelid = m.objid
	UNION ALL
	SELECT format('%s: %s', name, pg_get_viewdef(objid)) FROM member m
		JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid AND c.relkind = 'v'
	UNION ALL
	SELECT format('%s: %s', name, s) FROM member m JOIN LATERAL (SELECT seqtypid::regtype, seqstart, seqincrement, seqmax, seqmin, seqcache, seqcycle
		FROM pg_sequence WHERE m.classid = 'pg_class'::regclass AND seqrelid = m.objid) s ON true
	UNION ALL
	SELECT format('%s: %s, validated %s', name, pg_get_constraintdef(c.oid), c.convalidated) FROM member m
		JOIN pg_constraint c ON m.classid = 'pg_constraint'::regclass AND c.oid = m.objid
	UNION ALL
	SELECT format('%s: %s, enabled %s', CASE WHEN t.tgisinternal THEN 'trigger of ' || t.tgconstrrelid::regclass ELSE name END,
		pg_temp.plain(pg_get_triggerdef(t.oid)), t.tgenabled) FROM member m
		JOIN pg_trigger t ON m.classid = 'pg_trigger'::regclass AND t.oid = m.objid
	UNION ALL
	SELECT format('%s: %s for %s to %s using %s with check %s, permissive %s', name, p.polcmd, p.polrelid::regclass,
		(SELECT string_agg(r::regrole::text, ',' ORDER BY r::regrole::text) FROM unnest(p.polroles) r), pg_get_expr(p.polqual, p.polrelid),
		pg_get_expr(p.polwithcheck, p.polrelid), p.polpermissive)
	FROM pg_policy p JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = p.polrelid
	UNION ALL
	SELECT format('%s: %s owner %s, acl %s, support %s, cost %s, rows %s', name, CASE WHEN p.prokind IN ('f', 'p') THEN pg_get_functiondef(p.oid) END,
		p.proowner::regrole, pg_temp.acl(p.proacl, 'f', p.proowner), p.prosupport, p.procost, p.prorows) FROM member m
		JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
	UNION ALL
	SELECT format('%s: %s %s owner %s, acl %s, labels %s', name, t.typtype, t.typcategory, t.typowner::regrole, pg_temp.acl(t.typacl, 'T', t.typowner),
		(SELECT string_agg(enumlabel, ', ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid)) FROM member m
		JOIN pg_type t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid
	UNION ALL
	SELECT format('%s: %s, %s, by %s', name, c.castcontext, c.castmethod, c.castfunc::regprocedure) FROM member m
		JOIN pg_cast c ON m.classid = 'pg_cast'::regclass AND c.oid = m.objid
	UNION ALL
	SELECT format('%s: %s %s', name, o.oprcode, o.oprcom::regoperator) FROM member m
		JOIN pg_operator o ON m.classid = 'pg_operator'::regclass AND o.oid = m.objid) lines
ORDER BY line COLLATE "C";

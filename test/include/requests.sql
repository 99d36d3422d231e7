\set ECHO none
-- A table of requests with what each must be answered, and how they are run.
-- Included by the tests of graph_request, after prelude.sql.

CREATE TEMP TABLE request (
	n int GENERATED ALWAYS AS IDENTITY,
	topic text NOT NULL DEFAULT current_setting('test.topic', true),
	principal text NOT NULL DEFAULT current_setting('test.principal'),
	is_strict boolean NOT NULL DEFAULT true,
	method text NOT NULL,
	target text NOT NULL,	-- {id:KEY} is the id of KEY, {next} the last nextLink
	body text,
	status int NOT NULL,
	answer jsonb,			-- see matches(); NULL: nothing is asked of the body
	location text,			-- of an answer that is 200 or 201 to the PUT of an activity
	PRIMARY KEY (n));

CREATE FUNCTION pg_temp.fill(pattern text, next text DEFAULT '') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	key text;
BEGIN
	FOR key IN SELECT m[1] FROM regexp_matches(pattern, '\{id:([^}]*)\}', 'g') m LOOP
		pattern := replace(pattern, '{id:' || key || '}', activityfeed.activity_id('app', key)::text);
	END LOOP;
	RETURN replace(pattern, '{next}', coalesce(next, ''));
END
$$;

-- Whether a document is as expected: an object has the members that are named
-- ("<absent>" is a member that must not be there), an array exactly the
-- elements, in order. A string may be "<any>", "<time>", "<guid>", "<sentence>"
-- (something that ends with a full stop) or a LIKE pattern after "~".
CREATE FUNCTION pg_temp.matches(actual jsonb, expected jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	value text := actual #>> '{}';
	pattern text := expected #>> '{}';
BEGIN
	IF pattern = '<absent>' THEN
		RETURN actual IS NULL;
	ELSIF actual IS NULL THEN
		RETURN false;
	ELSIF jsonb_typeof(expected) = 'object' THEN
		RETURN jsonb_typeof(actual) = 'object' AND NOT EXISTS (
			SELECT FROM jsonb_each(expected) e WHERE pg_temp.matches(actual -> e.key, e.value) IS NOT TRUE);
	ELSIF jsonb_typeof(expected) = 'array' THEN
		RETURN jsonb_typeof(actual) = 'array' AND jsonb_array_length(actual) = jsonb_array_length(expected) AND NOT EXISTS (
			SELECT FROM jsonb_array_elements(expected) WITH ORDINALITY e (element, n)
			WHERE pg_temp.matches(actual -> (n - 1)::int, element) IS NOT TRUE);
	ELSIF jsonb_typeof(expected) = 'string' AND jsonb_typeof(actual) = 'string' THEN
		RETURN CASE
			WHEN pattern = '<any>' THEN true
			WHEN pattern = '<time>' THEN value ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$'
			WHEN pattern = '<guid>' THEN value ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
			WHEN pattern = '<sentence>' THEN value ~ '^[A-Z].*\.$'
			WHEN pattern LIKE '~%' THEN value LIKE substr(pattern, 2)
			ELSE value = pattern END;
	END IF;
	RETURN actual = expected;
END
$$;

-- Sends the requests in order and reports those that are answered otherwise.
CREATE FUNCTION pg_temp.run_requests() RETURNS TABLE (n int, request text, status int, location text, body text)
LANGUAGE plpgsql AS $$
DECLARE
	r record;
	a activityfeed.graph_response;
	target text;
	next text;
	good boolean;
BEGIN
	FOR r IN SELECT * FROM request q ORDER BY q.n LOOP
		PERFORM set_config('activityfeed.strict', r.is_strict::text, false);
		target := pg_temp.fill(r.target, next);
		BEGIN
			a := activityfeed.graph_request(r.principal, 'app', r.method, target, r.body);
		EXCEPTION WHEN OTHERS THEN
			a := (-1, NULL, to_json('raised ' || SQLSTATE || ' ' || SQLERRM));
		END;
		good := a.status = r.status
			AND a.location IS NOT DISTINCT FROM pg_temp.fill(r.location)
			AND (a.status = 204) = (a.body IS NULL)
			AND (a.status >= 400) = (coalesce(a.body::jsonb ? 'error', false))
			AND (a.status < 400 OR pg_temp.matches(a.body::jsonb, '{"error": {"code": "<any>", "message": "<sentence>"}}'))
			AND (r.answer IS NULL OR pg_temp.matches(a.body::jsonb, pg_temp.fill(r.answer::text)::jsonb));
		next := a.body::jsonb ->> '@odata.nextLink';
		IF good IS NOT TRUE THEN
			RETURN QUERY SELECT r.n, concat_ws(' ', r.topic || ':', r.method, target), a.status, a.location, left(a.body::text, 400);
		END IF;
	END LOOP;
	PERFORM set_config('activityfeed.strict', 'on', false);
END
$$;
\set ECHO all

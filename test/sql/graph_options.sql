-- The HTTP surface: query options, pages, links
\getenv inputdir PG_ABS_SRCDIR
\set prelude :inputdir '/include/prelude.sql'
\i :prelude
\set requests :inputdir '/include/requests.sql'
\i :requests
SELECT set_config('test.principal', 'options', false) AS principal;
-- a1 to a7, from one moment to the next; a3 has three sessions, a5 one; a6 is
-- hidden, a7 deleted, a8 has expired
SELECT count(upsert_activity('options', 'app', pg_temp.doc(jsonb_build_object('appActivityId', 'a' || n)))) FROM generate_series(1, 8) n;
SELECT count(upsert_history_item('options', 'app', activity_id('app', a), pg_temp.guid(n), pg_temp.item())) FROM (VALUES ('a5', 1), ('a3', 2), ('a3', 3), ('a3', 4), ('a6', 5), ('a8', 6)) x (a, n);
SELECT ignore_activity('options', 'app', activity_id('app', 'a6')), delete_activity('options', 'app', activity_id('app', 'a7'));
UPDATE activity SET last_modified_date_time = '2018-02-26T18:06:19.365Z'::timestamptz + (right(app_activity_id, 1)::int - 3) * interval '1 millisecond' + interval '0.000457' WHERE user_id = 'options';
UPDATE activity SET expiration_date_time = now() - interval '1 second' WHERE user_id = 'options' AND app_activity_id = 'a8';
UPDATE history_item SET last_modified_date_time = '2018-02-26T18:06:19.360Z'::timestamptz + right(id::text, 1)::int * interval '1 millisecond' + interval '0.000999' WHERE user_id = 'options';

-- a request for a list, and the appActivityIds (or the last digits of the
-- GUIDs) that come
CREATE FUNCTION pg_temp.listed(target text, tail jsonb DEFAULT '{"@odata.nextLink": "<absent>"}', VARIADIC names text[] DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('value', coalesce(jsonb_agg(CASE WHEN target LIKE '%historyItems' THEN jsonb_build_object('id', pg_temp.guid(name::int))
		ELSE jsonb_build_object('appActivityId', name, 'id', '{id:' || name || '}', '@odata.type', '#microsoft.graph.userActivity', 'status', 'updated') END ORDER BY n), '[]')) || tail
	FROM unnest(names) WITH ORDINALITY x (name, n)
$$;
CREATE FUNCTION pg_temp.want(target text, options text, VARIADIC names text[]) RETURNS void LANGUAGE sql AS $$
	INSERT INTO request (method, target, status, answer) VALUES ('GET', target || options, 200, pg_temp.listed(target, '{"@odata.nextLink": "<absent>"}', VARIADIC names))
$$;
CREATE FUNCTION pg_temp.want_next(target text, options text, link text, VARIADIC names text[]) RETURNS void LANGUAGE sql AS $$
	INSERT INTO request (method, target, status, answer) VALUES ('GET', target || options, 200, pg_temp.listed(target, jsonb_build_object('@odata.nextLink', link), VARIADIC names))
$$;

--
-- Lists: the order, what is not there, the four spellings of recent
--
SET test.topic = 'lists';
SELECT count(pg_temp.want(root || '/me/activities' || slash, '', 'a5', 'a4', 'a3', 'a2', 'a1')) FROM unnest(ARRAY['', '/v1.0', '/beta', 'https://graph.microsoft.com/v1.0']) root, unnest(ARRAY['', '/']) slash;
SELECT count(pg_temp.want(base || '/activities/' || recent, '', 'a3', 'a5')) FROM unnest(ARRAY['/me', '/users/options', '/users/%6Fptions']) base, unnest(ARRAY['recent', 'recent()', 'microsoft.graph.recent()', 'microsoft.graph.recent', 'recent/', 'recent%28%29']) recent;
SELECT pg_temp.want('/me/activities/' || activity_id('app', 'a3') || '/historyItems', '', '4', '3', '2'), pg_temp.want('/me/activities/' || activity_id('app', 'a1') || '/historyItems', '', VARIADIC '{}');
INSERT INTO request (method, target, status, answer) VALUES
('GET', '/me/activities', 200, '{"@odata.context": "/$metadata#Collection(userActivity)"}'), ('GET', '/v1.0/me/activities/recent', 200, '{"@odata.context": "/$metadata#Collection(userActivity)"}'),
('GET', 'https://host:443/v1.0/me/activities', 200, '{"@odata.context": "https://host:443/v1.0/$metadata#Collection(userActivity)"}'), ('GET', 'https://host/me/activities', 200, '{"@odata.context": "https://host/$metadata#Collection(userActivity)"}'),
('GET', '/me/activities/{id:a6}', 200, '{"status": "ignored"}'), ('GET', '/me/activities/{id:a7}', 404, NULL), ('GET', '/me/activities/{id:a8}', 404, NULL), ('GET', '/me/activities/{id:a8}/historyItems', 404, NULL);

--
-- $filter: on both sides of a millisecond, whatever is finer in the table
--
SET test.topic = 'filter';
SELECT count(pg_temp.want('/me/activities', '?$filter=' || filter, VARIADIC CASE WHEN names = '' THEN '{}' ELSE string_to_array(names, ' ') END)) FROM (VALUES
	('lastModifiedDateTime lt 2018-02-26T18:06:19.365Z', 'a2 a1'), ('lastModifiedDateTime le 2018-02-26T18:06:19.365Z', 'a3 a2 a1'), ('lastModifiedDateTime gt 2018-02-26T18:06:19.365Z', 'a5 a4'), ('lastModifiedDateTime ge 2018-02-26T18:06:19.365Z', 'a5 a4 a3'), ('lastModifiedDateTime eq 2018-02-26T18:06:19.365Z', 'a3'),
	('lastModifiedDateTime eq 2018-02-26T18:06:19.365999Z', 'a3'), ('lastModifiedDateTime le 2018-02-26T18:06:19.365001Z', 'a3 a2 a1'), ('lastModifiedDateTime lt 2018-02-26T18:06:19.365999Z', 'a2 a1'), ('lastModifiedDateTime gt 2018-02-26T18:06:19.365001Z', 'a5 a4'),
	('lastModifiedDateTime%20lt%202018-02-26T18%3A06%3A19.365Z', 'a2 a1'), ('lastModifiedDateTime+lt+2018-02-26T18%3a06%3a19.365Z', 'a2 a1'), ('  lastModifiedDateTime   lt   2018-02-26T18:06:19.365Z  ', 'a2 a1'), ('lastModifiedDateTime%09lt%092018-02-26T18:06:19.365Z', 'a2 a1'),
	('lastModifiedDateTime LT 2018-02-26T18:06:19.365Z', 'a2 a1'), ('lastModifiedDateTime eq 2018-02-26T19:06:19.365+01:00', 'a3'), ('lastModifiedDateTime+eq+2018-02-26T19:06:19.365+01:00', 'a3'), ('lastModifiedDateTime eq 2018-02-26T19:06:19.365%2B01:00', 'a3'), ('lastModifiedDateTime eq 2018-02-26T17:06:19.365-01:00', 'a3'),
	('lastModifiedDateTime gt 2018-02-26T18:06:19.363Z and lastModifiedDateTime lt 2018-02-26T18:06:19.366Z', 'a3 a2'), ('lastModifiedDateTime+gt+2018-02-26T18:06:19.363Z+AND+lastModifiedDateTime+lt+2018-02-26T18:06:19.366Z', 'a3 a2'),
	('lastModifiedDateTime gt 2018-02-26T19:06:19.363+01:00 and lastModifiedDateTime lt 2018-02-26T18:06:19.366Z and lastModifiedDateTime le 2018-02-26T18:06:19.364Z', 'a2'),
	('lastModifiedDateTime gt 2018-02-26T18:06:19.365Z and lastModifiedDateTime lt 2018-02-26T18:06:19.365Z', ''), ('lastModifiedDateTime lt 0001-01-01T00:00:00Z', ''), ('lastModifiedDateTime le 9999-12-31T23:59:59.999Z', 'a5 a4 a3 a2 a1'), ('lastModifiedDateTime ge 1969-12-31T23:59:59.9999Z', 'a5 a4 a3 a2 a1')) x (filter, names);
SELECT pg_temp.want('/me/activities/recent', '?$filter=lastModifiedDateTime gt 2018-02-26T18:06:19.365Z', 'a5'), pg_temp.want('/me/activities', '?%24filter=lastModifiedDateTime gt 2018-02-26T18:06:19.365Z', 'a5', 'a4'),
	pg_temp.want('/me/activities', '?$FILTER=lastModifiedDateTime gt 2018-02-26T18:06:19.365Z&$Top=1', 'a5'), pg_temp.want('/me/activities', '?&$top=5&', 'a5', 'a4', 'a3', 'a2', 'a1');
INSERT INTO request (method, target, status, answer) VALUES ('GET', '/me/activities/{id:a3}/historyItems?$filter=lastModifiedDateTime le 2018-02-26T18:06:19.363Z', 200, jsonb_build_object('value', jsonb_build_array(jsonb_build_object('id', pg_temp.guid(3)), jsonb_build_object('id', pg_temp.guid(2)))));
INSERT INTO request (method, target, status, answer)
SELECT 'GET', '/me/activities?$filter=' || filter, 400, '{"error": {"code": "BadRequest", "target": "$filter", "message": "~Option $filter must%"}}'
FROM unnest(ARRAY['', 'lastModifiedDateTime', 'lastModifiedDateTime lt', 'lastModifiedDateTime lt ', 'lastModifiedDateTime lt 2018-02-26', 'lastModifiedDateTime lt 2018-02-26T18:06:19', 'lastModifiedDateTime lt 2018-02-26T18:06:60Z', 'lastModifiedDateTime lt 2018-02-30T18:06:19Z', 'lastModifiedDateTime lt 2018-02-26T18:06:19.Z',
	'lastModifiedDateTime lt 2018-02-26t18:06:19z', 'lastModifiedDateTime lt ''2018-02-26T18:06:19Z''', 'lastModifiedDateTime lt datetime''2018-02-26T18:06:19Z''', 'lastModifiedDateTime lt null', 'lastModifiedDateTime lt 7', 'lastModifiedDateTime lt now()', 'lastModifiedDateTime ne 2018-02-26T18:06:19Z', 'lastModifiedDateTime < 2018-02-26T18:06:19Z',
	'lastmodifieddatetime lt 2018-02-26T18:06:19Z', 'createdDateTime lt 2018-02-26T18:06:19Z', '2018-02-26T18:06:19Z gt lastModifiedDateTime', 'lastModifiedDateTimelt 2018-02-26T18:06:19Z', 'lastModifiedDateTime lt2018-02-26T18:06:19Z', 'lastModifiedDateTime lt 2018-02-26T18:06:19Zand lastModifiedDateTime gt 2018-02-26T18:06:19Z',
	'lastModifiedDateTime lt 2018-02-26T18:06:19Z and', 'lastModifiedDateTime lt 2018-02-26T18:06:19Z and ', 'and lastModifiedDateTime lt 2018-02-26T18:06:19Z', 'lastModifiedDateTime lt 2018-02-26T18:06:19Z or lastModifiedDateTime gt 2018-02-26T18:06:19Z', 'lastModifiedDateTime lt 2018-02-26T18:06:19Z lastModifiedDateTime gt 2018-02-26T18:06:19Z',
	'(lastModifiedDateTime lt 2018-02-26T18:06:19Z)', 'not lastModifiedDateTime lt 2018-02-26T18:06:19Z', 'lastModifiedDateTime lt 2018-02-26T18:06:19Z;', 'lastModifiedDateTime lt 2018-02-26T18:06:19+24:00', 'lastModifiedDateTime lt 2018-02-26T18:06:19Z)', 'true', '%C3%BC', 'lastModifiedDateTime lt 10000-01-01T00:00:00Z']) filter;

--
-- Options: unknown, not of this list, repeated, bad
--
SET test.topic = 'options';
INSERT INTO request (method, target, status, answer)
SELECT 'GET', list || '?' || option, 400, jsonb_build_object('error', jsonb_build_object('code', 'BadRequest', 'target', coalesce(target, '<absent>')))
FROM unnest(ARRAY['/me/activities', '/me/activities/recent()', '/me/activities/{id:a3}/historyItems']) list,
	(VALUES ('$select=id', '$select'), ('$orderby=lastModifiedDateTime', '$orderby'), ('$count=true', '$count'), ('$skip=1', '$skip'), ('$search=x', '$search'), ('$format=json', '$format'), ('$apply=x', '$apply'), ('top=1', 'top'), ('api-version=1', 'api-version'), ('x', 'x'), ('=', ''), ('12345', '12345'),
	('%C3%BC=1', NULL), (repeat('x', 65), NULL), ('$top=1&$top=1', '$top'), ('$top=1&$TOP=2', '$top'), ('$top=1&%24top=2', '$top'), ('$filter=lastModifiedDateTime lt 2018-02-26T18:06:19Z&$filter=lastModifiedDateTime lt 2018-02-26T18:06:19Z', '$filter'), ('$top=1&$select=id', '$select'),
	('$top', '$top'), ('$top=', '$top'), ('$top=-1', '$top'), ('$top=+1', '$top'), ('$top=1.0', '$top'), ('$top=1e3', '$top'), ('$top=0x1', '$top'), ('$top= 1', '$top'), ('$top=1%20', '$top'), ('$top=ten', '$top'), ('$top=2147483648', '$top'), ('$top=99999999999999999999999', '$top'), ('$top=%D9%A1', '$top'),
	('$skiptoken', '$skiptoken'), ('$skiptoken=', '$skiptoken'), ('$skiptoken=x', '$skiptoken'), ('$skiptoken=%24filter%3dlastModifiedDateTime+lt+2018-02-26T18%3a06%3a19.365Z', '$skiptoken'), ('$skiptoken=a7fffffffffffffffffffffff00000000', '$skiptoken')) x (option, target);
INSERT INTO request (method, target, status, answer)
SELECT 'GET', list || '?$expand=' || expand, 400, '{"error": {"target": "$expand"}}'
FROM unnest(ARRAY['/me/activities', '/me/activities/recent', '/me/activities/{id:a3}']) list,
	unnest(ARRAY['', '*', 'historyitems', 'historyItems,historyItems', 'historyItems()', 'historyItems(', 'historyItems)', 'historyItems($top=1)', 'historyItems($filter=)', 'historyItems($filter=lastModifiedDateTime lt 2018-02-26T18:06:19Z', 'historyItems($filter=lastModifiedDateTime lt 2018-02-26T18:06:19Z;$top=1)', 'historyItems ($filter=lastModifiedDateTime lt 2018-02-26T18:06:19Z)',
	'historyItems($filter=createdDateTime lt 2018-02-26T18:06:19Z)', 'activity', 'historyItems/activity']) expand;
INSERT INTO request (method, target, status, answer) VALUES ('GET', '/me/activities/{id:a3}/historyItems?$expand=activity', 400, NULL), ('GET', '/me/activities?$expand=historyItems&$expand=historyItems', 400, '{"error": {"target": "$expand"}}');

--
-- $expand
--
SET test.topic = 'expand';
INSERT INTO request (method, target, status, answer)
SELECT 'GET', '/me/activities?$expand=historyItems' || nested, 200, jsonb_build_object('value', jsonb_build_array(
	jsonb_build_object('appActivityId', 'a5', 'historyItems', five::jsonb), jsonb_build_object('appActivityId', 'a4', 'historyItems', jsonb_build_array()),
	jsonb_build_object('appActivityId', 'a3', 'historyItems', three::jsonb, 'historyItems@odata.nextLink', '<absent>'), jsonb_build_object('appActivityId', 'a2', 'historyItems', jsonb_build_array()), jsonb_build_object('appActivityId', 'a1', 'historyItems', jsonb_build_array())))
FROM (VALUES ('', '[{"id": "~%1"}]', '[{"id": "~%4"}, {"id": "~%3"}, {"id": "~%2"}]'),
	('($filter=lastModifiedDateTime gt 2018-02-26T18:06:19.362Z)', '[]', '[{"id": "~%4"}, {"id": "~%3"}]'), ('($FILTER=lastModifiedDateTime+gt+2018-02-26T18:06:19.362Z+and+lastModifiedDateTime+lt+2018-02-26T18:06:19.364Z)', '[]', '[{"id": "~%3"}]'),
	('(%24filter%3DlastModifiedDateTime%20le%202018-02-26T18%3A06%3A19.361Z)', '[{"id": "~%1", "status": "active", "userTimezone": null}]', '[]')) x (nested, five, three);
INSERT INTO request (method, target, status, answer) VALUES
('GET', '/me/activities/recent?$expand=historyItems&$top=1', 200, '{"value": [{"appActivityId": "a3", "historyItems": [{"id": "~%4"}, {"id": "~%3"}, {"id": "~%2"}]}], "@odata.nextLink": "<absent>"}'),
('GET', '/me/activities/{id:a3}?$EXPAND=historyItems', 200, '{"@odata.context": "/$metadata#users(''options'')/activities/$entity", "historyItems": [{"id": "~%4"}, {"id": "~%3"}, {"id": "~%2"}]}');
SELECT * FROM pg_temp.run_requests();
SELECT topic, count(*) AS requests, count(*) FILTER (WHERE status < 300) AS good, count(*) FILTER (WHERE status >= 400) AS refused FROM request GROUP BY topic ORDER BY min(n);

--
-- Pages of two: links, and $top as a cap over all of them
--
TRUNCATE request;
SET test.topic = 'pages';
SET activityfeed.page_size = 2;
SELECT pg_temp.want_next('/me/activities', '', '~/me/activities?$skiptoken=a%', 'a5', 'a4'), pg_temp.want_next('', '{next}', '~/me/activities?$skiptoken=a%', 'a3', 'a2'), pg_temp.want('', '{next}', 'a1'),
	pg_temp.want_next('/v1.0/users/opt%69ons/activities/', '?$top=3', '~/users/opt%69ons/activities?$top=3&$skiptoken=a%', 'a5', 'a4'), pg_temp.want('', '{next}', 'a3'),
	pg_temp.want_next('https://host/v1.0/me/activities', '?$top=4', '~https://host/v1.0/me/activities?$top=4&$skiptoken=a%', 'a5', 'a4'), pg_temp.want('', '{next}', 'a3', 'a2'),
	pg_temp.want('/me/activities', '?$top=2', 'a5', 'a4'), pg_temp.want('/me/activities', '?$top=1', 'a5'), pg_temp.want('/me/activities', '?$top=0', VARIADIC '{}'),
	pg_temp.want_next('/me/activities', '?$filter=lastModifiedDateTime lt 2018-02-26T18:06:19.367Z', '~/me/activities?$filter=lastModifiedDateTime%20lt%202018-02-26T18:06:19.367Z&$skiptoken=a%', 'a4', 'a3'), pg_temp.want('', '{next}', 'a2', 'a1'),
	pg_temp.want_next('/me/activities', '?$filter=lastModifiedDateTime+lt+2018-02-26T19:06:19.367%2B01:00', '~/me/activities?$filter=lastModifiedDateTime+lt+2018-02-26T19:06:19.367%2B01:00&$skiptoken=a%', 'a4', 'a3'), pg_temp.want('', '{next}', 'a2', 'a1'),
	pg_temp.want('/me/activities/recent', '', 'a3', 'a5');
INSERT INTO request (method, target, status, answer) VALUES
('GET', '/me/activities?$expand=historyItems&$top=3', 200, '{"value": [{"appActivityId": "a5", "historyItems": [{"id": "~%1"}], "historyItems@odata.nextLink": "<absent>"}, {"appActivityId": "a4", "historyItems": []}], "@odata.nextLink": "~/me/activities?$expand=historyItems&$top=3&$skiptoken=a%"}'),
('GET', '{next}', 200, '{"value": [{"appActivityId": "a3", "historyItems": [{"id": "~%4"}, {"id": "~%3"}], "historyItems@odata.nextLink": "~/me/activities/{id:a3}/historyItems?$skiptoken=h%"}], "@odata.nextLink": "<absent>"}'),
('GET', 'https://host/beta/users/options/activities/{id:a3}?$expand=historyItems($filter=lastModifiedDateTime+lt+2019-02-26T18:06:19%2B01:00)', 200, '{"historyItems": [{"id": "~%4"}, {"id": "~%3"}], "historyItems@odata.nextLink": "~https://host/beta/users/options/activities/{id:a3}/historyItems?$filter=lastModifiedDateTime\\%2Blt\\%2B2019-02-26T18\\%3A06\\%3A19\\%2B01\\%3A00&$skiptoken=h%"}'),
('GET', '/me/activities/{id:a3}/historyItems', 200, '{"value": [{"id": "~%4"}, {"id": "~%3"}], "@odata.nextLink": "~/me/activities/{id:a3}/historyItems?$skiptoken=h%"}'), ('GET', '{next}', 200, '{"value": [{"id": "~%2"}], "@odata.nextLink": "<absent>"}');
SELECT * FROM pg_temp.run_requests();
SELECT count(*) AS requests FROM request;
-- the links inside of an expanded list lead to the rest
SELECT b.status, jsonb_path_query_array(b.body::jsonb, '$.value[*].id') AS rest FROM unnest(ARRAY['', '($filter=lastModifiedDateTime+gt+2018-02-26T19:06:19.361%2B01:00)']) nested,
	graph_request('options', 'app', 'GET', '/me/activities/recent?$expand=historyItems' || nested) a, graph_request('options', 'app', 'GET', a.body #>> '{value,0,historyItems@odata.nextLink}') b;
-- recent, by pages of one
SET activityfeed.page_size = 1;
SELECT a.body #>> '{value,0,appActivityId}' AS first, b.body #>> '{value,0,appActivityId}' AS second, b.body ->> '@odata.nextLink' AS next
FROM graph_request('options', 'app', 'GET', '/me/activities/recent()') a, graph_request('options', 'app', 'GET', a.body ->> '@odata.nextLink') b;
-- a token is good for its list only, and as it is only
SELECT q.target, q.what, a.status, a.body #>> '{error,target}' AS about
FROM (SELECT substring(body ->> '@odata.nextLink' FROM 'skiptoken=(.*)') AS token FROM graph_request('options', 'app', 'GET', '/me/activities/' || activity_id('app', 'a3') || '/historyItems')) h,
	(SELECT substring(body ->> '@odata.nextLink' FROM 'skiptoken=(.*)') AS token FROM graph_request('options', 'app', 'GET', '/me/activities')) l,
	LATERAL (VALUES ('a3''s history', 'its own', '/' || activity_id('app', 'a3') || '/historyItems', h.token), ('a5''s history', 'a3''s', '/' || activity_id('app', 'a5') || '/historyItems', h.token), ('a3''s history', 'the list''s', '/' || activity_id('app', 'a3') || '/historyItems', l.token),
		('the list', 'its own', '', l.token), ('recent', 'the list''s', '/recent', l.token), ('the list', 'renamed', '', 'r' || substr(l.token, 2)), ('recent', 'renamed', '/recent', 'r' || substr(l.token, 2)), ('the list', 'in capitals', '', upper(l.token)), ('the list', 'cut', '', left(l.token, -1)), ('the list', 'longer', '', l.token || '0'),
		('the list', 'another number', '', overlay(l.token PLACING translate(substr(l.token, 17, 1), '0123456789abcdef', '123456789abcdef0') FROM 17)), ('the list', 'another rest', '', overlay(l.token PLACING '0' FROM 25)), ('the list', 'another sum', '', overlay(l.token PLACING translate(right(l.token, 1), '0123456789abcdef', '123456789abcdef0') FROM 33))) q (target, what, path, token),
	graph_request('options', 'app', 'GET', '/me/activities' || q.path || '?$skiptoken=' || q.token) a;
RESET activityfeed.page_size;
-- targets, methods and bodies at random, and good ones with errors: always an
-- answer, and one of those that are documented
CREATE FUNCTION pg_temp.damage(good text, piece text) RETURNS text LANGUAGE sql VOLATILE AS $$
	SELECT overlay(good PLACING CASE WHEN random() < 0.3 THEN '' ELSE piece END FROM 1 + (random() * length(good))::int FOR (random() * 3)::int)
$$;
CREATE FUNCTION pg_temp.any_of(VARIADIC choices text[]) RETURNS text LANGUAGE sql VOLATILE AS $$
	SELECT choices[1 + floor(random() * cardinality(choices))]
$$;
SELECT setseed(0.25) IS NOT NULL AS seeded;
DO $$
DECLARE
	method text;
	target text;
	body text;
	answer activityfeed.graph_response;
BEGIN
	FOR n IN 1 .. 20000 LOOP
		method := pg_temp.any_of('GET', 'GET', 'GET', 'PUT', 'DELETE', 'POST', 'PATCH');
		target := pg_temp.any_of('/me/activities', '/me/activities/x', '/v1.0/users/options/activities/recent()', 'https://host/beta/me/activities', '/me/activities/7/historyItems/' || pg_temp.guid(1), '/me/activities/' || activityfeed.activity_id('app', 'a3') || '/historyItems', '/external/connections/random%C3%BC/items/random/addActivities')
			|| pg_temp.any_of('', '', '?$top=3', '?$filter=lastModifiedDateTime+lt+2018-02-26T18%3a06%3a19.365Z and lastModifiedDateTime ge 2018-02-26T18:06:19+01:00', '?$expand=historyItems($filter=lastModifiedDateTime gt 2018-02-26T18:06:19Z)&$top=2', '?$skiptoken=a7fffffffffffffffffffffff00000000');
		body := pg_temp.any_of(NULL, '', '{"appActivityId": "x", "activitySourceHost": "h", "activationUrl": "a", "visualElements": {"displayText": "\ud83d\ude00"}, "historyItems": [{"startedDateTime": "2018-02-26T18:06:19.365Z"}]}',
			'{"activities": [{"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z", "performedBy": {"type": "user", "id": "\u0041"}}, 1.5e300]}');
		FOR damage IN 1 .. (random() * 3)::int LOOP
			target := pg_temp.damage(target, pg_temp.any_of('%', '%C3', '%00', '/', '//', '?', '&', '=', '$', '(', ')', ' ', '+', 'ü', '#', '''', '"', '\', repeat('9', 30), '.', ':', '%2F', '😀', E'\n', 'Z', 'and'));
			body := pg_temp.damage(body, pg_temp.any_of('{', '}', '[', ']', '"', '\', '\u0000', '\ud800', ',', ':', '1e999999', '-', 'null', E'\x01', 'ü', repeat('[', 70)));
		END LOOP;
		BEGIN
			answer := activityfeed.graph_request('options', 'app', method, target, body);
			IF answer.status IS NULL OR answer.status <> ALL ('{200,201,204,207,400,404,405,413}') OR (answer.body IS NULL) <> (answer.status = 204)
				OR (answer.status >= 400) <> coalesce(answer.body::jsonb ? 'error', false) THEN
				RAISE WARNING '% % %: %', method, target, body, answer;
			END IF;
		EXCEPTION WHEN OTHERS THEN
			RAISE WARNING '% % %: % %', method, target, body, SQLSTATE, SQLERRM;
		END;
	END LOOP;
END
$$;
SELECT count(*) > 0 AS stored FROM activity WHERE user_id = 'options' AND app_activity_id = 'x';

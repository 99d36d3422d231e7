-- The HTTP surface: every row of it, statuses and bodies, strict on and off
\getenv inputdir PG_ABS_SRCDIR
\set prelude :inputdir '/include/prelude.sql'
\i :prelude
\set requests :inputdir '/include/requests.sql'
\i :requests
CREATE FUNCTION pg_temp.data(name text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN pg_read_file(current_setting('test.data') || name);
END
$$;
\set data :inputdir '/data/'
SELECT set_config('test.data', :'data', false) <> '' AS data, set_config('test.principal', 'graph', false) AS principal;
\set doc '{"activitySourceHost": "https://www.example.com", "activationUrl": "example:open", "visualElements": {"displayText": "x"}}'
\set item '{"startedDateTime": "2018-02-26T20:54:04.345Z", "lastActiveDateTime": "2018-02-26T20:54:24.345Z"}'
\set guid '61fc8f36-919f-4b73-89d4-1cb7b159d912'

--
-- The published examples
--
SET test.topic = 'published';
INSERT INTO request (is_strict, method, target, body, status, answer, location) VALUES
(true, 'PUT', '/me/activities/%2Farticle%3F12345', pg_temp.data('put_activity.request.json'), 201,
	'{"@odata.context": "/$metadata#users(''graph'')/activities/$entity", "id": "{id:/article?12345}", "appActivityId": "/article?12345", "status": "updated",
	"activitySourceHost": "https://www.contoso.com", "activationUrl": "https://www.contoso.com/article?id=12345", "contentUrl": "https://www.contoso.com/article?id=12345",
	"fallbackUrl": "https://www.contoso.com/article?id=12345", "appDisplayName": "Contoso, Ltd.", "userTimezone": "Africa/Casablanca",
	"createdDateTime": "<time>", "lastModifiedDateTime": "<time>", "expirationDateTime": "<time>", "historyItems": "<absent>",
	"contentInfo": {"@context": "https://schema.org", "@type": "Article", "author": "Jennifer Booth", "name": "How to Tie a Reef Knot"},
	"visualElements": {"displayText": "Contoso How-To: How to Tie a Reef Knot", "backgroundColor": "#ff0000",
		"attribution": {"iconUrl": "https://www.contoso.com/icon", "alternateText": "Contoso, Ltd.", "addImageQuery": false},
		"content": {"$schema": "https://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "body": [{"type": "TextBlock", "text": "Contoso MainPage"}]}}}',
	'/me/activities/{id:/article?12345}'),
(true, 'PUT', '/me/activities/%2Farticle%3F12345', pg_temp.data('put_activity.request.json'), 200, '{"historyItems": "<absent>"}', '/me/activities/{id:/article?12345}'),
(true, 'PUT', '/me/activities/%2Farticle%3F12345', pg_temp.data('put_activity.response.json'), 200, '{"id": "{id:/article?12345}", "createdDateTime": "~202%"}', '/me/activities/{id:/article?12345}'),
(true, 'PUT', '/me/activities/%2Farticle%3F12345', pg_temp.data('get_activities.response.json')::jsonb #>> '{value,0}', 200, '{"visualElements": {"content": {"type": "AdaptiveCard"}}}', '/me/activities/{id:/article?12345}'),
(true, 'PUT', '/me/activities/uniqueIdInAppContext', pg_temp.data('graph_explorer_sample.request.json'), 201,
	'{"userTimezone": "America/Los Angeles", "historyItems": [{"id": "<guid>", "status": "updated", "activeDurationSeconds": 20, "startedDateTime": "2018-02-26T20:54:04.345Z", "lastActiveDateTime": "2018-02-26T20:54:24.345Z", "userTimezone": "America/Los Angeles"}]}', '/me/activities/{id:uniqueIdInAppContext}'),
(true, 'PUT', '/me/activities/%2Farticle%3F12345', jsonb_set(pg_temp.data('put_activity.request.json')::jsonb, '{historyItems}', pg_temp.data('deep_insert.historyItems.request.json')::jsonb)::text, 200,
	'{"historyItems": [{"id": "<guid>", "activeDurationSeconds": 20, "userTimezone": "Africa/Casablanca", "createdDateTime": "<time>", "lastModifiedDateTime": "<time>", "expirationDateTime": "<time>"}]}', '/me/activities/{id:/article?12345}'),
(true, 'PUT', '/me/activities/{id:/article?12345}/historyItems/9d0b74e4-4b41-43ea-b34d-f9c1bf9f809c', pg_temp.data('put_historyitem.request.json'), 201,
	'{"@odata.context": "/$metadata#users(''graph'')/activities(''{id:/article?12345}'')/historyItems/$entity", "id": "9d0b74e4-4b41-43ea-b34d-f9c1bf9f809c", "status": "updated", "startedDateTime": "2015-02-11T20:54:04.345Z",
	"lastActiveDateTime": "2015-02-11T20:54:04.345Z", "activeDurationSeconds": 0, "userTimezone": "Africa/Casablanca"}', NULL),
(true, 'PUT', '/me/activities/{id:/article?12345}/historyItems/9D0B74E4-4B41-43EA-B34D-F9C1BF9F809C', pg_temp.data('put_historyitem.response.json'), 400, '{"error": {"target": "expirationDateTime"}}', NULL),
(true, 'PUT', '/me/activities/{id:/article?12345}/historyItems/9D0B74E4-4B41-43EA-B34D-F9C1BF9F809C', (pg_temp.data('put_historyitem.response.json')::jsonb - 'expirationDateTime')::text, 200, '{"id": "9d0b74e4-4b41-43ea-b34d-f9c1bf9f809c", "startedDateTime": "2018-02-26T20:54:04.345Z", "createdDateTime": "~202%"}', NULL),
(false, 'PUT', '/me/activities/{id:/article?12345}/historyItems/61fc8f36-919f-4b73-89d4-1cb7b159d912', pg_temp.data('deep_insert.historyItem.response.json'), 400, '{"error": {"target": "expirationDateTime"}}', NULL),
(true, 'PUT', '/me/activities/%2Farticle%3F12345', pg_temp.data('seed001_v10_example1.request.json'), 400, '{"error": {"code": "BadRequest", "target": "activationUrl"}}', NULL),
(false, 'PUT', '/me/activities/%2Farticle%3F54321', pg_temp.data('seed001_v10_example1.request.json'), 200, '{"appActivityId": "/article?12345", "activationUrl": null, "id": "{id:/article?12345}"}', '/me/activities/{id:/article?12345}'),
(false, 'PUT', '/me/activities/x', pg_temp.data('graph_explorer_sample.request.json'), 200, '{"appActivityId": "uniqueIdInAppContext"}', '/me/activities/{id:uniqueIdInAppContext}'),
(false, 'PUT', '/me/activities/%2Farticle%3F12345', pg_temp.data('put_activity.request.json'), 200, NULL, '/me/activities/{id:/article?12345}'),
(true, 'POST', '/external/connections/contosohr/items/TSP228082938/addActivities', pg_temp.data('add_activities.request.json'), 200,
	'{"@odata.context": "/$metadata#Collection(microsoft.graph.externalConnectors.externalActivityResult)", "value": [{"@odata.type": "#microsoft.graph.externalConnectors.externalActivityResult", "type": "created", "startDateTime": "2021-04-06T18:04:31.033Z", "error": null}]}', NULL),
(true, 'POST', '/external/connections/contosohr/items/TSP228082938/microsoft.graph.externalConnectors.addActivities', pg_temp.data('add_activities.batch.json'), 207,
	'{"value": [{"type": "created", "error": null}, {"type": "viewed", "error": null}, {"type": null, "startDateTime": "2021-04-06T18:10:00Z", "error": {"code": "BadRequest", "message": "<sentence>", "target": "type", "details": [], "innerError": null}},
	{"type": "commented", "startDateTime": null, "error": {"target": "startDateTime"}}, {"type": "modified", "startDateTime": "2021-04-07T05:30:15.5Z", "error": null}]}', NULL);

--
-- PUT
--
SET test.topic = 'put';
INSERT INTO request (is_strict, method, target, body, status, answer, location) VALUES
(true, 'PUT', '/me/activities/put', :'doc', 201, '{"appActivityId": "put", "contentInfo": null, "appDisplayName": null, "visualElements": {"content": null, "attribution": null}}', '/me/activities/{id:put}'),
(true, 'put', '/me/activities/put', :'doc', 200, NULL, '/me/activities/{id:put}'),
(true, 'Put', '/me/activities/put/', :'doc', 200, NULL, '/me/activities/{id:put}'),
(true, 'PUT', '/v1.0/me/activities/put', :'doc', 200, '{"@odata.context": "/$metadata#users(''graph'')/activities/$entity"}', '/me/activities/{id:put}'),
(true, 'PUT', '/beta/users/graph/activities/put', :'doc', 200, NULL, '/me/activities/{id:put}'),
(true, 'PUT', '/users/gr%61ph/activities/put', :'doc', 200, NULL, '/me/activities/{id:put}'),
(true, 'PUT', '/users/other/activities/put', :'doc', 404, '{"error": {"code": "ResourceNotFound"}}', NULL),
(true, 'PUT', '/users/Graph/activities/put', :'doc', 404, NULL, NULL),
(true, 'PUT', 'https://graph.microsoft.com/v1.0/me/activities/put', :'doc', 200, '{"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#users(''graph'')/activities/$entity"}', '/me/activities/{id:put}'),
(true, 'PUT', 'HTTP://localhost:8080/me/activities/put', :'doc', 200, '{"@odata.context": "HTTP://localhost:8080/$metadata#users(''graph'')/activities/$entity"}', '/me/activities/{id:put}'),
(true, 'PUT', '/me/activities/recent', :'doc', 201, '{"appActivityId": "recent"}', '/me/activities/{id:recent}'),
(true, 'PUT', '/me/activities/..', :'doc', 201, '{"appActivityId": ".."}', '/me/activities/{id:..}'),
(true, 'PUT', '/me/activities/put', '{"appActivityId": "put", "activitySourceHost": "https://www.example.com", "activationUrl": "x:y", "visualElements": {"displayText": "x"}}', 200, NULL, '/me/activities/{id:put}'),
(true, 'PUT', '/me/activities/put', '{"appActivityId": "", "activitySourceHost": "https://www.example.com", "activationUrl": "x:y", "visualElements": {"displayText": "x"}}', 200, NULL, '/me/activities/{id:put}'),
(true, 'PUT', '/me/activities/put', '{"appActivityId": null, "activitySourceHost": "https://www.example.com", "activationUrl": "x:y", "visualElements": {"displayText": "x"}}', 200, NULL, '/me/activities/{id:put}'),
(true, 'PUT', '/me/activities/put', '{"appActivityId": "other", "activitySourceHost": "https://www.example.com", "activationUrl": "x:y", "visualElements": {"displayText": "x"}}', 400, '{"error": {"code": "BadRequest", "target": "appActivityId"}}', NULL),
(false, 'PUT', '/me/activities/put', '{"appActivityId": "other", "visualElements": {"displayText": "x"}}', 201, '{"appActivityId": "other"}', '/me/activities/{id:other}'),
(false, 'PUT', '/me/activities/bare', '{"visualElements": {"displayText": "x"}, "colour": "red"}', 201, '{"appActivityId": "bare", "activitySourceHost": null}', '/me/activities/{id:bare}'),
(true, 'PUT', '/me/activities/bare', '{"visualElements": {"displayText": "x"}, "colour": "red"}', 400, '{"error": {"code": "RequestBodyRead", "target": "colour"}}', NULL),
(true, 'PUT', '/me/activities/bare', '{"visualElements": {"displayText": "x"}}', 400, '{"error": {"code": "BadRequest", "target": "activitySourceHost"}}', NULL),
(false, 'PUT', '/me/activities/bare', '{"visualElements": {}}', 400, '{"error": {"target": "visualElements.displayText"}}', NULL),
(true, 'PUT', '/me/activities/bare', '{"visualElements": 7}', 400, '{"error": {"code": "RequestBodyRead", "target": "visualElements"}}', NULL),
(true, 'PUT', '/me/activities/bare', '{"visualElements": {"displayText": "\ud800"}}', 400, '{"error": {"code": "BadRequest", "target": "visualElements.displayText"}}', NULL),
(true, 'PUT', '/me/activities/bare', '{"visualElements": {"displayText": "\u0000"}}', 400, '{"error": {"target": "visualElements.displayText"}}', NULL),
(true, 'PUT', '/me/activities/put?$top=1', :'doc', 400, '{"error": {"code": "BadRequest"}}', NULL),
(true, 'PUT', '/me/activities/put?x', :'doc', 400, '{"error": {"target": "x"}}', NULL),
(true, 'PUT', '/me/activities/put?', :'doc', 200, NULL, '/me/activities/{id:put}'),
(true, 'PUT', '/me/activities/' || repeat('k', 2048), :'doc', 201, NULL, '/me/activities/{id:' || repeat('k', 2048) || '}'),
(true, 'PUT', '/me/activities/' || repeat('k', 2049), :'doc', 400, '{"error": {"target": "appActivityId"}}', NULL),
(true, 'PUT', '/me/activities/deep', jsonb_set(:'doc', '{historyItems}', '[{"id": "00000000-0000-4000-8000-000000000001", "startedDateTime": "2018-01-01T00:00:00Z"}, {"id": "00000000-0000-4000-8000-000000000002", "startedDateTime": "2018-01-02T00:00:00Z"}]')::text, 201,
	'{"historyItems": [{"id": "00000000-0000-4000-8000-000000000001", "status": "active", "lastActiveDateTime": null, "activeDurationSeconds": null}, {"id": "00000000-0000-4000-8000-000000000002"}]}', '/me/activities/{id:deep}'),
(true, 'PUT', '/me/activities/deep', jsonb_set(:'doc', '{historyItems}', '[{"id": "00000000-0000-4000-8000-000000000001", "startedDateTime": "2018-01-03T00:00:00Z"}]')::text, 200,
	'{"historyItems": [{"id": "00000000-0000-4000-8000-000000000001", "startedDateTime": "2018-01-03T00:00:00Z"}]}', '/me/activities/{id:deep}'),
(true, 'PUT', '/me/activities/deep', jsonb_set(:'doc', '{historyItems}', 'null')::text, 200, '{"historyItems": "<absent>"}', '/me/activities/{id:deep}'),
(true, 'PUT', '/me/activities/deep', jsonb_set(:'doc', '{historyItems}', '[{"startedDateTime": "2018-01-03T00:00:00Z"}, {"startedDateTime": "never"}]')::text, 400, '{"error": {"target": "historyItems[1].startedDateTime"}}', NULL),
(true, 'PUT', '/me/activities/{id:put}/historyItems/' || :'guid', :'item', 201, '{"id": "61fc8f36-919f-4b73-89d4-1cb7b159d912", "activeDurationSeconds": 20}', NULL),
(true, 'PUT', '/me/activities/{id:put}/historyItems/' || :'guid', :'item', 200, NULL, NULL),
(true, 'PUT', 'https://host/beta/users/graph/activities/{id:put}/historyItems/' || :'guid' || '/', :'item', 200, '{"@odata.context": "https://host/beta/$metadata#users(''graph'')/activities(''{id:put}'')/historyItems/$entity"}', NULL),
(true, 'PUT', '/me/activities/{id:put}/historyItems/61fc8f36', :'item', 400, '{"error": {"code": "BadRequest"}}', NULL),
(true, 'PUT', '/me/activities/{id:put}/historyItems/{61fc8f36-919f-4b73-89d4-1cb7b159d912}', :'item', 400, NULL, NULL),
(true, 'PUT', '/me/activities/{id:put}/historyItems/61fc8f36919f4b7389d41cb7b159d912', :'item', 400, NULL, NULL),
(true, 'PUT', '/me/activities/7/historyItems/' || :'guid', :'item', 404, '{"error": {"code": "itemNotFound"}}', NULL),
(true, 'PUT', '/me/activities/14332800362997268276/historyItems/' || :'guid', :'item', 404, '{"error": {"code": "itemNotFound"}}', NULL),
(true, 'PUT', '/me/activities/9223372036854775808/historyItems/' || :'guid', :'item', 404, NULL, NULL),
(true, 'PUT', '/me/activities/put/historyItems/' || :'guid', :'item', 404, NULL, NULL),
(true, 'PUT', '/me/activities/7/historyItems/' || :'guid', '{}', 400, '{"error": {"target": "startedDateTime"}}', NULL),
(true, 'PUT', '/me/activities/{id:put}/historyItems/' || :'guid', '{"id": "00000000-0000-4000-8000-000000000001", "startedDateTime": "2018-01-03T00:00:00Z"}', 400, '{"error": {"target": "id"}}', NULL),
(false, 'PUT', '/me/activities/{id:put}/historyItems/' || :'guid', '{"id": "00000000-0000-4000-8000-000000000001", "startedDateTime": "2018-01-03T00:00:00Z"}', 200, '{"id": "61fc8f36-919f-4b73-89d4-1cb7b159d912", "status": "active"}', NULL),
(true, 'PUT', '/me/activities/{id:put}/historyItems/' || :'guid', '{"startedDateTime": "2018-01-03T00:00:00Z", "colour": 1}', 400, '{"error": {"code": "RequestBodyRead", "target": "colour"}}', NULL),
(false, 'PUT', '/me/activities/{id:put}/historyItems/' || :'guid', '{"startedDateTime": "2018-01-03T00:00:00Z", "colour": 1}', 200, NULL, NULL),
(true, 'PUT', '/me/activities/{id:put}/historyItems/' || :'guid' || '?$top=1', :'item', 400, NULL, NULL);

--
-- Bodies that cannot be read
--
SET test.topic = 'body';
INSERT INTO request (method, target, body, status, answer)
SELECT m.method, m.target, b.body, b.status, b.answer::jsonb
FROM (VALUES ('PUT', '/me/activities/body'), ('PUT', '/me/activities/{id:put}/historyItems/' || :'guid'), ('POST', '/external/connections/c/items/i/addActivities')) m (method, target),
	(VALUES (NULL, 400, '{"error": {"code": "BadRequest", "message": "The request must have a body."}}'),
	('', 400, '{"error": {"code": "BadRequest", "message": "~The body must be JSON. %"}}'), (' ', 400, NULL), ('{', 400, NULL), ('{"a": 1,}', 400, NULL), ('{''a'': 1}', 400, NULL), ('{} {}', 400, NULL), ('NaN', 400, NULL),
	('{"a": 01}', 400, NULL), ('{"a": "\x"}', 400, NULL), ('{"' || repeat('a', 100000), 400, NULL), (E'\ufeff{}', 400, NULL),
	('null', 400, '{"error": {"message": "The body must be an object, not null."}}'), ('7', 400, NULL), ('"{}"', 400, NULL), ('[]', 400, '{"error": {"message": "The body must be an object, not an array."}}'), ('true', 400, NULL),
	(repeat('[', 100000), 400, NULL), ('{"a": ' || repeat('[', 1100) || repeat(']', 1100) || '}', 400, '{"error": {"code": "BadRequest", "message": "~The body is nested deeper than %"}}'),
	(repeat('{"a":', 100000), 400, NULL)) b (body, status, answer);
INSERT INTO request (method, target, body, status, answer) VALUES
('PUT', '/me/activities/body', '{"contentInfo": ' || repeat('[', 64) || repeat(']', 64) || '}', 400, '{"error": {"message": "The body is nested deeper than 64 levels."}}'),
('PUT', '/me/activities/body', '{"contentInfo": "' || repeat('x', 1024 * 1024) || '"}', 413, '{"error": {"code": "RequestTooLarge"}}'),
('PUT', '/me/activities/{id:put}/historyItems/' || :'guid', repeat(' ', 1024 * 1024 + 1), 413, '{"error": {"code": "RequestTooLarge"}}'),
('PUT', '/me/activities/body', jsonb_set(:'doc', '{historyItems}', (SELECT jsonb_agg(0) FROM generate_series(1, 10001)))::text, 413, '{"error": {"code": "RequestTooLarge", "target": "historyItems"}}'),
('POST', '/external/connections/c/items/i/addActivities', json_build_object('activities', (SELECT json_agg(0) FROM generate_series(1, 10001)))::text, 413, '{"error": {"code": "RequestTooLarge"}}'),
('GET', '/me/activities/body', 'not looked at', 404, NULL);

--
-- Percent-encoding
--
SET test.topic = 'encoding';
INSERT INTO request (method, target, body, status, answer, location) VALUES
('PUT', '/me/activities/a%20b%2F%C3%BC%3F%26%23', :'doc', 201, '{"appActivityId": "a b/ü?&#"}', '/me/activities/{id:a b/ü?&#}'),
('PUT', '/me/activities/a%20b%2f%c3%bc%3f%26%23', :'doc', 200, NULL, '/me/activities/{id:a b/ü?&#}'),
('PUT', '/me/activities/a b%2Fü%3F&%23', :'doc', 200, NULL, '/me/activities/{id:a b/ü?&#}'),
('PUT', '/me/activities/it''s(ok)!~*', :'doc', 201, '{"appActivityId": "it''s(ok)!~*"}', '/me/activities/{id:it''s(ok)!~*}'),
('PUT', '/me/activities/it%27s%28ok%29%21%7E%2A', :'doc', 200, NULL, '/me/activities/{id:it''s(ok)!~*}'),
('PUT', '/me/activities/100%25', :'doc', 201, '{"appActivityId": "100%"}', '/me/activities/{id:100%}'),
('PUT', '/me/activities/100%2525', :'doc', 201, '{"appActivityId": "100%25"}', '/me/activities/{id:100%25}'),
('PUT', '/me/activities/a+b=c;d:e@f,g$h', :'doc', 201, '{"appActivityId": "a+b=c;d:e@f,g$h"}', '/me/activities/{id:a+b=c;d:e@f,g$h}'),
('PUT', '/me/activities/a%2Bb%3Dc%3Bd%3Ae%40f%2Cg%24h', :'doc', 200, NULL, '/me/activities/{id:a+b=c;d:e@f,g$h}'),
('PUT', '/me/activities/%F0%9F%98%80', :'doc', 201, '{"appActivityId": "😀"}', '/me/activities/{id:😀}'),
('PUT', '/me/activities/%2F', :'doc', 201, '{"appActivityId": "/"}', '/me/activities/{id:/}'),
('PUT', '/me/activities/%09%0A%22%5C', :'doc', 201, '{"appActivityId": "\t\n\"\\"}', '/me/activities/' || activity_id('app', E'\t\n"\\')),
('PUT', '/me/activit%69es/encoded', :'doc', 201, '{"appActivityId": "encoded"}', '/me/activities/{id:encoded}');
INSERT INTO request (method, target, body, status, answer)
SELECT 'PUT', '/me/activities/' || key, :'doc', 400, '{"error": {"code": "BadRequest", "message": "The path must be percent-encoded UTF-8 without a zero byte."}}'
FROM unnest(ARRAY['%', '%4', '%zz', '%4g', '%g4', 'x%', '%%41', '100%', '%-1', '%00', 'a%00b', '%C0%AF', '%C0%80', '%E0%80%AF', '%F0%80%80%AF', '%ED%A0%80', '%ED%BF%BF', '%FF', '%C3', '%C3%28', '%80', '%F4%90%80%80', '%F8%88%80%80%80', 'x%C3/']) key;
INSERT INTO request (method, target, body, status, answer) VALUES
('PUT', '/me/activities/a#b', :'doc', 400, '{"error": {"message": "~%fragment%"}}'),
('PUT', '/me/activities//a', :'doc', 404, NULL), ('PUT', '/me/activities/a/b', :'doc', 404, NULL), ('GET', '/users/%FF/activities', NULL, 400, NULL),
('GET', '/me/activities?$filter=%', NULL, 400, NULL), ('GET', '/me/activities?$filter=%00', NULL, 400, NULL), ('GET', '/me/activities?%C0%AF=1', NULL, 400, NULL),
('GET', '/me/activities?%24top=0', NULL, 200, '{"value": []}'), ('GET', '/me/activities?%2524top=0', NULL, 400, NULL);

--
-- What there is not, and what may not be done
--
SET test.topic = 'no such';
INSERT INTO request (method, target, status, answer)
SELECT 'GET', target, 404, '{"error": {"code": "ResourceNotFound"}}'
FROM unnest(ARRAY['', '/', '//', '?', '/me', '/me/', '/v1.0', '/v1.0/', '/v2.0/me/activities', '/v1.0/v1.0/me/activities', '/Me/activities', '/me/Activities', 'me/activities', '/me//activities', '//me/activities', '/me/activities//',
	'/me/activities/1/historyItems/', '/me/activities/1/historyitems/x', '/me/activities/1/2', '/me/messages', '/users', '/users/graph', '/users//activities', '/users/other/activities', '/users/graph/x/activities',
	'https://', 'https://host', 'https://host/', 'https://host/api/v1.0/me/activities', 'ftp://host/me/activities', '/external', '/external/connections/c/items/i', '/external/connections/c/items/i/addactivities', '/external/connections/c/items//addActivities',
	'/me/external/connections/c/items/i/addActivities', '/me/activities/1/historyItems/2/3/4/5/6/7/8/9', '/me/activities%2Frecent', '/me/activities(''1'')']) target
WHERE target <> '/me/activities/1/historyItems/';
INSERT INTO request (method, target, status, answer) VALUES
('POST', '/me/activities', 405, '{"error": {"code": "MethodNotAllowed", "message": "The methods of this resource are: GET."}}'),
('PUT', '/me/activities', 405, NULL), ('DELETE', '/me/activities', 405, NULL), ('HEAD', '/me/activities', 405, NULL), ('OPTIONS', '/me/activities', 405, NULL), ('', '/me/activities', 405, NULL), ('GET ', '/me/activities', 405, NULL),
('PATCH', '/me/activities/1', 405, '{"error": {"message": "The methods of this resource are: GET, PUT, DELETE."}}'), ('POST', '/me/activities/x', 405, NULL),
('DELETE', '/me/activities/recent', 405, '{"error": {"message": "The methods of this resource are: GET, PUT."}}'), ('POST', '/me/activities/recent()', 405, NULL),
('PUT', '/me/activities/1/historyItems', 405, '{"error": {"message": "The methods of this resource are: GET."}}'), ('POST', '/me/activities/1/historyItems', 405, NULL),
('PATCH', '/me/activities/1/historyItems/x', 405, '{"error": {"message": "The methods of this resource are: GET, PUT, DELETE."}}'),
('GET', '/external/connections/c/items/i/addActivities', 405, '{"error": {"message": "The methods of this resource are: POST."}}'), ('PUT', '/external/connections/c/items/i/addActivities', 405, NULL),
('PATCH', '/nowhere', 404, NULL), ('PATCH', '/me/activities/%', 400, NULL);

--
-- GET by id, DELETE
--
SET test.topic = 'by id';
INSERT INTO request (method, target, body, status, answer, location) VALUES
('GET', '/me/activities/{id:put}', NULL, 200, '{"@odata.context": "/$metadata#users(''graph'')/activities/$entity", "@odata.type": "<absent>", "id": "{id:put}", "appActivityId": "put", "historyItems": "<absent>"}', NULL),
('get', '/me/activities/{id:put}?$expand=historyItems', NULL, 200, '{"historyItems": [{"id": "61fc8f36-919f-4b73-89d4-1cb7b159d912"}], "historyItems@odata.nextLink": "<absent>"}', NULL),
('GET', '/me/activities/{id:put}?$expand=historyItems($filter=lastModifiedDateTime lt 2020-01-01T00:00:00Z)', NULL, 200, '{"historyItems": []}', NULL),
('GET', '/me/activities/{id:..}?$expand=historyItems', NULL, 200, '{"historyItems": []}', NULL),
('GET', '/me/activities/{id:put}?$top=1', NULL, 400, NULL, NULL), ('GET', '/me/activities/{id:put}?$filter=lastModifiedDateTime lt 2020-01-01T00:00:00Z', NULL, 400, NULL, NULL),
('GET', '/me/activities/1', NULL, 404, '{"error": {"code": "itemNotFound"}}', NULL), ('GET', '/me/activities/0{id:put}', NULL, 404, NULL, NULL), ('GET', '/me/activities/-1', NULL, 404, NULL, NULL), ('GET', '/me/activities/1e3', NULL, 404, NULL, NULL),
('GET', '/me/activities/9223372036854775807', NULL, 404, NULL, NULL), ('GET', '/me/activities/9223372036854775808', NULL, 404, NULL, NULL), ('GET', '/me/activities/18446744073709551615', NULL, 404, NULL, NULL), ('GET', '/me/activities/99999999999999999999999', NULL, 404, NULL, NULL),
('GET', '/me/activities/put', NULL, 404, NULL, NULL), ('DELETE', '/me/activities/put', NULL, 404, NULL, NULL), ('DELETE', '/me/activities/18446744073709551615', NULL, 404, NULL, NULL),
('GET', '/me/activities/{id:put}/historyItems', NULL, 200, '{"@odata.context": "/$metadata#users(''graph'')/activities(''{id:put}'')/historyItems", "value": [{"id": "61fc8f36-919f-4b73-89d4-1cb7b159d912"}], "@odata.nextLink": "<absent>"}', NULL),
('GET', '/me/activities/{id:..}/historyItems/', NULL, 200, '{"value": []}', NULL), ('GET', '/me/activities/1/historyItems', NULL, 404, '{"error": {"code": "itemNotFound"}}', NULL),
('GET', '/me/activities/{id:deep}/historyItems?$expand=historyItems', NULL, 400, NULL, NULL),
('GET', '/me/activities/{id:put}/historyItems/' || :'guid', NULL, 200, '{"@odata.context": "/$metadata#users(''graph'')/activities(''{id:put}'')/historyItems/$entity", "id": "61fc8f36-919f-4b73-89d4-1cb7b159d912"}', NULL),
('GET', '/me/activities/{id:put}/historyItems/61FC8F36-919F-4B73-89D4-1CB7B159D912', NULL, 200, NULL, NULL),
('GET', '/me/activities/{id:put}/historyItems/00000000-0000-4000-8000-000000000009', NULL, 404, '{"error": {"code": "itemNotFound"}}', NULL),
('GET', '/me/activities/{id:put}/historyItems/x', NULL, 400, NULL, NULL), ('GET', '/me/activities/{id:put}/historyItems/' || :'guid' || '?$top=1', NULL, 400, NULL, NULL),
('DELETE', '/me/activities/{id:put}/historyItems/x', NULL, 400, NULL, NULL), ('DELETE', '/me/activities/7/historyItems/' || :'guid', NULL, 404, NULL, NULL),
('DELETE', '/me/activities/{id:put}/historyItems/' || :'guid', NULL, 204, NULL, NULL), ('DELETE', '/me/activities/{id:put}/historyItems/' || :'guid', NULL, 404, '{"error": {"code": "itemNotFound"}}', NULL),
('GET', '/me/activities/{id:put}/historyItems/' || :'guid', NULL, 404, NULL, NULL), ('PUT', '/me/activities/{id:put}/historyItems/' || :'guid', :'item', 201, NULL, NULL),
('DELETE', '/me/activities/{id:put}', NULL, 204, NULL, NULL), ('DELETE', '/v1.0/me/activities/{id:put}', NULL, 404, '{"error": {"code": "itemNotFound"}}', NULL), ('GET', '/me/activities/{id:put}', NULL, 404, NULL, NULL),
('GET', '/me/activities/{id:put}/historyItems', NULL, 404, NULL, NULL), ('PUT', '/me/activities/{id:put}/historyItems/' || :'guid', :'item', 404, NULL, NULL),
('PUT', '/me/activities/put', :'doc', 201, NULL, '/me/activities/{id:put}'), ('GET', '/me/activities/{id:put}/historyItems', NULL, 200, '{"value": []}', NULL),
('DELETE', 'https://host/v1.0/users/graph/activities/{id:other}', 'not looked at', 204, NULL, NULL), ('DELETE', '/me/activities/{id:deep}?$top=1', NULL, 400, NULL, NULL);

--
-- External activities
--
SET test.topic = 'external';
INSERT INTO request (is_strict, method, target, body, status, answer) VALUES
(true, 'POST', '/external/connections/c%2F1/items/i%20%C3%BC/addActivities', '{"activities": [{"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z"}]}', 200, '{"value": [{"type": "viewed", "error": null}]}'),
(true, 'post', 'https://graph.microsoft.com/beta/external/connections/c/items/i/addActivities/', '{"activities": []}', 200, '{"@odata.context": "https://graph.microsoft.com/beta/$metadata#Collection(microsoft.graph.externalConnectors.externalActivityResult)", "value": []}'),
(true, 'POST', '/external/connections/c/items/i/addActivities', '{"activities": [{"type": "liked", "startDateTime": "2021-04-06T18:04:31Z"}, 7]}', 207, '{"value": [{"error": {"target": "type"}}, {"type": null, "startDateTime": null, "error": {"code": "BadRequest"}}]}'),
(true, 'POST', '/external/connections/c/items/i/addActivities', '{"activities": [{"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z", "performedBy": {"type": "user", "id": "\u0000"}}]}', 207, '{"value": [{"type": "viewed", "error": {"target": "performedBy.id"}}]}'),
(true, 'POST', '/external/connections/c/items/i/addActivities', '{"activities": [{"type": "viewed", "x": ' || repeat('[', 500) || repeat(']', 500) || '}]}', 207, '{"value": [{"type": "viewed", "error": {"code": "RequestTooLarge"}}]}'),
(true, 'POST', '/external/connections/c/items/i/addActivities', '{}', 400, '{"error": {"code": "BadRequest", "target": "activities"}}'),
(true, 'POST', '/external/connections/c/items/i/addActivities', '{"activities": 1}', 400, '{"error": {"code": "RequestBodyRead", "target": "activities"}}'),
(true, 'POST', '/external/connections/c/items/i/addActivities', '{"activities": [], "colour": 1}', 400, '{"error": {"code": "RequestBodyRead", "target": "colour"}}'),
(false, 'POST', '/external/connections/c/items/i/addActivities', '{"activities": [], "colour": 1}', 200, NULL),
(true, 'POST', '/external/connections/c/items/i/addActivities?$top=1', '{"activities": []}', 400, NULL),
(true, 'POST', '/external/connections/' || repeat('c', 513) || '/items/i/addActivities', '{"activities": []}', 400, NULL),
(true, 'POST', '/external/connections/c/items/' || repeat('i', 513) || '/addActivities', '{"activities": []}', 400, NULL),
(true, 'POST', '/external/connections/' || repeat('c', 512) || '/items/' || repeat('i', 512) || '/addActivities', '{"activities": [{"type": "viewed", "startDateTime": "2021-04-06T18:04:31Z"}]}', 200, NULL),
(true, 'POST', '/external/connections/%FF/items/i/addActivities', '{"activities": []}', 400, NULL);

SELECT * FROM pg_temp.run_requests();
SELECT topic, count(*) AS requests, count(*) FILTER (WHERE status < 300) AS good, count(*) FILTER (WHERE status >= 400) AS refused FROM request GROUP BY topic ORDER BY min(n);
SELECT pg_temp.invariants_hold('graph');
SELECT connection_id, item_id, count(*) FROM external_activity WHERE item_id IN ('i', 'i ü') AND connection_id IN ('c', 'c/1') GROUP BY 1, 2 ORDER BY 1, 2;
-- members of the published answers are there in ours
SELECT file, k AS "missing here" FROM (VALUES ('put_activity.response.json', '{}'::text[], graph_request('graph', 'app', 'GET', '/me/activities/' || activity_id('app', '/article?12345'))),
	('get_activities.response.json', '{value,0}', graph_request('graph', 'app', 'GET', '/me/activities')),
	('put_historyitem.response.json', '{}', graph_request('graph', 'app', 'GET', '/me/activities/' || activity_id('app', '/article?12345') || '/historyItems/9d0b74e4-4b41-43ea-b34d-f9c1bf9f809c')),
	('add_activities.response.json', '{value,0}', graph_request('graph', 'app', 'POST', '/external/connections/c/items/i/addActivities', pg_temp.data('add_activities.request.json')))) x (file, path, answer),
	LATERAL jsonb_object_keys(pg_temp.data(file)::jsonb #> path) k
WHERE NOT coalesce(((answer).body::jsonb #> path) ? k, false);
-- a collision: an answer
INSERT INTO activity (user_id, id, app_id, app_activity_id, status, created_date_time, last_modified_date_time, expiration_date_time, change_number, created_change_number)
VALUES ('graph', activity_id('app', 'taken'), 'elsewhere', 'taken too', 'updated', now(), now(), 'infinity', 1, 1);
SELECT status, location, body FROM graph_request('graph', 'app', 'PUT', '/me/activities/taken', :'doc');
DELETE FROM activity WHERE app_id = 'elsewhere';
-- users' names in contexts and in paths
SELECT status, body->>'@odata.context' AS context FROM (VALUES ('user@contoso.com', '/users/user%40contoso.com/activities/x'), ('user@contoso.com', '/users/user@contoso.com/activities/x'),
	('O''Brien / ü%', '/users/O''Brien%20%2F%20%C3%BC%25/activities/x')) x (principal, target), graph_request(principal, 'app', 'PUT', target, :'doc');
-- one statement: each request sees what the one before it did
SELECT (graph_request('one', 'app', 'PUT', '/me/activities/x', :'doc')).status, (graph_request('one', 'app', 'GET', '/me/activities')).body #>> '{value,0,appActivityId}' AS listed;
-- every app of the user in a GET; a write needs one
SELECT graph_request('one', 'other', 'PUT', '/me/activities/y', :'doc') IS NOT NULL AS put;
SELECT status, jsonb_path_query_array(body::jsonb, '$.value[*].appActivityId') AS listed FROM graph_request('one', NULL, 'GET', '/me/activities');
SELECT pg_temp.attempt($$SELECT graph_request('one', NULL, 'PUT', '/me/activities/y', '{}')$$);
SELECT pg_temp.attempt($$SELECT graph_request('one', NULL, 'delete', '/me/activities/1')$$);
-- what the program did wrong is raised
SELECT pg_temp.attempt($$SELECT graph_request(NULL, 'app', 'GET', '/me/activities')$$);
SELECT pg_temp.attempt($$SELECT graph_request('', 'app', 'GET', '/me/activities')$$);
SELECT pg_temp.attempt($$SELECT graph_request('one', 'app', NULL, '/me/activities')$$);
SELECT pg_temp.attempt($$SELECT graph_request('one', 'app', 'GET', NULL)$$);
-- and so is what is nobody's doing of the two: no privilege, a race lost
CREATE ROLE graph_user;
SELECT grant_service('graph_user');
REVOKE ALL ON activity FROM graph_user;
SET ROLE graph_user;
SELECT pg_temp.attempt($$SELECT graph_request('one', 'app', 'GET', '/me/activities')$$);
SELECT pg_temp.attempt($$SELECT graph_request('one', 'app', 'DELETE', '/me/activities/1')$$);
SELECT status FROM graph_request('one', 'app', 'GET', '/nowhere');
RESET ROLE;
SELECT revoke_access('graph_user');
DROP ROLE graph_user;
-- nothing is left of a request that is refused: no row, no number
SELECT status FROM graph_request('nobody', 'app', 'PUT', '/me/activities/7/historyItems/61fc8f36-919f-4b73-89d4-1cb7b159d912', :'item');
SELECT status FROM graph_request('nobody', 'app', 'PUT', '/me/activities/x', '{');
SELECT status FROM graph_request('nobody', 'app', 'DELETE', '/me/activities/7');
SELECT count(*) AS feeds FROM feed WHERE user_id = 'nobody';
-- limits are the settings'
SET activityfeed.max_document_size = 1024;
SET activityfeed.max_batch = 1;
SELECT status, body->'error'->>'code' AS code FROM unnest(ARRAY[1024, 1025]) size, graph_request('one', 'app', 'PUT', '/me/activities/x', rpad(:'doc', size));
SELECT status, body->'error'->>'code' AS code, body->'error'->>'message' AS message FROM graph_request('one', 'app', 'POST', '/external/connections/c/items/i/addActivities', '{"activities": [0, 0]}');
RESET activityfeed.max_document_size;
RESET activityfeed.max_batch;
-- the Location header lives longer than what the statements made
SELECT r.status, r.location FROM graph_request('many', 'app', 'PUT', '/me/activities/x', (:'doc'::jsonb || jsonb_build_object('historyItems',
	(SELECT jsonb_agg('{"startedDateTime": "2018-02-26T20:54:04.345Z"}'::jsonb) FROM generate_series(1, 1500))))::text) r;

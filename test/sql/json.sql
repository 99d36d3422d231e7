-- The JSON boundary: what of a document is stored, and how
\getenv inputdir PG_ABS_SRCDIR
\set prelude :inputdir '/include/prelude.sql'
\i :prelude
-- opaque members are what jsonb makes of them
CREATE FUNCTION pg_temp.stored(content text, OUT info boolean, OUT card boolean) LANGUAGE plpgsql AS $$
DECLARE
	stored activity;
BEGIN
	stored := upsert_activity('json', 'app', ('{"appActivityId": "x", "activitySourceHost": "h", "activationUrl": "u", "contentInfo": {"v": ' || content
		|| '}, "visualElements": {"displayText": "d", "content": {"v": ' || content || '}}}')::json);
	info := stored.content_info::text = ('{"v": ' || content || '}')::jsonb::text;
	card := (stored.visual_elements->'content')::text = ('{"v": ' || content || '}')::jsonb::text;
END
$$;
SELECT content, (pg_temp.stored(content)).* FROM unnest(ARRAY['1', '-0', '-0.0', '1.50', '1e2', '1E-7', '1.0e+3', '9223372036854775807', '9223372036854775808', '-9223372036854775808',
	'-9223372036854775809', '18446744073709551615', '18446744073709551616', '123456789012345678901234567890', '0.1000000000000000055511151231257827', '1e308', '1e309', '1e-400', '1e400',
	'true', 'false', 'null', '""', '"\u00e9\t\"\\/"', '"\ud83d\ude00"', '"é😀"', '[]', '{}', '[1,[2,[3]]]', '{"a":{"b":{"c":null}}}', '{"a":1,"a":2}', '{"b":1,"a":2,"aa":3}',
	' [ 1 , 2 ] ', '{"": 1}', '{"@x": 1, "x@y": 2}', '"[{]}\\"', '[1e5, {"k": [true, "]"]}]', '{"contentInfo": {"v": 7}}']) AS content;
-- strings of typed members are what jsonb makes of them too: every plane, raw and escaped
SELECT count(*) AS characters, count(*) FILTER (WHERE a.app_activity_id <> chr(code) OR a.app_display_name <> chr(code) OR a.visual_elements->>'displayText' <> chr(code)) AS wrong
FROM (SELECT code, format('"\u%s\u%s"', to_hex(55296 + (code - 65536) / 1024), to_hex(56320 + (code - 65536) % 1024)) AS escaped FROM generate_series(65536, 1114111, 509) AS code) c,
	upsert_activity('json', 'planes', format('{"appActivityId": %1$s, "activitySourceHost": "h", "activationUrl": "u", "appDisplayName": "%2$s", "visualElements": {"displayText": %1$s}}', escaped, chr(code))::json) a;
SELECT a.app_activity_id, a.app_display_name FROM upsert_activity('json', 'planes', '{"appActivityId": "\\ud83d\\ude00", "appDisplayName": "\\\ud83d\ude00\"\u0041",
	"activitySourceHost": "h", "activationUrl": "u", "visualElements": {"displayText": "d"}}') a;
SELECT count(*) FROM activity WHERE user_id = 'json' AND app_id = 'planes';
-- what comes out is byte for byte what PostgreSQL writes, wherever in a string or a key there is something to escape
SELECT count(*) AS strings,
	count(*) FILTER (WHERE position('"appDisplayName": ' || to_json(string) || ', "contentUrl"' IN document) = 0) AS wrong_strings,
	count(*) FILTER (WHERE position('"contentInfo": ' || info::text || ', "status"' IN document) = 0) AS wrong_jsonb
FROM generate_series(0, 40) length, generate_series(1, greatest(length, 1)) place, unnest(ARRAY['"', '\', E'\n', E'\x01', E'\x1f', 'x']) c,
	LATERAL (VALUES (left(overlay(repeat('a', length) PLACING c FROM place), length))) s (string),
	LATERAL (VALUES (jsonb_build_object(string, string, string || 'z', ARRAY[string]))) i (info),
	LATERAL (VALUES (jsonb_populate_record(NULL::activity, jsonb_build_object('app_display_name', string, 'content_info', info))::json::text)) d (document);
-- integers beyond 64 bits and bytes above 0x7f, in members of every kind
SELECT was_created(a) FROM upsert_activity('json', 'big', pg_temp.doc('{"@x": 123456789012345678901234567890, "appDisplayName": "é", "contentInfo": {"é": 18446744073709551616}}')) a;
-- keys that are spelt with escapes, and several of one name
SELECT a.content_info, a.visual_elements->'content' AS content FROM upsert_activity('json', 'app', '{"appActivityId": "x", "activitySourceHost": "h", "activationUrl": "u", "contentInfo": {"v": 1},
	"content\u0049nfo": {"v": 2}, "visualElements": {"displayText": "a", "content": {"v": 1}}, "visualElements": {"displayText": "b", "cont\u0065nt": {"v": 3}}}') a;
SELECT a.content_info, a.app_display_name FROM upsert_activity('json', 'app', '{"contentInfo": {"v": 1}, "appActivityId": "x", "activitySourceHost": "h", "activationUrl": "u", "contentInfo": null,
	"appDisplayName": "first", "appDisplayName": "last", "visualElements": {"displayText": "a"}}') a;
-- what jsonb refuses is refused, wherever it is, and said where
SELECT document, pg_temp.put(pg_temp.doc()::jsonb::text) = 'no error' AS good_before, pg_temp.put(replace(pg_temp.doc()::text, '"appActivityId"', document || ', "appActivityId"')) FROM unnest(ARRAY[
	'"contentInfo": {"a": [1, {"b": "\u0000"}]}', '"contentInfo": {"\u0000": 1}', '"appDisplayName": "\ud800"', '"appDisplayName": "\udc00"', '"appDisplayName": "\ud800x"',
	'"appDisplayName": "\ud800\ud800"', '"appDisplayName": "\ud800\u0041"', '"contentInfo": {"n": 1e131072}', '"contentInfo": {"n": 1e-16384}', '"contentInfo": {"n": [0, 1e999999999999]}',
	'"contentInfo": {"n": 1e-99999999999999999999}', '"contentInfo": {"n": 0e999999999}', '"contentInfo": {"n": 1e131072}, "contentInfo": {}']) AS document;
SELECT pg_temp.put(replace(pg_temp.doc()::text, '"appActivityId"', '"contentInfo": {"n": 1e131071, "m": 1e-16383, "z": 0e131072}, "appActivityId"'));
-- opaque members must be objects
SELECT value, split_part(pg_temp.put(pg_temp.doc(jsonb_build_object('contentInfo', value))::text), E'\n', 2) AS "contentInfo",
	split_part(pg_temp.put(pg_temp.doc(jsonb_build_object('visualElements', jsonb_build_object('displayText', 'x', 'content', value)))::text), E'\n', 2) AS "content"
FROM unnest(ARRAY['null', '{}', '[]', '"{}"', '1', 'true']::jsonb[]) AS value;
-- a document may nest as deep as the setting says: 64, of which the members take two
CREATE FUNCTION pg_temp.nested(depth int, leaf text DEFAULT '') RETURNS text LANGUAGE sql AS $$
	SELECT replace(pg_temp.doc()::text, '"appActivityId"', '"contentInfo": {"a": ' || repeat('[', depth - 2) || leaf || repeat(']', depth - 2) || '}, "appActivityId"')
$$;
SELECT pg_temp.put(pg_temp.nested(64)), pg_temp.put(pg_temp.nested(64, '1')), pg_temp.put(pg_temp.nested(64, '"a"'));
SELECT pg_temp.put(pg_temp.nested(65)), pg_temp.put(pg_temp.nested(65, '1'));
SELECT pg_temp.put(pg_temp.nested(10000));
SET activityfeed.max_depth = 1000;
SELECT pg_temp.put(pg_temp.nested(1000, '1'));
SELECT pg_temp.put(pg_temp.nested(1001, '1'));
RESET activityfeed.max_depth;
-- brackets in strings are no nesting
SELECT pg_temp.put(replace(pg_temp.doc()::text, '"appActivityId"', '"appDisplayName": "' || repeat('[{\"', 100) || '", "appActivityId"'));
-- encoded twice
SELECT pg_temp.put(to_json(pg_temp.doc()::text)::text);
SELECT pg_temp.attempt($$SELECT activityfeed.upsert_activity('json', 'app', to_jsonb(pg_temp.doc()::text))$$);
SELECT pg_temp.put_item(to_json(pg_temp.item()::text)::text);
-- no object at all
SELECT document, pg_temp.put(document) FROM unnest(ARRAY['[]', '7', 'null', 'true', ' {} ']) AS document;
-- not JSON: PostgreSQL's own verdict
SELECT document, split_part(pg_temp.put(document), ':', 1) AS verdict FROM unnest(ARRAY['', '{', '{]', '{"a":1,}', '{''a'':1}', '{"a":01}', '{"a":NaN}', '{"a":1.}', '[1] x', '{"a":"\x"}', E'{"a":"\t"}']) AS document;
-- the path of what is deep in a large document
SELECT pg_temp.put(replace(pg_temp.doc()::text, '"appActivityId"', '"contentInfo": {"a": ' || repeat('[{"b": 1, "c": ', 20) || '[' || repeat('1,', 100000) || '"\u0000"]' || repeat('}]', 20) || '}, "appActivityId"'));
-- space around and inside
SELECT was_created(a) FROM upsert_activity('json', 'space', E' \n\t{ "appActivityId" : "x" ,\r\n"activitySourceHost":"h","activationUrl":"u", "contentInfo" : { "a" : 1 } ,"visualElements":{ "displayText" : "d" , "content" : { } } } ') a;
SELECT content_info, visual_elements FROM activities('json', 'space');
SELECT pg_temp.invariants_hold('json');

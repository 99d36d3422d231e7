-- A PUT is a full replace
\getenv inputdir PG_ABS_SRCDIR
\set prelude :inputdir '/include/prelude.sql'
\i :prelude
SELECT a::jsonb - 'createdDateTime' - 'lastModifiedDateTime' - 'expirationDateTime' AS full FROM upsert_activity('replace', 'app', pg_temp.doc('{
	"appDisplayName": "Contoso, Ltd.", "contentUrl": "https://c", "fallbackUrl": "https://f", "userTimezone": "Africa/Casablanca",
	"contentInfo": {"@type": "Article", "author": "Jennifer Booth"},
	"visualElements": {"displayText": "Old", "description": "d", "backgroundColor": "#FF0000", "content": {"type": "AdaptiveCard"},
		"attribution": {"iconUrl": "https://i", "alternateText": "t", "alternativeText": "u", "addImageQuery": "true"}}}')) a;
-- whatever is left out is null afterwards
SELECT a::jsonb - 'createdDateTime' - 'lastModifiedDateTime' - 'expirationDateTime' AS small FROM upsert_activity('replace', 'app', pg_temp.doc()) a;
-- null is the same as left out
SELECT was_created(a), num_nonnulls(a.app_display_name, a.content_url, a.fallback_url, a.user_timezone, a.content_info) AS given, a.visual_elements
FROM upsert_activity('replace', 'app', pg_temp.doc('{"appDisplayName": null, "contentUrl": null, "fallbackUrl": null, "userTimezone": null,
	"contentInfo": null, "historyItems": null, "visualElements": {"displayText": "x", "description": null, "backgroundColor": null, "content": null, "attribution": null}}')) a;
-- an empty string is a value where nothing is required
SELECT a.app_display_name = '' AS empty, a.visual_elements->>'description' = '' AS empty
FROM upsert_activity('replace', 'app', pg_temp.doc('{"appDisplayName": "", "visualElements": {"displayText": "x", "description": ""}}')) a;
-- an error leaves the old state
SELECT pg_temp.everything('replace') AS before \gset
SELECT pg_temp.attempt($$SELECT activityfeed.upsert_activity('replace', 'app', pg_temp.doc('{"activationUrl": null}'))$$);
SELECT pg_temp.everything('replace') = :'before' AS unchanged;
-- a replace without historyItems leaves the history as it is
SELECT count(*) FROM upsert_history_item('replace', 'app', activity_id('app', '/article?12345'), pg_temp.guid(1), pg_temp.item());
SELECT count(*) FROM upsert_activity('replace', 'app', pg_temp.doc());
SELECT id FROM history_items('replace', 'app', activity_id('app', '/article?12345'));
-- history items are replaced in full too
SELECT h::jsonb - 'createdDateTime' - 'lastModifiedDateTime' - 'expirationDateTime' AS item, was_created(h)
FROM upsert_history_item('replace', 'app', activity_id('app', '/article?12345'), pg_temp.guid(1),
	pg_temp.item('{"lastActiveDateTime": "2018-02-26T20:54:24.345Z", "activeDurationSeconds": 3, "userTimezone": "UTC"}')) h;
SELECT h::jsonb - 'createdDateTime' - 'lastModifiedDateTime' - 'expirationDateTime' AS item, was_created(h)
FROM upsert_history_item('replace', 'app', activity_id('app', '/article?12345'), pg_temp.guid(1), pg_temp.item()) h;
SELECT pg_temp.invariants_hold('replace');

-- The numbered floor: what two statements by SPI cost, as any store with change
-- numbers in PostgreSQL needs them.  It does and leaves out what the head of
-- module/numbered.c says.  The tables are defined as the extension's, indexes
-- and generated columns too, but visualElements and contentInfo are text.
CALL bench.copy_tables('numbered');
ALTER TABLE numbered.activity
	ALTER visual_elements TYPE text USING visual_elements::text,
	ALTER content_info TYPE text USING content_info::text;

CREATE FUNCTION numbered.replace_activity(user_id text, id bigint, app_id text, app_activity_id text, host text, activation_url text,
	app_display_name text, content_url text, fallback_url text, timezone text, visual text, content text)
RETURNS bigint AS :'module', 'numbered_replace_activity' LANGUAGE C VOLATILE STRICT;

CREATE FUNCTION numbered.create_activity(user_id text, id bigint, app_id text, app_activity_id text, host text, activation_url text,
	app_display_name text, content_url text, fallback_url text, timezone text, visual text, content text)
RETURNS bigint AS :'module', 'numbered_create_activity' LANGUAGE C VOLATILE STRICT;

CREATE FUNCTION numbered.replace_history_item(user_id text, activity_id bigint, id uuid, started timestamptz, last_active timestamptz,
	duration int, timezone text)
RETURNS bigint AS :'module', 'numbered_replace_history_item' LANGUAGE C VOLATILE STRICT;

-- The sides of add_external_activities.  Every 100th element is bad.  Bodies
-- are stored as text, not compressed, and converted in each call.
--
-- floor  a typed INSERT .. SELECT of the good elements' rows from a table that
--        has them already: no JSON, no check, no results.
-- peer   plpgsql with an EXCEPTION block for each element, which is how one
--        gets a result for each: same table, same results in the same order,
--        but the message is PostgreSQL's.  Left out, to its advantage: unknown
--        members, lengths, limits.
CREATE TABLE bench.batch (size int PRIMARY KEY, body text NOT NULL);
ALTER TABLE bench.batch ALTER body SET STORAGE EXTERNAL;
INSERT INTO bench.batch
SELECT size, '{"activities": [' || (
	SELECT string_agg(format('{"@odata.type": "#microsoft.graph.externalConnectors.externalActivity", "type": "%s", '
		'"startDateTime": "2021-04-06T18:04:31.033Z", "performedBy": {"type": "user", "id": "1f0c997e-99f7-43f1-8cca-086f8d42b%s"}}',
		CASE WHEN n % 100 = 0 THEN 'liked' ELSE 'viewed' END, lpad(n::text, 5, '0')), ', ' ORDER BY n)
	FROM generate_series(1, size) n) || ']}'
FROM unnest(ARRAY[100, 1000, 10000]) size;

CREATE SCHEMA floor;
CREATE TABLE floor.external_activity (
	connection_id text COLLATE "C" NOT NULL,
	item_id text COLLATE "C" NOT NULL,
	id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
	type activityfeed.external_activity_type NOT NULL,
	start_date_time timestamptz NOT NULL,
	performed_by_type activityfeed.identity_type,
	performed_by_id text COLLATE "C",
	created_date_time timestamptz NOT NULL,
	PRIMARY KEY (connection_id, item_id, id)
);
CREATE TABLE floor.element (n int PRIMARY KEY, type activityfeed.external_activity_type, start_date_time timestamptz,
	performed_by_type activityfeed.identity_type, performed_by_id text COLLATE "C");
INSERT INTO floor.element
SELECT n, 'viewed', '2021-04-06T18:04:31.033Z', 'user', '1f0c997e-99f7-43f1-8cca-086f8d42b' || lpad(n::text, 5, '0')
FROM generate_series(1, 10000) n WHERE n % 100 <> 0;

CREATE SCHEMA peer;
CREATE TABLE peer.external_activity (LIKE activityfeed.external_activity INCLUDING ALL);

CREATE FUNCTION peer.add_external_activities(connection text, item text, document jsonb)
RETURNS TABLE (index int, id bigint, type activityfeed.external_activity_type, start_date_time timestamptz, error jsonb)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
	element jsonb;
	performer jsonb;
	clock timestamptz := clock_timestamp();
BEGIN
	FOR index, element IN SELECT n - 1, e FROM jsonb_array_elements(document -> 'activities') WITH ORDINALITY AS v (e, n) LOOP
		id := NULL;
		type := NULL;
		start_date_time := NULL;
		error := NULL;
		BEGIN
			start_date_time := element ->> 'startDateTime';
			type := element ->> 'type';
			performer := element -> 'performedBy';
			INSERT INTO peer.external_activity AS x (connection_id, item_id, type, start_date_time, performed_by_type, performed_by_id, created_date_time)
			VALUES (connection, item, add_external_activities.type, add_external_activities.start_date_time,
				(performer ->> 'type')::activityfeed.identity_type, performer ->> 'id', clock)
			RETURNING x.id INTO id;
		EXCEPTION WHEN data_exception OR integrity_constraint_violation THEN
			error := jsonb_build_object('code', 'BadRequest', 'message', SQLERRM, 'target', NULL, 'details', '[]'::jsonb, 'innerError', NULL);
		END;
		RETURN NEXT;
	END LOOP;
END
$$;

/*
 * external_store.c
 *		External activities on their way into the table.
 *
 * The elements of a chunk become rows by one statement over arrays; or one by
 * one, where there need not be a statement (see direct_batch.c).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "direct.h"
#include "external_store.h"
#include "row.h"

/* clang-format off */

/*
 * $1 connection_id, $2 item_id, $3 types, $4 starts, $5 and $6 who performed
 * them, $7 the time now.  Types are positions in the enum, from 1.  Functions
 * in a FROM would put all that they return aside first.
 */
static KeptPlan insert_chunk = {
	.sql = "INSERT INTO activityfeed.external_activity AS e (connection_id, item_id, "
	"type, start_date_time, performed_by_type, performed_by_id, "
	"created_date_time) "
	"SELECT $1, $2, (ARRAY['viewed', 'modified', 'created', 'commented']"
	"::activityfeed.external_activity_type[])[u.type], u.start, "
	"(ARRAY['user', 'group', 'externalGroup']"
	"::activityfeed.identity_type[])[u.performer_type], u.performer_id, $7 "
	"FROM (SELECT pg_catalog.unnest($3) AS type, "
	"pg_catalog.unnest($4) AS start, pg_catalog.unnest($5) AS performer_type, "
	"pg_catalog.unnest($6) AS performer_id) AS u "
	"RETURNING e.id",
	.nparams = 7,
	.types = {TEXTOID, TEXTOID, INT2ARRAYOID, TIMESTAMPTZARRAYOID, INT2ARRAYOID,
	TEXTARRAYOID, TIMESTAMPTZOID}
};

/* clang-format on */

/* Columns of a chunk on their way into arrays. */
typedef struct ChunkColumns
{
	Datum types[EXTERNAL_CHUNK_SIZE];
	Datum starts[EXTERNAL_CHUNK_SIZE];
	Datum performer_types[EXTERNAL_CHUNK_SIZE];
	Datum performer_ids[EXTERNAL_CHUNK_SIZE];
	bool performer_nulls[EXTERNAL_CHUNK_SIZE];
} ChunkColumns;

static void
FillColumns(const ExternalChunk *chunk, ChunkColumns *columns)
{
	int n = 0;

	for (int i = 0; i < chunk->count; i++)
	{
		const ExternalActivityDocument *activity =
			&chunk->elements[i].activity;
		const IdentityDocument *performer = activity->performed_by;

		if (!chunk->elements[i].is_good)
			continue;
		columns->types[n] = Int16GetDatum(activity->type + 1);
		columns->starts[n] = TimestampTzGetDatum(activity->start.value);
		columns->performer_nulls[n] = performer == NULL;
		columns->performer_types[n] =
			performer == NULL ? (Datum) 0 : Int16GetDatum(performer->type + 1);
		columns->performer_ids[n] =
			performer == NULL ? (Datum) 0 : CStringGetTextDatum(performer->id);
		n++;
	}
}

/* A chunk on its way into the table. */
typedef struct ChunkStorage
{
	const ExternalItem *item;
	ExternalChunk *chunk;
	TimestampTz now;

	/* Where there is no statement: */
	int filled; /* elements that were looked at for rows */
	Datum types[EXTERNAL_ACTIVITY_COMMENTED + 1];
	Datum performer_types[IDENTITY_EXTERNAL_GROUP + 1];
} ChunkStorage;

/*
 * Takes the id of the next good element: rows are returned in the order in
 * which they were inserted.
 */
static void
TakeId(void *context, Datum *values, bool *nulls)
{
	ChunkStorage *storage = context;
	ExternalChunk *chunk = storage->chunk;

	while (!chunk->elements[chunk->stored].is_good)
		chunk->stored++;
	chunk->elements[chunk->stored++].id = DatumGetInt64(values[0]);
}

/*
 * An enum's values in the order of the names.
 */
void
ExternalLookUpLabels(Oid type, const char *const *names, Datum *labels)
{
	for (int i = 0; names[i] != NULL; i++)
		labels[i] = DirectFunctionCall2(enum_in, CStringGetDatum(names[i]),
										ObjectIdGetDatum(type));
}

static void
LookUpColumnLabels(ChunkStorage *storage, const DirectRow *row)
{
	ExternalLookUpLabels(RowAttributeType(row->type, "type"),
						 external_activity_type_names, storage->types);
	ExternalLookUpLabels(RowAttributeType(row->type, "performed_by_type"),
						 identity_type_names, storage->performer_types);
}

static void
FillRow(const ChunkStorage *storage, const ExternalActivityDocument *activity,
		DirectRow *row)
{
	const IdentityDocument *performer = activity->performed_by;
	bool is_anonymous = performer == NULL;

	row->values[EXTERNAL_ACTIVITY_CONNECTION_ID] =
		storage->item->connection_id;
	row->values[EXTERNAL_ACTIVITY_ITEM_ID] = storage->item->item_id;
	row->values[EXTERNAL_ACTIVITY_TYPE] = storage->types[activity->type];
	row->values[EXTERNAL_ACTIVITY_START] =
		TimestampTzGetDatum(activity->start.value);
	row->values[EXTERNAL_ACTIVITY_CREATED_AT] =
		TimestampTzGetDatum(storage->now);
	row->nulls[EXTERNAL_ACTIVITY_PERFORMED_BY_TYPE] = is_anonymous;
	row->nulls[EXTERNAL_ACTIVITY_PERFORMED_BY_ID] = is_anonymous;
	if (is_anonymous)
		return;
	row->values[EXTERNAL_ACTIVITY_PERFORMED_BY_TYPE] =
		storage->performer_types[performer->type];
	row->values[EXTERNAL_ACTIVITY_PERFORMED_BY_ID] =
		CStringGetTextDatum(performer->id);
}

/*
 * Makes the row of the next good element.
 */
static bool
FillNextRow(void *context, DirectRow *row)
{
	ChunkStorage *storage = context;
	const ExternalChunk *chunk = storage->chunk;

	if (storage->filled == 0)
		LookUpColumnLabels(storage, row);
	while (storage->filled < chunk->count &&
		   !chunk->elements[storage->filled].is_good)
		storage->filled++;
	if (storage->filled == chunk->count)
		return false;
	FillRow(storage, &chunk->elements[storage->filled++].activity, row);
	return true;
}

static void
StoreByStatement(ChunkStorage *storage)
{
	ChunkColumns *columns = palloc(sizeof(ChunkColumns));
	int count = storage->chunk->good;
	Datum values[7];

	FillColumns(storage->chunk, columns);
	values[0] = storage->item->connection_id;
	values[1] = storage->item->item_id;
	values[2] = PlanArray(columns->types, NULL, count, INT2OID);
	values[3] = PlanArray(columns->starts, NULL, count, TIMESTAMPTZOID);
	values[4] = PlanArray(columns->performer_types, columns->performer_nulls,
						  count, INT2OID);
	values[5] = PlanArray(columns->performer_ids, columns->performer_nulls,
						  count, TEXTOID);
	values[6] = TimestampTzGetDatum(storage->now);
	if (PlanWrite(&insert_chunk, values, NULL, TakeId, storage) != count)
		PlanRaiseSuppressed("external_activity");
}

/*
 * Stores the good elements of a chunk, and tells them their ids.
 */
void
ExternalStoreChunk(const ExternalItem *item, ExternalChunk *chunk,
				   TimestampTz now)
{
	ChunkStorage storage = {.item = item, .chunk = chunk, .now = now};

	if (chunk->good > 0 &&
		!DirectInsertBatch(&insert_chunk, FillNextRow, TakeId, &storage))
		StoreByStatement(&storage);
}

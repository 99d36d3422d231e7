/*
 * external.c
 *		External activities: the batch, and reading them back.
 *
 * A batch is read element by element.  A bad element becomes a result with an
 * error and the rest are stored, without a subtransaction: a document's error
 * is returned, not raised.  Elements go to the table in chunks, so that only
 * where they are in the text is remembered of all.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "activityfeed.h"
#include "direct.h"
#include "document_json.h"
#include "external.h"
#include "graph_json.h"
#include "row.h"

#define CHUNK_SIZE 1000

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

/* $1 connection_id, $2 item_id, $3 before, $4 top */
static KeptPlan list_items = {
	.sql = "SELECT " EXTERNAL_ACTIVITY_COLUMNS " "
	"FROM activityfeed.external_activity AS e "
	"WHERE e.connection_id OPERATOR(pg_catalog.=) $1 "
	"AND e.item_id OPERATOR(pg_catalog.=) $2 "
	"AND e.id OPERATOR(pg_catalog.<) $3 "
	"ORDER BY e.id DESC LIMIT $4",
	.nparams = 4,
	.types = {TEXTOID, TEXTOID, INT8OID, INT8OID}
};

/* clang-format on */

/* One element of a chunk: what was read, and what became of it. */
typedef struct ChunkElement
{
	ExternalActivityDocument activity;
	bool is_good;
	Datum error; /* jsonb, unless it is good */
	int64 id;	 /* if it is good, once stored */
} ChunkElement;

typedef struct Chunk
{
	int count;
	int good;
	int stored;		 /* ids received so far */
	int first_index; /* of its first element in the batch */
	ChunkElement elements[CHUNK_SIZE];
} Chunk;

/*
 * Looks for the array among the members around it; its start is NULL where
 * there is none.
 */
static bool
OpenEnvelope(JsonSlice document, bool strict, JsonSlice *array,
			 DocumentError *error)
{
	JsonMembers members;
	JsonSlice name;
	JsonSlice value;

	array->start = NULL;
	JsonBeginMembers(document, &members);
	while (JsonNextMember(&members, &name, &value))
	{
		size_t length = name.end - name.start - 2;

		if (JsonNameIs(name, "activities"))
			*array = value;
		else if (strict && !JsonNameHas(name, '@'))
			return DocumentUnknown(error, pnstrdup(name.start + 1, length));
	}
	return true;
}

/*
 * Remembers where an element is.
 */
static void
RememberElement(ExternalBatch *batch, int *room, JsonSlice element)
{
	if (batch->count == *room)
	{
		*room = Max(2 * *room, 128);
		batch->elements =
			batch->elements == NULL
				? palloc(*room * sizeof(JsonSlice))
				: repalloc(batch->elements, *room * sizeof(JsonSlice));
	}
	batch->elements[batch->count++] = element;
}

/*
 * Finds the elements of a batch, unless they are too many.
 */
static bool
FindElements(JsonSlice array, ExternalBatch *batch, DocumentError *error)
{
	JsonElements elements;
	JsonSlice element;
	int64 count = 0;
	int room = 0;

	batch->count = 0;
	batch->elements = NULL;
	JsonBeginElements(array, &elements);
	while (JsonNextElement(&elements, &element))
	{
		if (count++ % CHUNK_SIZE == 0)
			CHECK_FOR_INTERRUPTS();
		if (count <= setting_max_batch)
			RememberElement(batch, &room, element);
	}
	if (count <= setting_max_batch)
		return true;
	return DocumentOverLimit(
		error, "too many external activities",
		psprintf("The batch has " INT64_FORMAT
				 " elements, the limit set by activityfeed.max_batch is %d.",
				 count, setting_max_batch));
}

/*
 * Finds the elements of a batch, which is {"activities": [...]} or the array
 * itself, in the current memory context.
 */
bool
ExternalFindBatch(JsonSlice document, bool strict, ExternalBatch *batch,
				  DocumentError *error)
{
	JsonSlice array;
	const char *kind = DocumentJsonKind(document);

	if (*document.start == '[')
		return FindElements(document, batch, error);
	if (*document.start != '{')
	{
		DocumentWrongType(error, "", "an object or an array", kind);
		if (*document.start == '"')
			error->hint = DOUBLE_ENCODING_HINT;
		return false;
	}
	if (!OpenEnvelope(document, strict, &array, error))
		return false;
	if (array.start == NULL || *array.start == 'n')
		return DocumentMissing(error, "activities", "an array", NULL);
	if (*array.start != '[')
		return DocumentWrongType(error, "activities", "an array",
								 DocumentJsonKind(array));
	return FindElements(array, batch, error);
}

static Datum
ErrorJsonb(const DocumentError *error)
{
	StringInfoData text;

	initStringInfo(&text);
	GraphJsonError(&text, error);
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(text.data));
}

/*
 * Reads as many of the batch's elements as a chunk takes.
 */
static void
ReadChunk(Chunk *chunk, const ExternalBatch *batch, DocumentReader *reader)
{
	int left = batch->count - chunk->first_index;

	chunk->count = Min(left, CHUNK_SIZE);
	chunk->good = chunk->stored = 0;
	for (int i = 0; i < chunk->count; i++)
	{
		ChunkElement *element = &chunk->elements[i];
		DocumentError error;

		CHECK_FOR_INTERRUPTS();
		element->error = (Datum) 0;
		element->id = 0;
		element->is_good = DocumentReadExternalActivity(
			reader, batch->elements[chunk->first_index + i],
			&element->activity, &error);
		if (element->is_good)
			chunk->good++;
		else
			element->error = ErrorJsonb(&error);
	}
}

/* Columns of a chunk on their way into arrays. */
typedef struct ChunkColumns
{
	Datum types[CHUNK_SIZE];
	Datum starts[CHUNK_SIZE];
	Datum performer_types[CHUNK_SIZE];
	Datum performer_ids[CHUNK_SIZE];
	bool performer_nulls[CHUNK_SIZE];
} ChunkColumns;

static void
FillColumns(const Chunk *chunk, ChunkColumns *columns)
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
	Chunk *chunk;
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
	Chunk *chunk = storage->chunk;

	while (!chunk->elements[chunk->stored].is_good)
		chunk->stored++;
	chunk->elements[chunk->stored++].id = DatumGetInt64(values[0]);
}

/*
 * An enum's values in the order of the names.
 */
static void
LookUpLabels(Oid type, const char *const *names, Datum *labels)
{
	for (int i = 0; names[i] != NULL; i++)
		labels[i] = DirectFunctionCall2(enum_in, CStringGetDatum(names[i]),
										ObjectIdGetDatum(type));
}

static void
LookUpColumnLabels(ChunkStorage *storage, const DirectRow *row)
{
	LookUpLabels(RowAttributeType(row->type, "type"),
				 external_activity_type_names, storage->types);
	LookUpLabels(RowAttributeType(row->type, "performed_by_type"),
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
	const Chunk *chunk = storage->chunk;

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

static void
StoreChunk(const ExternalItem *item, Chunk *chunk, TimestampTz now)
{
	ChunkStorage storage = {.item = item, .chunk = chunk, .now = now};

	if (chunk->good > 0 &&
		!DirectInsertBatch(&insert_chunk, FillNextRow, TakeId, &storage))
		StoreByStatement(&storage);
}

/*
 * Hands the chunk's results out in the order of its elements.
 */
static void
ReportChunk(const Chunk *chunk, const Datum *type_labels, PlanRowTaker take,
			void *context)
{
	for (int i = 0; i < chunk->count; i++)
	{
		const ChunkElement *element = &chunk->elements[i];
		const ExternalActivityDocument *activity = &element->activity;
		Datum values[EXTERNAL_RESULT_COLUMN_COUNT] = {0};
		bool nulls[EXTERNAL_RESULT_COLUMN_COUNT] = {0};

		values[EXTERNAL_RESULT_INDEX] = Int32GetDatum(chunk->first_index + i);
		values[EXTERNAL_RESULT_ID] = Int64GetDatum(element->id);
		nulls[EXTERNAL_RESULT_ID] = !element->is_good;
		nulls[EXTERNAL_RESULT_TYPE] = !activity->has_type;
		if (activity->has_type)
			values[EXTERNAL_RESULT_TYPE] = type_labels[activity->type];
		values[EXTERNAL_RESULT_START] =
			TimestampTzGetDatum(activity->start.value);
		nulls[EXTERNAL_RESULT_START] = !activity->start.given;
		values[EXTERNAL_RESULT_ERROR] = element->error;
		nulls[EXTERNAL_RESULT_ERROR] = element->is_good;
		take(context, values, nulls);
	}
}

/*
 * Stores a batch, which ExternalFindBatch has found, and hands a result for
 * each element to "take", in the order of row.h.  type_enum is the enum type of
 * the results.  SPI must be connected.
 */
void
ExternalAdd(const ExternalItem *item, const ExternalBatch *batch,
			Oid type_enum, PlanRowTaker take, void *context)
{
	DocumentRules rules = {.strict = setting_strict,
						   .now = GetCurrentTimestamp()};
	DocumentReader *reader = DocumentReaderCreate(&rules);
	Chunk *chunk = palloc(sizeof(Chunk));
	MemoryContext chunk_context;
	Datum labels[EXTERNAL_ACTIVITY_COMMENTED + 1];

	LookUpLabels(type_enum, external_activity_type_names, labels);
	chunk_context = AllocSetContextCreate(
		CurrentMemoryContext, "activityfeed batch", ALLOCSET_DEFAULT_SIZES);
	for (chunk->first_index = 0; chunk->first_index < batch->count;
		 chunk->first_index += chunk->count)
	{
		MemoryContext old_context = MemoryContextSwitchTo(chunk_context);

		ReadChunk(chunk, batch, reader);
		StoreChunk(item, chunk, rules.now);
		ReportChunk(chunk, labels, take, context);
		MemoryContextSwitchTo(old_context);
		MemoryContextReset(chunk_context);
	}
}

/*
 * What was stored for an item, newest id first.
 */
void
ExternalList(const ExternalItem *item, int top, int64 before,
			 PlanRowTaker take, void *context)
{
	Datum values[4];

	values[0] = item->connection_id;
	values[1] = item->item_id;
	values[2] = Int64GetDatum(before);
	values[3] = Int64GetDatum(top);
	(void) PlanRead(&list_items, values, NULL, take, context);
}

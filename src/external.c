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
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "activityfeed.h"
#include "document_json.h"
#include "external.h"
#include "external_store.h"
#include "graph_json.h"
#include "row.h"

/* clang-format off */

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

/*
 * Remembers where an element is, as long as they are not too many.
 */
static void
RememberElement(ExternalBatch *batch, JsonSlice element)
{
	if (batch->count++ >= setting_max_batch)
		return;
	if (batch->elements == NULL)
	{
		batch->room = 128;
		batch->elements = palloc(batch->room * sizeof(JsonSlice));
	}
	if (batch->count > batch->room)
	{
		batch->room *= 2;
		batch->elements =
			repalloc(batch->elements, batch->room * sizeof(JsonSlice));
	}
	batch->elements[batch->count - 1] = element;
}

/*
 * Finds the elements of the array at the cursor, which moves past it: to look
 * for its end first would be to go over all of the text once more.
 */
static void
FindElements(JsonMembers *members, ExternalBatch *batch)
{
	JsonSlice rest = {members->cursor, members->end};
	JsonElements elements;
	JsonSlice element;

	batch->count = 0;
	JsonBeginElements(rest, &elements);
	while (JsonNextElement(&elements, &element))
	{
		if (batch->count % EXTERNAL_CHUNK_SIZE == 0)
			CHECK_FOR_INTERRUPTS();
		RememberElement(batch, element);
	}
	members->cursor = Min(elements.cursor + 1, elements.end);
}

/*
 * Looks for the array among the members around it, and for its elements; its
 * start is NULL where there is none.
 */
static bool
OpenEnvelope(JsonSlice document, bool strict, JsonSlice *array,
			 ExternalBatch *batch, DocumentError *error)
{
	JsonMembers members;
	JsonSlice name;

	array->start = NULL;
	JsonBeginMembers(document, &members);
	while (JsonNextName(&members, &name))
	{
		size_t length = name.end - name.start - 2;
		bool is_array = JsonNameIs(name, "activities");

		if (!is_array && strict && !JsonNameHas(name, '@'))
			return DocumentUnknown(error, pnstrdup(name.start + 1, length));
		if (is_array)
			*array = (JsonSlice){members.cursor, members.end};
		if (is_array && members.cursor < members.end && *members.cursor == '[')
			FindElements(&members, batch);
		else
			(void) JsonNextValue(&members);
	}
	return true;
}

/*
 * Refuses a batch of too many elements.
 */
static bool
CheckCount(const ExternalBatch *batch, DocumentError *error)
{
	if (batch->count <= setting_max_batch)
		return true;
	return DocumentOverLimit(
		error, "too many external activities",
		psprintf("The batch has " INT64_FORMAT
				 " elements, the limit set by activityfeed.max_batch is %d.",
				 batch->count, setting_max_batch));
}

/*
 * Finds the elements of a batch, which is {"activities": [...]} or the array
 * itself, in the current memory context.
 */
bool
ExternalFindBatch(JsonSlice document, bool strict, ExternalBatch *batch,
				  DocumentError *error)
{
	JsonMembers whole = {document.start, document.end};
	JsonSlice array;

	memset(batch, 0, sizeof(*batch));
	if (*document.start == '[')
	{
		FindElements(&whole, batch);
		return CheckCount(batch, error);
	}
	if (*document.start != '{')
	{
		DocumentWrongType(error, "", "an object or an array",
						  DocumentJsonKind(document));
		if (*document.start == '"')
			error->hint = DOUBLE_ENCODING_HINT;
		return false;
	}
	if (!OpenEnvelope(document, strict, &array, batch, error))
		return false;
	if (array.start == NULL || *array.start == 'n')
		return DocumentMissing(error, "activities", "an array", NULL);
	if (*array.start != '[')
		return DocumentWrongType(error, "activities", "an array",
								 DocumentJsonKind(array));
	return CheckCount(batch, error);
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
ReadChunk(ExternalChunk *chunk, const ExternalBatch *batch,
		  DocumentReader *reader)
{
	int64 left = batch->count - chunk->first_index;

	chunk->count = (int) Min(left, EXTERNAL_CHUNK_SIZE);
	chunk->good = chunk->stored = 0;
	for (int i = 0; i < chunk->count; i++)
	{
		ExternalElement *element = &chunk->elements[i];
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

/*
 * Hands the chunk's results out in the order of its elements.
 */
static void
ReportChunk(const ExternalChunk *chunk, const Datum *type_labels,
			PlanRowTaker take, void *context)
{
	for (int i = 0; i < chunk->count; i++)
	{
		const ExternalElement *element = &chunk->elements[i];
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
	ExternalChunk *chunk = palloc(sizeof(ExternalChunk));
	MemoryContext chunk_context;
	Datum labels[EXTERNAL_ACTIVITY_COMMENTED + 1];

	ExternalLookUpLabels(type_enum, external_activity_type_names, labels);
	chunk_context = AllocSetContextCreate(
		CurrentMemoryContext, "activityfeed batch", ALLOCSET_DEFAULT_SIZES);
	for (chunk->first_index = 0; chunk->first_index < batch->count;
		 chunk->first_index += chunk->count)
	{
		MemoryContext old_context = MemoryContextSwitchTo(chunk_context);

		ReadChunk(chunk, batch, reader);
		ExternalStoreChunk(item, chunk, rules.now);
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

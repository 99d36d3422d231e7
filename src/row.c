/*
 * row.c
 *		Rows of the module to and from rows of PostgreSQL's row types.
 *
 * A row type need not look like the table in the install script: somebody may
 * have added a column, or dropped one of his own again, and then positions
 * differ.  So columns are matched by name.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/typcache.h"

#include "row.h"

static const char *const feed_names[] = {"user_id", "change_number",
										 "last_modified_date_time",
										 "oldest_change_number"};

static const char *const activity_names[] = {"id",
											 "change_number",
											 "created_change_number",
											 "change_bucket",
											 "created_date_time",
											 "last_modified_date_time",
											 "expiration_date_time",
											 "expiration_day",
											 "status",
											 "history_change_number",
											 "history_bucket",
											 "history_expiration_date_time",
											 "user_id",
											 "app_id",
											 "app_activity_id",
											 "activity_source_host",
											 "activation_url",
											 "app_display_name",
											 "content_url",
											 "fallback_url",
											 "user_timezone",
											 "visual_elements",
											 "content_info"};

static const char *const history_item_names[] = {"activity_id",
												 "change_number",
												 "change_bucket",
												 "created_date_time",
												 "last_modified_date_time",
												 "expiration_date_time",
												 "expiration_day",
												 "status",
												 "id",
												 "user_id",
												 "app_id",
												 "started_date_time",
												 "last_active_date_time",
												 "active_duration_seconds",
												 "active_duration_given",
												 "user_timezone"};

static const char *const external_activity_names[] = {"connection_id",
													  "item_id",
													  "id",
													  "type",
													  "start_date_time",
													  "performed_by_type",
													  "performed_by_id",
													  "created_date_time"};

static const char *const external_result_names[] = {
	"index", "id", "type", "start_date_time", "error"};

static const char *const change_names[] = {"change_number",
										   "kind",
										   "app_id",
										   "activity_id",
										   "history_item_id",
										   "status",
										   "created_change_number",
										   "document"};

static const Oid feed_types[] = {TEXTOID, INT8OID, TIMESTAMPTZOID, INT8OID};

static const Oid activity_types[] = {
	INT8OID,		INT8OID, INT8OID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID,
	TIMESTAMPTZOID, DATEOID, InvalidOid, INT8OID, INT8OID, TIMESTAMPTZOID,
	TEXTOID,		TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
	TEXTOID,		TEXTOID, JSONBOID, JSONBOID};

static const Oid history_item_types[] = {
	INT8OID, INT8OID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID,
	DATEOID, InvalidOid, UUIDOID, TEXTOID, TEXTOID, TIMESTAMPTZOID,
	TIMESTAMPTZOID, INT4OID, BOOLOID, TEXTOID};

static int16 feed_places[FEED_COLUMN_COUNT];
static int16 activity_places[ACTIVITY_COLUMN_COUNT];
static int16 history_item_places[HISTORY_ITEM_COLUMN_COUNT];
static int16 external_activity_places[EXTERNAL_ACTIVITY_COLUMN_COUNT];
static int16 external_result_places[EXTERNAL_RESULT_COLUMN_COUNT];
static int16 change_places[CHANGE_COLUMN_COUNT];

const RowShape feed_shape = {FEED_COLUMN_COUNT, feed_names, feed_places,
							  feed_types};
const RowShape activity_shape = {ACTIVITY_COLUMN_COUNT, activity_names,
								 activity_places, activity_types};
const RowShape history_item_shape = {HISTORY_ITEM_COLUMN_COUNT,
									 history_item_names, history_item_places,
									 history_item_types};
const RowShape external_activity_shape = {EXTERNAL_ACTIVITY_COLUMN_COUNT,
										  external_activity_names,
										  external_activity_places};
const RowShape external_result_shape = {EXTERNAL_RESULT_COLUMN_COUNT,
										external_result_names,
										external_result_places};
const RowShape change_shape = {CHANGE_COLUMN_COUNT, change_names,
							   change_places};

StaticAssertDecl(ACTIVITY_COLUMN_COUNT <= MAX_ROW_COLUMNS &&
					 HISTORY_ITEM_COLUMN_COUNT <= MAX_ROW_COLUMNS,
				 "a row has more columns than MAX_ROW_COLUMNS");
StaticAssertDecl(lengthof(feed_names) == FEED_COLUMN_COUNT,
				 "feed's columns and their names differ");
StaticAssertDecl(lengthof(activity_names) == ACTIVITY_COLUMN_COUNT,
				 "activity's columns and their names differ");
StaticAssertDecl(lengthof(history_item_names) == HISTORY_ITEM_COLUMN_COUNT,
				 "history_item's columns and their names differ");
StaticAssertDecl(lengthof(feed_types) == FEED_COLUMN_COUNT &&
					 lengthof(activity_types) == ACTIVITY_COLUMN_COUNT &&
					 lengthof(history_item_types) == HISTORY_ITEM_COLUMN_COUNT,
				 "columns and their types differ");
StaticAssertDecl(lengthof(external_activity_names) ==
					 EXTERNAL_ACTIVITY_COLUMN_COUNT,
				 "external_activity's columns and their names differ");
StaticAssertDecl(lengthof(external_result_names) ==
					 EXTERNAL_RESULT_COLUMN_COUNT,
				 "external_activity_result's columns and their names differ");
StaticAssertDecl(lengthof(change_names) == CHANGE_COLUMN_COUNT,
				 "change's columns and their names differ");

static bool
IsAttribute(TupleDesc type, int position, const char *name)
{
	Form_pg_attribute attribute = TupleDescAttr(type, position);

	return !attribute->attisdropped &&
		   strcmp(NameStr(attribute->attname), name) == 0;
}

/*
 * The position in a row type of a column, or -1.
 */
static int
FindAttribute(TupleDesc type, const char *name)
{
	for (int i = 0; i < type->natts; i++)
	{
		if (IsAttribute(type, i, name))
			return i;
	}
	return -1;
}

/*
 * The same for a column of the module's, which is most probably where it was
 * the last time.
 */
static int
FindColumn(const RowShape *shape, TupleDesc type, int column)
{
	int16 *place;

	if (shape->places == NULL)
		return FindAttribute(type, shape->names[column]);
	place = &shape->places[column];
	if (*place < 0 || *place >= type->natts ||
		!IsAttribute(type, *place, shape->names[column]))
		*place = FindAttribute(type, shape->names[column]);
	return *place;
}

/*
 * The number of a column that is there in any case.
 */
AttrNumber
RowAttributeNumber(TupleDesc type, const char *name)
{
	int position = FindAttribute(type, name);

	if (position < 0)
		elog(ERROR, "row type lacks column \"%s\"", name);
	return position + 1;
}

/*
 * The type of a column that is there in any case.
 */
Oid
RowAttributeType(TupleDesc type, const char *name)
{
	return TupleDescAttr(type, RowAttributeNumber(type, name) - 1)->atttypid;
}

/*
 * Puts a row's columns where a row type has them.
 */
void
RowPut(const RowShape *shape, TupleDesc type, const Datum *values,
	   const bool *nulls, Datum *all_values, bool *all_nulls)
{
	for (int i = 0; i < shape->count; i++)
	{
		int position = FindColumn(shape, type, i);

		if (position < 0)
			continue;
		all_values[position] = values[i];
		all_nulls[position] = nulls[i];
	}
}

/*
 * Whether a row type has all of a row's columns, with the types that they were
 * made with and nothing that a value would have to be fitted to; and how many
 * of them are generated.
 */
bool
RowHasTypes(const RowShape *shape, TupleDesc type, int *generated_count)
{
	*generated_count = 0;
	for (int i = 0; i < shape->count; i++)
	{
		int position = FindColumn(shape, type, i);
		Form_pg_attribute attribute;

		if (position < 0)
			return false;
		attribute = TupleDescAttr(type, position);
		*generated_count += attribute->attgenerated != '\0';
		if (attribute->atttypmod != -1 ||
			(OidIsValid(shape->types[i])
				 ? attribute->atttypid != shape->types[i]
				 : !attribute->attbyval || attribute->attlen != sizeof(Oid)))
			return false;
	}
	return true;
}

/*
 * Picks a row's columns out of those of a row type; those that it lacks are
 * null, and the result is false then.
 */
bool
RowPick(const RowShape *shape, TupleDesc type, const Datum *all_values,
		const bool *all_nulls, Datum *values, bool *nulls)
{
	bool all_found = true;

	for (int i = 0; i < shape->count; i++)
	{
		int position = FindColumn(shape, type, i);

		all_found &= position >= 0;
		nulls[i] = position < 0 || all_nulls[position];
		values[i] = nulls[i] ? (Datum) 0 : all_values[position];
	}
	return all_found;
}

/*
 * Makes a tuple of the expected row type, in the current memory context.
 * Columns that the module does not know are null.
 */
HeapTuple
RowForm(const RowShape *shape, TupleDesc expected, const Datum *values,
		const bool *nulls)
{
	Datum *form_values = palloc(expected->natts * sizeof(Datum));
	bool *form_nulls = palloc(expected->natts * sizeof(bool));
	HeapTuple tuple;

	memset(form_nulls, true, expected->natts * sizeof(bool));
	memset(form_values, 0, expected->natts * sizeof(Datum));
	RowPut(shape, expected, values, nulls, form_values, form_nulls);
	tuple = heap_form_tuple(expected, form_values, form_nulls);
	pfree(form_values);
	pfree(form_nulls);
	return tuple;
}

/*
 * Takes a row of a row type apart.  Columns that it lacks are null.
 */
void
RowDeform(const RowShape *shape, HeapTupleHeader row, Datum *values,
		  bool *nulls)
{
	TupleDesc type;
	HeapTupleData tuple;
	Datum *all_values;
	bool *all_nulls;

	type = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(row),
								  HeapTupleHeaderGetTypMod(row));
	tuple.t_len = HeapTupleHeaderGetDatumLength(row);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = row;
	all_values = palloc(type->natts * sizeof(Datum));
	all_nulls = palloc(type->natts * sizeof(bool));
	heap_deform_tuple(&tuple, type, all_values, all_nulls);
	(void) RowPick(shape, type, all_values, all_nulls, values, nulls);
	ReleaseTupleDesc(type);
	pfree(all_values);
	pfree(all_nulls);
}

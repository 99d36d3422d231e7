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
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/inval.h"
#include "utils/syscache.h"
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

/*
 * Where a shape's columns were the last time: most probably they are there
 * again.
 */
struct FoundPlaces
{
	RowPlaces guess;

	/* And those of a row type that is known to be as it was. */
	uint64 type_identifier;
	RowPlaces of_type;
};

static struct FoundPlaces found_of_feed;
static struct FoundPlaces found_of_activity;
static struct FoundPlaces found_of_history_item;
static struct FoundPlaces found_of_external_activity;
static struct FoundPlaces found_of_external_result;
static struct FoundPlaces found_of_change;

static const Oid feed_types[] = {TEXTOID, INT8OID, TIMESTAMPTZOID, INT8OID};

static const Oid activity_types[] = {
	INT8OID,		INT8OID,		INT8OID, INT8OID,	 TIMESTAMPTZOID,
	TIMESTAMPTZOID, TIMESTAMPTZOID, DATEOID, InvalidOid, INT8OID,
	INT8OID,		TIMESTAMPTZOID, TEXTOID, TEXTOID,	 TEXTOID,
	TEXTOID,		TEXTOID,		TEXTOID, TEXTOID,	 TEXTOID,
	TEXTOID,		JSONBOID,		JSONBOID};

static const Oid history_item_types[] = {
	INT8OID,		INT8OID,		INT8OID, TIMESTAMPTZOID,
	TIMESTAMPTZOID, TIMESTAMPTZOID, DATEOID, InvalidOid,
	UUIDOID,		TEXTOID,		TEXTOID, TIMESTAMPTZOID,
	TIMESTAMPTZOID, INT4OID,		BOOLOID, TEXTOID};

const RowShape feed_shape = {FEED_COLUMN_COUNT, feed_names, &found_of_feed,
							 feed_types};
const RowShape activity_shape = {ACTIVITY_COLUMN_COUNT, activity_names,
								 &found_of_activity, activity_types};
const RowShape history_item_shape = {
	HISTORY_ITEM_COLUMN_COUNT, history_item_names, &found_of_history_item,
	history_item_types};
const RowShape external_activity_shape = {
	.count = EXTERNAL_ACTIVITY_COLUMN_COUNT,
	.names = external_activity_names,
	.found = &found_of_external_activity};
const RowShape external_result_shape = {.count = EXTERNAL_RESULT_COLUMN_COUNT,
										.names = external_result_names,
										.found = &found_of_external_result};
const RowShape change_shape = {.count = CHANGE_COLUMN_COUNT,
							   .names = change_names,
							   .found = &found_of_change};

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
 * Finds a shape's columns in a row type.
 */
void
RowLocate(const RowShape *shape, TupleDesc type, RowPlaces *places)
{
	RowPlaces *guess = shape->found != NULL ? &shape->found->guess : NULL;

	places->count = shape->count;
	for (int i = 0; i < shape->count; i++)
	{
		int place = guess != NULL ? guess->places[i] : -1;

		if (place < 0 || place >= type->natts ||
			!IsAttribute(type, place, shape->names[i]))
			place = FindAttribute(type, shape->names[i]);
		places->places[i] = place;
	}
	if (guess != NULL)
		*guess = *places;
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
 * A label of the enum that a column has.
 */
Datum
RowLabel(TupleDesc type, const char *name, const char *label)
{
	return DirectFunctionCall2(enum_in, CStringGetDatum(label),
							   ObjectIdGetDatum(RowAttributeType(type, name)));
}

/*
 * Labels that were asked for, until any label of any enum changes.
 */
#define KNOWN_LABELS 8

static struct KnownLabel
{
	Oid value; /* invalid: none */
	NameData label;
} known_labels[KNOWN_LABELS];

static void
ForgetLabels(Datum arg, int cacheid, uint32 hashvalue)
{
	memset(known_labels, 0, sizeof(known_labels));
}

/*
 * The label of a value of an enum.  It may be gone after the next look into
 * the catalogs.
 */
const char *
RowLabelOf(Datum value)
{
	static bool is_watching = false;
	Oid oid = DatumGetObjectId(value);
	struct KnownLabel *known = &known_labels[oid % KNOWN_LABELS];
	char *label;

	if (known->value == oid && OidIsValid(oid))
		return NameStr(known->label);
	if (!is_watching)
		CacheRegisterSyscacheCallback(ENUMOID, ForgetLabels, (Datum) 0);
	is_watching = true;
	label = DatumGetCString(DirectFunctionCall1(enum_out, value));
	namestrcpy(&known->label, label);
	known->value = oid;
	pfree(label);
	return NameStr(known->label);
}

/*
 * Puts a row's columns where a row type has them.
 */
void
RowPut(const RowPlaces *places, const Datum *values, const bool *nulls,
	   Datum *all_values, bool *all_nulls)
{
	for (int i = 0; i < places->count; i++)
	{
		int place = places->places[i];

		if (place < 0)
			continue;
		all_values[place] = values[i];
		all_nulls[place] = nulls[i];
	}
}

/*
 * Whether a row of one type is one of the other as it is.
 */
bool
RowTypesAreSame(TupleDesc one, TupleDesc other)
{
	if (one->natts != other->natts || one->tdtypeid != other->tdtypeid)
		return false;
	for (int i = 0; i < one->natts; i++)
	{
		Form_pg_attribute a = TupleDescAttr(one, i);
		Form_pg_attribute b = TupleDescAttr(other, i);

		if (a->attisdropped || b->attisdropped || a->atttypid != b->atttypid)
			return false;
	}
	return true;
}

/*
 * Picks a row's columns out of those of a row type; those that it lacks are
 * null.
 */
void
RowPick(const RowPlaces *places, const Datum *all_values,
		const bool *all_nulls, Datum *values, bool *nulls)
{
	for (int i = 0; i < places->count; i++)
	{
		int place = places->places[i];

		nulls[i] = place < 0 || all_nulls[place];
		values[i] = nulls[i] ? (Datum) 0 : all_values[place];
	}
}

/*
 * Makes a tuple of the expected row type, in the current memory context.
 * Columns that the module does not know are null.
 */
HeapTuple
RowForm(const RowShape *shape, TupleDesc expected, const Datum *values,
		const bool *nulls)
{
	Datum *form_values = palloc0(expected->natts * sizeof(Datum));
	bool *form_nulls = palloc(expected->natts * sizeof(bool));
	RowPlaces places;
	HeapTuple tuple;

	memset(form_nulls, true, expected->natts * sizeof(bool));
	RowLocate(shape, expected, &places);
	RowPut(&places, values, nulls, form_values, form_nulls);
	tuple = heap_form_tuple(expected, form_values, form_nulls);
	pfree(form_values);
	pfree(form_nulls);
	return tuple;
}

/*
 * Where a row type has the shape's columns.  Names are compared once for each
 * version of a type, not for each row.
 */
static const RowPlaces *
PlacesOfType(const RowShape *shape, const TypeCacheEntry *type)
{
	struct FoundPlaces *found = shape->found;

	if (found->type_identifier != type->tupDesc_identifier)
	{
		RowLocate(shape, type->tupDesc, &found->of_type);
		found->type_identifier = type->tupDesc_identifier;
	}
	return &found->of_type;
}

/*
 * Takes a row of a row type apart.  Columns that it lacks are null.
 */
void
RowDeform(const RowShape *shape, HeapTupleHeader row, Datum *values,
		  bool *nulls)
{
	/* as it is for as long as nobody looks into the catalogs */
	const TypeCacheEntry *type =
		lookup_type_cache(HeapTupleHeaderGetTypeId(row), TYPECACHE_TUPDESC);
	HeapTupleData tuple = {.t_len = HeapTupleHeaderGetDatumLength(row),
						   .t_data = row};
	Datum *all_values;
	bool *all_nulls;

	if (type->tupDesc == NULL)
		elog(ERROR, "type %u has no columns", type->type_id);
	all_values = palloc(type->tupDesc->natts * sizeof(Datum));
	all_nulls = palloc(type->tupDesc->natts * sizeof(bool));
	heap_deform_tuple(&tuple, type->tupDesc, all_values, all_nulls);
	RowPick(PlacesOfType(shape, type), all_values, all_nulls, values, nulls);
	pfree(all_values);
	pfree(all_nulls);
}

/*
 * direct_columns.c
 *		Whether a table's columns are as they were made.
 *
 * What is written without the executor is put into columns as it is, and
 * generated columns are calculated in C.  So types and expressions have to be
 * those of the install script.  They are looked at once for each version of
 * the table's row type.
 */
#include "postgres.h"

#include "catalog/pg_attribute.h"
#include "catalog/pg_type.h"
#include "nodes/primnodes.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/typcache.h"

#include "direct_columns.h"

/* The generated columns, and what they are calculated of. */
static const struct
{
	const RowShape *shape;
	int column;
	int source;
} generated_columns[] = {
	{&activity_shape, ACTIVITY_CHANGE_BUCKET, ACTIVITY_CHANGE_NUMBER},
	{&activity_shape, ACTIVITY_HISTORY_BUCKET, ACTIVITY_HISTORY_CHANGE_NUMBER},
	{&activity_shape, ACTIVITY_EXPIRATION_DAY, ACTIVITY_EXPIRATION},
	{&history_item_shape, HISTORY_ITEM_CHANGE_BUCKET,
	 HISTORY_ITEM_CHANGE_NUMBER},
	{&history_item_shape, HISTORY_ITEM_EXPIRATION_DAY,
	 HISTORY_ITEM_EXPIRATION}};

/* What was found of each table the last time. */
typedef struct Description
{
	const RowShape *shape;
	uint64 type_identifier;
	DirectColumns columns;
} Description;

static Description descriptions[] = {
	{.shape = &feed_shape},
	{.shape = &activity_shape},
	{.shape = &history_item_shape},
};

static bool
IsColumn(const Node *node, AttrNumber number)
{
	return IsA(node, Var) && ((const Var *) node)->varattno == number;
}

/*
 * Whether an expression is "number >> 8".
 */
static bool
IsBucket(const Node *node, AttrNumber number)
{
	const OpExpr *shift = (const OpExpr *) node;
	const Const *bits;

	if (!IsA(shift, OpExpr) || shift->opfuncid != F_INT8SHR ||
		!IsColumn(linitial(shift->args), number))
		return false;
	bits = lsecond(shift->args);
	return IsA(bits, Const) && !bits->constisnull &&
		   DatumGetInt32(bits->constvalue) == 8;
}

/*
 * Whether it is "(time AT TIME ZONE 'UTC')::date".
 */
static bool
IsDay(const Node *node, AttrNumber time)
{
	const FuncExpr *cast = (const FuncExpr *) node;
	const FuncExpr *at_zone;
	const Const *zone;

	if (!IsA(cast, FuncExpr) || cast->funcid != F_DATE_TIMESTAMP)
		return false;
	at_zone = linitial(cast->args);
	if (!IsA(at_zone, FuncExpr) ||
		at_zone->funcid != F_TIMEZONE_TEXT_TIMESTAMPTZ ||
		!IsColumn(lsecond(at_zone->args), time))
		return false;
	zone = linitial(at_zone->args);
	return IsA(zone, Const) && !zone->constisnull &&
		   strcmp(TextDatumGetCString(zone->constvalue), "UTC") == 0;
}

/*
 * Whether a column is generated, of that other one, as it was made.
 */
static bool
IsGeneratedOf(TupleDesc type, AttrNumber column, AttrNumber source)
{
	const TupleConstr *constraints = type->constr;
	Oid source_type = TupleDescAttr(type, source - 1)->atttypid;

	/* PostgreSQL 18 has virtual ones, too */
	if (TupleDescAttr(type, column - 1)->attgenerated !=
		ATTRIBUTE_GENERATED_STORED)
		return false;
	for (int i = 0; i < constraints->num_defval; i++)
	{
		Node *expression;

		if (constraints->defval[i].adnum != column)
			continue;
		expression = stringToNode(constraints->defval[i].adbin);
		return source_type == INT8OID ? IsBucket(expression, source)
									  : IsDay(expression, source);
	}
	return false;
}

/*
 * Whether our generated columns are calculated as they were; counts them.
 */
static bool
HaveOwnExpressions(const RowShape *shape, TupleDesc type,
				   const RowPlaces *places, int *count)
{
	*count = 0;

	for (int i = 0; i < lengthof(generated_columns); i++)
	{
		int column = generated_columns[i].column;

		if (generated_columns[i].shape != shape)
			continue;
		(*count)++;
		if (!IsGeneratedOf(type, places->places[column] + 1,
						   places->places[generated_columns[i].source] + 1))
			return false;
	}
	return true;
}

/*
 * Whether all columns are there, with the types that they were made with and
 * nothing that a value would have to be fitted to.
 */
static bool
HaveOwnTypes(const RowShape *shape, TupleDesc type, const RowPlaces *places)
{
	for (int i = 0; i < shape->count; i++)
	{
		Form_pg_attribute attribute;

		if (places->places[i] < 0)
			return false;
		attribute = TupleDescAttr(type, places->places[i]);
		if (attribute->atttypmod != -1 ||
			(OidIsValid(shape->types[i])
				 ? attribute->atttypid != shape->types[i]
				 : !attribute->attbyval || attribute->attlen != sizeof(Oid)))
			return false;
	}
	return true;
}

static int
CountColumns(TupleDesc type)
{
	int count = 0;

	for (int i = 0; i < type->natts; i++)
		count += !TupleDescAttr(type, i)->attisdropped;
	return count;
}

static void
Describe(const RowShape *shape, TupleDesc type, DirectColumns *columns)
{
	int generated_count;

	RowLocate(shape, type, &columns->places);
	columns->are_own =
		type->constr != NULL && HaveOwnTypes(shape, type, &columns->places) &&
		HaveOwnExpressions(shape, type, &columns->places, &generated_count);
	columns->have_other_expressions =
		columns->are_own && type->constr->num_defval != generated_count;
	columns->have_others = CountColumns(type) != shape->count;
}

/*
 * Says where a table has the columns of a shape, and what is to be known of
 * them.  The table is locked, so that they stay as they are.
 */
void
DirectDescribeColumns(const RowShape *shape, Relation table,
					  DirectColumns *columns)
{
	Description *description = descriptions;
	uint64 identifier =
		assign_record_type_identifier(table->rd_rel->reltype, -1);

	while (description->shape != shape)
		description++;
	if (description->type_identifier != identifier)
	{
		Describe(shape, RelationGetDescr(table), &description->columns);
		description->type_identifier = identifier;
	}
	*columns = description->columns;
}

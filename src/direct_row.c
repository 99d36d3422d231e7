/*
 * direct_row.c
 *		What the C counterparts of statements do with a row's columns.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/timestamp.h"

#include "direct.h"

/*
 * A label of the enum that a column has.
 */
Datum
DirectLabel(const DirectRow *row, int column, const char *label)
{
	return RowLabel(row->type, row->shape->names[column], label);
}

/*
 * Whether a column of an enum is another label than this.  As in SQL, a null is
 * nothing: somebody may have dropped NOT NULL.
 */
bool
DirectIsOther(const DirectRow *row, int column, const char *label)
{
	return !row->nulls[column] &&
		   row->values[column] != DirectLabel(row, column, label);
}

/*
 * Whether a column of text COLLATE "C" is equal to a value.
 */
bool
DirectIsText(const DirectRow *row, int column, Datum value)
{
	return !row->nulls[column] &&
		   DatumGetBool(DirectFunctionCall2Coll(texteq, C_COLLATION_OID,
												row->values[column], value));
}

/*
 * GREATEST of a column of bigint or timestamptz, which may be null, and a
 * value.
 */
int64
DirectGreatest(const DirectRow *row, int column, int64 value)
{
	if (row->nulls[column])
		return value;
	return Max(value, DatumGetInt64(row->values[column]));
}

void
DirectSet(DirectRow *row, int column, Datum value)
{
	row->values[column] = value;
	row->nulls[column] = false;
}

/*
 * Sets as many columns, from the given one on.
 */
void
DirectCopy(DirectRow *row, int column, const Datum *values, const bool *nulls,
		   int count)
{
	memcpy(&row->values[column], values, count * sizeof(Datum));
	memcpy(&row->nulls[column], nulls, count * sizeof(bool));
}

/*
 * Sets a change number and the generated column of its bucket.
 */
void
DirectSetNumber(DirectRow *row, int column, int bucket_column, int64 number)
{
	DirectSet(row, column, Int64GetDatum(number));
	DirectSet(row, bucket_column, Int64GetDatum(BUCKET_OF(number)));
}

/*
 * The day in UTC of a finite time.
 */
DateADT
DirectDay(TimestampTz time)
{
	int64 day = time / USECS_PER_DAY;

	return (DateADT) (day * USECS_PER_DAY > time ? day - 1 : day);
}

/*
 * Sets an expiration and the generated column of its day.
 */
void
DirectSetExpiration(DirectRow *row, int column, int day_column,
					TimestampTz expiration)
{
	DirectSet(row, column, TimestampTzGetDatum(expiration));
	DirectSet(row, day_column, DateADTGetDatum(DirectDay(expiration)));
}

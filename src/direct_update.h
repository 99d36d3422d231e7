/*
 * direct_update.h
 *		Updates of one row without starting the executor.
 */
#ifndef ACTIVITYFEED_DIRECT_UPDATE_H
#define ACTIVITYFEED_DIRECT_UPDATE_H

#include "datatype/timestamp.h"

#include "plans.h"
#include "row.h"

/* A row, as shape orders its columns; old values until they are replaced. */
typedef struct DirectRow
{
	const RowShape *shape;
	TupleDesc type; /* of the table */
	Datum *values;
	bool *nulls;
} DirectRow;

/*
 * What a statement UPDATE .. SET .. WHERE primary key AND conditions does, in
 * C.  Its first parameters are the key, and where it returns anything, it
 * returns the shape's columns, in that order, and ctid after them.
 */
typedef struct DirectUpdate
{
	const RowShape *shape;
	int key_length;
	int condition_count; /* beside the key */
	int generated_count; /* the table's generated columns */

	/*
	 * Replaces values, those of generated columns too.  Returns false when
	 * the statement has to do it, also because conditions do not hold.
	 */
	bool (*change)(DirectRow *row, const Datum *parameters, const bool *nulls);
} DirectUpdate;

typedef enum DirectResult
{
	DIRECT_NO_ROW, /* there is none with that key */
	DIRECT_DONE,
	DIRECT_NOT_DONE /* nothing is written, the statement has to be executed */
} DirectResult;

extern DirectResult DirectUpdateRow(KeptPlan *plan, const Datum *parameters,
									const bool *nulls, PlanRowTaker take,
									void *context);
extern Datum DirectLabel(const DirectRow *row, int column, const char *label);
extern bool DirectIsText(const DirectRow *row, int column, Datum value);
extern int64 DirectGreatest(const DirectRow *row, int column, int64 value);
extern void DirectSet(DirectRow *row, int column, Datum value);
extern void DirectSetNumber(DirectRow *row, int column, int bucket_column,
							int64 number);
extern void DirectSetExpiration(DirectRow *row, int column, int day_column,
								TimestampTz expiration);

#endif /* ACTIVITYFEED_DIRECT_UPDATE_H */

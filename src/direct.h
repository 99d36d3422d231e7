/*
 * direct.h
 *		Statements of one row done without starting the executor.
 */
#ifndef ACTIVITYFEED_DIRECT_H
#define ACTIVITYFEED_DIRECT_H

#include "datatype/timestamp.h"
#include "utils/date.h"

#include "plans.h"
#include "row.h"

/* A row, as shape orders its columns. */
typedef struct DirectRow
{
	const RowShape *shape;
	TupleDesc type; /* of the table */
	Datum *values;
	bool *nulls;
} DirectRow;

/*
 * The row that another one refers to, and that an INSERT .. SELECT FROM .. WHERE
 * primary key AND conditions looks for.  The key is the statement's first
 * parameters.
 */
typedef struct DirectParent
{
	const RowShape *shape;
	int key_length;
	int condition_count;  /* beside the key */
	const int *referring; /* the columns that refer to it */
	const int *key;		  /* and its own */
	bool (*is_it)(const DirectRow *parent, const Datum *parameters);
} DirectParent;

/*
 * What a statement does, in C: UPDATE .. SET .. WHERE primary key AND conditions,
 * or INSERT .. ON CONFLICT (primary key) DO NOTHING.  Its first parameters are
 * the key, and where it returns anything, it returns the shape's columns, in
 * that order.  An UPDATE may return ctid after them.
 */
typedef struct DirectStatement
{
	CmdType command;
	const RowShape *shape;
	int key_length;
	int condition_count;		/* of an UPDATE, beside the key */
	const DirectParent *parent; /* of an INSERT; or NULL */
	const KeptPlan *look;		/* what looks for the key before; or NULL */

	/*
	 * Replaces values, those of generated columns too; those of a row that is
	 * inserted are all null.  Returns false when the statement has to do it,
	 * also because conditions do not hold.
	 */
	bool (*change)(DirectRow *row, const Datum *parameters, const bool *nulls);
} DirectStatement;

typedef enum DirectResult
{
	DIRECT_NO_ROW, /* there is none with that key */
	DIRECT_DONE,
	DIRECT_NOT_DONE /* nothing is written, the statement has to be executed */
} DirectResult;

/*
 * Sets the parameters of the next row.  Returns false when there is none.
 */
typedef bool (*DirectParameterSetter)(void *context, Datum *values,
									  bool *nulls);

/*
 * Sets the columns of the next row, all that are not the server's.  Returns
 * false when there is none.
 */
typedef bool (*DirectRowSetter)(void *context, DirectRow *row);

extern DirectResult DirectUpdateRow(KeptPlan *plan, const Datum *parameters,
									const bool *nulls, PlanRowTaker take,
									void *context);
extern DirectResult DirectInsertRow(KeptPlan *plan, const Datum *parameters,
									const bool *nulls, PlanRowTaker take,
									void *context);
extern int DirectInsertRows(KeptPlan *plan, bool may_be_there,
							DirectParameterSetter next, void *context,
							bool *inserted);

extern bool DirectInsertBatch(KeptPlan *plan, DirectRowSetter next,
							  PlanRowTaker take, void *context);

extern int DirectDelete(KeptPlan *plan, int condition_count,
						ItemPointerData *tids, int count);

extern Datum DirectLabel(const DirectRow *row, int column, const char *label);
extern bool DirectIsOther(const DirectRow *row, int column, const char *label);
extern bool DirectIsText(const DirectRow *row, int column, Datum value);
extern int64 DirectGreatest(const DirectRow *row, int column, int64 value);
extern void DirectSet(DirectRow *row, int column, Datum value);
extern void DirectCopy(DirectRow *row, int column, const Datum *values,
					   const bool *nulls, int count);
extern void DirectSetNumber(DirectRow *row, int column, int bucket_column,
							int64 number);
extern DateADT DirectDay(TimestampTz time);
extern void DirectSetExpiration(DirectRow *row, int column, int day_column,
								TimestampTz expiration);

#endif /* ACTIVITYFEED_DIRECT_H */

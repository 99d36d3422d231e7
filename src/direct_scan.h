/*
 * direct_scan.h
 *		A page of a list without starting the executor.
 */
#ifndef ACTIVITYFEED_DIRECT_SCAN_H
#define ACTIVITYFEED_DIRECT_SCAN_H

#include "access/htup_details.h"

#include "plans.h"
#include "row.h"

/* A row that is looked at. */
typedef struct DirectHead
{
	HeapTuple tuple;
	TupleDesc type;			 /* of the table */
	const RowPlaces *places; /* of a shape's columns in it */
	Datum label;
} DirectHead;

/*
 * What a statement SELECT .. WHERE two columns are as given AND a bucket is in
 * a range AND conditions ORDER BY bucket, number LIMIT does, in C.  It returns
 * the shape's columns, in that order.
 */
typedef struct DirectScan
{
	const RowShape *shape;
	int keys[2];		   /* columns that begin the index */
	int key_parameters[2]; /* what they are equal to */
	int bucket;			   /* column by which the index goes on */
	int number;			   /* column that orders the rows of a bucket */
	int limit_parameter;
	bool is_descending;
	int condition_count; /* of the plan: what the index is made for is not told */
	const char *label; /* of enum status, for wants; or NULL */

	/* The lowest and the highest bucket. */
	void (*range)(const Datum *parameters, int64 *lowest, int64 *highest);

	/* Whether a row that has the keys fulfils the other conditions. */
	bool (*wants)(const DirectHead *head, const Datum *parameters,
				  const bool *nulls);
} DirectScan;

static inline Datum
DirectColumn(const DirectHead *head, int column, bool *isnull)
{
	return heap_getattr(head->tuple, head->places->places[column] + 1,
						head->type, isnull);
}

/*
 * A column of bigint or timestamptz, or what stands for null.
 */
static inline int64
DirectInt64(const DirectHead *head, int column, int64 if_null)
{
	bool isnull;
	Datum value = DirectColumn(head, column, &isnull);

	return isnull ? if_null : DatumGetInt64(value);
}

/*
 * Whether a column of enum status has another label than that.  As in SQL, null
 * is nothing: somebody may have dropped NOT NULL.
 */
static inline bool
DirectHasOtherLabel(const DirectHead *head, int column)
{
	bool isnull;

	return DirectColumn(head, column, &isnull) != head->label && !isnull;
}

/*
 * Whether it has that label.
 */
static inline bool
DirectHasLabel(const DirectHead *head, int column)
{
	bool isnull;

	return DirectColumn(head, column, &isnull) == head->label && !isnull;
}

extern bool DirectScanRows(KeptPlan *plan, const Datum *parameters,
						   const bool *nulls, PlanRowTaker take,
						   PlanTupleTaker take_tuple, void *context,
						   uint64 *count);

#endif /* ACTIVITYFEED_DIRECT_SCAN_H */

/*
 * direct_columns.h
 *		Whether a table's columns are as they were made.
 */
#ifndef ACTIVITYFEED_DIRECT_COLUMNS_H
#define ACTIVITYFEED_DIRECT_COLUMNS_H

#include "utils/rel.h"

#include "row.h"

typedef struct DirectColumns
{
	bool are_own;	  /* all are there, with types and expressions as made */
	bool have_others; /* somebody has added some */
	bool have_other_expressions; /* or defaults or generated columns */
	RowPlaces places;
} DirectColumns;

extern void DirectDescribeColumns(const RowShape *shape, Relation table,
								  DirectColumns *columns);

#endif /* ACTIVITYFEED_DIRECT_COLUMNS_H */

/*
 * direct_delete.h
 *		Deletes of rows at known places without the executor.
 */
#ifndef ACTIVITYFEED_DIRECT_DELETE_H
#define ACTIVITYFEED_DIRECT_DELETE_H

#include "storage/itemptr.h"

#include "direct_update.h"

/*
 * What a statement DELETE .. WHERE ctid = ANY ($1) AND conditions does, in C.
 */
typedef struct DirectDelete
{
	const RowShape *shape; /* of the columns that are looked at */
	int condition_count;   /* beside the ctid */

	/* Whether conditions hold of a row. */
	bool (*chosen)(void *context, const DirectRow *row);

	/* Takes a row that has been deleted, borrowed. */
	void (*take)(void *context, const DirectRow *row,
				 const ItemPointerData *tid);
} DirectDelete;

extern int DirectDeleteRows(KeptPlan *plan, const DirectDelete *direct,
							const ItemPointerData *tids, int count,
							void *context);

#endif /* ACTIVITYFEED_DIRECT_DELETE_H */

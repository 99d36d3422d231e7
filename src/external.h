/*
 * external.h
 *		External activities: the batch, and reading them back.
 */
#ifndef ACTIVITYFEED_EXTERNAL_H
#define ACTIVITYFEED_EXTERNAL_H

#include "document.h"
#include "plans.h"

/* The item that a batch is about. */
typedef struct ExternalItem
{
	Datum connection_id; /* text */
	Datum item_id;		 /* text */
} ExternalItem;

/* Where the elements of a batch are. */
typedef struct ExternalBatch
{
	int64 count;
	int room;			 /* for so many */
	JsonSlice *elements; /* of the document, which is borrowed */
} ExternalBatch;

extern bool ExternalFindBatch(JsonSlice document, bool strict,
							  ExternalBatch *batch, DocumentError *error);
extern void ExternalAdd(const ExternalItem *item, const ExternalBatch *batch,
						Oid type_enum, PlanRowTaker take, void *context);
extern void ExternalList(const ExternalItem *item, int top, int64 before,
						 PlanRowTaker take, void *context);

#endif /* ACTIVITYFEED_EXTERNAL_H */

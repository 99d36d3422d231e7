/*
 * purge_delete.h
 *		Deleting the rows that a purge has found.
 */
#ifndef ACTIVITYFEED_PURGE_DELETE_H
#define ACTIVITYFEED_PURGE_DELETE_H

#include "expired_rows.h"

/* How many rows a statement is given: arrays are to stay small. */
#define PURGE_CHUNK_SIZE 1000

typedef enum PurgeKind
{
	PURGE_EXPIRED_ITEMS,
	PURGE_EXPIRED_ACTIVITIES,
	PURGE_ITEMS /* be they expired or not */
} PurgeKind;

extern void PurgeDelete(PurgeKind kind, TimestampTz now,
						const ExpiredRows *found, ExpiredRows *gone);

#endif /* ACTIVITYFEED_PURGE_DELETE_H */

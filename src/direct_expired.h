/*
 * direct_expired.h
 *		Finding what has expired without the executor.
 */
#ifndef ACTIVITYFEED_DIRECT_EXPIRED_H
#define ACTIVITYFEED_DIRECT_EXPIRED_H

#include "expired_rows.h"
#include "plans.h"
#include "row.h"

/* The columns that a purge looks at. */
typedef enum ExpiredColumn
{
	EXPIRED_USER_ID,
	EXPIRED_ACTIVITY_ID,
	EXPIRED_STATUS,
	EXPIRED_CHANGE_NUMBER,
	EXPIRED_EXPIRATION,
	EXPIRED_DAY,
	EXPIRED_COLUMN_COUNT
} ExpiredColumn;

/* Which of a shape's they are. */
typedef struct DirectExpired
{
	const RowShape *shape;
	int columns[EXPIRED_COLUMN_COUNT];
} DirectExpired;

extern bool DirectFindExpired(KeptPlan *plan, const DirectExpired *columns,
							  TimestampTz now, int64 limit,
							  ExpiredRows *found);

#endif /* ACTIVITYFEED_DIRECT_EXPIRED_H */

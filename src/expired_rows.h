/*
 * expired_rows.h
 *		Rows that a purge has found or removed.
 */
#ifndef ACTIVITYFEED_EXPIRED_ROWS_H
#define ACTIVITYFEED_EXPIRED_ROWS_H

#include "datatype/timestamp.h"
#include "storage/itemptr.h"

/* clang-format off */
/* What ExpiredRowsTake takes, in its order. */
#define EXPIRED_ROW_COLUMNS(row, id) \
	row ".user_id, " row "." id ", " row ".ctid, " \
	row ".status OPERATOR(pg_catalog.=) 'deleted'::activityfeed.status, " \
	row ".change_number, " row ".expiration_date_time "
/* clang-format on */

/* An item or an activity. */
typedef struct ExpiredRow
{
	text *user_id; /* neighbours may share it */
	int64 activity_id;
	ItemPointerData tid;
	bool is_tombstone;
	int64 change_number;
	TimestampTz expiration;
} ExpiredRow;

typedef struct ExpiredRows
{
	int count;
	int size;
	ExpiredRow *rows;
} ExpiredRows;

extern ExpiredRows ExpiredRowsMake(void);
extern ExpiredRow *ExpiredRowsAdd(ExpiredRows *rows);
extern void ExpiredRowsTake(void *context, Datum *values, bool *nulls);
extern bool ExpiredRowsSameUser(const ExpiredRow *a, const ExpiredRow *b);
extern void ExpiredRowsSort(ExpiredRows *rows);
extern ExpiredRows ExpiredRowsUsers(const ExpiredRows *rows);
extern void ExpiredRowsSetKeys(Datum *values, const ExpiredRow *rows,
							   int count);

#endif /* ACTIVITYFEED_EXPIRED_ROWS_H */

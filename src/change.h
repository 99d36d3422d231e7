/*
 * change.h
 *		Change numbers: the order of everything in a user's feed.
 */
#ifndef ACTIVITYFEED_CHANGE_H
#define ACTIVITYFEED_CHANGE_H

#include "datatype/timestamp.h"

/* What one written row is stamped with. */
typedef struct ChangeStamp
{
	int64 number;
	TimestampTz time;
} ChangeStamp;

extern bool ChangeTake(Datum user_id, int count, bool create,
					   ChangeStamp *first);
extern ChangeStamp ChangeNext(ChangeStamp stamp);
extern int64 ChangeClock(void);

#endif /* ACTIVITYFEED_CHANGE_H */

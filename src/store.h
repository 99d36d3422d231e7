/*
 * store.h
 *		The write path.
 *
 * Every function expects SPI to be connected, a document that was checked and
 * ids that are long enough.  A row that was written goes to "take" as in
 * plans.h, in the order of row.h; it may be called more than once, and the
 * last call counts.
 *
 * What the caller can be told without an error comes back as an outcome.
 * Then nothing was written, though a change number may have been used.
 */
#ifndef ACTIVITYFEED_STORE_H
#define ACTIVITYFEED_STORE_H

#include "change.h"
#include "document.h"
#include "plans.h"
#include "principal.h"

typedef enum StoreOutcome
{
	STORE_DONE,
	STORE_NOT_FOUND, /* no such activity or item */
	STORE_COLLISION	 /* the id belongs to another activity */
} StoreOutcome;

/* A history item: which one, and of which activity. */
typedef struct HistoryItemKey
{
	Principal principal;
	int64 activity_id;
	pg_uuid_t id;
} HistoryItemKey;

extern StoreOutcome StoreUpsertActivity(const Principal *principal,
										const ActivityDocument *activity,
										PlanRowTaker take, void *context);
extern StoreOutcome StoreDeleteActivity(const Principal *principal, int64 id);
extern StoreOutcome StoreIgnoreActivity(const Principal *principal, int64 id,
										bool ignored);

extern StoreOutcome StoreUpsertHistoryItem(const HistoryItemKey *key,
										   const HistoryItemDocument *item,
										   PlanRowTaker take, void *context);
extern StoreOutcome StoreTouchHistoryItem(const HistoryItemKey *key,
										  TimestampTz last_active,
										  PlanRowTaker take, void *context);
extern StoreOutcome StoreDeleteHistoryItem(const HistoryItemKey *key);
extern void StoreRederiveHistory(Datum user_id, int64 activity_id,
								 TimestampTz expiration, PlanRowTaker take,
								 void *context);

/* Between store.c, store_history.c, store_item.c and store_deep.c */
extern bool StoreActivityExists(const Principal *principal, int64 id);
extern void StoreSetItem(const HistoryItemDocument *item, ChangeStamp stamp,
						 Datum *values, bool *nulls);
extern int StoreInsertItems(const HistoryItemKey *key,
							const ActivityDocument *activity,
							const pg_uuid_t *ids, ChangeStamp stamp,
							bool may_be_there, bool *inserted);
extern bool StoreAddItem(const HistoryItemKey *key,
						 const HistoryItemDocument *item, ChangeStamp stamp,
						 bool it_is_there, TimestampTz *expiration);
extern void StoreNoteHistory(Datum user_id, int64 activity_id, int64 newest,
							 TimestampTz latest, PlanRowTaker take,
							 void *context);
extern TimestampTz StoreLatestExpiration(const ActivityDocument *activity,
										 ChangeStamp stamp);
extern void StoreInsertHistory(const Principal *principal, int64 activity_id,
							   const ActivityDocument *activity,
							   ChangeStamp stamp, bool is_new,
							   PlanRowTaker take, void *context);

#endif /* ACTIVITYFEED_STORE_H */

/*
 * store_item.h
 *		Rows of history_item, between the files that write them.
 */
#ifndef ACTIVITYFEED_STORE_ITEM_H
#define ACTIVITYFEED_STORE_ITEM_H

#include "direct.h"
#include "store.h"

/* clang-format off */

#define ITEM_IS_LIVE(time) \
	"(" STATUS_IS_NOT("h.status", "deleted") " AND " \
	"h.expiration_date_time OPERATOR(pg_catalog.>) " time ")"

/* clang-format on */

/* Looks at an item's row on its way to the caller. */
typedef struct WrittenItem
{
	PlanRowTaker take; /* or NULL */
	void *context;
	TimestampTz started;
	TimestampTz last_active; /* only looked at where it cannot be null */
	TimestampTz expiration;
	bool duration_given;
	bool replaced;		   /* there was a row with that id */
	bool expiration_stays; /* and was live, and expires as it did */
} WrittenItem;

/*
 * The ways to write an item: as a heartbeat most probably does, as a document
 * that may lower its expiration, as one that is probably not there, and as one
 * that is.
 */
typedef enum ItemWay
{
	ITEM_HEARTBEAT,
	ITEM_EXPIRING,
	ITEM_ADDED,
	ITEM_REPLACED
} ItemWay;

extern bool ItemIsLive(const DirectRow *item, Datum app_id, Datum time);
extern void ItemSetChange(DirectRow *item, const char *status, Datum time,
						  Datum number);
extern void ItemSetKey(Datum *values, const HistoryItemKey *key);
extern void ItemTake(void *context, Datum *values, bool *nulls);
extern StoreOutcome ItemWrite(const HistoryItemKey *key,
							  const HistoryItemDocument *item,
							  ChangeStamp stamp, ItemWay way,
							  WrittenItem *written);
extern void ItemNote(const HistoryItemKey *key, int64 change_number,
					 const WrittenItem *item, bool may_be_lowered);

#endif /* ACTIVITYFEED_STORE_ITEM_H */

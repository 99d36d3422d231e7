/*
 * feed.h
 *		The read path.
 *
 * Every function expects SPI to be connected and hands rows to "take" as in
 * plans.h, in the order of row.h.  What has expired is not there.
 */
#ifndef ACTIVITYFEED_FEED_H
#define ACTIVITYFEED_FEED_H

#include "datatype/timestamp.h"

#include "plans.h"
#include "principal.h"

/* clang-format off */

/*
 * The apps of user $1 as app (app_id), by a loose scan: one probe of an index
 * for each.  The recursive term yields a last row of NULL.
 */
#define WITH_EVERY_APP \
	"WITH RECURSIVE app (app_id) AS (" \
	"(SELECT y.app_id FROM activityfeed.activity AS y " \
	"WHERE y.user_id OPERATOR(pg_catalog.=) $1 " \
	"ORDER BY y.app_id LIMIT 1) " \
	"UNION ALL " \
	"SELECT (SELECT y.app_id FROM activityfeed.activity AS y " \
	"WHERE y.user_id OPERATOR(pg_catalog.=) $1 " \
	"AND y.app_id OPERATOR(pg_catalog.>) app.app_id " \
	"ORDER BY y.app_id LIMIT 1) " \
	"FROM app WHERE app.app_id IS NOT NULL) "

/* clang-format on */

/* Which part of a list. */
typedef struct FeedPage
{
	int top;					 /* at most so many rows */
	int64 before;				 /* only numbers below; PG_INT64_MAX: all */
	TimestampTz modified_after;	 /* exclusive; DT_NOBEGIN: all */
	TimestampTz modified_before; /* exclusive; DT_NOEND: all */
} FeedPage;

extern void FeedActivities(const Principal *principal, const FeedPage *page,
						   bool ignored, PlanRowTaker take,
						   PlanTupleTaker take_tuple, void *context);
extern void FeedRecent(const Principal *principal, const FeedPage *page,
					   PlanRowTaker take, PlanTupleTaker take_tuple,
					   void *context);
extern void FeedHistoryItems(const Principal *principal, int64 activity_id,
							 const FeedPage *page, PlanRowTaker take,
							 void *context);
extern void FeedHistoryOfActivities(const Principal *principal, Datum ids,
									const FeedPage *page, PlanRowTaker take,
									void *context);
extern void FeedNewestHistory(const Principal *principal, int64 activity_id,
							  int top, PlanRowTaker take, void *context);
extern void FeedGetActivity(const Principal *principal, int64 id,
							PlanRowTaker take, void *context);
extern void FeedGetHistoryItem(const Principal *principal, int64 activity_id,
							   Datum id, PlanRowTaker take, void *context);

#endif /* ACTIVITYFEED_FEED_H */

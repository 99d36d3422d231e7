/*
 * functions_changes.c
 *		What SQL calls to read the change feed.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"

#include "activityfeed.h"
#include "changes.h"
#include "plans.h"

EXPORTS_BEGIN
PG_FUNCTION_INFO_V1(activityfeed_changes);
PG_FUNCTION_INFO_V1(activityfeed_invalidate_cursors);
EXPORTS_END

/*
 * changes(user_id text, app_id text, since bigint, top int)
 * returns setof change
 */
Datum
activityfeed_changes(PG_FUNCTION_ARGS)
{
	Principal principal = PrincipalForRead(fcinfo);
	int64 since = DatumGetInt64(ArgumentRequired(fcinfo, 2, "since"));
	int top = ArgumentTop(fcinfo, 3, "top");
	ReturnSetInfo *set;

	if (since < 0)
		ArgumentBadValue("since", "not be negative");
	InitMaterializedSRF(fcinfo, 0);
	set = (ReturnSetInfo *) fcinfo->resultinfo;
	SPI_connect();
	ChangesRead(&principal, since, top, set->setDesc, set->setResult);
	SPI_finish();
	return (Datum) 0;
}

/*
 * invalidate_cursors(user_id text) returns bigint
 */
Datum
activityfeed_invalidate_cursors(PG_FUNCTION_ARGS)
{
	bool every_user = PG_ARGISNULL(0);
	Datum user_id = (Datum) 0;
	uint64 feeds;

	PrincipalCheckService();
	if (!every_user)
		user_id = ArgumentId(fcinfo, 0, "user_id", MAX_ID_LENGTH);
	RefuseReadOnly(fcinfo);
	SPI_connect();
	feeds = ChangesInvalidateCursors(user_id, every_user);
	SPI_finish();
	PG_RETURN_INT64(feeds);
}

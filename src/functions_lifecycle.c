/*
 * functions_lifecycle.c
 *		What SQL calls to purge, export, erase and sum up.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "active_time.h"
#include "activityfeed.h"
#include "lifecycle.h"
#include "plans.h"
#include "principal.h"

EXPORTS_BEGIN
PG_FUNCTION_INFO_V1(activityfeed_purge_expired);
PG_FUNCTION_INFO_V1(activityfeed_export_user);
PG_FUNCTION_INFO_V1(activityfeed_erase_user);
PG_FUNCTION_INFO_V1(activityfeed_active_time);
EXPORTS_END

/* The keys of a batch are in memory. */
#define MAX_PURGE_BATCH 1000000

/*
 * purge_expired(batch_size int) returns bigint
 */
Datum
activityfeed_purge_expired(PG_FUNCTION_ARGS)
{
	int batch_size;
	int64 removed;

	PrincipalCheckService();
	batch_size = DatumGetInt32(ArgumentRequired(fcinfo, 0, "batch_size"));
	RefuseReadOnly(fcinfo);
	if (batch_size < 1 || batch_size > MAX_PURGE_BATCH)
		ArgumentBadValue("batch_size",
						 psprintf("be from 1 to %d", MAX_PURGE_BATCH));
	SPI_connect();
	removed = PurgeExpired(batch_size);
	SPI_finish();
	PG_RETURN_INT64(removed);
}

static void
StoreDocument(void *context, text *document)
{
	ReturnSetInfo *set = context;
	Datum value = PointerGetDatum(document);
	bool isnull = false;

	tuplestore_putvalues(set->setResult, set->setDesc, &value, &isnull);
}

/*
 * export_user(user_id text) returns setof json
 */
Datum
activityfeed_export_user(PG_FUNCTION_ARGS)
{
	Datum user_id;

	PrincipalCheckService();
	user_id = ArgumentId(fcinfo, 0, "user_id", MAX_ID_LENGTH);
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	SPI_connect();
	ExportUser(user_id, StoreDocument, fcinfo->resultinfo);
	SPI_finish();
	return (Datum) 0;
}

/*
 * erase_user(user_id text) returns bigint
 */
Datum
activityfeed_erase_user(PG_FUNCTION_ARGS)
{
	Datum user_id;
	int64 removed;

	PrincipalCheckService();
	user_id = ArgumentId(fcinfo, 0, "user_id", MAX_ID_LENGTH);
	RefuseReadOnly(fcinfo);
	SPI_connect();
	removed = EraseUser(user_id);
	SPI_finish();
	PG_RETURN_INT64(removed);
}

/*
 * A zone as AT TIME ZONE takes it, but for abbreviations.
 */
static pg_tz *
ZoneArgument(FunctionCallInfo fcinfo, int position, const char *name)
{
	char *zone_name =
		TextDatumGetCString(ArgumentRequired(fcinfo, position, name));
	pg_tz *zone = pg_tzset(zone_name);

	if (zone == NULL || !pg_tz_acceptable(zone))
		ArgumentBadValue(name,
						 "be a time zone that the server knows by full name");
	return zone;
}

static void
StoreDay(void *context, DateADT day, int64 activity_id, int64 seconds)
{
	ReturnSetInfo *set = context;
	Datum values[3];
	bool nulls[3] = {0};

	values[0] = DateADTGetDatum(day);
	values[1] = Int64GetDatum(activity_id);
	values[2] = Int64GetDatum(seconds);
	tuplestore_putvalues(set->setResult, set->setDesc, values, nulls);
}

/*
 * active_time(user_id text, app_id text, since timestamptz,
 *			   until timestamptz, time_zone text)
 * returns table (day date, activity_id bigint, seconds bigint)
 */
Datum
activityfeed_active_time(PG_FUNCTION_ARGS)
{
	Principal principal = PrincipalForRead(fcinfo);
	ActiveTimeSpan span;

	span.since = DatumGetTimestampTz(ArgumentRequired(fcinfo, 2, "since"));
	span.until = DatumGetTimestampTz(ArgumentRequired(fcinfo, 3, "until"));
	span.zone = ZoneArgument(fcinfo, 4, "time_zone");
	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	ActiveTime(&principal, &span, StoreDay, fcinfo->resultinfo);
	SPI_finish();
	return (Datum) 0;
}

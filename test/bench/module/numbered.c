/*
 * numbered.c
 *		The numbered floor: the feed's row for a change number, then the row.
 *
 * Two typed statements by SPI, planned once and kept, on tables defined as
 * those of the extension (schema numbered), under the same lock and with the
 * same rising times.  Left out is everything else: no JSON, no check of any
 * argument, no id to calculate, no look at whether the row had expired or was
 * deleted or ignored, no answer but the id.  It is told whether the row is
 * there, so it never needs a third statement; and a heartbeat leaves the
 * activity's own row alone.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "tcop/dest.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(numbered_replace_activity);
PG_FUNCTION_INFO_V1(numbered_create_activity);
PG_FUNCTION_INFO_V1(numbered_replace_history_item);

#define MAX_TYPES 16
#define RETENTION (INT64CONST(30) * USECS_PER_DAY)

typedef struct Statement
{
	const char *sql;
	int ntypes;
	Oid types[MAX_TYPES];
	SPIPlanPtr plan;
} Statement;

static Statement take_number = {
	.sql =
		"UPDATE numbered.feed SET change_number = change_number + 1, "
		"last_modified_date_time = greatest(clock_timestamp(), "
		"last_modified_date_time + '00:00:00.000001'::interval) "
		"WHERE user_id = $1 RETURNING change_number, last_modified_date_time",
	.ntypes = 1,
	.types = {TEXTOID}};

/*
 * $1 user_id, $2 id, $3 app_id, $4 to $12 what the client gives, $13 time, $14
 * number, $15 expiration.
 */
#define ACTIVITY_TYPES \
	{ \
		TEXTOID, INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, \
			TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, \
			INT8OID, TIMESTAMPTZOID \
	}

static Statement replace_activity = {
	.sql =
		"UPDATE numbered.activity SET app_id = $3, app_activity_id = $4, "
		"activity_source_host = $5, activation_url = $6, app_display_name = $7, "
		"content_url = $8, fallback_url = $9, user_timezone = $10, "
		"visual_elements = $11, content_info = $12, "
		"last_modified_date_time = $13, change_number = $14, "
		"expiration_date_time = $15 "
		"WHERE user_id = $1 AND id = $2 RETURNING id",
	.ntypes = 15,
	.types = ACTIVITY_TYPES};

static Statement create_activity = {
	.sql =
		"INSERT INTO numbered.activity (user_id, id, app_id, app_activity_id, "
		"activity_source_host, activation_url, app_display_name, content_url, "
		"fallback_url, user_timezone, visual_elements, content_info, status, "
		"created_date_time, last_modified_date_time, expiration_date_time, "
		"change_number, created_change_number) "
		"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'updated', "
		"$13, $13, $15, $14, $14) ON CONFLICT (user_id, id) DO NOTHING "
		"RETURNING id",
	.ntypes = 15,
	.types = ACTIVITY_TYPES};

/*
 * $1 user_id, $2 activity id, $3 id, $4 started, $5 last active, $6 duration,
 * $7 time zone, $8 time, $9 number.
 */
static Statement replace_history_item = {
	.sql =
		"UPDATE numbered.history_item SET started_date_time = $4, "
		"last_active_date_time = $5, active_duration_seconds = $6, "
		"active_duration_given = false, user_timezone = $7, status = 'updated', "
		"last_modified_date_time = $8, change_number = $9 "
		"WHERE user_id = $1 AND activity_id = $2 AND id = $3 "
		"RETURNING change_number",
	.ntypes = 9,
	.types = {TEXTOID, INT8OID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID,
			  INT4OID, TEXTOID, TIMESTAMPTZOID, INT8OID}};

/* Keeps up to two columns of 64 bits of the one row. */
typedef struct PairReceiver
{
	DestReceiver receiver;
	int64 values[2];
} PairReceiver;

static bool
ReceivePair(TupleTableSlot *slot, DestReceiver *self)
{
	PairReceiver *pair = (PairReceiver *) self;

	slot_getallattrs(slot);
	for (int i = 0; i < Min(slot->tts_tupleDescriptor->natts, 2); i++)
		pair->values[i] = DatumGetInt64(slot->tts_values[i]);
	return true;
}

static void
Startup(DestReceiver *self, int operation, TupleDesc type)
{
}

static void
Shutdown(DestReceiver *self)
{
}

static void
Execute(Statement *statement, Datum *values, int64 *result)
{
	PairReceiver pair = {{ReceivePair, Startup, Shutdown, Shutdown, DestNone},
						 {0, 0}};
	ParamListInfo parameters = makeParamList(statement->ntypes);
	SPIExecuteOptions options = {.params = parameters, .dest = &pair.receiver};

	if (statement->plan == NULL)
	{
		SPIPlanPtr plan =
			SPI_prepare_cursor(statement->sql, statement->ntypes,
							   statement->types, CURSOR_OPT_GENERIC_PLAN);

		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "could not prepare a statement");
		statement->plan = plan;
	}
	for (int i = 0; i < statement->ntypes; i++)
	{
		parameters->params[i].value = values[i];
		parameters->params[i].isnull = false;
		parameters->params[i].pflags = PARAM_FLAG_CONST;
		parameters->params[i].ptype = statement->types[i];
	}
	if (SPI_execute_plan_extended(statement->plan, &options) < 0 ||
		SPI_processed != 1)
		elog(ERROR, "statement did not write one row: %s", statement->sql);
	memcpy(result, pair.values, sizeof(pair.values));
}

/*
 * Takes a number and writes the row: the arguments of the call, then time and
 * number, then the expiration where the statement wants it.
 */
static Datum
WriteNumbered(FunctionCallInfo fcinfo, Statement *statement)
{
	Datum values[MAX_TYPES];
	int64 stamp[2];
	int64 result[2];
	int n = PG_NARGS();

	SPI_connect();
	for (int i = 0; i < n; i++)
		values[i] = PG_GETARG_DATUM(i);
	Execute(&take_number, values, stamp);
	values[n] = TimestampTzGetDatum(stamp[1]);
	values[n + 1] = Int64GetDatum(stamp[0]);
	values[n + 2] = TimestampTzGetDatum(stamp[1] + RETENTION);
	Execute(statement, values, result);
	SPI_finish();
	PG_RETURN_INT64(result[0]);
}

Datum
numbered_replace_activity(PG_FUNCTION_ARGS)
{
	return WriteNumbered(fcinfo, &replace_activity);
}

Datum
numbered_create_activity(PG_FUNCTION_ARGS)
{
	return WriteNumbered(fcinfo, &create_activity);
}

Datum
numbered_replace_history_item(PG_FUNCTION_ARGS)
{
	return WriteNumbered(fcinfo, &replace_history_item);
}

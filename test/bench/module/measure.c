/*
 * measure.c
 *		One statement, executed over and over inside one backend.
 *
 * What a prepared statement costs without the network: every call converts
 * its parameters from text, executes the kept plan and converts every column
 * of every row to text, as the server does for Bind and Execute.
 */
#include "postgres.h"

#include <time.h>

#include "access/xact.h"
#include "commands/prepare.h"
#include "common/pg_prng.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#define STATEMENT_NAME "bench_measured"
#define MAX_PARAMETERS 32

PG_FUNCTION_INFO_V1(bench_measure);

/* A statement, and the texts that its parameters are made of. */
typedef struct Measured
{
	SPIPlanPtr plan;
	int nparams;
	Oid types[MAX_PARAMETERS];
	FmgrInfo input[MAX_PARAMETERS];
	Oid ioparams[MAX_PARAMETERS];
	int nvariants;
	char **texts; /* nvariants times nparams */
	int64 first_user;
	int64 users;
	int64 rows; /* received so far */
	MemoryContext call_context;
} Measured;

static double
Now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

/*
 * The parameters' types are those that the parser finds, as for a client that
 * names none.
 */
static void
FindTypes(Measured *measured, const char *statement)
{
	char *prepare = psprintf("PREPARE " STATEMENT_NAME " AS %s", statement);
	CachedPlanSource *source;

	if (SPI_execute(prepare, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not prepare the statement");
	source = FetchPreparedStatement(STATEMENT_NAME, true)->plansource;
	if (source->num_params > MAX_PARAMETERS)
		elog(ERROR, "too many parameters");
	measured->nparams = source->num_params;
	for (int i = 0; i < source->num_params; i++)
	{
		Oid function;

		measured->types[i] = source->param_types[i];
		getTypeInputInfo(measured->types[i], &function,
						 &measured->ioparams[i]);
		fmgr_info_cxt(function, &measured->input[i], TopMemoryContext);
	}
	SPI_execute("DEALLOCATE " STATEMENT_NAME, false, 0);
}

static void
ReadTexts(Measured *measured, ArrayType *array)
{
	MemoryContext old_context = MemoryContextSwitchTo(TopMemoryContext);
	Datum *elements;
	int count;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL,
					  &count);
	measured->texts = palloc((count + 1) * sizeof(char *));
	for (int i = 0; i < count; i++)
		measured->texts[i] = TextDatumGetCString(elements[i]);
	measured->nvariants =
		measured->nparams == 0 ? 1 : count / measured->nparams;
	if (measured->nvariants * measured->nparams != count)
		elog(ERROR, "%d texts for %d parameters", count, measured->nparams);
	MemoryContextSwitchTo(old_context);
}

/*
 * A text that names what is different in every call, or the text itself.
 */
static char *
ParameterText(Measured *measured, char *text, char *buffer)
{
	int64 number;

	if (strcmp(text, "%user") == 0)
		number = measured->first_user +
				 pg_prng_uint64_range(&pg_global_prng_state, 0,
									  measured->users - 1);
	else if (strcmp(text, "%app") == 0)
		number = pg_prng_uint64_range(&pg_global_prng_state, 1000000000000,
									  9999999999999);
	else
		return text;
	snprintf(buffer, 32, INT64_FORMAT, number);
	return buffer;
}

static void
TakeAnswer(Measured *measured)
{
	for (uint64 row = 0; row < SPI_processed && SPI_tuptable != NULL; row++)
	{
		TupleDesc type = SPI_tuptable->tupdesc;

		for (int column = 1; column <= type->natts; column++)
			(void) SPI_getvalue(SPI_tuptable->vals[row], type, column);
		measured->rows++;
	}
	if (SPI_tuptable != NULL)
		SPI_freetuptable(SPI_tuptable);
}

static void
CallOnce(Measured *measured)
{
	MemoryContext old_context = MemoryContextSwitchTo(measured->call_context);
	Datum values[MAX_PARAMETERS];
	char buffer[32];
	char **texts =
		measured->texts +
		measured->nparams * pg_prng_uint64_range(&pg_global_prng_state, 0,
												 measured->nvariants - 1);

	for (int i = 0; i < measured->nparams; i++)
		values[i] = InputFunctionCall(
			&measured->input[i], ParameterText(measured, texts[i], buffer),
			measured->ioparams[i], -1);
	if (SPI_execute_plan(measured->plan, values, NULL, false, 0) < 0)
		elog(ERROR, "could not execute the statement");
	TakeAnswer(measured);
	MemoryContextSwitchTo(old_context);
	MemoryContextReset(measured->call_context);
}

static void
CallOften(Measured *measured, int calls, int per_transaction)
{
	for (int i = 1; i <= calls; i++)
	{
		CHECK_FOR_INTERRUPTS();
		CallOnce(measured);
		if (per_transaction > 0 && i % per_transaction == 0)
			SPI_commit();
	}
	if (per_transaction > 0)
		SPI_commit();
}

/*
 * bench.measure(statement text, texts text[], calls int, per_transaction int,
 *				 first_user bigint, users bigint,
 *				 INOUT cpu float8, INOUT elapsed float8, INOUT rows float8)
 *
 * Microseconds and rows per call, after a tenth as many calls that do not
 * count.  Commits after every per_transaction calls, unless that is 0: then
 * nothing comes before the calls, and all of it is one transaction.
 */
Datum
bench_measure(PG_FUNCTION_ARGS)
{
	char *statement = text_to_cstring(PG_GETARG_TEXT_PP(0));
	int calls = PG_GETARG_INT32(2);
	int per_transaction = PG_GETARG_INT32(3);
	Measured measured = {.first_user = PG_GETARG_INT64(4),
						 .users = PG_GETARG_INT64(5)};
	double cpu, elapsed;
	TupleDesc type;
	Datum values[3];
	bool nulls[3] = {0};

	if (SPI_connect_ext(SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	FindTypes(&measured, statement);
	ReadTexts(&measured, PG_GETARG_ARRAYTYPE_P(1));
	measured.call_context = AllocSetContextCreate(
		TopMemoryContext, "bench call", ALLOCSET_DEFAULT_SIZES);
	measured.plan = SPI_prepare(statement, measured.nparams, measured.types);
	if (measured.plan == NULL || SPI_keepplan(measured.plan) != 0)
		elog(ERROR, "could not prepare the statement");
	if (per_transaction > 0)
		CallOften(&measured, Max(calls / 10, 20), per_transaction);
	measured.rows = 0;
	cpu = Now(CLOCK_PROCESS_CPUTIME_ID);
	elapsed = Now(CLOCK_MONOTONIC);
	CallOften(&measured, calls, per_transaction);
	values[0] = Float8GetDatum((Now(CLOCK_PROCESS_CPUTIME_ID) - cpu) / calls);
	values[1] = Float8GetDatum((Now(CLOCK_MONOTONIC) - elapsed) / calls);
	values[2] = Float8GetDatum((double) measured.rows / calls);
	SPI_freeplan(measured.plan);
	MemoryContextDelete(measured.call_context);
	SPI_finish();

	type = CreateTemplateTupleDesc(3);
	TupleDescInitEntry(type, 1, "cpu", FLOAT8OID, -1, 0);
	TupleDescInitEntry(type, 2, "elapsed", FLOAT8OID, -1, 0);
	TupleDescInitEntry(type, 3, "rows", FLOAT8OID, -1, 0);
	PG_RETURN_DATUM(HeapTupleGetDatum(
		heap_form_tuple(BlessTupleDesc(type), values, nulls)));
}

/*
 * functions_graph.c
 *		What SQL calls to have a request answered.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "activityfeed.h"
#include "graph_request.h"
#include "plans.h"
#include "row.h"

EXPORTS_BEGIN
PG_FUNCTION_INFO_V1(activityfeed_graph_request);
EXPORTS_END

static const char *const response_names[] = {"status", "location", "body"};

static const RowShape response_shape = {.count = lengthof(response_names),
										.names = response_names};

static GraphRequest
RequestArguments(FunctionCallInfo fcinfo)
{
	GraphRequest request = {0};

	request.method =
		TextDatumGetCString(ArgumentRequired(fcinfo, 2, "method"));
	request.target =
		TextDatumGetCString(ArgumentRequired(fcinfo, 3, "target"));
	if (pg_strcasecmp(request.method, "POST") == 0)
		RefuseReadOnly(fcinfo);
	request.principal = GraphMethodWritesFeed(request.method)
							? PrincipalForWrite(fcinfo)
							: PrincipalForRead(fcinfo);
	request.has_body = !PG_ARGISNULL(4);
	if (request.has_body)
		request.body = PG_GETARG_DATUM(4);
	return request;
}

/*
 * The answer as a row, in the current memory context.
 */
static Datum
FormResponse(FunctionCallInfo fcinfo, const GraphAnswer *answer)
{
	const StringInfoData *body = &answer->body;
	bool nulls[] = {false, answer->location == NULL, body->len == 0};
	Datum values[lengthof(response_names)] = {0};
	TupleDesc expected;

	if (get_call_result_type(fcinfo, NULL, &expected) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = Int32GetDatum(answer->status);
	if (!nulls[1])
		values[1] = CStringGetTextDatum(answer->location);
	if (!nulls[2])
		values[2] =
			PointerGetDatum(cstring_to_text_with_len(body->data, body->len));
	return HeapTupleGetDatum(
		RowForm(&response_shape, expected, values, nulls));
}

/*
 * graph_request(user_id text, app_id text, method text, target text,
 *				 body text) returns graph_response
 *
 * All that is made for the answer, also what json-c has allocated, goes with
 * a context of its own.
 */
Datum
activityfeed_graph_request(PG_FUNCTION_ARGS)
{
	MemoryContext context = AllocSetContextCreate(
		CurrentMemoryContext, "activityfeed request", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old_context = MemoryContextSwitchTo(context);
	GraphRequest request = RequestArguments(fcinfo);
	GraphAnswer answer;
	Datum response;

	SPI_connect();
	MemoryContextSwitchTo(context);
	GraphRequestAnswer(&request, &answer);
	SPI_finish();
	MemoryContextSwitchTo(old_context);
	response = FormResponse(fcinfo, &answer);
	MemoryContextDelete(context);
	PG_RETURN_DATUM(response);
}

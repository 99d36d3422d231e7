/*
 * plans.c
 *		Constant SQL text as kept plans: the one place that talks to SPI.
 *
 * Rows go from the executor straight to a function of the caller, not by way
 * of an SPI tuple table.  How statements are planned is in planner_hook.c.
 */
#include "postgres.h"

#include "executor/tuptable.h"
#include "tcop/dest.h"
#include "utils/array.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"

#include "direct.h"
#include "direct_scan.h"
#include "planner_hook.h"
#include "plans.h"
#include "principal.h"

/* A destination that hands each row to a function. */
typedef struct RowDestination
{
	DestReceiver receiver;
	PlanRowTaker take;
	void *context;
	MemoryContext caller_context; /* current while take runs */
} RowDestination;

static bool
ReceiveRow(TupleTableSlot *slot, DestReceiver *self)
{
	RowDestination *destination = (RowDestination *) self;
	MemoryContext old_context;

	if (destination->take == NULL)
		return true;
	slot_getallattrs(slot);
	old_context = MemoryContextSwitchTo(destination->caller_context);
	destination->take(destination->context, slot->tts_values,
					  slot->tts_isnull);
	MemoryContextSwitchTo(old_context);
	return true;
}

static void
StartupReceiver(DestReceiver *self, int operation, TupleDesc typeinfo)
{
}

static void
ShutdownReceiver(DestReceiver *self)
{
}

/*
 * Generic plans, but under Citus: it finds the worker of most statements only
 * when it knows the user.
 */
static bool
NeedsCustomPlans(void)
{
	return GetConfigOption("citus.shard_count", true, false) != NULL;
}

static void
PlanPrepare(KeptPlan *plan)
{
	SPIPlanPtr prepared;
	CachedPlanSource *source;

	plan->is_custom = NeedsCustomPlans();
	prepared = SPI_prepare_cursor(plan->sql, plan->nparams, plan->types,
								  plan->is_custom ? CURSOR_OPT_CUSTOM_PLAN
												  : CURSOR_OPT_GENERIC_PLAN);
	if (prepared == NULL)
		elog(ERROR, "could not prepare a statement: %s",
			 SPI_result_code_string(SPI_result));
	if (SPI_keepplan(prepared) != 0)
		elog(ERROR, "could not keep a plan");
	plan->plan = prepared;
	source =
		(CachedPlanSource *) linitial(SPI_plan_get_plan_sources(prepared));
	PlannerHookAdd(plan, source->query_string);
}

static ParamListInfo
MakeParameters(const KeptPlan *plan, Datum *values, const bool *nulls)
{
	ParamListInfo parameters = makeParamList(plan->nparams);

	for (int i = 0; i < plan->nparams; i++)
	{
		ParamExternData *parameter = &parameters->params[i];

		parameter->value = values[i];
		parameter->isnull = nulls != NULL && nulls[i];
		parameter->pflags = PARAM_FLAG_CONST;
		parameter->ptype = plan->types[i];
	}
	return parameters;
}

static uint64
ExecutePlan(KeptPlan *plan, Datum *values, const bool *nulls, bool read_only,
			PlanRowTaker take, void *context)
{
	RowDestination destination = {{ReceiveRow, StartupReceiver,
								   ShutdownReceiver, ShutdownReceiver,
								   DestNone},
								  take,
								  context,
								  CurrentMemoryContext};
	SPIExecuteOptions options = {0};
	int result;

	options.params = MakeParameters(plan, values, nulls);
	options.read_only = read_only;
	options.dest = &destination.receiver;
	result = SPI_execute_plan_extended(plan->plan, &options);
	if (result < 0)
		elog(ERROR, "could not execute a statement: %s",
			 SPI_result_code_string(result));
	return SPI_processed;
}

/*
 * Executes although the user asked for custom plans: nothing could be gained
 * by making one for each execution.
 */
static uint64
ExecuteGenericPlan(KeptPlan *plan, Datum *values, const bool *nulls,
				   bool read_only, PlanRowTaker take, void *context)
{
	int nest_level = NewGUCNestLevel();
	uint64 processed;

	(void) set_config_option("plan_cache_mode", "auto", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	processed = ExecutePlan(plan, values, nulls, read_only, take, context);
	AtEOXact_GUC(true, nest_level);
	return processed;
}

/*
 * Has a plan made anew, as an invalidation would.
 */
static void
ForgetPlan(KeptPlan *plan)
{
	CachedPlanSource *source =
		(CachedPlanSource *) linitial(SPI_plan_get_plan_sources(plan->plan));

	source->is_valid = false;
	if (source->gplan != NULL)
		source->gplan->is_valid = false;
}

/*
 * Prepares a statement, or sees to it that its plan is one for the current
 * role.
 */
static void
MakeReady(KeptPlan *plan)
{
	if (plan->plan == NULL)
		PlanPrepare(plan);
	else if (plan->for_service && !PrincipalIsService())
		ForgetPlan(plan);
}

/*
 * Does in C what the statement would do, if that can be.
 */
static bool
ExecuteDirectly(KeptPlan *plan, const Datum *values, const bool *nulls,
				PlanRowTaker take, void *context, uint64 *processed)
{
	DirectResult result;

	plan->found_no_key = false;
	if (plan->direct == NULL || plan->is_custom)
		return false;
	if (plan->direct->command == CMD_UPDATE)
		result = DirectUpdateRow(plan, values, nulls, take, context);
	else
		result = DirectInsertRow(plan, values, nulls, take, context);
	plan->found_no_key = result == DIRECT_NO_ROW;
	*processed = result == DIRECT_DONE ? 1 : 0;
	return result != DIRECT_NOT_DONE;
}

/*
 * Makes a statement ready for those who look at its plan.  Returns false where
 * it has none for more than one execution.
 */
bool
PlanReady(KeptPlan *plan)
{
	MemoryContext caller_context = CurrentMemoryContext;

	MakeReady(plan);
	MemoryContextSwitchTo(caller_context);
	return !plan->is_custom;
}

/*
 * SPI leaves its own memory context current, which goes with SPI_finish: what
 * the caller makes afterwards is to be where the caller wants it.
 */
static uint64
PlanExecute(KeptPlan *plan, Datum *values, const bool *nulls, bool read_only,
			PlanRowTaker take, void *context)
{
	MemoryContext caller_context = CurrentMemoryContext;
	uint64 processed;

	MakeReady(plan);
	MemoryContextSwitchTo(caller_context);
	if (ExecuteDirectly(plan, values, nulls, take, context, &processed))
		return processed;
	if (plan_cache_mode == PLAN_CACHE_MODE_FORCE_CUSTOM_PLAN)
		processed =
			ExecuteGenericPlan(plan, values, nulls, read_only, take, context);
	else
		processed = ExecutePlan(plan, values, nulls, read_only, take, context);
	MemoryContextSwitchTo(caller_context);
	return processed;
}

/*
 * Executes a plan that only reads, under the snapshot of the calling query.
 * Returns the number of rows.  SPI must be connected.
 *
 * nulls may be NULL when no value is null, take when nobody wants the rows.
 * take runs in the memory context that was current at the call.
 */
uint64
PlanRead(KeptPlan *plan, Datum *values, const bool *nulls, PlanRowTaker take,
		 void *context)
{
	return PlanExecute(plan, values, nulls, true, take, context);
}

/*
 * The same for a list of rows of one table, which may come as they are.
 */
uint64
PlanReadTuples(KeptPlan *plan, Datum *values, const bool *nulls,
			   PlanRowTaker take, PlanTupleTaker take_tuple, void *context)
{
	uint64 processed;

	if (plan->scan != NULL && PlanReady(plan) &&
		DirectScanRows(plan, values, nulls, take, take_tuple, context,
					   &processed))
		return processed;
	return PlanExecute(plan, values, nulls, true, take, context);
}

/*
 * The same for a plan that writes, or that must see what has been written: it
 * runs under a snapshot of its own where the isolation level has such.
 */
uint64
PlanWrite(KeptPlan *plan, Datum *values, const bool *nulls, PlanRowTaker take,
		  void *context)
{
	return PlanExecute(plan, values, nulls, false, take, context);
}

/*
 * An array as a parameter; nulls may be NULL when no element is null.
 */
Datum
PlanArray(Datum *elements, bool *nulls, int count, Oid type)
{
	int lower_bound = 1;
	int16 length;
	bool by_value;
	char align;

	get_typlenbyvalalign(type, &length, &by_value, &align);
	return PointerGetDatum(construct_md_array(elements, nulls, 1, &count,
											  &lower_bound, type, length,
											  by_value, align));
}

/*
 * Raises 27000 for a row that was to be written and was not.
 */
void
PlanRaiseSuppressed(const char *table)
{
	ereport(
		ERROR,
		(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
		 errmsg("row for table \"%s\" was not written", table),
		 errdetail(
			 "A trigger or a rule on the table, or on one that it refers to, kept the row out."),
		 err_generic_string(PG_DIAG_SCHEMA_NAME, "activityfeed"),
		 err_generic_string(PG_DIAG_TABLE_NAME, table)));
	pg_unreachable();
}

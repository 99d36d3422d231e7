/*
 * plans.c
 *		Constant SQL text as kept plans: the one place for planner settings.
 *
 * Every statement is planned once per session, as a generic plan, and must be
 * good for any user, app and table size from then on.  Lists find their rows
 * by an index and stop early, which the planner would give up for a full sort
 * or a bitmap when its statistics are small or old (a table that was empty
 * when the session began); other statements find them by primary key, which
 * it would give up for another index then.  So plans are made with those ways
 * switched off; nothing but the making of these plans is affected.
 *
 * Rows go from the executor straight to a function of the caller, not by way
 * of an SPI tuple table.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "executor/tuptable.h"
#include "tcop/dest.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/plancache.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

#include "activityfeed.h"
#include "planner_hook.h"
#include "plans.h"

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

static void
SetForPlanning(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/*
 * Leaves the planner only the ways that are good whatever the statistics, up
 * to the end of the GUC nest level.
 */
static void
RestrictPlanner(void)
{
	SetForPlanning("enable_sort", "off");
	SetForPlanning("enable_seqscan", "off");
	SetForPlanning("enable_bitmapscan", "off");
	SetForPlanning("enable_indexscan", "on");
	SetForPlanning("enable_tidscan", "on");
	SetForPlanning("enable_incremental_sort", "on");
	SetForPlanning("jit", "off");
	SetForPlanning("plan_cache_mode", "auto");
}

/*
 * Whether GetCachedPlan would use the generic plan that is there, instead of
 * making one.  Mirrors the conditions of plancache.c: the part that is
 * exported, and what depends on the role and on the transaction.
 */
static bool
GenericPlanIsReady(CachedPlanSource *source)
{
	CachedPlan *plan = source->gplan;

	if (!CachedPlanIsSimplyValid(source, plan, NULL))
		return false;
	if (source->dependsOnRLS && (source->rewriteRoleId != GetUserId() ||
								 source->rewriteRowSecurity != row_security))
		return false;
	if (plan->dependsOnRole && plan->planRoleId != GetUserId())
		return false;
	return !TransactionIdIsValid(plan->saved_xmin) ||
		   TransactionIdEquals(plan->saved_xmin, TransactionXmin);
}

static void
MakeGenericPlan(KeptPlan *plan)
{
	bool outer = planner_unique_indexes_only;
	int nest_level = NewGUCNestLevel();

	RestrictPlanner();
	planner_unique_indexes_only = plan->by_key;
	PG_TRY();
	{
		ReleaseCachedPlan(SPI_plan_get_cached_plan(plan->plan),
						  CurrentResourceOwner);
	}
	PG_FINALLY();
	{
		planner_unique_indexes_only = outer;
	}
	PG_END_TRY();
	AtEOXact_GUC(true, nest_level);
}

/*
 * Makes the generic plan anew, if it is not there or no longer valid.
 *
 * An invalidation that arrives between this and the execution makes SPI plan
 * with the session's settings.  That plan has another generation, and is
 * dropped here the next time.
 */
static void
PlanMakeReady(KeptPlan *plan)
{
	List *sources = SPI_plan_get_plan_sources(plan->plan);
	CachedPlanSource *source = (CachedPlanSource *) linitial(sources);

	AcceptInvalidationMessages();
	if (source->generation == plan->generation && GenericPlanIsReady(source))
		return;
	if (source->gplan != NULL)
		source->gplan->is_valid = false;
	MakeGenericPlan(plan);
	plan->generation = source->generation;
}

static void
PlanPrepare(KeptPlan *plan)
{
	SPIPlanPtr prepared;

	prepared = SPI_prepare_cursor(plan->sql, plan->nparams, plan->types,
								  CURSOR_OPT_GENERIC_PLAN);
	if (prepared == NULL)
		elog(ERROR, "could not prepare a statement: %s",
			 SPI_result_code_string(SPI_result));
	if (SPI_keepplan(prepared) != 0)
		elog(ERROR, "could not keep a plan");
	plan->plan = prepared;
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
 * by one here, and it would be made with the session's planner settings.
 */
static uint64
ExecuteGenericPlan(KeptPlan *plan, Datum *values, const bool *nulls,
				   bool read_only, PlanRowTaker take, void *context)
{
	int nest_level = NewGUCNestLevel();
	uint64 processed;

	SetForPlanning("plan_cache_mode", "auto");
	processed = ExecutePlan(plan, values, nulls, read_only, take, context);
	AtEOXact_GUC(true, nest_level);
	return processed;
}

static uint64
PlanExecute(KeptPlan *plan, Datum *values, const bool *nulls, bool read_only,
			PlanRowTaker take, void *context)
{
	if (plan->plan == NULL)
		PlanPrepare(plan);
	PlanMakeReady(plan);
	if (plan_cache_mode == PLAN_CACHE_MODE_FORCE_CUSTOM_PLAN)
		return ExecuteGenericPlan(plan, values, nulls, read_only, take,
								  context);
	return ExecutePlan(plan, values, nulls, read_only, take, context);
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

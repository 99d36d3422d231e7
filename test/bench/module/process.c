/*
 * process.c
 *		What this backend has used: processor time, memory, plans.
 */
#include "postgres.h"

#include <time.h>

#include "fmgr.h"
#include "optimizer/planner.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(bench_cpu);
PG_FUNCTION_INFO_V1(bench_memory);
PG_FUNCTION_INFO_V1(bench_plans);

static planner_hook_type next_planner_hook;
static int64 plans_made;

static PlannedStmt *
CountPlan(Query *parse, const char *query_string, int cursor_options,
		  ParamListInfo parameters)
{
	plans_made++;
	if (next_planner_hook != NULL)
		return next_planner_hook(parse, query_string, cursor_options,
								 parameters);
	return standard_planner(parse, query_string, cursor_options, parameters);
}

void _PG_init(void);

void
_PG_init(void)
{
	next_planner_hook = planner_hook;
	planner_hook = CountPlan;
}

/* bench.cpu(): microseconds, user and system */
Datum
bench_cpu(PG_FUNCTION_ARGS)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	PG_RETURN_FLOAT8(time.tv_sec * 1e6 + time.tv_nsec / 1e3);
}

/* bench.memory(): bytes of anonymous memory that are resident */
Datum
bench_memory(PG_FUNCTION_ARGS)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[256];
	long kilobytes = -1;

	if (status == NULL)
		elog(ERROR, "could not open /proc/self/status");
	while (fgets(line, sizeof(line), status) != NULL)
		if (sscanf(line, "RssAnon: %ld kB", &kilobytes) == 1)
			break;
	fclose(status);
	PG_RETURN_INT64((int64) kilobytes * 1024);
}

/* bench.plans(): how often the planner was called since the module is here */
Datum
bench_plans(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(plans_made);
}

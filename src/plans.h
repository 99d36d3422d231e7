/*
 * plans.h
 *		Constant SQL text as kept plans.
 *
 * A KeptPlan is a static variable of the file that uses it.  Parameter types are
 * built-in ones only: an enum's OID would die with the extension and come
 * back as another one in the same session.
 */
#ifndef ACTIVITYFEED_PLANS_H
#define ACTIVITYFEED_PLANS_H

#include "executor/spi.h"

#include "activityfeed.h"

#define MAX_PLAN_PARAMETERS 17

struct DirectScan;
struct DirectStatement;

typedef struct KeptPlan
{
	const char *sql; /* every name in it is qualified */
	int nparams;
	Oid types[MAX_PLAN_PARAMETERS];
	bool by_key;	  /* rows are named by their primary key */
	bool by_tid;	  /* or by their ctid */
	bool for_service; /* planned without row security */
	const struct DirectStatement *direct; /* the same in C, or NULL */
	const struct DirectScan *scan;		  /* or this, see direct_scan.c */
	bool is_custom;						  /* planned for each execution */
	bool found_no_key; /* the last time: direct, and no row had that key */
	SPIPlanPtr plan;   /* NULL until first used */
	const char *query_string; /* the plan cache's copy of sql */
	struct KeptPlan *next;	  /* of those in use, see planner_hook.c */
} KeptPlan;

/*
 * Takes a row of the result.  values and nulls are the columns in the order
 * of the SQL text, borrowed: they are gone when the function returns.
 */
typedef void (*PlanRowTaker)(void *context, Datum *values, bool *nulls);

/*
 * Takes a row of the statement's table as it is, borrowed too.  Returns false
 * for one that has to be handed to a PlanRowTaker.
 */
typedef bool (*PlanTupleTaker)(void *context, TupleTableSlot *slot);

extern uint64 PlanRead(KeptPlan *plan, Datum *values, const bool *nulls,
					   PlanRowTaker take, void *context);
extern uint64 PlanReadTuples(KeptPlan *plan, Datum *values, const bool *nulls,
							 PlanRowTaker take, PlanTupleTaker take_tuple,
							 void *context);
extern uint64 PlanWrite(KeptPlan *plan, Datum *values, const bool *nulls,
						PlanRowTaker take, void *context);
extern bool PlanReady(KeptPlan *plan);
extern Datum PlanArray(Datum *elements, bool *nulls, int count, Oid type);
extern void PlanRaiseSuppressed(const char *table) NEVER_RETURNS;

#endif /* ACTIVITYFEED_PLANS_H */

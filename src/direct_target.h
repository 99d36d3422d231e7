/*
 * direct_target.h
 *		The table of a statement that is done without the executor.
 */
#ifndef ACTIVITYFEED_DIRECT_TARGET_H
#define ACTIVITYFEED_DIRECT_TARGET_H

#include "access/genam.h"
#include "executor/executor.h"
#include "nodes/plannodes.h"
#include "utils/rel.h"

#include "direct.h"
#include "direct_columns.h"

typedef struct DirectTarget
{
	const KeptPlan *plan;
	const PlannedStmt *statement;
	Relation table;
	Relation index;		   /* that is scanned */
	DirectColumns columns; /* of the table */
	PlanRowTaker take;
	void *context;
} DirectTarget;

/*
 * Does what the statement says; target says which, and is not open yet.
 */
typedef DirectResult (*DirectAction)(DirectTarget *target, void *context);

/* What changed between PostgreSQL 15 and 18. */
#if PG_VERSION_NUM >= 180000
#define BEGIN_INDEX_SCAN(table, index, snapshot, keys) \
	index_beginscan(table, index, snapshot, NULL, keys, 0)
#define COPY_MINIMAL_TUPLE(tuple) minimal_tuple_from_heap_tuple(tuple, 0)
#else
#define BEGIN_INDEX_SCAN(table, index, snapshot, keys) \
	index_beginscan(table, index, snapshot, keys, 0)
#define COPY_MINIMAL_TUPLE(tuple) minimal_tuple_from_heap_tuple(tuple)
#endif

#if PG_VERSION_NUM >= 160000
#define INSERT_INDEX_ENTRIES(result, slot, state, is_update, is_silent, \
							 conflict, arbiters, only_summarizing) \
	ExecInsertIndexTuples(result, slot, state, is_update, is_silent, \
						  conflict, arbiters, only_summarizing)
#else
#define INSERT_INDEX_ENTRIES(result, slot, state, is_update, is_silent, \
							 conflict, arbiters, only_summarizing) \
	ExecInsertIndexTuples(result, slot, state, is_update, is_silent, \
						  conflict, arbiters)
#endif

extern DirectResult DirectRun(DirectTarget *target, DirectAction action,
							  void *context);
extern void DirectCheckPermissions(const PlannedStmt *statement);
extern void DirectOpenTable(DirectTarget *target);
extern void DirectCloseTable(DirectTarget *target);
extern ResultRelInfo *DirectOpenIndexes(const DirectTarget *target,
										EState *state);
extern void DirectOpenScan(DirectTarget *target, const IndexScan *scan,
						   const RowShape *shape);
extern void DirectCloseScan(DirectTarget *target);
extern bool DirectFindRow(IndexScanDesc scan, const KeptPlan *plan,
						  const Datum *key, int length, TupleTableSlot *slot);
extern bool DirectHoldParent(const DirectTarget *target,
							 const Datum *parameters, Oid index_id);
extern bool DirectFitColumns(TupleDesc type, bool *nulls);

#endif /* ACTIVITYFEED_DIRECT_TARGET_H */

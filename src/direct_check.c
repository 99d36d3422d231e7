/*
 * direct_check.c
 *		Whether an update may be made without the executor.
 *
 * It may where the statement would do nothing but write the next version of
 * one row: what could be beside that is told by its plan (rules, children,
 * row security), by the table's description (constraints, defaults, types,
 * partitions) and by the row (triggers).  Somebody who changes any of these
 * makes the plan cache plan anew, and relcache descriptions are current
 * because the table is locked, so all of it is looked at in each call.
 */
#include "postgres.h"

#include "catalog/pg_trigger.h"
#include "commands/trigger.h"

#include "direct_check.h"

/*
 * Whether the conditions of an index scan are the statement's first parameters
 * and no more, each equal to the index's column of that number.
 */
static bool
IsScanByKey(const IndexScan *scan, const DirectUpdate *update)
{
	ListCell *cell;

	foreach (cell, scan->indexqual)
	{
		const OpExpr *condition = lfirst(cell);
		int position = foreach_current_index(cell) + 1;
		const Node *column;
		const Param *parameter;

		if (!IsA(condition, OpExpr))
			return false;
		column = linitial(condition->args);
		if (IsA(column, RelabelType))
			column = (const Node *) ((const RelabelType *) column)->arg;
		parameter = lsecond(condition->args);
		if (!IsA(column, Var) || ((const Var *) column)->varattno != position)
			return false;
		if (!IsA(parameter, Param) || parameter->paramkind != PARAM_EXTERN ||
			parameter->paramid != position)
			return false;
	}
	return list_length(scan->indexqual) == update->key_length &&
		   list_length(scan->scan.plan.qual) == update->condition_count &&
		   scan->scan.plan.initPlan == NIL;
}

/*
 * The index by which a statement updates one row, if that is all that it does;
 * else InvalidOid.
 */
Oid
DirectIndexOf(const PlannedStmt *statement, const DirectUpdate *direct)
{
	const ModifyTable *update = (const ModifyTable *) statement->planTree;
	const IndexScan *scan;

	if (statement->commandType != CMD_UPDATE || !IsA(update, ModifyTable) ||
		update->operation != CMD_UPDATE || update->plan.initPlan != NIL ||
		update->withCheckOptionLists != NIL || update->rowMarks != NIL ||
		list_length(update->resultRelations) != 1)
		return InvalidOid;
	scan = (const IndexScan *) outerPlan(&update->plan);
	return IsA(scan, IndexScan) && IsScanByKey(scan, direct) ? scan->indexid
															 : InvalidOid;
}

/*
 * Whether the index is the primary key's, with its columns in our order.
 */
static bool
IsOwnKey(const KeptPlan *plan, Relation index)
{
	int length = plan->direct->key_length;

	if (!index->rd_index->indisprimary ||
		IndexRelationGetNumberOfKeyAttributes(index) != length)
		return false;
	for (int i = 0; i < length; i++)
	{
		if (index->rd_opcintype[i] != plan->types[i])
			return false;
	}
	return true;
}

/*
 * Whether columns have the types that they were made with, so that a value is
 * stored as it is, and as many are generated as we calculate.
 */
static bool
HasOwnColumns(const DirectUpdate *update, Relation table,
			  const RowPlaces *places)
{
	int generated_count;

	return RowHasTypes(update->shape, RelationGetDescr(table), places,
					   &generated_count) &&
		   generated_count == update->generated_count;
}

/*
 * Whether an update runs triggers of its own, even one that finds no row.
 */
static bool
HasStatementTriggers(Relation table)
{
	const TriggerDesc *triggers = table->trigdesc;

	return triggers != NULL && (triggers->trig_update_before_statement ||
								triggers->trig_update_after_statement);
}

/*
 * Whether nothing but the extension's own has to be looked after.  places is
 * where the table has its columns.
 */
bool
DirectIsAsInstalled(const KeptPlan *plan, Relation table, Relation index,
					const RowPlaces *places)
{
	const TupleConstr *constraints = RelationGetDescr(table)->constr;

	return IsOwnKey(plan, index) && !table->rd_rel->relispartition &&
		   !HasStatementTriggers(table) && constraints != NULL &&
		   constraints->num_check == 0 &&
		   constraints->num_defval == plan->direct->generated_count &&
		   HasOwnColumns(plan->direct, table, places);
}

/*
 * Whether an update of a row runs no trigger: nobody has made one, and those
 * of foreign keys have nothing to look at.
 */
bool
DirectRunsNoTrigger(Relation table, TupleTableSlot *old, TupleTableSlot *next)
{
	TriggerDesc *triggers = table->trigdesc;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		Trigger *trigger = &triggers->triggers[i];
		bool runs = true;

		if (!TRIGGER_FOR_UPDATE(trigger->tgtype))
			continue;
		switch (RI_FKey_trigger_type(trigger->tgfoid))
		{
			case RI_TRIGGER_PK:
				runs =
					RI_FKey_pk_upd_check_required(trigger, table, old, next);
				break;
			case RI_TRIGGER_FK:
				runs =
					RI_FKey_fk_upd_check_required(trigger, table, old, next);
				break;
		}
		if (runs)
			return false;
	}
	return true;
}

/*
 * direct_check.c
 *		Whether a statement may be done without the executor.
 *
 * It may where it would do nothing but write the next version of one row, or a
 * row that is not there: what could be beside that is told by its plan (rules,
 * children, row security), by the table's description (constraints, defaults,
 * types, partitions) and by the row (triggers).  Somebody who changes any of
 * these makes the plan cache plan anew, and relcache descriptions are current
 * because the table is locked, so all of it is looked at in each call.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"

#include "direct_check.h"

/*
 * Whether a plan is an index scan whose conditions are the statement's first
 * parameters and no more, each equal to the index's column of that number.
 */
static bool
IsScanByKey(const IndexScan *scan, int key_length, int condition_count)
{
	ListCell *cell;

	if (!IsA(scan, IndexScan))
		return false;
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
	return list_length(scan->indexqual) == key_length &&
		   list_length(scan->scan.plan.qual) == condition_count &&
		   scan->scan.plan.initPlan == NIL;
}

/*
 * The one change of one table that a statement is, if that is all that it does;
 * else NULL.
 */
static const ModifyTable *
OnlyChange(const PlannedStmt *statement, CmdType command)
{
	const ModifyTable *change = (const ModifyTable *) statement->planTree;

	if (statement->commandType != command || !IsA(change, ModifyTable) ||
		change->operation != command || change->plan.initPlan != NIL ||
		change->withCheckOptionLists != NIL || change->rowMarks != NIL ||
		list_length(change->resultRelations) != 1)
		return NULL;
	return change;
}

/*
 * The index by which a statement updates one row, or InvalidOid.
 */
Oid
DirectIndexOfUpdate(const PlannedStmt *statement,
					const DirectStatement *direct)
{
	const ModifyTable *update = OnlyChange(statement, CMD_UPDATE);
	const IndexScan *scan;

	if (update == NULL)
		return InvalidOid;
	scan = (const IndexScan *) outerPlan(&update->plan);
	if (!IsScanByKey(scan, direct->key_length, direct->condition_count))
		return InvalidOid;
	return scan->indexid;
}

/*
 * Whether a plan makes one row out of nothing.
 */
static bool
IsOneRow(const Plan *plan)
{
	return IsA(plan, Result) && plan->qual == NIL && plan->initPlan == NIL &&
		   ((const Result *) plan)->resconstantqual == NULL &&
		   outerPlan(plan) == NULL;
}

/*
 * The index by whose key a statement inserts one row that is not there, and
 * that by which it finds the row's parent, if there is one.
 */
bool
DirectIndexesOfInsert(const PlannedStmt *statement,
					  const DirectStatement *direct, Oid *own, Oid *parent)
{
	const ModifyTable *insert = OnlyChange(statement, CMD_INSERT);
	const Plan *rows;

	if (insert == NULL || insert->onConflictAction != ONCONFLICT_NOTHING ||
		list_length(insert->arbiterIndexes) != 1)
		return false;
	*own = linitial_oid(insert->arbiterIndexes);
	*parent = InvalidOid;
	rows = outerPlan(&insert->plan);
	if (direct->parent == NULL)
		return IsOneRow(rows);
	if (!IsScanByKey((const IndexScan *) rows, direct->parent->key_length,
					 direct->parent->condition_count))
		return false;
	*parent = ((const IndexScan *) rows)->indexid;
	return true;
}

/*
 * How many tables, views among them, a statement has to do with.
 */
static int
CountRelations(const PlannedStmt *statement)
{
	int count = 0;
	ListCell *cell;

	foreach (cell, statement->rtable)
		count += OidIsValid(lfirst_node(RangeTblEntry, cell)->relid);
	return count;
}

/*
 * The columns of the rows that a statement makes and inserts into its one table,
 * in the order of that, if it does nothing else; or NIL.  With a view or a rule
 * in place of the table there would be more than one.
 */
List *
DirectInsertedColumns(const PlannedStmt *statement)
{
	const ModifyTable *insert = OnlyChange(statement, CMD_INSERT);
	const Plan *rows;

	if (insert == NULL || insert->onConflictAction != ONCONFLICT_NONE ||
		statement->subplans != NIL || CountRelations(statement) != 1)
		return NIL;
	rows = outerPlan(&insert->plan);
	if (!IsA(rows, SubqueryScan) || rows->qual != NIL || rows->initPlan != NIL)
		return NIL;
	return rows->targetlist;
}

/*
 * Whether the index is a primary key's, and the plan's first parameters have
 * the types of its columns.
 */
bool
DirectIsOwnKey(const KeptPlan *plan, Relation index, int length)
{
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
 * Whether an update runs triggers for the statement, even one that finds no
 * row.
 */
static bool
UpdateRunsTriggers(Relation table)
{
	const TriggerDesc *triggers = table->trigdesc;

	return triggers != NULL && (triggers->trig_update_before_statement ||
								triggers->trig_update_after_statement);
}

/*
 * Whether an insert runs triggers but those that check foreign keys at once.
 */
static bool
InsertRunsTriggers(Relation table)
{
	const TriggerDesc *triggers = table->trigdesc;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (TRIGGER_FOR_INSERT(trigger->tgtype) &&
			(trigger->tgdeferrable ||
			 RI_FKey_trigger_type(trigger->tgfoid) != RI_TRIGGER_FK))
			return true;
	}
	return false;
}

/*
 * Whether nothing but the extension's own has to be looked after in the
 * target's table, in which a row is known by the index.
 */
bool
DirectIsAsInstalled(const DirectTarget *target, Relation index)
{
	const DirectStatement *direct = target->plan->direct;
	Relation table = target->table;
	bool is_update = direct->command == CMD_UPDATE;

	return table->rd_rel->relkind == RELKIND_RELATION &&
		   !table->rd_rel->relispartition &&
		   DirectIsOwnKey(target->plan, index, direct->key_length) &&
		   !(is_update ? UpdateRunsTriggers(table)
					   : InsertRunsTriggers(table)) &&
		   target->columns.are_own &&
		   !target->columns.have_other_expressions &&
		   RelationGetDescr(table)->constr->num_check == 0 &&
		   (is_update || !target->columns.have_others);
}

/*
 * Whether a foreign key's columns are those that a row has, and its parent.
 * places is where the parent's table has its columns.
 */
static bool
IsOwnForeignKey(const DirectTarget *target, const ForeignKeyCacheInfo *key,
				const RowPlaces *places)
{
	const DirectParent *parent = target->plan->direct->parent;

	if (key->nkeys != parent->key_length)
		return false;
	for (int i = 0; i < key->nkeys; i++)
	{
		if (key->conkey[i] !=
				target->columns.places.places[parent->referring[i]] + 1 ||
			key->confkey[i] != places->places[parent->key[i]] + 1)
			return false;
	}
	return true;
}

/*
 * Whether the target's one foreign key is that to its parent.
 */
bool
DirectRefersTo(const DirectTarget *target, Relation parent,
			   const RowPlaces *places)
{
	List *keys = RelationGetFKeyList(target->table);
	const ForeignKeyCacheInfo *key;

	if (list_length(keys) != 1)
		return false;
	key = linitial(keys);
	return key->confrelid == RelationGetRelid(parent) &&
		   IsOwnForeignKey(target, key, places);
}

/*
 * Whether an update of a row runs no trigger: nobody has made one, and those
 * of foreign keys have nothing to look at.
 */
bool
DirectUpdateRunsNoTrigger(Relation table, TupleTableSlot *old,
						  TupleTableSlot *next)
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

/*
 * direct_constraint.c
 *		CHECK constraints of rows that are inserted without the executor.
 *
 * They are checked by the executor's own function, but not read by it: it reads
 * the expressions anew for every statement, which costs as much as three rows.
 */
#include "postgres.h"

#include "access/transam.h"
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "direct_constraint.h"

/* What changed between PostgreSQL 15 and 18. */
#if PG_VERSION_NUM >= 180000
#define CONSTRAINT_STATES(result) (result)->ri_CheckConstraintExprs
#define IS_ENFORCED(constraint) (constraint)->ccenforced
#else
#define CONSTRAINT_STATES(result) (result)->ri_ConstraintExprs
#define IS_ENFORCED(constraint) true
#endif

/* external_activity has five. */
#define MAX_CONSTRAINTS 16

/* The constraints of the table that was asked about last. */
static struct
{
	uint64 type_identifier; /* 0: none */
	bool are_pure;
	Expr *expressions[MAX_CONSTRAINTS];
} known;

static bool
IsNotBuiltIn(Oid function, void *context)
{
	return function >= FirstNormalObjectId;
}

/*
 * Whether an expression calls functions that somebody has made.  A domain has
 * constraints of its own, which may change while the table does not.
 */
static bool
CallsOthers(Node *node, void *context)
{
	return node != NULL &&
		   (IsA(node, CoerceToDomain) ||
			check_functions_in_node(node, IsNotBuiltIn, context) ||
			expression_tree_walker(node, CallsOthers, context));
}

/*
 * Reads a constraint, if it says the same of a row whenever it is asked, and
 * does nothing else; or returns NULL.
 */
static Expr *
ReadConstraint(const ConstrCheck *constraint)
{
	Node *expression = stringToNode(constraint->ccbin);

	if (!IS_ENFORCED(constraint) || CallsOthers(expression, NULL) ||
		contain_mutable_functions(expression))
		return NULL;
	return expression_planner((Expr *) expression);
}

static bool
ReadConstraints(const TupleConstr *all, Expr **expressions)
{
	if (all->num_check > MAX_CONSTRAINTS)
		return false;
	for (int i = 0; i < all->num_check; i++)
	{
		expressions[i] = ReadConstraint(&all->check[i]);
		if (expressions[i] == NULL)
			return false;
	}
	return true;
}

static void
Describe(Relation table)
{
	static MemoryContext context = NULL;
	MemoryContext caller_context = CurrentMemoryContext;

	if (context == NULL)
		context =
			AllocSetContextCreate(TopMemoryContext, "activityfeed constraints",
								  ALLOCSET_SMALL_SIZES);
	known.type_identifier = 0;
	MemoryContextReset(context);
	MemoryContextSwitchTo(context);
	known.are_pure =
		ReadConstraints(RelationGetDescr(table)->constr, known.expressions);
	MemoryContextSwitchTo(caller_context);
}

/*
 * The expressions that a table's rows have to meet, if all of them say the same
 * of a row whenever they are asked and do nothing else; or NULL.  They stay as
 * long as the table is locked, and are read once for each version of its row
 * type.
 */
Expr *const *
DirectFindConstraints(Relation table)
{
	uint64 identifier =
		assign_record_type_identifier(table->rd_rel->reltype, -1);

	if (known.type_identifier != identifier)
	{
		Describe(table);
		known.type_identifier = identifier;
	}
	return known.are_pure ? known.expressions : NULL;
}

/*
 * Makes them ready in the current memory context, as ExecConstraints would for
 * the first row.
 */
void
DirectPrepareConstraints(ResultRelInfo *result, Expr *const *expressions)
{
	int count = RelationGetDescr(result->ri_RelationDesc)->constr->num_check;
	ExprState **states = palloc(count * sizeof(ExprState *));

	for (int i = 0; i < count; i++)
		states[i] = ExecInitExpr(expressions[i], NULL);
	CONSTRAINT_STATES(result) = states;
}

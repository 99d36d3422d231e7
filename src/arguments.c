/*
 * arguments.c
 *		Checks of a function's plain arguments.
 *
 * What is wrong with an argument is reported as for a member of a document:
 * 22023, with the argument's name as COLUMN NAME.
 */
#include "postgres.h"

#include "activityfeed.h"
#include "arguments.h"

/*
 * Raises 22023.  rule completes the sentence 'Argument "x" must ...'.
 */
void
ArgumentBadValue(const char *name, const char *rule)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("argument \"%s\" has an invalid value", name),
					errdetail("Argument \"%s\" must %s.", name, rule),
					err_generic_string(PG_DIAG_COLUMN_NAME, name),
					err_generic_string(PG_DIAG_CONSTRAINT_NAME, "bad_value")));
	pg_unreachable();
}

/*
 * An argument that must not be null.
 */
Datum
ArgumentRequired(FunctionCallInfo fcinfo, int position, const char *name)
{
	if (PG_ARGISNULL(position))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("argument \"%s\" is missing", name),
						errdetail("Argument \"%s\" must not be null.", name),
						err_generic_string(PG_DIAG_COLUMN_NAME, name),
						err_generic_string(PG_DIAG_CONSTRAINT_NAME,
										   "missing_member")));
	return PG_GETARG_DATUM(position);
}

/*
 * A text argument that identifies something: 1 to max_length bytes.
 */
Datum
ArgumentId(FunctionCallInfo fcinfo, int position, const char *name,
		   int max_length)
{
	text *id;
	int length;

	(void) ArgumentRequired(fcinfo, position, name);
	id = PG_GETARG_TEXT_PP(position);
	length = VARSIZE_ANY_EXHDR(id);
	if (length < 1 || length > max_length)
		ArgumentBadValue(name, psprintf("have 1 to %d bytes", max_length));
	return PointerGetDatum(id);
}

/*
 * A number of rows: 0 or more.
 */
int
ArgumentTop(FunctionCallInfo fcinfo, int position, const char *name)
{
	int top = DatumGetInt32(ArgumentRequired(fcinfo, position, name));

	if (top < 0)
		ArgumentBadValue(name, "not be negative");
	return top;
}

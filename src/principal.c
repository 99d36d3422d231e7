/*
 * principal.c
 *		For whom a function is called, and the checks of its plain arguments.
 *
 * What is wrong with an argument is reported as for a member of a document:
 * 22023, with the argument's name as COLUMN NAME.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"

#include "activityfeed.h"
#include "principal.h"

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

/*
 * Raises 25006 for a function that writes where nothing can be written, also
 * if there should be nothing to write: a standby may lag behind, and "there
 * is no such activity" would be wrong.
 */
void
RefuseReadOnly(FunctionCallInfo fcinfo)
{
	if (XactReadOnly)
		PreventCommandIfReadOnly(
			psprintf("%s()", get_func_name(fcinfo->flinfo->fn_oid)));
}

/*
 * The first two arguments of a function that writes: a user and an app.
 */
Principal
PrincipalForWrite(FunctionCallInfo fcinfo)
{
	Principal principal = {0};

	RefuseReadOnly(fcinfo);
	principal.user_id = ArgumentId(fcinfo, 0, "user_id", MAX_ID_LENGTH);
	principal.app_id = ArgumentId(fcinfo, 1, "app_id", MAX_ID_LENGTH);
	return principal;
}

/*
 * The first two arguments of a function that reads: a user and an app, or
 * NULL for every app.
 */
Principal
PrincipalForRead(FunctionCallInfo fcinfo)
{
	Principal principal = {0};

	principal.user_id = ArgumentId(fcinfo, 0, "user_id", MAX_ID_LENGTH);
	principal.every_app = PG_ARGISNULL(1);
	if (!principal.every_app)
		principal.app_id = ArgumentId(fcinfo, 1, "app_id", MAX_ID_LENGTH);
	return principal;
}

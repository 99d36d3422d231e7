/*
 * principal.c
 *		Who is calling, and for whom.
 *
 * A principal is a user and an app.  Two kinds of role may call:
 *
 * - A service names any principal in its arguments.  Whoever may SET the
 *	 session's principal, activityfeed.user_id and activityfeed.app_id, is one:
 *	 it could be anybody anyway.
 * - Every other role is a session of the principal that these settings name,
 *	 and of none while one of them is empty.
 *
 * The functions refuse what is not the caller's at entry, before they lock or
 * read anything, so that not even time tells what others have.  Row security
 * says the same of the tables, by the functions at the end of this file.  It
 * must not ask current_setting: until the module is loaded anybody can make a
 * setting of any name, which goes when the module defines its own.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "activityfeed.h"
#include "principal.h"

EXPORTS_BEGIN
PG_FUNCTION_INFO_V1(activityfeed_current_user_id);
PG_FUNCTION_INFO_V1(activityfeed_current_app_id);
PG_FUNCTION_INFO_V1(activityfeed_is_service);
EXPORTS_END

#define USER_ID_SETTING "activityfeed.user_id"
#define APP_ID_SETTING "activityfeed.app_id"

/* The principal of a session; empty when there is none. */
static char *setting_user_id = NULL;
static char *setting_app_id = NULL;

/*
 * Whether a role is a service.  That is asked at entry and again by each
 * statement's policies, and takes several look-ups in the catalogs: the last
 * answer is kept until anything changes of which it was made.
 */
typedef struct ServiceAnswer
{
	Oid role;		/* who was asked about; invalid at first */
	uint64 changes; /* count_changes when the question was put */
	bool is_service;
} ServiceAnswer;

static ServiceAnswer last_answer = {InvalidOid, 0, false};

/* How often something changed that answers depend on. */
static uint64 count_changes = 0;

static bool
CheckId(char **newval, void **extra, GucSource source)
{
	if (*newval != NULL && strlen(*newval) > MAX_ID_LENGTH)
	{
		GUC_check_errdetail("An id has at most %d bytes.", MAX_ID_LENGTH);
		return false;
	}
	return true;
}

static void
ForgetAnswer(Datum arg, int cacheid, uint32 hashvalue)
{
	count_changes++;
}

/*
 * Learns of whatever pg_parameter_aclcheck looks at: the roles, who is a
 * member of which (the database's owner is one of pg_database_owner), and what
 * is granted on settings.  One cache of each catalog is enough.
 */
void
PrincipalWatchRoles(void)
{
	static const int watched[] = {AUTHOID, AUTHMEMROLEMEM, DATABASEOID,
								  PARAMETERACLNAME};

	for (int i = 0; i < lengthof(watched); i++)
		CacheRegisterSyscacheCallback(watched[i], ForgetAnswer, (Datum) 0);
}

void
PrincipalDefineSettings(void)
{
	DefineCustomStringVariable(
		USER_ID_SETTING, "User whose feed a session role may use.",
		"Empty for nobody's.  A role that may set it is a service.",
		&setting_user_id, "", PGC_SUSET, 0, CheckId, NULL, NULL);
	DefineCustomStringVariable(
		APP_ID_SETTING, "App for which a session role may use a feed.",
		"Empty for none.  A role that may set it is a service.",
		&setting_app_id, "", PGC_SUSET, 0, CheckId, NULL, NULL);
}

static bool
MaySet(const char *setting)
{
	return pg_parameter_aclcheck(setting, GetUserId(), ACL_SET) == ACLCHECK_OK;
}

/*
 * Whether the current role is a service.  What changes while the question is
 * being answered makes the next caller ask again.
 */
bool
PrincipalIsService(void)
{
	ServiceAnswer answer = {GetUserId(), count_changes, false};

	if (answer.role == last_answer.role &&
		answer.changes == last_answer.changes)
		return last_answer.is_service;
	answer.is_service = MaySet(USER_ID_SETTING) && MaySet(APP_ID_SETTING);
	last_answer = answer;
	return answer.is_service;
}

static bool
SettingIs(const char *setting, Datum id)
{
	const text *value = (const text *) DatumGetPointer(id);
	size_t length = setting == NULL ? 0 : strlen(setting);

	return length > 0 && length == VARSIZE_ANY_EXHDR(value) &&
		   memcmp(setting, VARDATA_ANY(value), length) == 0;
}

/*
 * Raises 42501 unless the current role may act for a principal.
 */
void
PrincipalCheck(const Principal *principal)
{
	if ((SettingIs(setting_user_id, principal->user_id) &&
		 !principal->every_app &&
		 SettingIs(setting_app_id, principal->app_id)) ||
		PrincipalIsService())
		return;
	ereport(
		ERROR,
		(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
		 errmsg("permission denied for this user and app"),
		 errdetail(
			 "A session role acts for the principal in \"activityfeed.user_id\" and \"activityfeed.app_id\" only."),
		 errhint(
			 "Set both before SET ROLE, or use a role made by activityfeed.grant_service.")));
}

/*
 * Raises 42501 unless the current role is a service.
 */
void
PrincipalCheckService(void)
{
	if (PrincipalIsService())
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for a session role"),
			 errdetail("Only a service role may call this function."),
			 errhint("activityfeed.grant_service makes a role a service.")));
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
	PrincipalCheck(&principal);
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
	PrincipalCheck(&principal);
	return principal;
}

static Datum
SettingOrNull(FunctionCallInfo fcinfo, const char *setting)
{
	if (setting == NULL || setting[0] == '\0')
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(setting));
}

/*
 * current_user_id() returns text
 */
Datum
activityfeed_current_user_id(PG_FUNCTION_ARGS)
{
	return SettingOrNull(fcinfo, setting_user_id);
}

/*
 * current_app_id() returns text
 */
Datum
activityfeed_current_app_id(PG_FUNCTION_ARGS)
{
	return SettingOrNull(fcinfo, setting_app_id);
}

/*
 * Whether a function is is_service(), wherever the extension is.
 */
bool
PrincipalIsServiceFunction(Oid function)
{
	FmgrInfo info;

	fmgr_info(function, &info);
	return info.fn_addr == activityfeed_is_service;
}

/*
 * is_service() returns boolean
 */
Datum
activityfeed_is_service(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(PrincipalIsService());
}

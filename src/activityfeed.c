/*
 * activityfeed.c
 *		Module entry point: the settings.
 */
#include "postgres.h"

#include <limits.h>

#include "fmgr.h"
#include "utils/guc.h"

#include "activityfeed.h"
#include "notify.h"
#include "planner_hook.h"
#include "principal.h"

EXPORTS_BEGIN
PG_MODULE_MAGIC;

void _PG_init(void);
EXPORTS_END

bool setting_strict = true;
bool setting_notify = false;
int setting_retention = 30 * 24 * 60 * 60;
int setting_max_document_size = 1024 * 1024;
int setting_max_depth = 64;
int setting_max_batch = 10000;
int setting_page_size = 50;

/*
 * A retention of nothing would store rows that are gone at once.
 */
static bool
CheckRetention(int *newval, void **extra, GucSource source)
{
	if (*newval == 0)
	{
		GUC_check_errdetail(
			"The retention must be at least one second, or -1 to keep everything.");
		return false;
	}
	return true;
}

/*
 * The upper bounds keep what a document is turned into below the limits of
 * jsonb (268435455 bytes, see jsonb_util.c) and of the stack.
 */
static void
DefineLimits(void)
{
	DefineCustomIntVariable(
		"activityfeed.max_document_size",
		"Largest document that is accepted; in a batch, largest element.",
		NULL, &setting_max_document_size, 1024 * 1024, 1024, 16 * 1024 * 1024,
		PGC_SUSET, GUC_UNIT_BYTE, NULL, NULL, NULL);
	DefineCustomIntVariable(
		"activityfeed.max_depth",
		"Deepest nesting of objects and arrays that a document may have.",
		NULL, &setting_max_depth, 64, 4, 1000, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable(
		"activityfeed.max_batch",
		"Largest number of elements in a batch or of historyItems in an activity.",
		NULL, &setting_max_batch, 10000, 1, 1000000, PGC_SUSET, 0, NULL, NULL,
		NULL);
	DefineCustomIntVariable(
		"activityfeed.page_size",
		"Most rows that graph_request answers at once; the rest follows by nextLink.",
		NULL, &setting_page_size, 50, 1, 1000, PGC_SUSET, 0, NULL, NULL, NULL);
}

void
_PG_init(void)
{
	DefineCustomBoolVariable(
		"activityfeed.strict",
		"Requires every member that the documentation calls required, and refuses unknown ones.",
		NULL, &setting_strict, true, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable(
		"activityfeed.notify",
		"Sends a notification on channel \"activityfeed\" for each user whose feed a transaction has written to.",
		NULL, &setting_notify, false, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable(
		"activityfeed.retention",
		"How long after its last change an activity, or after its creation a history item, expires.",
		"-1 keeps everything.", &setting_retention, 30 * 24 * 60 * 60, -1,
		INT_MAX, PGC_SUSET, GUC_UNIT_S, CheckRetention, NULL, NULL);
	DefineLimits();
	PrincipalDefineSettings();
	PrincipalWatchRoles();
	MarkGUCPrefixReserved("activityfeed");
	PlannerHookInstall();
	NotifyInstall();
}

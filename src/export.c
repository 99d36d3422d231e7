/*
 * export.c
 *		All that a user has, as documents.
 *
 * One statement reads activities and their sessions side by side, in the
 * order of indexes, and one document is in memory at a time.  A long history
 * is spread over several documents of the same activity: so memory is bounded
 * whatever a user has, and each document can be put back, one after the other.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "activityfeed.h"
#include "graph_json.h"
#include "lifecycle.h"
#include "plans.h"
#include "row.h"

/* clang-format off */

/* $1 user_id, $2 the time now */
static KeptPlan export_user = {
	.sql = "SELECT " ACTIVITY_COLUMNS ", " HISTORY_ITEM_COLUMNS " "
	"FROM activityfeed.activity AS a "
	"LEFT JOIN LATERAL (SELECT " HISTORY_ITEM_COLUMNS " "
	"FROM activityfeed.history_item AS h "
	"WHERE h.user_id OPERATOR(pg_catalog.=) $1 "
	"AND h.activity_id OPERATOR(pg_catalog.=) a.id "
	"AND h.expiration_date_time OPERATOR(pg_catalog.>) $2 "
	"AND h.status OPERATOR(pg_catalog.<>) 'deleted'::activityfeed.status "
	"ORDER BY h.change_bucket DESC, h.change_number DESC) AS h ON true "
	"WHERE a.user_id OPERATOR(pg_catalog.=) $1 "
	"AND a.expiration_date_time OPERATOR(pg_catalog.>) $2 "
	"AND a.status OPERATOR(pg_catalog.<>) 'deleted'::activityfeed.status "
	"ORDER BY a.id",
	.nparams = 2,
	.types = {TEXTOID, TIMESTAMPTZOID}
};

/* clang-format on */

/* Sessions of one document, which stays below the limits for those put in. */
#define MAX_EXPORTED_SESSIONS 1000

typedef struct Export
{
	ExportTaker take;
	void *context;
	MemoryContext scratch;	 /* of one document */
	StringInfoData document; /* its data is NULL between documents */
	int64 activity_id;		 /* whose document it is */
	int sessions;			 /* that are in it */
} Export;

static void
FinishDocument(Export *export)
{
	StringInfo document = &export->document;

	if (document->data == NULL)
		return;
	GraphJsonEndHistory(document);
	GraphJsonEndActivity(document);
	SET_VARSIZE(document->data, document->len);
	export->take(export->context, (text *) document->data);
	document->data = NULL;
	MemoryContextReset(export->scratch);
}

/*
 * Begins a document up to its first session.  It has the room for a text's
 * header before it, so that it need not be copied for that.
 *
 * The documents have no member for the app: it is an annotation, which is
 * ignored where the document is put back.
 */
static void
BeginDocument(Export *export, Datum *values, bool *nulls)
{
	StringInfo document = &export->document;
	char *app_id = TextDatumGetCString(values[ACTIVITY_APP_ID]);

	initStringInfo(document);
	appendStringInfoSpaces(document, VARHDRSZ);
	GraphJsonBeginActivity(document, values, nulls);
	appendStringInfoString(document, ", \"@activityfeed.appId\": ");
	escape_json(document, app_id);
	GraphJsonBeginHistory(document);
	export->activity_id = DatumGetInt64(values[ACTIVITY_ID]);
	export->sessions = 0;
}

/*
 * Takes an activity with one of its sessions, or with none.
 */
static void
TakePair(void *context, Datum *values, bool *nulls)
{
	Export *export = context;
	int64 activity_id = DatumGetInt64(values[ACTIVITY_ID]);
	MemoryContext old_context;

	if (export->activity_id != activity_id ||
		export->sessions == MAX_EXPORTED_SESSIONS)
		FinishDocument(export);
	old_context = MemoryContextSwitchTo(export->scratch);
	if (export->document.data == NULL)
		BeginDocument(export, values, nulls);
	values += ACTIVITY_COLUMN_COUNT;
	nulls += ACTIVITY_COLUMN_COUNT;
	if (!nulls[HISTORY_ITEM_ID])
	{
		GraphJsonNextHistoryItem(&export->document, values, nulls);
		export->sessions++;
	}
	MemoryContextSwitchTo(old_context);
}

/*
 * Hands over a document for each activity that has not expired, in every app,
 * hidden ones too, and more than one for a long history.
 */
void
ExportUser(Datum user_id, ExportTaker take, void *context)
{
	Export export = {.take = take, .context = context};
	Datum values[2];

	export.scratch = AllocSetContextCreate(
		CurrentMemoryContext, "activityfeed export", ALLOCSET_DEFAULT_SIZES);
	values[0] = user_id;
	values[1] = TimestampTzGetDatum(GetCurrentTimestamp());
	(void) PlanRead(&export_user, values, NULL, TakePair, &export);
	FinishDocument(&export);
	MemoryContextDelete(export.scratch);
}

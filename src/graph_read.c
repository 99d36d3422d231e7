/*
 * graph_read.c
 *		The GET requests: lists in pages, single documents.
 *
 * A page is asked for with one row more than it shows, which tells whether
 * there is a next one.  The history of all activities of a page comes by one
 * statement.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/timestamp.h"

#include "activityfeed.h"
#include "feed.h"
#include "graph_json.h"
#include "graph_request.h"
#include "row.h"

/* How far a list has come. */
typedef struct GraphPage
{
	OdataToken token; /* where this page begins, then the next one */
	int size;		  /* rows to show */
	int count;
	bool has_next;
} GraphPage;

/* An activity that is being written, without its closing brace. */
typedef struct ListedActivity
{
	int64 id;
	StringInfoData document;
	GraphPage history; /* for $expand */
} ListedActivity;

typedef struct ActivityList
{
	const GraphCall *call;
	GraphPage page;
	int number_column;		 /* what the list is ordered by */
	ListedActivity *entries; /* page.count of them */
	int current;			 /* whose history came last */
} ActivityList;

/*
 * Begins a page as the options say; *part is what to ask the feed for.
 * Answers 400 for a token that is not of this list.
 */
static bool
BeginPage(GraphCall *call, OdataList list, GraphPage *page, FeedPage *part)
{
	const OdataOptions *options = &call->options;
	int left = (options->given & ODATA_TOP) ? options->top : ODATA_NO_LIMIT;

	memset(page, 0, sizeof(*page));
	page->token =
		(OdataToken){list, call->activity_id, PG_INT64_MAX, ODATA_NO_LIMIT};
	if ((options->given & ODATA_SKIPTOKEN) &&
		!OdataParseToken(options->skiptoken, &page->token))
	{
		GraphAnswerError(
			call->answer, 400, "BadRequest",
			"Option $skiptoken must be as in a nextLink of this list.",
			"$skiptoken");
		return false;
	}
	if (page->token.left == ODATA_NO_LIMIT)
		page->token.left = left;
	left = page->token.left;
	page->size = setting_page_size;
	if (left != ODATA_NO_LIMIT)
		page->size = Min(page->size, left);
	part->top = page->size + (left == page->size ? 0 : 1);
	part->before = page->token.before;
	part->modified_after = options->filter.after;
	part->modified_before = options->filter.before;
	return true;
}

/*
 * Counts a row of a page.  Returns false for the one that is beyond it.
 */
static bool
CountRow(GraphPage *page, int64 number)
{
	if (page->count == page->size)
	{
		page->has_next = true;
		return false;
	}
	page->count++;
	page->token.before = number;
	return true;
}

/*
 * Appends a nextLink, if there is a next page.  url is the list with its
 * other options, each with an "&".
 */
static void
AppendNextLink(StringInfo out, GraphPage *page, const char *name, char *url)
{
	StringInfoData link;

	if (!page->has_next)
		return;
	if (page->token.left != ODATA_NO_LIMIT)
		page->token.left -= page->size;
	initStringInfo(&link);
	appendStringInfo(&link, "%s$skiptoken=", url);
	OdataAppendToken(&link, &page->token);
	GraphJsonStringMember(out, name, link.data);
}

/*
 * The target itself, for the link to its next page.
 */
static char *
OwnUrl(const GraphCall *call)
{
	StringInfoData url;

	initStringInfo(&url);
	appendStringInfo(&url, "%s%s?", call->target.root, call->target.path);
	OdataAppendOtherOptions(&url, call->target.query);
	return url.data;
}

/*
 * The history of one of the activities of an expanded list.
 */
static char *
HistoryUrl(const GraphCall *call, int64 activity_id)
{
	const char *filter = call->options.nested_filter_text;
	StringInfoData url;

	initStringInfo(&url);
	appendStringInfo(&url, "%s%s/activities/" INT64_FORMAT "/historyItems?",
					 call->target.root, call->target.base, activity_id);
	if (filter != NULL)
	{
		appendStringInfoString(&url, "$filter=");
		OdataAppendEncoded(&url, filter);
		appendStringInfoChar(&url, '&');
	}
	return url.data;
}

/*
 * A PlanRowTaker for activities.
 */
static void
TakeActivity(void *context, Datum *values, bool *nulls)
{
	ActivityList *list = context;
	ListedActivity *entry = &list->entries[list->page.count];

	if (!CountRow(&list->page, DatumGetInt64(values[list->number_column])))
		return;
	entry->id = DatumGetInt64(values[ACTIVITY_ID]);
	initStringInfo(&entry->document);
	appendStringInfoChar(&entry->document, '{');
	GraphJsonStringMember(&entry->document, "@odata.type",
						  "#microsoft.graph.userActivity");
	GraphJsonActivityMembers(&entry->document, values, nulls);
}

/*
 * A PlanRowTaker for the history of a list's activities.
 */
static void
TakeExpandedItem(void *context, Datum *values, bool *nulls)
{
	ActivityList *list = context;
	int64 id = DatumGetInt64(values[HISTORY_ITEM_ACTIVITY_ID]);
	ListedActivity *entry;

	while (list->entries[list->current].id != id)
		list->current = (list->current + 1) % list->page.count;
	entry = &list->entries[list->current];
	if (CountRow(&entry->history,
				 DatumGetInt64(values[HISTORY_ITEM_CHANGE_NUMBER])))
		GraphJsonNextHistoryItem(&entry->document, values, nulls);
}

static Datum
IdsOf(const ActivityList *list)
{
	Datum *ids = palloc(list->page.count * sizeof(Datum));

	for (int i = 0; i < list->page.count; i++)
		ids[i] = Int64GetDatum(list->entries[i].id);
	return PlanArray(ids, NULL, list->page.count, INT8OID);
}

/*
 * Adds to each activity of a list the newest of its history items.
 */
static void
ExpandHistory(ActivityList *list)
{
	const GraphCall *call = list->call;
	const OdataFilter *filter = &call->options.nested_filter;
	FeedPage part = {setting_page_size + 1, PG_INT64_MAX, filter->after,
					 filter->before};

	if (!(call->options.given & ODATA_EXPAND) || list->page.count == 0)
		return;
	for (int i = 0; i < list->page.count; i++)
	{
		ListedActivity *entry = &list->entries[i];

		entry->history.size = setting_page_size;
		entry->history.token =
			(OdataToken){ODATA_LIST_HISTORY, entry->id, 0, ODATA_NO_LIMIT};
		GraphJsonBeginHistory(&entry->document);
	}
	FeedHistoryOfActivities(&call->request->principal, IdsOf(list), &part,
							TakeExpandedItem, list);
	for (int i = 0; i < list->page.count; i++)
	{
		ListedActivity *entry = &list->entries[i];

		GraphJsonEndHistory(&entry->document);
		AppendNextLink(&entry->document, &entry->history,
					   "historyItems@odata.nextLink",
					   HistoryUrl(call, entry->id));
	}
}

/*
 * Answers with a page of activities, once they are read.
 */
static void
AnswerActivities(GraphCall *call, ActivityList *list)
{
	StringInfo body = &call->answer->body;

	ExpandHistory(list);
	GraphBeginAnswer(call, 200, "Collection(userActivity)");
	appendStringInfoString(body, ", \"value\": [");
	for (int i = 0; i < list->page.count; i++)
	{
		StringInfo document = &list->entries[i].document;

		appendStringInfoString(body, i > 0 ? ", " : "");
		appendBinaryStringInfo(body, document->data, document->len);
		appendStringInfoChar(body, '}');
		pfree(document->data);
	}
	appendStringInfoChar(body, ']');
	AppendNextLink(body, &list->page, "@odata.nextLink", OwnUrl(call));
	appendStringInfoChar(body, '}');
}

static ListedActivity *
MakeEntries(int count)
{
	return palloc0((count + 1) * sizeof(ListedActivity));
}

/*
 * GET /me/activities
 */
void
GraphListActivities(GraphCall *call)
{
	ActivityList list = {.call = call,
						 .number_column = ACTIVITY_CHANGE_NUMBER};
	FeedPage part;

	if (!BeginPage(call, ODATA_LIST_ACTIVITIES, &list.page, &part))
		return;
	list.entries = MakeEntries(list.page.size);
	FeedActivities(&call->request->principal, &part, false, TakeActivity, NULL,
				   &list);
	AnswerActivities(call, &list);
}

/*
 * GET /me/activities/recent
 */
void
GraphListRecent(GraphCall *call)
{
	ActivityList list = {.call = call,
						 .number_column = ACTIVITY_HISTORY_CHANGE_NUMBER};
	FeedPage part;

	if (!BeginPage(call, ODATA_LIST_RECENT, &list.page, &part))
		return;
	list.entries = MakeEntries(list.page.size);
	FeedRecent(&call->request->principal, &part, TakeActivity, NULL, &list);
	AnswerActivities(call, &list);
}

/*
 * A PlanRowTaker for the one activity that a GET is for.
 */
static void
TakeSingleActivity(void *context, Datum *values, bool *nulls)
{
	ActivityList *list = context;
	ListedActivity *entry = &list->entries[0];

	list->page.count = 1;
	entry->id = DatumGetInt64(values[ACTIVITY_ID]);
	GraphJsonActivityMembers(&entry->document, values, nulls);
}

/*
 * GET /me/activities/{id}
 */
void
GraphGetActivity(GraphCall *call)
{
	ListedActivity entry = {0};
	ActivityList list = {.call = call, .entries = &entry};

	GraphBeginAnswer(call, 200, GraphContextOfUser(call, "/$entity"));
	entry.document = call->answer->body;
	FeedGetActivity(&call->request->principal, call->activity_id,
					TakeSingleActivity, &list);
	ExpandHistory(&list);
	call->answer->body = entry.document;
	if (list.page.count == 0)
		GraphAnswerNoActivity(call->answer);
	else
		appendStringInfoChar(&call->answer->body, '}');
}

/* A page of history items on its way into the answer. */
typedef struct HistoryList
{
	GraphPage page;
	StringInfo body;
} HistoryList;

static void
TakeListedItem(void *context, Datum *values, bool *nulls)
{
	HistoryList *list = context;

	if (CountRow(&list->page,
				 DatumGetInt64(values[HISTORY_ITEM_CHANGE_NUMBER])))
		GraphJsonNextHistoryItem(list->body, values, nulls);
}

static void
NoteRow(void *context, Datum *values, bool *nulls)
{
	*(bool *) context = true;
}

/*
 * GET /me/activities/{id}/historyItems
 */
void
GraphListHistoryItems(GraphCall *call)
{
	const Principal *principal = &call->request->principal;
	HistoryList list = {.body = &call->answer->body};
	FeedPage part;
	bool found = false;
	char *rest;

	if (!BeginPage(call, ODATA_LIST_HISTORY, &list.page, &part))
		return;
	FeedGetActivity(principal, call->activity_id, NoteRow, &found);
	if (!found)
	{
		GraphAnswerNoActivity(call->answer);
		return;
	}
	rest = psprintf("('" INT64_FORMAT "')/historyItems", call->activity_id);
	GraphBeginAnswer(call, 200, GraphContextOfUser(call, rest));
	appendStringInfoString(list.body, ", \"value\": [");
	FeedHistoryItems(principal, call->activity_id, &part, TakeListedItem,
					 &list);
	appendStringInfoChar(list.body, ']');
	AppendNextLink(list.body, &list.page, "@odata.nextLink", OwnUrl(call));
	appendStringInfoChar(list.body, '}');
}

/*
 * A PlanRowTaker for the one history item that a GET is for.
 */
static void
TakeSingleItem(void *context, Datum *values, bool *nulls)
{
	GraphCall *call = context;
	char *rest = psprintf("('" INT64_FORMAT "')/historyItems/$entity",
						  call->activity_id);

	GraphBeginAnswer(call, 200, GraphContextOfUser(call, rest));
	GraphJsonHistoryItemMembers(&call->answer->body, values, nulls);
	appendStringInfoChar(&call->answer->body, '}');
}

/*
 * GET /me/activities/{id}/historyItems/{guid}
 */
void
GraphGetHistoryItem(GraphCall *call)
{
	FeedGetHistoryItem(&call->request->principal, call->activity_id,
					   UUIDPGetDatum(&call->item_id), TakeSingleItem, call);
	if (call->answer->status == 0)
		GraphAnswerNoHistoryItem(call->answer);
}

/*
 * notify.c
 *		Notifications of who has something new.
 *
 * With activityfeed.notify on, a transaction sends one notification for each
 * user whose feed it has written to, just before it commits: then the last
 * number is known.
 *
 * Until then it is kept who was written to, in marks: one for each user and
 * level of subtransaction, with the last number taken there.  Marks are a
 * stack, as subtransactions are.  The marks of one that is rolled back are on
 * top, and go; those of one that is committed become its parent's, and replace
 * what the parent had for the same users.
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/async.h"
#include "lib/stringinfo.h"
#include "utils/hsearch.h"
#include "utils/json.h"
#include "utils/memutils.h"

#include "activityfeed.h"
#include "notify.h"

#define CHANNEL "activityfeed"
#define NO_MARK (-1)

typedef struct NotifyUser
{
	char user_id[MAX_ID_LENGTH + 1]; /* the key of the hash table */
	int mark;						 /* its top one, or NO_MARK */
} NotifyUser;

typedef struct NotifyMark
{
	NotifyUser *user;
	int previous; /* this user's one below, or NO_MARK */
	SubTransactionId level;
	int64 change_number;
} NotifyMark;

/* All of the current transaction's; the memory goes with it. */
static HTAB *users = NULL;
static NotifyMark *marks = NULL;
static int mark_count = 0;
static int mark_size = 0;

static void
Forget(void)
{
	users = NULL;
	marks = NULL;
	mark_count = 0;
	mark_size = 0;
}

static void
Begin(void)
{
	HASHCTL control = {.keysize = MAX_ID_LENGTH + 1,
					   .entrysize = sizeof(NotifyUser),
					   .hcxt = TopTransactionContext};

	users = hash_create("activityfeed notifications", 16, &control,
						HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	mark_count = 0;
	mark_size = 16;
	marks = MemoryContextAlloc(TopTransactionContext,
							   mark_size * sizeof(NotifyMark));
}

static NotifyUser *
FindUser(const text *user_id)
{
	char key[MAX_ID_LENGTH + 1];
	NotifyUser *user;
	bool found;

	memcpy(key, VARDATA_ANY(user_id), VARSIZE_ANY_EXHDR(user_id));
	key[VARSIZE_ANY_EXHDR(user_id)] = '\0';
	user = hash_search(users, key, HASH_ENTER, &found);
	if (!found)
		user->mark = NO_MARK;
	return user;
}

static void
PushMark(NotifyUser *user, SubTransactionId level, int64 change_number)
{
	NotifyMark mark = {user, user->mark, level, change_number};

	if (mark_count == mark_size)
	{
		marks = repalloc_huge(marks, 2 * mark_size * sizeof(NotifyMark));
		mark_size *= 2;
	}
	user->mark = mark_count;
	marks[mark_count++] = mark;
}

/*
 * Notes that a number was taken from a user's feed.
 */
void
NotifyChanged(const text *user_id, int64 change_number)
{
	SubTransactionId level = GetCurrentSubTransactionId();
	NotifyUser *user;

	if (users == NULL)
		Begin();
	user = FindUser(user_id);
	if (user->mark != NO_MARK && marks[user->mark].level == level)
		marks[user->mark].change_number = change_number;
	else
		PushMark(user, level, change_number);
}

static void
DropMarks(SubTransactionId level)
{
	while (mark_count > 0 && marks[mark_count - 1].level == level)
	{
		mark_count--;
		marks[mark_count].user->mark = marks[mark_count].previous;
	}
}

/*
 * Gives the marks of a level to its parent.  On one level a user has one mark
 * at most, so each of these is its user's top one.
 */
static void
RaiseMarks(SubTransactionId level, SubTransactionId parent)
{
	int next = mark_count;
	int end = mark_count;

	while (next > 0 && marks[next - 1].level == level)
		next--;
	mark_count = next;
	for (; next < end; next++)
	{
		NotifyMark mark = marks[next];

		mark.user->mark = mark.previous;
		if (mark.previous != NO_MARK && marks[mark.previous].level == parent)
			marks[mark.previous].change_number = mark.change_number;
		else
			PushMark(mark.user, parent, mark.change_number);
	}
}

static void
SendAll(void)
{
	StringInfoData payload;

	initStringInfo(&payload);
	for (int i = 0; i < mark_count; i++)
	{
		resetStringInfo(&payload);
		appendStringInfoString(&payload, "{\"user_id\": ");
		escape_json(&payload, marks[i].user->user_id);
		appendStringInfo(&payload, ", \"change_number\": " INT64_FORMAT "}",
						 marks[i].change_number);
		Async_Notify(CHANNEL, payload.data);
	}
	pfree(payload.data);
}

/*
 * PostgreSQL cannot prepare a transaction that has notifications.  Leaving
 * them out would be a loss that nobody notices.
 */
static void
RefuseToPrepare(void)
{
	if (mark_count > 0)
		ereport(
			ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg(
				 "cannot PREPARE a transaction that has written to a feed while activityfeed.notify was on"),
			 errhint(
				 "Set activityfeed.notify to off in sessions that use two-phase commit.")));
}

static void
AtTransactionEvent(XactEvent event, void *arg)
{
	if (users == NULL)
		return;
	if (event == XACT_EVENT_PRE_COMMIT)
		SendAll();
	else if (event == XACT_EVENT_PRE_PREPARE)
		RefuseToPrepare();
	else
		Forget();
}

static void
AtSubTransactionEvent(SubXactEvent event, SubTransactionId level,
					  SubTransactionId parent, void *arg)
{
	if (users == NULL)
		return;
	if (event == SUBXACT_EVENT_ABORT_SUB)
		DropMarks(level);
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
		RaiseMarks(level, parent);
}

void
NotifyInstall(void)
{
	RegisterXactCallback(AtTransactionEvent, NULL);
	RegisterSubXactCallback(AtSubTransactionEvent, NULL);
}

/*
 * expired_rows.c
 *		Rows that a purge has found or removed.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/timestamp.h"

#include "activityfeed.h"
#include "expired_rows.h"
#include "plans.h"

ExpiredRows
ExpiredRowsMake(void)
{
	ExpiredRows made = {.count = 0, .size = 64};

	made.rows = palloc(made.size * sizeof(ExpiredRow));
	return made;
}

ExpiredRow *
ExpiredRowsAdd(ExpiredRows *rows)
{
	if (rows->count == rows->size)
	{
		rows->size *= 2;
		rows->rows =
			repalloc_huge(rows->rows, rows->size * sizeof(ExpiredRow));
	}
	return &rows->rows[rows->count++];
}

static int
CompareTexts(const text *a, const text *b)
{
	int a_length = VARSIZE_ANY_EXHDR(a);
	int b_length = VARSIZE_ANY_EXHDR(b);
	int result =
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), Min(a_length, b_length));

	return result != 0 ? result : a_length - b_length;
}

static int
CompareUsers(const ExpiredRow *a, const ExpiredRow *b)
{
	if (a->user_id == b->user_id)
		return 0;
	return CompareTexts(a->user_id, b->user_id);
}

bool
ExpiredRowsSameUser(const ExpiredRow *a, const ExpiredRow *b)
{
	return CompareUsers(a, b) == 0;
}

/*
 * Takes a row's columns into the context's rows.  Rows of one user are often
 * found one after the other.
 */
void
ExpiredRowsTake(void *context, Datum *values, bool *nulls)
{
	ExpiredRows *found = context;
	ExpiredRow *row = ExpiredRowsAdd(found);
	text *user_id = DatumGetTextPP(values[0]);

	if (found->count > 1 && CompareTexts(row[-1].user_id, user_id) == 0)
		row->user_id = row[-1].user_id;
	else
		row->user_id = DatumGetTextPCopy(values[0]);
	row->activity_id = DatumGetInt64(values[1]);
	row->tid = *(ItemPointer) DatumGetPointer(values[2]);
	row->is_tombstone = DatumGetBool(values[3]);
	row->change_number = DatumGetInt64(values[4]);
	row->expiration = DatumGetTimestampTz(values[5]);
}

/*
 * Rows of one user come together, and among them those of one activity.
 */
static int
CompareRows(const ExpiredRow *a, const ExpiredRow *b)
{
	int result = CompareUsers(a, b);

	if (result != 0 || a->activity_id == b->activity_id)
		return result;
	return a->activity_id < b->activity_id ? -1 : 1;
}

#define ST_SORT SortRows
#define ST_ELEMENT_TYPE ExpiredRow
#define ST_COMPARE(a, b) CompareRows(a, b)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

#define ST_SORT SortActivities
#define ST_ELEMENT_TYPE ExpiredRow
#define ST_COMPARE(a, b) \
	((a)->activity_id < (b)->activity_id \
		 ? -1 \
		 : (a)->activity_id > (b)->activity_id)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/*
 * Sorts rows of one user that stand together by their activities.
 */
static void
SortNeighbours(ExpiredRows *rows)
{
	int first = 0;

	for (int i = 1; i <= rows->count; i++)
	{
		if (i < rows->count &&
			rows->rows[i].user_id == rows->rows[first].user_id)
			continue;
		SortActivities(&rows->rows[first], i - first);
		first = i;
	}
}

/*
 * Rows of one user are often stored together, and users one after the other:
 * then nothing is left to do but to see that all are in order.
 */
void
ExpiredRowsSort(ExpiredRows *rows)
{
	SortNeighbours(rows);
	SortRows(rows->rows, rows->count);
}

/*
 * One row of each user.
 */
ExpiredRows
ExpiredRowsUsers(const ExpiredRows *rows)
{
	ExpiredRows users = ExpiredRowsMake();
	int kept = 0;

	for (int i = 0; i < rows->count; i++)
	{
		if (i == 0 || rows->rows[i].user_id != rows->rows[i - 1].user_id)
			*ExpiredRowsAdd(&users) = rows->rows[i];
	}
	ExpiredRowsSort(&users);
	for (int i = 0; i < users.count; i++)
	{
		if (i == 0 ||
			!ExpiredRowsSameUser(&users.rows[i], &users.rows[kept - 1]))
			users.rows[kept++] = users.rows[i];
	}
	users.count = kept;
	return users;
}

/*
 * Sets the first parameters to what names the activities of some rows.
 */
void
ExpiredRowsSetKeys(Datum *values, const ExpiredRow *rows, int count)
{
	Datum *elements = palloc(count * sizeof(Datum));

	for (int i = 0; i < count; i++)
		elements[i] = PointerGetDatum(rows[i].user_id);
	values[0] = PlanArray(elements, NULL, count, TEXTOID);
	for (int i = 0; i < count; i++)
		elements[i] = Int64GetDatum(rows[i].activity_id);
	values[1] = PlanArray(elements, NULL, count, INT8OID);
	pfree(elements);
}

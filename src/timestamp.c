/*
 * timestamp.c
 *		Edm.DateTimeOffset in and out, and what is calculated from times.
 *
 * The notation is OData's (ABNF rule dateTimeOffsetValue), with the zone
 * required:
 *
 *		YYYY-MM-DDThh:mm:ss[.f{1,12}](Z|+hh:mm|-hh:mm)
 *
 * PostgreSQL's own datetime input is no help here: it takes far more than
 * this, rounds the seventh digit, and depends on settings.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/datetime.h"

#include "activityfeed.h"
#include "timestamp.h"

#define MAX_FRACTION_DIGITS 12
#define MAX_TIME_LENGTH 32
#define DATE_LENGTH 11 /* with the T */
#define KNOWN_DAYS 16
#define MAX_OFFSET_MINUTES (14 * 60) /* as XML Schema has it */

typedef struct TimestampReader
{
	const char *cursor; /* borrowed */
	const char *end;
} TimestampReader;

/*
 * Reads exactly "digits" digits.
 */
static bool
ReadNumber(TimestampReader *reader, int digits, int *number)
{
	*number = 0;
	if (reader->end - reader->cursor < digits)
		return false;
	for (int i = 0; i < digits; i++)
	{
		char c = *reader->cursor++;

		if (c < '0' || c > '9')
			return false;
		*number = *number * 10 + (c - '0');
	}
	return true;
}

static bool
ReadCharacter(TimestampReader *reader, char expected)
{
	if (reader->cursor == reader->end || *reader->cursor != expected)
		return false;
	reader->cursor++;
	return true;
}

/*
 * Reads a date and returns it as days since 2000-01-01.
 */
static bool
ReadDate(TimestampReader *reader, int64 *days)
{
	int year, month, day;

	if (!ReadNumber(reader, 4, &year) || !ReadCharacter(reader, '-') ||
		!ReadNumber(reader, 2, &month) || !ReadCharacter(reader, '-') ||
		!ReadNumber(reader, 2, &day))
		return false;
	if (month < 1 || month > MONTHS_PER_YEAR || day < 1 ||
		day > day_tab[isleap(year)][month - 1])
		return false;
	*days = (int64) date2j(year, month, day) - POSTGRES_EPOCH_JDATE;
	return true;
}

/*
 * Reads an optional fraction of a second.  Digits past the sixth are cut.
 */
static bool
ReadFraction(TimestampReader *reader, int *microseconds)
{
	int digits = 0;

	*microseconds = 0;
	if (!ReadCharacter(reader, '.'))
		return true;
	while (reader->cursor < reader->end && *reader->cursor >= '0' &&
		   *reader->cursor <= '9')
	{
		if (digits < 6)
			*microseconds = *microseconds * 10 + (*reader->cursor - '0');
		digits++;
		reader->cursor++;
	}
	for (int i = digits; i < 6; i++)
		*microseconds *= 10;
	return digits >= 1 && digits <= MAX_FRACTION_DIGITS;
}

/*
 * Reads a time of day and returns it as microseconds since midnight.
 */
static bool
ReadTimeOfDay(TimestampReader *reader, int64 *time)
{
	int hour, minute, second, microseconds;

	if (!ReadNumber(reader, 2, &hour) || !ReadCharacter(reader, ':') ||
		!ReadNumber(reader, 2, &minute) || !ReadCharacter(reader, ':') ||
		!ReadNumber(reader, 2, &second) ||
		!ReadFraction(reader, &microseconds))
		return false;
	if (hour > 23 || minute > 59 || second > 59)
		return false;
	*time = ((hour * INT64CONST(60) + minute) * 60 + second) * USECS_PER_SEC +
			microseconds;
	return true;
}

/*
 * Reads the zone, which is never optional, as minutes east of UTC.
 */
static bool
ReadOffset(TimestampReader *reader, int *minutes)
{
	bool west = false;
	int hour, minute;

	*minutes = 0;
	if (ReadCharacter(reader, 'Z'))
		return true;
	if (ReadCharacter(reader, '-'))
		west = true;
	else if (!ReadCharacter(reader, '+'))
		return false;
	if (!ReadNumber(reader, 2, &hour) || !ReadCharacter(reader, ':') ||
		!ReadNumber(reader, 2, &minute) || minute > 59)
		return false;
	*minutes = hour * 60 + minute;
	if (*minutes > MAX_OFFSET_MINUTES)
		return false;
	if (west)
		*minutes = -*minutes;
	return true;
}

/*
 * Reads an Edm.DateTimeOffset.  Returns false, and leaves *result alone, for
 * anything else and for what is not in the years 1 to 9999 of UTC.
 */
bool
TimestampParse(const char *text, size_t length, TimestampTz *result)
{
	TimestampReader reader = {text, text + length};
	int64 days;
	int64 time;
	int offset;
	TimestampTz timestamp;

	if (!ReadDate(&reader, &days) || !ReadCharacter(&reader, 'T') ||
		!ReadTimeOfDay(&reader, &time) || !ReadOffset(&reader, &offset) ||
		reader.cursor != reader.end)
		return false;
	timestamp = days * USECS_PER_DAY + time - offset * USECS_PER_MINUTE;
	if (!TimestampIsStorable(timestamp))
		return false;
	*result = timestamp;
	return true;
}

/*
 * Writes a number of two digits.
 */
static void
PutTwoDigits(char *to, unsigned number)
{
	to[0] = '0' + number / 10;
	to[1] = '0' + number % 10;
}

/*
 * Writes a date as YYYY-MM-DDT.  Most times of a page are of the same few
 * days, those of expirations a month later, so the last ones are kept.
 */
static void
PutDate(char *to, int day)
{
	static struct
	{
		int day;
		char text[DATE_LENGTH];
	} last[KNOWN_DAYS]; /* no text is empty, so the zeros are no day's */
	unsigned place = (unsigned) day % KNOWN_DAYS;
	char *text = last[place].text;
	int year, month, day_of_month;

	if (last[place].day != day || text[0] == '\0')
	{
		j2date(day + POSTGRES_EPOCH_JDATE, &year, &month, &day_of_month);
		memcpy(text, "YYYY-MM-DDT", DATE_LENGTH);
		PutTwoDigits(text, year / 100);
		PutTwoDigits(text + 2, year % 100);
		PutTwoDigits(text + 5, month);
		PutTwoDigits(text + 8, day_of_month);
		last[place].day = day;
	}
	memcpy(to, text, DATE_LENGTH);
}

/*
 * Writes a time of day as hh:mm:ss and returns what follows it.
 */
static char *
PutTimeOfDay(char *to, int seconds)
{
	int minutes = seconds / SECS_PER_MINUTE;

	PutTwoDigits(to, minutes / MINS_PER_HOUR);
	to[2] = ':';
	PutTwoDigits(to + 3, minutes % MINS_PER_HOUR);
	to[5] = ':';
	PutTwoDigits(to + 6, seconds % SECS_PER_MINUTE);
	return to + 8;
}

/*
 * Writes a fraction of a second without trailing zeros, nothing if there is
 * none, and returns what follows it.
 */
static char *
PutMilliseconds(char *to, int milliseconds)
{
	if (milliseconds == 0)
		return to;
	to[0] = '.';
	to[1] = '0' + milliseconds / 100;
	PutTwoDigits(to + 2, milliseconds % 100);
	to += 4;
	while (to[-1] == '0')
		to--;
	return to;
}

/*
 * Appends a time in UTC with at most three digits of a second: what is finer
 * is cut, and so are trailing zeros.
 *
 * Raises 22008 for a time that the notation cannot say, which only a row that
 * the store did not write can hold.
 */
void
TimestampAppend(StringInfo out, TimestampTz time)
{
	int64 days;
	int64 rest;
	char *to;

	if (!TimestampIsStorable(time))
		ereport(
			ERROR,
			(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			 errmsg("timestamp out of range"),
			 errdetail(
				 "A document can hold times of the years 1 to 9999 only.")));

	days = time / USECS_PER_DAY;
	rest = time % USECS_PER_DAY;
	if (rest < 0)
	{
		days--;
		rest += USECS_PER_DAY;
	}
	enlargeStringInfo(out, MAX_TIME_LENGTH);
	to = out->data + out->len;
	PutDate(to, (int) days);
	to = PutTimeOfDay(to + DATE_LENGTH, (int) (rest / USECS_PER_SEC));
	to = PutMilliseconds(to, (int) (rest % USECS_PER_SEC / 1000));
	*to++ = 'Z';
	*to = '\0';
	out->len = (int) (to - out->data);
}

/*
 * When something that begins its life at "start" expires.  What is kept for
 * ever expires at the last moment that a document can name, so that no reader
 * has to know of infinity or NULL.
 */
TimestampTz
TimestampExpiration(TimestampTz start)
{
	TimestampTz expiration;

	if (setting_retention == RETENTION_FOREVER)
		return LATEST_TIME;
	expiration = start + setting_retention * USECS_PER_SEC;
	return Min(expiration, LATEST_TIME);
}

/*
 * Whole seconds from start to end, rounded down.  Both must be storable.
 */
int64
TimestampSecondsBetween(TimestampTz start, TimestampTz end)
{
	int64 difference = end - start;

	if (difference < 0)
		difference -= USECS_PER_SEC - 1;
	return difference / USECS_PER_SEC;
}

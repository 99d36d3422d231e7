/*
 * timestamp.c
 *		Fuzz target: times in documents.
 *
 * What is read and written again reads the same; any moment, be it one that a
 * document cannot name, is written as it should be or not at all.
 */
#include "postgres.h"

#include "server.h"
#include "timestamp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * What a time is on the wire: cut to milliseconds.
 */
static TimestampTz
OnTheWire(TimestampTz time)
{
	return time - ((time % 1000) + 1000) % 1000;
}

static void
RequireWritesBack(TimestampTz time)
{
	StringInfoData text;
	TimestampTz again = 0;

	Require(TimestampIsStorable(time));
	initStringInfo(&text);
	TimestampAppend(&text, time);
	Require(text.len >= 20 && text.len <= 24 &&
			text.data[text.len - 1] == 'Z');
	Require(TimestampParse(text.data, text.len, &again));
	Require(again == OnTheWire(time));
	/* every part of it is needed */
	for (int length = 0; length < text.len; length++)
		Require(!TimestampParse(text.data, length, &again));
}

/*
 * A time in UTC is written as it was sent, up to the fraction.
 */
static void
RequireSaysTheSame(const char *sent, TimestampTz time)
{
	StringInfoData text;

	initStringInfo(&text);
	TimestampAppend(&text, time);
	Require(memcmp(text.data, sent, strlen("2018-02-26T20:54:04")) == 0);
}

/*
 * A time with an offset is that far from the same time in UTC.
 */
static void
RequireOffset(const char *sent, size_t length, TimestampTz time)
{
	const char *zone = sent + length - strlen("+hh:mm");
	char *in_utc = psprintf("%.*sZ", (int) (zone - sent), sent);
	int minutes = (zone[1] - '0') * 600 + (zone[2] - '0') * 60 +
				  (zone[4] - '0') * 10 + zone[5] - '0';
	TimestampTz utc;

	if (TimestampParse(in_utc, strlen(in_utc), &utc))
		Require(utc - time ==
				(zone[0] == '+' ? 1 : -1) * minutes * INT64CONST(60000000));
}

static void
Try(const char *text, size_t length)
{
	TimestampTz time = 0;
	TimestampTz other = 0;

	if (TimestampParse(text, length, &time))
	{
		RequireWritesBack(time);
		if (text[length - 1] == 'Z')
			RequireSaysTheSame(text, time);
		else
			RequireOffset(text, length, time);
	}
	else
		Require(time == 0);
	if (length < 2 * sizeof(TimestampTz))
		return;
	memcpy(&time, text, sizeof(time));
	memcpy(&other, text + sizeof(time), sizeof(other));
	if (!TimestampIsStorable(time))
		return;
	RequireWritesBack(time);
	Require(TimestampExpiration(time) > time || time == LATEST_TIME);
	Require(TimestampIsStorable(TimestampExpiration(time)));
	if (TimestampIsStorable(other))
	{
		int64 seconds = TimestampSecondsBetween(time, other);

		Require(seconds * INT64CONST(1000000) <= other - time &&
				(seconds + 1) * INT64CONST(1000000) > other - time);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	RunInContext(Try, data, size);
	return 0;
}

/*
 * server.c
 *		What stands in for the PostgreSQL server in the fuzz targets.
 *
 * Memory comes from malloc, a block for each palloc, so that the sanitizers
 * see the end of each.  Strings, printf, encodings and the JSON parser are
 * PostgreSQL's own, from the libraries for its client programs.
 *
 * The code under test returns what is wrong with its input and does not raise
 * it.  An error that is raised is therefore a finding.
 */
#include "postgres.h"

#include <setjmp.h>

#include "catalog/namespace.h"
#include "common/jsonapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/datetime.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "activityfeed.h"
#include "server.h"

#define MAX_BLOCKS 1000000
#define MAX_RAISED 256
#define FIRST_DAY (1721120 - 146097) /* of the eras by which dates count */

bool setting_strict = true;
int setting_retention = 30 * 24 * 60 * 60;
int setting_max_document_size = 1024 * 1024;
int setting_max_depth = 64;
int setting_max_batch = 10000;
int setting_page_size = 50;

MemoryContext CurrentMemoryContext = NULL;
volatile sig_atomic_t InterruptPending = false;

const int server_encodings[3] = {PG_UTF8, PG_SQL_ASCII, PG_WIN1252};
int server_encoding = PG_UTF8;

static void *blocks[MAX_BLOCKS];
static int block_count = 0;
static MemoryContextCallback *callbacks = NULL;
static sigjmp_buf raised;
static char raised_message[MAX_RAISED];

void
RequireFailed(const char *condition, const char *file, int line)
{
	fprintf(stderr, "%s:%d: not so: %s\n", file, line, condition);
	abort();
}

/* Memory */

static void *
AddBlock(void *block)
{
	Require(block != NULL && block_count < MAX_BLOCKS);
	blocks[block_count++] = block;
	return block;
}

/*
 * Where a block is; mostly it is one of the last.
 */
static void **
FindBlock(void *block)
{
	for (int i = block_count - 1; i >= 0; i--)
	{
		if (blocks[i] == block)
			return &blocks[i];
	}
	RequireFailed("memory was palloc'd and not freed", __FILE__, __LINE__);
}

void *
palloc(Size size)
{
	return AddBlock(malloc(size));
}

void *
palloc0(Size size)
{
	return AddBlock(calloc(1, size));
}

void *
repalloc(void *block, Size size)
{
	void **place = FindBlock(block);

	*place = realloc(block, size);
	Require(*place != NULL);
	return *place;
}

void
pfree(void *block)
{
	void **place = FindBlock(block);

	*place = blocks[--block_count];
	free(block);
}

char *
pnstrdup(const char *text, Size limit)
{
	size_t length = strnlen(text, limit);
	char *copy = palloc(length + 1);

	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

char *
pstrdup(const char *text)
{
	return pnstrdup(text, strlen(text));
}

void
MemoryContextRegisterResetCallback(MemoryContext context,
								   MemoryContextCallback *callback)
{
	callback->next = callbacks;
	callbacks = callback;
}

static void
ResetMemory(void)
{
	while (callbacks != NULL)
	{
		MemoryContextCallback *callback = callbacks;

		callbacks = callback->next;
		callback->func(callback->arg);
	}
	while (block_count > 0)
		free(blocks[--block_count]);
}

/* Errors */

bool
errstart(int level, const char *domain)
{
	return true;
}

bool
errstart_cold(int level, const char *domain)
{
	return true;
}

int
errcode(int sqlstate)
{
	return 0;
}

int
errmsg(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(raised_message, sizeof(raised_message), format, arguments);
	va_end(arguments);
	return 0;
}

int
errmsg_internal(const char *format, ...)
{
	return 0;
}

int
errdetail(const char *format, ...)
{
	return 0;
}

int
errhint(const char *format, ...)
{
	return 0;
}

int
err_generic_string(int field, const char *text)
{
	return 0;
}

void
errfinish(const char *file, int line, const char *function)
{
	siglongjmp(raised, 1);
}

void
ProcessInterrupts(void)
{
}

void
RunInContext(void (*run)(const char *text, size_t length), const uint8_t *data,
			 size_t size)
{
	if (sigsetjmp(raised, 0) == 0)
		run((const char *) data, size);
	else
	{
		fprintf(stderr, "raised: %s\n", raised_message);
		abort();
	}
	ResetMemory();
}

/* Encodings */

int
GetDatabaseEncoding(void)
{
	return server_encoding;
}

Oid
FindDefaultConversionProc(int32 from, int32 to)
{
	bool known = (from == PG_UTF8 && to == PG_WIN1252) ||
				 (from == PG_WIN1252 && to == PG_UTF8);

	return known ? 1 : InvalidOid;
}

/*
 * Converts the character at *from.  Returns false for one that the other
 * encoding lacks, which is said of 0x80 to 0x9f and all beyond 0xff.
 */
static bool
ConvertCharacter(const unsigned char **from, unsigned char **to,
				 int to_encoding)
{
	uint32 character = **from;
	int length = to_encoding == PG_UTF8 ? 1 : pg_utf_mblen(*from);

	if (length > 1)
		character = utf8_to_unicode(*from);
	if ((character >= 0x80 && character <= 0x9f) || character > 0xff)
		return false;
	if (to_encoding == PG_UTF8)
	{
		unicode_to_utf8(character, *to);
		*to += pg_utf_mblen(*to);
	}
	else
		*(*to)++ = (unsigned char) character;
	*from += length;
	return true;
}

int
pg_do_encoding_conversion_buf(Oid conversion, int from_encoding,
							  int to_encoding, unsigned char *from, int length,
							  unsigned char *to, int room, bool no_error)
{
	const unsigned char *p = from;
	const unsigned char *end = from + Min(length, (room - 1) / 2);

	Require(conversion != InvalidOid && room > 2);
	while (p < end && ConvertCharacter(&p, &to, to_encoding))
		;
	*to = '\0';
	Require(no_error || p == from + length);
	return (int) (p - from);
}

static char *
Convert(const char *text, int length, int from_encoding, int to_encoding)
{
	char *converted = palloc(2 * length + 4);

	(void) pg_do_encoding_conversion_buf(
		1, from_encoding, to_encoding,
		(unsigned char *) unconstify(char *, text), length,
		(unsigned char *) converted, 2 * length + 4, false);
	return converted;
}

char *
pg_server_to_any(const char *text, int length, int encoding)
{
	return Convert(text, length, server_encoding, encoding);
}

char *
pg_any_to_server(const char *text, int length, int encoding)
{
	return Convert(text, length, encoding, server_encoding);
}

int
pg_mbcliplen(const char *text, int length, int limit)
{
	int clipped = 0;

	while (clipped < length && text[clipped] != '\0')
	{
		int next =
			clipped + pg_encoding_mblen(server_encoding, text + clipped);

		if (next > limit)
			break;
		clipped = next;
	}
	return clipped;
}

/*
 * Whether the server would have taken a text.
 */
bool
IsServerText(const char *text, size_t length)
{
	return memchr(text, '\0', length) == NULL &&
		   pg_encoding_verifymbstr(server_encoding, text, (int) length) ==
			   length;
}

/* JSON */

/*
 * Whether PostgreSQL's parser takes a text; with_escapes: even when it has to
 * say which characters the escapes stand for.
 */
bool
IsJson(const char *text, size_t length, bool with_escapes)
{
	JsonLexContext *lex;

#if PG_VERSION_NUM >= 170000
	lex = makeJsonLexContextCstringLen(NULL, text, length, server_encoding,
									   with_escapes);
#else
	lex = makeJsonLexContextCstringLen(unconstify(char *, text), (int) length,
									   server_encoding, with_escapes);
#endif
	return pg_parse_json(lex, &nullSemAction) == JSON_SUCCESS;
}

/*
 * An error says what is wrong in words that a client can be told.
 */
void
RequireGoodError(const DocumentError *error)
{
	Require(error->sqlstate == ERRCODE_INVALID_PARAMETER_VALUE ||
			error->sqlstate == ERRCODE_PROGRAM_LIMIT_EXCEEDED);
	Require(error->message != NULL && error->detail != NULL);
	Require(IsServerText(error->detail, strlen(error->detail)));
	if (error->path != NULL)
		Require(IsServerText(error->path, strlen(error->path)) &&
				strlen(error->path) <= 512);
	Require((error->kind != NULL) ==
			(error->sqlstate == ERRCODE_INVALID_PARAMETER_VALUE));
}

/* Dates, as in datetime.c */

const int day_tab[2][13] = {
	{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0},
	{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0}};

/*
 * By eras of 400 years, from 1 March of the year 400 before the year 0.
 */
int
date2j(int year, int month, int day)
{
	int y = year + 400 - (month <= 2);
	int era_year = y % 400;
	int year_day = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	Require(y >= 0);
	return y / 400 * 146097 + era_year * 365 + era_year / 4 - era_year / 100 +
		   year_day + FIRST_DAY;
}

void
j2date(int julian, int *year, int *month, int *day)
{
	int days = julian - FIRST_DAY;
	int era_day = days % 146097;
	int era_year =
		(era_day - era_day / 1460 + era_day / 36524 - era_day / 146096) / 365;
	int year_day = era_day - (365 * era_year + era_year / 4 - era_year / 100);
	int from_march = (5 * year_day + 2) / 153;

	Require(days >= 0);
	*day = year_day - (153 * from_march + 2) / 5 + 1;
	*month = from_march + (from_march < 10 ? 3 : -9);
	*year = days / 146097 * 400 + era_year - 400 + (*month <= 2);
}

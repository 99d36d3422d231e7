/*
 * failing_malloc.c
 *		Lets json-c run out of memory, at the n-th time that it asks for some.
 *
 * Preloaded into a server, it stands before malloc and its like for those who
 * call them from libjson-c; everybody else goes straight to libc.  Loaded by
 * CREATE FUNCTION as well, it tells and is told from SQL.
 */
#include "postgres.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <locale.h>

#include "fmgr.h"

PG_MODULE_MAGIC;

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void __libc_free(void *memory);

static char *json_c_start; /* NULL: not looked for yet */
static char *json_c_end;
static int asked;	 /* how often json-c has asked */
static int fails_at; /* 0: never */

/* What json-c has got and nobody has freed; NULL: a place that is free. */
#define MAX_PIECES 4096
static void *pieces[MAX_PIECES];
static int piece_limit; /* one past the last place that was ever used */

static int
FindJsonC(struct dl_phdr_info *library, size_t size, void *unused)
{
	if (strstr(library->dlpi_name, "libjson-c") == NULL)
		return 0;
	json_c_start = (char *) library->dlpi_addr;
	for (int i = 0; i < library->dlpi_phnum; i++)
	{
		char *end = json_c_start + library->dlpi_phdr[i].p_vaddr +
					library->dlpi_phdr[i].p_memsz;

		if (library->dlpi_phdr[i].p_type == PT_LOAD && end > json_c_end)
			json_c_end = end;
	}
	return 1;
}

static bool
IsJsonC(void *caller)
{
	return (char *) caller >= json_c_start && (char *) caller < json_c_end;
}

/*
 * Whether this time json-c gets nothing.
 */
static bool
Fails(void *caller)
{
	if (!IsJsonC(caller) || ++asked != fails_at)
		return false;
	errno = ENOMEM;
	return true;
}

/*
 * Replaces a piece that is known, or a free place, by another.
 */
static void
Replace(void *old, void *new)
{
	for (int i = 0; i < piece_limit; i++)
	{
		if (pieces[i] == old)
		{
			pieces[i] = new;
			return;
		}
	}
	if (old == NULL && piece_limit < MAX_PIECES)
		pieces[piece_limit++] = new;
}

static void *
Note(void *caller, void *memory)
{
	if (IsJsonC(caller) && memory != NULL)
		Replace(NULL, memory);
	return memory;
}

#define CALLER __builtin_return_address(0)

void *
malloc(size_t size)
{
	return Fails(CALLER) ? NULL : Note(CALLER, __libc_malloc(size));
}

void *
calloc(size_t count, size_t size)
{
	return Fails(CALLER) ? NULL : Note(CALLER, __libc_calloc(count, size));
}

void *
realloc(void *old, size_t size)
{
	void *memory;

	if (Fails(CALLER))
		return NULL;
	memory = __libc_realloc(old, size);
	if (old == NULL)
		return Note(CALLER, memory);
	if (memory != NULL)
		Replace(old, memory);
	return memory;
}

/*
 * Whoever calls: a function that ends with a call of free may jump there.
 */
void
free(void *memory)
{
	if (memory != NULL)
		Replace(memory, NULL);
	__libc_free(memory);
}

char *
strdup(const char *string)
{
	size_t size = strlen(string) + 1;
	char *copy = Fails(CALLER) ? NULL : Note(CALLER, __libc_malloc(size));

	return copy == NULL ? NULL : memcpy(copy, string, size);
}

locale_t
duplocale(locale_t old)
{
	static locale_t (*libc)(locale_t) = NULL;

	if (libc == NULL)
		libc = (locale_t (*)(locale_t)) dlsym(RTLD_NEXT, "duplocale");
	return (locale_t) Note(CALLER, libc(old));
}

/*
 * Takes the old one over, or frees it.
 */
locale_t
newlocale(int mask, const char *name, locale_t old)
{
	static locale_t (*libc)(int, const char *, locale_t) = NULL;

	if (Fails(CALLER))
		return (locale_t) 0;
	if (libc == NULL)
		libc = (locale_t (*)(int, const char *, locale_t)) dlsym(RTLD_NEXT, "newlocale");
	return libc(mask, name, old);
}

/* fail_at(n): from now on the n-th request fails; 0: none. */
PG_FUNCTION_INFO_V1(fail_at);
Datum
fail_at(PG_FUNCTION_ARGS)
{
	dl_iterate_phdr(FindJsonC, NULL);
	asked = 0;
	fails_at = PG_GETARG_INT32(0);
	PG_RETURN_BOOL(json_c_start != NULL);
}

/* requests(): how often json-c has asked for memory since then. */
PG_FUNCTION_INFO_V1(requests);
Datum
requests(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(asked);
}

/* live_pieces(): pieces of memory that json-c has not given back. */
PG_FUNCTION_INFO_V1(live_pieces);
Datum
live_pieces(PG_FUNCTION_ARGS)
{
	int live = 0;

	for (int i = 0; i < piece_limit; i++)
		live += pieces[i] != NULL;
	PG_RETURN_INT32(live);
}

/*
 * full_disk.c
 *		Lets a backend find the disk full, from the n-th time on that it makes a
 *		file of a database longer.
 *
 * Preloaded into a server, it stands before the functions that write at a
 * place in a file.  Loaded by CREATE FUNCTION as well, it is told from SQL, and
 * then holds for that backend alone.  WAL has room: without it the whole
 * server stops, whoever writes.
 */
#include "postgres.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fmgr.h"

PG_MODULE_MAGIC;

static int room = -1;  /* how often files may still grow; -1: always */
static int extensions; /* how often they have grown since that was told */

/*
 * Whether a file is one of a table, an index or a temporary one.
 */
static bool
IsData(int file)
{
	char link[64];
	char path[MAXPGPATH];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
	length = readlink(link, path, sizeof(path) - 1);
	if (length < 0)
		return false;
	path[length] = '\0';
	return strstr(path, "/base/") != NULL;
}

/*
 * Whether there is no room for what is to be written up to a place.
 */
static bool
IsFull(int file, off_t end)
{
	struct stat status;

	if (fstat(file, &status) != 0 || end <= status.st_size || !IsData(file))
		return false;
	if (room == 0)
	{
		errno = ENOSPC;
		return true;
	}
	if (room > 0)
		room--;
	extensions++;
	return false;
}

static off_t
SizeOf(const struct iovec *pieces, int count)
{
	off_t size = 0;

	for (int i = 0; i < count; i++)
		size += pieces[i].iov_len;
	return size;
}

ssize_t
pwrite64(int file, const void *data, size_t size, off_t place)
{
	static ssize_t (*libc)(int, const void *, size_t, off_t) = NULL;

	if (libc == NULL)
		libc = (ssize_t(*)(int, const void *, size_t, off_t)) dlsym(
			RTLD_NEXT, "pwrite64");
	return IsFull(file, place + size) ? -1 : libc(file, data, size, place);
}

ssize_t
pwrite(int file, const void *data, size_t size, off_t place)
{
	return pwrite64(file, data, size, place);
}

ssize_t
pwritev64(int file, const struct iovec *pieces, int count, off_t place)
{
	static ssize_t (*libc)(int, const struct iovec *, int, off_t) = NULL;

	if (libc == NULL)
		libc = (ssize_t(*)(int, const struct iovec *, int, off_t)) dlsym(
			RTLD_NEXT, "pwritev64");
	return IsFull(file, place + SizeOf(pieces, count))
			   ? -1
			   : libc(file, pieces, count, place);
}

ssize_t
pwritev(int file, const struct iovec *pieces, int count, off_t place)
{
	return pwritev64(file, pieces, count, place);
}

/*
 * How PostgreSQL 16 and later make a file longer by many pages.  This one
 * returns the error.
 */
int
posix_fallocate64(int file, off_t place, off_t size)
{
	static int (*libc)(int, off_t, off_t) = NULL;

	if (libc == NULL)
		libc =
			(int (*)(int, off_t, off_t)) dlsym(RTLD_NEXT, "posix_fallocate64");
	return IsFull(file, place + size) ? ENOSPC : libc(file, place, size);
}

int
posix_fallocate(int file, off_t place, off_t size)
{
	return posix_fallocate64(file, place, size);
}

/* have_room(n): from now on files may grow n times; -1: always. */
PG_FUNCTION_INFO_V1(have_room);
Datum
have_room(PG_FUNCTION_ARGS)
{
	extensions = 0;
	room = PG_GETARG_INT32(0);
	PG_RETURN_VOID();
}

/* extensions_made(): how often they have grown since then. */
PG_FUNCTION_INFO_V1(extensions_made);
Datum
extensions_made(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(extensions);
}

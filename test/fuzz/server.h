/*
 * server.h
 *		What stands in for the PostgreSQL server in the fuzz targets.
 */
#ifndef ACTIVITYFEED_FUZZ_SERVER_H
#define ACTIVITYFEED_FUZZ_SERVER_H

#include "document.h"
#include "json_scan.h"

/*
 * The server encodings that a target can choose between.  WIN1252 stands for
 * all that need a conversion: some of its bytes have no UTF-8.
 */
extern const int server_encodings[3];
extern int server_encoding;

/* Ends the process, with a message, unless it holds. */
#define Require(condition) \
	((condition) ? (void) 0 : RequireFailed(#condition, __FILE__, __LINE__))

extern void RequireFailed(const char *condition, const char *file, int line)
	__attribute__((noreturn));

/*
 * Runs a function; whatever it has palloc'd is freed afterwards, and what it
 * has hung on its memory context is called.  No code here may raise an error:
 * if it does, the process ends.
 */
extern void RunInContext(void (*run)(const char *text, size_t length),
						 const uint8_t *data, size_t size);

extern bool IsServerText(const char *text, size_t length);
extern bool IsJson(const char *text, size_t length, bool with_escapes);
extern void RequireGoodError(const DocumentError *error);

#endif /* ACTIVITYFEED_FUZZ_SERVER_H */

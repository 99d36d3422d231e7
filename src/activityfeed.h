/*
 * activityfeed.h
 *		Settings and limits that every part of the module shares.
 */
#ifndef ACTIVITYFEED_H
#define ACTIVITYFEED_H

/*
 * The module is built with hidden visibility, so that its symbols cannot meet
 * those of other modules.  What the server looks up stands between these.
 */
#define EXPORTS_BEGIN _Pragma("GCC visibility push(default)")
#define EXPORTS_END _Pragma("GCC visibility pop")

/* PostgreSQL's own macro for this changed its place in 18. */
#define NEVER_RETURNS __attribute__((noreturn))

/* Longest ids, in bytes; all have at least one. */
#define MAX_ID_LENGTH 512 /* users, apps, connections, items */
#define MAX_APP_ACTIVITY_ID_LENGTH 2048

/* activityfeed.retention: what it is when nothing is ever to expire */
#define RETENTION_FOREVER (-1)

extern bool setting_strict;
extern bool setting_notify;
extern int setting_retention;		  /* seconds, or RETENTION_FOREVER */
extern int setting_max_document_size; /* bytes */
extern int setting_max_depth;		  /* nested objects and arrays */
extern int setting_max_batch;		  /* elements */
extern int setting_page_size;		  /* rows */

/* What changed between PostgreSQL 15 and 18. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif
#if PG_VERSION_NUM >= 170000
#define MyLocalTransactionId() (MyProc->vxid.lxid)
#define OldestStatusTransactionId() (TransamVariables->oldestClogXid)
#else
#define MyLocalTransactionId() (MyProc->lxid)
#define OldestStatusTransactionId() (ShmemVariableCache->oldestClogXid)
#endif

#endif /* ACTIVITYFEED_H */

/*
 * lifecycle.h
 *		How rows leave the store: purging, erasing, and exporting before that.
 *
 * Every function expects SPI to be connected.
 */
#ifndef ACTIVITYFEED_LIFECYCLE_H
#define ACTIVITYFEED_LIFECYCLE_H

#include "lib/stringinfo.h"

/*
 * Takes a document that begins with the header of a text: it is borrowed, and
 * gone when the function returns.
 */
typedef void (*ExportTaker)(void *context, text *document);

extern int64 PurgeExpired(int batch_size);
extern int64 EraseUser(Datum user_id);
extern void ExportUser(Datum user_id, ExportTaker take, void *context);

#endif /* ACTIVITYFEED_LIFECYCLE_H */

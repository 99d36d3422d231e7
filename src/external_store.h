/*
 * external_store.h
 *		External activities on their way into the table.
 */
#ifndef ACTIVITYFEED_EXTERNAL_STORE_H
#define ACTIVITYFEED_EXTERNAL_STORE_H

#include "document.h"
#include "external.h"

#define EXTERNAL_CHUNK_SIZE 1000

/* One element of a chunk: what was read, and what became of it. */
typedef struct ExternalElement
{
	ExternalActivityDocument activity;
	bool is_good;
	Datum error; /* jsonb, unless it is good */
	int64 id;	 /* if it is good, once stored */
} ExternalElement;

typedef struct ExternalChunk
{
	int count;
	int good;
	int stored;		 /* ids received so far */
	int first_index; /* of its first element in the batch */
	ExternalElement elements[EXTERNAL_CHUNK_SIZE];
} ExternalChunk;

extern void ExternalLookUpLabels(Oid type, const char *const *names,
								 Datum *labels);
extern void ExternalStoreChunk(const ExternalItem *item, ExternalChunk *chunk,
							   TimestampTz now);

#endif /* ACTIVITYFEED_EXTERNAL_STORE_H */

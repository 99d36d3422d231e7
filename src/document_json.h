/*
 * document_json.h
 *		From JSON text to the structs of document.h.
 *
 * The text is in the server encoding and is valid JSON: the json type or
 * PostgreSQL's parser has seen it.  Opaque members of the structs point into
 * it, so it must live as long as they do.
 */
#ifndef ACTIVITYFEED_DOCUMENT_JSON_H
#define ACTIVITYFEED_DOCUMENT_JSON_H

#include "document.h"

typedef struct DocumentReader DocumentReader;

extern DocumentReader *DocumentReaderCreate(const DocumentRules *rules);

/*
 * Each reads and checks one document.  Returns false, with *error filled in,
 * for a bad one.  Strings are allocated in the current memory context.
 */
extern bool DocumentReadActivity(DocumentReader *reader, JsonSlice text,
								 ActivityDocument *activity,
								 DocumentError *error);
extern bool DocumentReadHistoryItem(DocumentReader *reader, JsonSlice text,
									HistoryItemDocument *item,
									DocumentError *error);
extern bool DocumentReadExternalActivity(DocumentReader *reader,
										 JsonSlice text,
										 ExternalActivityDocument *activity,
										 DocumentError *error);
extern const char *DocumentJsonKind(JsonSlice value);

#endif /* ACTIVITYFEED_DOCUMENT_JSON_H */

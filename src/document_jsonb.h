/*
 * document_jsonb.h
 *		The members of an activity that are stored as jsonb.
 */
#ifndef ACTIVITYFEED_DOCUMENT_JSONB_H
#define ACTIVITYFEED_DOCUMENT_JSONB_H

#include "document.h"

extern Datum DocumentOpaqueJsonb(JsonSlice text);
extern Datum DocumentVisualElementsJsonb(const VisualElementsDocument *visual);

#endif /* ACTIVITYFEED_DOCUMENT_JSONB_H */

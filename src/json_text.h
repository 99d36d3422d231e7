/*
 * json_text.h
 *		Appending values to a document that is being written.
 */
#ifndef ACTIVITYFEED_JSON_TEXT_H
#define ACTIVITYFEED_JSON_TEXT_H

#include "lib/stringinfo.h"
#include "utils/jsonb.h"

extern void JsonTextString(StringInfo out, const char *string, int length);
extern void JsonTextJsonb(StringInfo out, Jsonb *jsonb);

#endif /* ACTIVITYFEED_JSON_TEXT_H */

/*
 * json_text.h
 *		Appending values to a document that is being written.
 */
#ifndef ACTIVITYFEED_JSON_TEXT_H
#define ACTIVITYFEED_JSON_TEXT_H

#include "lib/stringinfo.h"
#include "utils/jsonb.h"

/*
 * Makes room for so many bytes, which may then be written at data + len.  Most
 * often there is some: then it costs no call.
 */
static inline void
JsonTextReserve(StringInfo out, int needed)
{
	if (out->maxlen - out->len <= needed)
		enlargeStringInfo(out, needed);
}

/*
 * Appends bytes to where there is room for them.
 */
static inline void
JsonTextPut(StringInfo out, const char *bytes, int length)
{
	memcpy(out->data + out->len, bytes, length);
	out->len += length;
}

extern void JsonTextString(StringInfo out, const char *string, int length);
extern void JsonTextJsonb(StringInfo out, const Jsonb *jsonb);

#endif /* ACTIVITYFEED_JSON_TEXT_H */

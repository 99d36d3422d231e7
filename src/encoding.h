/*
 * encoding.h
 *		Between the server encoding and the UTF-8 that json-c speaks.
 */
#ifndef ACTIVITYFEED_ENCODING_H
#define ACTIVITYFEED_ENCODING_H

#include "lib/stringinfo.h"

extern const char *EncodingToUtf8(const char *text, size_t *length);
extern size_t EncodingConvertibleLength(const char *text, size_t length);
extern char *EncodingFromUtf8(const char *text, size_t length);
extern void EncodingAppendUtf8(StringInfo out, uint32 code_point);
extern bool EncodingHasCharacter(uint32 code_point);
extern bool EncodingCanHold(const char *utf8, size_t length);
extern size_t EncodingClip(const char *text, size_t length, size_t limit);

#endif /* ACTIVITYFEED_ENCODING_H */

/*
 * document.h
 *		What a document says, as C structs, and what is wrong with it.
 *
 * Strings are in the server encoding, zero-terminated, NULL for null, and
 * live in the memory context that was current when the document was read.
 */
#ifndef ACTIVITYFEED_DOCUMENT_H
#define ACTIVITYFEED_DOCUMENT_H

#include "datatype/timestamp.h"
#include "utils/uuid.h"

#include "activityfeed.h"
#include "json_scan.h"

/* What is wrong with a document. */
typedef struct DocumentError
{
	int sqlstate;	  /* 0: nothing */
	const char *kind; /* missing_member, ...; NULL for limits */
	char *path;		  /* of the member; NULL for the whole */
	char *message;
	char *detail;	  /* a sentence */
	const char *hint; /* or NULL */
} DocumentError;

typedef struct OptionalTime
{
	bool given;
	TimestampTz value;
} OptionalTime;

typedef struct HistoryItemDocument
{
	bool has_id;
	pg_uuid_t id;
	OptionalTime started; /* always given in a checked document */
	OptionalTime last_active;
	OptionalTime expiration;
	bool duration_given;
	int64 duration;	   /* seconds; within int32 once checked */
	bool has_duration; /* given or calculated */
	char *user_timezone;
} HistoryItemDocument;

typedef struct AttributionDocument
{
	char *icon_url;
	char *alternate_text;
	char *alternative_text;
	bool has_add_image_query;
	bool add_image_query;
} AttributionDocument;

typedef struct VisualElementsDocument
{
	char *display_text;
	char *description;
	char *background_color;
	AttributionDocument *attribution; /* NULL: none */
	JsonSlice content;				  /* opaque; start is NULL: none */
} VisualElementsDocument;

typedef struct ActivityDocument
{
	char *app_activity_id;
	char *activity_source_host;
	char *activation_url;
	char *app_display_name;
	char *content_url;
	char *fallback_url;
	char *user_timezone;
	VisualElementsDocument *visual_elements; /* NULL: none */
	JsonSlice content_info;					 /* opaque; start is NULL: none */
	int history_item_count;
	HistoryItemDocument *history_items;
} ActivityDocument;

/* In the order of the enums' labels. */
typedef enum ExternalActivityType
{
	EXTERNAL_ACTIVITY_VIEWED,
	EXTERNAL_ACTIVITY_MODIFIED,
	EXTERNAL_ACTIVITY_CREATED,
	EXTERNAL_ACTIVITY_COMMENTED
} ExternalActivityType;

typedef enum IdentityType
{
	IDENTITY_USER,
	IDENTITY_GROUP,
	IDENTITY_EXTERNAL_GROUP
} IdentityType;

typedef struct IdentityDocument
{
	char *type_name; /* as sent */
	IdentityType type;
	char *id;
} IdentityDocument;

typedef struct ExternalActivityDocument
{
	char *type_name; /* as sent */
	bool has_type;	 /* type_name is one of the types */
	ExternalActivityType type;
	OptionalTime start;
	IdentityDocument *performed_by; /* NULL: nobody */
} ExternalActivityDocument;

/* What a document is read and checked against. */
typedef struct DocumentRules
{
	bool strict;
	TimestampTz now;			 /* an expiration before it is refused */
	const char *app_activity_id; /* the request's own; NULL: it has none */
} DocumentRules;

/* For a document that is a JSON string, which may hold the real one. */
#define DOUBLE_ENCODING_HINT \
	"The document is a JSON string: the driver may have encoded it twice."

extern const char *const external_activity_type_names[];
extern const char *const identity_type_names[];

/* Saying what is wrong; each returns false. */
extern bool DocumentMissing(DocumentError *error, const char *path,
							const char *what, const char *hint);
extern bool DocumentUnknown(DocumentError *error, const char *path);
extern bool DocumentWrongType(DocumentError *error, const char *path,
							  const char *expected, const char *found);
extern bool DocumentBadValue(DocumentError *error, const char *path,
							 const char *rule);
extern bool DocumentOverLimit(DocumentError *error, const char *message,
							  char *detail);
extern bool DocumentTooLarge(DocumentError *error, size_t size);
extern bool DocumentTextTrouble(DocumentError *error, JsonTrouble trouble,
								const char *path);
extern void DocumentRaise(const DocumentError *error) NEVER_RETURNS;

extern bool DocumentParseGuid(const char *text, size_t length,
							  pg_uuid_t *uuid);

/* Checks of what was read; each returns false and says what is wrong. */
extern bool DocumentCheckActivity(ActivityDocument *activity,
								  const DocumentRules *rules,
								  DocumentError *error);
extern bool DocumentCheckHistoryItem(HistoryItemDocument *item,
									 const DocumentRules *rules,
									 const char *prefix, DocumentError *error);
extern bool DocumentCheckSameItem(const HistoryItemDocument *item,
								  const pg_uuid_t *id, bool strict,
								  DocumentError *error);
extern bool DocumentCheckExternalActivity(ExternalActivityDocument *activity,
										  DocumentError *error);

#endif /* ACTIVITYFEED_DOCUMENT_H */

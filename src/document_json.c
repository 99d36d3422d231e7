/*
 * document_json.c
 *		From JSON text to the structs of document.h: the only user of json-c.
 *
 * What a resource's members are is said in tables; one function reads any
 * object by its table.  utils/builtins.h must not be included here, as it
 * declares a json_object too.
 *
 * json-c allocates with malloc, which an error would leak.  The reader
 * therefore hangs its tokener and its value on a callback of the memory
 * context that it lives in, before it parses anything.
 *
 * Nor does json-c look at what malloc returns, or not everywhere: without
 * memory 0.16 aborts on an object that it could not make, cuts strings off and
 * reads others as null, and up to 0.18 an object loses members.  So objects
 * and arrays are walked over as text, which PostgreSQL has judged, and json-c
 * is handed one string with escapes or one number at a time: of that it can be
 * told for sure whether it was read.  A string without escapes is its text.
 */
#include "postgres.h"

#include <ctype.h>
#include <json-c/json.h>

#include "miscadmin.h"
#include "utils/palloc.h"

#include "activityfeed.h"
#include "document_json.h"
#include "encoding.h"
#include "timestamp.h"

struct DocumentReader
{
	DocumentRules rules;
	json_tokener *tokener; /* owned; malloc'd; NULL until there is need */
	json_object *value;	   /* owned; malloc'd; NULL between documents */
	MemoryContextCallback callback;
};

/* Where in a document something is, for a path. */
typedef struct Place
{
	const struct Place *parent; /* NULL: the document itself */
	const char *name;			/* of a member; NULL: an element */
	int index;					/* of an element */
} Place;

typedef enum MemberKind
{
	MEMBER_STRING,			/* char * */
	MEMBER_TIME,			/* OptionalTime */
	MEMBER_REQUIRED_TIME,	/* the same; "" counts as missing */
	MEMBER_DURATION,		/* of a HistoryItemDocument */
	MEMBER_ITEM_ID,			/* of a HistoryItemDocument */
	MEMBER_ADD_IMAGE_QUERY, /* of an AttributionDocument */
	MEMBER_OPAQUE,			/* JsonSlice: an object of any content */
	MEMBER_OBJECT,			/* pointer to the nested resource */
	MEMBER_HISTORY_ITEMS,	/* of an ActivityDocument */
	MEMBER_STATUS,			/* set by the server */
	MEMBER_SERVER			/* set by the server: ignored */
} MemberKind;

typedef struct MemberRule
{
	const char *name;
	MemberKind kind;
	size_t offset;					   /* in the resource's struct */
	const struct ResourceRule *nested; /* for MEMBER_OBJECT */
} MemberRule;

/* An annotation that is looked at. */
#define TYPE_ANNOTATION "@odata.type"

/* More than any resource has. */
#define MAX_MEMBERS 16

typedef struct ResourceRule
{
	const char *type_name;	   /* for @odata.type, without the "#" */
	size_t size;			   /* of the struct */
	const MemberRule *members; /* ends with a NULL name */
} ResourceRule;

static const MemberRule attribution_members[] = {
	{"iconUrl", MEMBER_STRING, offsetof(AttributionDocument, icon_url), NULL},
	{"alternateText", MEMBER_STRING,
	 offsetof(AttributionDocument, alternate_text), NULL},
	{"alternativeText", MEMBER_STRING,
	 offsetof(AttributionDocument, alternative_text), NULL},
	{"addImageQuery", MEMBER_ADD_IMAGE_QUERY, 0, NULL},
	{NULL, MEMBER_SERVER, 0, NULL}};

static const ResourceRule attribution_rule = {"microsoft.graph.imageInfo",
											  sizeof(AttributionDocument),
											  attribution_members};

static const MemberRule visual_elements_members[] = {
	{"displayText", MEMBER_STRING,
	 offsetof(VisualElementsDocument, display_text), NULL},
	{"description", MEMBER_STRING,
	 offsetof(VisualElementsDocument, description), NULL},
	{"backgroundColor", MEMBER_STRING,
	 offsetof(VisualElementsDocument, background_color), NULL},
	{"attribution", MEMBER_OBJECT,
	 offsetof(VisualElementsDocument, attribution), &attribution_rule},
	{"content", MEMBER_OPAQUE, offsetof(VisualElementsDocument, content),
	 NULL},
	{NULL, MEMBER_SERVER, 0, NULL}};

static const ResourceRule visual_elements_rule = {
	"microsoft.graph.visualInfo", sizeof(VisualElementsDocument),
	visual_elements_members};

static const MemberRule activity_members[] = {
	{"appActivityId", MEMBER_STRING,
	 offsetof(ActivityDocument, app_activity_id), NULL},
	{"activitySourceHost", MEMBER_STRING,
	 offsetof(ActivityDocument, activity_source_host), NULL},
	{"activationUrl", MEMBER_STRING,
	 offsetof(ActivityDocument, activation_url), NULL},
	{"visualElements", MEMBER_OBJECT,
	 offsetof(ActivityDocument, visual_elements), &visual_elements_rule},
	{"appDisplayName", MEMBER_STRING,
	 offsetof(ActivityDocument, app_display_name), NULL},
	{"contentUrl", MEMBER_STRING, offsetof(ActivityDocument, content_url),
	 NULL},
	{"fallbackUrl", MEMBER_STRING, offsetof(ActivityDocument, fallback_url),
	 NULL},
	{"userTimezone", MEMBER_STRING, offsetof(ActivityDocument, user_timezone),
	 NULL},
	{"contentInfo", MEMBER_OPAQUE, offsetof(ActivityDocument, content_info),
	 NULL},
	{"historyItems", MEMBER_HISTORY_ITEMS, 0, NULL},
	{"id", MEMBER_SERVER, 0, NULL},
	{"createdDateTime", MEMBER_SERVER, 0, NULL},
	{"lastModifiedDateTime", MEMBER_SERVER, 0, NULL},
	{"expirationDateTime", MEMBER_SERVER, 0, NULL},
	{"status", MEMBER_STATUS, 0, NULL},
	{NULL, MEMBER_SERVER, 0, NULL}};

static const ResourceRule activity_rule = {"microsoft.graph.userActivity",
										   sizeof(ActivityDocument),
										   activity_members};

static const MemberRule history_item_members[] = {
	{"startedDateTime", MEMBER_REQUIRED_TIME,
	 offsetof(HistoryItemDocument, started), NULL},
	{"lastActiveDateTime", MEMBER_TIME,
	 offsetof(HistoryItemDocument, last_active), NULL},
	{"activeDurationSeconds", MEMBER_DURATION, 0, NULL},
	{"expirationDateTime", MEMBER_TIME,
	 offsetof(HistoryItemDocument, expiration), NULL},
	{"userTimezone", MEMBER_STRING,
	 offsetof(HistoryItemDocument, user_timezone), NULL},
	{"id", MEMBER_ITEM_ID, 0, NULL},
	{"createdDateTime", MEMBER_SERVER, 0, NULL},
	{"lastModifiedDateTime", MEMBER_SERVER, 0, NULL},
	{"status", MEMBER_STATUS, 0, NULL},
	{NULL, MEMBER_SERVER, 0, NULL}};

static const ResourceRule history_item_rule = {
	"microsoft.graph.activityHistoryItem", sizeof(HistoryItemDocument),
	history_item_members};

static const MemberRule identity_members[] = {
	{"type", MEMBER_STRING, offsetof(IdentityDocument, type_name), NULL},
	{"id", MEMBER_STRING, offsetof(IdentityDocument, id), NULL},
	{NULL, MEMBER_SERVER, 0, NULL}};

static const ResourceRule identity_rule = {
	"microsoft.graph.externalConnectors.identity", sizeof(IdentityDocument),
	identity_members};

static const MemberRule external_activity_members[] = {
	{"type", MEMBER_STRING, offsetof(ExternalActivityDocument, type_name),
	 NULL},
	{"startDateTime", MEMBER_REQUIRED_TIME,
	 offsetof(ExternalActivityDocument, start), NULL},
	{"performedBy", MEMBER_OBJECT,
	 offsetof(ExternalActivityDocument, performed_by), &identity_rule},
	{NULL, MEMBER_SERVER, 0, NULL}};

static const ResourceRule external_activity_rule = {
	"microsoft.graph.externalConnectors.externalActivity",
	sizeof(ExternalActivityDocument), external_activity_members};

/* What a call of ReadObject works with. */
typedef struct ReadState
{
	DocumentReader *reader; /* borrowed */
	DocumentError *error;	/* borrowed */
} ReadState;

static bool ReadObject(ReadState *state, const Place *place, JsonSlice object,
					   const ResourceRule *rule, void *target);

static void
FreeValue(DocumentReader *reader)
{
	json_object *value = reader->value;

	reader->value = NULL;
	json_object_put(value); /* NULL is fine */
}

static void
FreeReader(void *arg)
{
	DocumentReader *reader = arg;

	FreeValue(reader);
	if (reader->tokener != NULL)
		json_tokener_free(reader->tokener);
}

/*
 * Makes a reader that lives as long as the current memory context.
 */
DocumentReader *
DocumentReaderCreate(const DocumentRules *rules)
{
	DocumentReader *reader = palloc0(sizeof(DocumentReader));

	reader->rules = *rules;
	reader->callback.func = FreeReader;
	reader->callback.arg = reader;
	MemoryContextRegisterResetCallback(CurrentMemoryContext,
									   &reader->callback);
	return reader;
}

/*
 * Readies json-c for a value; most documents have none for it.
 *
 * Not JSON_TOKENER_STRICT: PostgreSQL has judged the text, and json-c 0.17 and
 * 0.18 then refuse good ones (integers beyond 64 bits, bytes above 0x7f).
 */
static void
ReadyTokener(DocumentReader *reader)
{
	FreeValue(reader);
	if (reader->tokener != NULL)
	{
		json_tokener_reset(reader->tokener);
		return;
	}
	reader->tokener = json_tokener_new_ex(1); /* nothing nests */
	if (reader->tokener == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
				 errdetail("Could not create a JSON parser.")));
	json_tokener_set_flags(reader->tokener, 0);
}

static void
AppendPlace(StringInfo path, const Place *place)
{
	if (place == NULL)
		return;
	AppendPlace(path, place->parent);
	if (place->name == NULL)
		appendStringInfo(path, "[%d]", place->index);
	else
		appendStringInfo(path, "%s%s", path->len > 0 ? "." : "", place->name);
}

/*
 * The path of a place.
 */
static char *
PathOf(const Place *place)
{
	StringInfoData path;

	initStringInfo(&path);
	AppendPlace(&path, place);
	return path.data;
}

/*
 * What a value is, with its article.
 */
const char *
DocumentJsonKind(JsonSlice value)
{
	switch (value.start < value.end ? *value.start : '\0')
	{
		case 'n':
			return "null";
		case 't':
		case 'f':
			return "a boolean";
		case '"':
			return "a string";
		case '[':
			return "an array";
		case '{':
			return "an object";
		default:
			return "a number";
	}
}

/*
 * json-c fails on a text that PostgreSQL has judged only when it has no memory.
 */
static void
RaiseParserError(json_tokener *tokener)
{
	ereport(
		ERROR,
		(errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
		 errdetail("The JSON parser failed: %s.",
				   json_tokener_error_desc(json_tokener_get_error(tokener)))));
}

/*
 * Hands a string or a number, which CheckText has seen, to json-c.
 *
 * Surrogate pairs are decoded before: json-c up to 0.18 takes the characters
 * of some pairs (U+1D800 and up, and their like in other planes) for halves of
 * another pair, and loses them.
 */
static json_object *
ParseValue(DocumentReader *reader, JsonSlice text)
{
	size_t length = text.end - text.start;
	const char *utf8 = EncodingToUtf8(text.start, &length);
	JsonSlice slice = {utf8, utf8 + length};
	StringInfoData copy;

	initStringInfo(&copy);
	if (JsonHasSurrogates(slice))
		JsonAppendWithoutSurrogates(&copy, slice);
	else
		appendBinaryStringInfo(&copy, utf8, (int) length);
	ReadyTokener(reader);
	/* with the zero byte behind it, which ends a number */
	reader->value =
		json_tokener_parse_ex(reader->tokener, copy.data, copy.len + 1);
	if (reader->value == NULL ||
		(copy.data[0] == '"' &&
		 json_object_get_string_len(reader->value) !=
			 JsonStringLength((JsonSlice){copy.data, copy.data + copy.len})))
		RaiseParserError(reader->tokener);
	pfree(copy.data);
	return reader->value;
}

static bool
WrongType(ReadState *state, const Place *place, JsonSlice value,
		  const char *expected)
{
	return DocumentWrongType(state->error, PathOf(place), expected,
							 DocumentJsonKind(value));
}

/*
 * Requires a string.
 */
static bool
ExpectString(ReadState *state, const Place *place, JsonSlice value)
{
	if (*value.start == '"')
		return true;
	return WrongType(state, place, value, "a string");
}

/*
 * What a string says, in the server encoding: between its quotes, or in the
 * current memory context.
 */
static JsonSlice
StringContent(DocumentReader *reader, JsonSlice string)
{
	JsonSlice content = {string.start + 1, string.end - 1};
	json_object *decoded;
	char *text;

	if (memchr(content.start, '\\', content.end - content.start) == NULL)
		return content;
	decoded = ParseValue(reader, string);
	text = EncodingFromUtf8(json_object_get_string(decoded),
							json_object_get_string_len(decoded));
	content.start = text;
	content.end = text + strlen(text);
	return content;
}

static char *
CopyOf(JsonSlice text)
{
	return pnstrdup(text.start, text.end - text.start);
}

static bool
SliceIs(JsonSlice text, const char *string)
{
	size_t length = strlen(string);

	return text.end - text.start == length &&
		   memcmp(text.start, string, length) == 0;
}

static bool
ReadString(ReadState *state, const Place *place, JsonSlice value,
		   char **target)
{
	if (!ExpectString(state, place, value))
		return false;
	*target = CopyOf(StringContent(state->reader, value));
	return true;
}

static bool
ReadTime(ReadState *state, const Place *place, JsonSlice value, bool required,
		 OptionalTime *target)
{
	JsonSlice text;
	size_t length;

	if (!ExpectString(state, place, value))
		return false;
	text = StringContent(state->reader, value);
	length = text.end - text.start;
	if (length == 0 && required)
		return true;
	if (!TimestampParse(text.start, length, &target->value))
		return DocumentBadValue(
			state->error, PathOf(place),
			"be a date and time with a zone, such as 2018-02-26T20:54:04.345Z");
	target->given = true;
	return true;
}

static bool
ReadDuration(ReadState *state, const Place *place, JsonSlice value,
			 HistoryItemDocument *item)
{
	json_object *number;

	if (*value.start != '-' && !isdigit((unsigned char) *value.start))
		return WrongType(state, place, value, "an integer");
	number = ParseValue(state->reader, value);
	if (json_object_is_type(number, json_type_double))
		return DocumentWrongType(state->error, PathOf(place), "an integer",
								 "a fraction");
	item->duration = json_object_get_int64(number); /* clamped */
	item->duration_given = true;
	return true;
}

static bool
ReadItemId(ReadState *state, const Place *place, JsonSlice value,
		   HistoryItemDocument *item)
{
	JsonSlice text;

	if (!ExpectString(state, place, value))
		return false;
	text = StringContent(state->reader, value);
	if (!DocumentParseGuid(text.start, text.end - text.start, &item->id))
		return DocumentBadValue(
			state->error, PathOf(place),
			"be a GUID, such as 61fc8f36-919f-4b73-89d4-1cb7b159d912");
	item->has_id = true;
	return true;
}

/*
 * addImageQuery is a boolean, but the published examples also send the
 * strings "true" and "false".
 */
static bool
ReadAddImageQuery(ReadState *state, const Place *place, JsonSlice value,
				  AttributionDocument *attribution)
{
	JsonSlice text;

	attribution->has_add_image_query = true;
	if (*value.start == 't' || *value.start == 'f')
	{
		attribution->add_image_query = *value.start == 't';
		return true;
	}
	if (*value.start != '"')
		return WrongType(state, place, value, "a boolean");
	text = StringContent(state->reader, value);
	attribution->add_image_query = SliceIs(text, "true");
	if (!attribution->add_image_query && !SliceIs(text, "false"))
		return DocumentBadValue(state->error, PathOf(place),
								"be true or false");
	return true;
}

/*
 * The server sets the status, and what a client sends is ignored; but the
 * sentinel of the metadata's enumeration is no status at all.
 */
static bool
ReadStatus(ReadState *state, const Place *place, JsonSlice value)
{
	if (*value.start == '"' &&
		SliceIs(StringContent(state->reader, value), "unknownFutureValue"))
		return DocumentBadValue(state->error, PathOf(place),
								"be active, updated, deleted or ignored");
	return true;
}

static bool
ReadOpaque(ReadState *state, const Place *place, JsonSlice value,
		   JsonSlice *target)
{
	if (*value.start != '{')
		return WrongType(state, place, value, "an object");
	*target = value;
	return true;
}

static bool
ReadNested(ReadState *state, const Place *place, JsonSlice value,
		   const ResourceRule *rule, void **target)
{
	*target = palloc0(rule->size);
	return ReadObject(state, place, value, rule, *target);
}

static size_t
CountElements(JsonSlice array)
{
	JsonElements elements;
	JsonSlice element;
	size_t count = 0;

	JsonBeginElements(array, &elements);
	while (JsonNextElement(&elements, &element))
		count++;
	return count;
}

static bool
ReadHistoryItems(ReadState *state, const Place *place, JsonSlice value,
				 ActivityDocument *activity)
{
	JsonElements elements;
	JsonSlice item;
	size_t count;

	if (*value.start != '[')
		return WrongType(state, place, value, "an array");
	count = CountElements(value);
	if (count > setting_max_batch)
	{
		DocumentOverLimit(
			state->error, "too many history items",
			psprintf(
				"Member \"historyItems\" has %zu elements, the limit set by activityfeed.max_batch is %d.",
				count, setting_max_batch));
		state->error->path = PathOf(place);
		return false;
	}
	activity->history_item_count = (int) count;
	activity->history_items = palloc0(count * sizeof(HistoryItemDocument));
	JsonBeginElements(value, &elements);
	for (int i = 0; JsonNextElement(&elements, &item); i++)
	{
		Place element = {place, NULL, i};

		CHECK_FOR_INTERRUPTS();
		if (!ReadObject(state, &element, item, &history_item_rule,
						&activity->history_items[i]))
			return false;
	}
	return true;
}

/*
 * Reads a member that is not null into its place in the resource's struct.
 */
static bool
ReadMember(ReadState *state, const Place *place, JsonSlice value,
		   const MemberRule *rule, void *resource)
{
	void *target = (char *) resource + rule->offset;

	switch (rule->kind)
	{
		case MEMBER_STRING:
			return ReadString(state, place, value, target);
		case MEMBER_TIME:
			return ReadTime(state, place, value, false, target);
		case MEMBER_REQUIRED_TIME:
			return ReadTime(state, place, value, true, target);
		case MEMBER_DURATION:
			return ReadDuration(state, place, value, resource);
		case MEMBER_ITEM_ID:
			return ReadItemId(state, place, value, resource);
		case MEMBER_ADD_IMAGE_QUERY:
			return ReadAddImageQuery(state, place, value, resource);
		case MEMBER_OPAQUE:
			return ReadOpaque(state, place, value, target);
		case MEMBER_OBJECT:
			return ReadNested(state, place, value, rule->nested, target);
		case MEMBER_HISTORY_ITEMS:
			return ReadHistoryItems(state, place, value, resource);
		case MEMBER_STATUS:
			return ReadStatus(state, place, value);
		case MEMBER_SERVER:
			return true;
	}
	return true;
}

/*
 * Annotations are ignored, except one that says that the object is of another
 * type than the one that belongs in this place.
 */
static bool
CheckTypeAnnotation(ReadState *state, const Place *parent, JsonSlice value,
					const char *type_name)
{
	Place place = {parent, TYPE_ANNOTATION, 0};
	JsonSlice type;

	if (*value.start == 'n')
		return true;
	if (!ExpectString(state, &place, value))
		return false;
	type = StringContent(state->reader, value);
	if (type.start < type.end && *type.start == '#')
		type.start++;
	if (!SliceIs(type, type_name))
		return DocumentBadValue(state->error, PathOf(&place),
								psprintf("be \"#%s\"", type_name));
	return true;
}

static bool
RefuseUnknown(ReadState *state, const Place *parent, JsonSlice name)
{
	Place place = {parent, CopyOf(StringContent(state->reader, name)), 0};

	return DocumentUnknown(state->error, PathOf(&place));
}

/*
 * The position of a member's rule; that of the table's end is the annotation
 * that names the type.  -1: neither.
 */
static int
FindRule(const ResourceRule *rule, JsonSlice name)
{
	int i;

	for (i = 0; rule->members[i].name != NULL; i++)
	{
		if (JsonNameIs(name, rule->members[i].name))
			return i;
	}
	return JsonNameIs(name, TYPE_ANNOTATION) ? i : -1;
}

/* The members of an object that there are rules for. */
typedef struct FoundMembers
{
	JsonSlice values[MAX_MEMBERS]; /* by position of the rule */
	int order[MAX_MEMBERS];		   /* positions, as they first occur */
	int count;
	int unknown_after; /* of those; -1: no member without a rule */
	JsonSlice unknown; /* name of the first such */
} FoundMembers;

/*
 * Goes over an object.  Of several members with one name the last counts, in
 * the place of the first, as in json-c and in jsonb.
 */
static void
FindMembers(JsonSlice object, const ResourceRule *rule, FoundMembers *found)
{
	JsonMembers members;
	JsonSlice name;
	JsonSlice value;

	memset(found->values, 0, sizeof(found->values));
	found->count = 0;
	found->unknown_after = -1;
	JsonBeginMembers(object, &members);
	while (JsonNextMember(&members, &name, &value))
	{
		int position = FindRule(rule, name);

		if (position >= 0)
		{
			if (found->values[position].start == NULL)
				found->order[found->count++] = position;
			found->values[position] = value;
		}
		else if (found->unknown_after < 0 && !JsonNameHas(name, '@'))
		{
			found->unknown_after = found->count;
			found->unknown = name;
		}
	}
}

/*
 * Reads the member that a rule is for.
 */
static bool
ReadFound(ReadState *state, const Place *parent, const ResourceRule *rule,
		  int position, JsonSlice value, void *target)
{
	const MemberRule *member = &rule->members[position];
	Place place = {parent, member->name, 0};

	if (member->name == NULL)
		return CheckTypeAnnotation(state, parent, value, rule->type_name);
	return *value.start == 'n' ||
		   ReadMember(state, &place, value, member, target);
}

/*
 * Reads an object by the rule of its resource into a zeroed struct.
 */
static bool
ReadObject(ReadState *state, const Place *place, JsonSlice object,
		   const ResourceRule *rule, void *target)
{
	FoundMembers found;

	if (*object.start != '{')
		return WrongType(state, place, object, "an object");
	FindMembers(object, rule, &found);
	if (!state->reader->rules.strict)
		found.unknown_after = -1;
	for (int i = 0; i < found.count && i != found.unknown_after; i++)
	{
		int position = found.order[i];

		if (!ReadFound(state, place, rule, position, found.values[position],
					   target))
			return false;
	}
	return found.unknown_after < 0 ||
		   RefuseUnknown(state, place, found.unknown);
}

/*
 * Refuses what is no object; a string that holds an object was probably
 * encoded twice.
 */
static bool
CheckIsObject(JsonSlice text, DocumentError *error)
{
	if (text.start < text.end && *text.start == '{')
		return true;
	DocumentWrongType(error, "", "an object", DocumentJsonKind(text));
	if (text.start < text.end && *text.start == '"')
		error->hint = DOUBLE_ENCODING_HINT;
	return false;
}

/*
 * Finds what jsonb would refuse, or json-c, which speaks UTF-8 only.
 */
static JsonTrouble
FindTrouble(JsonSlice text, const char **where)
{
	JsonTrouble trouble = JsonFindTrouble(text, setting_max_depth, where);

	if (trouble != JSON_FINE)
		return trouble;
	*where = text.start +
			 EncodingConvertibleLength(text.start, text.end - text.start);
	return *where < text.end ? JSON_NOT_IN_UTF8 : JSON_FINE;
}

/*
 * The path of the member that holds the byte at "where", up to a name that
 * UTF-8 lacks: a client could not be told it.
 */
static char *
PathAt(JsonSlice text, const char *where)
{
	StringInfoData path;
	size_t length;

	initStringInfo(&path);
	JsonAppendPath(&path, text, setting_max_depth, where);
	length = EncodingConvertibleLength(path.data, path.len);
	if (length < path.len && length > 0 && path.data[length - 1] == '.')
		length--;
	path.data[length] = '\0';
	return path.data;
}

/*
 * Looks at a text, before anything is built from it, for what could not be
 * stored.
 */
static bool
CheckText(JsonSlice text, DocumentError *error)
{
	const char *where = NULL;
	JsonTrouble trouble = FindTrouble(text, &where);

	if (trouble == JSON_FINE)
		return true;
	if (trouble == JSON_TOO_DEEP)
		return DocumentOverLimit(
			error, "document is nested too deeply",
			psprintf(
				"The document is nested deeper than the %d levels set by activityfeed.max_depth.",
				setting_max_depth));
	return DocumentTextTrouble(error, trouble, PathAt(text, where));
}

/*
 * Looks at a document before anything of it is read.
 */
static bool
CheckDocument(JsonSlice text, DocumentError *error)
{
	size_t length = text.end - text.start;

	if (length > setting_max_document_size)
		return DocumentTooLarge(error, length);
	return CheckIsObject(text, error) && CheckText(text, error);
}

/*
 * Checks a document and reads it by the rule of its resource.
 */
static bool
ReadDocument(DocumentReader *reader, JsonSlice text, const ResourceRule *rule,
			 void *target, DocumentError *error)
{
	ReadState state = {reader, error};

	memset(target, 0, rule->size);
	error->sqlstate = 0;
	return CheckDocument(text, error) &&
		   ReadObject(&state, NULL, text, rule, target);
}

bool
DocumentReadActivity(DocumentReader *reader, JsonSlice text,
					 ActivityDocument *activity, DocumentError *error)
{
	bool good;

	good = ReadDocument(reader, text, &activity_rule, activity, error) &&
		   DocumentCheckActivity(activity, &reader->rules, error);
	FreeValue(reader);
	return good;
}

bool
DocumentReadHistoryItem(DocumentReader *reader, JsonSlice text,
						HistoryItemDocument *item, DocumentError *error)
{
	bool good;

	good = ReadDocument(reader, text, &history_item_rule, item, error) &&
		   DocumentCheckHistoryItem(item, &reader->rules, "", error);
	FreeValue(reader);
	return good;
}

/*
 * Reads a member whose value is a string, from the text of its object.
 * Returns NULL where there is none, or one that cannot be read.
 */
static char *
SalvageString(DocumentReader *reader, JsonSlice object, const char *name)
{
	JsonSlice value;
	DocumentError ignored;

	if (!JsonFindMember(object, name, &value) || *value.start != '"' ||
		!CheckText(value, &ignored))
		return NULL;
	return CopyOf(StringContent(reader, value));
}

/*
 * Reads what the result of a bad element says of it, from the text: the
 * element may be one of which no tree can be made.
 */
static void
SalvageExternalActivity(DocumentReader *reader, JsonSlice text,
						ExternalActivityDocument *activity)
{
	char *start = SalvageString(reader, text, "startDateTime");
	DocumentError ignored;

	memset(activity, 0, sizeof(*activity));
	activity->type_name = SalvageString(reader, text, "type");
	activity->start.given =
		start != NULL &&
		TimestampParse(start, strlen(start), &activity->start.value);
	(void) DocumentCheckExternalActivity(activity, &ignored);
}

/*
 * Whatever is wrong, *activity holds the type and the start if they could be
 * read: the result of the element says them.
 */
bool
DocumentReadExternalActivity(DocumentReader *reader, JsonSlice text,
							 ExternalActivityDocument *activity,
							 DocumentError *error)
{
	bool good;

	good =
		ReadDocument(reader, text, &external_activity_rule, activity, error) &&
		DocumentCheckExternalActivity(activity, error);
	if (!good)
		SalvageExternalActivity(reader, text, activity);
	FreeValue(reader);
	return good;
}

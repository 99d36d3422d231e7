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
 * is handed one string or number at a time: of that it can be told for sure
 * whether it was read.
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
	json_tokener *tokener; /* owned; malloc'd */
	json_object *value;	   /* owned; malloc'd; NULL between documents */
	MemoryContextCallback callback;
};

/* Where in a document something is, for a path. */
typedef struct Place
{
	const struct Place *parent; /* NULL: the document itself */
	const char *name;			/* of a member, in UTF-8; NULL: an element */
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
	MEMBER_OPAQUE,			/* only its type is looked at */
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
	{"content", MEMBER_OPAQUE, 0, NULL},
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
	{"contentInfo", MEMBER_OPAQUE, 0, NULL},
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

	reader->tokener = json_tokener_new_ex(1); /* nothing nests */
	if (reader->tokener == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
				 errdetail("Could not create a JSON parser.")));

	/*
	 * Not JSON_TOKENER_STRICT: PostgreSQL has judged the text, and json-c 0.17
	 * and 0.18 then refuse good ones (integers beyond 64 bits, bytes above
	 * 0x7f).
	 */
	json_tokener_set_flags(reader->tokener, 0);
	reader->callback.func = FreeReader;
	reader->callback.arg = reader;
	MemoryContextRegisterResetCallback(CurrentMemoryContext,
									   &reader->callback);
	return reader;
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
 * The path of a place, in the server encoding.
 */
static char *
PathOf(const Place *place)
{
	StringInfoData path;

	initStringInfo(&path);
	AppendPlace(&path, place);
	return EncodingFromUtf8(path.data, path.len);
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
	FreeValue(reader);
	json_tokener_reset(reader->tokener);
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

static bool
ReadString(ReadState *state, const Place *place, JsonSlice value,
		   char **target)
{
	json_object *string;

	if (!ExpectString(state, place, value))
		return false;
	string = ParseValue(state->reader, value);
	*target = EncodingFromUtf8(json_object_get_string(string),
							   json_object_get_string_len(string));
	return true;
}

static bool
ReadTime(ReadState *state, const Place *place, JsonSlice value, bool required,
		 OptionalTime *target)
{
	json_object *string;
	size_t length;

	if (!ExpectString(state, place, value))
		return false;
	string = ParseValue(state->reader, value);
	length = json_object_get_string_len(string);
	if (length == 0 && required)
		return true;
	if (!TimestampParse(json_object_get_string(string), length,
						&target->value))
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
	json_object *string;

	if (!ExpectString(state, place, value))
		return false;
	string = ParseValue(state->reader, value);
	if (!DocumentParseGuid(json_object_get_string(string),
						   json_object_get_string_len(string), &item->id))
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
	const char *string;

	attribution->has_add_image_query = true;
	if (*value.start == 't' || *value.start == 'f')
	{
		attribution->add_image_query = *value.start == 't';
		return true;
	}
	if (*value.start != '"')
		return WrongType(state, place, value, "a boolean");
	string = json_object_get_string(ParseValue(state->reader, value));
	attribution->add_image_query = strcmp(string, "true") == 0;
	if (!attribution->add_image_query && strcmp(string, "false") != 0)
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
		strcmp(json_object_get_string(ParseValue(state->reader, value)),
			   "unknownFutureValue") == 0)
		return DocumentBadValue(state->error, PathOf(place),
								"be active, updated, deleted or ignored");
	return true;
}

static bool
ReadOpaque(ReadState *state, const Place *place, JsonSlice value)
{
	if (*value.start != '{')
		return WrongType(state, place, value, "an object");
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
			return ReadOpaque(state, place, value);
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
	const char *type;

	if (*value.start == 'n')
		return true;
	if (!ExpectString(state, &place, value))
		return false;
	type = json_object_get_string(ParseValue(state->reader, value));
	if (type[0] == '#')
		type++;
	if (strcmp(type, type_name) != 0)
		return DocumentBadValue(state->error, PathOf(&place),
								psprintf("be \"#%s\"", type_name));
	return true;
}

static bool
RefuseUnknown(ReadState *state, const Place *parent, JsonSlice name)
{
	json_object *string = ParseValue(state->reader, name);
	Place place = {parent, json_object_get_string(string), 0};

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

/*
 * Finds the members that there are rules for.  Of several with one name the
 * last counts, in the place of the first, as in json-c and in jsonb.
 */
static void
FindMembers(JsonSlice object, const ResourceRule *rule, JsonSlice *values)
{
	JsonMembers members;
	JsonSlice name;
	JsonSlice value;

	JsonBeginMembers(object, &members);
	while (JsonNextMember(&members, &name, &value))
	{
		int position = FindRule(rule, name);

		if (position >= 0)
			values[position] = value;
	}
}

/*
 * Reads the member at a position, unless that was done.
 */
static bool
ReadFound(ReadState *state, const Place *parent, const ResourceRule *rule,
		  int position, JsonSlice *values, void *target)
{
	const MemberRule *member = &rule->members[position];
	Place place = {parent, member->name, 0};
	JsonSlice value = values[position];

	values[position].start = NULL;
	if (value.start == NULL)
		return true;
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
	JsonSlice values[MAX_MEMBERS] = {{NULL, NULL}};
	JsonMembers members;
	JsonSlice name;
	JsonSlice value;

	if (*object.start != '{')
		return WrongType(state, place, object, "an object");
	FindMembers(object, rule, values);
	JsonBeginMembers(object, &members);
	while (JsonNextMember(&members, &name, &value))
	{
		int position = FindRule(rule, name);

		if (position >= 0)
		{
			if (!ReadFound(state, place, rule, position, values, target))
				return false;
		}
		else if (state->reader->rules.strict && !JsonNameHas(name, '@'))
			return RefuseUnknown(state, place, name);
	}
	return true;
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

/*
 * Finds the opaque members in the text of an activity, which is read for the
 * second time for that; they are objects, as the tree has said, or null.
 * Among members of the same name the last one counts.
 */
static void
FindOpaqueMembers(JsonSlice text, ActivityDocument *activity)
{
	JsonMembers members;
	JsonSlice name;
	JsonSlice value;
	JsonSlice visual_elements = {NULL, NULL};

	JsonBeginMembers(text, &members);
	while (JsonNextMember(&members, &name, &value))
	{
		if (JsonNameIs(name, "contentInfo"))
			activity->content_info = value;
		else if (JsonNameIs(name, "visualElements"))
			visual_elements = value;
	}
	if (visual_elements.start != NULL)
		(void) JsonFindMember(visual_elements, "content",
							  &activity->visual_elements->content);
}

static void
DropNull(JsonSlice *value)
{
	if (value->start != NULL && *value->start != '{')
		value->start = NULL;
}

bool
DocumentReadActivity(DocumentReader *reader, JsonSlice text,
					 ActivityDocument *activity, DocumentError *error)
{
	bool good;

	good = ReadDocument(reader, text, &activity_rule, activity, error) &&
		   DocumentCheckActivity(activity, &reader->rules, error);
	FreeValue(reader);
	if (!good)
		return false;
	FindOpaqueMembers(text, activity);
	DropNull(&activity->content_info);
	DropNull(&activity->visual_elements->content);
	return true;
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
	json_object *string;
	DocumentError ignored;

	if (!JsonFindMember(object, name, &value) || *value.start != '"' ||
		!CheckText(value, &ignored))
		return NULL;
	string = ParseValue(reader, value);
	return EncodingFromUtf8(json_object_get_string(string),
							json_object_get_string_len(string));
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

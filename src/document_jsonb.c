/*
 * document_jsonb.c
 *		The members of an activity that are stored as jsonb.
 *
 * Opaque members go from the document's text through jsonb's own input
 * function.  visualElements is stored as the answer shows it: every member
 * that the resource has, null ones as null, and none besides.
 */
#include "postgres.h"

#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

#include "activityfeed.h"
#include "document_jsonb.h"

/*
 * What ::jsonb makes of a part of a document.
 */
Datum
DocumentOpaqueJsonb(JsonSlice slice)
{
	char *copy = pnstrdup(slice.start, slice.end - slice.start);
	Datum result = DirectFunctionCall1(jsonb_in, CStringGetDatum(copy));

	pfree(copy);
	return result;
}

static JsonbValue
StringValue(const char *string)
{
	JsonbValue value;

	value.type = jbvString;
	value.val.string.val = unconstify(char *, string);
	value.val.string.len = (int) strlen(string);
	return value;
}

static void
PushMember(JsonbParseState **state, const char *name, JsonbValue value)
{
	JsonbValue key = StringValue(name);

	(void) pushJsonbValue(state, WJB_KEY, &key);
	(void) pushJsonbValue(state, WJB_VALUE, &value);
}

static void
PushNull(JsonbParseState **state, const char *name)
{
	JsonbValue null = {.type = jbvNull};

	PushMember(state, name, null);
}

static void
PushString(JsonbParseState **state, const char *name, const char *string)
{
	if (string == NULL)
		PushNull(state, name);
	else
		PushMember(state, name, StringValue(string));
}

/*
 * Members come in the order of jsonb, by length and then by bytes, for they are
 * sorted in any case and that is quick where they are.
 */
static void
PushAttribution(JsonbParseState **state,
				const AttributionDocument *attribution)
{
	JsonbValue key = StringValue("attribution");

	if (attribution == NULL)
	{
		PushNull(state, "attribution");
		return;
	}
	(void) pushJsonbValue(state, WJB_KEY, &key);
	(void) pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	PushString(state, "iconUrl", attribution->icon_url);
	if (attribution->has_add_image_query)
	{
		JsonbValue add = {.type = jbvBool};

		add.val.boolean = attribution->add_image_query;
		PushMember(state, "addImageQuery", add);
	}
	else
		PushNull(state, "addImageQuery");
	PushString(state, "alternateText", attribution->alternate_text);
	/* a second name for the same thing in the metadata: shown only if used */
	if (attribution->alternative_text != NULL)
		PushString(state, "alternativeText", attribution->alternative_text);
	(void) pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

static void
PushOpaque(JsonbParseState **state, const char *name, JsonSlice text)
{
	Jsonb *jsonb;
	JsonbValue value;

	if (text.start == NULL)
	{
		PushNull(state, name);
		return;
	}
	jsonb = DatumGetJsonbP(DocumentOpaqueJsonb(text));
	value.type = jbvBinary;
	value.val.binary.data = &jsonb->root;
	value.val.binary.len = VARSIZE(jsonb) - VARHDRSZ;
	PushMember(state, name, value);
}

/*
 * visualElements as it is stored and answered.
 */
Datum
DocumentVisualElementsJsonb(const VisualElementsDocument *visual)
{
	JsonbParseState *state = NULL;
	JsonbValue *result;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	PushOpaque(&state, "content", visual->content);
	PushAttribution(&state, visual->attribution);
	PushString(&state, "description", visual->description);
	PushString(&state, "displayText", visual->display_text);
	PushString(&state, "backgroundColor", visual->background_color);
	result = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	return JsonbPGetDatum(JsonbValueToJsonb(result));
}

/*
 * judge.c
 *		What PostgreSQL's own JSON parser says of a document, to compare with.
 */
#include "postgres.h"

#include "common/jsonapi.h"

#include "judge.h"
#include "server.h"

#if PG_VERSION_NUM >= 160000
typedef JsonParseErrorType ActionResult;
#define ACTION_DONE return JSON_SUCCESS
#else
typedef void ActionResult;
#define ACTION_DONE return
#endif

typedef struct JudgeState
{
	JsonLexContext *lex;
	Judged *judged;
	int open;	/* containers at this point */
	char *name; /* of the member whose value comes */
} JudgeState;

static ActionResult
OpenContainer(void *arg)
{
	JudgeState *state = arg;

	state->open++;
	state->judged->depth = Max(state->judged->depth, state->open);
	ACTION_DONE;
}

static ActionResult
CloseContainer(void *arg)
{
	JudgeState *state = arg;

	state->open--;
	ACTION_DONE;
}

static void
BeginPart(JudgeState *state, char *name)
{
	Judged *judged = state->judged;
	JudgedPart *part;

	if (state->open != 1)
		return;
	judged->parts =
		judged->parts == NULL
			? palloc(sizeof(JudgedPart))
			: repalloc(judged->parts, (judged->count + 1) * sizeof(*part));
	part = &judged->parts[judged->count++];
	part->name = name;
	part->value.start = state->lex->token_start;
}

static void
EndPart(JudgeState *state)
{
	Judged *judged = state->judged;

	if (state->open == 1)
		judged->parts[judged->count - 1].value.end =
			state->lex->prev_token_terminator;
}

static ActionResult
BeginMember(void *arg, char *name, bool is_null)
{
	BeginPart(arg, name);
	ACTION_DONE;
}

static ActionResult
EndMember(void *arg, char *name, bool is_null)
{
	EndPart(arg);
	ACTION_DONE;
}

static ActionResult
BeginElement(void *arg, bool is_null)
{
	BeginPart(arg, NULL);
	ACTION_DONE;
}

static ActionResult
EndElement(void *arg, bool is_null)
{
	EndPart(arg);
	ACTION_DONE;
}

static ActionResult
TakeScalar(void *arg, char *token, JsonTokenType type)
{
	JudgeState *state = arg;

	if (state->open == 0 && type == JSON_TOKEN_STRING)
		state->judged->string = token;
	ACTION_DONE;
}

/*
 * Has the parser read a text, escapes included.
 */
Judged
Judge(JsonSlice text)
{
	Judged judged = {0};
	JudgeState state = {.judged = &judged};
	JsonSemAction actions = {.semstate = &state,
							 .object_start = OpenContainer,
							 .object_end = CloseContainer,
							 .array_start = OpenContainer,
							 .array_end = CloseContainer,
							 .object_field_start = BeginMember,
							 .object_field_end = EndMember,
							 .array_element_start = BeginElement,
							 .array_element_end = EndElement,
							 .scalar = TakeScalar};
	int length = (int) (text.end - text.start);

#if PG_VERSION_NUM >= 170000
	state.lex = makeJsonLexContextCstringLen(NULL, text.start, length,
											 server_encoding, true);
#else
	state.lex = makeJsonLexContextCstringLen(unconstify(char *, text.start),
											 length, server_encoding, true);
#endif
	judged.is_json = pg_parse_json(state.lex, &actions) == JSON_SUCCESS;
	return judged;
}

/*
 * The last member of a name, or NULL.
 */
const JudgedPart *
JudgedMember(const Judged *judged, const char *name)
{
	for (int i = judged->count - 1; i >= 0; i--)
	{
		if (judged->parts[i].name != NULL &&
			strcmp(judged->parts[i].name, name) == 0)
			return &judged->parts[i];
	}
	return NULL;
}

/*
 * What a value that is a string says.
 */
char *
JudgedString(JsonSlice value)
{
	return Judge(value).string;
}

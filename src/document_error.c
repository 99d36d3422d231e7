/*
 * document_error.c
 *		What can be wrong with a document, in words.
 *
 * An error is made where it is found and returned; who asked decides whether
 * it is raised, becomes an element's result, or the body of a response.
 */
#include "postgres.h"

#include "activityfeed.h"
#include "document.h"
#include "encoding.h"

/* A path may hold names from the document: keep it within bounds. */
#define MAX_PATH_LENGTH 512

/*
 * Fills in an error about one member.  detail is a sentence, path its member.
 */
static bool
MemberError(DocumentError *error, const char *kind, const char *path,
			char *message, char *detail)
{
	error->sqlstate = ERRCODE_INVALID_PARAMETER_VALUE;
	error->kind = kind;
	error->path =
		pnstrdup(path, EncodingClip(path, strlen(path), MAX_PATH_LENGTH));
	error->message = message;
	error->detail = detail;
	error->hint = NULL;
	return false;
}

/*
 * A required member is not there, null, or empty.
 */
bool
DocumentMissing(DocumentError *error, const char *path, const char *what,
				const char *hint)
{
	MemberError(error, "missing_member", path,
				psprintf("required member \"%s\" is missing", path),
				psprintf("Member \"%s\" must be %s.", path, what));
	error->hint = hint;
	return false;
}

bool
DocumentUnknown(DocumentError *error, const char *path)
{
	MemberError(error, "unknown_member", path,
				pstrdup("document has an unknown member"), NULL);
	error->detail =
		psprintf("Member \"%s\" is not part of the resource.", error->path);
	return false;
}

/*
 * expected and found are nouns with their article.
 */
bool
DocumentWrongType(DocumentError *error, const char *path, const char *expected,
				  const char *found)
{
	if (path[0] == '\0')
		return MemberError(
			error, "wrong_type", path, pstrdup("document has the wrong type"),
			psprintf("The document must be %s, not %s.", expected, found));
	return MemberError(
		error, "wrong_type", path,
		psprintf("member \"%s\" has the wrong type", path),
		psprintf("Member \"%s\" must be %s, not %s.", path, expected, found));
}

/*
 * rule completes the sentence 'Member "x" must ...'.
 */
bool
DocumentBadValue(DocumentError *error, const char *path, const char *rule)
{
	return MemberError(error, "bad_value", path,
					   psprintf("member \"%s\" has an invalid value", path),
					   psprintf("Member \"%s\" must %s.", path, rule));
}

bool
DocumentOverLimit(DocumentError *error, const char *message, char *detail)
{
	error->sqlstate = ERRCODE_PROGRAM_LIMIT_EXCEEDED;
	error->kind = NULL;
	error->path = NULL;
	error->message = pstrdup(message);
	error->detail = detail;
	error->hint = NULL;
	return false;
}

/*
 * A document, or an element of a batch, of "size" bytes is over the limit.
 */
bool
DocumentTooLarge(DocumentError *error, size_t size)
{
	return DocumentOverLimit(
		error, "document is too large",
		psprintf(
			"The document has %zu bytes, the limit set by activityfeed.max_document_size is %d.",
			size, setting_max_document_size));
}

/*
 * The text holds something that json accepts and jsonb and text cannot store.
 */
bool
DocumentTextTrouble(DocumentError *error, JsonTrouble trouble,
					const char *path)
{
	const char *what;
	char *clipped =
		pnstrdup(path, EncodingClip(path, strlen(path), MAX_PATH_LENGTH));

	switch (trouble)
	{
		case JSON_NUL_CHARACTER:
			what = "contains \\u0000, which cannot be stored";
			break;
		case JSON_LONE_SURROGATE:
			what = "contains half of a Unicode surrogate pair";
			break;
		case JSON_UNTRANSLATABLE:
			what = "contains a character that the server encoding lacks";
			break;
		case JSON_NOT_IN_UTF8:
			what = "contains a character that Unicode lacks";
			break;
		default:
			what = "contains a number beyond the range of type numeric";
	}
	return MemberError(
		error, "bad_value", clipped, pstrdup("document cannot be stored"),
		clipped[0] == '\0' ? psprintf("The document %s.", what)
						   : psprintf("Member \"%s\" %s.", clipped, what));
}

/*
 * Raises an error that was returned.
 */
void
DocumentRaise(const DocumentError *error)
{
	ereport(ERROR, (errcode(error->sqlstate), errmsg("%s", error->message),
					error->detail ? errdetail("%s", error->detail) : 0,
					error->hint ? errhint("%s", error->hint) : 0,
					error->path && error->path[0] != '\0'
						? err_generic_string(PG_DIAG_COLUMN_NAME, error->path)
						: 0,
					error->kind ? err_generic_string(PG_DIAG_CONSTRAINT_NAME,
													 error->kind)
								: 0));
	pg_unreachable();
}

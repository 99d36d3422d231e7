/*
 * document.c
 *		What a document must satisfy, beyond the types of its members.
 *
 * Neither SPI nor json-c is used here.  The rules are those of the public
 * documentation of userActivity, activityHistoryItem and externalActivity.
 */
#include "postgres.h"

#include "activityfeed.h"
#include "document.h"
#include "timestamp.h"

#define STRICT_HINT \
	"With activityfeed.strict = off this member may be left out."

const char *const external_activity_type_names[] = {
	"viewed", "modified", "created", "commented", NULL};

const char *const identity_type_names[] = {"user", "group", "externalGroup",
										   NULL};

static bool
IsEmpty(const char *string)
{
	return string == NULL || string[0] == '\0';
}

/*
 * A host name, with a port or without: letters, digits, "-", ".", "_" and
 * whatever is not ASCII (an internationalised name), or an IPv6 address in
 * brackets.  Returns what follows, or NULL.
 */
static const char *
SkipHost(const char *p)
{
	const char *start = p;

	if (*p == '[')
	{
		size_t length = strspn(p + 1, "0123456789abcdefABCDEF:.");

		return (length > 0 && p[length + 1] == ']') ? p + length + 2 : NULL;
	}
	while (isalnum((unsigned char) *p) || IS_HIGHBIT_SET(*p) || *p == '-' ||
		   *p == '.' || *p == '_')
		p++;
	return p > start ? p : NULL;
}

/*
 * An optional ":port"; returns what follows, or NULL.
 */
static const char *
SkipPort(const char *p)
{
	size_t digits;

	if (*p != ':')
		return p;
	p++;
	digits = strspn(p, "0123456789");
	if (digits < 1 || digits > 5 || atoi(p) > 65535)
		return NULL;
	return p + digits;
}

/*
 * Whether a string is https://host, http://host or a bare host, with or
 * without a port or a lone trailing slash.
 */
static bool
IsSourceHost(const char *host)
{
	const char *p = host;

	if (pg_strncasecmp(p, "https://", 8) == 0)
		p += 8;
	else if (pg_strncasecmp(p, "http://", 7) == 0)
		p += 7;
	p = SkipHost(p);
	if (p != NULL)
		p = SkipPort(p);
	if (p != NULL && *p == '/')
		p++;
	return p != NULL && *p == '\0';
}

/*
 * Whether a string is #rgb, #rrggbb or #aarrggbb.
 */
static bool
IsColor(const char *color)
{
	size_t digits;

	if (color[0] != '#')
		return false;
	digits = strspn(color + 1, "0123456789abcdefABCDEF");
	return (digits == 3 || digits == 6 || digits == 8) &&
		   color[digits + 1] == '\0';
}

/*
 * Reads a GUID in the notation of the documents: 8-4-4-4-12 hexadecimal
 * digits in any case, without braces.
 */
bool
DocumentParseGuid(const char *text, size_t length, pg_uuid_t *uuid)
{
	if (length != 36)
		return false;
	memset(uuid, 0, sizeof(*uuid));
	for (int i = 0, digit = 0; i < 36; i++)
	{
		int value;

		if (i == 8 || i == 13 || i == 18 || i == 23)
		{
			if (text[i] != '-')
				return false;
			continue;
		}
		if (text[i] >= '0' && text[i] <= '9')
			value = text[i] - '0';
		else if ((text[i] | 0x20) >= 'a' && (text[i] | 0x20) <= 'f')
			value = (text[i] | 0x20) - 'a' + 10;
		else
			return false;
		uuid->data[digit / 2] |= (digit % 2 == 0) ? value << 4 : value;
		digit++;
	}
	return true;
}

static bool
CheckVisualElements(const VisualElementsDocument *visual, DocumentError *error)
{
	if (visual == NULL)
		return DocumentMissing(error, "visualElements", "an object", NULL);
	if (IsEmpty(visual->display_text))
		return DocumentMissing(error, "visualElements.displayText",
							   "a string that is not empty", NULL);
	if (visual->background_color != NULL && !IsColor(visual->background_color))
		return DocumentBadValue(error, "visualElements.backgroundColor",
								"be \"#rgb\", \"#rrggbb\" or \"#aarrggbb\"");
	return true;
}

/*
 * Checks a member that only strict mode requires.
 */
static bool
CheckStrictlyRequired(const char *value, const char *name,
					  const DocumentRules *rules, DocumentError *error)
{
	if (rules->strict && IsEmpty(value))
		return DocumentMissing(error, name, "a string that is not empty",
							   STRICT_HINT);
	return true;
}

/*
 * A request may name the activity too: then a document need not, and with
 * strict on it must not name another one.
 */
static bool
SettleAppActivityId(ActivityDocument *activity, const DocumentRules *rules,
					DocumentError *error)
{
	if (rules->app_activity_id == NULL)
		return true;
	if (IsEmpty(activity->app_activity_id))
		activity->app_activity_id = pstrdup(rules->app_activity_id);
	else if (rules->strict &&
			 strcmp(activity->app_activity_id, rules->app_activity_id) != 0)
		return DocumentBadValue(error, "appActivityId",
								"be the one that the request names");
	return true;
}

bool
DocumentCheckActivity(ActivityDocument *activity, const DocumentRules *rules,
					  DocumentError *error)
{
	const char *host = activity->activity_source_host;

	if (!SettleAppActivityId(activity, rules, error))
		return false;
	if (IsEmpty(activity->app_activity_id))
		return DocumentMissing(error, "appActivityId",
							   "a string that is not empty", NULL);
	if (strlen(activity->app_activity_id) > MAX_APP_ACTIVITY_ID_LENGTH)
		return DocumentBadValue(
			error, "appActivityId",
			psprintf("have at most %d bytes", MAX_APP_ACTIVITY_ID_LENGTH));
	if (!CheckStrictlyRequired(host, "activitySourceHost", rules, error) ||
		!CheckStrictlyRequired(activity->activation_url, "activationUrl",
							   rules, error))
		return false;
	if (!IsEmpty(host) && !IsSourceHost(host))
		return DocumentBadValue(
			error, "activitySourceHost",
			"be a host, alone or after http:// or https://, without a path, query, fragment or user");
	if (!CheckVisualElements(activity->visual_elements, error))
		return false;
	for (int i = 0; i < activity->history_item_count; i++)
	{
		char prefix[32];

		snprintf(prefix, sizeof(prefix), "historyItems[%d].", i);
		if (!DocumentCheckHistoryItem(&activity->history_items[i], rules,
									  prefix, error))
			return false;
	}
	return true;
}

/*
 * Settles the duration: as it was given, else the whole seconds from started
 * to last active.
 */
static bool
SettleDuration(HistoryItemDocument *item, const char *prefix,
			   DocumentError *error)
{
	item->has_duration = item->duration_given || item->last_active.given;
	if (item->duration_given)
	{
		if (item->duration < 0 || item->duration > PG_INT32_MAX)
			return DocumentBadValue(
				error, psprintf("%sactiveDurationSeconds", prefix),
				psprintf("be between 0 and %d", PG_INT32_MAX));
		return true;
	}
	if (item->last_active.given)
	{
		item->duration = TimestampSecondsBetween(item->started.value,
												 item->last_active.value);
		if (item->duration > PG_INT32_MAX)
			return DocumentBadValue(
				error, psprintf("%slastActiveDateTime", prefix),
				psprintf("be at most %d seconds after startedDateTime",
						 PG_INT32_MAX));
	}
	return true;
}

/*
 * Checks a history item and calculates its duration.  prefix is what comes
 * before the names of its members in a path.
 */
bool
DocumentCheckHistoryItem(HistoryItemDocument *item, const DocumentRules *rules,
						 const char *prefix, DocumentError *error)
{
	if (!item->started.given)
		return DocumentMissing(error, psprintf("%sstartedDateTime", prefix),
							   "a date and time", NULL);
	if (item->last_active.given &&
		item->last_active.value < item->started.value)
		return DocumentBadValue(error,
								psprintf("%slastActiveDateTime", prefix),
								"not be before startedDateTime");
	if (item->expiration.given && item->expiration.value <= rules->now)
		return DocumentBadValue(error,
								psprintf("%sexpirationDateTime", prefix),
								"not be in the past");
	return SettleDuration(item, prefix, error);
}

/*
 * A document may name the item that the request names, and no other.
 */
bool
DocumentCheckSameItem(const HistoryItemDocument *item, const pg_uuid_t *id,
					  bool strict, DocumentError *error)
{
	if (!strict || !item->has_id ||
		memcmp(item->id.data, id->data, UUID_LEN) == 0)
		return true;
	return DocumentBadValue(error, "id", "be the id that the request names");
}

/*
 * Finds a string among names; returns its position or -1.
 */
static int
FindName(const char *name, const char *const *names, bool any_case)
{
	for (int i = 0; names[i] != NULL; i++)
	{
		if (strcmp(name, names[i]) == 0 ||
			(any_case && pg_strcasecmp(name, names[i]) == 0))
			return i;
	}
	return -1;
}

static bool
CheckIdentity(IdentityDocument *identity, DocumentError *error)
{
	int type;

	if (IsEmpty(identity->type_name))
		return DocumentMissing(error, "performedBy.type",
							   "user, group or externalGroup", NULL);
	type = FindName(identity->type_name, identity_type_names, true);
	if (type < 0)
		return DocumentBadValue(error, "performedBy.type",
								"be user, group or externalGroup");
	identity->type = (IdentityType) type;
	if (IsEmpty(identity->id))
		return DocumentMissing(error, "performedBy.id",
							   "a string that is not empty", NULL);
	if (strlen(identity->id) > MAX_ID_LENGTH)
		return DocumentBadValue(
			error, "performedBy.id",
			psprintf("have at most %d bytes", MAX_ID_LENGTH));
	return true;
}

/*
 * Checks an external activity.  Its type is settled first, so that a result
 * can name it whatever else is wrong.
 */
bool
DocumentCheckExternalActivity(ExternalActivityDocument *activity,
							  DocumentError *error)
{
	int type;

	if (IsEmpty(activity->type_name))
		return DocumentMissing(error, "type",
							   "viewed, modified, created or commented", NULL);
	type = FindName(activity->type_name, external_activity_type_names, false);
	if (type < 0)
		return DocumentBadValue(error, "type",
								"be viewed, modified, created or commented");
	activity->has_type = true;
	activity->type = (ExternalActivityType) type;
	if (!activity->start.given)
		return DocumentMissing(error, "startDateTime", "a date and time",
							   NULL);
	if (activity->performed_by != NULL)
		return CheckIdentity(activity->performed_by, error);
	return true;
}

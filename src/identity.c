/*
 * identity.c
 *		The id of an activity: a digest of what the application calls it.
 *
 * SHA-256 over app id, a zero byte (which no text can contain) and
 * appActivityId, in UTF-8; of that the first 63 bits.  So an activity has the
 * same id after a restore, on another shard, and when it was deleted and made
 * again, and a client can compute it.
 */
#include "postgres.h"

#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "activityfeed.h"
#include "encoding.h"
#include "identity.h"

/*
 * The id; the strings are in the server encoding.
 */
int64
IdentityOfActivity(const char *app_id, size_t app_id_length,
				   const char *app_activity_id, size_t app_activity_id_length)
{
	const char *app = EncodingToUtf8(app_id, &app_id_length);
	const char *activity =
		EncodingToUtf8(app_activity_id, &app_activity_id_length);
	size_t size = VARHDRSZ + app_id_length + 1 + app_activity_id_length;
	bytea *input = palloc(size);
	bytea *digest;
	uint64 first;
	char *p;

	SET_VARSIZE(input, size);
	p = VARDATA(input);
	memcpy(p, app, app_id_length);
	p[app_id_length] = '\0';
	memcpy(p + app_id_length + 1, activity, app_activity_id_length);
	digest = DatumGetByteaPP(
		DirectFunctionCall1(sha256_bytea, PointerGetDatum(input)));
	memcpy(&first, VARDATA_ANY(digest), sizeof(first));
	pfree(input);
	pfree(digest);
	return (int64) (pg_ntoh64(first) >> 1);
}

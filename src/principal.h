/*
 * principal.h
 *		For whom a function is called, and the checks of its plain arguments.
 */
#ifndef ACTIVITYFEED_PRINCIPAL_H
#define ACTIVITYFEED_PRINCIPAL_H

#include "fmgr.h"
#include "datatype/timestamp.h"

#include "activityfeed.h"

/* A user and an app, as text that is 1 to MAX_ID_LENGTH bytes long. */
typedef struct Principal
{
	Datum user_id;
	Datum app_id;
	bool every_app; /* app_id is NULL; in reads only */
} Principal;

extern void RefuseReadOnly(FunctionCallInfo fcinfo);
extern Principal PrincipalForWrite(FunctionCallInfo fcinfo);
extern Principal PrincipalForRead(FunctionCallInfo fcinfo);

extern Datum ArgumentId(FunctionCallInfo fcinfo, int position,
						const char *name, int max_length);
extern Datum ArgumentRequired(FunctionCallInfo fcinfo, int position,
							  const char *name);
extern int ArgumentTop(FunctionCallInfo fcinfo, int position,
					   const char *name);
extern void ArgumentBadValue(const char *name, const char *rule) NEVER_RETURNS;

#endif /* ACTIVITYFEED_PRINCIPAL_H */

/*
 * principal.h
 *		Who is calling, and for whom.
 */
#ifndef ACTIVITYFEED_PRINCIPAL_H
#define ACTIVITYFEED_PRINCIPAL_H

#include "fmgr.h"
#include "datatype/timestamp.h"

#include "arguments.h"

/* A user and an app, as text that is 1 to MAX_ID_LENGTH bytes long. */
typedef struct Principal
{
	Datum user_id;
	Datum app_id;
	bool every_app; /* app_id is NULL; in reads only */
} Principal;

extern void PrincipalDefineSettings(void);
extern void PrincipalWatchRoles(void);

extern void RefuseReadOnly(FunctionCallInfo fcinfo);
extern Principal PrincipalForWrite(FunctionCallInfo fcinfo);
extern Principal PrincipalForRead(FunctionCallInfo fcinfo);
extern void PrincipalCheck(const Principal *principal);
extern void PrincipalCheckService(void);
extern bool PrincipalIsService(void);
extern bool PrincipalIsServiceFunction(Oid function);

#endif /* ACTIVITYFEED_PRINCIPAL_H */

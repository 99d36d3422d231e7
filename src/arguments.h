/*
 * arguments.h
 *		Checks of a function's plain arguments.
 */
#ifndef ACTIVITYFEED_ARGUMENTS_H
#define ACTIVITYFEED_ARGUMENTS_H

#include "fmgr.h"

#include "activityfeed.h"

extern Datum ArgumentId(FunctionCallInfo fcinfo, int position,
						const char *name, int max_length);
extern Datum ArgumentRequired(FunctionCallInfo fcinfo, int position,
							  const char *name);
extern int ArgumentTop(FunctionCallInfo fcinfo, int position,
					   const char *name);
extern void ArgumentBadValue(const char *name, const char *rule) NEVER_RETURNS;

#endif /* ACTIVITYFEED_ARGUMENTS_H */

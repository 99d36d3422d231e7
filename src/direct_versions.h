/*
 * direct_versions.h
 *		What changed between PostgreSQL 15 and 18, for what goes without the
 *		executor.
 */
#ifndef ACTIVITYFEED_DIRECT_VERSIONS_H
#define ACTIVITYFEED_DIRECT_VERSIONS_H

#include "access/genam.h"
#include "executor/executor.h"

#if PG_VERSION_NUM >= 160000
#define CHECK_PERMISSIONS(statement) \
	((void) ExecCheckPermissions((statement)->rtable, (statement)->permInfos, \
								 true))
#else
#define CHECK_PERMISSIONS(statement) \
	((void) ExecCheckRTPerms((statement)->rtable, true))
#endif

#if PG_VERSION_NUM >= 180000
#define BEGIN_INDEX_SCAN(table, index, snapshot, keys) \
	index_beginscan(table, index, snapshot, NULL, keys, 0)
#else
#define BEGIN_INDEX_SCAN(table, index, snapshot, keys) \
	index_beginscan(table, index, snapshot, keys, 0)
#endif

#endif /* ACTIVITYFEED_DIRECT_VERSIONS_H */

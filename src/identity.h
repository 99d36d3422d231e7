/*
 * identity.h
 *		The id of an activity.
 */
#ifndef ACTIVITYFEED_IDENTITY_H
#define ACTIVITYFEED_IDENTITY_H

extern int64 IdentityOfActivity(const char *app_id, size_t app_id_length,
								const char *app_activity_id,
								size_t app_activity_id_length);

#endif /* ACTIVITYFEED_IDENTITY_H */

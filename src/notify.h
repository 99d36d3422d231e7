/*
 * notify.h
 *		Notifications of who has something new.
 */
#ifndef ACTIVITYFEED_NOTIFY_H
#define ACTIVITYFEED_NOTIFY_H

extern void NotifyInstall(void);
extern void NotifyChanged(const text *user_id, int64 change_number);

#endif /* ACTIVITYFEED_NOTIFY_H */

// SPDX-License-Identifier: Apache-2.0
#include "base/lockdown.h"

#include <cap-ng.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define KEPT (CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE)

// Mark those of the list that we have. False: one of them is no capability.
static bool capabilities_choose(const char *list, char *error, size_t size)
{
	bool had[CAP_LAST_CAP + 1];
	char names[256], *save = NULL;

	for (int i = 0; i <= CAP_LAST_CAP; i++)
		had[i] = capng_have_capability(CAPNG_PERMITTED, (unsigned)i);
	capng_clear(CAPNG_SELECT_ALL);
	snprintf(names, sizeof(names), "%s", strcmp(list, "none") == 0 ? "" : list);
	for (char *name = strtok_r(names, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
		int number = capng_name_to_capability(name);

		if (number < 0) {
			snprintf(error, size,
				"\"%s\" is no capability: give a list such as net_admin,net_raw, "
				"or "
				"none; see capabilities(7)",
				name);
			return false;
		}
		if (had[number])
			capng_update(CAPNG_ADD, KEPT, (unsigned)number);
	}
	return true;
}

// With an ambient set, those who are not root have them after an exec, too.
static bool capabilities_apply(char *error, size_t size)
{
	for (int i = 0; i <= CAP_LAST_CAP; i++) {
		if (capng_have_capability(CAPNG_PERMITTED, (unsigned)i))
			capng_update(CAPNG_ADD, CAPNG_AMBIENT, (unsigned)i);
	}
	if (capng_apply(CAPNG_SELECT_CAPS) == 0 && capng_apply(CAPNG_SELECT_AMBIENT) == 0)
		return true;
	snprintf(error, size, "capabilities cannot be dropped: %s", strerror(errno));
	return false;
}

static bool user_become(const struct passwd *user, char *error, size_t size)
{
	// The bounding set goes first, as long as we may.
	if (capng_change_id((int)user->pw_uid, (int)user->pw_gid,
		    CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING) != 0) {
		snprintf(error, size, "cannot become user \"%s\": %s; only root can", user->pw_name,
			strerror(errno));
		return false;
	}
	// Else most of /proc/self would be root's.
	prctl(PR_SET_DUMPABLE, 1);
	return true;
}

static const struct passwd *user_find(const char *name, char *error, size_t size)
{
	const struct passwd *user = getpwnam(name);

	if (!user)
		snprintf(error, size,
			"there is no user \"%s\"; \"useradd --system --no-create-home %s\" makes "
			"one",
			name, name);
	return user;
}

bool lockdown_enter(const struct lockdown *lockdown, char *error, size_t size)
{
	const struct passwd *user = NULL; // to become
	const char *list = lockdown->capabilities;

	if (lockdown->user && *lockdown->user) {
		user = user_find(lockdown->user, error, size);
		if (!user)
			return false;
		if (user->pw_uid == geteuid())
			user = NULL;
	}
	if (!list || !*list)
		list = (user ? user->pw_uid : geteuid()) == 0 ? lockdown->usual_of_root
							      : lockdown->usual;
	capng_get_caps_process();
	if (!capabilities_choose(list, error, size))
		return false;
	if (user && lockdown->directory &&
		chown(lockdown->directory, user->pw_uid, user->pw_gid) != 0) {
		snprintf(error, size, "%s cannot be given to user \"%s\": %s", lockdown->directory,
			user->pw_name, strerror(errno));
		return false;
	}
	if (user && !user_become(user, error, size))
		return false;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
		snprintf(error, size, "cannot do without new privileges: %s", strerror(errno));
		return false;
	}
	return capabilities_apply(error, size) &&
	       (!lockdown->filter || syscall_filter_load(lockdown->role, error, size));
}

bool lockdown_has(const char *capability)
{
	int number = capng_name_to_capability(capability);

	capng_get_caps_process();
	return number >= 0 && capng_have_capability(CAPNG_EFFECTIVE, (unsigned)number);
}

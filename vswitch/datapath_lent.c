// SPDX-License-Identifier: Apache-2.0
#include "vswitch/datapath_lent.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>

#include "vswitch/datapath_link.h"

#define END_LOOKS 3000 // a millisecond apart

pid_t datapath_lent_start(struct datapath_link *link, bool huge_pages, struct rpc_error *error)
{
	json_t *answer = datapath_link_call(link, "datapath.successor",
		json_pack("{s:b}", "huge_pages", (int)huge_pages), error);
	pid_t pid = (pid_t)json_integer_value(json_object_get(answer, "pid"));
	char why[sizeof(error->message)];

	json_decref(answer);
	if (answer)
		return pid;
	snprintf(why, sizeof(why), "%s", error->message);
	rpc_error_clear(error);
	rpc_error_set(error, RPC_REFUSED,
		"nobody can start another datapathd beside the one that runs: vswitchd must not "
		"(--adopt, or datapathd.start: no), and %s. Start it with datapathd --supervise, "
		"as the systemd unit does; a restart as after a crash is: systemctl restart "
		"turnout-datapathd",
		why);
	return 0;
}

bool datapath_lent_lives(pid_t pid)
{
	return kill(pid, 0) == 0 || errno == EPERM;
}

void datapath_lent_kill(struct datapath_link *link, pid_t pid)
{
	struct rpc_error ignored = {0};

	// That of another user can only be asked.
	if (kill(pid, SIGKILL) != 0 && errno == EPERM)
		json_decref(datapath_link_call(link, "system.exit", NULL, &ignored));
	rpc_error_clear(&ignored);
	for (int i = 0; i < END_LOOKS && datapath_lent_lives(pid); i++)
		poll(NULL, 0, 1);
}

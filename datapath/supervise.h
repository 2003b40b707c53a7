// SPDX-License-Identifier: Apache-2.0
#pragma once

// The supervisor: a process that starts datapathd, the worker, and does nothing else. It is for a
// datapathd that nobody else starts, such as the main process of a systemd unit. A worker may not
// start programs and has given up what it does not need; the supervisor has kept what it was
// started with, so it can start
//
//   another worker at once when the one in charge ends, however that ends; one that dies again and
//   again is held back (base/restart_pause.h);
//   a successor beside the worker in charge, with --standby, when that asks for one
//   (successor.h). It is in charge as soon as it holds datapathd.pid. One that ends before that is
//   not replaced.
//
// It reads nothing but its end of a socket pair to each worker, and listens nowhere. Workers
// outlive it. A new supervisor starts none while somebody holds datapathd.pid; when nobody does any
// more, it does. SIGTERM and SIGINT end workers first, and whoever else holds datapathd.pid. No
// threads, no DPDK.

#include <stdbool.h>

struct supervise_config {
	const char *rundir;
	char *const *arguments; // of the worker, from its name on; ends with NULL
	bool filter;            // on system calls
};

#define SUPERVISOR_PID "datapathd-supervisor.pid"

// Until it is told to end. An exit status.
int supervise_run(const struct supervise_config *config);

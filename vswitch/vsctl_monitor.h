// SPDX-License-Identifier: Apache-2.0
#pragma once

// vsctl monitor: what vswitchd tells of state, as it happens, one event per line. It outlives
// vswitchd: when that is gone it connects again, and resumes behind the last event that it has
// printed.

#include "vswitch/vsctl_commands.h"

// Connects, prints until it is ended. Returns the exit status.
int vsctl_monitor(const struct cli *cli, const struct vsctl_request *request);

// Check the words and options. False with *error. Adds no calls.
bool vsctl_prepare_monitor(struct vsctl_request *request, struct rpc_error *error);

// SPDX-License-Identifier: Apache-2.0
#pragma once

// Another datapathd in place of the one that runs, with the shortest gap: the new one is started
// beside the old one and given everything but ports; then the old one lets go of its ports, the new
// one opens them, and the old one ends. Frames wait in guests' rings until the last of the ports
// that were up is up again, because those that go to it would be lost, or until somebody has taken
// longer for that than they shall wait. If the new one cannot be had, or does not take what it is
// given, nothing has changed. If it fails later, the old one gets its ports back, or, when that is
// gone, one is started as after a crash.

#include <stdbool.h>

#include <jansson.h>

#include "rpc/rpc_error.h"
#include "vswitch/vswitch.h"

#define HANDOVER_WAIT_MS 100 // a usual wait

// Blocks until it is done: as long as a datapathd takes to start, and up to wait_ms. What
// datapath.restart answers; a new reference. NULL with *error.
json_t *handover_run(struct vswitch *vs, int wait_ms, struct rpc_error *error);

// A handover that vswitchd did not live to finish: end the new process if the old one, `running`,
// is there, and otherwise give it the names of the old one. False: come again soon.
bool handover_settle(const char *rundir, bool running);

// SPDX-License-Identifier: Apache-2.0
#pragma once

// One datapathd takes over from another in the same run directory. The new one starts with
// --standby, under names of its own, so that the two are told apart; it is given everything but
// ports. Then the old one lets go of its ports, the new one opens them, the old one ends, and the
// new one takes its names. Control thread.

#include <stdbool.h>
#include <stdint.h>

#include "rpc/rpc_error.h"

struct datapath;

// End all threads and close all ports; bridges and flows stay. When that was, in microseconds of
// CLOCK_MONOTONIC: from then on no packet was taken.
int64_t datapath_release(struct datapath *datapath);

// Take the names of the one before, who has ended. False with *error.
bool datapath_promote(struct datapath *datapath, struct rpc_error *error);

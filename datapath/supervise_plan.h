// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a supervisor (supervise.h) has to do next, from what it sees. Values only.

#include <stdbool.h>
#include <stdint.h>

#define SUPERVISE_LOOK_MS 100 // how often to look whether somebody else's datapathd has ended
#define SUPERVISE_SUCCESSION_MS 5000 // within which a successor takes the names of the one before
#define SUPERVISE_START 0
#define SUPERVISE_SLEEP -1

struct supervise_view {
	bool worker;       // one of ours is in charge, or was started to be
	bool holder;       // somebody holds datapathd.pid
	bool successor;    // a datapathd with --standby is there
	int64_t vacant_ms; // for how long nobody has held datapathd.pid
	int64_t pause_ms;  // until one may be started again; 0 or less: now
};

// SUPERVISE_START: start a worker. SUPERVISE_SLEEP: wait until something happens. Else the
// milliseconds after which to look again if nothing has happened.
int supervise_plan(const struct supervise_view *view);

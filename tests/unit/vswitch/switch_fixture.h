// SPDX-License-Identifier: Apache-2.0
#pragma once

// A vswitchd without its event loop, and a fake datapath to go with it, for tests of transactions
// from the method to the store and the datapath.

#include "cmocka_all.h"

#include <stdbool.h>
#include <sys/types.h>

#include "vswitch/flows.h"
#include "vswitch/vswitch.h"

extern int64_t now_ms; // of both clocks

struct fixture {
	struct vswitch vs;
	char dir[64];
	char database[128];
	pid_t datapath;
	struct rpc_error error;
};

int fixture_setup(void **state);
int fixture_teardown(void **state);

void start_datapath(struct fixture *f);
void stop_datapath(struct fixture *f);

// Calls as one transaction: an array of [method, params]. Returns the last result or NULL.
json_t *call_all(struct fixture *f, json_t *calls);
// The same in JSON with ' for ". Returns whether they were accepted.
bool call(struct fixture *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
void must(struct fixture *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

// The last call was refused with this code, and a message that has this in it.
void assert_error(struct fixture *f, int code, const char *part);

// Everything that is wanted, to the letter; malloc()ed.
char *snapshot(struct fixture *f);

// The datapath has exactly what is wanted, flows, groups and meters included.
void assert_in_step(struct fixture *f);

// A vswitchd that starts now finds in the store what this one knows.
void assert_stored(struct fixture *f);

// The texts of all flows of br0, as flow.dump shows them, with "; " in between.
void assert_flows(struct fixture *f, const char *expected);

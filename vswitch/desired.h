// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the model means for the datapath: the rows of the model as a state that reconcile.h
// compares with the actual one, and the queues that the planner spreads. Pure.

#include <stdbool.h>

#include <jansson.h>

#include "vswitch/affinity.h"
#include "vswitch/model.h"

// The config that port.add gets for a port row; new reference.
json_t *desired_port_config(const struct model *model, const json_t *bridge, const json_t *port);

// The desired state without "plan"; new reference. Ports whose config equals failures[name].config
// are left out: they were tried and refused. `failures` may be NULL.
json_t *desired_state(const struct model *model, const json_t *failures);

struct plan_input {
	const json_t *cpus;   // of datapath.info
	const json_t *status; // of port.status: the ports that there are
	// Which thread polls what, and at what load: of pmd.stats, or, without loads, of the plan
	// that is in force. NULL: nothing is polled.
	const json_t *threads;
	const char *mask; // from the configuration file; "": the default
	bool lenient;     // leave out cores that do not exist; none left: the default
	bool rebalance;   // else queues stay where they are if they can
};

// What there is to say about a plan; the caller's references.
struct plan_extra {
	json_t *problems; // port -> text, of ports with queues that nobody polls
	json_t *report;   // of a rebalance, else NULL; as pmd.rebalance answers
};

// The params of plan.set; new reference. NULL with *error if pmd-cpu-mask names cores that do not
// exist. `extra` may be NULL.
json_t *desired_plan(const struct model *model, const struct plan_input *input,
	struct plan_extra *extra, struct rpc_error *error);

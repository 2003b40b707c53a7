// SPDX-License-Identifier: Apache-2.0
#pragma once

// From what is wanted and what is there, the steps from one to the other. Pure functions of
// values; doing the steps is the business of sync.h. A restarted datapath is no special case: its
// state is empty, so the steps are all of it.
//
// A state has the form that datapathd answers to datapath.state:
//   {"bridges": [{"name":N, "config":{...}}],
//    "ports": [{"name":N, "bridge":B, "config":{...}}],
//    "plan": {"threads":[{"core":C, "queues":[{"port":N, "queue":Q}]}]}}
// with configs as they were given to bridge.add and port.add. A desired state without "plan"
// leaves the threads alone. A step is a call: {"method":M, "params":{...}}.
//
// What a config leaves out means the default, so that "no mtu" and "mtu 1500" are the same.

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

// The steps, in the order in which they must be done: what is in the way goes first, bridges come
// before their ports, threads last. A port whose VLAN settings or MTU alone differ is changed in
// place; one that differs in type, number, options or bridge is made anew. Returns a new array,
// empty if there is nothing to do; NULL if out of memory.
json_t *reconcile_steps(const json_t *desired, const json_t *actual);

// What the state is after `step`. 0, or -EINVAL for a step that reconcile_steps() never makes.
int reconcile_apply(json_t *state, const json_t *step);

// A state with nothing in it; new reference.
json_t *reconcile_empty_state(void);

struct flow_record {
	uint64_t id;
	const char *text; // exact form
};

// The same for the flows of one bridge. Both arrays are sorted by id. Returns the operations of
// flow.apply that make `actual` equal to `desired` and keep the counters of what stays: a new
// array of ["add",id,text], ["mod",id,text], ["del",id], deletions first. An identifier that
// stands for another flow (another match) is deleted by *before, which must be applied first and
// is NULL if there is nothing of that kind.
json_t *reconcile_flows(const struct flow_record *desired, size_t n_desired,
	const struct flow_record *actual, size_t n_actual, json_t **before);

// Groups or meters of one bridge, sorted by number: appends the operations that make `actual` equal
// to `desired` to `operations`, [put,id,text] and [remove,id]. Those that are equal, to the letter,
// are not touched, so that their counters go on.
struct object_record {
	uint32_t id;
	const char *text; // exact form
};
void reconcile_objects(json_t *operations, const char *put, const char *remove,
	const struct object_record *desired, size_t n_desired, const struct object_record *actual,
	size_t n_actual);

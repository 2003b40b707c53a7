// SPDX-License-Identifier: Apache-2.0
#pragma once

// Brings the datapath to what is wanted: does the steps that reconcile.h finds, keeps `actual` in
// step with them, and keeps account of what could not be done.
//
// Two manners. Within a transaction the caller names the objects it touches (`strict`: a set of
// names, as an object): a refusal for one of those ends the work with the datapath's message. A
// refusal for any other object, and for all when `strict` is NULL, is noted in vs->failures for
// Interface.error and the work goes on: one port whose device is gone must not keep the others
// down. Ports that failed are left alone until they are changed or sync_retry() comes round.
//
// A lost connection ends the work in both manners (false, RPC_UNAVAILABLE); the link then connects
// anew, which does all of it again.

#include <stdbool.h>

#include <jansson.h>

#include "vswitch/flows.h"
#include "vswitch/vswitch.h"

// A connection has been made: learn the datapath's state and bring it up to date.
void sync_all(struct vswitch *vs);

// For a datapath that is to take over from another: all but ports, and the threads of `plan`
// without queues. Then the ports. Then sync_set_plan(). False with *error.
bool sync_prepare(struct vswitch *vs, const json_t *plan, struct rpc_error *error);
bool sync_ports(struct vswitch *vs, struct rpc_error *error);

// Threads, and queues where `plan` has them (desired.h). False with *error.
bool sync_set_plan(struct vswitch *vs, const json_t *plan, struct rpc_error *error);

// Forget what is known of a datapath that is gone.
void sync_forget(struct vswitch *vs);

// Bridges and ports. *changed, if not NULL, tells whether there was anything to do.
bool sync_rows(struct vswitch *vs, const json_t *strict, bool *changed, struct rpc_error *error);

// The flows, groups and meters of one bridge, by comparing all of them; counters of unchanged ones
// stay. A refusal is noted and true is returned. (sync_flows.c)
bool sync_flows(struct vswitch *vs, struct flow_owner *owner, struct rpc_error *error);

// Packet threads and their queues. With `strict`, cores that do not exist are refused.
bool sync_plan(struct vswitch *vs, bool strict, struct rpc_error *error);

// Queues to other threads, if the loads of late are more even then, by at least so many percent
// less of their variance; only look if `dry_run`. What pmd.rebalance answers; new reference. NULL
// with *error.
json_t *sync_rebalance(
	struct vswitch *vs, double least_percent, bool dry_run, struct rpc_error *error);

// Everything that is behind, without strictness: for what was stored with no_wait.
void sync_behind(struct vswitch *vs);

// Something failed: sync_retry() has work to do.
void sync_retry_soon(struct vswitch *vs);

// Once a second: try again what failed, at growing intervals.
void sync_retry(struct vswitch *vs);

// The state of all ports (port.status), fresh; new reference, NULL with *error.
json_t *sync_port_status(struct vswitch *vs, const char *port, struct rpc_error *error);

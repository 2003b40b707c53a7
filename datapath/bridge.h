// SPDX-License-Identifier: Apache-2.0
#pragma once

// Bridges: a pipeline, and the ports that it can send to by number. Control thread; PMD threads
// read `ports` and run the pipeline.

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "datapath/learn_limit.h"
#include "datapath/packet_in.h"
#include "datapath/port.h"
#include "pipeline/pipeline.h"

#define BRIDGES_MAX 256

struct bridge {
	// PMDs: ro.
	struct pipeline *pipeline;
	uint16_t index;                     // in datapath.bridges; learn events carry it
	struct learn_limit learn_limit;     // control: wo; of each port and PMD
	struct port *ports[OFPORT_MAX + 1]; // control: wo; NULL: no such port
	void *controller_limit;             // control: wo; of datapath_metering
	// One per PMD, who writes it.
	struct packet_in_counters packet_ins[PIPELINE_READERS];
	// Control only.
	uint64_t packet_ins_unsent; // taken from the rings, but nobody took them from us
	char name[PORT_NAME_SIZE];
	struct datapath *datapath;
	json_t *config; // as given
};

// `config` as in bridge.add. NULL with *error.
struct bridge *bridge_add(struct datapath *datapath, json_t *config, struct rpc_error *error);
bool bridge_set(struct bridge *bridge, const json_t *changes, struct rpc_error *error);
void bridge_delete(struct bridge *bridge); // with its ports
struct bridge *bridge_find(struct datapath *datapath, const char *name);
// The same, with *error set if there is none.
struct bridge *bridge_get(struct datapath *datapath, const json_t *params, struct rpc_error *error);

// Make reader slot `slot` usable in all pipelines. 0 or -ENOMEM.
int bridge_readers_add(struct datapath *datapath, unsigned slot);

// Forget MAC addresses that are over age; called a few times a second.
void bridges_age(struct datapath *datapath);

// SPDX-License-Identifier: Apache-2.0
#pragma once

// The pipeline of one bridge: flow tables, MAC table, port VLAN settings, and what they add up to
// for a burst of packets.
//
// Threads. One control thread makes every change; readers (PMD threads), each with a slot number
// of its own, run bursts meanwhile. Changes are collected in a transaction and come into force
// for whole bursts: a burst sees all of a commit or none, in every table. A commit returns when it
// is in force for every burst that starts afterwards; memory goes through `retire`.
//
// Counters belong to reader slots: each reader adds to its own, sums are made when asked. They
// survive readers that stop and flows that are modified.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/classifier.h"
#include "pipeline/drop_reason.h"
#include "pipeline/flow.h"
#include "pipeline/flow_table.h"
#include "pipeline/group.h"
#include "pipeline/lookup.h"
#include "pipeline/mac_table.h"
#include "pipeline/meter.h"
#include "pipeline/packet.h"

#define PIPELINE_READERS 64
#define PIPELINE_BURST LOOKUP_BURST
#define PIPELINE_TABLES 255
#define PIPELINE_RESUBMIT_DEPTH 16  // nested resubmits and groups
#define PIPELINE_LOOKUP_LIMIT 4096 // table lookups per packet, all told

struct pipeline;

// --- Set-up (control thread) ---

// Token buckets of meters, which the caller has: the pipeline knows no clock that is fine enough.
struct metering {
	void *(*create)(const struct meter *meter); // full buckets; NULL: no memory
	void (*destroy)(void *state);
	// Readers, any number at once. Draw one packet of `length` bytes on the bucket of every
	// band; returns bit 1 << band of those that it exceeds, which are left as they were.
	unsigned (*charge)(void *state, uint32_t length);
};

struct pipeline_config {
	uint32_t mac_table_size; // 0: default
	uint32_t mac_aging;	 // seconds, 0: default
	struct retirement retirement;
	const struct metering *metering; // NULL: there can be no meters
	const struct classifier *classifier; // NULL: tables of many rules do without
};

struct pipeline *pipeline_create(const struct pipeline_config *config); // NULL: out of memory
// No readers left, and everything given to `retire` has been freed.
void pipeline_destroy(struct pipeline *pipeline);

struct mac_table *pipeline_mac_table(struct pipeline *pipeline);

// Make reader slot `reader` usable. 0 or -ENOMEM. Idempotent; slots are never taken away.
int pipeline_reader_add(struct pipeline *pipeline, unsigned reader);

// --- Ports, as NORMAL, flood and all see them (control thread, in force at once) ---

enum vlan_mode { VLAN_TRUNK, VLAN_ACCESS, VLAN_NATIVE_TAGGED, VLAN_NATIVE_UNTAGGED };

struct pipeline_port {
	uint16_t number; // 1..OFPORT_MAX
	enum vlan_mode vlan_mode;
	uint16_t tag;	     // access or native VLAN
	uint64_t trunks[64]; // bitmap of VLANs a trunk carries; all zero: all
	bool no_flood;
};

int pipeline_port_set(struct pipeline *pipeline, const struct pipeline_port *port); // 0, -ENOMEM
int pipeline_port_remove(struct pipeline *pipeline, uint16_t number); // also flushes its MACs

// --- Flows (control thread) ---

// One transaction at a time. add takes over flow's contents whether it succeeds or not.
void pipeline_begin(struct pipeline *pipeline);
int pipeline_flow_add(struct pipeline *pipeline, uint64_t id, struct flow *flow); // 0, -EEXIST, -ENOMEM
int pipeline_flow_remove(struct pipeline *pipeline, uint64_t id);		 // 0, -ENOENT
// Replace, keeping the counters of `id`.
int pipeline_flow_modify(struct pipeline *pipeline, uint64_t id, struct flow *flow);
void pipeline_commit(struct pipeline *pipeline);
void pipeline_abort(struct pipeline *pipeline);

// Groups and meters, in the same transactions. put adds one, or takes the place of the one of the
// same number with the counters that it had (buckets: by their identifiers). put takes over
// group's contents whether it succeeds or not. 0, -ENOMEM, -ENOSPC; remove: also -ENOENT. Flows may
// name what is not there: their packets are dropped for it.
int pipeline_group_put(struct pipeline *pipeline, struct group *group);
int pipeline_group_remove(struct pipeline *pipeline, uint32_t id);
// A meter that is replaced begins with full buckets; -ENOTSUP without metering.
int pipeline_meter_put(struct pipeline *pipeline, const struct meter *meter);
int pipeline_meter_remove(struct pipeline *pipeline, uint32_t id);

struct pipeline_count {
	uint64_t packets;
	uint64_t bytes;
};

// Calls fn for each one in force. `parts` are its buckets, or for a meter what exceeded its bands.
void pipeline_group_each(const struct pipeline *pipeline,
		void (*fn)(void *context, const struct group *group, struct pipeline_count total,
			const struct pipeline_count parts[]),
		void *context);
void pipeline_meter_each(const struct pipeline *pipeline,
		void (*fn)(void *context, const struct meter *meter, struct pipeline_count total,
			const struct pipeline_count parts[]),
		void *context);

struct pipeline_flow_stats {
	uint64_t id;
	uint64_t packets;
	uint64_t bytes;
	uint64_t used_ms; // when a packet last hit it, in the time of pipeline_burst.now_ms; 0 never
	const struct flow *flow;
};
size_t pipeline_flow_count(const struct pipeline *pipeline);
// 0 or -ENOENT.
int pipeline_flow_stats(const struct pipeline *pipeline, uint64_t id, struct pipeline_flow_stats *s);
// Calls fn for each flow in force until it returns false.
void pipeline_flow_each(const struct pipeline *pipeline,
		bool (*fn)(void *context, const struct pipeline_flow_stats *stats), void *context);

// The same for one table, without asking for counters: much cheaper.
void pipeline_table_each(const struct pipeline *pipeline, uint8_t table,
		bool (*fn)(void *context, uint64_t id, const struct flow *flow), void *context);

struct pipeline_table_stats {
	uint64_t lookups;
	uint64_t matched;
	size_t flows;
	struct flow_table_shape shape;
};
void pipeline_table_stats(const struct pipeline *pipeline, uint8_t table,
		struct pipeline_table_stats *stats);

// --- Classifiers for tables of many rules (control thread) ---

// To be asked several times a second, between transactions: a classifier that is to be built for
// some table, or NULL. `now_ms` is any steady clock. See pipeline/classifier.h for what to do with it.
struct classifier_job *pipeline_classifier_job(struct pipeline *pipeline, uint64_t now_ms);

// --- Packets (reader threads) ---

// What the action controller says of a packet.
struct packet_in {
	enum packet_in_reason reason;
	uint8_t table; // of the flow that asked for it, CONTROLLER_NO_TABLE for an action list alone
	uint16_t max_len; // CONTROLLER_WHOLE: all
	uint64_t cookie;
	uint64_t metadata;
};

#define CONTROLLER_NO_TABLE 0xff

// What becomes of packets; supplied by the caller. Each packet, original or copy, ends in exactly
// one of output() and drop(), which take it over. So packets given + copies asked for = outputs +
// drops, where the reason CONSUMED says that the packet itself is left over after everything that
// it was to be sent to got a copy: nothing was lost.
struct pipeline_sink {
	void (*output)(struct pipeline_sink *sink, struct packet *packet, uint16_t port);
	void (*drop)(struct pipeline_sink *sink, struct packet *packet, enum drop_reason reason);
	// A copy that may be rewritten on its own, with headroom for a VLAN tag if there can be. NULL
	// if there is no memory: then the sink itself has counted the copy and its drop, NO_MEMORY,
	// against packet->in_port; drop() is not called for a packet that does not exist.
	struct packet *(*copy)(struct pipeline_sink *sink, const struct packet *packet);
	// The MAC table has to learn; may be lossy.
	void (*learn)(struct pipeline_sink *sink, const uint8_t mac[6], uint16_t vlan, uint16_t port);
	// Make an event of the packet as it is now, which stays the pipeline's. False: it could not
	// be, and the sink has counted that. NULL: never can.
	bool (*packet_in)(struct pipeline_sink *sink, const struct packet *packet,
			const struct packet_in *event);
	// Would a packet leave by that port at present? NULL: always.
	bool (*port_live)(struct pipeline_sink *sink, uint16_t port);
	// output() for several packets in a row that are as they came. NULL: output() is called for
	// each.
	void (*output_run)(struct pipeline_sink *sink, struct packet *packets[], unsigned count,
			uint16_t port);
};

// Run `count` (at most PIPELINE_BURST) packets, all from one port, through the pipeline. All end in the sink.
// `now_ms` is any steady clock, the same for all readers of the pipeline.
void pipeline_run(struct pipeline *pipeline, unsigned reader, struct packet *packets[],
		unsigned count, uint64_t now_ms, struct pipeline_sink *sink);

// Run an action list on one packet that came by no flow; packet->in_port is a port or
// OFPORT_CONTROLLER. resubmit(,0) takes it through the tables. It ends in the sink.
void pipeline_packet_out(struct pipeline *pipeline, unsigned reader, struct packet *packet,
		const struct action_list *actions, uint64_t now_ms, struct pipeline_sink *sink);

// What happens to `count` frames of `bytes` in all that came from `in_port`, each with at least
// PACKET_NEVER_MALFORMED readable bytes, if nothing in a frame decides about it and all are sent to
// one other port: true, and then they are counted as pipeline_run() would count them, and the
// caller sends them to *port, as they are. False: nothing is done; use pipeline_run().
bool pipeline_run_alike(struct pipeline *pipeline, unsigned reader, uint16_t in_port,
		unsigned count, uint64_t bytes, uint64_t now_ms, uint16_t *port);

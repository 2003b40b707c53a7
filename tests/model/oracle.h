// SPDX-License-Identifier: Apache-2.0
#pragma once

// The oracle: what a program of flows does to a packet, worked out in the plainest way.
//
// It shares data structures with the pipeline (struct flow, struct packet_key as the form of a
// match, struct pipeline_port) and no code. A packet is taken apart into addresses, a list of tags
// and a rest, fields are numbers that are read from and written to those parts, checksums are
// computed in full before and after each change, flows are tried one by one, outputs are copied at
// once, a bucket gets a copy of everything, and the MAC table is a list. One thread; memory ends
// with oracle_outcome_free().
//
// Which bucket of a select group a hash chooses is no business of the oracle: of such a group at
// most one bucket may be alive and have a weight.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/drop_reason.h"
#include "pipeline/flow.h"
#include "pipeline/pipeline.h"

typedef unsigned __int128 oracle_number;

#define ORACLE_TAGS 64
#define ORACLE_REST 2304

struct oracle_packet {
	uint8_t macs[12]; // destination, source
	struct {
		uint16_t tpid;
		uint16_t tci; // as on the wire
	} tags[ORACLE_TAGS];  // outermost first
	unsigned tag_count;
	uint8_t rest[ORACLE_REST]; // from the Ethernet type after the tags on
	size_t length;             // of rest
	size_t readable;           // bytes of rest that may be looked at
	unsigned headroom;
	uint16_t in_port;
	uint64_t metadata;
	uint32_t reg[8];

	// What the headers were found to be, once and for all; offsets into rest, 0 if not there.
	uint16_t dl_type;
	size_t ipv4, ipv6, arp, l4;
	size_t l4_size;              // bytes that the IP header promises
	size_t nd_source, nd_target; // link-layer addresses in options
	uint8_t nw_proto, nw_frag;
	bool nd;     // a well-formed neighbour solicitation or advertisement
	bool routed; // the IPv6 destination is not the last one
};

// False: malformed.
bool oracle_parse(struct oracle_packet *packet, const uint8_t *bytes, size_t length,
	size_t readable, unsigned headroom, uint16_t in_port);

// The frame again; returns its length.
size_t oracle_frame(const struct oracle_packet *packet, uint8_t *bytes);

// All fields in the form that matches have.
void oracle_key(const struct oracle_packet *packet, struct packet_key *key);

// Is the field there to be read; and as a number.
bool oracle_has(const struct oracle_packet *packet, enum field_id field);
oracle_number oracle_read(const struct oracle_packet *packet, enum field_id field);

// Write bits of a field. What stops a packet is a drop reason, otherwise DROP_REASON_COUNT.
enum drop_reason oracle_write(
	struct oracle_packet *packet, enum field_id field, oracle_number value, oracle_number mask);

enum drop_reason oracle_push(struct oracle_packet *packet, uint16_t tpid, uint16_t tci);
void oracle_pop(struct oracle_packet *packet);

// Checksums, computed in full.
uint32_t oracle_sum(const uint8_t *bytes, size_t size); // one's complement, modulo 65535
uint32_t oracle_crc32c(const uint8_t *bytes, size_t size);

// --- Programs ---

// Counters are by reference, since what takes the place of another goes on counting there.
struct oracle_count {
	uint64_t packets, bytes;
};

struct oracle_flow {
	const struct flow *flow;
	struct oracle_count *hits;
};

struct oracle_group {
	const struct group *group;
	struct oracle_count *total;
	struct oracle_count *const *buckets;
};

struct oracle_meter {
	const struct meter *meter;
	void *state; // of charge()
	struct oracle_count *total;
	struct oracle_count *const *bands; // of what each acted on
};

#define ORACLE_MACS 256

struct oracle {
	struct oracle_flow *flows;
	size_t flow_count;
	const struct pipeline_port *ports; // in order of number
	size_t port_count;
	const bool *dead; // by port number: has no link
	const struct oracle_group *groups;
	size_t group_count;
	const struct oracle_meter *meters;
	size_t meter_count;
	unsigned (*charge)(void *state, uint32_t length); // as that of struct metering
	bool (*takes_event)(const struct packet_in *event, size_t length);
	struct {
		uint8_t mac[6];
		uint16_t vlan;
		uint16_t port;
	} macs[ORACLE_MACS];
	size_t mac_count;
};

struct oracle_output {
	uint16_t port;
	size_t length;
	uint8_t *bytes;
};

// A packet as it was when it was to become an event.
struct oracle_event {
	struct packet_in event;
	bool taken;
	size_t length;
	uint8_t *bytes;
};

// What is sent, in order; what became an event or was refused, in order; and how often which reason
// is counted (never CONSUMED).
struct oracle_outcome {
	struct oracle_output *outputs;
	size_t count, space;
	struct oracle_event *events;
	size_t event_count, event_space;
	unsigned drops[DROP_REASON_COUNT];
};

void oracle_run(struct oracle *oracle, const uint8_t *bytes, size_t length, size_t readable,
	unsigned headroom, uint16_t in_port, struct oracle_outcome *outcome);
void oracle_outcome_add(
	struct oracle_outcome *outcome, uint16_t port, const uint8_t *bytes, size_t length);
void oracle_outcome_event(struct oracle_outcome *outcome, const struct packet_in *event, bool taken,
	const uint8_t *bytes, size_t length);
bool oracle_outcomes_equal(const struct oracle_outcome *a, const struct oracle_outcome *b);
void oracle_outcome_free(struct oracle_outcome *outcome);

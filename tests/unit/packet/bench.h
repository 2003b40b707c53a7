// SPDX-License-Identifier: Apache-2.0
#pragma once

// A pipeline with ports, flows in text, and a sink that writes down what becomes of a packet and
// insists that every packet, original or copy, ends exactly once.

#include "pipeline/pipeline.h"
#include "tests/unit/packet/frame.h"

#define BENCH_EVENTS 64

struct bench_event {
	bool sent;
	uint16_t port;           // sent
	enum drop_reason reason; // not sent
	size_t length;
	uint8_t bytes[4096];
};

struct bench {
	struct pipeline *pipeline;
	struct pipeline_sink sink;
	uint64_t next_flow;
	uint64_t now_ms;
	unsigned copies_left; // before memory runs out
	// Of the last packet, in order of time.
	struct bench_event *events;
	unsigned event_count;
	unsigned copies; // made or asked for in vain
	unsigned alive;  // packets that have not ended
	unsigned learned;
};

// Ports 1..ports, trunks of all VLANs; no flows.
void bench_open(struct bench *bench, unsigned ports);
void bench_close(struct bench *bench);

void bench_port(struct bench *bench, uint16_t number, enum vlan_mode mode, uint16_t tag);
// And with a list of trunk VLANs that ends with -1.
void bench_trunks(
	struct bench *bench, uint16_t number, enum vlan_mode mode, uint16_t tag, const int *vlans);

// Fails the test if the text is no flow.
void bench_flow(struct bench *bench, const char *text);

// Run one packet and check its accounting.
void bench_run(struct bench *bench, const struct frame *frame, uint16_t in_port);
// The same with `headroom` bytes in front of it instead of plenty, for it and for its copies.
void bench_run_tight(
	struct bench *bench, const struct frame *frame, uint16_t in_port, unsigned headroom);

// What event `index` was. Sent: this frame, by this port.
void bench_expect_sent(
	struct bench *bench, unsigned index, uint16_t port, const struct frame *frame);
void bench_expect_drop(struct bench *bench, unsigned index, enum drop_reason reason);
void bench_expect_events(struct bench *bench, unsigned count);

// The only event.
void bench_expect_only_sent(struct bench *bench, uint16_t port, const struct frame *frame);
void bench_expect_only_drop(struct bench *bench, enum drop_reason reason);

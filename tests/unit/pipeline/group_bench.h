// SPDX-License-Identifier: Apache-2.0
#pragma once

// A pipeline with ports that may die, a meter that counts packets, and a sink that keeps what came of
// the last packet; for tests of what actions do to packets. Every packet and copy must end once.

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/pipeline.h"

#define FRAME 100
#define HEADROOM 128
#define OUTPUTS 64
#define PORTS 5

struct retired {
	void (*free_fn)(void *);
	void *memory;
};

struct output {
	uint16_t port;
	uint32_t length;
	uint8_t frame[FRAME + 8];
};

struct bench {
	struct pipeline *pipeline;
	struct retired retired[512];
	unsigned retired_count;
	bool dead[PORTS + 1];
	bool deaf; // nobody takes events
	struct pipeline_sink sink;
	// What came of the last packet.
	struct output outputs[OUTPUTS];
	unsigned count, copies, ends;
	unsigned drops[DROP_REASON_COUNT];
	unsigned events;
	struct packet_in event;
};

// A packet with its frame, which the sink frees.
struct test_packet {
	struct packet packet; // first
	uint8_t buffer[HEADROOM + FRAME];
};

// Ends with a bucket without actions; watches of 0 are none.
struct bucket_text {
	const char *actions;
	uint16_t weight, watch_port;
	uint32_t watch_group;
};

// For cmocka: *state is the bench.
int bench_setup(void **state);
int bench_teardown(void **state);
void grace(struct bench *bench); // let all grace periods end

void install(struct bench *bench, uint64_t id, const char *flow);
struct group group_of(uint32_t id, enum group_type type, const struct bucket_text *texts);
void group_put(struct bench *bench, uint32_t id, enum group_type type,
	const struct bucket_text *texts); // within a transaction
void group_install(struct bench *bench, uint32_t id, enum group_type type,
	const struct bucket_text *texts);
void meter_install(struct bench *bench, const struct meter *meter);

// A UDP frame from 10.0.0.1 to 10.0.0.2, taken over by who runs it.
struct packet *packet_make(uint16_t in_port, uint16_t destination, uint8_t tos);
void forget(struct bench *bench); // what came of the last packet
void send_frame(struct bench *bench, uint16_t destination);
void send_tos(struct bench *bench, uint16_t destination, uint8_t tos);
unsigned ports_of(const struct bench *bench); // that got something, in order, as digits
uint8_t last_byte_of_destination(const struct bench *bench, unsigned output);

#define CASE(test) cmocka_unit_test_setup_teardown(test, bench_setup, bench_teardown)

// SPDX-License-Identifier: Apache-2.0
#pragma once

// A random program of flows, groups and meters, installed in a pipeline and known to the oracle,
// with random ports.

#include "pipeline/flow_text.h"
#include "pipeline/pipeline.h"
#include "tests/model/model_random.h"
#include "tests/model/oracle.h"

#define PROGRAM_FLOWS 28
#define PROGRAM_GROUP_TEXT (2 * MODEL_TEXT * MODEL_BUCKETS)

// These live until the program is closed, since counters may be those of one that it replaced.
struct program_flow {
	struct program_flow *next; // of all that there ever were
	uint64_t id;
	unsigned priority;
	struct model_match match;
	char text[2 * MODEL_TEXT];
	struct flow flow; // for the oracle
	struct oracle_count *hits, own_hits;
};

struct program_group {
	struct program_group *next;
	char text[PROGRAM_GROUP_TEXT];
	struct group group; // for the oracle
	struct oracle_count *total, *buckets[MODEL_BUCKETS];
	struct oracle_count own_total, own_buckets[MODEL_BUCKETS];
};

struct program_meter {
	struct program_meter *next;
	char text[MODEL_TEXT];
	struct meter meter;
	void *state; // for the oracle
	struct oracle_count *total, *bands[METER_BANDS_MAX];
	struct oracle_count own_total, own_bands[METER_BANDS_MAX];
};

// What is in force, or would be after a commit.
struct program_state {
	struct program_flow *flows[PROGRAM_FLOWS];
	size_t flow_count;
	struct program_group *groups[MODEL_GROUPS]; // by place, NULL: not there
	struct program_meter *meters[MODEL_METERS];
};

struct program {
	uint64_t seed;
	struct model_random random;
	struct model_scope scope; // of flows: are there groups and meters?
	struct pipeline *pipeline;
	struct pipeline_port ports[MODEL_PORTS];
	bool dead[OFPORT_MAX + 1]; // ports without a link
	struct program_state now, next;
	bool changing; // a transaction is open
	uint64_t next_id;
	struct program_flow *all_flows;
	struct program_group *all_groups;
	struct program_meter *all_meters;
	struct oracle oracle;
	struct oracle_flow oracle_flows[PROGRAM_FLOWS];
	struct oracle_group oracle_groups[MODEL_GROUPS];
	struct oracle_meter oracle_meters[MODEL_METERS];
	bool ordered;               // the order of packets matters: they learn, or draw on meters
	unsigned accepted, refused; // texts, by the parsers
};

// With groups and meters in some of them, if `with_objects`.
void program_open(struct program *program, uint64_t seed, bool with_objects);
void program_close(struct program *program);

// Change the settings of ports, at once, and in a transaction take some flows away, give others
// different actions, and add some; the same with groups and meters. Nothing of it is in force
// before the end with `commit`, and nothing is left of it otherwise.
void program_begin(struct program *program);
void program_end(struct program *program, bool commit);

// Has everything been hit as often as the oracle says? Prints what has not.
bool program_counts_agree(const struct program *program);

// Ports, flows, groups, meters and learned addresses.
void program_print(const struct program *program);

// --- What only model_program*.c use ---

void program_die(const char *what);
// Whose order matters?
void program_note_text(struct program *program, const char *actions);
// Groups and meters of the open transaction.
void program_objects_change(struct program *program, bool first);
void program_objects_free(struct program *program);
void program_objects_tell_oracle(struct program *program);
bool program_objects_agree(const struct program *program);
void program_objects_print(const struct program *program);

// --- What a program shares with the sink that its pipeline has ---

// A metering in which what is exceeded follows from how often it was asked before.
extern const struct metering program_metering;
// How often any meter said that something is exceeded.
extern unsigned program_metering_exceeded;

// Does somebody take the event? By its looks.
bool program_takes_event(const struct packet_in *event, size_t length);

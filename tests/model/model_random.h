// SPDX-License-Identifier: Apache-2.0
#pragma once

// Random flows and packets that have to do with each other: values come from small pools, so that
// flows are hit, and actions go with what their flow matches. All is decided by the seed.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct model_random {
	uint64_t state;
};

void model_seed(struct model_random *random, uint64_t seed);
uint64_t model_bits(struct model_random *random);
// 0..below-1.
unsigned model_below(struct model_random *random, unsigned below);
// True once in `times`.
bool model_once_in(struct model_random *random, unsigned times);

#define MODEL_TEXT 1024 // of a match, of actions
#define MODEL_TABLES 5
#define MODEL_PORTS 5 // numbers 1..MODEL_PORTS

// What a flow matches decides which actions it may have.
struct model_match {
	unsigned class;
	unsigned table;
	bool ranges; // a range of ports is in it
	char text[MODEL_TEXT];
};

// "table=..,tcp,nw_src=..." without priority; the flow parser accepts it.
void model_match(struct model_random *random, struct model_match *match);
// One that matches all packets that come to the table.
void model_match_all(unsigned table, struct model_match *match);
// What actions may name.
struct model_scope {
	bool groups, meters;
	int bucket_of; // the place of the group that they are in, -1: they are a flow's
};

// "mod_nw_ttl:3,output:2"; the flow parser may refuse it, as some combinations make no sense.
void model_actions(struct model_random *random, const struct model_match *match,
	const struct model_scope *scope, char *text);

// --- Groups and meters, model_objects.c ---

// Places that groups and meters can be in; each has its number.
#define MODEL_GROUPS 8
#define MODEL_METERS 3
#define MODEL_BUCKETS 4

uint32_t model_group_id(unsigned place);
uint32_t model_meter_id(unsigned place);

// "group:7", which may not be there. Groups within groups mostly come later, so that their number
// has bounds; in a loop there are only some in which one bucket runs.
void model_group_action(struct model_random *random, const struct model_scope *scope, char *text);
void model_meter_action(struct model_random *random, char *text);

// A line for group_parse(), which may refuse it. Of a select group at most one bucket can be
// chosen.
void model_group(
	struct model_random *random, unsigned place, const struct model_scope *scope, char *text);
// A line for meter_parse().
void model_meter(struct model_random *random, unsigned place, char *text);

// Append to a text of at most MODEL_TEXT bytes.
__attribute__((format(printf, 2, 3))) void model_append(char *text, const char *format, ...);

#define MODEL_FRAME 2048

struct model_packet {
	uint8_t bytes[MODEL_FRAME];
	size_t length;
	size_t linear;
	unsigned headroom;
	uint16_t in_port;
};

void model_packet(struct model_random *random, struct model_packet *packet);

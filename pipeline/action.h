// SPDX-License-Identifier: Apache-2.0
#pragma once

// Actions: one row of pipeline/actions.def and one file pipeline/action_<id>.c (or a file for a
// family, such as action_vlan.c) each.
//
// The row says how the action is written; the file says what it does: a function of
// `action_<id>_run` form that changes the packet and its key, plus parse and format where the
// argument is not one of the common forms. The text, the JSON, the help and the reference page
// follow from the row.
//
// An action list is built by the parser, never changed after that, and owned by its flow. Running
// it is in pipeline/execute.h.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/field.h"

// OpenFlow's reserved port numbers, as far as they have a meaning here.
#define OFPORT_MAX 0xfeff
#define OFPORT_IN_PORT 0xfff8
#define OFPORT_NORMAL 0xfffa
#define OFPORT_FLOOD 0xfffb
#define OFPORT_ALL 0xfffc
#define OFPORT_CONTROLLER 0xfffd
#define OFPORT_NONE 0xffff

// Forms of an action's argument, in text and in JSON.
enum action_form {
	ARG_NONE,         // strip_vlan
	ARG_PORT,         // output:2, output:vhu0
	ARG_TABLE,        // goto_table:5
	ARG_RESUBMIT,     // resubmit(port,table)
	ARG_ETHERTYPE,    // push_vlan:0x8100
	ARG_FIELD_VALUE,  // mod_dl_src:V; the row's field is written
	ARG_SET_FIELD,    // set_field:V[/M]->F
	ARG_LOAD,         // load:V->F[a..b]
	ARG_MOVE,         // move:F[a..b]->G[c..d]
	ARG_METADATA,     // write_metadata:V/M
	ARG_FIELD_OUTPUT, // output:reg0[]
	ARG_PORT_TRUNCATED, // output(port=2,max_len=100)
	ARG_CONTROLLER,     // controller, controller:128, controller(max_len=128,reason=no_match)
	ARG_GROUP,          // group:5
	ARG_METER,          // meter:1
};

enum action_id {
#define ACTION(ID, ...) ACTION_##ID,
#include "pipeline/actions.def"
#undef ACTION
	ACTION_COUNT,
};

// Why a packet became an event, as the flow's author says.
enum packet_in_reason {
	PACKET_IN_ACTION,
	PACKET_IN_NO_MATCH,
	PACKET_IN_INVALID_TTL,
	PACKET_IN_REASON_COUNT,
};

#define CONTROLLER_WHOLE 0xffff // max_len: all of it
#define OUTPUT_MIN_LENGTH 14    // an Ethernet header is not cut

// A run of bits in a field, counted from its least significant bit.
struct subfield {
	enum field_id field;
	uint8_t first_bit;
	uint8_t n_bits;
};

struct action {
	enum action_id id;
	union {
		uint16_t port;      // ARG_PORT; an OpenFlow port or one of OFPORT_*
		uint8_t table;      // ARG_TABLE
		uint16_t ethertype; // ARG_ETHERTYPE
		struct {
			uint16_t port; // OFPORT_IN_PORT: keep
			uint8_t table;
		} resubmit;
		struct {
			// ARG_SET_FIELD, ARG_FIELD_VALUE, ARG_LOAD, ARG_METADATA: value and
			// mask are already shifted to the field's own bits; value & ~mask == 0.
			struct subfield target;
			struct field_value value;
			struct field_value mask;
		} set;
		struct {
			struct subfield source;
			struct subfield target;
		} move;
		struct subfield output; // ARG_FIELD_OUTPUT
		struct {
			uint16_t port; // number of a port, or OFPORT_IN_PORT
			uint32_t max_len;
		} truncated; // ARG_PORT_TRUNCATED
		struct {
			uint16_t max_len; // CONTROLLER_WHOLE: all
			enum packet_in_reason reason;
		} controller;
		uint32_t group;
		uint32_t meter;
	};
};

struct action_list {
	size_t count;
	struct action *items; // owned
};

struct execution;

struct action_type {
	enum action_id id;
	const char *name;
	const char *aliases; // blank-separated
	enum action_form form;
	enum field_id field; // for ARG_FIELD_VALUE
	enum field_prerequisite needs;
	// Returns false if the packet ends here; the drop reason is then in the execution.
	bool (*run)(struct execution *execution, const struct action *action);
	const char *help;
};

extern const struct action_type action_types[ACTION_COUNT];

static inline const struct action_type *action_type_get(enum action_id id)
{
	return &action_types[id];
}

// The name that texts have: all forms of output are "output".
const char *action_type_written_name(const struct action_type *type);

// By name or alias; NULL if there is none.
const struct action_type *action_type_find(const char *name, size_t length);

const char *packet_in_reason_name(enum packet_in_reason reason); // "action", "no_match", ...

const char *action_suggest(const char *name, size_t length);

// 0 or -ENOMEM. `copy` owns its items.
int action_list_copy(struct action_list *copy, const struct action_list *list);
bool action_list_equal(const struct action_list *a, const struct action_list *b);
void action_list_destroy(struct action_list *list); // frees items, not the struct

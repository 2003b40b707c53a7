// SPDX-License-Identifier: Apache-2.0
#pragma once

// Protocols in a match: the shorthands that name them ("tcp"), what a field needs before it makes
// sense, and names whose field depends on the protocol ("tp_dst"). What parsing, printing and the
// checks of actions share. Pure functions on constant tables, any thread.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/field.h"
#include "pipeline/match.h"

#define PROTOCOL_ANY 0xff // in struct shorthand: nw_proto is left open

struct shorthand {
	const char *name;    // as printed
	const char *aliases; // blank-separated
	uint16_t dl_type;
	uint8_t nw_proto;
};

// NULL if there is none.
const struct shorthand *shorthand_find(const char *name, size_t length);

// By index; NULL at the end.
const struct shorthand *shorthand_get(size_t index);

// The longest shorthand that says part of what `match` says, or NULL.
const struct shorthand *shorthand_of(const struct match *match);

// Does the match guarantee what `needs` asks for?
bool prerequisite_met(const struct match *match, enum field_prerequisite needs);

// What an action that lacks it should find "in the match": "tcp", "ip or ipv6".
const char *prerequisite_name(enum field_prerequisite needs);

// Match keys that provide it: "ip"; a second way, or NULL.
const char *prerequisite_remedy(enum field_prerequisite needs);
const char *prerequisite_other_remedy(enum field_prerequisite needs);

// How deep in the protocol stack it lies: 0 (nothing, VLAN) to 3 (neighbour discovery). A field
// can only be judged when everything less deep is in the match.
unsigned prerequisite_depth(enum field_prerequisite needs);

// A name that stands for the first of its fields whose prerequisites are met.
#define FAMILY_MAX 5
struct field_family {
	const char *names; // blank-separated; the first is how its fields are printed, if
	bool printed;      // this says so
	const char *what;  // "a transport protocol"
	unsigned count;
	enum field_id fields[FAMILY_MAX];
};

// NULL if the name stands for at most one field.
const struct field_family *field_family_find(const char *name, size_t length);

// By index; NULL at the end.
const struct field_family *field_family_get(size_t index);

// The name that a match on `field` is printed with.
const char *field_printed_name(const struct field *field);

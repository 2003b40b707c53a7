// SPDX-License-Identifier: Apache-2.0
#pragma once

// Port types and options by their rows (datapath/port_types.def): names, checks, help. Pure; what a
// type does is in its struct port_ops (datapath/port.h).

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "rpc/rpc_error.h"

enum port_type_id {
#define PORT_TYPE(ID, ...) PORT_TYPE_##ID,
#include "datapath/port_types.def"
	PORT_TYPE_COUNT,
};

enum port_option_id {
#define PORT_OPTION(TYPE, ID, ...) TYPE##_##ID,
#include "datapath/port_types.def"
	PORT_OPTION_COUNT,
};

enum option_kind {
	OPTION_STRING,  // least and most are of its length
	OPTION_INTEGER, // least and most are of its value
	OPTION_CHOICE,  // client or server
};

struct port_option {
	enum port_type_id type;
	const char *name;
	const char *aliases;
	enum option_kind kind;
	const char *default_value; // NULL: has to be given
	long least, most;
	const char *help;
};

struct port_type {
	const char *name;
	const char *aliases;
	const char *help;
};

// The values of one port's options. Strings belong to the JSON that they were parsed from, or are
// defaults.
struct port_options {
	const char *text[PORT_OPTION_COUNT];
	long number[PORT_OPTION_COUNT];
	bool given[PORT_OPTION_COUNT];
};

const struct port_type *port_type_get(enum port_type_id id);

// By name or alias; -1 if there is none.
int port_type_find(const char *name);

// The same with *error that lists all types. `name` may be NULL.
int port_type_parse(const char *name, struct rpc_error *error);

// Check `json` (an object of strings, numbers or booleans; may be NULL) against the rows of `type`
// and fill in defaults. False with *error that names the option and what it may be.
bool port_options_parse(enum port_type_id type, const json_t *json, struct port_options *options,
	struct rpc_error *error);

// All types with their options, as the answer of port.types. A new reference.
json_t *port_types_describe(void);

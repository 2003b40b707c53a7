// SPDX-License-Identifier: Apache-2.0
#pragma once

// Descriptions of methods, their parameters, and events: one row for each, from which checking,
// rpc.discover and the reference page follow.

#include <stdbool.h>

#include <jansson.h>

#include "rpc/rpc_error.h"

enum rpc_type { RPC_ANY, RPC_STRING, RPC_INTEGER, RPC_NUMBER, RPC_BOOLEAN, RPC_OBJECT, RPC_ARRAY };

struct rpc_param {
	const char *name; // NULL ends the list
	enum rpc_type type;
	bool required;
	const char *help;
};

// Answers a call. `params` is always an object that has been checked against the rows (positional
// parameters have been named). Returns a new reference, or NULL with *error set. Runs on the
// server's thread and does not keep params.
typedef json_t *rpc_handler(void *context, json_t *params, struct rpc_error *error);

enum rpc_method_flags {
	// Changes state: within a batch, all such calls are one transaction.
	RPC_TRANSACTIONAL = 1,
};

struct rpc_method {
	const char *name; // "noun.verb"; NULL ends a table
	rpc_handler *handler;
	const struct rpc_param *params; // may be NULL: takes none
	unsigned flags;
	const char *result; // one line on what comes back
	const char *help;
};

// What clients can subscribe to: a notification that comes to those only who asked for it.
struct rpc_event {
	const char *name;   // "noun.verb", the method of the notification; NULL ends a table
	const char *params; // one line on its members
	const char *help;
	// Refuse a bridge that somebody wants to subscribe to: false with *error. NULL: any will
	// do. The context is that of the methods.
	bool (*check)(void *context, const char *bridge, struct rpc_error *error);
};

// Check `params` (object, array or NULL) against the rows and return the named form as a new
// reference, or NULL with *error (RPC_INVALID_PARAMS) that names the parameter: missing, unknown
// (with the known ones), or of the wrong type.
// Null counts as a parameter that is not given, unless the row says RPC_ANY.
json_t *rpc_params_check(const struct rpc_param *rows, json_t *params, struct rpc_error *error);

const char *rpc_type_name(enum rpc_type type); // "string", ..., as in rpc.discover

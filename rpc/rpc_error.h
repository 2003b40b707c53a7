// SPDX-License-Identifier: Apache-2.0
#pragma once

// Errors of a JSON-RPC call: a code, a sentence for people, and data for programs.

#include <jansson.h>

// JSON-RPC 2.0, section 5.1.
#define RPC_PARSE_ERROR (-32700)
#define RPC_INVALID_REQUEST (-32600)
#define RPC_METHOD_NOT_FOUND (-32601)
#define RPC_INVALID_PARAMS (-32602)
#define RPC_INTERNAL_ERROR (-32603)
// The project's own.
#define RPC_REFUSED (-32000)   // understood, but cannot be done; the message says why
#define RPC_NOT_FOUND (-32001) // no such bridge, port, row, ...
#define RPC_EXISTS (-32002)
#define RPC_FLOW_ERROR (-32010)   // data is flow_error_to_json()
#define RPC_ABORTED (-32011)      // another item of the same batch failed
#define RPC_UNAVAILABLE (-32020)  // the datapath does not answer
#define RPC_OVERLOADED (-32030)   // a limit of the server; the message says which
#define RPC_TIMEOUT (-32021)      // client side only: no answer in time
#define RPC_DISCONNECTED (-32022) // client side only

struct rpc_error {
	int code; // 0: no error
	char message[1024];
	json_t *data; // owned, NULL if there is none
};

void rpc_error_set(struct rpc_error *error, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void rpc_error_clear(struct rpc_error *error); // frees data, code = 0

// The error object of an answer; a new reference, NULL only when out of memory.
json_t *rpc_error_to_json(const struct rpc_error *error);
// The reverse; takes what it can from objects of any shape, and always leaves an error set.
void rpc_error_from_json(struct rpc_error *error, json_t *object);

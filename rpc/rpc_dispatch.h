// SPDX-License-Identifier: Apache-2.0
#pragma once

// The half of the JSON-RPC server that knows no sockets: from a decoded request, single or batch,
// to its answer. Holds the tables of methods, checks requests and parameters against them, calls
// the handlers and brackets the transactional ones with the transaction of rpc_server.h.
//
// One thread. A handler may not call back into the dispatcher.

#include "rpc/rpc_server.h"
#include "rpc/rpc_subscriptions.h"

struct rpc_dispatch;

struct rpc_dispatch *rpc_dispatch_create(const char *title, const char *version,
	const struct rpc_transactions *transactions, void *context); // NULL: no memory
void rpc_dispatch_destroy(struct rpc_dispatch *dispatch);

void rpc_dispatch_add_methods(struct rpc_dispatch *dispatch, const struct rpc_method *methods);

// Adds the methods to subscribe, whose context is `events`, and describes the rows. Once.
void rpc_dispatch_set_events(struct rpc_dispatch *dispatch, struct rpc_events *events);

// The answer to a request that arrived, a new reference; NULL if none is due (notifications).
json_t *rpc_dispatch_answer(struct rpc_dispatch *dispatch, json_t *request);

// The answer to something that is no JSON at all; `text` says where and why.
json_t *rpc_dispatch_parse_error(const char *text);

// The answer to a request that a limit of the server is in the way of; `id` may be NULL.
json_t *rpc_dispatch_refusal(const json_t *id, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

json_t *rpc_dispatch_describe(const struct rpc_dispatch *dispatch);

// SPDX-License-Identifier: Apache-2.0
#pragma once

// A JSON-RPC server on a thread of its own, for tests that talk to it. Its methods: "echo" answers
// its parameter, "big" a string of so many bytes, "count" how often "big" was called, "notify"
// sends a notification "news" of so many bytes to everybody, "add" is transactional and refuses
// numbers below zero, "tell" sends an event to those who subscribed (value: [event, bridge
// or null, size]) and answers how many got it, "heard" says whether it would reach anybody, "exit"
// ends the thread. Its events: "packet.in", of any bridge but "nowhere", and "port.moved".

#include "cmocka_all.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rpc/rpc_server.h"

struct server_thread {
	char directory[64];
	char path[96];
	struct event_base *base;
	struct rpc_server *server;
	pthread_t thread;
	int big_count;
	int sum;
	int sum_before;
	struct rpc_limits limits; // set before the start if others than usual are wanted
};

static inline json_t *server_echo(void *context, json_t *params, struct rpc_error *error)
{
	return json_incref(json_object_get(params, "value"));
}

static inline json_t *string_of(size_t size)
{
	char *text = malloc(size + 1);
	json_t *value;

	memset(text, 'x', size);
	text[size] = '\0';
	value = json_string(text);
	free(text);
	return value;
}

static inline json_t *server_big(void *context, json_t *params, struct rpc_error *error)
{
	struct server_thread *thread = context;

	thread->big_count++;
	return string_of(json_integer_value(json_object_get(params, "value")));
}

static inline json_t *server_count(void *context, json_t *params, struct rpc_error *error)
{
	struct server_thread *thread = context;

	return json_integer(thread->big_count);
}

static inline json_t *server_notify(void *context, json_t *params, struct rpc_error *error)
{
	struct server_thread *thread = context;

	rpc_server_notify_all(thread->server, "news",
		json_pack("[o]", string_of(json_integer_value(json_object_get(params, "value")))));
	return json_true();
}

static inline json_t *server_add(void *context, json_t *params, struct rpc_error *error)
{
	struct server_thread *thread = context;
	int n = json_integer_value(json_object_get(params, "value"));

	if (n < 0) {
		rpc_error_set(error, RPC_REFUSED, "%d is below zero", n);
		error->data = json_pack("{s:i}", "n", n);
		return NULL;
	}
	thread->sum += n;
	return json_integer(thread->sum);
}

// The value's members; bridge may be NULL.
static inline const char *told(json_t *params, const char **bridge, size_t *size)
{
	const json_t *value = json_object_get(params, "value");

	*bridge = json_string_value(json_array_get(value, 1));
	*size = (size_t)json_integer_value(json_array_get(value, 2));
	return json_string_value(json_array_get(value, 0));
}

static inline json_t *server_tell(void *context, json_t *params, struct rpc_error *error)
{
	struct server_thread *thread = context;
	const char *bridge;
	size_t size;
	const char *event = told(params, &bridge, &size);

	return json_integer((json_int_t)rpc_server_notify_subscribers(thread->server, event, bridge,
		json_pack("{s:s?, s:o}", "bridge", bridge, "text", string_of(size))));
}

static inline json_t *server_heard(void *context, json_t *params, struct rpc_error *error)
{
	struct server_thread *thread = context;
	const char *bridge;
	size_t size;
	const char *event = told(params, &bridge, &size);

	return json_boolean(rpc_server_has_subscribers(thread->server, event, bridge));
}

static inline bool server_bridge(void *context, const char *bridge, struct rpc_error *error)
{
	if (strcmp(bridge, "nowhere") != 0)
		return true;
	rpc_error_set(error, RPC_NOT_FOUND, "there is no bridge %s", bridge);
	return false;
}

static inline json_t *server_exit(void *context, json_t *params, struct rpc_error *error)
{
	struct server_thread *thread = context;

	event_base_loopbreak(thread->base);
	return json_true();
}

static inline bool server_begin(void *context, struct rpc_error *error)
{
	struct server_thread *thread = context;

	thread->sum_before = thread->sum;
	return true;
}

static inline bool server_commit(void *context, struct rpc_error *error)
{
	return true;
}

static inline void server_abort(void *context)
{
	struct server_thread *thread = context;

	thread->sum = thread->sum_before;
}

static const struct rpc_transactions server_transactions = {
	server_begin, server_commit, server_abort};

static const struct rpc_param server_value[] = {{"value", RPC_ANY, true, ""}, {0}};

static const struct rpc_method server_methods[] = {
	{"echo", server_echo, server_value, 0, "", ""},
	{"big", server_big, server_value, 0, "", ""},
	{"count", server_count, NULL, 0, "", ""},
	{"notify", server_notify, server_value, 0, "", ""},
	{"add", server_add, server_value, RPC_TRANSACTIONAL, "", ""},
	{"tell", server_tell, server_value, 0, "", ""},
	{"heard", server_heard, server_value, 0, "", ""},
	{"exit", server_exit, NULL, 0, "", ""},
	{0},
};

static const struct rpc_event server_events[] = {
	{"packet.in", "{bridge, text}", "something came in", server_bridge},
	{"port.moved", "{bridge, text}", "something moved", NULL},
	{0},
};

static inline void *server_run(void *context)
{
	struct server_thread *thread = context;

	event_base_dispatch(thread->base);
	rpc_server_destroy(thread->server);
	event_base_free(thread->base);
	return NULL;
}

static inline void server_directory(struct server_thread *thread)
{
	memset(thread, 0, sizeof(*thread));
	strcpy(thread->directory, "/tmp/turnout-rpc-XXXXXX");
	assert_non_null(mkdtemp(thread->directory));
	snprintf(thread->path, sizeof(thread->path), "%s/testd.sock", thread->directory);
}

static inline void server_start(struct server_thread *thread)
{
	struct rpc_limits limits = rpc_limits_default;
	struct rpc_error error = {0};

	thread->base = event_base_new();
	thread->server = rpc_server_create(thread->base, "test", "1", &server_transactions, thread);
	assert_non_null(thread->server);
	if (!rpc_server_listen(thread->server, thread->path, NULL, &error))
		fail_msg("%s", error.message);
	rpc_server_add_methods(thread->server, server_methods);
	rpc_server_set_events(thread->server, server_events);
	limits.notifications = 8u << 20;
	limits.answer = 8u << 20;
	rpc_server_set_limits(
		thread->server, thread->limits.clients > 0 ? &thread->limits : &limits);
	assert_int_equal(pthread_create(&thread->thread, NULL, server_run, thread), 0);
}

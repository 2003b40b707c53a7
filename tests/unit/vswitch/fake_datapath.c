// SPDX-License-Identifier: Apache-2.0
#include "fake_datapath.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "rpc/json_member.h"
#include "rpc/rpc_server.h"
#include "vswitch/reconcile.h"

struct fake {
	const char *rundir;
	json_t *state;
	struct rpc_server *server;
	json_t *flows;      // bridge -> {id: text}
	json_t *objects[2]; // groups and meters: bridge -> {id: text}
};

static const char *const kinds[] = {"group", "meter"};

static json_t *find(const json_t *list, const char *name)
{
	size_t i;
	json_t *item;

	json_array_foreach ((json_t *)list, i, item) {
		if (strcmp(text_of(item, "name"), name) == 0)
			return item;
	}
	return NULL;
}

static json_t *info(void *context, json_t *params, struct rpc_error *error)
{
	char instance[32];

	snprintf(instance, sizeof(instance), "fake-%d", getpid());
	return json_pack("{s:s, s:i, s:s, s:b, s:[{s:i, s:i}, {s:i, s:i}]}", "version", "0", "pid",
		getpid(), "instance", instance, "hugepages", 0, "cpus", "id", 0, "numa", 0, "id", 1,
		"numa", 0);
}

static json_t *state(void *context, json_t *params, struct rpc_error *error)
{
	struct fake *fake = context;

	return json_deep_copy(fake->state);
}

static json_t *apply_step(struct fake *fake, const char *method, json_t *params)
{
	json_t *step = json_pack("{s:s, s:O}", "method", method, "params", params);

	reconcile_apply(fake->state, step);
	json_decref(step);
	return json_object();
}

static bool expect(const json_t *list, const char *name, bool there, struct rpc_error *error)
{
	if ((find(list, name) != NULL) == there)
		return true;
	rpc_error_set(error, RPC_REFUSED, "nonsense: \"%s\" is %s", name,
		there ? "not there" : "there already");
	return false;
}

static json_t *bridge_add(void *context, json_t *params, struct rpc_error *error)
{
	struct fake *fake = context;
	const char *name = text_of(params, "name");

	if (!expect(json_object_get(fake->state, "bridges"), name, false, error))
		return NULL;
	json_object_set_new(fake->flows, name, json_object());
	for (int kind = 0; kind < 2; kind++)
		json_object_set_new(fake->objects[kind], name, json_object());
	return apply_step(fake, "bridge.add", params);
}

static json_t *bridge_set(void *context, json_t *params, struct rpc_error *error)
{
	struct fake *fake = context;

	if (!expect(json_object_get(fake->state, "bridges"), text_of(params, "name"), true, error))
		return NULL;
	return apply_step(fake, "bridge.set", params);
}

static json_t *bridge_del(void *context, json_t *params, struct rpc_error *error)
{
	struct fake *fake = context;
	const char *name = text_of(params, "name");

	if (!expect(json_object_get(fake->state, "bridges"), name, true, error))
		return NULL;
	json_object_del(fake->flows, name);
	for (int kind = 0; kind < 2; kind++)
		json_object_del(fake->objects[kind], name);
	return apply_step(fake, "bridge.del", params);
}

static json_t *port_add(void *context, json_t *params, struct rpc_error *error)
{
	struct fake *fake = context;
	const char *type = text_of(params, "type");
	char flaky[256];

	snprintf(flaky, sizeof(flaky), "%s/flaky", fake->rundir);
	if (!expect(json_object_get(fake->state, "ports"), text_of(params, "name"), false, error) ||
		!expect(json_object_get(fake->state, "bridges"), text_of(params, "bridge"), true,
			error))
		return NULL;
	if (strcmp(type, "refused") == 0 ||
		(strcmp(type, "flaky") == 0 && access(flaky, F_OK) == 0)) {
		rpc_error_set(error, RPC_REFUSED, "there is no such device");
		return NULL;
	}
	json_decref(apply_step(fake, "port.add", params));
	return json_pack("{s:i}", "n_rxq", 1);
}

static json_t *port_set(void *context, json_t *params, struct rpc_error *error)
{
	struct fake *fake = context;

	if (!expect(json_object_get(fake->state, "ports"), text_of(params, "name"), true, error))
		return NULL;
	return apply_step(fake, "port.set", params);
}

static json_t *port_del(void *context, json_t *params, struct rpc_error *error)
{
	struct fake *fake = context;

	if (!expect(json_object_get(fake->state, "ports"), text_of(params, "name"), true, error))
		return NULL;
	return apply_step(fake, "port.del", params);
}

static json_t *port_status(void *context, json_t *params, struct rpc_error *error)
{
	struct fake *fake = context;
	const char *only = json_string_value(json_object_get(params, "name"));
	json_t *list = json_array();
	size_t i;
	json_t *port;

	json_array_foreach (json_object_get(fake->state, "ports"), i, port) {
		const char *name = text_of(port, "name");

		if (!only || strcmp(only, name) == 0)
			json_array_append_new(
				list, json_pack("{s:s, s:s, s:s, s:i, s:i, s:s, s:b, s:{s:i}}",
					      "name", name, "bridge", text_of(port, "bridge"),
					      "state", "up", "n_rxq", 1, "numa", 0, "error", "",
					      "link", 1, "statistics", "rx_packets", 5));
	}
	return list;
}

// Apply operations to a copy, so that it is all or nothing.
static bool flow_operation(json_t *flows, const json_t *operation, struct rpc_error *error)
{
	const char *verb = json_string_value(json_array_get(operation, 0));
	const char *text = json_string_value(json_array_get(operation, 2));
	char id[32];
	bool there;

	snprintf(id, sizeof(id), "%lld",
		(long long)json_integer_value(json_array_get(operation, 1)));
	there = json_object_get(flows, id) != NULL;
	if (there != (*verb != 'a') || (text && strstr(text, "priority=666"))) {
		rpc_error_set(error, RPC_REFUSED, "the flow %s %s is refused", verb, id);
		return false;
	}
	if (*verb == 'd')
		json_object_del(flows, id);
	else
		json_object_set_new(flows, id, json_string(text));
	return true;
}

// [KIND, id, text] puts, [KIND_del, id] removes what is there.
static bool object_operation(
	json_t *objects, const char *kind, const json_t *operation, struct rpc_error *error)
{
	const char *verb = json_string_value(json_array_get(operation, 0));
	const char *text = json_string_value(json_array_get(operation, 2));
	bool removes = verb[strlen(kind)] == '_';
	char id[32];

	snprintf(id, sizeof(id), "%lld",
		(long long)json_integer_value(json_array_get(operation, 1)));
	if ((removes && !json_object_get(objects, id)) || removes != (text == NULL) ||
		strcmp(id, "666") == 0) {
		rpc_error_set(error, RPC_REFUSED, "the %s %s is refused", verb, id);
		return false;
	}
	if (removes)
		json_object_del(objects, id);
	else
		json_object_set_new(objects, id, json_string(text));
	return true;
}

static bool names_what_is_there(
	const char *text, const char *kind, const json_t *objects, struct rpc_error *error)
{
	char word[16];
	size_t length = (size_t)snprintf(word, sizeof(word), "%s:", kind);

	for (const char *at = strstr(text, word); at; at = strstr(at + 1, word)) {
		char id[32];

		snprintf(id, sizeof(id), "%ld", atol(at + length));
		if (json_object_get(objects, id))
			continue;
		rpc_error_set(error, RPC_REFUSED, "%s names what is not there", text);
		return false;
	}
	return true;
}

// Whatever flows and groups name is there.
static bool all_names_hold(json_t *flows, json_t *const *objects, struct rpc_error *error)
{
	const char *id;
	json_t *text;

	for (int kind = 0; kind < 2; kind++) {
		json_object_foreach (flows, id, text) {
			if (!names_what_is_there(
				    json_string_value(text), kinds[kind], objects[kind], error))
				return false;
		}
		json_object_foreach (objects[0], id, text) {
			if (!names_what_is_there(
				    json_string_value(text), kinds[kind], objects[kind], error))
				return false;
		}
	}
	return true;
}

static json_t *flow_apply(void *context, json_t *params, struct rpc_error *error)
{
	struct fake *fake = context;
	const char *bridge = text_of(params, "bridge");
	json_t *flows = json_deep_copy(json_object_get(fake->flows, bridge));
	json_t *objects[2] = {json_deep_copy(json_object_get(fake->objects[0], bridge)),
		json_deep_copy(json_object_get(fake->objects[1], bridge))};
	bool good = flows != NULL;
	size_t i;
	json_t *operation;

	if (!flows)
		rpc_error_set(error, RPC_NOT_FOUND, "there is no bridge %s", bridge);
	json_array_foreach (json_object_get(params, "ops"), i, operation) {
		const char *verb = json_string_value(json_array_get(operation, 0));
		int kind = *verb == 'g' ? 0 : strncmp(verb, "met", 3) == 0 ? 1 : -1;

		good = good &&
		       (kind < 0 ? flow_operation(flows, operation, error)
				 : object_operation(objects[kind], kinds[kind], operation, error));
	}
	good = good && all_names_hold(flows, objects, error);
	if (good) {
		json_object_set(fake->flows, bridge, flows);
		for (int kind = 0; kind < 2; kind++)
			json_object_set(fake->objects[kind], bridge, objects[kind]);
	}
	json_decref(flows);
	json_decref(objects[0]);
	json_decref(objects[1]);
	return good ? json_object() : NULL;
}

static json_t *object_list(struct fake *fake, int kind, json_t *params, struct rpc_error *error)
{
	json_t *objects = json_object_get(fake->objects[kind], text_of(params, "bridge"));
	json_t *list = json_array();
	const char *id;
	json_t *text;

	if (!objects)
		rpc_error_set(error, RPC_NOT_FOUND, "there is no such bridge");
	json_object_foreach (objects, id, text)
		json_array_append_new(list, json_pack("[I, O]", (json_int_t)atoll(id), text));
	if (!objects) {
		json_decref(list);
		return NULL;
	}
	return list;
}

static json_t *group_list(void *context, json_t *params, struct rpc_error *error)
{
	return object_list(context, 0, params, error);
}

static json_t *meter_list(void *context, json_t *params, struct rpc_error *error)
{
	return object_list(context, 1, params, error);
}

static json_t *group_stats(void *context, json_t *params, struct rpc_error *error)
{
	return json_pack("[[i, i, i, [[i, i, i], [i, i, i]]]]", 3, 30, 300, 7, 10, 100, 0, 20, 200);
}

static json_t *meter_stats(void *context, json_t *params, struct rpc_error *error)
{
	return json_pack("[[i, i, i, [[i, i]]]]", 3, 50, 500, 5, 55);
}

static json_t *flow_list(void *context, json_t *params, struct rpc_error *error)
{
	struct fake *fake = context;
	json_t *flows = json_object_get(fake->flows, text_of(params, "bridge"));
	json_t *list = json_array();
	const char *id;
	json_t *text;

	if (!flows) {
		rpc_error_set(error, RPC_NOT_FOUND, "there is no such bridge");
		json_decref(list);
		return NULL;
	}
	json_object_foreach (flows, id, text)
		json_array_append_new(list, json_pack("[I, O]", (json_int_t)atoll(id), text));
	return list;
}

static bool asked_for(const json_t *ids, json_int_t id)
{
	for (size_t i = 0; i < json_array_size(ids); i++) {
		if (json_integer_value(json_array_get(ids, i)) == id)
			return true;
	}
	return ids == NULL;
}

static json_t *flow_stats(void *context, json_t *params, struct rpc_error *error)
{
	struct fake *fake = context;
	json_t *flows = json_object_get(fake->flows, text_of(params, "bridge"));
	json_t *list = json_array();
	const char *id;
	json_t *text;

	json_object_foreach (flows, id, text) {
		const char *priority = strstr(json_string_value(text), "priority=");
		int number = priority ? atoi(priority + 9) : 0;
		json_int_t idle = number >= 1000 && number < 32768 ? (number - 1000) * 1000 : -1;

		if (!asked_for(json_object_get(params, "ids"), atoll(id)))
			continue;
		json_array_append_new(list,
			json_pack("[I, i, i, I]", (json_int_t)atoll(id), idle >= 0, 64, idle));
	}
	return list;
}

static json_t *plan_set(void *context, json_t *params, struct rpc_error *error)
{
	return apply_step(context, "plan.set", params);
}

// A queue takes as much of a core as the number in its port's name says, in percent.
static json_t *pmd_stats(void *context, json_t *params, struct rpc_error *error)
{
	struct fake *fake = context;
	json_t *plan = json_object_get(fake->state, "plan"), *threads = json_array();
	size_t i, q;
	json_t *thread, *queue;

	json_array_foreach (json_object_get(plan, "threads"), i, thread) {
		json_t *queues = json_array();
		double sum = 0;

		json_array_foreach (json_object_get(thread, "queues"), q, queue) {
			const char *port = text_of(queue, "port");
			double load = atof(port + strcspn(port, "0123456789"));

			sum += load;
			json_array_append_new(
				queues, json_pack("{s:s, s:O, s:f}", "port", port, "queue",
						json_object_get(queue, "queue"), "load_60s", load));
		}
		json_array_append_new(threads,
			json_pack("{s:O, s:i, s:o, s:f}", "core", json_object_get(thread, "core"),
				"numa", 0, "queues", queues, "load_60s", sum));
	}
	return threads;
}

// Comes back to the controller, with all that was asked for, before the answer.
static json_t *packet_out(void *context, json_t *params, struct rpc_error *error)
{
	struct fake *fake = context;
	json_t *event = json_deep_copy(params);

	rpc_server_notify_subscribers(fake->server, "packet.in", NULL, event);
	return json_object();
}

static json_t *packet_stats(void *context, json_t *params, struct rpc_error *error)
{
	return json_incref(params);
}

#define ANY(NAME)                        \
	{                                \
		NAME, RPC_ANY, false, "" \
	}

static const struct rpc_param any_params[] = {ANY("name"), ANY("bridge"), ANY("type"),
	ANY("ofport"), ANY("options"), ANY("vlan_mode"), ANY("tag"), ANY("trunks"), ANY("mtu"),
	ANY("mac_aging"), ANY("mac_table_size"), ANY("ops"), ANY("ids"), ANY("threads"),
	ANY("idle_us"), ANY("sleep_max_us"), ANY("perf"), ANY("perf_log_us"),
	ANY("controller_rate"), ANY("controller_burst"), ANY("in_port"), ANY("frame"),
	ANY("actions"), ANY("mac_learning_rate"), ANY("mac_learning_burst"), {0}};

static const struct rpc_method methods[] = {
	{"datapath.info", info, NULL, 0, "", ""},
	{"datapath.state", state, NULL, 0, "", ""},
	{"bridge.add", bridge_add, any_params, 0, "", ""},
	{"bridge.set", bridge_set, any_params, 0, "", ""},
	{"bridge.del", bridge_del, any_params, 0, "", ""},
	{"port.add", port_add, any_params, 0, "", ""},
	{"port.set", port_set, any_params, 0, "", ""},
	{"port.del", port_del, any_params, 0, "", ""},
	{"port.status", port_status, any_params, 0, "", ""},
	{"flow.apply", flow_apply, any_params, 0, "", ""},
	{"flow.list", flow_list, any_params, 0, "", ""},
	{"flow.stats", flow_stats, any_params, 0, "", ""},
	{"group.list", group_list, any_params, 0, "", ""},
	{"meter.list", meter_list, any_params, 0, "", ""},
	{"group.stats", group_stats, any_params, 0, "", ""},
	{"meter.stats", meter_stats, any_params, 0, "", ""},
	{"plan.set", plan_set, any_params, 0, "", ""},
	{"pmd.stats", pmd_stats, NULL, 0, "", ""},
	{"packet.out", packet_out, any_params, 0, "", ""},
	{"packet.stats", packet_stats, any_params, 0, "", ""},
	{0},
};

static const struct rpc_event events[] = {{"packet.in", "", "", NULL}, {0}};

static void serve(const char *rundir)
{
	struct fake fake = {
		.rundir = rundir,
		.state = reconcile_empty_state(),
		.flows = json_object(),
		.objects = {json_object(), json_object()},
	};
	struct event_base *base = event_base_new();
	struct rpc_error error = {0};
	struct rpc_server *server;
	char path[256];

	snprintf(path, sizeof(path), "%s/datapathd.sock", rundir);
	server = rpc_server_create(base, "fake", "0", NULL, &fake);
	if (!server || !rpc_server_listen(server, path, NULL, &error)) {
		fprintf(stderr, "fake datapath: %s\n", error.message);
		_exit(1);
	}
	fake.server = server;
	rpc_server_add_methods(server, methods);
	rpc_server_set_events(server, events);
	event_base_dispatch(base);
	_exit(0);
}

pid_t fake_datapath_start(const char *rundir)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(rundir);
	}
	return pid;
}

void fake_datapath_kill(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

// SPDX-License-Identifier: Apache-2.0
#include "vswitch/desired.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vswitch/interface_types.h"
#include "vswitch/model_edit.h"

#define QUEUES_PER_PORT 64

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static json_int_t number_of(const json_t *object, const char *key, json_int_t unset)
{
	const json_t *value = json_object_get(object, key);

	return json_is_integer(value) ? json_integer_value(value) : unset;
}

// --- Bridges and ports ---

static json_t *bridge_config(const json_t *bridge)
{
	static const struct {
		const char *key;
		const char *member;
	} settings[] = {
		{"mac-aging-time", "mac_aging"},
		{"mac-table-size", "mac_table_size"},
		{"controller-rate-limit", "controller_rate"},
		{"controller-burst-limit", "controller_burst"},
		{"mac-learning-rate-limit", "mac_learning_rate"},
		{"mac-learning-burst-limit", "mac_learning_burst"},
	};
	json_t *config = json_pack("{s:s}", "name", row_string(bridge, "name"));

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		const char *value = row_map_get(bridge, "other_config", settings[i].key);

		// The schema has made sure that it is a number.
		if (value)
			json_object_set_new(config, settings[i].member, json_integer(atoll(value)));
	}
	return config;
}

json_t *desired_port_config(const struct model *model, const json_t *bridge, const json_t *port)
{
	const json_t *interface = model_interface_of(model, port);
	const char *type = row_string(interface, "type");
	const char *mode = row_string(port, "vlan_mode");
	const json_t *trunks = json_object_get(port, "trunks");
	json_int_t tag = row_integer(port, "tag", -1);
	json_int_t mtu = row_integer(interface, "mtu_request", -1);
	json_t *config = json_pack("{s:s, s:s, s:s, s:I, s:o}", "bridge",
		row_string(bridge, "name"), "name", row_string(port, "name"), "type",
		interface_type_resolve(type), "ofport", row_integer(interface, "ofport", 0),
		"options", interface_options_resolve(type, json_object_get(interface, "options")));

	if (!*mode)
		mode = tag >= 0 ? "access" : "trunk";
	json_object_set_new(config, "vlan_mode", json_string(mode));
	if (tag >= 0)
		json_object_set_new(config, "tag", json_integer(tag));
	if (json_array_size(trunks))
		json_object_set_new(config, "trunks", json_deep_copy(trunks));
	if (mtu >= 0)
		json_object_set_new(config, "mtu", json_integer(mtu));
	return config;
}

json_t *desired_state(const struct model *model, const json_t *failures)
{
	json_t *bridges = json_array();
	json_t *ports = json_array();
	const char *uuid;
	json_t *bridge;

	json_object_foreach ((json_t *)model_rows(model, TABLE_BRIDGE), uuid, bridge) {
		size_t i;
		json_t *port_uuid;

		json_array_append_new(
			bridges, json_pack("{s:s, s:o}", "name", row_string(bridge, "name"),
					 "config", bridge_config(bridge)));
		json_array_foreach (json_object_get(bridge, "ports"), i, port_uuid) {
			const json_t *port =
				model_row(model, TABLE_PORT, json_string_value(port_uuid));
			json_t *config = desired_port_config(model, bridge, port);
			const json_t *failure = json_object_get(failures, text_of(config, "name"));

			if (failure && json_equal(json_object_get(failure, "config"), config)) {
				json_decref(config);
				continue;
			}
			json_array_append_new(ports,
				json_pack("{s:s, s:s, s:o}", "name", text_of(config, "name"),
					"bridge", row_string(bridge, "name"), "config", config));
		}
	}
	return json_pack("{s:o, s:o}", "bridges", bridges, "ports", ports);
}

// --- Queues ---

struct queue_list {
	struct affinity_queue *items;
	size_t count;
};

// Cycles that a queue took in the last interval, as pmd.stats tells it.
static uint64_t queue_load(const json_t *load, const char *port, uint32_t queue)
{
	uint64_t cycles = 0;
	size_t i;
	size_t j;
	json_t *thread;
	json_t *item;

	json_array_foreach ((json_t *)load, i, thread) {
		json_array_foreach (json_object_get(thread, "queues"), j, item) {
			if (number_of(item, "queue", -1) == queue &&
				strcmp(text_of(item, "port"), port) == 0)
				cycles += (uint64_t)number_of(item, "cycles", 0);
		}
	}
	return cycles;
}

static int pins_of(const struct model *model, const char *name, struct affinity_pin *pins)
{
	const json_t *interface = model_named(model, TABLE_INTERFACE, name);
	const char *text = row_map_get(interface, "other_config", "pmd-rxq-affinity");
	struct rpc_error ignored = {0};
	int count = text ? affinity_pins_parse(text, pins, QUEUES_PER_PORT, &ignored) : 0;

	rpc_error_clear(&ignored);
	return count < 0 ? 0 : count;
}

// The queues of one port. A port whose guest is not there yet counts as one queue, so that it has
// a thread when the guest comes.
static void list_port(
	struct queue_list *list, const struct model *model, const json_t *port, const json_t *load)
{
	const char *name = text_of(port, "name");
	json_int_t n_rxq = number_of(port, "n_rxq", 1);
	struct affinity_pin pins[QUEUES_PER_PORT];
	int n_pins = pins_of(model, name, pins);

	n_rxq = n_rxq < 1 ? 1 : n_rxq > QUEUES_PER_PORT ? QUEUES_PER_PORT : n_rxq;
	for (uint32_t queue = 0; queue < n_rxq; queue++) {
		struct affinity_queue *item = &list->items[list->count++];

		*item = (struct affinity_queue){
			.port = name,
			.queue = queue,
			.numa = (int)number_of(port, "numa", -1),
			.load = load ? queue_load(load, name, queue) : 0,
			.pinned = -1,
		};
		for (int i = 0; i < n_pins; i++) {
			if (pins[i].queue == queue)
				item->pinned = pins[i].core;
		}
	}
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(text_of(*(json_t *const *)a, "name"), text_of(*(json_t *const *)b, "name"));
}

// All queues in the order of port names, which does not depend on history.
static struct queue_list list_queues(const struct model *model, const struct plan_input *input)
{
	size_t n_ports = json_array_size(input->status);
	json_t **ports = calloc(n_ports + 1, sizeof(*ports));
	struct queue_list list = {
		.items = calloc(n_ports * QUEUES_PER_PORT + 1, sizeof(*list.items)),
	};

	for (size_t i = 0; ports && i < n_ports; i++)
		ports[i] = json_array_get(input->status, i);
	if (ports)
		qsort(ports, n_ports, sizeof(*ports), compare_names);
	for (size_t i = 0; ports && list.items && i < n_ports; i++)
		list_port(&list, model, ports[i], input->load);
	free(ports);
	return list;
}

// --- Threads ---

struct thread_list {
	struct affinity_thread *items;
	size_t count;
};

// Is any of the cores in the set?
static bool core_set_meets(
	const struct core_set *set, const struct affinity_core *cores, size_t n_cores)
{
	for (size_t i = 0; i < n_cores; i++) {
		if (core_set_has(set, cores[i].id))
			return true;
	}
	return false;
}

// With lenient input *error may be set although the answer is true.
static bool choose_cores(const struct model *model, const struct plan_input *input,
	struct thread_list *threads, struct rpc_error *error)
{
	const json_t *rows = model_rows(model, TABLE_OPEN_VSWITCH);
	const json_t *root = json_object_iter_value(json_object_iter((json_t *)rows));
	const char *mask = row_map_get(root, "other_config", "pmd-cpu-mask");
	size_t n_cores = json_array_size(input->cpus);
	struct affinity_core *cores = calloc(n_cores + 1, sizeof(*cores));
	struct core_set set = {0};
	bool good = cores != NULL;

	for (size_t i = 0; cores && i < n_cores; i++) {
		const json_t *cpu = json_array_get(input->cpus, i);

		cores[i].id = (uint32_t)number_of(cpu, "id", 0);
		cores[i].numa = (int)number_of(cpu, "numa", -1);
	}
	if (!mask)
		mask = input->mask;
	if (good && *mask)
		good = core_set_parse(&set, mask, error) == 0 &&
		       core_set_check(&set, cores, n_cores, error);
	if (cores && (!*mask || (!good && input->lenient && !core_set_meets(&set, cores, n_cores))))
		core_set_default(&set, cores, n_cores);
	good = cores && (good || input->lenient);
	threads->items = calloc(n_cores + 1, sizeof(*threads->items));
	for (size_t i = 0; good && threads->items && i < n_cores; i++) {
		if (core_set_has(&set, cores[i].id))
			threads->items[threads->count++] = (struct affinity_thread){
				.core = cores[i].id, .numa = cores[i].numa};
	}
	free(cores);
	return good && threads->items;
}

static json_t *plan_to_json(const struct thread_list *threads, const struct queue_list *queues)
{
	json_t *list = json_array();

	for (size_t i = 0; i < threads->count; i++) {
		json_t *items = json_array();

		for (size_t j = 0; j < queues->count; j++) {
			if (queues->items[j].core == threads->items[i].core)
				json_array_append_new(items,
					json_pack("{s:s, s:I}", "port", queues->items[j].port,
						"queue", (json_int_t)queues->items[j].queue));
		}
		json_array_append_new(
			list, json_pack("{s:I, s:o}", "core", (json_int_t)threads->items[i].core,
				      "queues", items));
	}
	return json_pack("{s:o}", "threads", list);
}

static json_t *unpolled_to_json(const struct queue_list *queues)
{
	json_t *problems = json_object();

	for (size_t i = 0; i < queues->count; i++) {
		const struct affinity_queue *queue = &queues->items[i];
		char text[256];

		if (queue->core != AFFINITY_UNPOLLED)
			continue;
		if (queue->pinned >= 0)
			snprintf(text, sizeof(text),
				"queue %u is not polled: pmd-rxq-affinity pins it to core "
				"%lld, which is not in pmd-cpu-mask",
				queue->queue, (long long)queue->pinned);
		else
			snprintf(text, sizeof(text),
				"queue %u is not polled: every core of pmd-cpu-mask is "
				"isolated by a pmd-rxq-affinity; add a core, or set "
				"pmd-rxq-isolate=false",
				queue->queue);
		json_object_set_new(problems, queue->port, json_string(text));
	}
	return problems;
}

json_t *desired_plan(const struct model *model, const struct plan_input *input, json_t **problems,
	struct rpc_error *error)
{
	const json_t *rows = model_rows(model, TABLE_OPEN_VSWITCH);
	const json_t *root = json_object_iter_value(json_object_iter((json_t *)rows));
	const char *isolate = row_map_get(root, "other_config", "pmd-rxq-isolate");
	struct thread_list threads = {0};
	struct queue_list queues = {0};
	json_t *plan = NULL;

	if (choose_cores(model, input, &threads, error)) {
		queues = list_queues(model, input);
		affinity_plan(threads.items, threads.count, queues.items, queues.count,
			affinity_policy_find(row_map_get(root, "other_config", "pmd-rxq-assign")),
			!isolate || strcmp(isolate, "true") == 0);
		plan = plan_to_json(&threads, &queues);
		if (problems)
			*problems = unpolled_to_json(&queues);
	}
	free(threads.items);
	free(queues.items);
	return plan;
}

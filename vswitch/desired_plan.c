// SPDX-License-Identifier: Apache-2.0

// The plan of desired.h: from the model, what the datapath says of its ports, and what it says of
// its threads, to the values that affinity.h plans with, and back.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/json_member.h"
#include "vswitch/desired.h"
#include "vswitch/model_edit.h"

#define QUEUES_PER_PORT 64
// As datapathd has it if nobody says otherwise.
#define IDLE_US 1000
#define SLEEP_MAX_US 100

// --- Queues ---

struct queue_list {
	struct affinity_queue *items;
	size_t count;
};

// What is known of a queue that is polled.
struct known_queue {
	const char *port;
	uint32_t queue;
	int64_t core;  // -1: of a queue that is not known
	uint64_t load; // of a core in the last minute, in millionths
};

// In the order of ports and queues.
struct known_list {
	struct known_queue *items;
	size_t count;
};

static int compare_known(const void *a, const void *b)
{
	const struct known_queue *x = a, *y = b;
	int order = strcmp(x->port, y->port);

	return order ? order : (x->queue > y->queue) - (x->queue < y->queue);
}

static struct known_list list_known(const json_t *threads)
{
	struct known_list list = {0};
	size_t count = 0, i, j;
	json_t *thread, *queue;

	json_array_foreach ((json_t *)threads, i, thread)
		count += json_array_size(json_object_get(thread, "queues"));
	list.items = calloc(count + 1, sizeof(*list.items));
	json_array_foreach ((json_t *)threads, i, thread) {
		json_array_foreach (json_object_get(thread, "queues"), j, queue) {
			double percent = real_of(queue, "load_60s");

			if (list.items)
				list.items[list.count++] = (struct known_queue){
					text_of(queue, "port"),
					(uint32_t)number_or(queue, "queue", 0),
					number_or(thread, "core", -1), (uint64_t)(percent * 10000)};
		}
	}
	if (list.items)
		qsort(list.items, list.count, sizeof(*list.items), compare_known);
	return list;
}

static struct known_queue known_find(
	const struct known_list *list, const char *port, uint32_t queue)
{
	struct known_queue wanted = {port, queue, -1, 0}, *found = NULL;

	if (list->items)
		found = bsearch(&wanted, list->items, list->count, sizeof(wanted), compare_known);
	return found ? *found : wanted;
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
static void list_port(struct queue_list *list, const struct model *model, const json_t *port,
	const struct known_list *known)
{
	const char *name = text_of(port, "name");
	json_int_t n_rxq = number_or(port, "n_rxq", 1);
	struct affinity_pin pins[QUEUES_PER_PORT];
	int n_pins = pins_of(model, name, pins);

	n_rxq = n_rxq < 1 ? 1 : n_rxq > QUEUES_PER_PORT ? QUEUES_PER_PORT : n_rxq;
	for (uint32_t queue = 0; queue < n_rxq; queue++) {
		struct affinity_queue *item = &list->items[list->count++];
		struct known_queue polled = known_find(known, name, queue);

		*item = (struct affinity_queue){
			.port = name,
			.queue = queue,
			.numa = (int)number_or(port, "numa", -1),
			.load = polled.load,
			.pinned = -1,
			.present = polled.core,
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
	struct known_list known = list_known(input->threads);
	struct queue_list list = {
		.items = calloc(n_ports * QUEUES_PER_PORT + 1, sizeof(*list.items)),
	};

	for (size_t i = 0; ports && i < n_ports; i++)
		ports[i] = json_array_get(input->status, i);
	if (ports)
		qsort(ports, n_ports, sizeof(*ports), compare_names);
	for (size_t i = 0; ports && list.items && i < n_ports; i++)
		list_port(&list, model, ports[i], &known);
	free(known.items);
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
	const char *mask = row_map_get(model_root(model), "other_config", "pmd-cpu-mask");
	size_t n_cores = json_array_size(input->cpus);
	struct affinity_core *cores = calloc(n_cores + 1, sizeof(*cores));
	struct core_set set = {0};
	bool good = cores != NULL;

	for (size_t i = 0; cores && i < n_cores; i++) {
		const json_t *cpu = json_array_get(input->cpus, i);

		cores[i].id = (uint32_t)number_or(cpu, "id", 0);
		cores[i].numa = (int)number_or(cpu, "numa", -1);
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

// --- Plans ---

// A port's own, or that of the switch.
static const char *mode_of(const struct model *model, const char *port)
{
	const json_t *interface = model_named(model, TABLE_INTERFACE, port);
	const char *mode = row_map_get(interface, "other_config", "rx-mode");

	if (!mode)
		mode = row_map_get(model_root(model), "other_config", "rx-mode");
	return mode ? mode : "adaptive";
}

static json_t *thread_to_json(const struct model *model, const struct affinity_thread *thread,
	const struct queue_list *queues)
{
	json_t *items = json_array();

	for (size_t i = 0; i < queues->count; i++) {
		const struct affinity_queue *queue = &queues->items[i];

		if (queue->core == thread->core)
			json_array_append_new(
				items, json_pack("{s:s, s:I, s:s}", "port", queue->port, "queue",
					       (json_int_t)queue->queue, "mode",
					       mode_of(model, queue->port)));
	}
	return json_pack("{s:I, s:o}", "core", (json_int_t)thread->core, "queues", items);
}

static json_t *plan_to_json(const struct model *model, const struct thread_list *threads,
	const struct queue_list *queues)
{
	const json_t *root = model_root(model);
	json_t *list = json_array();

	for (size_t i = 0; i < threads->count; i++)
		json_array_append_new(list, thread_to_json(model, &threads->items[i], queues));
	return json_pack("{s:o, s:I, s:I, s:b, s:I}", "threads", list, "idle_us",
		row_map_integer(root, "other_config", "pmd-idle-time", IDLE_US), "sleep_max_us",
		row_map_integer(root, "other_config", "pmd-sleep-max", SLEEP_MAX_US), "perf",
		row_map_boolean(root, "other_config", "pmd-perf-metrics", false), "perf_log_us",
		row_map_integer(root, "other_config", "pmd-perf-log-us", 0));
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

// Are there other threads at present?
static bool threads_differ(const json_t *present, const struct thread_list *threads)
{
	size_t i;
	json_t *thread;

	if (json_array_size(present) != threads->count)
		return true;
	json_array_foreach ((json_t *)present, i, thread) {
		bool found = false;

		for (size_t j = 0; j < threads->count; j++)
			found |= threads->items[j].core == number_or(thread, "core", -1);
		if (!found)
			return true;
	}
	return false;
}

// Load of a thread as it is, without what cannot stay.
static uint64_t load_before(const struct queue_list *queues, uint32_t core)
{
	uint64_t load = 0;

	for (size_t i = 0; i < queues->count; i++)
		load += queues->items[i].present == core ? queues->items[i].load : 0;
	return load;
}

static json_t *percent(uint64_t load)
{
	return json_real((double)load / 10000);
}

static json_t *balance_to_json(const struct affinity_balance *balance)
{
	return json_pack("{s:o, s:f, s:I}", "highest_percent", percent(balance->highest),
		"variance", balance->variance / 1e8, "crossing", (json_int_t)balance->crossing);
}

// What a rebalance changes, and what comes of it if loads stay as they are.
static json_t *report_make(const struct thread_list *threads, const struct queue_list *queues,
	const struct affinity_balance *before, const struct affinity_balance *after)
{
	json_t *cores = json_array(), *moves = json_array();
	double gain = before->variance > 0 ? 100 * (1 - after->variance / before->variance) : 0;

	for (size_t i = 0; i < threads->count; i++) {
		const struct affinity_thread *thread = &threads->items[i];

		json_array_append_new(cores,
			json_pack("{s:I, s:i, s:b, s:o, s:o}", "core", (json_int_t)thread->core,
				"numa", thread->numa, "isolated", thread->isolated, "load_before",
				percent(load_before(queues, thread->core)), "load_after",
				percent(thread->load)));
	}
	for (size_t i = 0; i < queues->count; i++) {
		const struct affinity_queue *queue = &queues->items[i];

		if (queue->core != queue->present && queue->core != AFFINITY_UNPOLLED)
			json_array_append_new(moves,
				json_pack("{s:s, s:I, s:o, s:I, s:o}", "port", queue->port, "queue",
					(json_int_t)queue->queue, "load", percent(queue->load),
					"to", (json_int_t)queue->core, "from",
					queue->present < 0 ? json_null()
							   : json_integer(queue->present)));
	}
	return json_pack("{s:o, s:o, s:o, s:o, s:f}", "threads", cores, "moves", moves, "before",
		balance_to_json(before), "after", balance_to_json(after), "improvement_percent",
		gain);
}

json_t *desired_plan(const struct model *model, const struct plan_input *input,
	struct plan_extra *extra, struct rpc_error *error)
{
	const json_t *root = model_root(model);
	struct affinity_rules rules = {
		.policy = affinity_policy_find(row_map_get(root, "other_config", "pmd-rxq-assign")),
		.pace = AFFINITY_KEEP,
		.isolate = row_map_boolean(root, "other_config", "pmd-rxq-isolate", true),
	};
	struct affinity_balance before, after;
	struct thread_list threads = {0};
	struct queue_list queues = {0};
	json_t *plan = NULL;

	if (choose_cores(model, input, &threads, error)) {
		queues = list_queues(model, input);
		if (threads_differ(input->threads, &threads))
			rules.pace = AFFINITY_FILL;
		if (input->rebalance)
			affinity_rebalance(threads.items, threads.count, queues.items, queues.count,
				rules, &before, &after);
		else
			affinity_plan(
				threads.items, threads.count, queues.items, queues.count, rules);
		plan = plan_to_json(model, &threads, &queues);
		if (extra)
			extra->problems = unpolled_to_json(&queues);
		if (extra && input->rebalance)
			extra->report = report_make(&threads, &queues, &before, &after);
	}
	free(threads.items);
	free(queues.items);
	return plan;
}

// SPDX-License-Identifier: Apache-2.0
#include "datapath/poll_plan.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

void poll_wanted_destroy(struct poll_wanted *wanted)
{
	if (!wanted)
		return;
	for (size_t i = 0; i < wanted->count; i++)
		free(wanted->threads[i].queues);
	json_decref(wanted->json);
	free(wanted);
}

static const char *const rx_modes[RX_MODES] = {
	[RX_ADAPTIVE] = "adaptive",
	[RX_POLLING] = "polling",
	[RX_INTERRUPT] = "interrupt",
};

const char *rx_mode_name(enum rx_mode mode)
{
	return rx_modes[mode];
}

static bool mode_parse(const json_t *json, enum rx_mode *mode, struct rpc_error *error)
{
	const char *name = json_string_value(json);

	for (*mode = 0; name && *mode < RX_MODES; ++*mode) {
		if (strcmp(rx_modes[*mode], name) == 0)
			return true;
	}
	*mode = RX_ADAPTIVE;
	if (!json)
		return true;
	rpc_error_set(error, RPC_INVALID_PARAMS,
		"the mode of a queue is \"adaptive\", \"polling\" or \"interrupt\"");
	return false;
}

static bool queue_parse(
	const json_t *json, struct poll_wanted_queue *queue, struct rpc_error *error)
{
	const json_t *number = json_object_get(json, "queue");

	queue->port = json_string_value(json_object_get(json, "port"));
	if (!queue->port || !json_is_integer(number)) {
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"a queue of a plan is {\"port\": name, \"queue\": number}");
		return false;
	}
	if (json_integer_value(number) < 0 || json_integer_value(number) >= POLL_QUEUES) {
		rpc_error_set(error, RPC_REFUSED, "queue %lld of port %s: queues are 0 to %d",
			(long long)json_integer_value(number), queue->port, POLL_QUEUES - 1);
		return false;
	}
	queue->queue = (uint16_t)json_integer_value(number);
	return mode_parse(json_object_get(json, "mode"), &queue->mode, error);
}

static bool time_parse(
	const json_t *params, const char *name, uint32_t *us, struct rpc_error *error)
{
	const json_t *number = json_object_get(params, name);
	json_int_t value = json_integer_value(number);

	if (!number)
		return true;
	if (!json_is_integer(number) || value < 0 || value > POLL_SLEEP_US_MOST) {
		rpc_error_set(error, RPC_INVALID_PARAMS, "%s is a number of microseconds, 0 to %d",
			name, POLL_SLEEP_US_MOST);
		return false;
	}
	*us = (uint32_t)value;
	return true;
}

static bool thread_parse(
	const json_t *json, struct poll_wanted_thread *thread, struct rpc_error *error)
{
	const json_t *core = json_object_get(json, "core");
	json_t *queues = json_object_get(json, "queues");
	json_t *queue;
	size_t i;

	if (!json_is_integer(core) || json_integer_value(core) < 0 ||
		(queues && !json_is_array(queues))) {
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"a thread of a plan is {\"core\": number, \"queues\": [...]}");
		return false;
	}
	if (json_integer_value(core) > INT_MAX) {
		rpc_error_set(error, RPC_REFUSED, "there is no CPU %lld",
			(long long)json_integer_value(core));
		return false;
	}
	thread->core = (unsigned)json_integer_value(core);
	thread->queues = calloc(json_array_size(queues) + 1, sizeof(*thread->queues));
	if (!thread->queues) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
		return false;
	}
	json_array_foreach (queues, i, queue) {
		if (!queue_parse(queue, &thread->queues[i], error))
			return false;
		thread->count++;
	}
	return true;
}

static int queue_compare(const void *a, const void *b)
{
	const struct poll_wanted_queue *one = a, *two = b;
	int order = strcmp(one->port, two->port);

	return order ? order : (int)one->queue - (int)two->queue;
}

// No core twice, no queue twice.
static bool wanted_check(const struct poll_wanted *wanted, struct rpc_error *error)
{
	struct poll_wanted_queue *all;
	size_t count = 0;
	bool good = true;

	for (size_t i = 0; i < wanted->count; i++) {
		count += wanted->threads[i].count;
		if (poll_wanted_find(wanted, wanted->threads[i].core) != &wanted->threads[i]) {
			rpc_error_set(error, RPC_REFUSED, "core %u is in the plan twice",
				wanted->threads[i].core);
			return false;
		}
	}
	all = malloc((count + 1) * sizeof(*all));
	if (!all) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
		return false;
	}
	count = 0;
	for (size_t i = 0; i < wanted->count; i++) {
		const struct poll_wanted_thread *thread = &wanted->threads[i];

		memcpy(all + count, thread->queues, thread->count * sizeof(*all));
		count += thread->count;
	}
	qsort(all, count, sizeof(*all), queue_compare);
	for (size_t i = 1; i < count && good; i++) {
		good = queue_compare(&all[i - 1], &all[i]) != 0;
		if (!good)
			rpc_error_set(error, RPC_REFUSED,
				"queue %u of port %s is in the plan twice; one thread can poll it",
				all[i].queue, all[i].port);
	}
	free(all);
	return good;
}

struct poll_wanted *poll_wanted_parse(json_t *params, struct rpc_error *error)
{
	json_t *threads = json_object_get(params, "threads");
	size_t count = json_array_size(threads), i;
	struct poll_wanted *wanted =
		calloc(1, sizeof(*wanted) + count * sizeof(wanted->threads[0]));
	json_t *thread;

	if (!wanted) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
		return NULL;
	}
	wanted->json = json_incref(params);
	wanted->perf.on = json_is_true(json_object_get(params, "perf"));
	wanted->sleep = (struct poll_sleep){POLL_SLEEP_IDLE_US, POLL_SLEEP_MAX_US};
	json_array_foreach (threads, i, thread) {
		wanted->count++;
		if (!thread_parse(thread, &wanted->threads[i], error)) {
			poll_wanted_destroy(wanted);
			return NULL;
		}
	}
	if (!time_parse(params, "idle_us", &wanted->sleep.idle_us, error) ||
		!time_parse(params, "sleep_max_us", &wanted->sleep.max_us, error) ||
		!time_parse(params, "perf_log_us", &wanted->perf.log_us, error) ||
		!wanted_check(wanted, error)) {
		poll_wanted_destroy(wanted);
		return NULL;
	}
	return wanted;
}

const struct poll_wanted_thread *poll_wanted_find(const struct poll_wanted *wanted, unsigned core)
{
	for (size_t i = 0; wanted && i < wanted->count; i++) {
		if (wanted->threads[i].core == core)
			return &wanted->threads[i];
	}
	return NULL;
}

struct poll_plan *poll_plan_build(const struct poll_wanted_thread *thread,
	const struct poll_source *sources, size_t source_count)
{
	size_t wanted = thread ? thread->count : 0;
	struct poll_plan *plan = calloc(1, sizeof(*plan) + wanted * sizeof(plan->items[0]));

	for (size_t i = 0; plan && i < wanted; i++) {
		const struct poll_wanted_queue *queue = &thread->queues[i];

		for (size_t s = 0; s < source_count; s++) {
			if (strcmp(sources[s].name, queue->port) != 0)
				continue;
			if (sources[s].queues & UINT64_C(1) << queue->queue) {
				plan->items[plan->count++] = (struct poll_item){
					sources[s].port, queue->queue, queue->mode};
			}
			break;
		}
	}
	return plan;
}

bool poll_plan_has(const struct poll_plan *plan, const void *port, uint16_t queue)
{
	for (size_t i = 0; plan && i < plan->count; i++) {
		if (plan->items[i].port == port && plan->items[i].queue == queue)
			return true;
	}
	return false;
}

struct poll_plan *poll_plan_common(const struct poll_plan *from, const struct poll_plan *to)
{
	struct poll_plan *plan = calloc(1, sizeof(*plan) + to->count * sizeof(plan->items[0]));

	for (size_t i = 0; plan && i < to->count; i++) {
		if (poll_plan_has(from, to->items[i].port, to->items[i].queue))
			plan->items[plan->count++] = to->items[i];
	}
	return plan;
}

bool poll_plan_equal(const struct poll_plan *a, const struct poll_plan *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (a->items[i].port != b->items[i].port ||
			a->items[i].queue != b->items[i].queue ||
			a->items[i].mode != b->items[i].mode)
			return false;
	}
	return true;
}

uint64_t poll_plan_idle_us(const struct poll_plan *plan, const struct poll_sleep *sleep)
{
	uint64_t most = plan->count ? 0 : sleep->idle_us;

	for (size_t i = 0; i < plan->count; i++) {
		const uint64_t idle[RX_MODES] = {
			[RX_ADAPTIVE] = sleep->idle_us,
			[RX_POLLING] = UINT64_MAX,
		};

		if (idle[plan->items[i].mode] > most)
			most = idle[plan->items[i].mode];
	}
	return most;
}

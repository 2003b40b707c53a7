// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/pipeline_private.h"

// The installed flows of a pipeline: transactions on them, and their counters.
//
// A transaction works on the tables at once, under a version that is not published yet: rules that
// it adds are born in that version, rules that it removes die in it, and readers go on with the
// version before. Commit publishes the number; abort takes the marks back. What has died leaves
// the lookup structures when no reader can ask for the old version any more, and its memory is
// freed one grace period later, when no reader can hold it.

struct journal_entry {
	struct installed_flow *added; // either may be NULL
	struct installed_flow *removed;
};

struct flow_store {
	struct installed_flow **buckets; // chains by id
	size_t bucket_count;             // a power of two
	size_t count;
	struct journal_entry *journal; // of the open transaction
	size_t journal_count, journal_space;
};

struct flow_store *flow_store_create(void)
{
	struct flow_store *store = calloc(1, sizeof(*store));

	if (!store)
		return NULL;
	store->bucket_count = 64;
	store->buckets = calloc(store->bucket_count, sizeof(store->buckets[0]));
	if (!store->buckets) {
		free(store);
		return NULL;
	}
	return store;
}

static void installed_flow_free(void *memory)
{
	struct installed_flow *flow = memory;

	flow_destroy(&flow->flow);
	free(flow->rules);
	free(flow);
}

void flow_store_destroy(struct flow_store *store)
{
	if (!store)
		return;
	for (size_t b = 0; b < store->bucket_count; b++) {
		while (store->buckets[b]) {
			struct installed_flow *flow = store->buckets[b];

			store->buckets[b] = flow->next;
			installed_flow_free(flow);
		}
	}
	free(store->buckets);
	free(store->journal);
	free(store);
}

// --- By identifier ---

static struct installed_flow **store_place(const struct flow_store *store, uint64_t id)
{
	struct installed_flow **place =
		&store->buckets[(id * 0x9e3779b97f4a7c15ULL >> 20) & (store->bucket_count - 1)];

	while (*place && (*place)->id != id)
		place = &(*place)->next;
	return place;
}

static void store_put(struct flow_store *store, struct installed_flow *flow)
{
	struct installed_flow **place = store_place(store, flow->id);

	flow->next = NULL;
	*place = flow;
	store->count++;
}

static struct installed_flow *store_take(struct flow_store *store, uint64_t id)
{
	struct installed_flow **place = store_place(store, id);
	struct installed_flow *flow = *place;

	if (flow) {
		*place = flow->next;
		store->count--;
	}
	return flow;
}

// Failing to grow only makes chains longer.
static void store_grow(struct flow_store *store)
{
	struct flow_store larger = {.bucket_count = store->bucket_count * 4};

	if (store->count < store->bucket_count)
		return;
	larger.buckets = calloc(larger.bucket_count, sizeof(larger.buckets[0]));
	if (!larger.buckets)
		return;
	for (size_t b = 0; b < store->bucket_count; b++) {
		while (store->buckets[b]) {
			struct installed_flow *flow = store->buckets[b];

			store->buckets[b] = flow->next;
			store_put(&larger, flow);
		}
	}
	free(store->buckets);
	store->buckets = larger.buckets;
	store->bucket_count = larger.bucket_count;
}

// --- Installing and retiring ---

static void classify_actions(struct installed_flow *flow)
{
	const struct action_list *actions = &flow->flow.actions;

	flow->simple_port = OFPORT_NONE;
	flow->simple =
		actions->count == 0 ||
		(actions->count == 1 && (actions->items[0].id == ACTION_DROP ||
						(actions->items[0].id == ACTION_OUTPUT &&
							actions->items[0].port <= OFPORT_MAX)));
	if (flow->simple && actions->count == 1 && actions->items[0].id == ACTION_OUTPUT)
		flow->simple_port = actions->items[0].port;
	flow->step = flow_step_of(actions);
	flow->normal = actions->count == 1 && actions->items[0].id == ACTION_NORMAL;
}

static int make_rules(struct installed_flow *flow, uint64_t version)
{
	struct match one;
	struct match *matches = &one;
	size_t count = match_expand(&flow->flow.match, &one, 1);

	if (count > 1) {
		matches = calloc(count, sizeof(*matches));
		if (!matches)
			return -ENOMEM;
		match_expand(&flow->flow.match, matches, count);
	}
	flow->rules = aligned_alloc(KEY_LINE_SIZE, count * sizeof(struct rule));
	if (flow->rules) {
		flow->rule_count = count;
		for (size_t i = 0; i < count; i++)
			flow->rules[i] = (struct rule){
				.flow = flow,
				.born = version,
				.died = VERSION_NEVER,
				.origin = &flow->flow.match,
				.priority = flow->flow.priority,
				.value = matches[i].value,
				.mask = matches[i].mask,
			};
	}
	if (matches != &one)
		free(matches);
	return flow->rules ? 0 : -ENOMEM;
}

static int table_get(struct pipeline *pipeline, uint8_t number, struct flow_table **table)
{
	*table = pipeline->tables[number];
	if (*table)
		return 0;
	*table = flow_table_create(pipeline->retirement);
	if (!*table)
		return -ENOMEM;
	__atomic_store_n(&pipeline->tables[number], *table, __ATOMIC_RELEASE);
	return 0;
}

static int insert_rules(struct pipeline *pipeline, struct installed_flow *flow)
{
	struct flow_table *table;
	int error = table_get(pipeline, flow->flow.table, &table);
	size_t done = 0;

	while (!error && done < flow->rule_count) {
		error = flow_table_insert(table, &flow->rules[done]);
		if (!error)
			done++;
	}
	if (error)
		while (done > 0)
			flow_table_remove(table, &flow->rules[--done]);
	return error;
}

// Second half of a flow's end, when no reader can see it: out of the structures; the memory goes
// one grace period later.
static void flow_leave(void *memory)
{
	struct installed_flow *flow = memory;
	struct pipeline *pipeline = flow->pipeline;
	struct flow_table *table = pipeline->tables[flow->flow.table];

	for (size_t i = 0; i < flow->rule_count; i++)
		flow_table_remove(table, &flow->rules[i]);
	needs_count(pipeline, flow_needs(&flow->flow), -1);
	cache_note_flow(pipeline, flow, -1);
	if (flow->owns_counter)
		counter_give(pipeline, flow->counter);
	pipeline->retirement.retire(pipeline->retirement.context, installed_flow_free, flow);
}

static void flow_retire(struct installed_flow *flow)
{
	struct pipeline *pipeline = flow->pipeline;

	pipeline->retirement.retire(pipeline->retirement.context, flow_leave, flow);
}

// --- Transactions ---

void pipeline_begin(struct pipeline *pipeline)
{
	pipeline->flows->journal_count = 0;
}

static int journal_reserve(struct flow_store *store)
{
	size_t space = store->journal_space ? store->journal_space * 2 : 64;
	struct journal_entry *larger;

	if (store->journal_count < store->journal_space)
		return 0;
	larger = realloc(store->journal, space * sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	store->journal = larger;
	store->journal_space = space;
	return 0;
}

static void rules_die(struct installed_flow *flow, uint64_t version)
{
	for (size_t i = 0; i < flow->rule_count; i++)
		__atomic_store_n(&flow->rules[i].died, version, __ATOMIC_RELEASE);
}

// Make and insert the flow; takes over *source in any case. `heir` is the flow whose counters it
// gets, or NULL.
static int flow_install(struct pipeline *pipeline, uint64_t id, struct flow *source,
	struct installed_flow *heir, struct installed_flow **installed)
{
	struct installed_flow *flow = calloc(1, sizeof(*flow));
	int error = flow ? 0 : -ENOMEM;

	if (error) {
		flow_destroy(source);
		return error;
	}
	flow->id = id;
	flow->pipeline = pipeline;
	flow->flow = *source;
	flow_init(source);
	classify_actions(flow);
	if (heir) {
		flow->counter = heir->counter;
		flow->base_packets = heir->base_packets;
		flow->base_bytes = heir->base_bytes;
	} else {
		error = counter_take(pipeline, &flow->counter);
		flow->owns_counter = !error;
	}
	if (!error)
		error = make_rules(flow, pipeline->version + 1);
	if (!error) {
		needs_count(pipeline, flow_needs(&flow->flow), 1);
		cache_note_flow(pipeline, flow, 1);
		cache_note_change(pipeline, flow->flow.table);
		error = insert_rules(pipeline, flow);
		if (error) {
			needs_count(pipeline, flow_needs(&flow->flow), -1);
			cache_note_flow(pipeline, flow, -1);
		}
	}
	if (error) {
		if (flow->owns_counter)
			counter_give(pipeline, flow->counter);
		// Readers may have met its rules on their way, though never as a result.
		pipeline->retirement.retire(
			pipeline->retirement.context, installed_flow_free, flow);
		return error;
	}
	*installed = flow;
	return 0;
}

int pipeline_flow_add(struct pipeline *pipeline, uint64_t id, struct flow *source)
{
	struct flow_store *store = pipeline->flows;
	struct installed_flow *flow;
	int error = journal_reserve(store);

	if (!error && *store_place(store, id))
		error = -EEXIST;
	if (error) {
		flow_destroy(source);
		return error;
	}
	error = flow_install(pipeline, id, source, NULL, &flow);
	if (error)
		return error;
	store_grow(store);
	store_put(store, flow);
	store->journal[store->journal_count++] = (struct journal_entry){.added = flow};
	return 0;
}

int pipeline_flow_remove(struct pipeline *pipeline, uint64_t id)
{
	struct flow_store *store = pipeline->flows;
	struct installed_flow *flow;
	int error = journal_reserve(store);

	if (error)
		return error;
	flow = store_take(store, id);
	if (!flow)
		return -ENOENT;
	rules_die(flow, pipeline->version + 1);
	cache_note_change(pipeline, flow->flow.table);
	store->journal[store->journal_count++] = (struct journal_entry){.removed = flow};
	return 0;
}

int pipeline_flow_modify(struct pipeline *pipeline, uint64_t id, struct flow *source)
{
	struct flow_store *store = pipeline->flows;
	struct installed_flow *old = *store_place(store, id);
	struct installed_flow *flow;
	bool reset = source->flags & FLOW_RESET_COUNTS;
	int error = old ? journal_reserve(store) : -ENOENT;

	if (error) {
		flow_destroy(source);
		return error;
	}
	error = flow_install(pipeline, id, source, old, &flow);
	if (error)
		return error;
	if (reset) {
		struct flow_counters sum = counter_sum(pipeline, flow->counter);

		flow->base_packets = sum.packets;
		flow->base_bytes = sum.bytes;
	}
	store_take(store, id);
	rules_die(old, pipeline->version + 1);
	cache_note_change(pipeline, old->flow.table);
	store_put(store, flow);
	flow->owns_counter = old->owns_counter;
	old->owns_counter = false;
	store->journal[store->journal_count++] =
		(struct journal_entry){.added = flow, .removed = old};
	return 0;
}

void pipeline_commit(struct pipeline *pipeline)
{
	struct flow_store *store = pipeline->flows;
	size_t count = store->journal_count;

	cache_commit(pipeline);
	// Sequentially consistent: when the caller goes on, every processor sees it.
	__atomic_store_n(&pipeline->version, pipeline->version + 1, __ATOMIC_SEQ_CST);
	store->journal_count = 0;
	for (size_t i = 0; i < count; i++)
		if (store->journal[i].removed)
			flow_retire(store->journal[i].removed);
	versioned_commit(&pipeline->groups);
	versioned_commit(&pipeline->meters);
}

void pipeline_abort(struct pipeline *pipeline)
{
	struct flow_store *store = pipeline->flows;

	while (store->journal_count > 0) {
		struct journal_entry *entry = &store->journal[--store->journal_count];

		if (entry->added) {
			store_take(store, entry->added->id);
			if (entry->removed)
				entry->removed->owns_counter = entry->added->owns_counter;
			entry->added->owns_counter &= !entry->removed;
			// Its version number will be used again; it must not be seen then.
			rules_die(entry->added, 0);
			flow_retire(entry->added);
		}
		if (entry->removed) {
			rules_die(entry->removed, VERSION_NEVER);
			store_put(store, entry->removed);
		}
	}
	versioned_abort(&pipeline->groups);
	versioned_abort(&pipeline->meters);
}

// --- Statistics ---

static void flow_stats_of(const struct pipeline *pipeline, const struct installed_flow *flow,
	struct pipeline_flow_stats *stats)
{
	struct flow_counters sum = counter_sum(pipeline, flow->counter);

	stats->id = flow->id;
	stats->packets = sum.packets - flow->base_packets;
	stats->bytes = sum.bytes - flow->base_bytes;
	stats->used_ms = sum.used_ms;
	stats->flow = &flow->flow;
}

size_t pipeline_flow_count(const struct pipeline *pipeline)
{
	return pipeline->flows->count;
}

int pipeline_flow_stats(
	const struct pipeline *pipeline, uint64_t id, struct pipeline_flow_stats *stats)
{
	const struct installed_flow *flow = *store_place(pipeline->flows, id);

	if (!flow)
		return -ENOENT;
	flow_stats_of(pipeline, flow, stats);
	return 0;
}

void pipeline_flow_each(const struct pipeline *pipeline,
	bool (*fn)(void *context, const struct pipeline_flow_stats *stats), void *context)
{
	const struct flow_store *store = pipeline->flows;

	for (size_t b = 0; b < store->bucket_count; b++) {
		for (struct installed_flow *flow = store->buckets[b]; flow; flow = flow->next) {
			struct pipeline_flow_stats stats;

			flow_stats_of(pipeline, flow, &stats);
			if (!fn(context, &stats))
				return;
		}
	}
}

void pipeline_table_each(const struct pipeline *pipeline, uint8_t table,
	bool (*fn)(void *context, uint64_t id, const struct flow *flow), void *context)
{
	const struct flow_store *store = pipeline->flows;

	for (size_t b = 0; b < store->bucket_count; b++)
		for (struct installed_flow *flow = store->buckets[b]; flow; flow = flow->next)
			if (flow->flow.table == table && !fn(context, flow->id, &flow->flow))
				return;
}

// SPDX-License-Identifier: Apache-2.0
// Lookup structures against a naive oracle.
//
// Random sets of flows of many shapes are inserted and removed step by step, the way a pipeline
// does it: what a step adds is born in the next version, what it takes away dies in it, and is
// taken out of the structures afterwards. Packets made from the flows, and random ones, are looked
// up in the old and in the new version, in a flow table and, where it can hold the flows, in each
// structure by itself. The oracle goes through all flows.
//
// In most of these worlds the flow table has a classifier, which is built from time to time and
// comes into use when the table has moved on. Built with MODEL_ACL the classifier is that of
// datapathd, and otherwise one that goes through its rules.
//
// Usage: test_lookup_model [SEED [PAIRS]], PAIRS being the (flow set, packet) pairs to try.

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/flow_table.h"
#include "pipeline/lookup_bits.h"
#include "tests/random.h"

#ifdef MODEL_ACL
#include <rte_eal.h>

#include "datapath/classifier_acl.h"
#define CLASSIFIER classifier_acl
#else
#include "tests/model/naive_classifier.h"
#define CLASSIFIER naive_classifier
#endif

#define FLOWS_MAX 4000
#define PACKETS_PER_STEP 48
#define EXPANSION_MAX 900

static uint64_t random_state;

static uint32_t below(uint32_t limit)
{
	return (uint32_t)(random_next(&random_state) % limit);
}

static bool one_in(uint32_t n)
{
	return below(n) == 0;
}

// --- Memory that is retired is freed at the end of the step ---

static struct retired {
	void (*free_fn)(void *);
	void *memory;
} * retired;
static size_t n_retired;

static void retire(void *context, void (*free_fn)(void *), void *memory)
{
	(void)context;
	retired = realloc(retired, (n_retired + 1) * sizeof *retired);
	if (!retired)
		abort();
	retired[n_retired++] = (struct retired){free_fn, memory};
}

static void free_retired(void)
{
	for (size_t r = 0; r < n_retired; r++)
		retired[r].free_fn(retired[r].memory);
	n_retired = 0;
}

static const struct retirement at_step_end = {.retire = retire};

// --- Shapes of flows ---

static void pick(void *value, void *mask, size_t size, unsigned kind)
{
	uint8_t *v = value, *m = mask;
	unsigned bits = below((uint32_t)size * 8 + 1);

	for (size_t i = 0; i < size; i++) {
		if (kind == 0) // exact
			m[i] = 0xff;
		else if (kind == 1) // prefix
			m[i] = bits >= 8 * (i + 1) ? 0xff
			       : bits > 8 * i      ? (uint8_t)(0xff00 >> bits % 8)
						   : 0;
		else // any mask
			m[i] = (uint8_t)random_next(&random_state);
		v[i] = (uint8_t)(random_next(&random_state) & (one_in(2) ? 0x03 : 0xff)) & m[i];
	}
}

#define PICK(match, field, kind) \
	pick(&(match)->value.field, &(match)->mask.field, sizeof(match)->value.field, kind)

// All of one mask.
static void shape_exact(struct match *match)
{
	PICK(match, in_port, 0);
	PICK(match, nw_src, 0);
	PICK(match, nw_dst, 0);
	PICK(match, tp_dst, 0);
}

static void shape_match_all(struct match *match)
{
	(void)match;
}

static void shape_few_masks(struct match *match)
{
	switch (below(4)) {
	case 0:
		PICK(match, in_port, 0);
		break;
	case 1:
		PICK(match, dl_dst, 0);
		PICK(match, vlan_tci, 0);
		break;
	case 2:
		shape_exact(match);
		break;
	}
}

static void shape_macs(struct match *match)
{
	PICK(match, dl_dst, one_in(8) ? 1 : 0);
	if (one_in(2))
		PICK(match, dl_src, one_in(4) ? 2 : 0);
	if (one_in(3))
		PICK(match, vlan_tci, one_in(3) ? 2 : 0);
}

static void shape_acl(struct match *match)
{
	PICK(match, dl_type, 0);
	match->value.dl_type = htons(0x0800);
	PICK(match, nw_src, 1);
	PICK(match, nw_dst, 1);
	if (!one_in(8)) {
		PICK(match, nw_proto, 0);
		match->value.nw_proto = one_in(2) ? 6 : 17;
	}
	if (one_in(5))
		PICK(match, tp_src, 0);
	if (!one_in(4))
		PICK(match, tp_dst, one_in(8) ? 1 : 0);
}

// With a few rules for nearly everything among the others.
static void shape_acl_wide(struct match *match)
{
	if (one_in(100)) {
		match->mask.dl_type = 0xffff;
		match->value.dl_type = htons(0x0800);
		PICK(match, nw_proto, one_in(2) ? 1 : 0);
		return;
	}
	shape_acl(match);
}

static void shape_ipv6(struct match *match)
{
	PICK(match, ipv6_dst, 1);
	if (one_in(2))
		PICK(match, ipv6_src, 1);
	if (one_in(3))
		PICK(match, tp_dst, 0);
	if (one_in(6))
		PICK(match, nd_target, 1);
}

static void shape_registers(struct match *match)
{
	if (!one_in(3))
		PICK(match, metadata, below(3));
	PICK(match, reg_low[0], below(3));
	if (one_in(2)) {
		unsigned upper = below(4);

		PICK(match, reg_high[upper], below(3));
	}
}

// Any bits anywhere, many or few.
static void shape_anything(struct match *match)
{
	uint8_t *value = (uint8_t *)&match->value, *mask = (uint8_t *)&match->mask;

	for (unsigned n = 1 + below(one_in(10) ? 100 : 6); n > 0; n--) {
		unsigned byte = below(sizeof match->value);

		mask[byte] = (uint8_t)(1u << below(8) | 1u << below(8));
		value[byte] = mask[byte] & (uint8_t)random_next(&random_state);
	}
}

static void range_pick(struct port_range *range)
{
	uint16_t span = (uint16_t)below(one_in(2) ? 20 : 40000);

	range->first = (uint16_t)below(65536u - span);
	if (one_in(2))
		range->first &= 0x3f;
	range->last = range->first + span;
}

static void shape_ranges(struct match *match)
{
	if (one_in(3))
		PICK(match, nw_dst, 1);
	PICK(match, nw_proto, 0);
	match->value.nw_proto = one_in(2) ? 6 : 17;
	if (one_in(3))
		range_pick(&match->tp_src);
	else if (one_in(2))
		PICK(match, tp_src, 1);
	if (!one_in(4))
		range_pick(&match->tp_dst);
	else if (one_in(2))
		PICK(match, tp_dst, 2);
}

static void shape_mixed(struct match *match);

static const struct shape {
	const char *name;
	void (*make)(struct match *match);
	bool one_mask;
} shapes[] = {
	{"exact", shape_exact, true},
	{"match all", shape_match_all, true},
	{"few masks", shape_few_masks, false},
	{"macs", shape_macs, false},
	{"acl", shape_acl, false},
	{"acl with wide rules", shape_acl_wide, false},
	{"ipv6", shape_ipv6, false},
	{"registers", shape_registers, false},
	{"anything", shape_anything, false},
	{"ranges", shape_ranges, false},
	{"mixed", shape_mixed, false},
};

#define N_SHAPES (sizeof shapes / sizeof shapes[0])

static void shape_mixed(struct match *match)
{
	shapes[below(N_SHAPES - 1)].make(match);
}

// --- The world: flows, what they are held in, and the oracle ---

struct model_flow {
	struct match match;
	uint16_t priority;
	uint64_t born, died;
	struct rule *rules;
	size_t n_rules;
};

struct world {
	const struct shape *shape;
	unsigned priorities; // different ones
	size_t limit;        // flows at most
	uint64_t version;
	struct model_flow *flows[FLOWS_MAX];
	size_t count;
	size_t n_rules;
	struct flow_table *table;
	struct lookup *hash; // with one mask
	struct lookup *bits; // while the flows fit
	bool classifies;
	struct classifier_job *job; // or NULL
};

// How often tables with a classifier were checked, by what was in use.
static size_t accelerated, plain, refused, late;

static void die(const struct world *world, const char *what)
{
	printf("FAILED: %s (shape \"%s\", %zu flows, %u priorities, version %llu)\n", what,
		world->shape->name, world->count, world->priorities,
		(unsigned long long)world->version);
	exit(1);
}

static const struct model_flow *oracle(
	const struct world *world, uint64_t version, const struct packet_key *key)
{
	const struct model_flow *best = NULL;

	for (size_t f = 0; f < world->count; f++) {
		const struct model_flow *flow = world->flows[f];

		if (flow->born > version || version >= flow->died || !match_hits(&flow->match, key))
			continue;
		if (!best || flow->priority > best->priority ||
			(flow->priority == best->priority &&
				match_compare(&flow->match, &best->match) < 0))
			best = flow;
	}
	return best;
}

static struct model_flow *flow_make(struct world *world)
{
	struct model_flow *flow = calloc(1, sizeof *flow);
	static struct match parts[EXPANSION_MAX];

	if (!flow)
		abort();
	match_init(&flow->match);
	world->shape->make(&flow->match);
	flow->priority = (uint16_t)(below(world->priorities) * (65535 / world->priorities));
	flow->n_rules = match_expand(&flow->match, parts, EXPANSION_MAX);
	flow->rules = aligned_alloc(64, flow->n_rules * sizeof *flow->rules);
	if (!flow->rules)
		abort();
	flow->born = world->version + 1;
	flow->died = VERSION_NEVER;
	for (size_t r = 0; r < flow->n_rules; r++) {
		memset(&flow->rules[r], 0, sizeof flow->rules[r]);
		flow->rules[r].flow = (struct installed_flow *)flow;
		flow->rules[r].born = flow->born;
		flow->rules[r].died = flow->died;
		flow->rules[r].priority = flow->priority;
		flow->rules[r].value = parts[r].value;
		flow->rules[r].mask = parts[r].mask;
		if (flow->n_rules > 1 || one_in(2))
			flow->rules[r].origin = &flow->match;
	}
	return flow;
}

static void flow_free(void *memory)
{
	struct model_flow *flow = memory;

	free(flow->rules);
	free(flow);
}

static void flow_kill(struct model_flow *flow, uint64_t version)
{
	flow->died = version;
	for (size_t r = 0; r < flow->n_rules; r++)
		flow->rules[r].died = version;
}

// A flow of the same place that lives on in the next version dies, as when it is replaced.
static void kill_same_place(struct world *world, const struct model_flow *flow)
{
	for (size_t f = 0; f < world->count; f++) {
		struct model_flow *other = world->flows[f];

		if (other->died == VERSION_NEVER && other->priority == flow->priority &&
			match_equal(&other->match, &flow->match))
			flow_kill(other, world->version + 1);
	}
}

static void bits_drop(struct world *world)
{
	if (world->bits)
		lookup_bits.destroy(world->bits);
	world->bits = NULL;
}

static void flow_install(struct world *world)
{
	struct model_flow *flow = flow_make(world);

	if (world->n_rules + flow->n_rules > FLOWS_MAX) {
		flow_free(flow);
		return;
	}
	kill_same_place(world, flow);
	for (size_t r = 0; r < flow->n_rules; r++) {
		if (flow_table_insert(world->table, &flow->rules[r]) != 0)
			die(world, "flow_table_insert");
		if (world->hash && lookup_hash.insert(world->hash, &flow->rules[r]) != 0)
			die(world, "lookup_hash.insert");
		if (world->bits && lookup_bits.insert(world->bits, &flow->rules[r]) != 0) {
			if (world->bits->count < LOOKUP_BITS_CROWDED)
				die(world, "lookup_bits.insert");
			bits_drop(world);
		}
	}
	world->n_rules += flow->n_rules;
	world->flows[world->count++] = flow;
}

// Takes out what died, the way a pipeline does it after the grace period of the version.
static void flows_bury(struct world *world)
{
	for (size_t f = 0; f < world->count; f++) {
		struct model_flow *flow = world->flows[f];

		if (flow->died > world->version)
			continue;
		for (size_t r = 0; r < flow->n_rules; r++) {
			flow_table_remove(world->table, &flow->rules[r]);
			if (world->hash)
				lookup_hash.remove(world->hash, &flow->rules[r]);
			if (world->bits)
				lookup_bits.remove(world->bits, &flow->rules[r]);
		}
		world->n_rules -= flow->n_rules;
		retire(NULL, flow_free, flow);
		world->flows[f--] = world->flows[--world->count];
	}
	free_retired();
}

// --- Packets ---

static void key_make(const struct world *world, struct packet_key *key)
{
	uint8_t *bytes = (uint8_t *)key;

	for (size_t i = 0; i < sizeof *key; i++)
		bytes[i] = (uint8_t)(random_next(&random_state) & (one_in(2) ? 0x03 : 0xff));
	if (world->count == 0 || one_in(5))
		return;
	const struct model_flow *flow = world->flows[below((uint32_t)world->count)];
	const struct rule *rule = &flow->rules[below((uint32_t)flow->n_rules)];
	const uint8_t *value = (const uint8_t *)&rule->value, *mask = (const uint8_t *)&rule->mask;

	for (size_t i = 0; i < sizeof *key; i++)
		bytes[i] = (bytes[i] & (uint8_t)~mask[i]) | value[i];
	if (one_in(4))
		bytes[below(sizeof *key)] ^= (uint8_t)(1u << below(8));
}

static void check(const struct world *world, const char *what, const struct rule *got,
	const struct model_flow *want)
{
	const struct model_flow *flow = got ? (const struct model_flow *)got->flow : NULL;

	if (flow != want)
		die(world, what);
}

// Bits of `wanted` that are not set must be left alone.
static void find_in(const struct world *world, const struct lookup *lookup, uint64_t version,
	const struct packet_key *const keys[], uint32_t wanted, unsigned count,
	const struct model_flow *const want[])
{
	static const struct rule untouched;
	const struct rule *best[LOOKUP_BURST];

	for (unsigned i = 0; i < LOOKUP_BURST; i++)
		best[i] = i < count && (wanted >> i & 1) ? NULL : &untouched;
	if (lookup)
		lookup->kind->find(lookup, version, keys, wanted, count, best);
	else
		flow_table_find(world->table, version, keys, wanted, count, best);
	for (unsigned i = 0; i < LOOKUP_BURST; i++) {
		if (i < count && (wanted >> i & 1))
			check(world, lookup ? lookup->kind->name : "flow table", best[i], want[i]);
		else if (best[i] != &untouched)
			die(world, "a packet that nobody asked about was answered");
	}
}

static void burst_check(const struct world *world, uint64_t version, unsigned count)
{
	struct packet_key space[LOOKUP_BURST];
	const struct packet_key *keys[LOOKUP_BURST];
	const struct model_flow *want[LOOKUP_BURST];
	uint32_t wanted = one_in(3) ? (uint32_t)random_next(&random_state) : UINT32_MAX;

	for (unsigned i = 0; i < count; i++) {
		key_make(world, &space[i]);
		keys[i] = &space[i];
		want[i] = oracle(world, version, keys[i]);
	}
	find_in(world, NULL, version, keys, wanted, count, want);
	if (world->hash)
		find_in(world, world->hash, version, keys, wanted, count, want);
	if (world->bits)
		find_in(world, world->bits, version, keys, wanted, count, want);
}

// --- Classifiers: they begin and end at any point of a step ---

static void job_end(struct world *world)
{
	late += !world->job->table;
	refused += !world->job->state;
	classifier_job_end(world->job, 0);
	world->job = NULL;
}

static void job_step(struct world *world)
{
	if (!world->classifies || one_in(2))
		return;
	if (world->job) {
		job_end(world);
		return;
	}
	world->job = flow_table_job(world->table, &CLASSIFIER, 0);
	if (world->job)
		classifier_job_run(world->job);
}

static void use_count(const struct world *world)
{
	struct flow_table_shape shape;

	flow_table_shape(world->table, &shape);
	if (shape.classifier.rules > shape.rules)
		die(world, "a classifier with more rules than there are");
	if (world->classifies && shape.classifier.rules)
		accelerated++;
	else
		plain++;
}

static size_t packets_check(const struct world *world, uint64_t version)
{
	use_count(world);
	for (unsigned done = 0; done < PACKETS_PER_STEP;) {
		unsigned count = 1 + below(LOOKUP_BURST);

		if (count > PACKETS_PER_STEP - done)
			count = PACKETS_PER_STEP - done;
		burst_check(world, version, count);
		done += count;
	}
	return PACKETS_PER_STEP;
}

// --- Steps ---

static size_t step(struct world *world, bool shrink)
{
	size_t pairs;
	unsigned adds = below(one_in(4) ? (uint32_t)world->limit / 2 + 1 : 8);
	unsigned kills = below(one_in(4) ? (uint32_t)world->count / 2 + 1 : 8);

	if (shrink)
		kills = (unsigned)world->count / 2 + 1;
	for (unsigned k = 0; k < kills && world->count; k++) {
		struct model_flow *flow = world->flows[below((uint32_t)world->count)];

		if (flow->died == VERSION_NEVER)
			flow_kill(flow, world->version + 1);
	}
	for (unsigned a = 0; a < adds && world->count < world->limit && !shrink; a++) {
		if (a == adds / 2)
			job_step(world);
		flow_install(world);
	}
	job_step(world);
	pairs = packets_check(world, world->version);
	world->version++;
	job_step(world);
	pairs += packets_check(world, world->version);
	job_step(world);
	flows_bury(world);
	job_step(world);
	pairs += packets_check(world, world->version);
	return pairs;
}

static void shape_check(const struct world *world)
{
	struct flow_table_shape shape;

	flow_table_shape(world->table, &shape);
	if (shape.rules != world->n_rules)
		die(world, "flow_table_shape counts other rules");
	if ((shape.rules == 0) != (shape.hashes.count + shape.blocks.count == 0))
		die(world, "there are structures without rules, or none with rules");
}

static size_t run_world(size_t enough)
{
	static const size_t limits[] = {1, 3, 20, 100, 300, 700, 1500, 3500};
	struct world world = {
		.shape = &shapes[below(N_SHAPES)],
		.priorities = one_in(3)   ? 1
			      : one_in(2) ? 5
					  : 1000,
		.limit = limits[below(8)],
		.version = 1,
	};
	struct match match;
	size_t pairs = 0;

	match_init(&match);
	world.shape->make(&match);
	world.table = flow_table_create(at_step_end);
	world.hash = world.shape->one_mask ? lookup_hash.create(&match.mask, at_step_end) : NULL;
	world.bits = lookup_bits.create(NULL, at_step_end);
	world.classifies = !one_in(4);
	for (unsigned n = 0; n < 8 && pairs < enough; n++) {
		pairs += step(&world, false);
		shape_check(&world);
	}
	while (world.count > 0) {
		pairs += step(&world, true);
		shape_check(&world);
	}
	if (one_in(2) && world.job)
		job_end(&world);
	flow_table_destroy(world.table);
	if (world.job)
		job_end(&world);
	if (world.hash)
		lookup_hash.destroy(world.hash);
	bits_drop(&world);
	free_retired();
	return pairs;
}

int main(int argc, char **argv)
{
#ifdef MODEL_ACL
	char *eal[] = {argv[0], "--no-huge", "-m", "256", "--no-shconf", "--no-pci",
		"--no-telemetry", "--lcores=0@0", "--log-level=*:3", NULL};

	if (rte_eal_init(9, eal) < 0)
		return 1;
#endif
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	size_t enough = argc > 2 ? strtoull(argv[2], NULL, 0) : 250000, pairs = 0, worlds = 0;

	random_state = seed;
	flow_table_job_eagerly(true);
	printf("seed %llu, %zu pairs of flow set and packet\n", (unsigned long long)seed, enough);
	fflush(stdout);
	for (; pairs < enough; worlds++)
		pairs += run_world(enough - pairs);
	printf("%zu worlds, %zu pairs: the same as the oracle\n", worlds, pairs);
	printf("%zu checks with a classifier, %zu without; %zu were refused, %zu came too late\n",
		accelerated, plain, refused, late);
	free(retired);
	if (enough < 25000)
		return 0;
	return accelerated < plain / 4 || refused == 0 || late == 0;
}

// SPDX-License-Identifier: Apache-2.0

// The planner on machines that do not exist: those of the folder topologies, by name, and random
// ones, of which some things must always be true. Usage: test_affinity_plan FOLDER

#include "cmocka_all.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vswitch/affinity.h"

#define CORES_MAX 16
#define QUEUES_MAX 64

static const char *folder;

// --- Topologies from files ---

enum stage { KEEP, FILL, REBALANCE, STAGES };

struct topology {
	struct affinity_rules rules;
	struct affinity_thread threads[CORES_MAX];
	struct affinity_queue queues[QUEUES_MAX];
	char ports[QUEUES_MAX][32];
	size_t n_threads, n_queues;
	struct {
		char port[32];
		uint32_t queue, core;
		enum stage stage;
	} expected[STAGES * QUEUES_MAX];
	size_t n_expected;
};

static long number_or(const char *text, long none)
{
	return strcmp(text, "-") == 0 ? none : strtol(text, NULL, 10);
}

// False: not understood.
static bool line_read(struct topology *t, char *line)
{
	static const char *const stages[STAGES] = {"keep", "fill", "rebalance"};
	char words[8][32] = {""};
	int count = sscanf(line, "%31s %31s %31s %31s %31s %31s %31s %31s", words[0], words[1],
		words[2], words[3], words[4], words[5], words[6], words[7]);

	if (count <= 0 || words[0][0] == '#')
		return true;
	if (strcmp(words[0], "rules") == 0) {
		t->rules.policy = affinity_policy_find(words[1]);
		t->rules.isolate = strcmp(words[2], "noisolate") != 0;
		return count >= 2;
	}
	if (strcmp(words[0], "core") == 0 && count == 3) {
		t->threads[t->n_threads++] = (struct affinity_thread){
			.core = (uint32_t)atoi(words[1]), .numa = atoi(words[2])};
		return t->n_threads < CORES_MAX;
	}
	if (strcmp(words[0], "queue") == 0 && count >= 6) {
		char *port = t->ports[t->n_queues];

		strcpy(port, words[1]);
		t->queues[t->n_queues++] = (struct affinity_queue){
			.port = port,
			.queue = (uint32_t)atoi(words[2]),
			.numa = (int)number_or(words[3], -1),
			.load = strtoull(words[4], NULL, 10),
			.present = number_or(words[5], -1),
			.pinned = strcmp(words[6], "pin") == 0 ? atoi(words[7]) : -1,
		};
		return t->n_queues < QUEUES_MAX;
	}
	for (unsigned s = 0; s < STAGES; s++) {
		if (strcmp(words[0], stages[s]) != 0 || count != 4)
			continue;
		strcpy(t->expected[t->n_expected].port, words[1]);
		t->expected[t->n_expected].queue = (uint32_t)atoi(words[2]);
		t->expected[t->n_expected].core = (uint32_t)number_or(words[3], AFFINITY_UNPOLLED);
		t->expected[t->n_expected++].stage = s;
		return true;
	}
	return false;
}

static void topology_read(struct topology *t, const char *path)
{
	FILE *file = fopen(path, "r");
	char line[256];

	memset(t, 0, sizeof(*t));
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (!line_read(t, line))
			fail_msg("%s: %s", path, line);
	}
	fclose(file);
	assert_true(t->n_expected > 0);
}

static size_t stage_expect(const struct topology *t, enum stage stage, const char *path)
{
	size_t count = 0;

	for (size_t e = 0; e < t->n_expected; e++) {
		bool found = false;

		if (t->expected[e].stage != stage)
			continue;
		count++;
		for (size_t q = 0; q < t->n_queues; q++) {
			if (strcmp(t->queues[q].port, t->expected[e].port) != 0 ||
				t->queues[q].queue != t->expected[e].queue)
				continue;
			found = true;
			if (t->queues[q].core != t->expected[e].core)
				fail_msg("%s: stage %d: queue %u of %s is on core %d, not %d", path,
					(int)stage, t->queues[q].queue, t->queues[q].port,
					(int)t->queues[q].core, (int)t->expected[e].core);
		}
		if (!found)
			fail_msg("%s: there is no such queue of %s", path, t->expected[e].port);
	}
	return count;
}

static void topology_run(const char *path)
{
	static struct topology t;
	struct affinity_balance before, after;

	topology_read(&t, path);
	t.rules.pace = AFFINITY_KEEP;
	affinity_plan(t.threads, t.n_threads, t.queues, t.n_queues, t.rules);
	stage_expect(&t, KEEP, path);
	t.rules.pace = AFFINITY_FILL;
	affinity_plan(t.threads, t.n_threads, t.queues, t.n_queues, t.rules);
	stage_expect(&t, FILL, path);
	affinity_rebalance(t.threads, t.n_threads, t.queues, t.n_queues, t.rules, &before, &after);
	stage_expect(&t, REBALANCE, path);
}

static void test_topologies(void **state)
{
	DIR *entries = opendir(folder);
	const struct dirent *entry;
	unsigned count = 0;

	assert_non_null(entries);
	while ((entry = readdir(entries))) {
		char path[4096];

		if (!strstr(entry->d_name, ".txt"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		topology_run(path);
		count++;
	}
	closedir(entries);
	assert_true(count >= 9);
}

// --- Random machines ---

static void random_make(struct topology *t, unsigned *seed)
{
	memset(t, 0, sizeof(*t));
	t->rules.policy = (enum affinity_policy)(rand_r(seed) % 3);
	t->rules.isolate = rand_r(seed) % 2;
	t->n_threads = 1 + (size_t)rand_r(seed) % 8;
	t->n_queues = (size_t)rand_r(seed) % 25;
	for (size_t i = 0; i < t->n_threads; i++)
		t->threads[i] =
			(struct affinity_thread){.core = (uint32_t)i * 2, .numa = rand_r(seed) % 2};
	for (size_t i = 0; i < t->n_queues; i++)
		t->queues[i] = (struct affinity_queue){
			.port = "p",
			.queue = (uint32_t)i,
			.numa = rand_r(seed) % 3 - 1,
			.load = rand_r(seed) % 4 ? (uint64_t)rand_r(seed) % 1000000 : 0,
			.pinned = rand_r(seed) % 6 ? -1 : rand_r(seed) % 18,
			.present = rand_r(seed) % 20 - 2,
		};
}

static const struct affinity_thread *thread_of(const struct topology *t, int64_t core)
{
	for (size_t i = 0; i < t->n_threads; i++) {
		if (t->threads[i].core == core)
			return &t->threads[i];
	}
	return NULL;
}

// Is there a thread of that node for what is not pinned?
static bool node_has_thread(const struct topology *t, int numa)
{
	for (size_t i = 0; i < t->n_threads; i++) {
		if (!t->threads[i].isolated && t->threads[i].numa == numa)
			return true;
	}
	return false;
}

// What holds for every plan: each queue once or, for a reason, not at all; the sums are right.
static void plan_is_sound(const struct topology *t)
{
	uint64_t load = 0;
	size_t count = 0;

	for (size_t i = 0; i < t->n_queues; i++) {
		const struct affinity_queue *q = &t->queues[i];
		const struct affinity_thread *thread = thread_of(t, q->core);

		if (q->core == AFFINITY_UNPOLLED) {
			for (size_t j = 0; j < t->n_threads; j++)
				assert_true(q->pinned >= 0 ? q->pinned != t->threads[j].core
							   : t->threads[j].isolated);
			continue;
		}
		assert_non_null(thread);
		assert_true(q->pinned < 0 ? !thread->isolated : q->pinned == q->core);
		if (q->pinned < 0 && q->crosses)
			assert_false(node_has_thread(t, q->numa));
		assert_true(q->crosses == (q->numa >= 0 && q->numa != thread->numa));
		load += q->load;
		count++;
	}
	for (size_t i = 0; i < t->n_threads; i++) {
		load -= t->threads[i].load;
		count -= t->threads[i].n_queues;
	}
	assert_true(load == 0 && count == 0);
}

// A queue that moves could not stay, if no thread was to be filled.
static void nothing_moved_without_need(const struct topology *t)
{
	for (size_t i = 0; i < t->n_queues; i++) {
		const struct affinity_queue *q = &t->queues[i];
		const struct affinity_thread *thread = thread_of(t, q->present);

		if (q->pinned >= 0 || q->present < 0 || q->core == q->present || !thread)
			continue;
		assert_true(thread->isolated || (q->numa >= 0 && thread->numa != q->numa &&
							node_has_thread(t, q->numa)));
	}
}

static void take_as_present(struct topology *t)
{
	for (size_t i = 0; i < t->n_queues; i++)
		t->queues[i].present =
			t->queues[i].core == AFFINITY_UNPOLLED ? -1 : (int64_t)t->queues[i].core;
}

static size_t moves(const struct topology *t)
{
	size_t count = 0;

	for (size_t i = 0; i < t->n_queues; i++)
		count += t->queues[i].present >= 0 && t->queues[i].core != t->queues[i].present;
	return count;
}

static void test_what_is_stays(void **state)
{
	static struct topology t;
	unsigned seed = 11;

	for (int round = 0; round < 5000; round++) {
		random_make(&t, &seed);
		t.rules.pace = AFFINITY_KEEP;
		affinity_plan(t.threads, t.n_threads, t.queues, t.n_queues, t.rules);
		plan_is_sound(&t);
		nothing_moved_without_need(&t);
		// And once more nothing moves at all, whatever the loads are then.
		take_as_present(&t);
		for (size_t i = 0; i < t.n_queues; i++)
			t.queues[i].load = (uint64_t)rand_r(&seed) % 1000;
		affinity_plan(t.threads, t.n_threads, t.queues, t.n_queues, t.rules);
		assert_int_equal(moves(&t), 0);
	}
}

static void test_no_thread_stays_idle(void **state)
{
	static struct topology t;
	unsigned seed = 12;

	for (int round = 0; round < 5000; round++) {
		random_make(&t, &seed);
		for (size_t i = 0; i < t.n_queues; i++)
			t.queues[i].numa = -1; // everybody may have everything
		t.rules.pace = AFFINITY_FILL;
		affinity_plan(t.threads, t.n_threads, t.queues, t.n_queues, t.rules);
		plan_is_sound(&t);
		for (size_t i = 0; i < t.n_threads; i++) {
			if (t.threads[i].isolated || t.threads[i].n_queues > 0)
				continue;
			// Then nobody has one to spare.
			for (size_t j = 0; j < t.n_threads; j++) {
				size_t spare = 0;

				for (size_t q = 0; q < t.n_queues; q++)
					spare += t.queues[q].pinned < 0 &&
						 t.queues[q].core == t.threads[j].core;
				assert_true(spare == 0 || t.threads[j].n_queues < 2);
			}
		}
	}
}

static void test_rebalance(void **state)
{
	static struct topology t;
	unsigned seed = 13, better = 0;

	for (int round = 0; round < 5000; round++) {
		struct affinity_balance before, after, again;

		random_make(&t, &seed);
		better += affinity_rebalance(
			t.threads, t.n_threads, t.queues, t.n_queues, t.rules, &before, &after);
		plan_is_sound(&t);
		// Never worse.
		assert_true(
			after.crossing < before.crossing ||
			(after.crossing == before.crossing && after.variance <= before.variance));
		// Done once, there is nothing left to do while loads are what they are.
		take_as_present(&t);
		assert_false(affinity_rebalance(
			t.threads, t.n_threads, t.queues, t.n_queues, t.rules, &before, &again));
		assert_int_equal(moves(&t), 0);
		assert_true(before.crossing == after.crossing);
		assert_true(before.highest == after.highest);
	}
	assert_true(better > 1000);
}

static void test_nothing(void **state)
{
	struct affinity_queue queue = {.port = "a", .numa = 0, .pinned = -1, .present = 3};
	struct affinity_rules rules = {.pace = AFFINITY_FILL};
	struct affinity_balance before, after;

	affinity_plan(NULL, 0, &queue, 1, rules);
	assert_int_equal(queue.core, AFFINITY_UNPOLLED);
	assert_false(affinity_rebalance(NULL, 0, &queue, 1, rules, &before, &after));
	assert_false(affinity_rebalance(NULL, 0, NULL, 0, rules, &before, &after));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_topologies),
		cmocka_unit_test(test_what_is_stays),
		cmocka_unit_test(test_no_thread_stays_idle),
		cmocka_unit_test(test_rebalance),
		cmocka_unit_test(test_nothing),
	};

	if (argc != 2)
		return 2;
	folder = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}

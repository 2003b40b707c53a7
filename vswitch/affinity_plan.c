// SPDX-License-Identifier: Apache-2.0

// The plans of affinity.h.

#include <stdlib.h>
#include <string.h>

#include "vswitch/affinity.h"

struct planner {
	struct affinity_thread *threads;
	size_t n_threads;
	struct affinity_rules rules;
	// Where each NUMA node's round has got to, kept at the index of the node's first thread.
	size_t *turns;
};

static void thread_take(struct affinity_thread *thread, struct affinity_queue *queue)
{
	queue->core = thread->core;
	queue->crosses = affinity_crosses(queue->numa, thread->numa);
	thread->load += queue->load;
	thread->n_queues++;
}

static bool thread_fits(const struct affinity_thread *thread, int numa)
{
	return !thread->isolated && !affinity_crosses(numa, thread->numa);
}

static struct affinity_thread *least_loaded(struct planner *planner, int numa)
{
	struct affinity_thread *best = NULL;

	for (size_t i = 0; i < planner->n_threads; i++) {
		struct affinity_thread *thread = &planner->threads[i];

		if (!thread_fits(thread, numa))
			continue;
		if (!best || thread->load < best->load ||
			(thread->load == best->load && thread->n_queues < best->n_queues))
			best = thread;
	}
	return best;
}

// The next thread of the round. The state of a round is kept at its first fitting thread.
static struct affinity_thread *next_in_turn(struct planner *planner, int numa)
{
	size_t first = 0;
	size_t fitting = 0;
	size_t position;
	size_t length;
	size_t seen = 0;

	for (size_t i = planner->n_threads; i-- > 0;) {
		if (thread_fits(&planner->threads[i], numa)) {
			first = i;
			fitting++;
		}
	}
	if (fitting == 0)
		return NULL;
	// To and fro counts both ways: 0 1 2 2 1 0 0 1 2. Rounds of a node and of all nodes may
	// begin at the same thread and differ in length, hence the modulus on reading.
	length = planner->rules.policy == AFFINITY_ROUNDROBIN ? fitting : 2 * fitting;
	position = planner->turns[first] % length;
	planner->turns[first] = position + 1;
	if (position >= fitting)
		position = length - 1 - position;
	for (size_t i = first; i < planner->n_threads; i++) {
		if (thread_fits(&planner->threads[i], numa) && seen++ == position)
			return &planner->threads[i];
	}
	return NULL;
}

static void place(struct planner *planner, struct affinity_queue *queue)
{
	struct affinity_thread *thread = NULL;
	int nodes[2] = {queue->numa, -1};

	for (size_t i = 0; i < 2 && !thread; i++)
		thread = planner->rules.policy == AFFINITY_GROUP ? least_loaded(planner, nodes[i])
								 : next_in_turn(planner, nodes[i]);
	if (thread)
		thread_take(thread, queue);
}

static int compare_load(const void *a, const void *b)
{
	const struct affinity_queue *x = *(struct affinity_queue *const *)a;
	const struct affinity_queue *y = *(struct affinity_queue *const *)b;

	if (x->load != y->load)
		return x->load < y->load ? 1 : -1;
	// The order that was given breaks ties, so that equal inputs give equal plans.
	return x < y ? -1 : x > y;
}

static struct affinity_thread *thread_on(const struct planner *planner, int64_t core)
{
	for (size_t i = 0; i < planner->n_threads; i++) {
		if (planner->threads[i].core == core)
			return &planner->threads[i];
	}
	return NULL;
}

static void place_pinned(struct planner *planner, struct affinity_queue *queues, size_t n_queues)
{
	for (size_t i = 0; i < n_queues; i++) {
		struct affinity_thread *thread =
			queues[i].pinned < 0 ? NULL : thread_on(planner, queues[i].pinned);

		queues[i].core = AFFINITY_UNPOLLED;
		queues[i].crosses = false;
		if (!thread)
			continue;
		thread_take(thread, &queues[i]);
		thread->isolated = planner->rules.isolate;
	}
}

// May it stay where it is? Not on another node if there is one to be had on its own.
static bool place_present(struct planner *planner, struct affinity_queue *queue)
{
	struct affinity_thread *thread =
		queue->present < 0 ? NULL : thread_on(planner, queue->present);

	if (!thread || thread->isolated ||
		(!thread_fits(thread, queue->numa) && least_loaded(planner, queue->numa)))
		return false;
	thread_take(thread, queue);
	return true;
}

// --- Threads that have nothing ---

// The queue that `to` takes best from the others: off the busiest that can spare one, the busiest
// of those that are no more than half of what it has, or else the idlest.
static struct affinity_queue *to_spare(struct planner *planner, const struct affinity_thread *to,
	struct affinity_queue *queues, size_t n_queues)
{
	const struct affinity_thread *busiest = NULL;
	struct affinity_queue *best = NULL;

	for (size_t i = 0; i < n_queues; i++) {
		struct affinity_queue *queue = &queues[i];
		const struct affinity_thread *from = thread_on(planner, queue->core);
		bool half, better;

		if (!from || queue->pinned >= 0 || from->n_queues < 2 ||
			!thread_fits(to, queue->numa))
			continue;
		if (busiest && from != busiest &&
			(from->load < busiest->load ||
				(from->load == busiest->load &&
					from->n_queues <= busiest->n_queues)))
			continue;
		half = queue->load <= from->load / 2;
		better = !best || from != busiest ||
			 (best->load <= from->load / 2 ? half && queue->load > best->load
						       : half || queue->load < best->load);
		busiest = from;
		if (better)
			best = queue;
	}
	return best;
}

// Each takes one; the others keep at least one, so this ends.
static void fill(struct planner *planner, struct affinity_queue *queues, size_t n_queues)
{
	for (size_t i = 0; i < planner->n_threads; i++) {
		struct affinity_thread *to = &planner->threads[i], *from;
		struct affinity_queue *queue;

		while (!to->isolated && (to->n_queues == 0 || to->load == 0)) {
			queue = to_spare(planner, to, queues, n_queues);
			from = queue ? thread_on(planner, queue->core) : NULL;
			if (!from || from->n_queues <= to->n_queues + 1)
				break;
			from->load -= queue->load;
			from->n_queues--;
			thread_take(to, queue);
		}
	}
}

// --- Plans ---

void affinity_plan(struct affinity_thread *threads, size_t n_threads, struct affinity_queue *queues,
	size_t n_queues, struct affinity_rules rules)
{
	struct planner planner = {
		.threads = threads,
		.n_threads = n_threads,
		.rules = rules,
		.turns = calloc(n_threads + 1, sizeof(*planner.turns)),
	};
	struct affinity_queue **order = calloc(n_queues + 1, sizeof(*order));
	size_t count = 0;

	for (size_t i = 0; i < n_threads; i++) {
		threads[i].isolated = false;
		threads[i].load = 0;
		threads[i].n_queues = 0;
	}
	place_pinned(&planner, queues, n_queues);
	for (size_t i = 0; order && i < n_queues; i++) {
		if (queues[i].pinned < 0 &&
			(rules.pace == AFFINITY_FRESH || !place_present(&planner, &queues[i])))
			order[count++] = &queues[i];
	}
	if (rules.policy != AFFINITY_ROUNDROBIN && order)
		qsort(order, count, sizeof(*order), compare_load);
	for (size_t i = 0; planner.turns && i < count; i++)
		place(&planner, order[i]);
	if (rules.pace == AFFINITY_FILL)
		fill(&planner, queues, n_queues);
	free(order);
	free(planner.turns);
}

// --- Rebalancing ---

static void balance_get(const struct affinity_thread *threads, size_t n_threads,
	const struct affinity_queue *queues, size_t n_queues, struct affinity_balance *balance)
{
	*balance = (struct affinity_balance){0};
	for (size_t i = 0; i < n_queues; i++)
		balance->crossing += queues[i].crosses;
	for (size_t i = 0; i < n_threads; i++) {
		double sum = 0, squares = 0, load, count = 0;
		bool first = true;

		if (threads[i].load > balance->highest)
			balance->highest = threads[i].load;
		for (size_t j = 0; j < n_threads; j++) {
			if (threads[j].isolated || threads[j].numa != threads[i].numa)
				continue;
			first = first && j >= i;
			load = (double)threads[j].load;
			sum += load;
			squares += load * load;
			count++;
		}
		// Once for each node.
		if (first && !threads[i].isolated)
			balance->variance += squares / count - sum / count * (sum / count);
	}
	if (balance->variance < 0)
		balance->variance = 0; // rounding
}

// A plan names groups of queues by the core that they are for; another core of the node would do
// as well, so which of them gets which group is chosen by what it polls already.
struct naming {
	size_t group; // threads: the one that the plan has the group at,
	size_t at;    // and the one that it could be at
	uint64_t kept, queues_kept;
};

static int compare_namings(const void *a, const void *b)
{
	const struct naming *x = a, *y = b;

	if (x->kept != y->kept)
		return x->kept < y->kept ? 1 : -1;
	if (x->queues_kept != y->queues_kept)
		return x->queues_kept < y->queues_kept ? 1 : -1;
	// All else being equal, nothing moves.
	if ((x->group == x->at) != (y->group == y->at))
		return x->group == x->at ? -1 : 1;
	return x->group != y->group ? (x->group < y->group ? -1 : 1)
				    : (x->at > y->at) - (x->at < y->at);
}

static bool has_pinned(
	const struct affinity_thread *thread, const struct affinity_queue *queues, size_t n_queues)
{
	for (size_t i = 0; i < n_queues; i++) {
		if (queues[i].pinned >= 0 && queues[i].core == thread->core)
			return true;
	}
	return false;
}

static struct naming naming_of(const struct affinity_thread *threads, size_t group, size_t at,
	const struct affinity_queue *queues, size_t n_queues)
{
	struct naming naming = {group, at, 0, 0};

	for (size_t i = 0; i < n_queues; i++) {
		if (queues[i].core != threads[group].core || queues[i].present != threads[at].core)
			continue;
		naming.kept += queues[i].load;
		naming.queues_kept++;
	}
	return naming;
}

// names[group] becomes the thread that gets it. What pinned queues are on stays. False: no memory.
static bool groups_name(const struct affinity_thread *threads, size_t n_threads,
	const struct affinity_queue *queues, size_t n_queues, size_t names[])
{
	struct naming *namings = calloc(n_threads * n_threads + 1, sizeof(*namings));
	bool *taken = calloc(2 * n_threads + 1, sizeof(*taken)), *named = taken + n_threads;
	size_t count = 0;

	for (size_t g = 0; namings && taken && g < n_threads; g++) {
		names[g] = g;
		if (has_pinned(&threads[g], queues, n_queues))
			continue;
		for (size_t t = 0; t < n_threads; t++) {
			if (threads[t].numa == threads[g].numa &&
				!has_pinned(&threads[t], queues, n_queues))
				namings[count++] = naming_of(threads, g, t, queues, n_queues);
		}
	}
	if (namings && taken)
		qsort(namings, count, sizeof(*namings), compare_namings);
	for (size_t i = 0; namings && taken && i < count; i++) {
		if (named[namings[i].group] || taken[namings[i].at])
			continue;
		named[namings[i].group] = taken[namings[i].at] = true;
		names[namings[i].group] = namings[i].at;
	}
	free(namings);
	free(taken);
	return namings && taken;
}

// Put every queue of the plan where present says that most of its group is.
static void groups_settle(struct affinity_thread *threads, size_t n_threads,
	struct affinity_queue *queues, size_t n_queues)
{
	size_t *names = calloc(n_threads + 1, sizeof(*names));

	if (names && groups_name(threads, n_threads, queues, n_queues, names)) {
		struct planner planner = {.threads = threads, .n_threads = n_threads};

		for (size_t i = 0; i < n_threads; i++)
			threads[i].load = threads[i].n_queues = 0;
		for (size_t i = 0; i < n_queues; i++) {
			struct affinity_thread *thread = thread_on(&planner, queues[i].core);

			if (thread)
				thread_take(&threads[names[thread - threads]], &queues[i]);
		}
	}
	free(names);
}

bool affinity_rebalance(struct affinity_thread *threads, size_t n_threads,
	struct affinity_queue *queues, size_t n_queues, struct affinity_rules rules,
	struct affinity_balance *before, struct affinity_balance *after)
{
	rules.pace = AFFINITY_KEEP;
	affinity_plan(threads, n_threads, queues, n_queues, rules);
	balance_get(threads, n_threads, queues, n_queues, before);
	rules.pace = AFFINITY_FRESH;
	affinity_plan(threads, n_threads, queues, n_queues, rules);
	groups_settle(threads, n_threads, queues, n_queues);
	balance_get(threads, n_threads, queues, n_queues, after);
	// The sums of the same loads in another order differ a little.
	if (after->crossing < before->crossing ||
		(after->crossing == before->crossing &&
			after->variance < before->variance * (1 - 1e-9)))
		return true;
	rules.pace = AFFINITY_KEEP;
	affinity_plan(threads, n_threads, queues, n_queues, rules);
	*after = *before;
	return false;
}

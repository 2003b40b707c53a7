// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <time.h>

#include "pipeline/flow_set.h"

// --- Requests ---

static void flow_make(
	struct flow *flow, uint8_t table, uint16_t priority, uint16_t in_port, uint16_t output)
{
	flow_init(flow);
	flow->table = table;
	flow->priority = priority;
	if (in_port) {
		flow->match.mask.in_port = 0xffff;
		flow->match.value.in_port = htons(in_port);
	}
	if (output) {
		flow->actions.items = calloc(1, sizeof(struct action));
		assert_non_null(flow->actions.items);
		flow->actions.count = 1;
		flow->actions.items[0].id = ACTION_OUTPUT;
		flow->actions.items[0].port = output;
	}
}

static struct flow_request request_make(enum flow_command command, uint8_t table, uint16_t priority,
	uint16_t in_port, uint16_t output)
{
	struct flow_request request = {
		.command = command,
		.filter = {.out_port = OFPORT_NONE},
	};

	flow_make(&request.flow, table, priority, in_port, output);
	return request;
}

static size_t apply(struct flow_set *set, struct flow_request request)
{
	struct flow_error error;
	size_t affected = SIZE_MAX;

	assert_int_equal(flow_set_apply(set, &request, 1000, &affected, &error), 0);
	flow_request_destroy(&request);
	return affected;
}

static size_t add(
	struct flow_set *set, uint8_t table, uint16_t priority, uint16_t in_port, uint16_t output)
{
	return apply(set, request_make(FLOW_ADD, table, priority, in_port, output));
}

static uint16_t output_of(const struct flow_entry *entry)
{
	return entry->flow.actions.count ? entry->flow.actions.items[0].port : 0;
}

static size_t changes_of(struct flow_set *set, size_t *added, size_t *removed, size_t *modified)
{
	const struct flow_change *changes;
	size_t count = flow_set_changes(set, &changes);
	size_t counts[3] = {0};
	bool only_removals = true;

	for (size_t c = 0; c < count; c++) {
		counts[changes[c].kind]++;
		assert_true(only_removals || changes[c].kind != FLOW_REMOVED);
		only_removals &= changes[c].kind == FLOW_REMOVED;
	}
	*added = counts[FLOW_ADDED];
	*removed = counts[FLOW_REMOVED];
	*modified = counts[FLOW_MODIFIED];
	return count;
}

static void check_changes(struct flow_set *set, size_t added, size_t removed, size_t modified)
{
	size_t a, r, m;

	changes_of(set, &a, &r, &m);
	assert_int_equal(a, added);
	assert_int_equal(r, removed);
	assert_int_equal(m, modified);
}

// --- Single properties ---

static void test_add_and_replace(void **state)
{
	struct flow_set *set = flow_set_create();
	const struct flow_change *changes;

	flow_set_begin(set);
	assert_int_equal(add(set, 0, 10, 1, 2), 1);
	check_changes(set, 1, 0, 0);
	flow_set_commit(set);
	assert_int_equal(flow_set_count(set), 1);
	assert_int_equal(output_of(flow_set_find(set, 1)), 2);
	assert_int_equal(flow_set_find(set, 1)->created_ms, 1000);

	flow_set_begin(set);
	add(set, 0, 10, 1, 3);
	assert_int_equal(flow_set_changes(set, &changes), 2);
	assert_int_equal(changes[0].kind, FLOW_REMOVED);
	assert_int_equal(changes[0].entry->id, 1);
	assert_int_equal(output_of(changes[0].entry), 2);
	assert_int_equal(changes[1].kind, FLOW_ADDED);
	assert_int_equal(changes[1].entry->id, 2);
	flow_set_commit(set);
	assert_null(flow_set_find(set, 1));
	assert_int_equal(output_of(flow_set_find(set, 2)), 3);
	flow_set_destroy(set);
	flow_set_destroy(NULL);
}

static void test_abort_restores(void **state)
{
	struct flow_set *set = flow_set_create();

	flow_set_begin(set);
	add(set, 0, 10, 1, 2);
	add(set, 0, 10, 2, 2);
	flow_set_commit(set);
	flow_set_begin(set);
	add(set, 0, 10, 1, 9);                                     // replaces 1
	apply(set, request_make(FLOW_MODIFY, 0, 0, 0, 7));         // all
	apply(set, request_make(FLOW_DELETE_STRICT, 0, 10, 2, 0)); // 2
	add(set, 0, 10, 2, 8);
	check_changes(set, 2, 2, 0);
	flow_set_abort(set);
	assert_int_equal(flow_set_count(set), 2);
	assert_int_equal(output_of(flow_set_find(set, 1)), 2);
	assert_int_equal(output_of(flow_set_find(set, 2)), 2);
	assert_int_equal(flow_set_find(set, 2)->modified_ms, 1000);
	check_changes(set, 0, 0, 0);
	// Identifiers of the aborted transaction are not used again.
	flow_set_begin(set);
	add(set, 0, 10, 3, 2);
	flow_set_commit(set);
	assert_null(flow_set_find(set, 3));
	assert_int_equal(flow_set_count(set), 3);
	flow_set_destroy(set);
}

static void test_changes_are_net(void **state)
{
	struct flow_set *set = flow_set_create();

	flow_set_begin(set);
	add(set, 0, 10, 1, 2);
	flow_set_commit(set);
	flow_set_begin(set);
	// Added and gone again.
	add(set, 0, 10, 5, 2);
	apply(set, request_make(FLOW_DELETE_STRICT, 0, 10, 5, 0));
	check_changes(set, 0, 0, 0);
	// Changed and changed back.
	apply(set, request_make(FLOW_MODIFY_STRICT, 0, 10, 1, 7));
	check_changes(set, 0, 0, 1);
	apply(set, request_make(FLOW_MODIFY_STRICT, 0, 10, 1, 2));
	check_changes(set, 0, 0, 0);
	// Changed, then removed: what is removed is what was there before.
	apply(set, request_make(FLOW_MODIFY_STRICT, 0, 10, 1, 7));
	assert_int_equal(flow_set_remove(set, 1), 0);
	assert_int_equal(flow_set_remove(set, 1), -ENOENT);
	const struct flow_change *changes;
	assert_int_equal(flow_set_changes(set, &changes), 1);
	assert_int_equal(changes[0].kind, FLOW_REMOVED);
	assert_int_equal(output_of(changes[0].entry), 2);
	flow_set_commit(set);
	assert_int_equal(flow_set_count(set), 0);
	flow_set_destroy(set);
}

static void test_check_overlap(void **state)
{
	struct flow_set *set = flow_set_create();
	struct flow_request request = request_make(FLOW_ADD, 0, 10, 0, 2);
	struct flow_error error;
	size_t affected;

	flow_set_begin(set);
	add(set, 0, 10, 1, 2);
	request.flow.flags = FLOW_CHECK_OVERLAP;
	assert_int_equal(flow_set_apply(set, &request, 1000, &affected, &error), -EINVAL);
	assert_int_equal(affected, 0);
	assert_int_equal(error.kind, FLOW_ERROR_OVERLAP);
	assert_non_null(strstr(error.message, "in_port=1"));
	flow_request_destroy(&request);
	flow_set_abort(set);

	flow_set_begin(set);
	add(set, 0, 10, 1, 2);
	// Other priority, other table, disjoint, the same place: no overlap.
	for (unsigned n = 0; n < 4; n++) {
		request = request_make(FLOW_ADD, n == 1, n == 0 ? 11 : 10,
			n == 2   ? 2
			: n == 3 ? 1
				 : 0,
			2);
		request.flow.flags = FLOW_CHECK_OVERLAP;
		assert_int_equal(apply(set, request), 1);
	}
	flow_set_commit(set);
	assert_int_equal(flow_set_count(set), 4);
	flow_set_destroy(set);
}

static void test_modify(void **state)
{
	struct flow_set *set = flow_set_create();
	struct flow_request request;

	flow_set_begin(set);
	add(set, 0, 10, 1, 2);
	add(set, 0, 20, 2, 2);
	add(set, 1, 20, 2, 2);
	flow_set_commit(set);
	flow_set_begin(set);
	// Loose: all that the match covers, in one table, whatever the priority.
	assert_int_equal(apply(set, request_make(FLOW_MODIFY, 0, 77, 0, 5)), 2);
	assert_int_equal(output_of(flow_set_find(set, 1)), 5);
	assert_int_equal(output_of(flow_set_find(set, 2)), 5);
	assert_int_equal(output_of(flow_set_find(set, 3)), 2);
	// Strict: that one. A flow that is not there is not made.
	assert_int_equal(apply(set, request_make(FLOW_MODIFY_STRICT, 0, 20, 2, 6)), 1);
	assert_int_equal(apply(set, request_make(FLOW_MODIFY_STRICT, 0, 21, 2, 6)), 0);
	assert_int_equal(output_of(flow_set_find(set, 2)), 6);
	check_changes(set, 0, 0, 2);
	// A cookie is set if one is given; the filter holds.
	request = request_make(FLOW_MODIFY, 0, 0, 0, 6);
	request.flow.cookie = 0x55;
	request.sets_cookie = true;
	request.filter.out_port = 6;
	assert_int_equal(apply(set, request), 1);
	assert_int_equal(flow_set_find(set, 2)->flow.cookie, 0x55);
	flow_set_commit(set);
	// The same actions and no new cookie: not a change, unless counts are reset.
	flow_set_begin(set);
	request = request_make(FLOW_MODIFY_STRICT, 0, 20, 2, 6);
	apply(set, request);
	check_changes(set, 0, 0, 0);
	request = request_make(FLOW_MODIFY_STRICT, 0, 20, 2, 6);
	request.flow.flags = FLOW_RESET_COUNTS;
	apply(set, request);
	check_changes(set, 0, 0, 1);
	assert_true(flow_set_find(set, 2)->flow.flags & FLOW_RESET_COUNTS);
	flow_set_commit(set);
	assert_false(flow_set_find(set, 2)->flow.flags & FLOW_RESET_COUNTS);
	flow_set_destroy(set);
}

static void test_delete_filters(void **state)
{
	struct flow_set *set = flow_set_create();
	struct flow_request request;

	flow_set_begin(set);
	for (uint16_t n = 1; n <= 6; n++) {
		request = request_make(FLOW_ADD, n % 2, 10, n, n);
		request.flow.cookie = n;
		apply(set, request);
	}
	request = request_make(FLOW_DELETE, 0, 0, 0, 0);
	request.filter.any_table = true;
	request.filter.cookie = 2;
	request.filter.cookie_mask = 3; // 2 and 6
	assert_int_equal(apply(set, request), 2);
	request = request_make(FLOW_DELETE, 0, 0, 0, 0);
	request.filter.any_table = true;
	request.filter.out_port = 5;
	assert_int_equal(apply(set, request), 1);
	assert_int_equal(apply(set, request_make(FLOW_DELETE, 1, 0, 0, 0)), 2);
	assert_int_equal(flow_set_count(set), 1);
	request = request_make(FLOW_DELETE_STRICT, 7, 10, 4, 0);
	request.filter.out_port = 9;
	request.filter.any_table = true;
	assert_int_equal(apply(set, request), 0);
	request = request_make(FLOW_DELETE_STRICT, 7, 10, 4, 0);
	request.filter.any_table = true;
	assert_int_equal(apply(set, request), 1);
	flow_set_commit(set);
	assert_int_equal(flow_set_count(set), 0);
	flow_set_destroy(set);
}

static void test_load(void **state)
{
	struct flow_set *set = flow_set_create();
	struct flow flow;

	flow_set_next_id(set, 100);
	flow_make(&flow, 0, 10, 1, 2);
	assert_int_equal(flow_set_load(set, 7, &flow, 55), 0);
	flow_make(&flow, 0, 10, 2, 2);
	assert_int_equal(flow_set_load(set, 7, &flow, 55), -EEXIST);
	flow_make(&flow, 0, 10, 1, 3);
	assert_int_equal(flow_set_load(set, 8, &flow, 55), -EEXIST);
	assert_int_equal(flow_set_find(set, 7)->created_ms, 55);
	flow_set_begin(set);
	check_changes(set, 0, 0, 0);
	add(set, 0, 10, 3, 2);
	flow_set_commit(set);
	assert_non_null(flow_set_find(set, 100));
	flow_make(&flow, 0, 10, 4, 2);
	assert_int_equal(flow_set_load(set, 500, &flow, 55), 0);
	flow_set_begin(set);
	add(set, 0, 10, 5, 2);
	flow_set_commit(set);
	assert_non_null(flow_set_find(set, 501));
	flow_set_destroy(set);
}

static void test_select_sorts(void **state)
{
	struct flow_set *set = flow_set_create();
	struct flow_request request = request_make(FLOW_DELETE, 0, 0, 0, 0);
	static const uint16_t order[][3] = {{0, 30, 1}, {0, 20, 1}, {0, 20, 0}, {2, 40, 3}};
	size_t count;

	flow_set_begin(set);
	add(set, 2, 40, 3, 1);
	add(set, 0, 20, 0, 1);
	add(set, 0, 30, 1, 1);
	add(set, 0, 20, 1, 1);
	flow_set_commit(set);
	request.filter.any_table = true;
	const struct flow_entry **entries = flow_set_select(set, &request, false, &count);
	assert_int_equal(count, 4);
	for (unsigned e = 0; e < 4; e++) {
		assert_int_equal(entries[e]->flow.table, order[e][0]);
		assert_int_equal(entries[e]->flow.priority, order[e][1]);
		assert_int_equal(ntohs(entries[e]->flow.match.value.in_port), order[e][2]);
	}
	free(entries);
	request.filter.any_table = false;
	request.flow.table = 9;
	assert_null(flow_set_select(set, &request, false, &count));
	assert_int_equal(count, 0);
	flow_set_destroy(set);
}

// --- Random transactions against a naive model ---

#define MODEL_FLOWS 400

struct model_flow {
	bool used;
	struct flow_entry entry; // with at most one output, kept in `output`
	uint16_t output;
};

struct model {
	struct model_flow flows[MODEL_FLOWS];
	uint64_t next_id;
};

static uint64_t random_state = 3;

static uint32_t below(uint32_t limit)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)((random_state >> 33) % limit);
}

static struct flow_request request_random(void)
{
	struct flow_request request =
		request_make(below(2) ? FLOW_ADD : (enum flow_command)(FLOW_MODIFY + below(4)),
			below(3), (uint16_t)(10 + below(2)), (uint16_t)below(6), 0);
	bool is_delete = request.command == FLOW_DELETE || request.command == FLOW_DELETE_STRICT;
	uint16_t output = (uint16_t)below(4);

	if (below(3) == 0) {
		request.flow.match.tp_dst.first = (uint16_t)(100 + below(2));
		request.flow.match.tp_dst.last = (uint16_t)(101 + below(4));
	}
	if (output && !is_delete) {
		struct flow other;

		flow_make(&other, 0, 0, 0, output);
		request.flow.actions = other.actions;
	}
	request.flow.cookie = below(3);
	request.sets_cookie = below(2);
	if (request.command != FLOW_ADD) {
		request.filter.any_table = below(3) == 0;
		request.filter.cookie = below(3);
		request.filter.cookie_mask = below(2) * 3;
		request.filter.out_port = below(3) ? OFPORT_NONE : (uint16_t)(1 + below(3));
	} else if (below(10) == 0) {
		request.flow.flags = FLOW_CHECK_OVERLAP;
	}
	return request;
}

static bool model_selects(const struct flow_request *request, const struct model_flow *model)
{
	const struct flow *flow = &model->entry.flow, *wanted = &request->flow;
	bool strict =
		request->command == FLOW_MODIFY_STRICT || request->command == FLOW_DELETE_STRICT;

	if (!model->used || (!request->filter.any_table && flow->table != wanted->table))
		return false;
	if ((flow->cookie ^ request->filter.cookie) & request->filter.cookie_mask)
		return false;
	if (request->filter.out_port != OFPORT_NONE && request->filter.out_port != model->output)
		return false;
	if (strict)
		return flow->priority == wanted->priority &&
		       match_equal(&flow->match, &wanted->match);
	return match_covers(&wanted->match, &flow->match);
}

static int model_add(struct model *model, const struct flow_request *request)
{
	const struct flow *flow = &request->flow;
	struct model_flow *place = NULL, *free_place = NULL;
	bool overlaps = false;

	for (unsigned f = 0; f < MODEL_FLOWS; f++) {
		struct model_flow *other = &model->flows[f];
		const struct flow *there = &other->entry.flow;

		if (!other->used) {
			free_place = other;
		} else if (there->table == flow->table && there->priority == flow->priority) {
			if (match_equal(&there->match, &flow->match))
				place = other;
			overlaps |= match_overlaps(&there->match, &flow->match);
		}
	}
	if (!place && overlaps && (flow->flags & FLOW_CHECK_OVERLAP))
		return -EINVAL;
	if (!place)
		place = free_place;
	assert_non_null(place);
	place->used = true;
	place->output = flow->actions.count ? flow->actions.items[0].port : 0;
	place->entry.flow = *flow;
	place->entry.flow.actions = (struct action_list){0};
	place->entry.id = model->next_id++;
	return 1;
}

// The number of flows affected, or -EINVAL.
static int model_apply(struct model *model, const struct flow_request *request)
{
	int affected = 0;

	if (request->command == FLOW_ADD)
		return model_add(model, request);
	for (unsigned f = 0; f < MODEL_FLOWS; f++) {
		struct model_flow *flow = &model->flows[f];

		if (!model_selects(request, flow))
			continue;
		affected++;
		if (request->command == FLOW_DELETE || request->command == FLOW_DELETE_STRICT) {
			flow->used = false;
			continue;
		}
		flow->output =
			request->flow.actions.count ? request->flow.actions.items[0].port : 0;
		if (request->sets_cookie)
			flow->entry.flow.cookie = request->flow.cookie;
	}
	return affected;
}

static void check_same(const struct flow_set *set, const struct model *model)
{
	size_t count = 0;

	for (unsigned f = 0; f < MODEL_FLOWS; f++) {
		const struct model_flow *flow = &model->flows[f];
		const struct flow_entry *entry;

		if (!flow->used)
			continue;
		count++;
		entry = flow_set_find(set, flow->entry.id);
		assert_non_null(entry);
		assert_true(flow_same_place(&entry->flow, &flow->entry.flow));
		assert_int_equal(entry->flow.cookie, flow->entry.flow.cookie);
		assert_int_equal(output_of(entry), flow->output);
	}
	assert_int_equal(flow_set_count(set), count);
}

static const struct model_flow *model_find(const struct model *model, uint64_t id)
{
	for (unsigned f = 0; f < MODEL_FLOWS; f++) {
		if (model->flows[f].used && model->flows[f].entry.id == id)
			return &model->flows[f];
	}
	return NULL;
}

// The changes lead from `before` to `after`, and there are no others.
static void check_net(struct flow_set *set, const struct model *before, const struct model *after)
{
	size_t want_added = 0, want_removed = 0, want_modified = 0;

	for (unsigned f = 0; f < MODEL_FLOWS; f++) {
		const struct model_flow *old = &before->flows[f], *now = &after->flows[f];
		const struct model_flow *was = now->used ? model_find(before, now->entry.id) : NULL;

		want_removed += old->used && !model_find(after, old->entry.id);
		want_added += now->used && !was;
		want_modified += was && (was->output != now->output ||
						was->entry.flow.cookie != now->entry.flow.cookie);
	}
	check_changes(set, want_added, want_removed, want_modified);
}

static void test_random_transactions(void **state)
{
	static struct model model, before;
	struct flow_set *set = flow_set_create();
	unsigned aborted = 0;

	model.next_id = 1;
	for (unsigned round = 0; round < 3000; round++) {
		bool refused = false;

		before = model;
		flow_set_begin(set);
		for (unsigned n = below(6); n > 0 && !refused; n--) {
			struct flow_request request = request_random();
			struct flow_error error;
			size_t affected = 0;
			int want = model_apply(&model, &request);
			int got = flow_set_apply(set, &request, round, &affected, &error);

			refused = want < 0;
			assert_int_equal(got, refused ? -EINVAL : 0);
			if (!refused)
				assert_int_equal(affected, want);
			flow_request_destroy(&request);
		}
		if (!refused)
			check_net(set, &before, &model);
		if (refused || below(4) == 0) {
			before.next_id = model.next_id;
			model = before;
			flow_set_abort(set);
			aborted++;
		} else {
			flow_set_commit(set);
		}
		check_same(set, &model);
	}
	assert_true(aborted > 300 && aborted < 2500);
	flow_set_destroy(set);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// Strict operations do not slow down with the number of flows: linear time would be minutes.
static void test_many_flows(void **state)
{
	enum { COUNT = 100000 };
	struct flow_set *set = flow_set_create();
	double start = seconds();

	flow_set_begin(set);
	for (uint32_t n = 0; n < COUNT; n++) {
		struct flow_request request = request_make(FLOW_ADD, 0, 100, 1, 2);

		request.flow.match.mask.nw_dst = UINT32_MAX;
		request.flow.match.value.nw_dst = n;
		assert_int_equal(apply(set, request), 1);
	}
	check_changes(set, COUNT, 0, 0);
	flow_set_commit(set);
	flow_set_begin(set);
	for (uint32_t n = 0; n < COUNT; n++) {
		struct flow_request request = request_make(FLOW_DELETE_STRICT, 0, 100, 1, 0);

		request.flow.match.mask.nw_dst = UINT32_MAX;
		request.flow.match.value.nw_dst = n;
		assert_int_equal(apply(set, request), 1);
	}
	check_changes(set, 0, COUNT, 0);
	flow_set_abort(set);
	assert_int_equal(flow_set_count(set), COUNT);
	assert_true(seconds() - start < 10);
	flow_set_destroy(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add_and_replace),
		cmocka_unit_test(test_abort_restores),
		cmocka_unit_test(test_changes_are_net),
		cmocka_unit_test(test_check_overlap),
		cmocka_unit_test(test_modify),
		cmocka_unit_test(test_delete_filters),
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_select_sorts),
		cmocka_unit_test(test_random_transactions),
		cmocka_unit_test(test_many_flows),
	};

	return cmocka_run_group_tests_name("flow_set", tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
//
// Lint against counting packets: random flows over so few values that all packets can be tried.
#include <arpa/inet.h>

#include "lint_test.h"

#define PROGRAMS 700
#define PORTS 64 // of the transport protocol; matches name those below 32
#define KEYS (4 * 8 * PORTS)

struct key_set {
	uint64_t words[KEYS / 64];
};

static uint64_t random_state = 7;

static uint32_t random_below(uint32_t limit)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)((random_state >> 33) % limit);
}

static void flow_random(struct flow *flow)
{
	struct match *match = &flow->match;

	flow_init(flow);
	flow->table = random_below(4) == 0;
	flow->priority = (uint16_t)(1 + random_below(4));
	if (random_below(5) == 0)
		flow->idle_timeout = 10;
	if (random_below(2)) {
		match->mask.in_port = 0xffff;
		match->value.in_port = htons((uint16_t)(1 + random_below(3)));
	}
	match->mask.reg_low[0] = htonl(random_below(8) & random_below(8));
	match->value.reg_low[0] = htonl(random_below(8)) & match->mask.reg_low[0];
	switch (random_below(3)) {
	case 0:
		match->tp_dst.first = (uint16_t)random_below(32);
		match->tp_dst.last =
			(uint16_t)(match->tp_dst.first + random_below(32u - match->tp_dst.first));
		break;
	case 1:
		match->mask.tp_dst = random_below(2) ? 0xffff : htons((uint16_t)random_below(32));
		match->value.tp_dst = htons((uint16_t)random_below(32)) & match->mask.tp_dst;
		break;
	default:
		break;
	}
	flow->actions.items = calloc(1, sizeof(struct action));
	assert_non_null(flow->actions.items);
	flow->actions.count = 1;
	flow->actions.items[0].id = ACTION_OUTPUT;
	flow->actions.items[0].port = (uint16_t)(1 + random_below(2));
}

static void key_set_make(struct key_set *set, const struct match *match)
{
	memset(set, 0, sizeof(*set));
	for (unsigned n = 0; n < KEYS; n++) {
		struct packet_key key = {
			.in_port = htons((uint16_t)(n / PORTS / 8)),
			.reg_low[0] = htonl(n / PORTS % 8),
			.tp_dst = htons((uint16_t)(n % PORTS)),
		};

		if (match_hits(match, &key))
			set->words[n / 64] |= UINT64_C(1) << (n % 64);
	}
}

static bool includes(const struct key_set *a, const struct key_set *b)
{
	for (unsigned w = 0; w < KEYS / 64; w++) {
		if (b->words[w] & ~a->words[w])
			return false;
	}
	return true;
}

static bool intersects(const struct key_set *a, const struct key_set *b)
{
	for (unsigned w = 0; w < KEYS / 64; w++) {
		if (b->words[w] & a->words[w])
			return true;
	}
	return false;
}

static bool goes_before(const struct flow *a, const struct flow *b)
{
	if (a->table != b->table || a->priority < b->priority)
		return false;
	return a->priority > b->priority || match_compare(&a->match, &b->match) < 0;
}

struct expectation {
	bool hidden;
	bool doubled;
	bool overlaps;
	const struct flow *first; // that overlaps it
};

static void expect(const struct linted *linted, struct expectation *expected)
{
	static struct key_set sets[LINTED_MAX];

	for (size_t i = 0; i < linted->count; i++)
		key_set_make(&sets[i], &linted->flows[i].match);
	for (size_t i = 0; i < linted->count; i++) {
		for (size_t j = 0; j < linted->count; j++) {
			const struct flow *flow = &linted->flows[i], *other = &linted->flows[j];

			if (!goes_before(other, flow) || other->idle_timeout ||
				!includes(&sets[j], &sets[i]))
				continue;
			expected[i].hidden = true;
			if (match_equal(&other->match, &flow->match) &&
				action_list_equal(&other->actions, &flow->actions))
				expected[i].doubled = true;
		}
	}
	for (size_t i = 0; i < linted->count; i++) {
		for (size_t j = 0; j < linted->count; j++) {
			const struct flow *flow = &linted->flows[i], *other = &linted->flows[j];

			if (goes_before(other, flow) && other->priority == flow->priority &&
				!expected[i].hidden && !expected[j].hidden &&
				!action_list_equal(&other->actions, &flow->actions) &&
				intersects(&sets[i], &sets[j])) {
				expected[i].overlaps = true;
				if (!expected[i].first || goes_before(other, expected[i].first))
					expected[i].first = other;
			}
		}
	}
}

static void find(const struct linted *linted, struct expectation *found)
{
	for (size_t i = 0; i < linted->lint.count; i++) {
		const struct flow_finding *finding = &linted->lint.findings[i];
		const struct flow *flow = &linted->flows[finding->flow];
		const struct flow *other =
			finding->other == FLOW_LINT_NONE ? NULL : &linted->flows[finding->other];

		if (finding->kind == FLOW_LINT_SHADOWED || finding->kind == FLOW_LINT_DUPLICATE) {
			assert_false(found[finding->flow].hidden);
			found[finding->flow].hidden = true;
			found[finding->flow].doubled = finding->kind == FLOW_LINT_DUPLICATE;
			assert_true(goes_before(other, flow));
			assert_true(match_covers(&other->match, &flow->match));
		} else if (finding->kind == FLOW_LINT_OVERLAP) {
			assert_false(found[finding->flow].overlaps);
			found[finding->flow].overlaps = true;
			found[finding->flow].first = other;
			assert_true(goes_before(other, flow));
			assert_true(match_overlaps(&other->match, &flow->match));
		}
	}
}

static void test_against_packets(void **state)
{
	size_t hidden = 0, doubled = 0, overlapping = 0;

	for (unsigned program = 0; program < PROGRAMS; program++) {
		struct expectation expected[LINTED_MAX] = {0}, found[LINTED_MAX] = {0};
		struct linted *linted = linted_new();
		size_t wanted = 2 + random_below(LINTED_MAX - 2);

		while (linted->count < wanted) {
			struct flow *flow = &linted->flows[linted->count];
			size_t same = 0;

			flow_random(flow);
			while (!flow_same_place(&linted->flows[same], flow))
				same++;
			if (same < linted->count) {
				flow_destroy(flow);
				wanted--;
			} else {
				linted->count++;
			}
		}
		linted_run(linted, NULL);
		assert_true(linted->lint.complete);
		expect(linted, expected);
		find(linted, found);
		for (size_t i = 0; i < linted->count; i++) {
			if (memcmp(&expected[i], &found[i], sizeof(found[i])) != 0)
				fail_msg(
					"program %u, %s: hidden %d %d doubled %d %d overlaps %d %d",
					program, flow_format_exact(&linted->flows[i]),
					expected[i].hidden, found[i].hidden, expected[i].doubled,
					found[i].doubled, expected[i].overlaps, found[i].overlaps);
			hidden += found[i].hidden;
			doubled += found[i].doubled;
			overlapping += found[i].overlaps;
		}
		linted_free(linted);
	}
	print_message(
		"%zu hidden, %zu of them doubled, %zu overlapping\n", hidden, doubled, overlapping);
	assert_true(hidden > 500 && doubled > 20 && overlapping > 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_packets)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

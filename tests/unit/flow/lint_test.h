// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the tests of lint share: a list of flows that lint has looked at.

#include "flow_test.h"

#include "pipeline/flow_lint.h"

#define LINTED_MAX 64

struct linted {
	struct flow flows[LINTED_MAX];
	const struct flow *list[LINTED_MAX];
	size_t count;
	struct flow_lint lint;
};

static inline void linted_run(struct linted *linted, const struct port_names *ports)
{
	for (size_t i = 0; i < linted->count; i++)
		linted->list[i] = &linted->flows[i];
	assert_int_equal(flow_lint_run(&linted->lint, linted->list, linted->count, ports), 0);
}

static inline void linted_free(struct linted *linted)
{
	flow_lint_destroy(&linted->lint);
	for (size_t i = 0; i < linted->count; i++)
		flow_destroy(&linted->flows[i]);
	free(linted);
}

static inline struct linted *linted_new(void)
{
	struct linted *linted = aligned_alloc(64, sizeof(*linted));

	assert_non_null(linted);
	memset(linted, 0, sizeof(*linted));
	return linted;
}

// SPDX-License-Identifier: Apache-2.0
#include "vswitch/affinity.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

// --- Sets of cores ---

bool core_set_has(const struct core_set *set, uint32_t core)
{
	return core < AFFINITY_CORES_MAX && (set->words[core / 64] >> (core % 64) & 1);
}

static void core_set_add(struct core_set *set, uint32_t core)
{
	set->words[core / 64] |= 1ull << (core % 64);
}

size_t core_set_count(const struct core_set *set)
{
	size_t count = 0;

	for (size_t i = 0; i < AFFINITY_CORES_MAX / 64; i++)
		count += (size_t)__builtin_popcountll(set->words[i]);
	return count;
}

static int parse_mask(struct core_set *set, const char *text, struct rpc_error *error)
{
	const char *digits = strncasecmp(text, "0x", 2) == 0 ? text + 2 : text;
	size_t length = strlen(digits);

	for (size_t i = 0; i < length; i++) {
		char digit[2] = {digits[length - 1 - i], '\0'};
		unsigned value;

		if (!isxdigit((unsigned char)digit[0])) {
			rpc_error_set(error, RPC_INVALID_PARAMS,
				"pmd-cpu-mask: \"%s\" is neither a hexadecimal mask (0x3c) "
				"nor a list of cores (2-5,8)",
				text);
			return -EINVAL;
		}
		value = (unsigned)strtoul(digit, NULL, 16);
		if (value && i * 4 + 3 >= AFFINITY_CORES_MAX) {
			rpc_error_set(error, RPC_INVALID_PARAMS,
				"pmd-cpu-mask: cores above %d are not supported",
				AFFINITY_CORES_MAX - 1);
			return -EINVAL;
		}
		for (uint32_t bit = 0; bit < 4; bit++) {
			if (value >> bit & 1)
				core_set_add(set, (uint32_t)i * 4 + bit);
		}
	}
	return 0;
}

// A decimal number at *text, which moves behind it. False if there is none in range.
static bool parse_core(const char **text, uint32_t *core)
{
	char *end;
	unsigned long value;

	if (!isdigit((unsigned char)**text))
		return false;
	value = strtoul(*text, &end, 10);
	if (value >= AFFINITY_CORES_MAX)
		return false;
	*core = (uint32_t)value;
	*text = end;
	return true;
}

static int parse_list(struct core_set *set, const char *text, struct rpc_error *error)
{
	const char *at = text;
	uint32_t first;
	uint32_t last;

	do {
		if (*at == ',')
			at++;
		if (!parse_core(&at, &first))
			goto fail;
		last = first;
		if (*at == '-' && (at++, !parse_core(&at, &last)))
			goto fail;
		if (last < first)
			goto fail;
		for (uint32_t core = first; core <= last; core++)
			core_set_add(set, core);
	} while (*at == ',');
	if (!*at)
		return 0;
fail:
	rpc_error_set(error, RPC_INVALID_PARAMS,
		"pmd-cpu-mask: \"%s\" is wrong at \"%s\"; write a list of cores as 2-5,8 "
		"(0..%d)",
		text, at, AFFINITY_CORES_MAX - 1);
	return -EINVAL;
}

int core_set_parse(struct core_set *set, const char *text, struct rpc_error *error)
{
	int rc;

	memset(set, 0, sizeof(*set));
	if (strpbrk(text, ",-"))
		rc = parse_list(set, text, error);
	else
		rc = parse_mask(set, text, error);
	if (rc == 0 && core_set_count(set) == 0) {
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"pmd-cpu-mask: \"%s\" names no core; to go back to the default, "
			"remove the key",
			text);
		rc = -EINVAL;
	}
	return rc;
}

void core_set_default(struct core_set *set, const struct affinity_core *cores, size_t n_cores)
{
	memset(set, 0, sizeof(*set));
	for (size_t i = 0; i < n_cores; i++) {
		uint32_t best = cores[i].id;
		bool first = true;

		for (size_t j = 0; j < n_cores; j++) {
			if (cores[j].numa != cores[i].numa)
				continue;
			first = first && j >= i;
			if (best == 0 || (cores[j].id && cores[j].id < best))
				best = cores[j].id;
		}
		if (first && best < AFFINITY_CORES_MAX)
			core_set_add(set, best);
	}
}

bool core_set_check(const struct core_set *set, const struct affinity_core *cores, size_t n_cores,
	struct rpc_error *error)
{
	char known[256] = "";
	size_t used = 0;

	for (uint32_t core = 0; core < AFFINITY_CORES_MAX; core++) {
		bool found = !core_set_has(set, core);

		for (size_t i = 0; i < n_cores && !found; i++)
			found = cores[i].id == core;
		if (found)
			continue;
		for (size_t i = 0; i < n_cores && used < sizeof(known); i++)
			used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%u",
				i ? ", " : "", cores[i].id);
		rpc_error_set(error, RPC_REFUSED,
			"pmd-cpu-mask: the datapath cannot use core %u (it has: %s)", core, known);
		return false;
	}
	return true;
}

// --- Pins ---

int affinity_pins_parse(
	const char *text, struct affinity_pin *pins, size_t limit, struct rpc_error *error)
{
	const char *at = text;
	size_t count = 0;

	do {
		struct affinity_pin pin;

		if (*at == ',')
			at++;
		if (!parse_core(&at, &pin.queue) || *at++ != ':' || !parse_core(&at, &pin.core)) {
			rpc_error_set(error, RPC_INVALID_PARAMS,
				"pmd-rxq-affinity: \"%s\" is wrong; write queue:core pairs, "
				"as in 0:3,1:7",
				text);
			return -EINVAL;
		}
		for (size_t i = 0; i < count; i++) {
			if (pins[i].queue == pin.queue) {
				rpc_error_set(error, RPC_INVALID_PARAMS,
					"pmd-rxq-affinity: queue %u is pinned twice in "
					"\"%s\"",
					pin.queue, text);
				return -EINVAL;
			}
		}
		if (count == limit) {
			rpc_error_set(error, RPC_INVALID_PARAMS,
				"pmd-rxq-affinity: more than %zu queues", limit);
			return -EINVAL;
		}
		pins[count++] = pin;
	} while (*at == ',');
	if (*at) {
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"pmd-rxq-affinity: \"%s\" is wrong at \"%s\"; write queue:core "
			"pairs, as in 0:3,1:7",
			text, at);
		return -EINVAL;
	}
	return (int)count;
}

enum affinity_policy affinity_policy_find(const char *name)
{
	if (name && strcmp(name, "cycles") == 0)
		return AFFINITY_CYCLES;
	if (name && strcmp(name, "roundrobin") == 0)
		return AFFINITY_ROUNDROBIN;
	return AFFINITY_GROUP;
}

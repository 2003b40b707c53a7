// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "tests/model/oracle.h"

// What became of a packet, as lists.

// Room for one more of `size` bytes.
static void *grow(void *items, size_t count, size_t *space, size_t size)
{
	if (count < *space)
		return items;
	*space = *space ? *space * 2 : 8;
	items = realloc(items, *space * size);
	if (!items)
		abort();
	return items;
}

static uint8_t *keep(const uint8_t *bytes, size_t length)
{
	uint8_t *kept = malloc(length + !length);

	if (!kept)
		abort();
	memcpy(kept, bytes, length);
	return kept;
}

void oracle_outcome_add(
	struct oracle_outcome *outcome, uint16_t port, const uint8_t *bytes, size_t length)
{
	outcome->outputs = grow(
		outcome->outputs, outcome->count, &outcome->space, sizeof(outcome->outputs[0]));
	outcome->outputs[outcome->count++] =
		(struct oracle_output){port, length, keep(bytes, length)};
}

void oracle_outcome_event(struct oracle_outcome *outcome, const struct packet_in *event, bool taken,
	const uint8_t *bytes, size_t length)
{
	outcome->events = grow(outcome->events, outcome->event_count, &outcome->event_space,
		sizeof(outcome->events[0]));
	outcome->events[outcome->event_count++] =
		(struct oracle_event){*event, taken, length, keep(bytes, length)};
}

static bool outputs_equal(const struct oracle_output *a, const struct oracle_output *b)
{
	return a->port == b->port && a->length == b->length &&
	       memcmp(a->bytes, b->bytes, a->length) == 0;
}

static bool events_equal(const struct oracle_event *a, const struct oracle_event *b)
{
	const struct packet_in *x = &a->event, *y = &b->event;

	return x->reason == y->reason && x->table == y->table && x->max_len == y->max_len &&
	       x->cookie == y->cookie && x->metadata == y->metadata && a->taken == b->taken &&
	       a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

bool oracle_outcomes_equal(const struct oracle_outcome *a, const struct oracle_outcome *b)
{
	if (a->count != b->count || a->event_count != b->event_count ||
		memcmp(a->drops, b->drops, sizeof(a->drops)) != 0)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (!outputs_equal(&a->outputs[i], &b->outputs[i]))
			return false;
	}
	for (size_t i = 0; i < a->event_count; i++) {
		if (!events_equal(&a->events[i], &b->events[i]))
			return false;
	}
	return true;
}

void oracle_outcome_free(struct oracle_outcome *outcome)
{
	for (size_t i = 0; i < outcome->count; i++)
		free(outcome->outputs[i].bytes);
	for (size_t i = 0; i < outcome->event_count; i++)
		free(outcome->events[i].bytes);
	free(outcome->outputs);
	free(outcome->events);
	memset(outcome, 0, sizeof(*outcome));
}

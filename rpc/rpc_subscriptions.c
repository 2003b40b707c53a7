// SPDX-License-Identifier: Apache-2.0
#include "rpc/rpc_subscriptions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/closest_word.h"

struct rpc_subscription {
	char *bridge;    // owned; NULL: all bridges
	uint32_t events; // one bit for each row, never 0
};

// --- Rows ---

int rpc_event_find(const struct rpc_event *rows, const char *name)
{
	for (int i = 0; rows != NULL && rows[i].name != NULL; i++)
		if (strcmp(rows[i].name, name) == 0)
			return i;
	return -1;
}

json_t *rpc_events_describe(const struct rpc_event *rows)
{
	json_t *list = json_array();

	for (; rows != NULL && rows->name != NULL; rows++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", rows->name,
						    "params", rows->params, "help", rows->help));
	return list;
}

static uint32_t events_all(const struct rpc_event *rows)
{
	uint32_t all = 0;

	for (int i = 0; rows[i].name != NULL; i++)
		all |= 1u << i;
	return all;
}

static void event_missing(const struct rpc_event *rows, const char *name, struct rpc_error *error)
{
	struct closest_word closest;
	char known[512] = "";
	char suggestion[96] = "";
	size_t used = 0;

	closest_word_begin(&closest, name);
	for (; rows->name != NULL; rows++) {
		closest_word_consider(&closest, rows->name);
		if (used < sizeof(known))
			used += snprintf(known + used, sizeof(known) - used, "%s%s",
				used > 0 ? ", " : "", rows->name);
	}
	if (closest.best != NULL)
		snprintf(suggestion, sizeof(suggestion), "; did you mean \"%.64s\"?", closest.best);
	rpc_error_set(error, RPC_INVALID_PARAMS,
		"events: there is no event \"%.64s\"%s%s There are: %s", name, suggestion,
		suggestion[0] != '\0' ? "" : ".", known);
}

// The events that the parameters name, 0 with *error.
static uint32_t events_get(
	const struct rpc_event *rows, const json_t *params, struct rpc_error *error)
{
	const json_t *names = json_object_get(params, "events");
	uint32_t events = 0;
	size_t index;
	json_t *item;

	if (names == NULL)
		return events_all(rows);
	json_array_foreach ((json_t *)names, index, item) {
		const char *name = json_string_value(item);
		int event = name != NULL ? rpc_event_find(rows, name) : -1;

		if (name == NULL) {
			rpc_error_set(error, RPC_INVALID_PARAMS,
				"events: item %zu is to be the name of an event", index + 1);
			return 0;
		}
		if (event < 0) {
			event_missing(rows, name, error);
			return 0;
		}
		events |= 1u << event;
	}
	if (events == 0)
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"events: name at least one; rpc.discover lists them");
	return events;
}

// --- One client ---

static bool is_same_bridge(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static struct rpc_subscription *item_find(
	const struct rpc_subscriptions *subscriptions, const char *bridge)
{
	for (size_t i = 0; i < subscriptions->count; i++)
		if (is_same_bridge(subscriptions->items[i].bridge, bridge))
			return &subscriptions->items[i];
	return NULL;
}

// The item of that bridge, made if there is none. NULL with *error.
static struct rpc_subscription *item_get(
	struct rpc_subscriptions *subscriptions, const char *bridge, struct rpc_error *error)
{
	struct rpc_subscription *item = item_find(subscriptions, bridge);
	struct rpc_subscription *items;
	char *copy;

	if (item != NULL)
		return item;
	if (subscriptions->count >= RPC_SUBSCRIPTIONS_MAX) {
		rpc_error_set(error, RPC_REFUSED,
			"this client has subscribed to %d bridges, which is the limit; leave out "
			"bridge to subscribe to all",
			RPC_SUBSCRIPTIONS_MAX);
		return NULL;
	}
	copy = bridge != NULL ? strdup(bridge) : NULL;
	items = reallocarray(subscriptions->items, subscriptions->count + 1, sizeof(*items));
	if (items != NULL)
		subscriptions->items = items;
	if (subscriptions->missed == NULL)
		subscriptions->missed = calloc(RPC_EVENTS_MAX, sizeof(*subscriptions->missed));
	if (items == NULL || subscriptions->missed == NULL || (bridge != NULL && copy == NULL)) {
		free(copy);
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
		return NULL;
	}
	item = &items[subscriptions->count++];
	*item = (struct rpc_subscription){.bridge = copy};
	return item;
}

// Take events out of one item, or of all if `item` is NULL; items that are left without go.
static void events_remove(
	struct rpc_subscriptions *subscriptions, struct rpc_subscription *only, uint32_t events)
{
	size_t kept = 0;

	for (size_t i = 0; i < subscriptions->count; i++) {
		struct rpc_subscription *item = &subscriptions->items[i];

		if (only == NULL || item == only)
			item->events &= ~events;
		if (item->events != 0)
			subscriptions->items[kept++] = *item;
		else
			free(item->bridge);
	}
	subscriptions->count = kept;
}

bool rpc_subscriptions_include(
	const struct rpc_subscriptions *subscriptions, int event, const char *bridge)
{
	for (size_t i = 0; i < subscriptions->count; i++) {
		const struct rpc_subscription *item = &subscriptions->items[i];

		if ((item->events >> event & 1) != 0 &&
			(item->bridge == NULL || is_same_bridge(item->bridge, bridge)))
			return true;
	}
	return false;
}

void rpc_subscriptions_clear(struct rpc_subscriptions *subscriptions)
{
	for (size_t i = 0; i < subscriptions->count; i++)
		free(subscriptions->items[i].bridge);
	free(subscriptions->items);
	free(subscriptions->missed);
	*subscriptions = (struct rpc_subscriptions){0};
}

// --- Methods ---

static json_t *answer(const struct rpc_events *events)
{
	const struct rpc_subscriptions *client = events->client;
	json_t *list = json_array();

	for (size_t i = 0; i < client->count; i++) {
		json_t *names = json_array();
		json_t *item = json_pack("{s:o}", "events", names);

		for (int event = 0; events->rows[event].name != NULL; event++)
			if ((client->items[i].events >> event & 1) != 0)
				json_array_append_new(names, json_string(events->rows[event].name));
		if (client->items[i].bridge != NULL)
			json_object_set_new(item, "bridge", json_string(client->items[i].bridge));
		json_array_append_new(list, item);
	}
	return json_pack("{s:o}", "subscriptions", list);
}

static bool bridge_check(const struct rpc_events *events, uint32_t wanted, const char *bridge,
	struct rpc_error *error)
{
	for (int event = 0; events->rows[event].name != NULL; event++) {
		const struct rpc_event *row = &events->rows[event];

		if ((wanted >> event & 1) != 0 && row->check != NULL &&
			!row->check(events->context, bridge, error))
			return false;
	}
	return true;
}

static json_t *subscribe(void *context, json_t *params, struct rpc_error *error)
{
	struct rpc_events *events = context;
	const char *bridge = json_string_value(json_object_get(params, "bridge"));
	uint32_t wanted = events_get(events->rows, params, error);
	struct rpc_subscription *item;

	if (wanted == 0 || (bridge != NULL && !bridge_check(events, wanted, bridge, error)))
		return NULL;
	item = item_get(events->client, bridge, error);
	if (item == NULL)
		return NULL;
	item->events |= wanted;
	return answer(events);
}

static json_t *unsubscribe(void *context, json_t *params, struct rpc_error *error)
{
	struct rpc_events *events = context;
	const char *bridge = json_string_value(json_object_get(params, "bridge"));
	uint32_t unwanted = events_get(events->rows, params, error);
	struct rpc_subscription *item = bridge ? item_find(events->client, bridge) : NULL;
	struct rpc_subscription *all = item_find(events->client, NULL);

	if (unwanted == 0)
		return NULL;
	if (bridge != NULL && all != NULL && (all->events & unwanted) != 0) {
		rpc_error_set(error, RPC_REFUSED,
			"this client has subscribed to all bridges, and there is no \"all but "
			"%.64s\": unsubscribe without bridge, then subscribe to each",
			bridge);
		return NULL;
	}
	if (bridge == NULL || item != NULL)
		events_remove(events->client, item, unwanted);
	return answer(events);
}

static const struct rpc_param subscribe_params[] = {
	{"events", RPC_ARRAY, true, "names of events"},
	{"bridge", RPC_STRING, false, "only those of this bridge; not given: those of all"},
	{0},
};

static const struct rpc_param unsubscribe_params[] = {
	{"events", RPC_ARRAY, false, "names of events; not given: all"},
	{"bridge", RPC_STRING, false, "only those of this bridge; not given: those of all"},
	{0},
};

const struct rpc_method rpc_subscription_methods[] = {
	{"rpc.subscribe", subscribe, subscribe_params, 0,
		"{subscriptions: [{events: [names], bridge?}]}",
		"Send the notifications of these events to this client as long as it is connected. "
		"Call it once for each bridge to have those of several. Answers all subscriptions "
		"of this client."},
	{"rpc.unsubscribe", unsubscribe, unsubscribe_params, 0,
		"{subscriptions: [{events: [names], bridge?}]}",
		"Stop sending them. Answers the subscriptions that are left."},
	{0},
};

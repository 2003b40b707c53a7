// SPDX-License-Identifier: Apache-2.0
#include "ofctl/flow_dump.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/field.h"
#include "rpc/json_member.h"

// What dumps show before the match, by the names of the items' members and of the text.
static const struct statistic {
	const char *name; // as printed
	const char *member;
} statistics[] = {
	{"priority", "priority"},
	{"table", "table"},
	{"cookie", "cookie"},
	{"duration", "duration_ms"},
	{"n_packets", "packets"},
	{"n_bytes", "bytes"},
	{"idle_timeout", "idle_timeout"},
	{"hard_timeout", "hard_timeout"},
	{"idle_age", "idle_ms"},
};

struct sort_key {
	json_t *flow;
	size_t position;
	bool present;
	bool is_number;
	uint64_t number;
	char text[64];
};

// Match and actions; the table is shown with the statistics.
static const char *flow_text(const json_t *flow)
{
	const char *text = json_string_value(json_object_get(flow, "text"));
	const char *comma;

	if (text == NULL)
		return "";
	if (strncmp(text, "table=", 6) != 0)
		return text;
	comma = text + strcspn(text, ", ");
	return comma + strspn(comma, ", ");
}

void flow_dump_print(const json_t *flow, FILE *out)
{
	const json_t *cookie = json_object_get(flow, "cookie");
	json_int_t duration = number_of(flow, "duration_ms");
	json_int_t idle =
		json_object_get(flow, "idle_ms") != NULL ? number_of(flow, "idle_ms") : -1;

	if (json_is_string(cookie))
		fprintf(out, " cookie=%s,", json_string_value(cookie));
	else
		fprintf(out, " cookie=0x%llx,", json_integer_value(cookie));
	fprintf(out, " duration=%lld.%llds, table=%lld, n_packets=%lld, n_bytes=%lld,",
		duration / 1000, duration % 1000 / 100, number_of(flow, "table"),
		number_of(flow, "packets"), number_of(flow, "bytes"));
	if (number_of(flow, "idle_timeout") != 0)
		fprintf(out, " idle_timeout=%lld,", number_of(flow, "idle_timeout"));
	if (number_of(flow, "hard_timeout") != 0)
		fprintf(out, " hard_timeout=%lld,", number_of(flow, "hard_timeout"));
	// A flow that was never hit has been idle since it was made.
	fprintf(out, " idle_age=%lld, %s\n", (idle < 0 ? duration : idle) / 1000, flow_text(flow));
}

static const struct statistic *statistic_find(const char *field)
{
	for (size_t i = 0; i < sizeof(statistics) / sizeof(statistics[0]); i++)
		if (strcmp(statistics[i].name, field) == 0)
			return &statistics[i];
	return NULL;
}

// How dumps call a field of the match; NULL if there is none of that name. They show the ports of
// all transport protocols under one name.
static const char *match_name(const char *field)
{
	static const char *const ports[] = {"tp_src", "tp_dst"};
	const struct field *known = field_find(field, strlen(field));
	const char *name = known != NULL ? known->name : field;
	const char *underscore = strchr(name, '_');

	for (size_t i = 0; i < 2; i++)
		if (strcmp(name, ports[i]) == 0 ||
			(known != NULL && known->needs >= NEEDS_TCP &&
				known->needs <= NEEDS_TRANSPORT && underscore != NULL &&
				strcmp(underscore, ports[i] + 2) == 0))
			return ports[i];
	return known != NULL ? name : NULL;
}

bool flow_dump_sortable(const char *field)
{
	return statistic_find(field) != NULL || match_name(field) != NULL;
}

// The value of "field=value" in the match, into key->text.
static void key_from_match(struct sort_key *key, const char *field)
{
	const char *text = flow_text(key->flow);
	const char *end = strstr(text, " actions=");
	size_t length = strlen(field);

	if (end == NULL)
		end = text + strlen(text);
	while (text < end) {
		size_t item = strcspn(text, ", ");

		if (item > length && strncmp(text, field, length) == 0 && text[length] == '=') {
			key->present = true;
			snprintf(key->text, sizeof(key->text), "%.*s", (int)(item - length - 1),
				text + length + 1);
			return;
		}
		text += item;
		text += strspn(text, ", ");
	}
}

static void key_make(struct sort_key *key, const char *field)
{
	const struct statistic *statistic = statistic_find(field);
	char *end;

	if (statistic != NULL) {
		const json_t *value = json_object_get(key->flow, statistic->member);

		key->present = value != NULL;
		if (json_is_string(value))
			snprintf(key->text, sizeof(key->text), "%s", json_string_value(value));
		else
			snprintf(key->text, sizeof(key->text), "%lld", json_integer_value(value));
	} else {
		const char *name = match_name(field);

		if (name != NULL)
			key_from_match(key, name);
	}
	key->number = strtoull(key->text, &end, 0);
	key->is_number = end != key->text && (*end == '\0' || *end == '/');
}

static int key_compare(const void *a, const void *b)
{
	const struct sort_key *left = a;
	const struct sort_key *right = b;
	int order = 0;

	if (left->present != right->present)
		return left->present ? 1 : -1;
	if (left->is_number && right->is_number)
		order = (left->number > right->number) - (left->number < right->number);
	if (order == 0)
		order = strverscmp(left->text, right->text); // addresses: 10.0.0.2 < 10.0.0.10
	return order;
}

static int key_compare_upward(const void *a, const void *b)
{
	const struct sort_key *left = a;
	const struct sort_key *right = b;
	int order = key_compare(a, b);

	return order != 0 ? order : left->position < right->position ? -1 : 1;
}

static int key_compare_downward(const void *a, const void *b)
{
	const struct sort_key *left = a;
	const struct sort_key *right = b;
	int order = -key_compare(a, b);

	return order != 0 ? order : left->position < right->position ? -1 : 1;
}

json_t *flow_dump_sort(const json_t *flows, const char *field, bool reversed)
{
	size_t count = json_array_size(flows);
	struct sort_key *keys = calloc(count + 1, sizeof(*keys));
	json_t *sorted = json_array();

	for (size_t i = 0; i < count && keys != NULL; i++) {
		keys[i].flow = json_array_get(flows, i);
		keys[i].position = i;
		key_make(&keys[i], field);
	}
	if (keys != NULL && count > 0)
		qsort(keys, count, sizeof(*keys),
			reversed ? key_compare_downward : key_compare_upward);
	for (size_t i = 0; i < count && keys != NULL; i++)
		json_array_append(sorted, keys[i].flow);
	free(keys);
	return sorted;
}

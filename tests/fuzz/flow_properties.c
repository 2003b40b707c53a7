// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/flow_properties.h"

#include <errno.h>

#include "tests/fuzz/fuzz.h"

static const struct port_name port_items[] = {{"dpdk0", 1}, {"vhu0", 2}, {"vhu 1", 3}, {"all", 4}};
const struct port_names fuzz_ports = {"br0", 4, port_items};

static void must_be_equal(const struct flow *a, const struct flow *b, const char *text)
{
	fuzz_must(flow_equal(a, b), "%s", text);
	fuzz_must(memcmp(&a->match, &b->match, sizeof(a->match)) == 0, "%s", text);
}

static void attributes_must_be_equal(const struct flow *a, const struct flow *b, const char *text)
{
	fuzz_must(a->cookie == b->cookie, "%s", text);
	fuzz_must(a->flags == b->flags, "%s", text);
	fuzz_must(a->idle_timeout == b->idle_timeout, "%s", text);
	fuzz_must(a->hard_timeout == b->hard_timeout, "%s", text);
}

static void parse_again(struct flow_request *again, const char *text)
{
	struct flow_error error;
	int status = flow_request_parse(again, text, FLOW_ADD, &fuzz_ports, NULL, &error);

	fuzz_must(status == 0, "%s: %s", text, status == -EINVAL ? error.message : "no memory");
}

static void exact_must_round_trip(const struct flow *flow)
{
	struct flow_request again;
	char *exact = flow_format_exact(flow);
	char *exact_again;

	fuzz_must(exact != NULL, "no memory");
	parse_again(&again, exact);
	must_be_equal(flow, &again.flow, exact);
	attributes_must_be_equal(flow, &again.flow, exact);
	exact_again = flow_format_exact(&again.flow);
	fuzz_must(strcmp(exact, exact_again) == 0, "%s becomes %s", exact, exact_again);
	flow_request_destroy(&again);
	free(exact);
	free(exact_again);
}

// The dump leaves out cookie and timeouts.
static void dump_must_round_trip(const struct flow *flow)
{
	struct flow_request again;
	char *dump = flow_format(flow, &fuzz_ports);

	fuzz_must(dump != NULL, "no memory");
	parse_again(&again, dump);
	must_be_equal(flow, &again.flow, dump);
	flow_request_destroy(&again);
	free(dump);
}

static void json_must_round_trip(const struct flow *flow)
{
	struct flow_request again;
	struct flow_error error;
	json_t *json = flow_to_json(flow, &fuzz_ports);
	char *text = json_dumps(json, 0);
	int status;

	fuzz_must(json != NULL && text != NULL, "no memory");
	status = flow_request_from_json(&again, json, FLOW_ADD, &fuzz_ports, NULL, &error);
	fuzz_must(status == 0, "%s: %s", text, status == -EINVAL ? error.message : "no memory");
	must_be_equal(flow, &again.flow, text);
	attributes_must_be_equal(flow, &again.flow, text);
	flow_request_destroy(&again);
	json_decref(json);
	free(text);
}

void flow_must_round_trip(const struct flow *flow)
{
	exact_must_round_trip(flow);
	dump_must_round_trip(flow);
	json_must_round_trip(flow);
}

void flow_error_must_be_good(const struct flow_error *error, size_t size)
{
	json_t *json;

	fuzz_must(error->kind < FLOW_ERROR_KIND_COUNT, "kind %d", (int)error->kind);
	fuzz_must(error->message[0] != '\0', "kind %d", (int)error->kind);
	fuzz_must(memchr(error->message, '\0', sizeof(error->message)) != NULL, "not ended");
	fuzz_must(memchr(error->hint, '\0', sizeof(error->hint)) != NULL, "not ended");
	fuzz_must(memchr(error->field, '\0', sizeof(error->field)) != NULL, "not ended");
	fuzz_must(error->offset <= size && error->length <= size - error->offset,
		"%zu bytes at %zu of %zu: %s", error->length, error->offset, size, error->message);
	// Whoever asked gets it as JSON, whatever bytes it quotes.
	json = flow_error_to_json(error);
	fuzz_must(json != NULL, "%s", error->message);
	json_decref(json);
}

void flow_warnings_must_be_good(const struct flow_warnings *warnings, size_t size)
{
	fuzz_must(warnings->count <= FLOW_WARNINGS_MAX, "%u", warnings->count);
	for (unsigned i = 0; i < warnings->count; i++)
		flow_error_must_be_good(&warnings->items[i], size);
}

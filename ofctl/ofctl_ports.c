// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "ofctl/ofctl.h"
#include "rpc/json_member.h"

// "up" and "down" as text or as a boolean.
static const char *link_of(const json_t *port)
{
	const json_t *link = json_object_get(port, "link");

	if (json_is_string(link))
		return json_string_value(link);
	return json_is_true(link) ? "up" : "down";
}

static int port_compare(const void *a, const void *b)
{
	json_int_t left = number_of(*(json_t *const *)a, "ofport");
	json_int_t right = number_of(*(json_t *const *)b, "ofport");

	return (left > right) - (left < right);
}

// By number, as dumps of ports always are. A new array of the same ports.
static json_t *ports_sort(const json_t *ports)
{
	size_t count = json_array_size(ports);
	json_t **items = calloc(count + 1, sizeof(*items));
	json_t *sorted = json_array();

	for (size_t i = 0; i < count && items != NULL; i++)
		items[i] = json_array_get(ports, i);
	if (items != NULL && count > 0)
		qsort(items, count, sizeof(*items), port_compare);
	for (size_t i = 0; i < count && items != NULL; i++)
		json_array_append(sorted, items[i]);
	free(items);
	return sorted;
}

// " 1(vhu0): addr:52:54:00:00:00:01" and what is known of it.
static void port_describe(const json_t *port, FILE *out)
{
	fprintf(out, " %lld(%s): addr:%s\n", number_of(port, "ofport"), text_of(port, "name"),
		text_of(port, "mac"));
	fprintf(out, "     type:       %s\n", text_of(port, "type"));
	fprintf(out, "     state:      %s\n", text_of(port, "state"));
	if (text_of(port, "error")[0] != '\0')
		fprintf(out, "     error:      %s\n", text_of(port, "error"));
	fprintf(out, "     link:       %s\n", link_of(port));
	fprintf(out, "     mtu:        %lld\n", number_of(port, "mtu"));
	if (number_of(port, "speed") > 0)
		fprintf(out, "     speed:      %lld Mbps now\n", number_of(port, "speed"));
}

static void ports_describe(const struct ofctl *ofctl, const json_t *result, FILE *out)
{
	json_t *ports = ports_sort(result);
	size_t index;
	json_t *port;

	json_array_foreach (ports, index, port)
		port_describe(port, out);
	json_decref(ports);
}

static void bridge_show(const struct ofctl *ofctl, const json_t *result, FILE *out)
{
	fprintf(out, "%s: n_tables:255, ports:%zu\n", ofctl->argv[0], json_array_size(result));
	ports_describe(ofctl, result, out);
}

// {"bridge": first word, "port": second word}
static json_t *port_params(const struct ofctl *ofctl)
{
	json_t *params = json_pack("{s:s}", "bridge", ofctl->argv[0]);

	if (ofctl->argc > 1)
		json_object_set_new(params, "port", json_string(ofctl->argv[1]));
	return params;
}

int ofctl_show(struct ofctl *ofctl)
{
	return ofctl_call_and_print(ofctl, "stats.ports", port_params(ofctl), bridge_show);
}

int ofctl_dump_ports_desc(struct ofctl *ofctl)
{
	return ofctl_call_and_print(ofctl, "stats.ports", port_params(ofctl), ports_describe);
}

static void reasons_print(const json_t *drops, FILE *out)
{
	const char *separator = "           dropped: ";
	const char *reason;
	json_t *count;

	json_object_foreach ((json_t *)drops, reason, count) {
		if (json_integer_value(count) == 0)
			continue;
		fprintf(out, "%s%s=%lld", separator, reason, json_integer_value(count));
		separator = ", ";
	}
	if (separator[0] == ',')
		putc('\n', out);
}

static void port_counters(const struct ofctl *ofctl, const json_t *port, FILE *out)
{
	const json_t *counters = json_object_get(port, "statistics");

	if (ofctl->names)
		fprintf(out, "  port %s: ", text_of(port, "name"));
	else
		fprintf(out, "  port %2lld: ", number_of(port, "ofport"));
	fprintf(out, "rx pkts=%lld, bytes=%lld, drop=%lld, errs=%lld, missed=%lld\n",
		number_of(counters, "rx_packets"), number_of(counters, "rx_bytes"),
		number_of(counters, "rx_dropped"), number_of(counters, "rx_errors"),
		number_of(counters, "rx_missed"));
	fprintf(out, "           tx pkts=%lld, bytes=%lld, drop=%lld, errs=%lld\n",
		number_of(counters, "tx_packets"), number_of(counters, "tx_bytes"),
		number_of(counters, "tx_dropped"), number_of(counters, "tx_errors"));
	reasons_print(json_object_get(port, "drops"), out);
}

static void ports_counters(const struct ofctl *ofctl, const json_t *result, FILE *out)
{
	json_t *ports = ports_sort(result);
	size_t index;
	json_t *port;

	fprintf(out, "%zu ports\n", json_array_size(ports));
	json_array_foreach (ports, index, port)
		port_counters(ofctl, port, out);
	json_decref(ports);
}

int ofctl_dump_ports(struct ofctl *ofctl)
{
	return ofctl_call_and_print(ofctl, "stats.ports", port_params(ofctl), ports_counters);
}

static void tables_print(const struct ofctl *ofctl, const json_t *result, FILE *out)
{
	static const char *const structures[] = {"hashes", "blocks", "classifier"};
	size_t index;
	json_t *table;

	json_array_foreach ((json_t *)result, index, table) {
		fprintf(out, "  table %lld:\n    active=%lld, lookup=%lld, matched=%lld\n",
			number_of(table, "table"), number_of(table, "flows"),
			number_of(table, "lookups"), number_of(table, "matched"));
		for (size_t i = 0; i < sizeof(structures) / sizeof(structures[0]); i++) {
			const json_t *part = json_object_get(table, structures[i]);

			if (part)
				fprintf(out, "    %s: count=%lld, rules=%lld, memory=%lld\n",
					structures[i], number_of(part, "count"),
					number_of(part, "rules"), number_of(part, "memory"));
		}
		fprintf(out, "    worst lookup: steps=%lld, cycles=%lld (estimate); memory=%lld\n",
			number_of(table, "steps"), number_of(table, "cycles"),
			number_of(table, "memory"));
	}
}

int ofctl_dump_tables(struct ofctl *ofctl)
{
	return ofctl_call_and_print(
		ofctl, "flow.tables", json_pack("{s:s}", "bridge", ofctl->argv[0]), tables_print);
}

// SPDX-License-Identifier: Apache-2.0
#include "vswitch/vsctl_print.h"

#include <string.h>

#include "vswitch/vsctl_value.h"

static json_t *first_of(const json_t *results)
{
	return json_array_get(results, 0);
}

static json_int_t number_of(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static const char *string_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

// Part of whole in percent.
static double percent(double part, double whole)
{
	return whole > 0 ? 100 * part / whole : 0;
}

static bool is_empty(const json_t *value)
{
	return value == NULL || json_is_null(value) ||
	       (json_is_array(value) && json_array_size(value) == 0) ||
	       (json_is_object(value) && json_object_size(value) == 0) ||
	       (json_is_string(value) && json_string_length(value) == 0);
}

// "    name: value", if there is a value.
static void member_print(const json_t *object, const char *name, int indent, FILE *out)
{
	const json_t *value = json_object_get(object, name);

	if (is_empty(value))
		return;
	fprintf(out, "%*s%s: ", indent, "", name);
	vsctl_value_print(value, out);
	putc('\n', out);
}

// "    Bridge br0"
static void heading_print(const json_t *object, const char *what, int indent, FILE *out)
{
	fprintf(out, "%*s%s ", indent, "", what);
	vsctl_value_print(json_object_get(object, "name"), out);
	putc('\n', out);
}

static void port_show(const json_t *port, FILE *out)
{
	size_t index;
	json_t *interface;

	heading_print(port, "Port", 8, out);
	member_print(port, "tag", 12, out);
	member_print(port, "trunks", 12, out);
	member_print(port, "vlan_mode", 12, out);
	json_array_foreach (json_object_get(port, "interfaces"), index, interface) {
		heading_print(interface, "Interface", 12, out);
		member_print(interface, "type", 16, out);
		member_print(interface, "options", 16, out);
		member_print(interface, "state", 16, out);
		member_print(interface, "error", 16, out);
	}
}

int vsctl_print_show(const struct vsctl_request *request, const json_t *results, FILE *out)
{
	const json_t *result = first_of(results);
	size_t index;
	json_t *bridge;

	fprintf(out, "%s\n", string_of(result, "uuid"));
	json_array_foreach (json_object_get(result, "bridges"), index, bridge) {
		size_t port_index;
		json_t *port;

		heading_print(bridge, "Bridge", 4, out);
		member_print(bridge, "fail_mode", 8, out);
		member_print(bridge, "error", 8, out);
		json_array_foreach (json_object_get(bridge, "ports"), port_index, port)
			port_show(port, out);
	}
	member_print(result, "problem", 4, out);
	return CLI_EXIT_OK;
}

// One word per line; names are not quoted.
int vsctl_print_lines(const struct vsctl_request *request, const json_t *results, FILE *out)
{
	size_t index;
	json_t *item;

	json_array_foreach (first_of(results), index, item) {
		const char *name = json_string_value(
			json_is_object(item) ? json_object_get(item, "name") : item);

		fprintf(out, "%s\n", name != NULL ? name : "");
	}
	return CLI_EXIT_OK;
}

// One value per line. What was asked for with --if-exists and is not there prints an empty line.
int vsctl_print_values(const struct vsctl_request *request, const json_t *results, FILE *out)
{
	size_t index;
	json_t *value;

	json_array_foreach ((json_t *)results, index, value) {
		bool absent = json_is_null(value) ||
			      (request != NULL && request->if_exists && is_empty(value));

		if (!absent)
			vsctl_value_print(value, out);
		putc('\n', out);
	}
	return CLI_EXIT_OK;
}

static void record_print(const json_t *record, FILE *out)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)record, name, value) {
		fprintf(out, "%-20s: ", name);
		vsctl_value_print(value, out);
		putc('\n', out);
	}
}

int vsctl_print_records(const struct vsctl_request *request, const json_t *results, FILE *out)
{
	bool first = true;
	size_t result_index;
	json_t *result;

	json_array_foreach ((json_t *)results, result_index, result) {
		size_t index;
		json_t *record;

		json_array_foreach (result, index, record) {
			if (!first)
				putc('\n', out);
			first = false;
			record_print(record, out);
		}
	}
	return CLI_EXIT_OK;
}

static void tree_print(const json_t *value, int indent, FILE *out)
{
	const char *name;
	json_t *item;

	json_object_foreach ((json_t *)value, name, item) {
		if (json_is_object(item)) {
			fprintf(out, "%*s%s:\n", indent, "", name);
			tree_print(item, indent + 2, out);
		} else {
			fprintf(out, "%*s%s: ", indent, "", name);
			vsctl_value_print(item, out);
			putc('\n', out);
		}
	}
}

int vsctl_print_tree(const struct vsctl_request *request, const json_t *results, FILE *out)
{
	const json_t *result = first_of(results);
	size_t index;
	json_t *item;

	if (!json_is_array(result)) {
		tree_print(result, 0, out);
		return CLI_EXIT_OK;
	}
	json_array_foreach ((json_t *)result, index, item) {
		if (index > 0)
			putc('\n', out);
		tree_print(item, 0, out);
	}
	return CLI_EXIT_OK;
}

int vsctl_print_raw(const struct vsctl_request *request, const json_t *results, FILE *out)
{
	json_dumpf(first_of(results), out, JSON_INDENT(2) | JSON_ENCODE_ANY);
	putc('\n', out);
	return CLI_EXIT_OK;
}

int vsctl_print_versions(const struct vsctl_request *request, const json_t *results, FILE *out)
{
	const json_t *info = first_of(results);
	const char *datapath = string_of(json_object_get(info, "datapath"), "version");

	fprintf(out, "vsctl     %s\n", TURNOUT_VERSION);
	fprintf(out, "vswitchd  %s\n", string_of(info, "version"));
	fprintf(out, "datapathd %s\n", datapath[0] != '\0' ? datapath : "not connected");
	return CLI_EXIT_OK;
}

int vsctl_print_exists(const struct vsctl_request *request, const json_t *results, FILE *out)
{
	size_t index;
	json_t *name;

	json_array_foreach (first_of(results), index, name)
		if (json_is_string(name) && strcmp(json_string_value(name), request->argv[0]) == 0)
			return CLI_EXIT_OK;
	return 2; // as ovs-vsctl does
}

static void thread_heading(const json_t *thread, FILE *out)
{
	fprintf(out, "pmd thread numa_id %lld core_id %lld:\n", number_of(thread, "numa"),
		number_of(thread, "core"));
}

static void usage_print(const json_t *object, const char *name, FILE *out)
{
	const json_t *usage = json_object_get(object, name);

	if (json_is_number(usage))
		fprintf(out, "%2.0f %%\n", json_number_value(usage));
	else
		fprintf(out, "NOT AVAIL\n");
}

int vsctl_print_rxqs(const struct vsctl_request *request, const json_t *results, FILE *out)
{
	const json_t *result = first_of(results);
	size_t thread_index;
	json_t *thread;
	const char *port;
	json_t *why;

	json_array_foreach (json_object_get(result, "threads"), thread_index, thread) {
		size_t index;
		json_t *queue;

		thread_heading(thread, out);
		fprintf(out, "  isolated : %s\n",
			json_is_true(json_object_get(thread, "isolated")) ? "true" : "false");
		json_array_foreach (json_object_get(thread, "queues"), index, queue) {
			fprintf(out, "  port: %-16s  queue-id: %2lld %s  pmd usage: ",
				string_of(queue, "port"), number_of(queue, "queue"),
				json_is_false(json_object_get(queue, "enabled")) ? "(disabled)"
										 : "(enabled) ");
			usage_print(queue, "usage_percent", out);
		}
		fprintf(out, "  overhead: ");
		usage_print(thread, "overhead_percent", out);
	}
	json_object_foreach (json_object_get(result, "unpolled"), port, why)
		fprintf(out, "not polled: port: %-16s  %s\n", port, json_string_value(why));
	return CLI_EXIT_OK;
}

// A counter, or counters by name to be summed.
static json_int_t total_of(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	json_int_t total = json_integer_value(value);
	const char *key;
	json_t *item;

	json_object_foreach ((json_t *)value, key, item)
		total += json_integer_value(item);
	return total;
}

static void queues_print(const json_t *thread, FILE *out)
{
	json_int_t cycles = number_of(thread, "cycles_busy") + number_of(thread, "cycles_idle");
	size_t index;
	json_t *queue;

	json_array_foreach (json_object_get(thread, "queues"), index, queue) {
		json_int_t packets = number_of(queue, "packets");

		fprintf(out,
			"  port: %-16s  queue-id: %2lld  packets: %lld  cycles per packet: "
			"%.1f  pmd usage: %.1f %%\n",
			string_of(queue, "port"), number_of(queue, "queue"), packets,
			packets > 0 ? (double)number_of(queue, "cycles") / packets : 0,
			percent(number_of(queue, "cycles"), cycles));
	}
}

// "name: 12.34 (567/89)", if there were packets.
static void ratio_print(const char *name, json_int_t cycles, json_int_t packets, FILE *out)
{
	if (packets > 0)
		fprintf(out, "  %s: %.2f (%lld/%lld)\n", name, (double)cycles / packets, cycles,
			packets);
}

int vsctl_print_pmd_stats(const struct vsctl_request *request, const json_t *results, FILE *out)
{
	size_t index;
	json_t *thread;

	json_array_foreach (first_of(results), index, thread) {
		json_int_t packets = number_of(thread, "rx_packets");
		json_int_t batches = number_of(thread, "rx_batches");
		json_int_t busy = number_of(thread, "cycles_busy");
		json_int_t idle = number_of(thread, "cycles_idle");

		thread_heading(thread, out);
		fprintf(out, "  packets received: %lld\n", packets);
		fprintf(out, "  packets sent: %lld\n", number_of(thread, "tx_packets"));
		fprintf(out, "  packets dropped: %lld\n", total_of(thread, "drops"));
		fprintf(out, "  avg. packets per received batch: %.2f\n",
			batches > 0 ? (double)packets / batches : 0);
		queues_print(thread, out);
		fprintf(out, "  idle cycles: %lld (%.2f%%)\n", idle, percent(idle, idle + busy));
		fprintf(out, "  processing cycles: %lld (%.2f%%)\n", busy,
			percent(busy, idle + busy));
		ratio_print("avg cycles per packet", idle + busy, packets, out);
		ratio_print("avg processing cycles per packet", busy, packets, out);
	}
	return CLI_EXIT_OK;
}

int vsctl_print_pmd_perf(const struct vsctl_request *request, const json_t *results, FILE *out)
{
	size_t index;
	json_t *thread;

	json_array_foreach (first_of(results), index, thread) {
		json_int_t packets = number_of(thread, "rx_packets");
		json_int_t batches = number_of(thread, "rx_batches");
		json_int_t iterations = number_of(thread, "iterations");
		json_int_t busy = number_of(thread, "cycles_busy");
		json_int_t idle = number_of(thread, "cycles_idle");
		double hz = number_of(thread, "cycles_hz");
		double seconds = hz > 0 ? (busy + idle) / hz : 0;

		thread_heading(thread, out);
		fprintf(out, "  measuring duration: %.3f s\n", seconds);
		fprintf(out, "  iterations: %lld (%.2f us/it)\n", iterations,
			iterations > 0 ? seconds * 1e6 / iterations : 0);
		fprintf(out, "  - used TSC cycles: %lld (%5.1f %% of total cycles)\n", busy,
			percent(busy, busy + idle));
		fprintf(out, "  - idle TSC cycles: %lld (%5.1f %% of total cycles)\n", idle,
			percent(idle, busy + idle));
		fprintf(out, "  rx packets: %lld (%.0f Kpps, %.0f cycles/pkt)\n", packets,
			seconds > 0 ? packets / seconds / 1000 : 0,
			packets > 0 ? (double)busy / packets : 0);
		fprintf(out, "  rx batches: %lld (%.2f pkts/batch)\n", batches,
			batches > 0 ? (double)packets / batches : 0);
		fprintf(out, "  tx packets: %lld\n", number_of(thread, "tx_packets"));
	}
	return CLI_EXIT_OK;
}

int vsctl_print_fdb(const struct vsctl_request *request, const json_t *results, FILE *out)
{
	size_t index;
	json_t *entry;

	fprintf(out, " port  VLAN  MAC                Age\n");
	json_array_foreach (first_of(results), index, entry) {
		const json_t *port = json_object_get(entry, "port");

		if (json_is_string(port))
			fprintf(out, "%5s", json_string_value(port));
		else
			fprintf(out, "%5lld", json_integer_value(port));
		fprintf(out, "  %4lld  %s  %3lld\n", number_of(entry, "vlan"),
			string_of(entry, "mac"), number_of(entry, "age"));
	}
	return CLI_EXIT_OK;
}

int vsctl_print_fdb_stats(const struct vsctl_request *request, const json_t *results, FILE *out)
{
	static const char *const names[] = {"learned", "moved", "aged", "evicted", "flushed"};
	const json_t *stats = first_of(results);
	size_t index;
	json_t *port;

	fprintf(out, "MAC addresses: %lld of at most %lld\n", number_of(stats, "count"),
		number_of(stats, "size"));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		fprintf(out, "  %-8s %12lld\n", names[i], number_of(stats, names[i]));
	fprintf(out, "port              addresses   not learned: limited          lost\n");
	json_array_foreach (json_object_get(stats, "ports"), index, port)
		fprintf(out, "%-16s  %9lld  %21lld  %12lld\n", string_of(port, "port"),
			number_of(port, "count"), number_of(port, "limited"),
			number_of(port, "lost"));
	return CLI_EXIT_OK;
}

static void drops_print(const char *port, const json_t *drops, FILE *out)
{
	const char *reason;
	json_t *count;

	json_object_foreach ((json_t *)drops, reason, count)
		if (json_integer_value(count) != 0)
			fprintf(out, "%-16s  %-24s  %12lld\n", port, reason,
				json_integer_value(count));
}

int vsctl_print_drops(const struct vsctl_request *request, const json_t *results, FILE *out)
{
	const json_t *result = first_of(results);
	size_t index;
	json_t *port;

	fprintf(out, "%-16s  %-24s  %12s\n", "port", "reason", "packets");
	json_array_foreach (json_object_get(result, "ports"), index, port)
		drops_print(string_of(port, "name"), json_object_get(port, "drops"), out);
	drops_print("(removed ports)", json_object_get(result, "removed"), out);
	drops_print("(all)", json_object_get(result, "total"), out);
	return CLI_EXIT_OK;
}

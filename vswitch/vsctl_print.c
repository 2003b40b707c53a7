// SPDX-License-Identifier: Apache-2.0
#include "vswitch/vsctl_print.h"

#include <string.h>

#include "rpc/json_member.h"
#include "vswitch/vsctl_value.h"

static json_t *first_of(const json_t *results)
{
	return json_array_get(results, 0);
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

	fprintf(out, "%s\n", text_of(result, "uuid"));
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
	const char *datapath = text_of(json_object_get(info, "datapath"), "version");

	fprintf(out, "vsctl     %s\n", TURNOUT_VERSION);
	fprintf(out, "vswitchd  %s\n", text_of(info, "version"));
	fprintf(out, "datapathd %s\n", datapath[0] != '\0' ? datapath : "not connected");
	return CLI_EXIT_OK;
}

int vsctl_print_restart(const struct vsctl_request *request, const json_t *results, FILE *out)
{
	const json_t *report = first_of(results);
	const json_t *late = json_object_get(report, "late");
	size_t i;
	json_t *name;

	fprintf(out, "datapathd %s (pid %lld) has taken over from %s (pid %lld)\n",
		text_of(report, "version"), (long long)number_of(report, "pid"),
		text_of(report, "old_version"), (long long)number_of(report, "old_pid"));
	fprintf(out, "%lld ports were down for %.1f ms\n",
		(long long)number_of(report, "ports") - (long long)json_array_size(late),
		real_of(report, "gap_ms"));
	json_array_foreach (late, i, name)
		fprintf(out, "port %s is not up again yet\n", json_string_value(name));
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
			text_of(entry, "mac"), number_of(entry, "age"));
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
		fprintf(out, "%-16s  %9lld  %21lld  %12lld\n", text_of(port, "port"),
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
		drops_print(text_of(port, "name"), json_object_get(port, "drops"), out);
	drops_print("(removed ports)", json_object_get(result, "removed"), out);
	drops_print("(all)", json_object_get(result, "total"), out);
	return CLI_EXIT_OK;
}

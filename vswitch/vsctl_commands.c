// SPDX-License-Identifier: Apache-2.0
#include "vswitch/vsctl_commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vswitch/vsctl_monitor.h"
#include "vswitch/vsctl_print.h"
#include "vswitch/vsctl_tables.h"
#include "vswitch/vsctl_value.h"

#define LONG_MS 120000 // for a datapathd to start, and for a large database to be written

bool vsctl_call_add(struct vsctl_request *request, const char *method, json_t *params)
{
	json_array_append_new(
		request->calls, json_pack("{s:s, s:o}", "method", method, "params", params));
	return true;
}

bool vsctl_change_add(struct vsctl_request *request, const char *method, json_t *params)
{
	if (request->no_wait)
		json_object_set_new(params, "no_wait", json_true());
	return vsctl_call_add(request, method, params);
}

static bool prepare_add_br(struct vsctl_request *request, struct rpc_error *error)
{
	json_t *params = json_pack("{s:s}", "name", request->argv[0]);

	if (request->may_exist)
		json_object_set_new(params, "may_exist", json_true());
	return vsctl_change_add(request, "bridge.add", params);
}

static bool prepare_del_br(struct vsctl_request *request, struct rpc_error *error)
{
	json_t *params = json_pack("{s:s}", "name", request->argv[0]);

	if (request->if_exists)
		json_object_set_new(params, "if_exists", json_true());
	return vsctl_change_add(request, "bridge.del", params);
}

static bool prepare_list_br(struct vsctl_request *request, struct rpc_error *error)
{
	return vsctl_call_add(request, "bridge.list", json_object());
}

static bool integer_parse(
	const char *key, const char *text, json_t **value, struct rpc_error *error)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(text, &end, 10);
	if (end == text || *end != '\0' || errno != 0) {
		rpc_error_set(error, RPC_INVALID_PARAMS, "%s: \"%s\" is not a number", key, text);
		return false;
	}
	*value = json_integer(number);
	return true;
}

// "1,2,3" or "[1,2,3]".
static bool integers_parse(
	const char *key, const char *text, json_t **value, struct rpc_error *error)
{
	char *copy = strdup(text);
	char *rest;

	*value = json_array();
	for (char *word = strtok_r(copy, "[], ", &rest); word != NULL;
		word = strtok_r(NULL, "[], ", &rest)) {
		json_t *number;

		if (!integer_parse(key, word, &number, error)) {
			json_decref(*value);
			*value = NULL;
			break;
		}
		json_array_append_new(*value, number);
	}
	free(copy);
	return *value != NULL;
}

// One KEY=VALUE of add-port: a property of the port, or else an option of its type.
static bool port_key_apply(
	json_t *params, const char *key, const char *text, struct rpc_error *error)
{
	static const char *const numbers[] = {"ofport", "tag", "mtu", NULL};
	static const char *const words[] = {"type", "vlan_mode", NULL};
	json_t *value = NULL;

	for (int i = 0; numbers[i] != NULL; i++)
		if (strcmp(key, numbers[i]) == 0 && !integer_parse(key, text, &value, error))
			return false;
	for (int i = 0; words[i] != NULL; i++)
		if (strcmp(key, words[i]) == 0)
			value = json_string(text);
	if (strcmp(key, "trunks") == 0 && !integers_parse(key, text, &value, error))
		return false;
	if (value != NULL)
		return json_object_set_new(params, key, value) == 0;
	if (strncmp(key, "options:", 8) == 0)
		key += 8;
	json_object_set_new(json_object_get(params, "options"), key, json_string(text));
	return true;
}

static bool prepare_add_port(struct vsctl_request *request, struct rpc_error *error)
{
	json_t *params = json_pack("{s:s, s:s, s:{}}", "bridge", request->argv[0], "name",
		request->argv[1], "options");
	bool fine = true;

	if (request->may_exist)
		json_object_set_new(params, "may_exist", json_true());
	for (int i = 2; i < request->argc && fine; i++) {
		char *value;
		char *key;

		fine = vsctl_pair_parse(request->argv[i], &key, &value, error) &&
		       port_key_apply(params, key, value, error);
		free(key);
		free(value);
	}
	if (!fine) {
		json_decref(params);
		return false;
	}
	if (json_object_size(json_object_get(params, "options")) == 0)
		json_object_del(params, "options");
	return vsctl_change_add(request, "port.add", params);
}

static bool prepare_del_port(struct vsctl_request *request, struct rpc_error *error)
{
	json_t *params = json_pack("{s:s}", "name", request->argv[request->argc - 1]);

	if (request->argc == 2)
		json_object_set_new(params, "bridge", json_string(request->argv[0]));
	if (request->if_exists)
		json_object_set_new(params, "if_exists", json_true());
	return vsctl_change_add(request, "port.del", params);
}

static bool prepare_list_ports(struct vsctl_request *request, struct rpc_error *error)
{
	return vsctl_call_add(request, "port.list", json_pack("{s:s}", "bridge", request->argv[0]));
}

static bool prepare_port_to_br(struct vsctl_request *request, struct rpc_error *error)
{
	return vsctl_call_add(
		request, "port.to_bridge", json_pack("{s:s}", "name", request->argv[0]));
}

static bool prepare_show(struct vsctl_request *request, struct rpc_error *error)
{
	return vsctl_call_add(request, "system.show", json_object());
}

static bool prepare_info(struct vsctl_request *request, struct rpc_error *error)
{
	return vsctl_call_add(request, "system.info", json_object());
}

static bool prepare_restart_datapath(struct vsctl_request *request, struct rpc_error *error)
{
	json_t *params = json_object();
	char *end;
	long wait_ms;

	if (request->argc == 1) {
		wait_ms = strtol(request->argv[0], &end, 10);
		if (end == request->argv[0] || *end != '\0') {
			rpc_error_set(error, RPC_INVALID_PARAMS,
				"restart-datapath: \"%s\" is no number of milliseconds",
				request->argv[0]);
			json_decref(params);
			return false;
		}
		json_object_set_new(params, "wait_ms", json_integer(wait_ms));
	}
	return vsctl_call_add(request, "datapath.restart", params);
}

static bool prepare_exit(struct vsctl_request *request, struct rpc_error *error)
{
	json_t *params = json_object();

	if (request->argc == 1) {
		if (strcmp(request->argv[0], "datapath") != 0) {
			rpc_error_set(error, RPC_INVALID_PARAMS,
				"exit: \"%s\" is not understood; write \"exit\", or \"exit "
				"datapath\" to end datapathd too",
				request->argv[0]);
			json_decref(params);
			return false;
		}
		json_object_set_new(params, "datapath", json_true());
	}
	return vsctl_call_add(request, "system.exit", params);
}

// --- Live state ---

static bool prepare_rxq_show(struct vsctl_request *request, struct rpc_error *error)
{
	return vsctl_call_add(request, "pmd.rxq_show", json_object());
}

static bool prepare_pmd_stats(struct vsctl_request *request, struct rpc_error *error)
{
	return vsctl_call_add(request, "pmd.stats_show", json_object());
}

// True, and nothing set, without the option.
static bool count_set(json_t *params, const char *name, const char *text, struct rpc_error *error)
{
	char *end;
	long value = text ? strtol(text, &end, 10) : 0;

	if (!text)
		return true;
	if (*end || value < 1 || value > 1016) {
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"pmd-perf-show: \"%s\" is not a number of %s from 1 to 1016", text, name);
		return false;
	}
	json_object_set_new(params, name, json_integer(value));
	return true;
}

static bool prepare_pmd_perf(struct vsctl_request *request, struct rpc_error *error)
{
	json_t *params = json_pack("{s:b}", "histograms", !request->no_histograms);

	if (!count_set(params, "rounds", request->rounds, error) ||
		!count_set(params, "milliseconds", request->milliseconds, error)) {
		json_decref(params);
		return false;
	}
	vsctl_call_add(request, "pmd.stats_show", json_object());
	return vsctl_call_add(request, "pmd.perf_show", params);
}

static bool prepare_rebalance(struct vsctl_request *request, struct rpc_error *error)
{
	return vsctl_call_add(
		request, "pmd.rebalance", json_pack("{s:b}", "dry_run", request->dry_run));
}

static bool prepare_pmd_clear(struct vsctl_request *request, struct rpc_error *error)
{
	return vsctl_call_add(request, "pmd.stats_clear", json_object());
}

static bool prepare_drops(struct vsctl_request *request, struct rpc_error *error)
{
	return vsctl_call_add(request, "stats.drops", json_object());
}

static bool prepare_fdb_show(struct vsctl_request *request, struct rpc_error *error)
{
	return vsctl_call_add(request, "fdb.show", json_pack("{s:s}", "bridge", request->argv[0]));
}

static bool prepare_fdb_stats(struct vsctl_request *request, struct rpc_error *error)
{
	return vsctl_call_add(request, "fdb.stats", json_pack("{s:s}", "bridge", request->argv[0]));
}

static bool prepare_fdb_flush(struct vsctl_request *request, struct rpc_error *error)
{
	json_t *params = json_pack("{s:s}", "bridge", request->argv[0]);

	if (request->argc > 1)
		json_object_set_new(params, "port", json_string(request->argv[1]));
	return vsctl_call_add(request, "fdb.flush", params);
}

// vswitchd is in another directory.
static bool prepare_backup(struct vsctl_request *request, struct rpc_error *error)
{
	const char *file = request->argv[0];
	char *directory = *file == '/' ? strdup("") : getcwd(NULL, 0);
	bool good = directory != NULL;

	if (good)
		vsctl_call_add(request, "db.backup",
			json_pack("{s:s++}", "file", directory, *file == '/' ? "" : "/", file));
	else
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"\"%s\": give the whole path: the directory that this is in is unknown: %s",
			file, strerror(errno));
	free(directory);
	return good;
}

static bool prepare_rpc(struct vsctl_request *request, struct rpc_error *error)
{
	json_error_t json_error;
	json_t *params = json_object();

	if (request->argc == 2) {
		json_decref(params);
		params = json_loads(request->argv[1], JSON_REJECT_DUPLICATES, &json_error);
	}
	if (params == NULL) {
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"the parameters are not a JSON object or array: column %d: %s",
			json_error.column, json_error.text);
		return false;
	}
	return vsctl_call_add(request, request->argv[0], params);
}

static const struct vsctl_command commands[] = {
	{{"show", "", 0, 0, "Bridges, ports and interfaces at a glance"}, prepare_show,
		vsctl_print_show},
	{{"add-br", "BRIDGE", 1, 1, "Make a bridge (--may-exist: no error if there is one)"},
		prepare_add_br, NULL},
	{{"del-br", "BRIDGE", 1, 1,
		 "Remove a bridge, its ports and flows (--if-exists: no error if "
		 "there is none)"},
		prepare_del_br, NULL},
	{{"list-br", "", 0, 0, "Names of the bridges"}, prepare_list_br, vsctl_print_lines},
	{{"br-exists", "BRIDGE", 1, 1, "Exit with 0 if there is the bridge, with 2 if not"},
		prepare_list_br, vsctl_print_exists},
	{{"add-port", "BRIDGE PORT [KEY=VALUE...]", 2, -1,
		 "Add a port; keys: type, ofport, tag, trunks, vlan_mode, mtu, others "
		 "are options of the type"},
		prepare_add_port, NULL},
	{{"del-port", "[BRIDGE] PORT", 1, 2, "Remove a port"}, prepare_del_port, NULL},
	{{"list-ports", "BRIDGE", 1, 1, "Names of the ports of a bridge"}, prepare_list_ports,
		vsctl_print_lines},
	{{"list-ifaces", "BRIDGE", 1, 1, "Names of the interfaces of a bridge"}, prepare_list_ports,
		vsctl_print_lines},
	{{"port-to-br", "PORT", 1, 1, "The bridge that a port belongs to"}, prepare_port_to_br,
		vsctl_print_values},
	{{"iface-to-br", "INTERFACE", 1, 1, "The bridge that an interface belongs to"},
		prepare_port_to_br, vsctl_print_values},
	{{"get", "TABLE RECORD COLUMN[:KEY]...", 3, -1, "Print values"}, vsctl_prepare_get,
		vsctl_print_values},
	{{"set", "TABLE RECORD COLUMN[:KEY]=VALUE...", 3, -1, "Change values"}, vsctl_prepare_set,
		NULL},
	{{"add", "TABLE RECORD COLUMN [KEY=]VALUE...", 4, -1, "Add to a set or a map"},
		vsctl_prepare_add, NULL},
	{{"remove", "TABLE RECORD COLUMN KEY|KEY=VALUE|VALUE...", 4, -1,
		 "Take out of a set or a map"},
		vsctl_prepare_remove, NULL},
	{{"clear", "TABLE RECORD COLUMN...", 3, -1, "Set back to the default"}, vsctl_prepare_clear,
		NULL},
	{{"list", "TABLE [RECORD...]", 1, -1, "Print whole records (--columns=A,B: only these)"},
		vsctl_prepare_list, vsctl_print_records},
	{{"pmd-rxq-show", "", 0, 0, "Which packet thread polls which queue"}, prepare_rxq_show,
		vsctl_print_rxqs},
	{{"pmd-rxq-rebalance", "", 0, 0,
		 "Move queues so that packet threads are loaded evenly (--dry-run: say what would "
		 "move)"},
		prepare_rebalance, vsctl_print_rebalance},
	{{"pmd-stats-show", "", 0, 0, "Packets and cycles per packet thread and queue"},
		prepare_pmd_stats, vsctl_print_pmd_stats},
	{{"pmd-perf-show", "", 0, 0,
		 "Iterations, batches and load per packet thread; with pmd-perf-metrics, "
		 "histograms "
		 "(not with -nh) and the last rounds (-it N) and milliseconds (-ms N)"},
		prepare_pmd_perf, vsctl_print_pmd_perf},
	{{"pmd-stats-clear", "", 0, 0, "Count from zero again"}, prepare_pmd_clear, NULL},
	{{"drops-show", "", 0, 0, "Dropped packets by port and reason"}, prepare_drops,
		vsctl_print_drops},
	{{"fdb/show", "BRIDGE", 1, 1, "MAC addresses that a bridge has learned"}, prepare_fdb_show,
		vsctl_print_fdb},
	{{"fdb/stats-show", "BRIDGE", 1, 1, "MAC addresses by port, and what was not learned"},
		prepare_fdb_stats, vsctl_print_fdb_stats},
	{{"fdb/flush", "BRIDGE [PORT]", 1, 2, "Forget learned MAC addresses"}, prepare_fdb_flush,
		NULL},
	{{"monitor", "[SINCE]", 0, 1,
		 "Print what changes, as it happens, from now on or after the event with that "
		 "number; goes on when vswitchd was away (--count=N: end after N events)"},
		vsctl_prepare_monitor, NULL, vsctl_monitor},
	{{"backup", "FILE", 1, 1, "Write a copy of the database to a file that is not there yet"},
		prepare_backup, NULL, .answer_ms = LONG_MS},
	{{"info", "", 0, 0, "State of the daemons"}, prepare_info, vsctl_print_tree},
	{{"version", "", 0, 0, "Versions of vsctl and of the daemons"}, prepare_info,
		vsctl_print_versions},
	{{"rpc", "METHOD [JSON]", 1, 2,
		 "Call a JSON-RPC method; \"rpc rpc.discover\" describes all"},
		prepare_rpc, vsctl_print_raw},
	{{"restart-datapath", "[MS]", 0, 1,
		 "Have a new datapathd take over, and say how long no frame flowed; frames wait "
		 "up to MS milliseconds (100) for ports that were up to be so again"},
		prepare_restart_datapath, vsctl_print_restart, .answer_ms = LONG_MS},
	{{"exit", "[datapath]", 0, 1, "End vswitchd; with \"datapath\", datapathd too"},
		prepare_exit, NULL},
};

const struct cli_command *vsctl_command_get(size_t index)
{
	return index < sizeof(commands) / sizeof(commands[0]) ? &commands[index].line : NULL;
}

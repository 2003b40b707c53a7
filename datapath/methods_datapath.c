// SPDX-License-Identifier: Apache-2.0

// datapath.*, system.*: the process as a whole.

#include <unistd.h>

#include "datapath/datapath.h"
#include "datapath/packet_out.h"
#include "datapath/standby.h"
#include "datapath/successor.h"
#include "rpc/rpc_params.h"

static json_t *cpus_json(const struct eal *eal)
{
	json_t *cpus = json_array();

	for (unsigned i = 0; i < eal->cpu_count; i++)
		json_array_append_new(cpus, json_pack("{s:i, s:i}", "id", (int)eal->cpus[i].id,
						    "numa", eal->cpus[i].numa));
	return cpus;
}

// What ports that are gone have counted, or what was handed in as if by a port, so that the sums
// over the switch come out.
static json_t *counters_json(const struct port_counters *counters)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:o}", "rx_packets",
		(json_int_t)counters->rx_packets, "tx_packets", (json_int_t)counters->tx_packets,
		"copies", (json_int_t)counters->copies, "forwarded",
		(json_int_t)counters->forwarded, "drops", port_counters_drops(counters));
}

static json_t *datapath_info(void *context, json_t *params, struct rpc_error *error)
{
	struct datapath *datapath = context;
	struct port_counters outs;

	packet_out_counters(datapath, &outs);
	return json_pack("{s:s, s:i, s:s, s:I, s:b, s:o, s:i, s:i, s:o, s:i, s:o}", "version",
		TURNOUT_VERSION, "pid", (int)getpid(), "instance", datapath->instance, "start_ms",
		(json_int_t)datapath->start_ms, "hugepages", (int)datapath->eal.huge_pages, "cpus",
		cpus_json(&datapath->eal), "control_core", (int)datapath->eal.core, "max_threads",
		PIPELINE_READERS, "removed", counters_json(&datapath->removed), "unbalanced",
		(int)datapath->unbalanced, "packet_outs", counters_json(&outs));
}

static json_t *datapath_state(void *context, json_t *params, struct rpc_error *error)
{
	struct datapath *datapath = context;
	json_t *bridges = json_array(), *ports = json_array();

	for (unsigned i = 0; i < BRIDGES_MAX; i++) {
		if (datapath->bridges[i])
			json_array_append_new(
				bridges, json_pack("{s:s, s:O}", "name", datapath->bridges[i]->name,
						 "config", datapath->bridges[i]->config));
	}
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		const struct port *port = datapath->ports[i];

		if (port)
			json_array_append_new(ports,
				json_pack("{s:s, s:s, s:O}", "name", port->settings.name, "bridge",
					port->bridge->name, "config", port->config));
	}
	return json_pack("{s:o, s:o, s:o}", "bridges", bridges, "ports", ports, "plan",
		datapath->wanted ? json_incref(datapath->wanted->json)
				 : json_pack("{s:[]}", "threads"));
}

static json_t *system_exit(void *context, json_t *params, struct rpc_error *error)
{
	struct datapath *datapath = context;
	static const struct timeval soon = {0, 50000};

	// The answer goes out first.
	event_base_loopexit(datapath->base, &soon);
	return json_object();
}

static json_t *prepare(void *context, json_t *params, struct rpc_error *error)
{
	json_t *configs = json_object_get(params, "ports"), *config;
	size_t i;

	json_array_foreach (configs, i, config) {
		if (!port_prepare(config, error))
			return NULL;
	}
	return json_object();
}

static json_t *release(void *context, json_t *params, struct rpc_error *error)
{
	return json_pack("{s:I}", "released_us", (json_int_t)datapath_release(context));
}

static json_t *promote(void *context, json_t *params, struct rpc_error *error)
{
	return datapath_promote(context, error) ? json_object() : NULL;
}

static json_t *successor(void *context, json_t *params, struct rpc_error *error)
{
	const struct datapath *datapath = context;
	pid_t pid = successor_request(
		datapath->supervisor, json_is_true(json_object_get(params, "huge_pages")), error);

	return pid ? json_pack("{s:i}", "pid", (int)pid) : NULL;
}

static const struct rpc_param params_successor[] = {
	{"huge_pages", RPC_BOOLEAN, false, "it does not start without; else: as it was started"},
	{NULL},
};

static const struct rpc_param params_prepare[] = {
	{"ports", RPC_ARRAY, true, "[config], each as for port.add"},
	{NULL},
};

const struct rpc_method methods_datapath[] = {
	{
		.name = "datapath.info",
		.handler = datapath_info,
		.result = "{version, pid, instance, start_ms, hugepages, cpus: [{id, numa}], "
			  "control_core, max_threads, removed, unbalanced, packet_outs}",
		.help = "This process: `instance` differs for every start; `cpus` are those that "
			"PMD threads may use; `removed` is what ports that are gone have counted, "
			"`unbalanced` how many of them left packets unaccounted for, `packet_outs` "
			"what became of frames that were handed in.",
	},
	{
		.name = "datapath.state",
		.handler = datapath_state,
		.result = "{bridges: [{name, config}], ports: [{name, bridge, config}], plan}",
		.help = "What is configured, as it was given.",
	},
	{
		.name = "datapath.successor",
		.handler = successor,
		.params = params_successor,
		.result = "{pid}",
		.help = "Have the supervisor start another process with --standby, to take over "
			"from this one. Refused by one that was not started by datapathd "
			"--supervise.",
	},
	{
		.name = "datapath.prepare",
		.handler = prepare,
		.params = params_prepare,
		.result = "{}",
		.help = "Have the packet buffers ready that such ports will need.",
	},
	{
		.name = "datapath.release",
		.handler = release,
		.result = "{released_us}",
		.help = "End all threads and close all ports, so that another process can take "
			"them over; bridges and flows stay. `released_us`: when no packet was "
			"taken "
			"any more, in microseconds of CLOCK_MONOTONIC.",
	},
	{
		.name = "datapath.promote",
		.handler = promote,
		.result = "{}",
		.help = "Of a process that was started with --standby: take the names of the one "
			"before, which has ended.",
	},
	{
		.name = "system.exit",
		.handler = system_exit,
		.result = "{}",
		.help = "End the process in good order.",
	},
	{NULL},
};

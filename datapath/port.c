// SPDX-License-Identifier: Apache-2.0
#include "datapath/port.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "base/steady_clock.h"
#include "datapath/datapath.h"
#include "datapath/log.h"
#include "datapath/pmd.h"

static const struct port_ops *const type_ops[] = {
#define PORT_TYPE(ID, NAME, ALIASES, OPS, HELP) &OPS,
#include "datapath/port_types.def"
};

struct port *ports_find(struct datapath *datapath, const char *name)
{
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		if (datapath->ports[i] && strcmp(datapath->ports[i]->settings.name, name) == 0)
			return datapath->ports[i];
	}
	return NULL;
}

void port_counters_get(const struct port *port, struct port_counters *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (unsigned slot = 0; slot < PIPELINE_READERS; slot++) {
		if (port->slots[slot])
			port_counters_add(sum, &port->slots[slot]->counters);
	}
}

// --- Slots ---

static int slot_add(struct port *port, unsigned index)
{
	struct port_slot *slot;
	struct port_view view = {0};

	if (port->slots[index])
		return 0;
	slot = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	memset(slot, 0, sizeof(*slot));
	slot->port = port;
	slot->max_frame = port_max_frame(port->settings.mtu);
	// From the first thread that has no transmit queue of its own, all have to lock.
	port->ops->view(port, &view);
	if (index >= view.n_txq)
		__atomic_store_n(&port->tx_shared, true, __ATOMIC_RELEASE);
	__atomic_store_n(&port->slots[index], slot, __ATOMIC_RELEASE);
	return 0;
}

int port_slots_add(struct datapath *datapath, unsigned slot)
{
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		if (datapath->ports[i] && slot_add(datapath->ports[i], slot) != 0)
			return -ENOMEM;
	}
	// Every running thread has to know which queues are shared before the new one sends.
	rcu_wait(&datapath->rcu);
	return 0;
}

// --- Adding and deleting ---

static void port_free(struct port *port)
{
	for (unsigned slot = 0; slot < PIPELINE_READERS; slot++)
		free(port->slots[slot]);
	for (unsigned queue = 0; queue < PORT_QUEUES; queue++)
		free(port->loads[queue]);
	json_decref(port->config);
	free(port);
}

static struct port *port_create(struct datapath *datapath, enum port_type_id type, json_t *config)
{
	const struct port_ops *ops = type_ops[type];
	size_t size = RTE_ALIGN(ops->size, RTE_CACHE_LINE_SIZE);
	struct port *port = aligned_alloc(RTE_CACHE_LINE_SIZE, size);

	if (!port)
		return NULL;
	memset(port, 0, size);
	port->ops = ops;
	port->type = type;
	port->datapath = datapath;
	port->start_tsc = rte_rdtsc();
	port->config = json_incref(config);
	return port;
}

// Nothing that clashes with what is there?
static bool place_check(struct datapath *datapath, const struct bridge *bridge,
	const struct port_settings *settings, unsigned *index, struct rpc_error *error)
{
	const struct port *other = ports_find(datapath, settings->name);

	if (other) {
		rpc_error_set(error, RPC_EXISTS, "port \"%s\" exists already, on bridge \"%s\"",
			settings->name, other->bridge->name);
		return false;
	}
	other = bridge->ports[settings->vlan.number];
	if (other) {
		rpc_error_set(error, RPC_EXISTS, "port number %u of bridge \"%s\" is port \"%s\"",
			settings->vlan.number, bridge->name, other->settings.name);
		return false;
	}
	for (*index = 0; *index < PORTS_MAX; (*index)++) {
		if (!datapath->ports[*index])
			return true;
	}
	rpc_error_set(error, RPC_REFUSED, "more than %d ports", PORTS_MAX);
	return false;
}

// Settings that not every type has.
static bool settings_check(const struct port_ops *ops, enum port_type_id type,
	const struct port_settings *settings, struct rpc_error *error)
{
	if (settings->tx_steering == TX_STEERING_THREAD || ops->set_tx_steering)
		return true;
	rpc_error_set(error, RPC_REFUSED,
		"tx_steering=%s is not for ports of type %s, only for vhostuser: leave it out",
		tx_steering_name(settings->tx_steering), port_type_get(type)->name);
	return false;
}

// Make an open port known to the pipeline and to threads.
static bool port_connect(struct port *port, struct rpc_error *error)
{
	struct datapath *datapath = port->datapath;

	for (unsigned slot = 0; slot < PIPELINE_READERS; slot++) {
		if (datapath->slots_used[slot] && slot_add(port, slot) != 0) {
			rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
			return false;
		}
	}
	// Before the pipeline sends there, or what is flooded meanwhile has no port to go to.
	__atomic_store_n(&port->bridge->ports[port->number], port, __ATOMIC_RELEASE);
	if (pipeline_port_set(port->bridge->pipeline, &port->settings.vlan) != 0) {
		__atomic_store_n(&port->bridge->ports[port->number], NULL, __ATOMIC_RELEASE);
		rcu_wait(&datapath->rcu);
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
		return false;
	}
	port->ops->view(port, &port->announced);
	datapath->ports[port->index] = port;
	pmd_plans_update(datapath);
	__atomic_store_n(&port->ready_us, steady_us(), __ATOMIC_RELAXED);
	return true;
}

struct port *port_add(struct datapath *datapath, json_t *config, struct rpc_error *error)
{
	int type = port_type_parse(json_string_value(json_object_get(config, "type")), error);
	struct bridge *bridge;
	struct port_settings settings;
	struct port_options options;
	struct port *port;
	unsigned index;

	if (type < 0)
		return NULL;
	bridge = bridge_get(datapath, config, error);
	if (!bridge || !port_settings_parse(config, &settings, error) ||
		!settings_check(type_ops[type], type, &settings, error))
		return NULL;
	if (!port_options_parse(type, json_object_get(config, "options"), &options, error) ||
		!place_check(datapath, bridge, &settings, &index, error))
		return NULL;
	port = port_create(datapath, type, config);
	if (!port) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
		return NULL;
	}
	port->index = index;
	port->bridge = bridge;
	port->number = settings.vlan.number;
	port->settings = settings;
	if (!port->ops->open(port, &options, error)) {
		port_free(port);
		return NULL;
	}
	if (!port_connect(port, error)) {
		port->ops->close(port);
		port_free(port);
		return NULL;
	}
	log_info("port %s (%s) added to bridge %s as number %u", settings.name,
		port_type_get(type)->name, bridge->name, port->number);
	return port;
}

bool port_prepare(const json_t *config, struct rpc_error *error)
{
	int type = port_type_parse(json_string_value(json_object_get(config, "type")), error);
	struct port_settings settings;

	// Of which node a device is, shows when it is opened.
	return type >= 0 && port_settings_parse(config, &settings, error) &&
	       mbuf_pool_get(type_ops[type]->mbuf_use, -1, settings.mtu, error) != NULL;
}

// No thread polls it or sends to it any more when this returns.
static void port_pause(struct port *port)
{
	port->paused = true;
	__atomic_store_n(&port->bridge->ports[port->number], NULL, __ATOMIC_RELEASE);
	pmd_plans_update(port->datapath);
	rcu_wait(&port->datapath->rcu);
}

static void port_resume(struct port *port)
{
	port->paused = false;
	__atomic_store_n(&port->bridge->ports[port->number], port, __ATOMIC_RELEASE);
	pmd_plans_update(port->datapath);
}

static void counters_keep(struct port *port)
{
	struct datapath *datapath = port->datapath;
	struct port_counters sum;
	int64_t left;

	port_counters_get(port, &sum);
	port_counters_add(&datapath->removed, &sum);
	left = port_counters_unaccounted(&sum);
	if (left == 0)
		return;
	datapath->unbalanced++;
	log_error("port %s: %lld of %llu packets and copies are unaccounted for: please report it",
		port->settings.name, (long long)left,
		(unsigned long long)(sum.rx_packets + sum.copies));
}

void port_delete(struct port *port)
{
	struct datapath *datapath = port->datapath;

	// First nothing new is sent to it, so that the bursts that are under way still find it; and
	// nothing more is learned at it.
	port->paused = true;
	if (pipeline_port_remove(port->bridge->pipeline, port->number) != 0)
		log_error("out of memory while removing port %s: its number %u stays known to "
			  "bridge %s",
			port->settings.name, port->number, port->bridge->name);
	rcu_wait(&datapath->rcu);
	port_pause(port);
	learn_drain(datapath);
	port->ops->close(port);
	counters_keep(port);
	datapath->ports[port->index] = NULL;
	log_info("port %s deleted from bridge %s", port->settings.name, port->bridge->name);
	port_free(port);
}

// --- Changing ---

static bool mtu_change(struct port *port, uint16_t mtu, struct rpc_error *error)
{
	bool done;

	if (!port->ops->mtu_live)
		port_pause(port);
	done = port->ops->set_mtu(port, mtu, error);
	if (done) {
		port->settings.mtu = mtu;
		for (unsigned slot = 0; slot < PIPELINE_READERS; slot++) {
			if (port->slots[slot])
				__atomic_store_n(&port->slots[slot]->max_frame, port_max_frame(mtu),
					__ATOMIC_RELAXED);
		}
	}
	if (!port->ops->mtu_live)
		port_resume(port);
	return done;
}

// A thread that has no transmit queue of its own makes all lock.
static void tx_shared_update(struct port *port)
{
	struct port_view view = {0};
	bool shared = false;

	port->ops->view(port, &view);
	for (unsigned slot = view.n_txq; slot < PIPELINE_READERS; slot++)
		shared |= port->slots[slot] != NULL;
	__atomic_store_n(&port->tx_shared, shared, __ATOMIC_RELEASE);
}

static bool options_change(struct port *port, const json_t *config, struct rpc_error *error)
{
	struct port_options options;
	bool done;

	if (!port_options_parse(port->type, json_object_get(config, "options"), &options, error))
		return false;
	if (!port->ops->set_options) {
		rpc_error_set(error, RPC_REFUSED,
			"options of ports of type %s cannot change; delete the port and add it",
			port_type_get(port->type)->name);
		return false;
	}
	port_pause(port);
	done = port->ops->set_options(port, &options, error);
	tx_shared_update(port);
	port_resume(port);
	port_event(port);
	return done;
}

static bool options_differ(const json_t *a, const json_t *b)
{
	const json_t *options_a = json_object_get(a, "options");
	const json_t *options_b = json_object_get(b, "options");

	return json_object_size(options_a) != json_object_size(options_b) ||
	       (options_a && options_b && !json_equal(options_a, options_b));
}

bool port_set(struct port *port, const json_t *changes, struct rpc_error *error)
{
	json_t *merged = port_config_merge(port->config, changes);
	struct pipeline *pipeline = port->bridge->pipeline;
	struct rpc_error ignored = {0};
	struct port_settings settings;
	bool reopened = false;
	bool good = merged && port_settings_parse(merged, &settings, error) &&
		    settings_check(port->ops, port->type, &settings, error);

	// This first: what follows hardly ever fails.
	if (good && options_differ(port->config, merged))
		good = reopened = options_change(port, merged, error);
	if (good && pipeline_port_set(pipeline, &settings.vlan) != 0) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
		good = false;
	}
	if (good && settings.mtu != port->settings.mtu && !mtu_change(port, settings.mtu, error)) {
		if (pipeline_port_set(pipeline, &port->settings.vlan) != 0)
			log_error("out of memory: the VLANs of port %s are those of a change that "
				  "was refused",
				port->settings.name);
		good = false;
	}
	if (!good) {
		if (reopened && !options_change(port, port->config, &ignored))
			log_error("port %s keeps options that were refused: %s",
				port->settings.name, ignored.message);
		rpc_error_clear(&ignored);
		json_decref(merged);
		return false;
	}
	if (settings.tx_steering != port->settings.tx_steering)
		port->ops->set_tx_steering(port, settings.tx_steering);
	port->settings = settings;
	json_decref(port->config);
	port->config = merged;
	return true;
}

// --- Noticing ---

void port_event(struct port *port)
{
	__atomic_store_n(&port->datapath->ports_changed, true, __ATOMIC_RELEASE);
	datapath_wake(port->datapath);
}

static bool views_equal(const struct port_view *a, const struct port_view *b)
{
	return a->state == b->state && a->link == b->link && a->speed == b->speed &&
	       a->n_rxq == b->n_rxq && a->n_txq == b->n_txq && a->rx_queues == b->rx_queues &&
	       a->numa == b->numa && strcmp(a->error, b->error) == 0;
}

void ports_refresh(struct datapath *datapath)
{
	bool queues_changed = false;

	for (unsigned i = 0; i < PORTS_MAX; i++) {
		struct port *port = datapath->ports[i];
		struct port_view view = {0};

		if (!port)
			continue;
		port->ops->view(port, &view);
		if (views_equal(&view, &port->announced))
			continue;
		queues_changed |= view.rx_queues != port->announced.rx_queues;
		port->announced = view;
		if (datapath->server)
			rpc_server_notify_all(datapath->server, "port.changed",
				json_pack("{s:s}", "name", port->settings.name));
	}
	if (queues_changed)
		pmd_plans_update(datapath);
}

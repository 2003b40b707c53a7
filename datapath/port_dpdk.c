// SPDX-License-Identifier: Apache-2.0

// Ports of type dpdk: network cards and virtual devices by way of ethdev.
//
// A thread sends on transmit queue (slot mod n_txq). Only when there are more threads than queues
// is there a lock per queue. The control thread asks for the link twice a second; drivers that
// announce changes have it asked at once.

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_spinlock.h>

#include "datapath/datapath.h"
#include "datapath/dpdk_device.h"
#include "datapath/dpdk_wake.h"
#include "datapath/log.h"
#include "datapath/mbuf_pool.h"
#include "datapath/port.h"

#define DESCRIPTORS 1024
// A pool that has fewer buffers left than this, after a port has taken its own, starves the others.
#define POOL_RESERVE 2048

struct port_dpdk {
	struct port port; // first
	uint16_t id;
	uint16_t n_rxq, n_txq;
	uint8_t tx_queue[PIPELINE_READERS]; // by slot
	rte_spinlock_t tx_locks[PORT_QUEUES];
	struct dpdk_wake wake; // PMDs: ro, while the device runs
	bool removed;          // set by DPDK's interrupt thread
	// Control only.
	uint16_t n_rxq_desc, n_txq_desc;
	struct dpdk_device device;
	struct rte_eth_dev_info info;
	bool link_events;
};

static struct port_dpdk *dpdk_of(struct port *port)
{
	return (struct port_dpdk *)port;
}

// --- Packets ---

static uint16_t rx_burst(
	struct port *port, uint16_t queue, struct rte_mbuf *mbufs[], uint16_t count)
{
	return rte_eth_rx_burst(dpdk_of(port)->id, queue, mbufs, count);
}

static uint16_t tx_burst(struct port *port, unsigned slot, struct rte_mbuf *mbufs[], uint16_t count)
{
	struct port_dpdk *dpdk = dpdk_of(port);
	uint16_t queue = dpdk->tx_queue[slot], sent;

	if (likely(!__atomic_load_n(&port->tx_shared, __ATOMIC_RELAXED)))
		return rte_eth_tx_burst(dpdk->id, queue, mbufs, count);
	rte_spinlock_lock(&dpdk->tx_locks[queue]);
	sent = rte_eth_tx_burst(dpdk->id, queue, mbufs, count);
	rte_spinlock_unlock(&dpdk->tx_locks[queue]);
	return sent;
}

static void tx_reclaim(struct port *port, unsigned slot)
{
	struct port_dpdk *dpdk = dpdk_of(port);
	uint16_t queue = dpdk->tx_queue[slot];
	bool shared = __atomic_load_n(&port->tx_shared, __ATOMIC_RELAXED);

	if (shared)
		rte_spinlock_lock(&dpdk->tx_locks[queue]);
	// Many a driver without this cleans up when it is asked to send, whatever that is.
	if (rte_eth_tx_done_cleanup(dpdk->id, queue, 0) == -ENOTSUP)
		rte_eth_tx_burst(dpdk->id, queue, NULL, 0);
	if (shared)
		rte_spinlock_unlock(&dpdk->tx_locks[queue]);
}

static void rx_arm(struct port *port, uint16_t queue, struct wake_source *source)
{
	dpdk_wake_arm(&dpdk_of(port)->wake, queue, source);
}

static void rx_disarm(struct port *port, uint16_t queue)
{
	dpdk_wake_disarm(&dpdk_of(port)->wake, queue);
}

// --- Opening ---

static bool failed(
	const struct port_dpdk *dpdk, const char *what, int result, struct rpc_error *error)
{
	const char *explanation = log_capture_stop();

	rpc_error_set(error, RPC_REFUSED, "device %s: cannot %s: %s%s%s", dpdk->device.name, what,
		strerror(-result), explanation[0] ? ": " : "", explanation);
	return false;
}

static bool queues_choose(
	struct port_dpdk *dpdk, const struct port_options *options, struct rpc_error *error)
{
	bool card = strcmp(dpdk->device.bus, "vdev") != 0;
	uint16_t cpus = (uint16_t)RTE_MIN(dpdk->port.datapath->eal.cpu_count, PORT_QUEUES);

	dpdk->n_rxq = (uint16_t)options->number[DPDK_N_RXQ];
	dpdk->n_txq = (uint16_t)options->number[DPDK_N_TXQ];
	if (dpdk->n_txq == 0) {
		dpdk->n_txq = card ? RTE_MAX(cpus, dpdk->n_rxq) : dpdk->n_rxq;
		dpdk->n_txq = RTE_MIN(dpdk->n_txq, dpdk->info.max_tx_queues);
	}
	if (dpdk->n_rxq <= dpdk->info.max_rx_queues && dpdk->n_txq <= dpdk->info.max_tx_queues &&
		dpdk->n_txq > 0)
		return true;
	rpc_error_set(error, RPC_REFUSED,
		"device %s has up to %u receive and %u transmit queues; n_rxq=%u n_txq=%u are too "
		"many%s",
		dpdk->device.name, dpdk->info.max_rx_queues, dpdk->info.max_tx_queues, dpdk->n_rxq,
		dpdk->n_txq, card ? "" : " (a virtual device's own arguments may ask for more)");
	return false;
}

// Virtual devices without interrupts do not mind being asked for them. Some cards do.
static int device_configure(struct port_dpdk *dpdk, bool rx_interrupts)
{
	struct rte_eth_conf conf = {0};
	uint64_t rss = dpdk->info.flow_type_rss_offloads &
		       (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_SCTP);
	int result;

	if (dpdk->n_rxq > 1 && rss != 0) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = rss;
	}
	if (dpdk->info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) {
		conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
		dpdk->port.multi_segment = true;
	}
	dpdk->link_events = *dpdk->info.dev_flags & RTE_ETH_DEV_INTR_LSC;
	conf.intr_conf.lsc = dpdk->link_events;
	conf.intr_conf.rxq = rx_interrupts;
	result = rte_eth_dev_configure(dpdk->id, dpdk->n_rxq, dpdk->n_txq, &conf);
	if (result == 0)
		result = rte_eth_dev_adjust_nb_rx_tx_desc(
			dpdk->id, &dpdk->n_rxq_desc, &dpdk->n_txq_desc);
	return result;
}

static bool rx_queues_setup(struct port_dpdk *dpdk, struct rpc_error *error)
{
	struct rte_mempool *pool = dpdk->port.pool;
	int numa = rte_eth_dev_socket_id(dpdk->id);

	for (uint16_t queue = 0; queue < dpdk->n_rxq; queue++) {
		int result = rte_eth_rx_queue_setup(dpdk->id, queue, dpdk->n_rxq_desc,
			numa < 0 ? (unsigned)SOCKET_ID_ANY : (unsigned)numa, NULL, pool);

		// With infinite_rx, net_pcap keeps the whole file in buffers.
		if (result == 0 && rte_mempool_avail_count(pool) >= POOL_RESERVE)
			continue;
		if (result != 0)
			failed(dpdk, "set up a receive queue", result, error);
		else
			rpc_error_set(error, RPC_REFUSED,
				"device %s takes nearly all packet buffers", dpdk->device.name);
		snprintf(error->message + strlen(error->message),
			sizeof(error->message) - strlen(error->message),
			" (there are %u packet buffers for all devices; start datapathd with a "
			"bigger "
			"--mbufs, and --memory or huge pages enough for it, if the device needs "
			"more)",
			pool->size);
		return false;
	}
	return true;
}

static bool tx_queues_setup(struct port_dpdk *dpdk, struct rpc_error *error)
{
	int numa = rte_eth_dev_socket_id(dpdk->id);

	for (uint16_t queue = 0; queue < dpdk->n_txq; queue++) {
		int result = rte_eth_tx_queue_setup(dpdk->id, queue, dpdk->n_txq_desc,
			numa < 0 ? (unsigned)SOCKET_ID_ANY : (unsigned)numa, NULL);

		rte_spinlock_init(&dpdk->tx_locks[queue]);
		if (result != 0)
			return failed(dpdk, "set up a transmit queue", result, error);
	}
	for (unsigned slot = 0; slot < PIPELINE_READERS; slot++)
		dpdk->tx_queue[slot] = (uint8_t)(slot % dpdk->n_txq);
	return true;
}

// What drivers without the operation say is no obstacle: the switch itself holds to the MTU.
static bool device_set_mtu(struct port_dpdk *dpdk, uint16_t mtu, struct rpc_error *error)
{
	uint16_t now = 0;
	int result;

	if (rte_eth_dev_get_mtu(dpdk->id, &now) == 0 && now == mtu)
		return true;
	result = rte_eth_dev_set_mtu(dpdk->id, mtu);
	if (result == 0 || result == -ENOTSUP)
		return true;
	return failed(dpdk, "set the MTU", result, error);
}

// Runs on DPDK's interrupt thread.
static int on_device_event(uint16_t id, enum rte_eth_event_type type, void *context, void *result)
{
	struct port_dpdk *dpdk = context;

	if (type == RTE_ETH_EVENT_INTR_RMV)
		__atomic_store_n(&dpdk->removed, true, __ATOMIC_RELAXED);
	port_event(&dpdk->port);
	return 0;
}

static void link_update(struct port_dpdk *dpdk, struct rte_eth_link *link)
{
	memset(link, 0, sizeof(*link));
	rte_eth_link_get_nowait(dpdk->id, link);
	__atomic_store_n(&dpdk->port.up, link->link_status == RTE_ETH_LINK_UP, __ATOMIC_RELAXED);
}

static bool device_start(struct port_dpdk *dpdk, struct rpc_error *error)
{
	struct rte_eth_link link;
	int result = rte_eth_dev_start(dpdk->id);

	if (result != 0)
		return failed(dpdk, "start it", result, error);
	// Virtual devices that cannot are promiscuous anyway.
	rte_eth_promiscuous_enable(dpdk->id);
	dpdk_wake_find(&dpdk->wake, dpdk->id, dpdk->n_rxq);
	link_update(dpdk, &link);
	return true;
}

static bool device_set_up(struct port_dpdk *dpdk, bool rx_interrupts, struct rpc_error *error)
{
	const struct port_settings *settings = &dpdk->port.settings;
	int result = device_configure(dpdk, rx_interrupts);

	if (result != 0)
		return failed(dpdk, "configure it", result, error);
	return (!settings->mtu_given || device_set_mtu(dpdk, settings->mtu, error)) &&
	       rx_queues_setup(dpdk, error) && tx_queues_setup(dpdk, error) &&
	       device_start(dpdk, error);
}

// Numbers of queues and descriptors. Nothing has been done to the device.
static bool numbers_choose(
	struct port_dpdk *dpdk, const struct port_options *options, struct rpc_error *error)
{
	dpdk->n_rxq_desc = (uint16_t)options->number[DPDK_N_RXQ_DESC];
	dpdk->n_txq_desc = (uint16_t)options->number[DPDK_N_TXQ_DESC];
	if (dpdk->n_rxq_desc == 0)
		dpdk->n_rxq_desc = DESCRIPTORS;
	if (dpdk->n_txq_desc == 0)
		dpdk->n_txq_desc = DESCRIPTORS;
	return queues_choose(dpdk, options, error);
}

// With interrupts if that can be.
static bool device_begin(struct port_dpdk *dpdk, struct rpc_error *error)
{
	log_capture_start();
	if (!device_set_up(dpdk, true, error)) {
		log_capture_stop();
		rpc_error_clear(error);
		log_capture_start();
		if (!device_set_up(dpdk, false, error)) {
			log_capture_stop();
			return false;
		}
	}
	log_capture_stop();
	return true;
}

static bool device_prepare(
	struct port_dpdk *dpdk, const struct port_options *options, struct rpc_error *error)
{
	struct port *port = &dpdk->port;
	int result = rte_eth_dev_info_get(dpdk->id, &dpdk->info);

	if (result != 0)
		return failed(dpdk, "ask what it can do", result, error);
	if (!numbers_choose(dpdk, options, error))
		return false;
	port->pool = mbuf_pool_get(
		MBUF_DEVICES, rte_eth_dev_socket_id(dpdk->id), port->settings.mtu, error);
	return port->pool && device_begin(dpdk, error);
}

// Some drivers keep what they have sent until their ring is full. If all rings together have room
// for nearly all buffers of guests, there may come a time when guests have none, and nothing can be
// sent that would free some.
static void rings_check(struct port_dpdk *dpdk)
{
	struct datapath *datapath = dpdk->port.datapath;
	unsigned room = dpdk->n_txq * dpdk->n_txq_desc, buffers = mbuf_pools_of_guests();

	for (unsigned i = 0; i < PORTS_MAX; i++) {
		struct port *port = datapath->ports[i];

		if (port && port->ops == dpdk->port.ops && port != &dpdk->port)
			room += dpdk_of(port)->n_txq * dpdk_of(port)->n_txq_desc;
	}
	if (buffers > 0 && room > buffers / 4 * 3)
		log_warning("transmit rings of devices have room for %u packet buffers, and guests "
			    "have %u: they may run out; have fewer descriptors or queues "
			    "(n_txq_desc, n_txq) or more buffers (datapathd --mbufs)",
			room, buffers);
}

static void device_close(struct port_dpdk *dpdk)
{
	rte_eth_dev_callback_unregister(dpdk->id, RTE_ETH_EVENT_INTR_LSC, on_device_event, dpdk);
	rte_eth_dev_callback_unregister(dpdk->id, RTE_ETH_EVENT_INTR_RMV, on_device_event, dpdk);
	// Drivers that failed half-way complain again.
	log_capture_start();
	rte_eth_dev_stop(dpdk->id);
	rte_eth_dev_close(dpdk->id);
	log_capture_stop();
	dpdk_device_remove(&dpdk->device);
}

static bool open_port(
	struct port *port, const struct port_options *options, struct rpc_error *error)
{
	struct port_dpdk *dpdk = dpdk_of(port);

	if (!dpdk_device_probe(&dpdk->device, options->text[DPDK_DEVARGS], error))
		return false;
	dpdk->id = dpdk->device.id;
	if (!device_prepare(dpdk, options, error)) {
		device_close(dpdk);
		return false;
	}
	rings_check(dpdk);
	rte_eth_dev_callback_register(dpdk->id, RTE_ETH_EVENT_INTR_LSC, on_device_event, dpdk);
	rte_eth_dev_callback_register(dpdk->id, RTE_ETH_EVENT_INTR_RMV, on_device_event, dpdk);
	return true;
}

static void close_port(struct port *port)
{
	device_close(dpdk_of(port));
}

// --- Changing ---

static bool mtu_apply(
	struct port_dpdk *dpdk, struct rte_mempool *pool, uint16_t mtu, struct rpc_error *error)
{
	struct rte_mempool *old = dpdk->port.pool;

	if (!device_set_mtu(dpdk, mtu, error))
		return false;
	dpdk->port.pool = pool;
	if (pool == old || rx_queues_setup(dpdk, error))
		return true;
	dpdk->port.pool = old;
	return false;
}

static bool set_mtu(struct port *port, uint16_t mtu, struct rpc_error *error)
{
	struct port_dpdk *dpdk = dpdk_of(port);
	struct rte_mempool *old = port->pool;
	struct rte_mempool *pool =
		mbuf_pool_get(MBUF_DEVICES, rte_eth_dev_socket_id(dpdk->id), mtu, error);
	struct rpc_error ignored = {0};
	bool done;

	if (!pool)
		return false;
	rte_eth_dev_stop(dpdk->id);
	log_capture_start();
	done = mtu_apply(dpdk, pool, mtu, error);
	if (!done && !mtu_apply(dpdk, old, port->settings.mtu, &ignored))
		log_error("port %s: cannot go back to MTU %u: %s", port->settings.name,
			port->settings.mtu, ignored.message);
	log_capture_stop();
	if (!device_start(dpdk, &ignored)) {
		log_error("port %s stays down: %s", port->settings.name, ignored.message);
		if (done)
			rpc_error_set(error, RPC_REFUSED, "%s", ignored.message);
		done = false;
	}
	rpc_error_clear(&ignored);
	return done;
}

// Only the numbers of queues and descriptors: another device is another port.
static bool set_options(
	struct port *port, const struct port_options *options, struct rpc_error *error)
{
	struct port_dpdk *dpdk = dpdk_of(port);
	struct rpc_error ignored = {0};
	struct port_options old;
	bool stopped;

	if (!port_options_parse(port->type, json_object_get(port->config, "options"), &old, error))
		return false;
	if (strcmp(old.text[DPDK_DEVARGS], options->text[DPDK_DEVARGS]) != 0) {
		rpc_error_set(
			error, RPC_REFUSED, "devargs cannot change; delete the port and add it");
		return false;
	}
	stopped = numbers_choose(dpdk, options, error);
	if (stopped)
		rte_eth_dev_stop(dpdk->id);
	if (stopped && device_begin(dpdk, error))
		return true;
	// They were good before.
	(void)numbers_choose(dpdk, &old, &ignored);
	if (stopped && !device_begin(dpdk, &ignored))
		log_error("port %s stays down: %s", port->settings.name, ignored.message);
	rpc_error_clear(&ignored);
	return false;
}

// --- Looking ---

static void view(struct port *port, struct port_view *view)
{
	struct port_dpdk *dpdk = dpdk_of(port);
	struct rte_ether_addr mac = {0};
	struct rte_eth_link link;

	link_update(dpdk, &link);
	rte_eth_macaddr_get(dpdk->id, &mac);
	memcpy(view->mac, mac.addr_bytes, sizeof(view->mac));
	view->link = link.link_status == RTE_ETH_LINK_UP;
	view->speed = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
	view->state = view->link ? PORT_UP : PORT_DOWN;
	view->numa = rte_eth_dev_socket_id(dpdk->id);
	view->n_rxq = dpdk->n_rxq;
	view->n_txq = dpdk->n_txq;
	view->rx_queues = UINT64_MAX >> (64 - dpdk->n_rxq);
	if (__atomic_load_n(&dpdk->removed, __ATOMIC_RELAXED)) {
		view->state = PORT_ERROR;
		snprintf(view->error, sizeof(view->error), "device %s was removed; delete the port",
			dpdk->device.name);
	}
}

static void losses(struct port *port, struct port_losses *losses)
{
	struct rte_eth_stats stats;

	if (rte_eth_stats_get(dpdk_of(port)->id, &stats) != 0)
		return;
	losses->rx_missed = stats.imissed;
	losses->rx_errors = stats.ierrors;
	losses->tx_errors = stats.oerrors;
	losses->rx_no_buffer = stats.rx_nombuf;
}

static void set_number(json_t *object, const char *name, unsigned number)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", number);
	json_object_set_new(object, name, json_string(text));
}

static void details(struct port *port, json_t *features, json_t *status)
{
	struct port_dpdk *dpdk = dpdk_of(port);

	json_object_set_new(status, "driver_name", json_string(dpdk->info.driver_name));
	json_object_set_new(status, "device", json_string(dpdk->device.name));
	json_object_set_new(status, "bus", json_string(dpdk->device.bus));
	set_number(status, "n_rxq_desc", dpdk->n_rxq_desc);
	set_number(status, "n_txq_desc", dpdk->n_txq_desc);
	set_number(status, "max_rx_queues", dpdk->info.max_rx_queues);
	set_number(status, "max_tx_queues", dpdk->info.max_tx_queues);
	json_object_set_new(status, "wakes_by", json_string(dpdk_wake_name(&dpdk->wake)));
	if (port->multi_segment)
		json_array_append_new(features, json_string("multi_segment_tx"));
	if (dpdk->link_events)
		json_array_append_new(features, json_string("link_events"));
	if (dpdk->n_rxq > 1 && dpdk->info.flow_type_rss_offloads != 0)
		json_array_append_new(features, json_string("rss"));
}

const struct port_ops port_dpdk_ops = {
	.size = sizeof(struct port_dpdk),
	.mbuf_use = MBUF_DEVICES,
	.open = open_port,
	.close = close_port,
	.set_mtu = set_mtu,
	.set_options = set_options,
	.rx_burst = rx_burst,
	.tx_burst = tx_burst,
	.tx_reclaim = tx_reclaim,
	.rx_arm = rx_arm,
	.rx_disarm = rx_disarm,
	.view = view,
	.losses = losses,
	.details = details,
};

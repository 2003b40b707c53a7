// SPDX-License-Identifier: Apache-2.0

// Ports of type vhostuser: guests' virtio-net devices, on librte_vhost directly.
//
// Threads. librte_vhost has threads of its own, for messages and for reconnecting. They call the
// functions on_*() below, which keep what the control thread may ask for under the port's lock and
// what PMD threads need in atomics:
//   device       the library's handle while the guest runs, else -1
//   tx_queue[]   a transmit queue for each reader slot that the guest has enabled
// PMD threads take no lock of ours. on_device_destroyed() takes the handle away and then waits
// until every PMD thread has come round, so none is in the library's ring functions when the
// library unmaps the guest's memory. It must not wait for the control thread, which may itself be
// waiting for the library in close; and on_ring_changed() must not wait for anybody, because the
// library holds the rings' locks, which PMD threads take.
//
// The guest's memory is hostile. The library copies headers and checks every index; frames are
// copied out before the pipeline sees them.

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>
#include <rte_vhost.h>

#include "datapath/datapath.h"
#include "datapath/log.h"
#include "datapath/mbuf_pool.h"
#include "datapath/port.h"
#include "datapath/vhost_features.h"
#include "datapath/vhost_socket.h"
#include "rpc/rundir.h"

#define VHOST_DEVICES 1024 // handles of the library
#define TX_RETRIES 8       // while the guest makes room
#define TX_ASIDE 4         // times that long packets make way for shorter ones, in one burst
#define IDLE_BURST 4       // asked for after an empty poll

// What a PMD thread keeps for a receive queue that it polls.
struct vhost_rx_queue {
	uint16_t burst; // how many packets to ask for
	bool quiet;     // the guest has been told not to kick; any thread clears
} __rte_cache_aligned;

struct port_vhost {
	struct port port; // first
	// PMDs: ro; vhost's threads: wo.
	int device;
	bool single_buffers;                // each frame has to fit into one of the guest's buffers
	uint8_t tx_queue[PIPELINE_READERS]; // queue pair, by slot
	struct vhost_rx_queue rx_queues[PORT_QUEUES];
	// Set once.
	bool server;
	char path[UNIX_SOCKET_PATH_MAX + 1];
	// Under the lock.
	pthread_mutex_t lock;
	int connection; // handle, or -1
	bool running;
	uint64_t features;
	uint64_t rx_enabled, tx_enabled; // bit per queue pair; seen from the switch
	unsigned queue_pairs;
	int numa;
	uint16_t guest_mtu, ring_size;
	uint64_t connections; // so far
	char last_error[160];
};

// All vhost ports, for the library's callbacks, which know a handle or a path.
static struct {
	pthread_mutex_t lock;
	struct port_vhost *by_device[VHOST_DEVICES];
	struct port_vhost *ports[PORTS_MAX];
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct port_vhost *vhost_of(struct port *port)
{
	return (struct port_vhost *)port;
}

static uint16_t receive_ring(uint16_t queue)
{
	return 2 * queue + 1; // the guest's transmit
}

static uint16_t transmit_ring(uint16_t queue)
{
	return 2 * queue; // the guest's receive
}

// --- Packets ---

// With packed rings, this library version takes and gives back as many buffers as are asked for
// even if the ring is empty. So we ask for few when the ring was empty, and then for the rest.
static uint16_t rx_burst(
	struct port *port, uint16_t queue, struct rte_mbuf *mbufs[], uint16_t count)
{
	struct port_vhost *vhost = vhost_of(port);
	struct vhost_rx_queue *rx = &vhost->rx_queues[queue];
	int device = __atomic_load_n(&vhost->device, __ATOMIC_ACQUIRE);
	uint16_t ring = receive_ring(queue), ask = RTE_MIN(count, rx->burst), got;

	if (unlikely(device < 0))
		return 0;
	if (unlikely(!__atomic_load_n(&rx->quiet, __ATOMIC_RELAXED))) {
		__atomic_store_n(&rx->quiet, true, __ATOMIC_RELAXED);
		rte_vhost_enable_guest_notification(device, ring, 0);
	}
	got = rte_vhost_dequeue_burst(device, ring, port->pool, mbufs, ask);
	if (got == 0) {
		rx->burst = IDLE_BURST;
		return 0;
	}
	if (got == ask && ask < count)
		got += rte_vhost_dequeue_burst(device, ring, port->pool, mbufs + got, count - got);
	rx->burst = PIPELINE_BURST;
	return got;
}

// Put the packets that are as long as the first, or longer, behind the others. Returns the number
// of the others. The order is kept on both sides.
static uint16_t long_set_aside(struct rte_mbuf *mbufs[], uint16_t count)
{
	struct rte_mbuf *aside[PORT_STAGE];
	uint32_t length = mbufs[0]->pkt_len;
	uint16_t shorter = 0, longer = 0;

	for (uint16_t i = 0; i < count; i++) {
		if (mbufs[i]->pkt_len < length)
			mbufs[shorter++] = mbufs[i];
		else
			aside[longer++] = mbufs[i];
	}
	memcpy(mbufs + shorter, aside, longer * sizeof(aside[0]));
	return shorter;
}

// The library stops at a frame that is longer than the guest's next buffer, as it does when there
// is none. The one must not keep those behind it from a guest that has room for them.
static uint16_t tx_burst(struct port *port, unsigned slot, struct rte_mbuf *mbufs[], uint16_t count)
{
	struct port_vhost *vhost = vhost_of(port);
	int device = __atomic_load_n(&vhost->device, __ATOMIC_ACQUIRE);
	uint16_t ring = transmit_ring(__atomic_load_n(&vhost->tx_queue[slot], __ATOMIC_RELAXED));
	uint16_t sent = 0;
	unsigned retries = 0, aside = 0;

	if (unlikely(device < 0))
		return 0;
	while (sent < count) {
		uint16_t now = rte_vhost_enqueue_burst(device, ring, mbufs + sent, count - sent);

		sent += now;
		if (now > 0 || (sent > 0 && ++retries <= TX_RETRIES))
			continue;
		if (!vhost->single_buffers || ++aside > TX_ASIDE)
			break;
		count = sent + long_set_aside(mbufs + sent, count - sent);
	}
	rte_pktmbuf_free_bulk(mbufs, sent);
	return sent;
}

// --- What the library's threads tell ---

static struct port_vhost *device_port(int device)
{
	struct port_vhost *vhost = NULL;

	pthread_mutex_lock(&registry.lock);
	if (device >= 0 && device < VHOST_DEVICES)
		vhost = registry.by_device[device];
	pthread_mutex_unlock(&registry.lock);
	return vhost;
}

// Give every reader slot one of the queues that the guest takes packets from. Under the lock.
static void tx_queues_assign(struct port_vhost *vhost)
{
	uint8_t enabled[PORT_QUEUES];
	unsigned count = 0;

	for (unsigned queue = 0; queue < PORT_QUEUES; queue++) {
		if (vhost->tx_enabled & UINT64_C(1) << queue)
			enabled[count++] = (uint8_t)queue;
	}
	for (unsigned slot = 0; slot < PIPELINE_READERS; slot++)
		__atomic_store_n(&vhost->tx_queue[slot], count ? enabled[slot % count] : 0,
			__ATOMIC_RELAXED);
}

static int on_connected(int device)
{
	char path[PATH_MAX];
	struct port_vhost *vhost = NULL;
	bool taken;

	if (device < 0 || device >= VHOST_DEVICES ||
		rte_vhost_get_ifname(device, path, sizeof(path)) != 0)
		return -1;
	pthread_mutex_lock(&registry.lock);
	for (unsigned i = 0; i < PORTS_MAX && !vhost; i++) {
		if (registry.ports[i] && strcmp(registry.ports[i]->path, path) == 0)
			vhost = registry.ports[i];
	}
	if (!vhost) {
		pthread_mutex_unlock(&registry.lock);
		return -1;
	}
	pthread_mutex_lock(&vhost->lock);
	taken = vhost->connection >= 0;
	if (taken) {
		snprintf(vhost->last_error, sizeof(vhost->last_error),
			"a second guest was turned away: the port has one already");
	} else {
		registry.by_device[device] = vhost;
		vhost->connection = device;
		vhost->connections++;
		vhost->last_error[0] = '\0';
		vhost->rx_enabled = 0;
		vhost->tx_enabled = 0;
		vhost->queue_pairs = 0;
	}
	pthread_mutex_unlock(&vhost->lock);
	pthread_mutex_unlock(&registry.lock);
	port_event(&vhost->port);
	return taken ? -1 : 0;
}

static void on_disconnected(int device)
{
	struct port_vhost *vhost = device_port(device);

	if (!vhost)
		return;
	pthread_mutex_lock(&registry.lock);
	registry.by_device[device] = NULL;
	pthread_mutex_unlock(&registry.lock);
	pthread_mutex_lock(&vhost->lock);
	vhost->connection = -1;
	vhost->features = 0;
	vhost->rx_enabled = 0;
	vhost->tx_enabled = 0;
	vhost->queue_pairs = 0;
	snprintf(vhost->last_error, sizeof(vhost->last_error), "the guest has disconnected");
	pthread_mutex_unlock(&vhost->lock);
	port_event(&vhost->port);
}

// May come with the library's locks held: no waiting.
static int on_ring_changed(int device, uint16_t ring, int enable)
{
	struct port_vhost *vhost = device_port(device);
	uint16_t queue = ring / 2;
	uint64_t bit = UINT64_C(1) << (queue % 64);
	uint64_t *enabled;

	if (!vhost)
		return 0;
	pthread_mutex_lock(&vhost->lock);
	if (queue >= PORT_QUEUES) {
		snprintf(vhost->last_error, sizeof(vhost->last_error),
			"the guest uses more than %d queue pairs; the others are left alone",
			PORT_QUEUES);
		pthread_mutex_unlock(&vhost->lock);
		return 0;
	}
	enabled = ring % 2 ? &vhost->rx_enabled : &vhost->tx_enabled;
	*enabled = enable ? *enabled | bit : *enabled & ~bit;
	vhost->queue_pairs = RTE_MAX(vhost->queue_pairs, queue + 1u);
	tx_queues_assign(vhost);
	pthread_mutex_unlock(&vhost->lock);
	if (enable)
		__atomic_store_n(&vhost->rx_queues[queue].quiet, false, __ATOMIC_RELAXED);
	port_event(&vhost->port);
	return 0;
}

static int on_device_new(int device)
{
	struct port_vhost *vhost = device_port(device);
	struct rte_vhost_vring ring = {0};

	if (!vhost)
		return -1;
	pthread_mutex_lock(&vhost->lock);
	rte_vhost_get_negotiated_features(device, &vhost->features);
	vhost->queue_pairs = RTE_MAX(vhost->queue_pairs, rte_vhost_get_vring_num(device) / 2u);
	vhost->queue_pairs = RTE_MIN(vhost->queue_pairs, PORT_QUEUES);
	vhost->numa = rte_vhost_get_numa_node(device);
	if (rte_vhost_get_mtu(device, &vhost->guest_mtu) != 0)
		vhost->guest_mtu = 0;
	if (rte_vhost_get_vhost_vring(device, 0, &ring) == 0)
		vhost->ring_size = ring.size;
	vhost->single_buffers = !(vhost->features >> VHOST_FEATURE_MERGEABLE & 1);
	vhost->running = true;
	tx_queues_assign(vhost);
	pthread_mutex_unlock(&vhost->lock);
	for (uint16_t queue = 0; queue < PORT_QUEUES; queue++)
		__atomic_store_n(&vhost->rx_queues[queue].quiet, false, __ATOMIC_RELAXED);
	__atomic_store_n(&vhost->port.up, true, __ATOMIC_RELAXED);
	__atomic_store_n(&vhost->device, device, __ATOMIC_RELEASE);
	port_event(&vhost->port);
	return 0;
}

static void on_device_destroyed(int device)
{
	struct port_vhost *vhost = device_port(device);

	if (!vhost)
		return;
	__atomic_store_n(&vhost->port.up, false, __ATOMIC_RELAXED);
	__atomic_store_n(&vhost->device, -1, __ATOMIC_SEQ_CST);
	rcu_wait(&vhost->port.datapath->rcu);
	pthread_mutex_lock(&vhost->lock);
	vhost->running = false;
	pthread_mutex_unlock(&vhost->lock);
	port_event(&vhost->port);
}

static const struct rte_vhost_device_ops library_ops = {
	.new_connection = on_connected,
	.destroy_connection = on_disconnected,
	.new_device = on_device_new,
	.destroy_device = on_device_destroyed,
	.vring_state_changed = on_ring_changed,
};

// --- Opening ---

const struct port *vhost_path_owner(const char *path)
{
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		if (registry.ports[i] && strcmp(registry.ports[i]->path, path) == 0)
			return &registry.ports[i]->port;
	}
	return NULL;
}

static bool path_choose(
	struct port_vhost *vhost, const struct port_options *options, struct rpc_error *error)
{
	const char *path = options->text[VHOSTUSER_PATH];
	char chosen[RUNDIR_PATH_SIZE], file[PORT_NAME_SIZE + 8];

	if (path[0] == '\0') {
		snprintf(file, sizeof(file), "%s.sock", vhost->port.settings.name);
		rundir_path(chosen, sizeof(chosen), vhost->port.datapath->rundir, file);
		path = chosen;
	}
	if (vhost_path_owner(path)) {
		rpc_error_set(error, RPC_REFUSED, "path=%s is in use by port \"%s\"", path,
			vhost_path_owner(path)->settings.name);
		return false;
	}
	if (!vhost_socket_check(path, vhost->server, error))
		return false;
	memcpy(vhost->path, path, strlen(path) + 1); // not too long, or it would not be a socket
	return true;
}

static bool driver_start(struct port_vhost *vhost, struct rpc_error *error)
{
	uint64_t flags = vhost->server ? 0 : RTE_VHOST_USER_CLIENT;
	const char *explanation;
	bool good;

	log_capture_start();
	good = rte_vhost_driver_register(vhost->path, flags) == 0;
	if (good) {
		good = rte_vhost_driver_disable_features(vhost->path, vhost_features_refused) ==
			       0 &&
		       rte_vhost_driver_callback_register(vhost->path, &library_ops) == 0 &&
		       rte_vhost_driver_start(vhost->path) == 0;
		if (!good)
			rte_vhost_driver_unregister(vhost->path);
	}
	explanation = log_capture_stop();
	if (!good)
		rpc_error_set(error, RPC_REFUSED, "path=%s: cannot %s: %s", vhost->path,
			vhost->server ? "listen on the socket" : "connect to the socket",
			explanation[0] ? explanation : "refused by the vhost library");
	return good;
}

static void registry_set(struct port_vhost *vhost, struct port_vhost *value)
{
	pthread_mutex_lock(&registry.lock);
	registry.ports[vhost->port.index] = value;
	for (unsigned i = 0; i < VHOST_DEVICES && !value; i++) {
		if (registry.by_device[i] == vhost)
			registry.by_device[i] = NULL;
	}
	pthread_mutex_unlock(&registry.lock);
}

static bool open_port(
	struct port *port, const struct port_options *options, struct rpc_error *error)
{
	struct port_vhost *vhost = vhost_of(port);

	vhost->device = -1;
	vhost->connection = -1;
	vhost->numa = -1;
	vhost->server = strcmp(options->text[VHOSTUSER_MODE], "server") == 0;
	port->multi_segment = true;
	for (unsigned queue = 0; queue < PORT_QUEUES; queue++)
		vhost->rx_queues[queue].burst = IDLE_BURST;
	if (!path_choose(vhost, options, error))
		return false;
	port->pool = mbuf_pool_get(-1, port->settings.mtu, error);
	if (!port->pool)
		return false;
	pthread_mutex_init(&vhost->lock, NULL);
	registry_set(vhost, vhost);
	if (driver_start(vhost, error))
		return true;
	registry_set(vhost, NULL);
	pthread_mutex_destroy(&vhost->lock);
	return false;
}

static void close_port(struct port *port)
{
	struct port_vhost *vhost = vhost_of(port);

	// Calls on_device_destroyed() on this thread if a guest runs.
	rte_vhost_driver_unregister(vhost->path);
	registry_set(vhost, NULL);
	pthread_mutex_destroy(&vhost->lock);
}

static bool set_mtu(struct port *port, uint16_t mtu, struct rpc_error *error)
{
	struct rte_mempool *pool = mbuf_pool_get(-1, mtu, error);

	if (!pool)
		return false;
	__atomic_store_n(&port->pool, pool, __ATOMIC_RELAXED);
	return true;
}

// --- Looking ---

static void view(struct port *port, struct port_view *view)
{
	struct port_vhost *vhost = vhost_of(port);

	pthread_mutex_lock(&vhost->lock);
	view->state = vhost->running           ? PORT_RUNNING
		      : vhost->connection >= 0 ? PORT_NEGOTIATED
		      : vhost->server          ? PORT_LISTENING
					       : PORT_CONNECTING;
	view->link = vhost->running;
	view->numa = vhost->numa;
	view->n_rxq = vhost->queue_pairs ? vhost->queue_pairs : 1;
	view->n_txq = view->n_rxq;
	view->rx_queues = vhost->running ? vhost->rx_enabled : 0;
	snprintf(view->error, sizeof(view->error), "%s", vhost->last_error);
	pthread_mutex_unlock(&vhost->lock);
}

static void losses(struct port *port, struct port_losses *losses)
{
}

static void set_number(json_t *object, const char *name, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	json_object_set_new(object, name, json_string(text));
}

static void details(struct port *port, json_t *features, json_t *status)
{
	struct port_vhost *vhost = vhost_of(port);
	char hex[24];

	pthread_mutex_lock(&vhost->lock);
	vhost_features_name(vhost->features, features);
	json_object_set_new(status, "mode", json_string(vhost->server ? "server" : "client"));
	json_object_set_new(status, "socket", json_string(vhost->path));
	set_number(status, "connections", vhost->connections);
	if (vhost->connection >= 0) {
		snprintf(hex, sizeof(hex), "0x%llx", (unsigned long long)vhost->features);
		json_object_set_new(status, "features", json_string(hex));
		json_object_set_new(status, "ring",
			json_string(
				vhost->features >> VHOST_FEATURE_PACKED & 1 ? "packed" : "split"));
		set_number(status, "ring_size", vhost->ring_size);
		set_number(status, "queue_pairs", vhost->queue_pairs);
		set_number(status, "rx_queues_enabled",
			(uint64_t)__builtin_popcountll(vhost->rx_enabled));
		set_number(status, "tx_queues_enabled",
			(uint64_t)__builtin_popcountll(vhost->tx_enabled));
		if (vhost->guest_mtu)
			set_number(status, "guest_mtu", vhost->guest_mtu);
	}
	pthread_mutex_unlock(&vhost->lock);
}

const struct port_ops port_vhost_ops = {
	.size = sizeof(struct port_vhost),
	.open = open_port,
	.close = close_port,
	.mtu_live = true,
	.set_mtu = set_mtu,
	.rx_burst = rx_burst,
	.tx_burst = tx_burst,
	.view = view,
	.losses = losses,
	.details = details,
};

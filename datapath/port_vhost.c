// SPDX-License-Identifier: Apache-2.0
#include "datapath/port_vhost.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "datapath/datapath.h"
#include "datapath/log.h"
#include "datapath/mbuf_pool.h"
#include "datapath/vhost_features.h"
#include "datapath/vhost_gate.h"
#include "datapath/vhost_socket.h"

// --- Opening ---

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

// The library knows the socket from here on, and vhost->registered says so.
static bool driver_register(struct port_vhost *vhost)
{
	uint64_t flags = vhost->server ? 0 : RTE_VHOST_USER_CLIENT | RTE_VHOST_USER_NO_RECONNECT;

	vhost->registered = rte_vhost_driver_register(vhost->path, flags) == 0;
	return vhost->registered &&
	       rte_vhost_driver_disable_features(vhost->path, vhost_features_refused) == 0 &&
	       rte_vhost_driver_callback_register(vhost->path, &vhost_library_ops) == 0;
}

// Let the guest know at once. The library closes the socket, but its thread waits for it at that
// time, for up to a second, and only then it is gone.
static void connection_shut(struct port_vhost *vhost)
{
	int socket = __atomic_load_n(&vhost->socket, __ATOMIC_RELAXED);
	struct sockaddr_un address = {0};
	socklen_t size = sizeof(address) - 1;

	// The library may have closed it a moment ago, and the number be another's.
	if (socket < 0 || (vhost->server ? getsockname : getpeername)(
				  socket, (struct sockaddr *)&address, &size) != 0)
		return;
	if (address.sun_family == AF_UNIX && strcmp(address.sun_path, vhost->path) == 0)
		shutdown(socket, SHUT_RDWR);
}

// Waits until none of the library's threads is in a callback for the socket; calls
// on_device_destroyed() on this thread if a guest runs.
static void driver_unregister(struct port_vhost *vhost)
{
	connection_shut(vhost);
	if (vhost->registered)
		rte_vhost_driver_unregister(vhost->path);
	vhost->registered = false;
}

// The library's thread may hear of a guest that is being called before the library has noted it.
static bool library_start(struct port_vhost *vhost)
{
	bool good;

	vhost_gate_hold(true);
	good = rte_vhost_driver_start(vhost->path) == 0;
	vhost_gate_hold(false);
	return good;
}

static bool driver_start(struct port_vhost *vhost, struct rpc_error *error)
{
	const char *explanation;
	bool good;

	log_capture_start();
	good = driver_register(vhost);
	// A guest that does not listen yet will be called again.
	if (good && !library_start(vhost)) {
		good = !vhost->server;
		driver_unregister(vhost);
	}
	explanation = log_capture_stop();
	if (!good)
		driver_unregister(vhost);
	if (!good)
		rpc_error_set(error, RPC_REFUSED, "path=%s: cannot %s: %s", vhost->path,
			vhost->server ? "listen on the socket" : "connect to the socket",
			explanation[0] ? explanation : "refused by the vhost library");
	return good;
}

// --- Calling guests that listen ---

static bool call_guest(struct port *port)
{
	struct port_vhost *vhost = vhost_of(port);
	bool connected;

	pthread_mutex_lock(&vhost->lock);
	connected = vhost->connection >= 0;
	pthread_mutex_unlock(&vhost->lock);
	if (connected)
		return true;
	// A socket calls once.
	driver_unregister(vhost);
	log_capture_start(); // that nobody is there is no news
	connected = driver_register(vhost) && library_start(vhost);
	if (!connected)
		driver_unregister(vhost);
	log_capture_stop();
	return connected;
}

// --- Guests that take their memory away ---

void vhost_memory_withdrawn(const struct memory_fault *fault)
{
	struct port_vhost *vhost = vhost_memory_owner(fault);
	struct rpc_error error = {0};

	if (!vhost) {
		log_write_limited(LOG_LEVEL_WARNING,
			"shared memory was taken away that belongs to no port's guest (any more)");
		return;
	}
	log_write_limited(LOG_LEVEL_WARNING,
		"port %s: its guest has made the memory smaller that it shares; hanging up",
		vhost->port.settings.name);
	driver_unregister(vhost);
	vhost_connection_forget(vhost, "the guest took memory away that it had shared");
	if (vhost->server && !driver_start(vhost, &error))
		log_error("port %s: %s", vhost->port.settings.name, error.message);
	rpc_error_clear(&error);
}

// --- The port ---

// Undoes driver_start() and vhost_dial_start(), whether they were called or not.
static void guests_stop(struct port_vhost *vhost)
{
	// Its thread may tell us of a guest that has hung up until here.
	driver_unregister(vhost);
	vhost_dial_stop(&vhost->dial);
	vhost_registry_remove(vhost);
	pthread_mutex_destroy(&vhost->lock);
}

static bool open_port(
	struct port *port, const struct port_options *options, struct rpc_error *error)
{
	struct port_vhost *vhost = vhost_of(port);

	vhost->library = -1;
	vhost_device_init(&vhost->device);
	vhost->connection = vhost->socket = -1;
	vhost->numa = -1;
	vhost->tx_steering = port->settings.tx_steering;
	vhost->server = strcmp(options->text[VHOSTUSER_MODE], "server") == 0;
	port->multi_segment = true;
	port->takes_tails = true;
	for (unsigned queue = 0; queue < PORT_QUEUES; queue++)
		vhost->rx_queues[queue].burst = VHOST_IDLE_BURST;
	if (!path_choose(vhost, options, error))
		return false;
	port->pool = mbuf_pool_get(MBUF_GUESTS, -1, port->settings.mtu, error);
	if (!port->pool)
		return false;
	pthread_mutex_init(&vhost->lock, NULL);
	vhost_registry_add(vhost);
	if (driver_start(vhost, error) &&
		(vhost->server ||
			vhost_dial_start(&vhost->dial, port, vhost->path, call_guest, error)))
		return true;
	guests_stop(vhost);
	return false;
}

static void close_port(struct port *port)
{
	guests_stop(vhost_of(port));
}

static bool set_mtu(struct port *port, uint16_t mtu, struct rpc_error *error)
{
	struct rte_mempool *pool = mbuf_pool_get(MBUF_GUESTS, -1, mtu, error);

	if (!pool)
		return false;
	__atomic_store_n(&port->pool, pool, __ATOMIC_RELAXED);
	return true;
}

static void set_tx_steering(struct port *port, enum tx_steering steering)
{
	struct port_vhost *vhost = vhost_of(port);

	pthread_mutex_lock(&vhost->lock);
	vhost->tx_steering = steering;
	vhost_tx_queues_assign(vhost);
	pthread_mutex_unlock(&vhost->lock);
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
	const struct vhost_device *device = &vhost_of(port)->device;

	for (unsigned i = 0; i < 2 * PORT_QUEUES; i++) {
		const struct vhost_frames *frames = &device->queues[i].frames;
		uint64_t malformed = __atomic_load_n(&frames->malformed, __ATOMIC_RELAXED);

		*(i % 2 ? &losses->rx_errors : &losses->tx_errors) += malformed;
		losses->rx_no_buffer += __atomic_load_n(&frames->no_buffer, __ATOMIC_RELAXED);
	}
}

static uint64_t tx_packets(const struct port *port, uint16_t queue)
{
	const struct port_vhost *vhost = (const struct port_vhost *)port;

	return __atomic_load_n(
		&vhost->device.queues[vhost_transmit_ring(queue)].sent, __ATOMIC_RELAXED);
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
	json_object_set_new(
		status, "tx_steering", json_string(tx_steering_name(vhost->tx_steering)));
	if (vhost->connection >= 0) {
		snprintf(hex, sizeof(hex), "0x%llx", (unsigned long long)vhost->features);
		json_object_set_new(status, "features", json_string(hex));
		json_object_set_new(status, "ring",
			json_string(
				vhost->features >> VHOST_FEATURE_PACKED & 1 ? "packed" : "split"));
		set_number(status, "ring_size", vhost->ring_size);
		json_object_set_new(status, "ring_access",
			json_string(__atomic_load_n(&vhost->direct, __ATOMIC_RELAXED) ? "direct"
										      : "library"));
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
	.mbuf_use = MBUF_GUESTS,
	.open = open_port,
	.close = close_port,
	.mtu_live = true,
	.set_mtu = set_mtu,
	.set_tx_steering = set_tx_steering,
	.rx_burst = vhost_rx_burst,
	.tx_burst = vhost_tx_burst,
	.rx_done = vhost_rx_done,
	.tx_done = vhost_tx_done,
	.rx_arm = vhost_rx_arm,
	.rx_disarm = vhost_rx_disarm,
	.view = view,
	.losses = losses,
	.tx_packets = tx_packets,
	.details = details,
};

// SPDX-License-Identifier: Apache-2.0
#include "datapath/port_vhost.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/steady_clock.h"
#include "datapath/datapath.h"
#include "datapath/log.h"
#include "datapath/vhost_features.h"
#include "datapath/vhost_gate.h"

#define VHOST_DEVICES 1024 // handles of the library

// All vhost ports, for the library's callbacks, which know a handle or a path.
static struct {
	pthread_mutex_t lock;
	struct port_vhost *by_device[VHOST_DEVICES];
	struct port_vhost *ports[PORTS_MAX];
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER};

void vhost_registry_add(struct port_vhost *vhost)
{
	pthread_mutex_lock(&registry.lock);
	registry.ports[vhost->port.index] = vhost;
	pthread_mutex_unlock(&registry.lock);
}

void vhost_registry_remove(struct port_vhost *vhost)
{
	pthread_mutex_lock(&registry.lock);
	registry.ports[vhost->port.index] = NULL;
	for (unsigned i = 0; i < VHOST_DEVICES; i++) {
		if (registry.by_device[i] == vhost)
			registry.by_device[i] = NULL;
	}
	pthread_mutex_unlock(&registry.lock);
}

const struct port *vhost_path_owner(const char *path)
{
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		if (registry.ports[i] && strcmp(registry.ports[i]->path, path) == 0)
			return &registry.ports[i]->port;
	}
	return NULL;
}

// --- The rings ---

// Hand the rings to PMD threads, or to the library's functions.
static void rings_start(struct port_vhost *vhost, int device)
{
	uint64_t enabled[2], features = 0;

	pthread_mutex_lock(&vhost->lock);
	rte_vhost_get_negotiated_features(device, &features);
	vhost->features = features;
	vhost->single_buffers = !(features >> VHOST_FEATURE_MERGEABLE & 1);
	enabled[0] = vhost->tx_enabled;
	enabled[1] = vhost->rx_enabled;
	pthread_mutex_unlock(&vhost->lock);
	if (!vhost->memory_known)
		return;
	if (!vhost_device_needs_library(features)) {
		if (vhost_device_attach(&vhost->device, device, features, enabled))
			__atomic_store_n(&vhost->direct, &vhost->device, __ATOMIC_RELEASE);
		return;
	}
	if (!vhost_device_suits_library(&vhost->device, device, features, &vhost->sizes)) {
		pthread_mutex_lock(&vhost->lock);
		snprintf(vhost->last_error, sizeof(vhost->last_error),
			"the guest's rings are not as it has said; no packets until it starts "
			"them again");
		pthread_mutex_unlock(&vhost->lock);
		return;
	}
	for (uint16_t queue = 0; queue < PORT_QUEUES; queue++)
		__atomic_store_n(&vhost->rx_queues[queue].quiet, false, __ATOMIC_RELAXED);
	__atomic_store_n(&vhost->library, device, __ATOMIC_RELEASE);
}

// Take the rings away from PMD threads, if they have them.
static void rings_stop(struct port_vhost *vhost)
{
	if (!vhost->direct)
		return;
	__atomic_store_n(&vhost->direct, NULL, __ATOMIC_SEQ_CST);
	rcu_wait(&vhost->port.datapath->rcu);
	vhost_device_detach(&vhost->device);
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

void vhost_tx_queues_assign(struct port_vhost *vhost)
{
	uint8_t enabled[PORT_QUEUES];
	unsigned count = 0;

	for (unsigned queue = 0; queue < PORT_QUEUES; queue++) {
		if (vhost->tx_enabled & UINT64_C(1) << queue)
			enabled[count++] = (uint8_t)queue;
	}
	steering_table_build(vhost->steering, vhost->tx_enabled);
	for (unsigned slot = 0; slot < PIPELINE_READERS; slot++) {
		struct vhost_tx_slot *tx = &vhost->tx[slot];

		__atomic_store_n(&tx->queue, count ? enabled[slot % count] : 0, __ATOMIC_RELAXED);
		__atomic_store_n(&tx->steered, count > 1 && vhost->tx_steering == TX_STEERING_HASH,
			__ATOMIC_RELEASE);
	}
}

// What messages of the vhost-user protocol do to rings that threads may be using.
enum message_scope {
	MESSAGE_DEVICE,     // anything: all that are not named
	MESSAGE_NOTHING,    // nothing, or what on_ring_changed() sees to
	MESSAGE_RING,       // something to one ring
	MESSAGE_INTERRUPTS, // has another eventfd for one ring
	MESSAGE_MEMORY,     // anything, and the guest's memory is another
	MESSAGE_ANNOUNCE,   // nothing, but has an address of the guest that others should learn
	MESSAGE_IGNORED,    // nothing any more, says the protocol; the library would forget memory
};

static const uint8_t message_scopes[64] = {
	[1] = MESSAGE_NOTHING,     // GET_FEATURES
	[4] = MESSAGE_IGNORED,     // RESET_OWNER
	[5] = MESSAGE_MEMORY,      // SET_MEM_TABLE
	[8] = MESSAGE_RING,        // SET_VRING_NUM
	[9] = MESSAGE_RING,        // SET_VRING_ADDR
	[10] = MESSAGE_RING,       // SET_VRING_BASE
	[12] = MESSAGE_RING,       // SET_VRING_KICK
	[13] = MESSAGE_INTERRUPTS, // SET_VRING_CALL
	[14] = MESSAGE_NOTHING,    // SET_VRING_ERR
	[15] = MESSAGE_NOTHING,    // GET_PROTOCOL_FEATURES
	[17] = MESSAGE_NOTHING,    // GET_QUEUE_NUM
	[18] = MESSAGE_NOTHING,    // SET_VRING_ENABLE
	[19] = MESSAGE_ANNOUNCE,   // SEND_RARP
	[20] = MESSAGE_NOTHING,    // NET_SET_MTU
	[21] = MESSAGE_NOTHING,    // SET_BACKEND_REQ_FD
	[24] = MESSAGE_NOTHING,    // GET_CONFIG
	[40] = MESSAGE_NOTHING,    // GET_STATUS
};

// A message as it comes: the number of the request, flags, size, and what belongs to it, which in
// messages about one ring begins with the ring's number.
struct message {
	uint32_t request, flags, size;
	union {
		struct {
			uint32_t ring, number;
		};
		uint8_t mac[6];
	};
} __attribute__((packed));

#define RING_MASK 0xff
#define SET_FEATURES 2 // its first 32 in message.ring

static enum message_scope message_scope(const struct message *message)
{
	return message->request < 64 ? message_scopes[message->request] : MESSAGE_DEVICE;
}

static bool is_packed(int device)
{
	uint64_t features = 0;

	rte_vhost_get_negotiated_features(device, &features);
	return features >> VHOST_FEATURE_PACKED & 1;
}

// Would the message make the library's functions use rings that are not there?
static bool is_admitted(const struct port_vhost *vhost, int device, const struct message *message)
{
	return vhost_sizes_admit(&vhost->sizes, message->request, message->ring & RING_MASK,
		message->number, is_packed(device), vhost->library >= 0);
}

// Of features without several queue pairs the library drops all rings but the first two, and does
// not wait for its functions that may be using them.
static bool takes_rings_away(
	const struct port_vhost *vhost, int device, const struct message *message)
{
	return message->request == SET_FEATURES && !(message->ring >> VHOST_FEATURE_MQ & 1) &&
	       vhost->library >= 0 && rte_vhost_get_vring_num(device) > 2;
}

// The library refuses it, and closes what came with it, if it has a descriptor when it should have
// none, and the other way round; those that it gets are as they should be (vhost_gate.h).
static enum rte_vhost_msg_result refuse(struct message *message)
{
	if (message->request != VHOST_RING_STARTS)
		return RTE_VHOST_MSG_RESULT_ERR;
	message->ring ^= VHOST_GATE_NO_FILE;
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static enum rte_vhost_msg_result before_message(int device, void *argument)
{
	struct port_vhost *vhost = device_port(device);
	struct message *message = argument;
	enum message_scope scope = message_scope(message);
	unsigned ring = message->ring & RING_MASK;

	if (!vhost)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	memory_fault_owner = vhost;
	__atomic_store_n(&vhost->socket, vhost_gate_socket, __ATOMIC_RELAXED);
	if (scope == MESSAGE_IGNORED || scope == MESSAGE_ANNOUNCE)
		return RTE_VHOST_MSG_RESULT_OK;
	if (!is_admitted(vhost, device, message) || takes_rings_away(vhost, device, message))
		return refuse(message);
	// The library says that the ring is off and on again. It need not be.
	vhost->ring_stays = scope == MESSAGE_INTERRUPTS && vhost->direct &&
			    vhost_device_uses(vhost->direct, ring);
	// If this fails, nothing of the ring is left.
	if (message->request == VHOST_RING_SIZE)
		vhost_sizes_note(&vhost->sizes, VHOST_RING_STOPS, ring, 0, is_packed(device));
	// If this fails, the library has no memory any more, and does not tell us.
	if (scope == MESSAGE_MEMORY)
		vhost->memory_known = false;
	if (scope == MESSAGE_MEMORY && vhost_gate_memory_refused)
		log_write_limited(LOG_LEVEL_WARNING,
			"port %s: its guest's memory is refused: it must be a memfd or a file of "
			"hugetlbfs or tmpfs, as long as the guest says, and less than 16 TiB",
			vhost->port.settings.name);
	if (scope == MESSAGE_DEVICE || scope == MESSAGE_MEMORY)
		rings_stop(vhost);
	else if (scope == MESSAGE_RING && vhost->direct && vhost_device_hold(vhost->direct, ring)) {
		rcu_wait(&vhost->port.datapath->rcu);
		vhost_device_detach_ring(vhost->direct, ring);
	}
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static void interrupts_change(struct port_vhost *vhost, unsigned ring)
{
	int old;

	// It may be off: then this is what it goes by when it is switched on.
	if (!vhost->direct || !vhost_device_has(vhost->direct, ring))
		return;
	old = vhost_device_call_changed(&vhost->device, ring);
	if (old < 0)
		return;
	rcu_wait(&vhost->port.datapath->rcu);
	close(old);
}

// The library's functions do it when they are asked for packets, but they are not always, and what
// they send has part of another packet in it: it does not hear of it.
static void announce(struct port_vhost *vhost, const uint8_t mac[6])
{
	if (!vhost->running || __atomic_load_n(&vhost->announce, __ATOMIC_ACQUIRE))
		return;
	memcpy(vhost->announce_mac, mac, sizeof(vhost->announce_mac));
	__atomic_store_n(&vhost->announce, true, __ATOMIC_RELEASE);
	port_event(&vhost->port);
}

static void memory_note(struct port_vhost *vhost, int device)
{
	struct guest_memory mapped;

	if (!vhost_memory_take(&mapped, device))
		mapped.count = 0;
	pthread_mutex_lock(&vhost->lock);
	vhost->mapped = mapped;
	pthread_mutex_unlock(&vhost->lock);
}

static enum rte_vhost_msg_result after_message(int device, void *argument)
{
	struct port_vhost *vhost = device_port(device);
	const struct message *message = argument;
	enum message_scope scope = message_scope(message);
	unsigned ring = message->ring & RING_MASK;

	vhost_gate_done();
	if (!vhost)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	vhost_sizes_note(&vhost->sizes, message->request, ring, message->number, is_packed(device));
	if (message->request == SET_FEATURES)
		vhost_sizes_keep(&vhost->sizes, (unsigned)rte_vhost_get_vring_num(device));
	// Only now: the library does not like being asked for memory that it has not got.
	if (scope == MESSAGE_MEMORY) {
		vhost->memory_known = true;
		memory_note(vhost, device);
	}
	if (scope == MESSAGE_INTERRUPTS)
		interrupts_change(vhost, ring);
	else if (scope == MESSAGE_ANNOUNCE)
		announce(vhost, message->mac);
	else if ((scope == MESSAGE_DEVICE || scope == MESSAGE_MEMORY) && vhost->running &&
		 vhost->library < 0) {
		rings_start(vhost, device);
		port_event(&vhost->port);
	} else if (scope == MESSAGE_RING && vhost->direct && ring < 2 * PORT_QUEUES) {
		vhost_device_attach_ring(vhost->direct, ring);
		port_event(&vhost->port);
	}
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static const struct rte_vhost_user_extern_ops message_ops = {
	.pre_msg_handle = before_message,
	.post_msg_handle = after_message,
};

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
		vhost->memory_known = false;
		vhost->ring_stays = false;
		memset(&vhost->sizes, 0, sizeof(vhost->sizes));
		__atomic_store_n(&vhost->announce, false, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&vhost->lock);
	pthread_mutex_unlock(&registry.lock);
	if (!taken)
		rte_vhost_extern_callback_register(device, &message_ops, NULL);
	port_event(&vhost->port);
	return taken ? -1 : 0;
}

void vhost_connection_forget(struct port_vhost *vhost, const char *reason)
{
	pthread_mutex_lock(&registry.lock);
	pthread_mutex_lock(&vhost->lock);
	if (vhost->connection >= 0)
		registry.by_device[vhost->connection] = NULL;
	vhost->connection = -1;
	__atomic_store_n(&vhost->socket, -1, __ATOMIC_RELAXED);
	vhost->mapped.count = 0;
	vhost->features = 0;
	vhost->rx_enabled = 0;
	vhost->tx_enabled = 0;
	vhost->queue_pairs = 0;
	snprintf(vhost->last_error, sizeof(vhost->last_error), "%s", reason);
	pthread_mutex_unlock(&vhost->lock);
	pthread_mutex_unlock(&registry.lock);
	if (!vhost->server)
		vhost_dial_hung_up(&vhost->dial, &vhost->port);
	port_event(&vhost->port);
}

static void on_disconnected(int device)
{
	struct port_vhost *vhost = device_port(device);

	if (vhost)
		vhost_connection_forget(vhost, "the guest has disconnected");
}

static bool memory_overlaps(const struct guest_memory *memory, const struct memory_fault *fault)
{
	for (unsigned i = 0; i < memory->count; i++) {
		uintptr_t start = (uintptr_t)memory->regions[i].host;

		if (start < fault->end && fault->start < start + memory->regions[i].size)
			return true;
	}
	return false;
}

static bool memory_is_of(struct port_vhost *vhost, const struct memory_fault *fault, bool by_owner)
{
	bool found;

	pthread_mutex_lock(&vhost->lock);
	found = by_owner ? vhost == fault->owner : memory_overlaps(&vhost->mapped, fault);
	pthread_mutex_unlock(&vhost->lock);
	return found;
}

// The address tells more than for whom a thread was working.
struct port_vhost *vhost_memory_owner(const struct memory_fault *fault)
{
	struct port_vhost *owner = NULL;

	pthread_mutex_lock(&registry.lock);
	for (unsigned i = 0; i < 2 * PORTS_MAX && !owner; i++) {
		struct port_vhost *vhost = registry.ports[i % PORTS_MAX];

		if (vhost && memory_is_of(vhost, fault, i >= PORTS_MAX))
			owner = vhost;
	}
	pthread_mutex_unlock(&registry.lock);
	return owner;
}

// May come with the library's locks held: no waiting for who may be waiting for them.
static int on_ring_changed(int device, uint16_t ring, int enable)
{
	struct port_vhost *vhost = device_port(device);
	uint16_t queue = ring / 2;
	uint64_t bit = UINT64_C(1) << (queue % 64);
	uint64_t *enabled;

	if (!vhost || vhost->ring_stays)
		return 0;
	pthread_mutex_lock(&vhost->lock);
	if (queue >= PORT_QUEUES) {
		snprintf(vhost->last_error, sizeof(vhost->last_error),
			"the guest uses more than %d queue pairs; the others are left alone",
			PORT_QUEUES);
		pthread_mutex_unlock(&vhost->lock);
		return 0;
	}
	// Frames go to a queue only while it is on.
	if (enable)
		vhost_device_enable(&vhost->device, ring, true);
	enabled = ring % 2 ? &vhost->rx_enabled : &vhost->tx_enabled;
	*enabled = enable ? *enabled | bit : *enabled & ~bit;
	vhost->queue_pairs = RTE_MAX(vhost->queue_pairs, queue + 1u);
	vhost_tx_queues_assign(vhost);
	pthread_mutex_unlock(&vhost->lock);
	// A guest that switches a ring off may take what is in it; and threads that were given
	// another queue in the middle of a round have told that one of what they put into the
	// first. If the library does it, it has seen to all that.
	if (vhost->direct) {
		rcu_wait(&vhost->port.datapath->rcu);
		vhost_device_tell_all(vhost->direct);
	}
	if (!enable) {
		vhost_device_enable(&vhost->device, ring, false);
		if (vhost->direct)
			rcu_wait(&vhost->port.datapath->rcu);
	}
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
	vhost->queue_pairs = RTE_MAX(vhost->queue_pairs, rte_vhost_get_vring_num(device) / 2u);
	vhost->queue_pairs = RTE_MIN(vhost->queue_pairs, PORT_QUEUES);
	vhost->numa = rte_vhost_get_numa_node(device);
	if (rte_vhost_get_mtu(device, &vhost->guest_mtu) != 0)
		vhost->guest_mtu = 0;
	if (rte_vhost_get_vhost_vring(device, 0, &ring) == 0)
		vhost->ring_size = ring.size;
	vhost->running = true;
	vhost_tx_queues_assign(vhost);
	pthread_mutex_unlock(&vhost->lock);
	__atomic_store_n(&vhost->port.up, true, __ATOMIC_RELAXED);
	rings_start(vhost, device);
	__atomic_store_n(&vhost->port.ready_us, steady_us(), __ATOMIC_RELAXED);
	port_event(&vhost->port);
	return 0;
}

static void on_device_destroyed(int device)
{
	struct port_vhost *vhost = device_port(device);

	if (!vhost)
		return;
	memory_fault_owner = vhost;
	__atomic_store_n(&vhost->port.up, false, __ATOMIC_RELAXED);
	__atomic_store_n(&vhost->library, -1, __ATOMIC_SEQ_CST);
	if (vhost->direct)
		rings_stop(vhost);
	else
		rcu_wait(&vhost->port.datapath->rcu);
	pthread_mutex_lock(&vhost->lock);
	vhost->running = false;
	pthread_mutex_unlock(&vhost->lock);
	port_event(&vhost->port);
}

const struct rte_vhost_device_ops vhost_library_ops = {
	.new_connection = on_connected,
	.destroy_connection = on_disconnected,
	.new_device = on_device_new,
	.destroy_device = on_device_destroyed,
	.vring_state_changed = on_ring_changed,
};

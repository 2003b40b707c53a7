// SPDX-License-Identifier: Apache-2.0
#pragma once

// Ports of type vhostuser: guests' virtio-net devices. librte_vhost has the socket and the
// messages; the rings are ours (datapath/vhost_device.h) unless the guest needs what only the
// library does.
//
// Threads. librte_vhost has a thread of its own, for messages. It calls the functions of
// vhost_events.c, some of which the control thread also comes to in the library's functions that
// start and end. They keep what the control thread may ask for under the port's lock and what PMD
// threads need in atomics:
//   direct       the guest's rings while we have them, else NULL
//   library      the library's handle while the guest runs on its functions, else -1
//   tx[]         a transmit queue for each reader slot that the guest has enabled
//   steering[]   the same for each slot of flows; used by reader slots that are `steered`
// PMD threads take no lock of ours but that of a transmit queue. Before anything happens to the
// rings or to the memory that they are in, `direct` is taken away, or the ring's `usable` if only
// one is concerned, and then whoever does it waits until every PMD thread has come round; the same
// goes for `library` in on_device_destroyed(). None of that may wait for the control thread, which
// may itself be waiting for the library in close.
//
// The library may hold its rings' locks in before_message(), after_message() and on_ring_changed().
// PMD threads take those in the library's functions and never otherwise: so waiting for them is
// right while the rings are ours, and a deadlock when they are not.
//
// The guest's memory is hostile: see datapath/vhost_ring.h. Heads of frames are copied out before
// the pipeline sees them.

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>
#include <rte_vhost.h>

#include "datapath/memory_fault.h"
#include "datapath/port.h"
#include "datapath/tx_steering.h"
#include "datapath/vhost_device.h"
#include "datapath/vhost_dial.h"
#include "datapath/vhost_sizes.h"
#include "rpc/rundir.h"

#define VHOST_IDLE_BURST 4 // asked for after an empty poll

// What a PMD thread keeps for a receive queue that it polls with the library's functions.
struct vhost_rx_queue {
	uint16_t burst; // how many packets to ask for
	bool quiet;     // the guest has been told not to kick; any thread clears
} __rte_cache_aligned;

// What a PMD thread goes by when it sends.
struct vhost_tx_slot {
	// PMDs: ro; under the port's lock.
	uint8_t queue; // queue pair
	bool steered;  // the frames' flows decide instead
	// The slot's thread only. Bit per queue pair that it steered frames to and has not told
	// yet.
	uint64_t untold;
} __rte_cache_aligned;

struct port_vhost {
	struct port port; // first
	// PMDs: ro; vhost's threads: wo.
	struct vhost_device *direct;
	int library;
	bool announce; // send a RARP with announce_mac as if the guest had; a PMD clears
	uint8_t announce_mac[6];
	bool single_buffers;              // each frame has to fit into one of the guest's buffers
	uint8_t steering[STEERING_SLOTS]; // queue pair
	struct vhost_tx_slot tx[PIPELINE_READERS];
	struct vhost_rx_queue rx_queues[PORT_QUEUES];
	struct vhost_device device; // what `direct` points to
	// Set once.
	bool server;
	char path[UNIX_SOCKET_PATH_MAX + 1];
	struct vhost_sizes sizes; // PMDs: ro, those of rings that the library has; vhost's: wo
	// Control only.
	struct vhost_dial dial; // if the guest listens
	bool registered;        // with the library
	// Under the lock.
	pthread_mutex_t lock;
	int connection; // handle, or -1
	int socket;     // of that, once the guest has said something; else -1
	bool running;
	bool ring_stays;            // the message under way only brings another eventfd
	bool memory_known;          // the library has the guest's memory mapped
	struct guest_memory mapped; // where that is
	uint64_t features;
	uint64_t rx_enabled, tx_enabled; // bit per queue pair; seen from the switch
	enum tx_steering tx_steering;    // as set
	unsigned queue_pairs;
	int numa;
	uint16_t guest_mtu, ring_size;
	uint64_t connections; // so far
	char last_error[160];
};

static inline struct port_vhost *vhost_of(struct port *port)
{
	return (struct port_vhost *)port;
}

static inline uint16_t vhost_receive_ring(uint16_t queue)
{
	return 2 * queue + 1; // the guest's transmit
}

static inline uint16_t vhost_transmit_ring(uint16_t queue)
{
	return 2 * queue; // the guest's receive
}

// --- PMD threads: vhost_burst.c ---

uint16_t vhost_rx_burst(
	struct port *port, uint16_t queue, struct rte_mbuf *mbufs[], uint16_t count);
uint16_t vhost_tx_burst(struct port *port, unsigned slot, struct rte_mbuf *mbufs[], uint16_t count);
void vhost_rx_done(struct port *port, uint16_t queue);
void vhost_tx_done(struct port *port, unsigned slot);
void vhost_rx_arm(struct port *port, uint16_t queue, struct wake_source *source);
void vhost_rx_disarm(struct port *port, uint16_t queue);

// --- What the library's threads tell: vhost_events.c ---

extern const struct rte_vhost_device_ops vhost_library_ops;

// Give the reader slots and flows their queues, of those that the guest takes packets from. Under
// the lock.
void vhost_tx_queues_assign(struct port_vhost *vhost);

// The guest's connection is gone, or has been closed by us.
void vhost_connection_forget(struct port_vhost *vhost, const char *reason);

// The port whose guest has shared this memory, or on whose behalf it was touched; NULL: none.
struct port_vhost *vhost_memory_owner(const struct memory_fault *fault);

// A guest has taken memory away that it had shared: hang up, so that it begins anew if it can.
// Control thread.
void vhost_memory_withdrawn(const struct memory_fault *fault);

// Make a port known to the functions of vhost_library_ops, by its path, and forget it.
void vhost_registry_add(struct port_vhost *vhost);
void vhost_registry_remove(struct port_vhost *vhost);

// SPDX-License-Identifier: Apache-2.0
#pragma once

// Ports: where packets come from and go to.
//
// A port has a type, which is a row of datapath/port_types.def and a struct port_ops. The type's
// own structure embeds struct port first. The control thread opens, changes and closes ports; PMD
// threads call rx_burst and tx_burst; a library's own thread (vhost's) may change what a type says
// is atomic, and calls port_event() to have the control thread look.
//
// Life: port_add() opens a port, gives it its slots, and makes it known to its bridge's pipeline.
// port_delete() takes it out of the bridge and of all poll plans, waits until every PMD thread has
// let go (they stage nothing over a round), and closes it. So a type's functions never meet
// packets before open or after close.
//
// A slot is what one PMD thread (reader slot) has of one port: its counters and the packets that it
// will send when its round ends. Nobody else writes it. Slots outlive threads; a later thread with
// the same number counts on.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <rte_common.h>

#include "datapath/counters.h"
#include "datapath/mbuf_pool.h"
#include "datapath/learn_limit.h"
#include "datapath/load_history.h"
#include "datapath/poll_plan.h"
#include "datapath/port_options.h"
#include "datapath/port_settings.h"
#include "pipeline/pipeline.h"

#define PORTS_MAX 1024
#define PORT_QUEUES POLL_QUEUES
#define PORT_STAGE 64 // packets staged per thread and port before they are sent anyway

struct rte_mbuf;
struct rte_mempool;
struct datapath;
struct bridge;
struct port;

struct port_slot {
	struct port *port;     // set once
	uint32_t max_frame;    // PMDs: ro, control: wo; longest frame that may be sent
	uint16_t staged;       // packets in mbufs[]
	bool listed;           // in the thread's list of slots to flush
	uint32_t staged_bytes; // of them
	struct port_counters counters;
	// Of addresses that came by the port.
	struct learn_budget learn_budget;
	uint64_t learn_limited; // over the limit
	uint64_t learn_lost;    // no room in the ring
	struct rte_mbuf *mbufs[PORT_STAGE];
} __rte_cache_aligned;

// Of one receive queue; written by the PMD thread that polls it.
struct queue_counters {
	uint64_t packets;
	uint64_t cycles;
} __rte_cache_aligned;

enum port_state {
	PORT_LISTENING,
	PORT_CONNECTING,
	PORT_NEGOTIATED,
	PORT_RUNNING,
	PORT_UP,
	PORT_DOWN,
	PORT_ERROR,
};

const char *port_state_name(enum port_state state);

// What a port is like at a moment.
struct port_view {
	enum port_state state;
	char error[256];
	bool link;
	uint32_t speed; // Mbit/s, 0 unknown
	uint8_t mac[6];
	int numa; // -1: unknown
	unsigned n_rxq, n_txq;
	uint64_t rx_queues; // bit per receive queue that can be polled now
};

// Statistics that only the type knows.
struct port_losses {
	uint64_t rx_missed;
	uint64_t rx_errors;
	uint64_t tx_errors;
	uint64_t rx_no_buffer;
};

// What wakes a thread that sleeps when a packet comes to a queue.
struct wake_source {
	enum {
		WAKE_BY_TIME,       // nothing: it has to look from time to time
		WAKE_BY_DESCRIPTOR, // as long as it is readable, or, if `edge`, when it becomes so
		WAKE_BY_EVENT,      // no packet can come before there is a port_event()
	} kind;
	int descriptor;
	bool edge;
	uint64_t serial; // another one for another descriptor, even if its number is the same
};

struct port_ops {
	size_t size;            // of the type's structure
	enum mbuf_use mbuf_use; // whose packet buffers it takes

	// Control thread. port->settings is filled in; sets port->pool. False with *error, and then
	// nothing is left behind.
	bool (*open)(
		struct port *port, const struct port_options *options, struct rpc_error *error);
	// Control thread; no PMD thread knows the port any more.
	void (*close)(struct port *port);
	// Control thread. Unless mtu_live, no PMD thread uses the port meanwhile.
	bool mtu_live;
	bool (*set_mtu)(struct port *port, uint16_t mtu, struct rpc_error *error);
	// Control thread; NULL: none of the type's options can change while there is the port. No
	// PMD thread uses it meanwhile. False with *error, and then all is as it was before.
	bool (*set_options)(
		struct port *port, const struct port_options *options, struct rpc_error *error);
	// Control thread; NULL: threads have their queues, and nothing else can be set. PMD threads
	// use the port meanwhile.
	void (*set_tx_steering)(struct port *port, enum tx_steering steering);

	// PMD threads. Up to `count` (at most PIPELINE_BURST) packets.
	uint16_t (*rx_burst)(
		struct port *port, uint16_t queue, struct rte_mbuf *mbufs[], uint16_t count);
	// PMD threads. Takes over the packets that it sends, from the first on, and returns their
	// number; `slot` is the thread's.
	uint16_t (*tx_burst)(
		struct port *port, unsigned slot, struct rte_mbuf *mbufs[], uint16_t count);
	// PMD threads; may be NULL. The packets that rx_burst gave in this round are where they are
	// to be: what they still have of the sender's may be given back. After each round in which
	// it gave any.
	void (*rx_done)(struct port *port, uint16_t queue);
	// PMD threads; may be NULL. The thread has sent what it had for the port in this round: the
	// time to tell the receiver. After each round in which there was anything.
	void (*tx_done)(struct port *port, unsigned slot);

	// PMD threads; may be NULL. Packet buffers are short: free those that the slot's transmit
	// queue has sent, as far as the driver can. Drivers do it late, some only when the next
	// packets come, which may need a buffer.
	void (*tx_reclaim)(struct port *port, unsigned slot);

	// PMD threads; both may be NULL. The thread that polls the queue is about to sleep: packets
	// that come from now on are to wake it, by what is said in *source. And it polls again,
	// whether it has slept or not: until it does, `source` may wake it any number of times.
	void (*rx_arm)(struct port *port, uint16_t queue, struct wake_source *source);
	void (*rx_disarm)(struct port *port, uint16_t queue);

	// Control thread.
	void (*view)(struct port *port, struct port_view *view);
	void (*losses)(struct port *port, struct port_losses *losses);
	// Packets that a transmit queue has taken; may be NULL.
	uint64_t (*tx_packets)(const struct port *port, uint16_t queue);
	// Add names to the array `features` and members (strings) to the object `status`.
	void (*details)(struct port *port, json_t *features, json_t *status);
};

struct port {
	// PMDs: ro; set before the port is known to them.
	const struct port_ops *ops;
	struct port_slot *slots[PIPELINE_READERS]; // control adds
	uint16_t number;                           // OpenFlow's
	bool multi_segment;                        // tx_burst takes packets of several mbufs
	bool takes_tails;                          // and such with tails (datapath/mbuf_tail.h)
	struct rte_mempool *pool;
	// PMDs: ro; control: wo.
	bool tx_shared; // there are threads without a transmit queue of their own
	// PMDs: ro, set by whoever notices.
	bool up; // packets can leave by it; decides between tx_down and tx_full
	// Control only.
	unsigned index; // in datapath.ports
	enum port_type_id type;
	struct datapath *datapath;
	struct bridge *bridge;
	bool paused; // not to be polled nor sent to
	struct port_settings settings;
	json_t *config;                                 // as given
	struct port_view announced;                     // what clients know
	struct queue_counters queues_base[PORT_QUEUES]; // at the last pmd.clear
	struct load_history *loads[PORT_QUEUES];        // NULL: not polled yet
	uint64_t start_tsc;                             // when it was made
	int64_t ready_us;                               // when it began; CLOCK_MONOTONIC
	struct queue_counters queues[PORT_QUEUES];      // written by PMDs
};

// Longest frame for an MTU: Ethernet header and two VLAN tags, no FCS.
static inline uint32_t port_max_frame(uint16_t mtu)
{
	return mtu + 14u + 2 * 4u;
}

// --- Control thread ---

// `config` as in port.add. NULL with *error, and nothing left behind.
struct port *port_add(struct datapath *datapath, json_t *config, struct rpc_error *error);
// Make what can be made before there is such a port: its packet buffers. False with *error.
bool port_prepare(const json_t *config, struct rpc_error *error);
bool port_set(struct port *port, const json_t *changes, struct rpc_error *error);
void port_delete(struct port *port);
struct port *ports_find(struct datapath *datapath, const char *name);

// Give all ports a slot for a new reader. 0 or -ENOMEM.
int port_slots_add(struct datapath *datapath, unsigned slot);

// Sum of all threads' counters.
void port_counters_get(const struct port *port, struct port_counters *sum);

// The array that port.status answers with; all ports if `only` is NULL.
json_t *ports_status(struct datapath *datapath, const struct port *only);

// Look at all ports; if one changed, tell the clients and bring the poll plans up to date.
void ports_refresh(struct datapath *datapath);

// --- Any thread ---

// Something about a port changed: have ports_refresh() called soon.
void port_event(struct port *port);

// The port that has this vhost-user socket, or NULL. Control thread.
const struct port *vhost_path_owner(const char *path);

// Rows.
// Each in its port_<type>.c.
#define PORT_TYPE(ID, NAME, ALIASES, OPS, HELP) extern const struct port_ops OPS;
#include "datapath/port_types.def"

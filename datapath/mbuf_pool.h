// SPDX-License-Identifier: Apache-2.0
#pragma once

// Pools of packet buffers: one per use, NUMA node and frame size, made when the first port needs it
// and kept until the end. Control thread, but for the use of the pools.
//
// Devices keep buffers in their rings, guests none, so what fills a device's rings leaves guests
// theirs; and a datapath of guests only, which needs fewer, starts sooner (a quarter of a million
// buffers is 600 MB for the kernel to clear).
//
// With huge pages a pool for devices has up to MBUFS_DEVICES buffers, and one for guests up to
// MBUFS_GUESTS for each CPU, since frames on their way are what threads and devices' transmit rings
// hold; but each takes at most half of the free huge pages, because guests on the host live on them
// too (in a process that takes over from one that gives its own back: all). Without, it has
// MBUFS_PLAIN. --mbufs fixes the number.

#include <stdint.h>

#include <rte_mempool.h>

#include "rpc/rpc_error.h"

#define MBUFS_DEVICES 262144
#define MBUFS_GUESTS 4096 // for each CPU, and for 16 at least
#define MBUFS_PLAIN 16384
#define MBUFS_MIN 4096

// Each buffer's private area, for a copy of a packet on its way (datapath/forward.c).
#define MBUF_PRIVATE_SIZE 64

enum mbuf_use { MBUF_DEVICES, MBUF_GUESTS };

struct mbuf_limits {
	unsigned buffers; // 0: as above
	bool huge_pages;
	bool all_pages; // that are free
	unsigned cpus;
};

void mbuf_pools_configure(const struct mbuf_limits *limits);

// The pool for frames of `mtu` on node `numa` (-1: any). NULL with *error.
struct rte_mempool *mbuf_pool_get(
	enum mbuf_use use, int numa, uint16_t mtu, struct rpc_error *error);

// Would the two MTUs be served by the same pool?
bool mbuf_pool_same(uint16_t mtu, uint16_t other_mtu);

// Buffers of guests that there are, on all nodes; 0: none were needed yet.
unsigned mbuf_pools_of_guests(void);

// Is there a pool of which nearly all buffers are in use?
bool mbuf_pools_low(void);

void mbuf_pools_destroy(void); // no port and no packet left

// SPDX-License-Identifier: Apache-2.0
#pragma once

// Pools of packet buffers: one per NUMA node and frame size, made when the first port needs it and
// kept until the end. Control thread, but for the use of the pools.
//
// With huge pages a pool has up to MBUFS_HUGE buffers, but takes at most half of the free huge
// pages, because guests on the host live on them too; without, it has MBUFS_PLAIN. --mbufs fixes
// the number.

#include <stdint.h>

#include <rte_mempool.h>

#include "rpc/rpc_error.h"

#define MBUFS_HUGE 262144
#define MBUFS_PLAIN 16384
#define MBUFS_MIN 4096

// Each buffer's private area, for a copy of a packet on its way (datapath/forward.c).
#define MBUF_PRIVATE_SIZE 64

void mbuf_pools_configure(unsigned buffers, bool huge_pages); // buffers 0: as above

// The pool for frames of `mtu` on node `numa` (-1: any). NULL with *error.
struct rte_mempool *mbuf_pool_get(int numa, uint16_t mtu, struct rpc_error *error);

// Would the two MTUs be served by the same pool?
bool mbuf_pool_same(uint16_t mtu, uint16_t other_mtu);

void mbuf_pools_destroy(void); // no port and no packet left

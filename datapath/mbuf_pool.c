// SPDX-License-Identifier: Apache-2.0
#include "datapath/mbuf_pool.h"

#include <stdio.h>

#include <rte_errno.h>
#include <rte_ether.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include "datapath/huge_pages.h"
#include "datapath/log.h"

#define POOLS_MAX 32
#define CACHE_SIZE 512

static struct {
	struct mbuf_limits limits;
	unsigned count;
	struct pool {
		enum mbuf_use use;
		int numa;
		uint16_t room;
		struct rte_mempool *mempool;
	} pools[POOLS_MAX];
} mbuf_pools;

void mbuf_pools_configure(const struct mbuf_limits *limits)
{
	mbuf_pools.limits = *limits;
}

// Bytes for data in one buffer. Frames of the usual MTU share one size of buffer with what a
// vhost guest may have in one descriptor; longer ones get what they need.
static uint16_t data_room(uint16_t mtu)
{
	uint32_t frame = mtu + RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN + 2 * RTE_VLAN_HLEN;
	uint32_t room = RTE_ALIGN(RTE_MAX(frame, RTE_MBUF_DEFAULT_DATAROOM), 1024u);

	return (uint16_t)(room + RTE_PKTMBUF_HEADROOM);
}

bool mbuf_pool_same(uint16_t mtu, uint16_t other_mtu)
{
	return data_room(mtu) == data_room(other_mtu);
}

static unsigned buffers_wanted(enum mbuf_use use, int numa, uint16_t room)
{
	uint64_t cpus = RTE_MAX(mbuf_pools.limits.cpus, 16u);
	uint64_t most = use == MBUF_DEVICES ? MBUFS_DEVICES : MBUFS_GUESTS * cpus;
	uint64_t each = sizeof(struct rte_mbuf) + MBUF_PRIVATE_SIZE + room + RTE_CACHE_LINE_SIZE;
	uint64_t fit;

	if (mbuf_pools.limits.buffers != 0)
		return mbuf_pools.limits.buffers;
	if (!mbuf_pools.limits.huge_pages)
		return MBUFS_PLAIN;
	fit = huge_pages_free(numa) / (mbuf_pools.limits.all_pages ? 1 : 2) / each;
	most = RTE_MIN(most, (uint64_t)MBUFS_DEVICES);
	fit = RTE_MIN(fit, most);
	return fit < MBUFS_PLAIN ? MBUFS_PLAIN : (unsigned)fit;
}

static struct rte_mempool *pool_create(
	enum mbuf_use use, int numa, uint16_t room, struct rpc_error *error)
{
	static const char *const uses[] = {[MBUF_DEVICES] = "devices", [MBUF_GUESTS] = "guests"};
	unsigned wanted = buffers_wanted(use, numa, room);
	struct rte_mempool *mempool = NULL;
	char name[RTE_MEMPOOL_NAMESIZE];

	// The log would be full of attempts; the last word is ours.
	log_capture_start();
	for (unsigned n = wanted; !mempool && n >= RTE_MIN(wanted, MBUFS_MIN); n /= 2) {
		snprintf(name, sizeof(name), "%s-%d-%u-%u", uses[use], numa, room, n);
		mempool =
			rte_pktmbuf_pool_create(name, n, CACHE_SIZE, MBUF_PRIVATE_SIZE, room, numa);
	}
	log_capture_stop();
	if (!mempool) {
		rpc_error_set(error, RPC_REFUSED,
			"no memory for packet buffers on NUMA node %d: %s; free or reserve huge "
			"pages (sysctl vm.nr_hugepages), or give datapathd a bigger --memory",
			numa, rte_strerror(rte_errno));
		return NULL;
	}
	log_info("%u packet buffers of %u bytes for %s on NUMA node %d", mempool->size, room,
		uses[use], numa);
	if (mempool->size < wanted)
		log_warning("there is no memory for the %u packet buffers wanted", wanted);
	return mempool;
}

struct rte_mempool *mbuf_pool_get(
	enum mbuf_use use, int numa, uint16_t mtu, struct rpc_error *error)
{
	uint16_t room = data_room(mtu);
	struct pool *pool;

	// Without huge pages, and for devices of no node, all memory is the main node's.
	if (numa < 0 || !mbuf_pools.limits.huge_pages)
		numa = (int)rte_socket_id() >= 0 ? (int)rte_socket_id() : 0;
	for (unsigned i = 0; i < mbuf_pools.count; i++) {
		pool = &mbuf_pools.pools[i];
		if (pool->use == use && pool->numa == numa && pool->room == room)
			return pool->mempool;
	}
	if (mbuf_pools.count == POOLS_MAX) {
		rpc_error_set(error, RPC_REFUSED,
			"more than %d different buffer sizes and NUMA nodes; use the MTU of "
			"another port",
			POOLS_MAX);
		return NULL;
	}
	pool = &mbuf_pools.pools[mbuf_pools.count];
	pool->use = use;
	pool->numa = numa;
	pool->room = room;
	pool->mempool = pool_create(use, numa, room, error);
	if (pool->mempool)
		mbuf_pools.count++;
	return pool->mempool;
}

unsigned mbuf_pools_of_guests(void)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < mbuf_pools.count; i++) {
		if (mbuf_pools.pools[i].use == MBUF_GUESTS)
			sum += mbuf_pools.pools[i].mempool->size;
	}
	return sum;
}

// What threads have in their caches counts as free, though others cannot have it: so it is compared
// with more than a few.
bool mbuf_pools_low(void)
{
	bool low = false;

	for (unsigned i = 0; i < mbuf_pools.count && !low; i++) {
		const struct rte_mempool *mempool = mbuf_pools.pools[i].mempool;

		low = rte_mempool_avail_count(mempool) < mempool->size / 8;
	}
	return low;
}

void mbuf_pools_destroy(void)
{
	while (mbuf_pools.count > 0)
		rte_mempool_free(mbuf_pools.pools[--mbuf_pools.count].mempool);
}

// SPDX-License-Identifier: Apache-2.0
#include "datapath/packet_out.h"

#include <sched.h>
#include <string.h>

#include <rte_mbuf.h>

#include "datapath/datapath.h"
#include "datapath/mbuf_pool.h"
#include "datapath/pmd.h"

#define MTU_MIN 1500 // the pool that most ports have is used if it can be

static struct rte_mbuf *mbuf_make(const uint8_t *frame, size_t length, struct rpc_error *error)
{
	uint16_t mtu = length > MTU_MIN ? (uint16_t)length : MTU_MIN;
	struct rte_mempool *pool = mbuf_pool_get(MBUF_GUESTS, -1, mtu, error);
	struct rte_mbuf *mbuf = pool ? rte_pktmbuf_alloc(pool) : NULL;
	char *place = mbuf ? rte_pktmbuf_append(mbuf, (uint16_t)length) : NULL;

	if (place) {
		memcpy(place, frame, length);
		return mbuf;
	}
	if (pool)
		rpc_error_set(error, RPC_REFUSED, "there is no packet buffer left for the frame");
	rte_pktmbuf_free(mbuf);
	return NULL;
}

static struct pmd *pmd_any(const struct datapath *datapath)
{
	for (unsigned slot = 0; slot < PIPELINE_READERS; slot++) {
		if (datapath->pmds[slot])
			return datapath->pmds[slot];
	}
	return NULL;
}

bool packet_out_send(struct bridge *bridge, uint16_t in_port, const struct action_list *actions,
	const uint8_t *frame, size_t length, struct rpc_error *error)
{
	struct pmd *pmd = pmd_any(bridge->datapath);
	struct packet_out out = {.bridge = bridge, .in_port = in_port, .actions = *actions};

	if (!pmd) {
		rpc_error_set(error, RPC_REFUSED,
			"no packet thread runs that could send; add a port, or see pmd-cpu-mask");
		return false;
	}
	out.mbuf = mbuf_make(frame, length, error);
	if (!out.mbuf)
		return false;
	__atomic_store_n(&pmd->packet_out, &out, __ATOMIC_RELEASE);
	pmd_wake(pmd);
	while (__atomic_load_n(&pmd->packet_out, __ATOMIC_ACQUIRE))
		sched_yield();
	return true;
}

void packet_out_counters(const struct datapath *datapath, struct port_counters *sum)
{
	*sum = datapath->packet_outs_before;
	for (unsigned slot = 0; slot < PIPELINE_READERS; slot++) {
		if (datapath->pmds[slot])
			port_counters_add(sum, &datapath->pmds[slot]->packet_outs.counters);
	}
}

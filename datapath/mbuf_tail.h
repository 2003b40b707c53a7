// SPDX-License-Identifier: Apache-2.0
#pragma once

// Frames whose end is still where it came from: in a guest's memory.
//
// The head of such a frame, with all that may be looked at, is in the buffer; the rest of it only
// has a place, which is good until the receiving port's rx_done() is called, at the end of the
// round. A port that can send from there says so (port.takes_tails), and the bytes are moved once;
// for everybody else mbuf_tail_fetch() brings them into the buffer first. What a guest writes there
// meanwhile is what is sent: nothing in it is ever judged.
//
// A buffer has a tail if it is a single one and has fewer bytes than the packet. The tail's length
// is the difference, so that cutting or moving the head does not touch it.

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>
#include <rte_mbuf.h>

struct mbuf_tail {
	const uint8_t *data;
};

static inline bool mbuf_has_tail(const struct rte_mbuf *mbuf)
{
	return unlikely(mbuf->data_len != mbuf->pkt_len) && mbuf->nb_segs == 1;
}

static inline const uint8_t *mbuf_tail(const struct rte_mbuf *mbuf)
{
	const struct mbuf_tail *tail = rte_mbuf_to_priv((struct rte_mbuf *)mbuf);

	return tail->data;
}

static inline uint32_t mbuf_tail_length(const struct rte_mbuf *mbuf)
{
	return mbuf->pkt_len - mbuf->data_len;
}

// The head is in the buffer, and `length` bytes at `data` come after it.
static inline void mbuf_tail_set(struct rte_mbuf *mbuf, const uint8_t *data, uint32_t length)
{
	struct mbuf_tail *tail = rte_mbuf_to_priv(mbuf);

	tail->data = data;
	mbuf->pkt_len = mbuf->data_len + length;
}

// Append bytes to a packet, in the room that its last buffer `last` has, and in more of `pool`
// behind that. Returns the last one then; NULL without memory: then some may have been appended.
struct rte_mbuf *mbuf_append(struct rte_mbuf *mbuf, struct rte_mbuf *last, struct rte_mempool *pool,
	const uint8_t *data, uint32_t length);

// Bring the tail, if there is one, into the buffer, or into more buffers of its pool. False without
// memory: then it is where it was.
bool mbuf_tail_fetch(struct rte_mbuf *mbuf);

// The first `length` bytes (at most all) of a packet in one place: where they are, or `buffer`.
const void *mbuf_tail_read(const struct rte_mbuf *mbuf, uint32_t length, void *buffer);

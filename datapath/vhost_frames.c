// SPDX-License-Identifier: Apache-2.0
#include "datapath/vhost_frames.h"

#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_memcpy.h>

#include "datapath/mbuf_tail.h"

// A frame up to WHOLE bytes is copied at once. Of a longer one the first HEAD bytes are, which is
// as much as the pipeline may look at.
#define HEAD 256
#define WHOLE 384

static_assert(HEAD >= 256, "PACKET_LINEAR_MIN");

// Going through the pieces of chains as through one string of bytes.
struct cursor {
	struct vhost_chain_set *set;
	struct vhost_chain *chain;
	unsigned piece;  // of the chain
	uint32_t offset; // in the piece
};

static inline const struct vhost_piece *piece_of(
	const struct vhost_chain_set *set, const struct vhost_chain *chain, unsigned piece)
{
	return piece == 0 ? &chain->first : &set->pieces[chain->more + piece - 1];
}

// The next bytes that lie together, at most `want`; *length is how many. The chain has some left.
static uint8_t *cursor_next(struct cursor *cursor, uint32_t want, uint32_t *length)
{
	const struct vhost_piece *piece = piece_of(cursor->set, cursor->chain, cursor->piece);
	uint8_t *data = piece->data + cursor->offset;
	uint32_t left = piece->length - cursor->offset;

	*length = RTE_MIN(left, want);
	cursor->offset += *length;
	if (cursor->offset == piece->length) {
		cursor->piece++;
		cursor->offset = 0;
	}
	return data;
}

static void cursor_skip(struct cursor *cursor, uint32_t count)
{
	uint32_t length;

	for (; count > 0; count -= length)
		cursor_next(cursor, count, &length);
}

// --- Out of a ring ---

// Frames that lie in more than one piece behind the header are collected.
static __attribute__((noinline)) bool gather(struct vhost_chain_set *set, struct vhost_chain *chain,
	uint16_t header, struct rte_mbuf *mbuf)
{
	struct cursor cursor = {set, chain, 0, 0};
	uint32_t left = chain->length - header, length;
	struct rte_mbuf *last = mbuf;

	cursor_skip(&cursor, header);
	for (; left > 0 && last; left -= length) {
		const uint8_t *data = cursor_next(&cursor, left, &length);

		last = mbuf_append(mbuf, last, mbuf->pool, data, length);
	}
	return last != NULL;
}

// Most frames are of the shortest kind, and the general copy is slow to find that out.
static inline __attribute__((always_inline)) void copy_head(
	uint8_t *to, const uint8_t *from, uint32_t length)
{
	if (likely(length >= 32 && length <= 64)) {
		rte_mov32(to, from);
		rte_mov32(to + length - 32, from + length - 32);
		return;
	}
	rte_memcpy(to, from, length);
}

// One string of bytes. Returns true if its tail stays where it is.
static inline __attribute__((always_inline)) bool frame_take(
	struct rte_mbuf *mbuf, const uint8_t *data, uint32_t length)
{
	uint32_t head = length <= WHOLE ? length : HEAD;

	copy_head(rte_pktmbuf_mtod(mbuf, uint8_t *), data, head);
	mbuf->data_len = (uint16_t)head;
	mbuf->pkt_len = head;
	if (length == head)
		return false;
	mbuf_tail_set(mbuf, data + head, length - head);
	for (uint32_t at = head; at < length; at += 64)
		__builtin_prefetch(data + at, 0, 2);
	return true;
}

static inline bool is_frame(uint32_t length, uint16_t header)
{
	// One comparison: what is not longer than the header becomes very large.
	return length - header - 1 < VHOST_FRAME_MAX;
}

// What is not one piece of some length. False: there is no frame, or no memory for it.
static __attribute__((noinline)) bool frame_read(struct vhost_frames *frames,
	struct vhost_chain_set *set, struct vhost_chain *chain, struct rte_mbuf *mbuf, bool *tails)
{
	uint16_t header = frames->header;
	const struct vhost_piece *second;

	if (!is_frame(chain->length, header)) {
		frames->malformed++;
		return false;
	}
	second = piece_of(set, chain, 1);
	if (chain->pieces == 2 && chain->first.length == header) {
		*tails |= frame_take(mbuf, second->data, second->length);
		return true;
	}
	if (gather(set, chain, header, mbuf))
		return true;
	frames->no_buffer++;
	return false;
}

static __attribute__((cold, noinline)) void receive_nothing(
	struct vhost_frames *frames, const struct vhost_chain_set *set, unsigned count)
{
	// Without buffers to put them into, frames are lost rather than left: a guest must not wait
	// for another one's.
	vhost_ring_use(&frames->ring, set, count);
	frames->no_buffer += count;
}

uint16_t vhost_frames_receive(struct vhost_frames *frames, struct rte_mempool *pool,
	struct rte_mbuf *mbufs[], uint16_t count)
{
	struct vhost_ring *ring = &frames->ring;
	struct vhost_chain_set set;
	unsigned found = vhost_ring_collect(ring, count, &set), ready = 0;
	uint16_t header = frames->header;
	bool tails = false;

	if (found == 0)
		return 0;
	if (unlikely(rte_pktmbuf_alloc_bulk(pool, mbufs, found) != 0)) {
		receive_nothing(frames, &set, found);
		return 0;
	}
	for (unsigned i = 0; i < found; i++) {
		struct vhost_chain *chain = &set.chains[i];
		struct rte_mbuf *mbuf = mbufs[i];

		if (likely(chain->pieces == 1 && is_frame(chain->length, header))) {
			tails |= frame_take(
				mbuf, chain->first.data + header, chain->length - header);
		} else if (!frame_read(frames, &set, chain, mbuf, &tails)) {
			rte_pktmbuf_free(mbuf);
			continue;
		}
		mbufs[ready++] = mbuf;
	}
	if (tails)
		vhost_ring_keep(ring, &set, found);
	else
		vhost_ring_use(ring, &set, found);
	return (uint16_t)ready;
}

// --- Into a ring ---

static inline void header_write(uint8_t *to, uint16_t header, uint16_t buffers)
{
	static const uint8_t nothing[VHOST_HEADER_SHORT];

	memcpy(to, nothing, sizeof(nothing));
	if (header == VHOST_HEADER_LONG)
		memcpy(to + VHOST_HEADER_SHORT, &buffers, sizeof(buffers));
}

// Write into a chain, and when it is full into the one behind it.
static void scatter(struct cursor *cursor, const uint8_t *data, uint32_t count)
{
	while (count > 0) {
		uint32_t length;
		uint8_t *to;

		while (cursor->piece == cursor->chain->pieces) {
			cursor->chain++;
			cursor->piece = 0;
		}
		to = cursor_next(cursor, count, &length);
		memcpy(to, data, length);
		cursor->set->used[cursor->chain - cursor->set->chains].written += length;
		data += length;
		count -= length;
	}
}

// A frame that has several buffers, or goes into several pieces.
static __attribute__((noinline)) void frame_scatter(struct vhost_chain_set *set,
	struct vhost_chain *chain, uint16_t chains, uint16_t header, const struct rte_mbuf *mbuf)
{
	struct cursor cursor = {set, chain, 0, 0};
	uint8_t bytes[VHOST_HEADER_LONG];

	header_write(bytes, header, chains);
	scatter(&cursor, bytes, header);
	for (const struct rte_mbuf *part = mbuf; part; part = part->next)
		scatter(&cursor, rte_pktmbuf_mtod(part, const uint8_t *), part->data_len);
	if (mbuf_has_tail(mbuf))
		scatter(&cursor, mbuf_tail(mbuf), mbuf_tail_length(mbuf));
}

// One piece.
static inline void frame_write(uint8_t *to, uint16_t header, const struct rte_mbuf *mbuf)
{
	header_write(to, header, 1);
	to += header;
	copy_head(to, rte_pktmbuf_mtod(mbuf, const uint8_t *), mbuf->data_len);
	if (mbuf_has_tail(mbuf))
		memcpy(to + mbuf->data_len, mbuf_tail(mbuf), mbuf_tail_length(mbuf));
}

static inline void frame_put(struct vhost_frames *frames, struct vhost_chain_set *set,
	struct vhost_chain *chain, unsigned chains, const struct rte_mbuf *mbuf)
{
	if (likely(chains == 1 && chain->pieces == 1 && mbuf->nb_segs == 1)) {
		frame_write(chain->first.data, frames->header, mbuf);
		set->used[chain - set->chains].written = frames->header + mbuf->pkt_len;
		return;
	}
	frame_scatter(set, chain, (uint16_t)chains, frames->header, mbuf);
}

// How many of the chains from `first` on are needed for so many bytes. 0: there are not enough.
static inline unsigned chains_for(const struct vhost_frames *frames,
	const struct vhost_chain_set *set, unsigned first, unsigned found, uint32_t bytes)
{
	uint32_t room = set->chains[first].length;
	unsigned chains = 1;

	while (unlikely(room < bytes)) {
		if (!frames->mergeable || first + chains == found)
			return 0;
		room += set->chains[first + chains].length;
		chains++;
	}
	return chains;
}

// Put frames into the chains of a set. Returns how many; *used is how many chains are done with.
static unsigned fill(struct vhost_frames *frames, struct vhost_chain_set *set, unsigned found,
	struct rte_mbuf *const mbufs[], unsigned count, unsigned *used)
{
	unsigned sent = 0;

	*used = 0;
	while (sent < count && *used < found) {
		struct vhost_chain *chain = &set->chains[*used];
		unsigned chains;

		// The header is not spread; what has no room behind it goes back as it is.
		if (unlikely(chain->length <= frames->header)) {
			frames->malformed++;
			(*used)++;
			continue;
		}
		chains = chains_for(
			frames, set, *used, found, frames->header + mbufs[sent]->pkt_len);
		if (chains == 0)
			break;
		frame_put(frames, set, chain, chains, mbufs[sent]);
		*used += chains;
		sent++;
	}
	return sent;
}

uint16_t vhost_frames_send(
	struct vhost_frames *frames, struct rte_mbuf *const mbufs[], uint16_t count)
{
	struct vhost_ring *ring = &frames->ring;
	struct vhost_chain_set set;
	unsigned sent = 0, want = RTE_MIN(count, VHOST_CHAINS);

	while (sent < count) {
		unsigned found = vhost_ring_collect(ring, want, &set), used;
		unsigned now = fill(frames, &set, found, mbufs + sent, count - sent, &used);

		vhost_ring_use(ring, &set, used);
		sent += now;
		// No room, or none for this frame, even in as many buffers as it may take. Nothing
		// else ends this with a guest that goes on giving us buffers of no use.
		if (now == 0 && (found < want || want == VHOST_CHAINS))
			break;
		want = now > 0 ? RTE_MIN(count - sent, (unsigned)VHOST_CHAINS) : VHOST_CHAINS;
	}
	return (uint16_t)sent;
}

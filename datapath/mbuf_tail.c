// SPDX-License-Identifier: Apache-2.0
#include "datapath/mbuf_tail.h"

#include <string.h>

struct rte_mbuf *mbuf_append(struct rte_mbuf *mbuf, struct rte_mbuf *last, struct rte_mempool *pool,
	const uint8_t *data, uint32_t length)
{
	while (length > 0) {
		uint32_t room = rte_pktmbuf_tailroom(last);
		uint32_t part = RTE_MIN(room, length);

		memcpy(rte_pktmbuf_mtod_offset(last, uint8_t *, last->data_len), data, part);
		last->data_len = (uint16_t)(last->data_len + part);
		mbuf->pkt_len += part;
		data += part;
		length -= part;
		if (length == 0)
			break;
		last->next = mbuf->nb_segs < RTE_MBUF_MAX_NB_SEGS ? rte_pktmbuf_alloc(pool) : NULL;
		if (!last->next)
			return NULL;
		last = last->next;
		mbuf->nb_segs++;
	}
	return last;
}

bool mbuf_tail_fetch(struct rte_mbuf *mbuf)
{
	uint16_t head = mbuf->data_len;
	const uint8_t *data;
	uint32_t length;

	if (!mbuf_has_tail(mbuf))
		return true;
	data = mbuf_tail(mbuf);
	length = mbuf_tail_length(mbuf);
	mbuf->pkt_len = head;
	if (mbuf_append(mbuf, mbuf, mbuf->pool, data, length))
		return true;
	if (mbuf->next)
		rte_pktmbuf_free(mbuf->next);
	mbuf->next = NULL;
	mbuf->nb_segs = 1;
	mbuf->data_len = head;
	mbuf_tail_set(mbuf, data, length);
	return false;
}

const void *mbuf_tail_read(const struct rte_mbuf *mbuf, uint32_t length, void *buffer)
{
	uint8_t *to = buffer;

	if (!mbuf_has_tail(mbuf) || length <= mbuf->data_len)
		return rte_pktmbuf_read(mbuf, 0, length, buffer);
	memcpy(to, rte_pktmbuf_mtod(mbuf, const uint8_t *), mbuf->data_len);
	memcpy(to + mbuf->data_len, mbuf_tail(mbuf), length - mbuf->data_len);
	return buffer;
}

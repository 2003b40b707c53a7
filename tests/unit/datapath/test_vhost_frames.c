// SPDX-License-Identifier: Apache-2.0

// Frames out of virtqueues and into them, against a driver: the same bytes in the same order,
// however they lie in the guest's buffers.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_eal.h>
#include <rte_mbuf.h>

#include "datapath/mbuf_tail.h"
#include "datapath/vhost_frames.h"
#include "tests/random.h"
#include "virtio_driver.h"

#define ROUNDS 300
#define BURST 32
#define FRAME_MAX 9000
#define BUFFERS 1024

static struct rte_mempool *pool;
static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
	return (uint32_t)(random_next(&random_state) % limit);
}

static void random_bytes(uint8_t *to, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		to[i] = (uint8_t)random_below(256);
}

static uint32_t random_length(void)
{
	switch (random_below(4)) {
	case 0:
		return 1 + random_below(FRAME_MAX);
	case 1:
		return 250 + random_below(140); // around where tails begin
	default:
		return 60 + random_below(70);
	}
}

static void frames_start(struct vhost_frames *frames, const struct driver *driver, uint16_t header)
{
	struct vhost_ring_setup setup = driver_setup(driver);

	memset(frames, 0, sizeof(*frames));
	frames->header = header;
	assert_true(vhost_ring_init(&frames->ring, &setup));
}

// Cut `length` bytes of the guest's memory into pieces, the first of which is at least `least`.
static void cut(struct driver_buffer *buffer, uint64_t address, uint32_t length, uint32_t least)
{
	buffer->pieces = 0;
	while (length > 0) {
		uint32_t part = length;

		if (buffer->pieces + 1 < DRIVER_PIECES && length > least && random_below(2))
			part = least + random_below(length - least) + (least == 0);
		if (part > length)
			part = length;
		buffer->piece[buffer->pieces++] = (struct driver_piece){address, part};
		address += part;
		length -= part;
		least = 0;
	}
}

struct expected {
	uint32_t length;
	uint8_t bytes[FRAME_MAX];
};

static struct expected expected[BURST];

static void mbuf_is(const struct rte_mbuf *mbuf, const struct expected *frame)
{
	static uint8_t buffer[FRAME_MAX];

	assert_int_equal(mbuf->pkt_len, frame->length);
	assert_memory_equal(
		mbuf_tail_read(mbuf, frame->length, buffer), frame->bytes, frame->length);
}

static void receive_all(bool packed, uint16_t header)
{
	struct vhost_frames frames;
	struct driver driver;
	unsigned tails = 0, available = rte_mempool_avail_count(pool);

	driver_start(&driver, packed, 256, false, false);
	frames_start(&frames, &driver, header);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct rte_mbuf *mbufs[BURST];
		struct driver_buffer used;
		unsigned made = 0, bad = 0, left = 0, got;
		uint64_t malformed = frames.malformed;
		uint32_t written;

		driver_reset_memory(&driver);
		while (made + bad < BURST) {
			struct expected *frame = &expected[made];
			uint32_t length = random_length();
			bool short_one = random_below(50) == 0;
			uint32_t whole = short_one ? 1 + random_below(header) : header + length;
			uint64_t address = driver_allocate(&driver, header + length);
			struct driver_buffer buffer;

			random_bytes(driver_at(&driver, address), header + length);
			cut(&buffer, address, whole,
				random_below(2) && whole > header ? header : 0);
			if (!driver_add(&driver, &buffer, random_below(3) == 0))
				break;
			bad += short_one;
			if (short_one)
				continue;
			frame->length = length;
			memcpy(frame->bytes, driver_at(&driver, address + header), length);
			made++;
		}
		got = vhost_frames_receive(&frames, pool, mbufs, BURST);
		assert_int_equal(got, made);
		assert_int_equal(frames.malformed - malformed, bad);
		for (unsigned i = 0; i < got; i++)
			left += mbuf_has_tail(mbufs[i]);
		// The guest gets back what nothing of is needed any more.
		if (left > 0)
			assert_false(driver_used(&driver, &used, &written));
		tails += left;
		for (unsigned i = 0; i < got; i++) {
			mbuf_is(mbufs[i], &expected[i]);
			assert_true(mbufs[i]->nb_segs > 1 ||
				    mbufs[i]->data_len >= RTE_MIN(256u, expected[i].length));
			if (random_below(2))
				assert_true(mbuf_tail_fetch(mbufs[i]));
			mbuf_is(mbufs[i], &expected[i]);
		}
		rte_pktmbuf_free_bulk(mbufs, got);
		vhost_frames_done(&frames);
		for (unsigned i = 0; i < made + bad; i++) {
			assert_true(driver_used(&driver, &used, &written));
			assert_int_equal(written, 0);
		}
	}
	assert_true(tails > ROUNDS);
	assert_int_equal(frames.no_buffer, 0);
	assert_int_equal(rte_mempool_avail_count(pool), available);
	driver_stop(&driver);
}

static void frames_come_out(void **state)
{
	random_state = 1;
	for (unsigned kind = 0; kind < 4; kind++)
		receive_all(kind & 1, kind & 2 ? VHOST_HEADER_LONG : VHOST_HEADER_SHORT);
}

// A packet buffer for a frame: in one or several buffers, or with its tail elsewhere.
static struct rte_mbuf *mbuf_make(struct expected *frame)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);
	uint32_t head = frame->length;

	assert_non_null(mbuf);
	random_bytes(frame->bytes, frame->length);
	if (head > 256 && random_below(2))
		head = 256;
	assert_non_null(mbuf_append(mbuf, mbuf, pool, frame->bytes, head));
	if (head < frame->length)
		mbuf_tail_set(mbuf, frame->bytes + head, frame->length - head);
	return mbuf;
}

static void add_buffers(struct driver *driver, uint32_t least)
{
	driver_reset_memory(driver);
	for (;;) {
		uint32_t length = least + random_below(2000);
		struct driver_buffer buffer;

		if (driver->allocated + length + 64 > DRIVER_MEMORY)
			return;
		cut(&buffer, driver_allocate(driver, length), length, random_below(12));
		if (!driver_add(driver, &buffer, false))
			return;
	}
}

// What the driver finds is the frame.
static void driver_finds(struct driver *driver, const struct expected *frame, uint16_t header)
{
	uint8_t bytes[FRAME_MAX + VHOST_HEADER_LONG];
	uint32_t length = 0, written;
	uint16_t buffers = 1, count = 0;
	struct driver_buffer used;

	do {
		uint32_t left;

		assert_true(driver_used(driver, &used, &written));
		left = written;
		for (unsigned i = 0; i < used.pieces && left > 0; i++) {
			uint32_t part = RTE_MIN(left, used.piece[i].length);

			memcpy(bytes + length, driver_at(driver, used.piece[i].address), part);
			length += part;
			left -= part;
		}
		if (count++ == 0 && header == VHOST_HEADER_LONG)
			memcpy(&buffers, bytes + VHOST_HEADER_SHORT, sizeof(buffers));
	} while (count < buffers);
	for (unsigned i = 0; i < VHOST_HEADER_SHORT; i++)
		assert_int_equal(bytes[i], 0);
	assert_int_equal(length, header + frame->length);
	assert_memory_equal(bytes + header, frame->bytes, frame->length);
}

static void send_all(bool packed, uint16_t header, bool mergeable)
{
	struct vhost_frames frames;
	struct driver driver;
	uint64_t sum = 0;

	driver_start(&driver, packed, 256, false, true);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct rte_mbuf *mbufs[BURST];
		struct driver_buffer used;
		uint32_t written;
		unsigned sent;

		if (round % 10 == 0) {
			driver_stop(&driver);
			driver_start(&driver, packed, 256, false, true);
			frames_start(&frames, &driver, header);
			frames.mergeable = mergeable;
			add_buffers(&driver, mergeable ? 20 : 1000);
		}
		for (unsigned i = 0; i < BURST; i++) {
			expected[i].length = mergeable ? random_length() : 60 + random_below(900);
			mbufs[i] = mbuf_make(&expected[i]);
		}
		sent = vhost_frames_send(&frames, mbufs, BURST);
		for (unsigned i = 0; i < sent; i++)
			driver_finds(&driver, &expected[i], header);
		assert_false(driver_used(&driver, &used, &written));
		rte_pktmbuf_free_bulk(mbufs, BURST);
		sum += sent;
		// Full: the ring has no room for a frame of the longest kind.
		if (sent < BURST && mergeable)
			assert_true(driver.in_flight < 230);
	}
	assert_true(sum > ROUNDS);
	driver_stop(&driver);
}

static void frames_go_in(void **state)
{
	random_state = 2;
	for (unsigned kind = 0; kind < 4; kind++)
		send_all(kind & 1, VHOST_HEADER_LONG, kind & 2);
	send_all(false, VHOST_HEADER_SHORT, false);
}

// A frame that fits into no buffer stays, and goes as soon as it fits.
static void too_long_for_the_next_buffer(void **state)
{
	struct driver_buffer buffer = {.pieces = 1};
	struct vhost_frames frames;
	struct driver driver;
	struct rte_mbuf *mbuf;

	driver_start(&driver, false, 8, false, true);
	frames_start(&frames, &driver, VHOST_HEADER_LONG);
	expected[0].length = 1000;
	mbuf = mbuf_make(&expected[0]);
	assert_int_equal(vhost_frames_send(&frames, &mbuf, 1), 0);
	buffer.piece[0] = (struct driver_piece){driver_allocate(&driver, 1011), 1011};
	assert_true(driver_add(&driver, &buffer, false));
	assert_int_equal(vhost_frames_send(&frames, &mbuf, 1), 0);
	frames.mergeable = true;
	assert_int_equal(vhost_frames_send(&frames, &mbuf, 1), 0);
	assert_true(driver_add(&driver, &buffer, false));
	assert_int_equal(vhost_frames_send(&frames, &mbuf, 1), 1);
	rte_pktmbuf_free(mbuf);
	driver_stop(&driver);
}

// What was judged is not what a guest makes of it afterwards.
static void heads_are_private(void **state)
{
	struct driver_buffer buffer = {.pieces = 1};
	struct vhost_frames frames;
	struct driver driver;
	struct rte_mbuf *mbuf;
	uint64_t address;

	driver_start(&driver, true, 8, false, false);
	frames_start(&frames, &driver, VHOST_HEADER_LONG);
	address = driver_allocate(&driver, 1530);
	random_bytes(driver_at(&driver, address), 1530);
	memcpy(expected[0].bytes, driver_at(&driver, address + 12), 1518);
	buffer.piece[0] = (struct driver_piece){address, 1530};
	assert_true(driver_add(&driver, &buffer, false));
	assert_int_equal(vhost_frames_receive(&frames, pool, &mbuf, 1), 1);
	memset(driver_at(&driver, address), 0xee, 1530);
	assert_true(mbuf->data_len >= 256);
	assert_memory_equal(rte_pktmbuf_mtod(mbuf, uint8_t *), expected[0].bytes, mbuf->data_len);
	// Other bytes than before, but as many, and from where they were.
	assert_true(mbuf_tail_fetch(mbuf));
	assert_int_equal(mbuf->pkt_len, 1518);
	assert_int_equal(*rte_pktmbuf_mtod_offset(mbuf, uint8_t *, 1517), 0xee);
	rte_pktmbuf_free(mbuf);
	vhost_frames_done(&frames);
	driver_stop(&driver);
}

static void without_buffers_frames_are_lost(void **state)
{
	static struct rte_mbuf *all[BUFFERS];
	struct driver_buffer buffer = {.pieces = 1};
	struct vhost_frames frames;
	struct driver driver;
	struct rte_mbuf *mbufs[BURST];
	unsigned held = 0;
	uint32_t written;

	driver_start(&driver, false, 64, false, false);
	frames_start(&frames, &driver, VHOST_HEADER_LONG);
	while (held < BUFFERS && (all[held] = rte_pktmbuf_alloc(pool)))
		held++;
	buffer.piece[0] = (struct driver_piece){driver_allocate(&driver, 512), 512};
	for (unsigned i = 0; i < BURST; i++)
		assert_true(driver_add(&driver, &buffer, false));
	assert_int_equal(vhost_frames_receive(&frames, pool, mbufs, BURST), 0);
	assert_int_equal(frames.no_buffer, BURST);
	for (unsigned i = 0; i < BURST; i++)
		assert_true(driver_used(&driver, &buffer, &written));
	// One that has a tail and no buffer for it keeps the tail.
	rte_pktmbuf_free(all[--held]);
	buffer.piece[0].length = 4000;
	buffer.piece[0].address = driver_allocate(&driver, 4000);
	assert_true(driver_add(&driver, &buffer, false));
	assert_int_equal(vhost_frames_receive(&frames, pool, mbufs, BURST), 1);
	assert_false(mbuf_tail_fetch(mbufs[0]));
	assert_true(mbuf_has_tail(mbufs[0]));
	assert_int_equal(mbufs[0]->pkt_len, 4000 - VHOST_HEADER_LONG);
	rte_pktmbuf_free(mbufs[0]);
	vhost_frames_done(&frames);
	rte_pktmbuf_free_bulk(all, held);
	driver_stop(&driver);
}

// What a guest can describe is gigabytes; a frame is less.
static void longer_than_any_frame(void **state)
{
	for (unsigned kind = 0; kind < 4; kind++) {
		const uint32_t most = VHOST_FRAME_MAX + VHOST_HEADER_LONG;
		struct driver_buffer buffer = {.pieces = kind & 2 ? 2 : 1}, used;
		struct vhost_frames frames;
		struct driver driver;
		struct rte_mbuf *mbufs[2];
		unsigned available = rte_mempool_avail_count(pool);
		uint32_t written;

		driver_start(&driver, kind & 1, 8, false, false);
		frames_start(&frames, &driver, VHOST_HEADER_LONG);
		for (unsigned more = 0; more < 2; more++) {
			uint32_t first = kind & 2 ? 100 : most + more;
			uint64_t address = driver_allocate(&driver, most + more);

			buffer.piece[0] = (struct driver_piece){address, first};
			buffer.piece[1] =
				(struct driver_piece){address + first, most + more - first};
			assert_true(driver_add(&driver, &buffer, false));
		}
		assert_int_equal(vhost_frames_receive(&frames, pool, mbufs, 2), 1);
		assert_int_equal(mbufs[0]->pkt_len, VHOST_FRAME_MAX);
		assert_int_equal(frames.malformed, 1);
		rte_pktmbuf_free(mbufs[0]);
		vhost_frames_done(&frames);
		assert_true(driver_used(&driver, &used, &written));
		assert_true(driver_used(&driver, &used, &written));
		assert_int_equal(rte_mempool_avail_count(pool), available);
		driver_stop(&driver);
	}
}

// A guest that says its ring is full of buffers, none of which has room, does not keep us.
static void buffers_of_no_use_have_an_end(void **state)
{
	struct driver_buffer buffer = {.pieces = 1};
	struct vhost_frames frames;
	struct driver driver;
	struct rte_mbuf *mbuf;
	struct vring_avail *available;
	uint16_t before;

	driver_start(&driver, false, 256, false, true);
	frames_start(&frames, &driver, VHOST_HEADER_LONG);
	frames.mergeable = true;
	buffer.piece[0] = (struct driver_piece){
		driver_allocate(&driver, VHOST_HEADER_LONG), VHOST_HEADER_LONG};
	while (driver_add(&driver, &buffer, false))
		;
	available = (struct vring_avail *)frames.ring.available;
	available->idx = (uint16_t)(frames.ring.next_available - 1); // 65535 of them
	before = frames.ring.next_available;
	expected[0].length = 60;
	mbuf = mbuf_make(&expected[0]);
	assert_int_equal(vhost_frames_send(&frames, &mbuf, 1), 0);
	assert_in_range((uint16_t)(frames.ring.next_available - before), 1, 2 * VHOST_CHAINS);
	assert_in_range(frames.malformed, 1, 2 * VHOST_CHAINS);
	rte_pktmbuf_free(mbuf);
	driver_stop(&driver);
}

static int set_up(void **state)
{
	char *arguments[] = {"test", "--no-huge", "-m", "64", "--no-shconf", "--no-pci",
		"--no-telemetry", "--log-level=error"};

	if (rte_eal_init(sizeof(arguments) / sizeof(arguments[0]), arguments) < 0)
		return -1;
	pool = rte_pktmbuf_pool_create("test", BUFFERS, 0, 64, 2176, 0);
	return pool ? 0 : -1;
}

static int tear_down(void **state)
{
	rte_mempool_free(pool);
	return rte_eal_cleanup();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_come_out),
		cmocka_unit_test(frames_go_in),
		cmocka_unit_test(too_long_for_the_next_buffer),
		cmocka_unit_test(heads_are_private),
		cmocka_unit_test(without_buffers_frames_are_lost),
		cmocka_unit_test(longer_than_any_frame),
		cmocka_unit_test(buffers_of_no_use_have_an_end),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

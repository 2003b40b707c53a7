// SPDX-License-Identifier: Apache-2.0

// Two guests that write anything into their rings and buffers at any time between two steps of the
// device, which takes frames from the one and puts them into the other's. Besides what the
// sanitizers see (each region of a guest's memory is a block of exactly its size): the sender's
// buffers are never written, what comes out is a frame and lies where it may, everything that was
// taken is given back and counted, and no packet buffer is lost.
//
// An input begins with how each guest is, eight bytes each, and what is in its ring; then come
// steps: a byte for what, and what it needs. Numbers in descriptors have 16 bits and are extended
// by their sign, so that short inputs reach both ends of memory.

#include <sched.h>

#include <rte_eal.h>
#include <rte_mbuf.h>

#include "datapath/mbuf_tail.h"
#include "datapath/vhost_frames.h"
#include "tests/fuzz/fuzz.h"

#define BUFFERS 255
#define BURST 32
#define RING_MAX 64

// The ring is in the first region. The second and the third are neighbours; the last one ends where
// addresses do.
enum { REGION_RING, REGION_COUNT = 5 };

static const struct {
	uint64_t start, size;
} regions[REGION_COUNT] = {
	{0, 0}, {0x1000, 0x600}, {0x1600, 0x200}, {0x2000, 0x5800}, {UINT64_MAX - 255, 256}};

struct guest {
	struct vhost_frames frames;
	struct guest_memory memory;
	struct vhost_ring_setup setup;
	size_t driver_area, device_area; // in the ring's region
	unsigned hint;
	bool good; // the ring can be used
};

struct input {
	const uint8_t *at;
	size_t left;
};

struct world {
	struct guest from, to;
	struct input input;
	struct rte_mbuf *mbufs[BURST], *held[BUFFERS];
	unsigned count, held_count;
};

static struct rte_mempool *pool;

// --- The input ---

static uint8_t take_byte(struct input *input)
{
	if (input->left == 0)
		return 0;
	input->left--;
	return *input->at++;
}

static uint16_t take_word(struct input *input)
{
	uint8_t low = take_byte(input);

	return (uint16_t)(low | take_byte(input) << 8);
}

// As it stands in a ring: the order of the last two differs.
static void take_descriptor(struct input *input, bool packed, uint8_t bytes[16])
{
	uint64_t address = (uint64_t)(int16_t)take_word(input);
	uint32_t length = (uint32_t)(int16_t)take_word(input);
	uint16_t flags = take_word(input), word = take_word(input);

	memcpy(bytes, &address, 8);
	memcpy(bytes + 8, &length, 4);
	memcpy(bytes + 12, packed ? &word : &flags, 2);
	memcpy(bytes + 14, packed ? &flags : &word, 2);
}

// --- Guests ---

static void guest_open(struct guest *guest, bool writable, struct input *input)
{
	struct vhost_ring_setup *setup = &guest->setup;
	uint8_t kind = take_byte(input), size = take_byte(input);
	size_t bytes;
	uint8_t *ring;

	setup->packed = kind & 1;
	setup->event_idx = kind & 2;
	setup->writable = writable;
	guest->frames.header = kind & 4 ? VHOST_HEADER_LONG : VHOST_HEADER_SHORT;
	guest->frames.mergeable = kind & 8;
	setup->size = (uint16_t)(setup->packed ? 1 + size % RING_MAX : 1 << size % 7);
	guest->driver_area = 16u * setup->size;
	guest->device_area =
		(guest->driver_area + (setup->packed ? 4 : 6 + 2u * setup->size) + 3) & ~3u;
	// What is not negotiated is not there.
	bytes = guest->device_area +
		(setup->packed ? 4 : 4 + 8u * setup->size + (setup->event_idx ? 2 : 0));
	guest->memory.count = REGION_COUNT;
	for (unsigned i = 0; i < REGION_COUNT; i++) {
		struct guest_region *region = &guest->memory.regions[i];

		region->start = regions[i].start;
		region->size = i == REGION_RING ? bytes : regions[i].size;
		region->host = malloc(region->size);
		fuzz_must(region->host != NULL, "no memory");
		memset(region->host, (int)(0x11 * i), region->size);
	}
	ring = guest->memory.regions[REGION_RING].host;
	setup->descriptors = ring;
	setup->driver_area = ring + guest->driver_area;
	setup->device_area = ring + guest->device_area;
	setup->available_base = take_word(input);
	setup->used_base = take_word(input);
	setup->memory = &guest->memory;
	(void)take_word(input);
	for (unsigned i = 0; i < setup->size; i++)
		take_descriptor(input, setup->packed, ring + 16 * i);
	for (size_t i = guest->driver_area; i < bytes; i++)
		ring[i] = take_byte(input);
	guest->good = vhost_ring_init(&guest->frames.ring, setup);
}

static void guest_close(struct guest *guest)
{
	for (unsigned i = 0; i < REGION_COUNT; i++)
		free(guest->memory.regions[i].host);
}

static void guest_write(struct guest *guest, struct input *input, unsigned how)
{
	uint64_t address = (uint64_t)(int16_t)take_word(input);
	size_t length = how == 0 ? 2 : how == 1 ? 16 : 8;
	uint8_t bytes[16], *to = guest_memory_at(&guest->memory, &guest->hint, address, length);

	if (how == 1)
		take_descriptor(input, guest->setup.packed, bytes);
	for (size_t i = 0; how != 1 && i < length; i++)
		bytes[i] = take_byte(input);
	if (to)
		memcpy(to, bytes, length);
}

// --- What the device may have done to a guest ---

static uint8_t *guest_copy(const struct guest *guest)
{
	size_t size = 0;
	uint8_t *copy;

	for (unsigned i = 0; i < REGION_COUNT; i++)
		size += guest->memory.regions[i].size;
	copy = malloc(size);
	fuzz_must(copy != NULL, "no memory");
	size = 0;
	for (unsigned i = 0; i < REGION_COUNT; i++) {
		const struct guest_region *region = &guest->memory.regions[i];

		memcpy(copy + size, region->host, region->size);
		size += region->size;
	}
	return copy;
}

// Bytes of the ring's region that belong to the device.
static bool is_devices(const struct guest *guest, size_t at)
{
	if (at >= guest->device_area)
		return true;
	return guest->setup.packed && at < guest->driver_area && at % 16 >= 8;
}

// Nothing but what a device writes to a ring that it only reads from; nothing at all if not `ring`.
static void guest_must_be_same(const struct guest *guest, uint8_t *copy, bool ring)
{
	const uint8_t *before = copy;

	for (unsigned i = 0; i < REGION_COUNT; i++) {
		const struct guest_region *region = &guest->memory.regions[i];

		for (size_t at = 0;
			memcmp(before, region->host, region->size) != 0 && at < region->size; at++)
			fuzz_must(before[at] == region->host[at] ||
					  (ring && i == REGION_RING && is_devices(guest, at)),
				"byte %zu of the sender's region %u was written", at, i);
		before += region->size;
	}
	free(copy);
}

// Places in the ring from `base` to `now`: for split rings chains.
static unsigned places(const struct guest *guest, uint16_t base, uint16_t now)
{
	unsigned size = guest->setup.size;
	int from = base & 0x7fff, to = now & 0x7fff;

	if (!guest->setup.packed)
		return (uint16_t)(now - base);
	from += base & 0x8000 ? (int)size : 0;
	to += now & 0x8000 ? (int)size : 0;
	return (unsigned)(to - from + 2 * (int)size) % (2 * size);
}

// All that was taken was given back.
static void ring_must_be_even(const struct guest *guest)
{
	const struct vhost_ring *ring = &guest->frames.ring;
	uint16_t available = vhost_ring_available_base(ring), used = vhost_ring_used_base(ring);

	fuzz_must(ring->kept_count == 0, "%u kept", ring->kept_count);
	fuzz_must(places(guest, guest->setup.available_base, available) ==
			  places(guest, guest->setup.used_base, used),
		"available %#x from %#x, used %#x from %#x", available, guest->setup.available_base,
		used, guest->setup.used_base);
}

static void mbuf_must_be_frame(const struct guest *guest, const struct rte_mbuf *mbuf)
{
	const char *reason;
	uint32_t sum = 0;

	fuzz_must(mbuf->pkt_len > 0 && mbuf->pkt_len <= VHOST_FRAME_MAX, "%u bytes", mbuf->pkt_len);
	if (mbuf_has_tail(mbuf)) {
		fuzz_must(mbuf->data_len >= 256 && mbuf->data_len < mbuf->pkt_len, "head of %u",
			mbuf->data_len);
		fuzz_must(guest_memory_has(&guest->memory, mbuf_tail(mbuf), mbuf_tail_length(mbuf)),
			"a tail of %u bytes elsewhere", mbuf_tail_length(mbuf));
		return;
	}
	for (const struct rte_mbuf *part = mbuf; part; part = part->next)
		sum += part->data_len;
	fuzz_must(sum == mbuf->pkt_len, "%u of %u bytes", sum, mbuf->pkt_len);
	fuzz_must(rte_mbuf_check(mbuf, 1, &reason) == 0, "%s", reason);
}

// --- Steps ---

static void receive(struct world *world, uint16_t count)
{
	struct guest *from = &world->from;
	struct vhost_frames *frames = &from->frames;
	uint64_t lost = frames->malformed + frames->no_buffer;
	uint16_t before = vhost_ring_available_base(&frames->ring), now;
	uint8_t *copy;

	if (!from->good || world->count > 0)
		return;
	copy = guest_copy(from);
	world->count = vhost_frames_receive(frames, pool, world->mbufs, count);
	guest_must_be_same(from, copy, true);
	now = vhost_ring_available_base(&frames->ring);
	lost = frames->malformed + frames->no_buffer - lost;
	fuzz_must(world->count + lost <= count, "%u frames and %u lost, of %u", world->count,
		(unsigned)lost, count);
	if (!from->setup.packed)
		fuzz_must(places(from, before, now) == world->count + lost,
			"%u chains, %u frames and %u lost", places(from, before, now), world->count,
			(unsigned)lost);
	for (unsigned i = 0; i < world->count; i++)
		mbuf_must_be_frame(from, world->mbufs[i]);
	if (world->count == 0)
		ring_must_be_even(from);
}

static void change_frames(struct world *world, uint8_t how)
{
	for (unsigned i = 0; i < world->count; i++) {
		struct rte_mbuf *mbuf = world->mbufs[i];
		uint32_t length = mbuf->pkt_len;

		if (how & 1 && mbuf_has_tail(mbuf)) {
			bool done = mbuf_tail_fetch(mbuf);

			fuzz_must(mbuf->pkt_len == length, "%u bytes, were %u", mbuf->pkt_len,
				length);
			fuzz_must(done != mbuf_has_tail(mbuf), "tail of %u bytes",
				mbuf_tail_length(mbuf));
		}
		// Some headers more or less.
		if (how & 2 && mbuf->data_len > 14)
			rte_pktmbuf_adj(mbuf, 4);
		if (how & 4)
			rte_pktmbuf_prepend(mbuf, 4);
	}
}

// Frames for a receiver whose sender has none.
static void make_frames(struct world *world, uint16_t count, uint16_t length)
{
	static const uint8_t bytes[4096];

	if (world->count > 0)
		return;
	while (count-- > 0) {
		struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);

		if (!mbuf)
			return;
		if (!mbuf_append(mbuf, mbuf, pool, bytes, 1 + length % sizeof(bytes))) {
			rte_pktmbuf_free(mbuf);
			return;
		}
		world->mbufs[world->count++] = mbuf;
	}
}

static void send_and_finish(struct world *world)
{
	struct guest *to = &world->to, *from = &world->from;
	struct vhost_ring *ring = &to->frames.ring;
	uint64_t malformed = to->frames.malformed;
	unsigned sent, used;
	uint16_t before;
	uint8_t *copy;

	if (to->good && world->count > 0) {
		copy = guest_copy(from);
		before = vhost_ring_used_base(ring);
		sent = vhost_frames_send(&to->frames, world->mbufs, (uint16_t)world->count);
		guest_must_be_same(from, copy, false);
		used = places(to, before, vhost_ring_used_base(ring));
		malformed = to->frames.malformed - malformed;
		fuzz_must(sent <= world->count, "%u of %u", sent, world->count);
		if (!to->setup.packed)
			fuzz_must(used >= sent + malformed && used <= (sent + 2) * VHOST_CHAINS,
				"%u buffers for %u frames, %u malformed", used, sent,
				(unsigned)malformed);
		ring_must_be_even(to);
	}
	rte_pktmbuf_free_bulk(world->mbufs, world->count);
	world->count = 0;
	if (!from->good)
		return;
	copy = guest_copy(from);
	vhost_frames_done(&from->frames);
	guest_must_be_same(from, copy, true);
	ring_must_be_even(from);
}

static void tell(struct guest *guest, bool wanted)
{
	if (!guest->good)
		return;
	vhost_ring_wants_telling(&guest->frames.ring);
	fuzz_must(!vhost_ring_wants_telling(&guest->frames.ring), "told twice");
	vhost_ring_ask_for_kicks(&guest->frames.ring, wanted);
	(void)vhost_ring_is_empty(&guest->frames.ring);
}

// Nearly all packet buffers are elsewhere, or are there again.
static void shortage(struct world *world, unsigned spare)
{
	rte_pktmbuf_free_bulk(world->held, world->held_count);
	world->held_count = 0;
	if (spare == 0)
		return;
	while (rte_mempool_avail_count(pool) > spare &&
		(world->held[world->held_count] = rte_pktmbuf_alloc(pool)))
		world->held_count++;
}

static void step(struct world *world)
{
	uint8_t what = take_byte(&world->input), detail;

	switch (what % 10) {
	case 0:
	case 1:
	case 2:
		guest_write(&world->from, &world->input, what % 10);
		break;
	case 3:
	case 4:
	case 5:
		guest_write(&world->to, &world->input, what % 10 - 3);
		break;
	case 6:
		receive(world, 1 + take_byte(&world->input) % BURST);
		break;
	case 7:
		change_frames(world, take_byte(&world->input));
		send_and_finish(world);
		break;
	case 8:
		detail = take_byte(&world->input);
		make_frames(world, detail % BURST, take_word(&world->input));
		break;
	case 9:
		detail = take_byte(&world->input);
		tell(detail & 1 ? &world->from : &world->to, detail & 2);
		if (detail & 4)
			shortage(world, detail >> 3);
		break;
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char lcores[32];
	char *arguments[] = {"fuzz", "--no-huge", "-m", "32", "--no-shconf", "--no-pci",
		"--no-telemetry", "--log-level=error", lcores};
	cpu_set_t set;
	int core = 0;

	sched_getaffinity(0, sizeof(set), &set);
	while (!CPU_ISSET(core, &set))
		core++;
	snprintf(lcores, sizeof(lcores), "--lcores=0@%d", core);
	fuzz_must(rte_eal_init(sizeof(arguments) / sizeof(arguments[0]), arguments) >= 0, "no EAL");
	sched_setaffinity(0, sizeof(set), &set);
	pool = rte_pktmbuf_pool_create("fuzz", BUFFERS, 0, 64, 2176, 0);
	fuzz_must(pool != NULL, "no packet buffers");
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world world;

	memset(&world, 0, sizeof(world));
	world.input = (struct input){data, size};
	guest_open(&world.from, false, &world.input);
	guest_open(&world.to, true, &world.input);
	while (world.input.left > 0)
		step(&world);
	send_and_finish(&world);
	shortage(&world, 0);
	fuzz_must(rte_mempool_avail_count(pool) == BUFFERS, "%u of %u packet buffers left",
		rte_mempool_avail_count(pool), BUFFERS);
	guest_close(&world.from);
	guest_close(&world.to);
	return 0;
}

// SPDX-License-Identifier: Apache-2.0

// The device's side of virtqueues against a driver: chains as they were made available, in order,
// round the ring many times; interrupts; and drivers that write nonsense.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "datapath/vhost_ring.h"
#include "tests/random.h"
#include "virtio_driver.h"

#define ROUNDS 4000

static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
	return (uint32_t)(random_next(&random_state) % limit);
}

static void random_buffer(struct driver *driver, struct driver_buffer *buffer)
{
	buffer->pieces = random_below(4) ? 1 : 1 + random_below(6);
	for (unsigned i = 0; i < buffer->pieces; i++) {
		buffer->piece[i].length = 1 + random_below(300);
		buffer->piece[i].address = driver_allocate(driver, buffer->piece[i].length);
	}
}

static void chain_is(const struct driver *driver, const struct vhost_chain_set *set,
	const struct vhost_chain *chain, const struct driver_buffer *buffer)
{
	uint32_t length = 0;

	assert_int_equal(chain->pieces, buffer->pieces);
	for (unsigned i = 0; i < buffer->pieces; i++) {
		const struct vhost_piece *piece =
			i == 0 ? &chain->first : &set->pieces[chain->more + i - 1];

		assert_ptr_equal(piece->data, driver_at(driver, buffer->piece[i].address));
		assert_int_equal(piece->length, buffer->piece[i].length);
		length += buffer->piece[i].length;
	}
	assert_int_equal(chain->length, length);
}

// Fill the ring at random, collect and take at random, give back at random.
static void chains_go_round(bool packed, uint16_t size, bool writable)
{
	struct driver_buffer made[VHOST_CHAINS];
	struct vhost_chain_set set;
	struct driver driver;
	struct vhost_ring ring;
	struct vhost_ring_setup setup;
	uint64_t taken = 0;

	driver_start(&driver, packed, size, false, writable);
	setup = driver_setup(&driver);
	assert_true(vhost_ring_init(&ring, &setup));
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned count = 0, done = 0, want = random_below(VHOST_CHAINS);
		uint32_t written[VHOST_CHAINS];

		driver_reset_memory(&driver);
		assert_true(vhost_ring_is_empty(&ring));
		while (count < want) {
			random_buffer(&driver, &made[count]);
			if (!driver_add(&driver, &made[count], random_below(3) == 0))
				break;
			count++;
		}
		assert_int_equal(vhost_ring_is_empty(&ring), count == 0);
		while (done < count) {
			unsigned found =
				vhost_ring_collect(&ring, 1 + random_below(VHOST_CHAINS), &set);
			unsigned use = found - random_below(found); // at least one

			assert_in_range(found, 1, count - done);
			for (unsigned i = 0; i < use; i++) {
				chain_is(&driver, &set, &set.chains[i], &made[done + i]);
				set.used[i].written = random_below(1000);
				written[done + i] = set.used[i].written;
			}
			if (random_below(2)) {
				vhost_ring_keep(&ring, &set, use);
			} else {
				vhost_ring_release(&ring);
				vhost_ring_use(&ring, &set, use);
			}
			done += use;
		}
		vhost_ring_release(&ring);
		for (unsigned i = 0; i < count; i++) {
			struct driver_buffer used;
			uint32_t length;

			assert_true(driver_used(&driver, &used, &length));
			assert_int_equal(used.piece[0].address, made[i].piece[0].address);
			assert_int_equal(length, written[i]);
		}
		taken += count;
	}
	assert_true(taken > ROUNDS);
	driver_stop(&driver);
}

static void split_chains_go_round(void **state)
{
	random_state = 1;
	chains_go_round(false, 256, false);
	chains_go_round(false, 16, true);
}

static void packed_chains_go_round(void **state)
{
	random_state = 2;
	chains_go_round(true, 256, false);
	chains_go_round(true, 23, true); // any size will do
}

// One buffer of one piece through the ring.
static void pass_one(struct driver *driver, struct vhost_ring *ring)
{
	struct vhost_chain_set set;
	struct driver_buffer buffer;
	uint32_t length;

	driver_reset_memory(driver);
	buffer.pieces = 1;
	buffer.piece[0] = (struct driver_piece){driver_allocate(driver, 64), 64};
	assert_true(driver_add(driver, &buffer, false));
	assert_int_equal(vhost_ring_collect(ring, VHOST_CHAINS, &set), 1);
	vhost_ring_use(ring, &set, 1);
	assert_true(driver_used(driver, &buffer, &length));
}

static void ask_for_interrupts(bool packed, bool event_idx)
{
	struct driver driver;
	struct vhost_ring ring;
	struct vhost_ring_setup setup;

	driver_start(&driver, packed, 16, event_idx, true);
	setup = driver_setup(&driver);
	assert_true(vhost_ring_init(&ring, &setup));
	for (unsigned i = 0; i < 200; i++) {
		unsigned wait = event_idx ? 1 + random_below(5) : 1;

		driver_want_interrupt(&driver, (uint16_t)wait);
		assert_false(vhost_ring_wants_telling(&ring));
		for (unsigned used = 1; used < wait; used++) {
			pass_one(&driver, &ring);
			assert_false(vhost_ring_wants_telling(&ring));
		}
		pass_one(&driver, &ring);
		assert_true(vhost_ring_wants_telling(&ring));
		assert_false(vhost_ring_wants_telling(&ring));
		// Several at once, the one that is waited for among them.
		driver_want_interrupt(&driver, (uint16_t)wait);
		for (unsigned used = 0; used < wait + 2; used++)
			pass_one(&driver, &ring);
		assert_true(vhost_ring_wants_telling(&ring));
	}
	if (!event_idx) {
		driver_want_interrupt(&driver, 0);
		pass_one(&driver, &ring);
		assert_false(vhost_ring_wants_telling(&ring));
	}
	driver_stop(&driver);
}

static void interrupts_when_asked_for(void **state)
{
	random_state = 3;
	for (unsigned kind = 0; kind < 4; kind++)
		ask_for_interrupts(kind & 1, kind & 2);
}

// Kicks: what the driver reads of the device's wish.
static void kicks_when_asked_for(void **state)
{
	for (unsigned kind = 0; kind < 4; kind++) {
		bool packed = kind & 1, event_idx = kind & 2;
		struct driver driver;
		struct vhost_ring ring;
		struct vhost_ring_setup setup;
		const struct vring_used *used;
		const struct vring_packed_desc_event *event;

		driver_start(&driver, packed, 8, event_idx, false);
		setup = driver_setup(&driver);
		used = setup.device_area;
		event = setup.device_area;
		assert_true(vhost_ring_init(&ring, &setup));
		pass_one(&driver, &ring);
		vhost_ring_ask_for_kicks(&ring, false);
		if (packed)
			assert_int_equal(event->flags, VRING_PACKED_EVENT_FLAG_DISABLE);
		else if (event_idx)
			assert_false(vring_need_event(*(const uint16_t *)&used->ring[8], 2, 1));
		else
			assert_int_equal(used->flags, VRING_USED_F_NO_NOTIFY);
		vhost_ring_ask_for_kicks(&ring, true);
		if (packed)
			assert_int_equal(event->flags, VRING_PACKED_EVENT_FLAG_ENABLE);
		else if (event_idx)
			assert_true(vring_need_event(*(const uint16_t *)&used->ring[8], 2, 1));
		else
			assert_int_equal(used->flags, 0);
		driver_stop(&driver);
	}
}

// The base that is handed on is where the next device goes on.
static void another_device_goes_on(void **state)
{
	for (unsigned packed = 0; packed < 2; packed++) {
		struct driver driver;
		struct vhost_ring ring;
		struct vhost_ring_setup setup;

		driver_start(&driver, packed, 7 + !packed, false, false);
		setup = driver_setup(&driver);
		for (unsigned i = 0; i < 40; i++) {
			assert_true(vhost_ring_init(&ring, &setup));
			pass_one(&driver, &ring);
			setup.available_base = vhost_ring_available_base(&ring);
			setup.used_base = vhost_ring_used_base(&ring);
		}
		driver_stop(&driver);
	}
}

static void impossible_rings_are_refused(void **state)
{
	struct driver driver;
	struct vhost_ring ring;
	struct vhost_ring_setup good, setup;

	for (unsigned packed = 0; packed < 2; packed++) {
		driver_start(&driver, packed, 8, false, false);
		good = setup = driver_setup(&driver);
		assert_true(vhost_ring_init(&ring, &setup));
		setup.size = 0;
		assert_false(vhost_ring_init(&ring, &setup));
		setup.size = packed ? 32769 : 24;
		assert_false(vhost_ring_init(&ring, &setup));
		setup = good;
		setup.descriptors = NULL;
		assert_false(vhost_ring_init(&ring, &setup));
		setup = good;
		setup.descriptors = (uint8_t *)good.descriptors + 4;
		assert_false(vhost_ring_init(&ring, &setup));
		setup = good;
		setup.device_area = (uint8_t *)good.device_area + 1;
		assert_false(vhost_ring_init(&ring, &setup));
		setup = good;
		setup.available_base = 9;
		assert_int_equal(vhost_ring_init(&ring, &setup), !packed);
		driver_stop(&driver);
	}
}

// The library maps the first byte of each part, and says no more about it.
static void parts_of_rings_lie_in_the_memory(void **state)
{
	for (unsigned kind = 0; kind < 8; kind++) {
		bool packed = kind & 1, event_idx = kind & 2, split_memory = kind & 4;
		struct vhost_ring_setup good, setup;
		struct driver driver;
		struct vhost_ring ring;
		uint8_t *end;
		size_t driver_bytes = packed ? 4 : 4 + 2 * 8 + (event_idx ? 2 : 0);
		size_t device_bytes = packed ? 4 : 4 + 8 * 8 + (event_idx ? 2 : 0);

		driver_start(&driver, packed, 8, event_idx, false);
		// The end of the memory, and of one of its regions.
		end = driver.memory + DRIVER_MEMORY;
		if (split_memory) {
			end -= DRIVER_MEMORY / 2;
			driver.map = (struct guest_memory){2,
				{{DRIVER_BASE, DRIVER_MEMORY / 2, driver.memory},
					{DRIVER_BASE + DRIVER_MEMORY / 2, DRIVER_MEMORY / 2, end}}};
		}
		good = setup = driver_setup(&driver);
		setup.descriptors = end - 16 * 8;
		assert_true(vhost_ring_init(&ring, &setup));
		setup.descriptors = end - 16 * 7;
		assert_false(vhost_ring_init(&ring, &setup));
		setup = good;
		setup.driver_area = end - ((driver_bytes + 3) & ~3ul);
		assert_true(vhost_ring_init(&ring, &setup));
		// Of four bytes at a boundary all are there or none.
		setup.driver_area = end - ((driver_bytes - 1) & ~3ul);
		assert_int_equal(vhost_ring_init(&ring, &setup), packed && split_memory);
		setup = good;
		setup.device_area = end - ((device_bytes + 3) & ~3ul);
		assert_true(vhost_ring_init(&ring, &setup));
		setup.device_area = end - ((device_bytes - 1) & ~3ul);
		assert_int_equal(vhost_ring_init(&ring, &setup), packed && split_memory);
		setup.device_area = driver.memory - 64;
		assert_false(vhost_ring_init(&ring, &setup));
		driver_stop(&driver);
	}
}

// One string of bytes to the guest, in several regions that are mapped here and there.
static void buffers_go_on_in_the_next_region(void **state)
{
	static uint8_t second[100], third[4096];

	for (unsigned kind = 0; kind < 4; kind++) {
		bool packed = kind & 1, indirect = kind & 2;
		const uint32_t half = DRIVER_MEMORY / 2;
		struct driver_buffer buffer = {1, {{DRIVER_BASE + half - 10, 1000}}};
		struct vhost_chain_set set;
		struct vhost_ring_setup setup;
		struct driver driver;
		struct vhost_ring ring;
		uint32_t length;

		driver_start(&driver, packed, 8, false, true);
		driver.map = (struct guest_memory){
			3, {{DRIVER_BASE + half + 100, sizeof(third), third},
				   {DRIVER_BASE, half, driver.memory},
				   {DRIVER_BASE + half, sizeof(second), second}}};
		setup = driver_setup(&driver);
		assert_true(vhost_ring_init(&ring, &setup));
		assert_true(driver_add(&driver, &buffer, indirect));
		// Behind the last one there is none.
		buffer.piece[0].length = 110 + sizeof(third) + 1;
		assert_true(driver_add(&driver, &buffer, indirect));
		assert_int_equal(vhost_ring_collect(&ring, 2, &set), 2);
		assert_int_equal(set.chains[0].pieces, 3);
		assert_int_equal(set.chains[0].length, 1000);
		assert_ptr_equal(set.chains[0].first.data, driver.memory + half - 10);
		assert_int_equal(set.chains[0].first.length, 10);
		assert_ptr_equal(set.pieces[0].data, second);
		assert_int_equal(set.pieces[0].length, 100);
		assert_ptr_equal(set.pieces[1].data, third);
		assert_int_equal(set.pieces[1].length, 890);
		assert_int_equal(set.chains[1].pieces, 0);
		vhost_ring_use(&ring, &set, 2);
		assert_true(driver_used(&driver, &buffer, &length));
		assert_true(driver_used(&driver, &buffer, &length));
		driver_stop(&driver);
	}
}

// --- Nonsense ---

static void memory_is_bounded(void **state)
{
	static uint8_t low[64], high[64];
	struct guest_memory memory = {2, {{0x1000, 64, low}, {UINT64_MAX - 63, 64, high}}};
	unsigned hint = 0;

	assert_ptr_equal(guest_memory_at(&memory, &hint, 0x1000, 64), low);
	assert_ptr_equal(guest_memory_at(&memory, &hint, 0x103f, 1), low + 63);
	assert_null(guest_memory_at(&memory, &hint, 0x1000, 65));
	assert_null(guest_memory_at(&memory, &hint, 0xfff, 2));
	assert_null(guest_memory_at(&memory, &hint, 0x1040, 1));
	assert_ptr_equal(guest_memory_at(&memory, &hint, UINT64_MAX - 63, 64), high);
	assert_int_equal(hint, 1);
	assert_null(guest_memory_at(&memory, &hint, UINT64_MAX - 62, 64));
	assert_null(guest_memory_at(&memory, &hint, UINT64_MAX, UINT64_MAX));
	assert_ptr_equal(guest_memory_at(&memory, &hint, 0x1001, 63), low + 1);
}

// A malformed chain is given back unused, and those before and behind it are as they were.
static void check_malformed(bool packed, struct vring_desc wrong)
{
	struct vhost_chain_set set;
	struct driver driver;
	struct vhost_ring ring;
	struct vhost_ring_setup setup;
	struct driver_buffer buffer = {.pieces = 1};
	struct vring_desc right;
	uint32_t length;

	driver_start(&driver, packed, 8, false, false);
	setup = driver_setup(&driver);
	assert_true(vhost_ring_init(&ring, &setup));
	for (unsigned i = 0; i < 3; i++) {
		buffer.piece[0] = (struct driver_piece){driver_allocate(&driver, 64), 64};
		assert_true(driver_add(&driver, &buffer, false));
	}
	if (packed) {
		struct vring_packed_desc *at = (struct vring_packed_desc *)setup.descriptors + 1;

		at->addr = wrong.addr;
		at->len = wrong.len;
		at->flags |= wrong.flags;
	} else {
		struct vring_desc *at = (struct vring_desc *)setup.descriptors + 1;

		right = *at;
		*at = wrong;
	}
	assert_int_equal(vhost_ring_collect(&ring, 3, &set), 3);
	assert_int_equal(set.chains[0].pieces, 1);
	assert_int_equal(set.chains[1].pieces, 0);
	assert_int_equal(set.chains[1].length, 0);
	assert_int_equal(set.chains[2].pieces, 1);
	vhost_ring_use(&ring, &set, 3);
	// The driver finds its way by what it wrote.
	if (!packed)
		((struct vring_desc *)setup.descriptors)[1] = right;
	for (unsigned i = 0; i < 3; i++)
		assert_true(driver_used(&driver, &buffer, &length));
	driver_stop(&driver);
}

static void malformed_chains_come_back(void **state)
{
	const struct vring_desc wrong[] = {
		{0x1000, 64, 0, 0},                                     // no memory there
		{DRIVER_BASE + DRIVER_MEMORY - 10, 64, 0, 0},           // half of it
		{DRIVER_BASE, 0, 0, 0},                                 // empty
		{DRIVER_BASE, UINT32_MAX, 0, 0},                        // all there is, and more
		{0, 32, VRING_DESC_F_INDIRECT, 0},                      // a table, but where
		{DRIVER_BASE + 4096 + 4, 32, VRING_DESC_F_INDIRECT, 0}, // not at a boundary
		{DRIVER_BASE + 4096, 15, VRING_DESC_F_INDIRECT, 0},     // less than one
		{DRIVER_BASE + 4096, 32, VRING_DESC_F_INDIRECT, 0},     // of nothing
	};
	const struct vring_desc split_only[] = {
		{DRIVER_BASE, 16, VRING_DESC_F_NEXT, 1}, // in a circle
		{DRIVER_BASE, 16, VRING_DESC_F_NEXT, 8}, // out of the ring
		{DRIVER_BASE, 16, VRING_DESC_F_NEXT, 65535},
	};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		check_malformed(false, wrong[i]);
		check_malformed(true, wrong[i]);
	}
	for (unsigned i = 0; i < sizeof(split_only) / sizeof(split_only[0]); i++)
		check_malformed(false, split_only[i]);
}

// An indirect table of 4 GiB, whose first descriptor has no bytes and comes after itself: to go
// round as often as the table is long takes minutes for a ring of such.
static void tables_without_an_end(void **state)
{
	const uint64_t start = DRIVER_BASE * 16, length = UINT64_C(1) << 32;
	struct vring_desc *table = mmap(NULL, length, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct vhost_chain_set set;
	struct driver driver;
	struct vhost_ring ring;
	struct vhost_ring_setup setup;
	unsigned found = 0;

	assert_ptr_not_equal(table, MAP_FAILED);
	table[0] = (struct vring_desc){.flags = VRING_DESC_F_NEXT};
	driver_start(&driver, false, 256, false, false);
	driver.map.regions[driver.map.count++] =
		(struct guest_region){.start = start, .size = length, .host = (uint8_t *)table};
	setup = driver_setup(&driver);
	assert_true(vhost_ring_init(&ring, &setup));
	for (unsigned i = 0; i < 256; i++) {
		struct driver_buffer buffer = {1, {{driver_allocate(&driver, 64), 64}}};

		assert_true(driver_add(&driver, &buffer, false));
		((struct vring_desc *)setup.descriptors)[i] =
			(struct vring_desc){start, UINT32_MAX - 15, VRING_DESC_F_INDIRECT, 0};
	}
	while (found < 256) {
		unsigned count = vhost_ring_collect(&ring, VHOST_CHAINS, &set);

		assert_in_range(count, 1, VHOST_CHAINS);
		for (unsigned i = 0; i < count; i++)
			assert_int_equal(set.chains[i].pieces, 0);
		vhost_ring_use(&ring, &set, count);
		found += count;
	}
	driver_stop(&driver);
	munmap(table, length);
}

// Whatever is in the ring, what is collected lies in the guest's memory, there is an end to it, and
// no more is written than the ring. The rest of the memory is watched by who watches this test.
static void nonsense(bool packed, bool event_idx, bool writable, uint64_t seed)
{
	struct vhost_chain_set set;
	struct driver driver;
	struct vhost_ring ring;
	struct vhost_ring_setup setup;

	random_state = seed;
	driver_start(&driver, packed, 16, event_idx, writable);
	setup = driver_setup(&driver);
	assert_true(vhost_ring_init(&ring, &setup));
	for (unsigned round = 0; round < 300; round++) {
		unsigned found;

		// Addresses that are often right, the rest anything; sometimes only some of it.
		for (size_t at = 0; at < 512; at += 4) {
			uint32_t value =
				random_below(4) ? random_below(65536) : random_below(1u << 31);

			if (random_below(3))
				memcpy(driver.memory + at, &value, 4);
		}
		for (unsigned i = 0; i < 16; i++) {
			uint64_t address = DRIVER_BASE + random_below(DRIVER_MEMORY);

			if (random_below(2))
				memcpy(driver.memory + 16 * i, &address, 8);
		}
		found = vhost_ring_collect(&ring, 1 + random_below(VHOST_CHAINS), &set);
		assert_true(found <= VHOST_CHAINS);
		for (unsigned i = 0; i < found; i++) {
			const struct vhost_chain *chain = &set.chains[i];

			for (unsigned p = 0; p < chain->pieces; p++) {
				const struct vhost_piece *piece =
					p == 0 ? &chain->first : &set.pieces[chain->more + p - 1];

				assert_true(piece->data >= driver.memory);
				assert_true(piece->length <= DRIVER_MEMORY);
				assert_true(piece->data + piece->length <=
					    driver.memory + DRIVER_MEMORY);
			}
		}
		vhost_ring_use(&ring, &set, found);
		vhost_ring_wants_telling(&ring);
		vhost_ring_ask_for_kicks(&ring, round & 1);
	}
	driver_stop(&driver);
}

static void nonsense_stays_in_its_memory(void **state)
{
	for (uint64_t seed = 0; seed < 200; seed++)
		nonsense(seed & 1, seed & 2, seed & 4, seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(split_chains_go_round),
		cmocka_unit_test(packed_chains_go_round),
		cmocka_unit_test(interrupts_when_asked_for),
		cmocka_unit_test(kicks_when_asked_for),
		cmocka_unit_test(another_device_goes_on),
		cmocka_unit_test(impossible_rings_are_refused),
		cmocka_unit_test(parts_of_rings_lie_in_the_memory),
		cmocka_unit_test(buffers_go_on_in_the_next_region),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(malformed_chains_come_back),
		cmocka_unit_test(tables_without_an_end),
		cmocka_unit_test(nonsense_stays_in_its_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

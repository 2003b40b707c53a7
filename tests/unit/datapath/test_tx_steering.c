// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "datapath/tx_steering.h"

#define FRAME 128

// --- Frames ---

// An IPv4 or IPv6 frame with UDP; `flow` is in the source port and the last bytes of the source.
static void make_frame(uint8_t frame[FRAME], bool six, unsigned flow)
{
	static const uint8_t head[14] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	uint8_t *ip = frame + 14, *source = ip + (six ? 8 + 14 : 12 + 2);
	uint8_t *udp = ip + (six ? 40 : 20);

	memset(frame, 0, FRAME);
	memcpy(frame, head, sizeof(head));
	frame[12] = six ? 0x86 : 0x08;
	frame[13] = six ? 0xdd : 0x00;
	ip[0] = six ? 0x60 : 0x45;
	ip[six ? 5 : 3] = FRAME - 14 - (six ? 40 : 0); // length
	ip[six ? 6 : 9] = 17;
	ip[six ? 7 : 8] = 64;
	source[0] = (uint8_t)(flow >> 16);
	source[1] = (uint8_t)(flow >> 24);
	udp[0] = (uint8_t)(flow >> 8);
	udp[1] = (uint8_t)flow;
	udp[3] = 53;
	udp[5] = FRAME - 14 - (six ? 40 : 20);
}

static unsigned slot_of(const uint8_t frame[FRAME])
{
	return steering_slot(frame, FRAME, FRAME);
}

// --- Tests ---

static void queues_have_their_share(void **state)
{
	for (unsigned count = 1; count <= 64; count++) {
		uint64_t queues = 0;
		unsigned shares[64] = {0};
		uint8_t table[STEERING_SLOTS];

		// Every third one, in no order.
		for (unsigned i = 0; i < count; i++)
			queues |= UINT64_C(1) << (3 * i + 5) % 64;
		steering_table_build(table, queues);
		for (unsigned slot = 0; slot < STEERING_SLOTS; slot++) {
			assert_true(queues >> table[slot] & 1);
			shares[table[slot]]++;
		}
		for (unsigned queue = 0; queue < 64; queue++) {
			if (queues >> queue & 1)
				assert_in_range(shares[queue], STEERING_SLOTS / count,
					STEERING_SLOTS / count + 1);
		}
	}
}

static void without_queues_there_is_still_an_answer(void **state)
{
	uint8_t table[STEERING_SLOTS];

	memset(table, 0xff, sizeof(table));
	steering_table_build(table, 0);
	for (unsigned slot = 0; slot < STEERING_SLOTS; slot++)
		assert_int_equal(table[slot], 0);
}

static void flows_spread_over_slots(void **state)
{
	for (int six = 0; six <= 1; six++) {
		unsigned hits[STEERING_SLOTS] = {0};
		uint8_t frame[FRAME];

		for (unsigned flow = 0; flow < 256 * STEERING_SLOTS; flow++) {
			make_frame(frame, six, flow);
			hits[slot_of(frame)]++;
		}
		// 256 each, with a standard deviation of 16.
		for (unsigned slot = 0; slot < STEERING_SLOTS; slot++)
			assert_in_range(hits[slot], 256 - 6 * 16, 256 + 6 * 16);
	}
}

// What is not of the flow does not matter: payload, TTL, the tag; nor how much can be read.
static void a_flow_has_one_slot(void **state)
{
	for (unsigned flow = 0; flow < 1000; flow++) {
		uint8_t plain[FRAME], other[FRAME + 4];
		unsigned slot;

		make_frame(plain, flow % 2, flow);
		slot = slot_of(plain);
		memcpy(other, plain, FRAME);
		other[14 + (flow % 2 ? 7 : 8)] = 3; // TTL
		memset(other + 64, 0x5a, FRAME - 64);
		assert_int_equal(slot_of(other), slot);
		assert_int_equal(steering_slot(plain, 64, 9000), slot);
		memcpy(other + 4, plain, FRAME);
		memcpy(other, plain, 12);
		memcpy(other + 12, "\x81\x00\x20\x05", 4);
		assert_int_equal(steering_slot(other, FRAME + 4, FRAME + 4), slot);
	}
}

static void fragments_stay_together(void **state)
{
	uint8_t first[FRAME], later[FRAME];

	for (unsigned flow = 0; flow < 1000; flow++) {
		make_frame(first, false, flow);
		memcpy(later, first, FRAME);
		first[14 + 6] = 0x20; // more fragments
		later[14 + 7] = 10;
		memset(later + 34, 0xee, FRAME - 34);
		assert_int_equal(slot_of(first), slot_of(later));
	}
}

// Of the flows that a select group sends to one port, all slots have some.
static void groups_do_not_take_slots_away(void **state)
{
	bool seen[STEERING_SLOTS] = {false};

	for (unsigned flow = 0; flow < 1 << 22; flow++) {
		struct packet_key key = {.nw_src = flow, .dl_type = 8, .layers = LAYER_L3};
		uint32_t hash = packet_flow_hash(&key);
		uint8_t frame[FRAME];

		if (group_slot(hash) != 7)
			continue;
		make_frame(frame, false, 0);
		memset(frame + 14 + 9, 0, 1); // no protocol that has ports
		memcpy(frame + 14 + 12, &flow, 4);
		seen[slot_of(frame)] = true;
	}
	for (unsigned slot = 0; slot < STEERING_SLOTS; slot++)
		assert_true(seen[slot]);
}

// Exactly as long as what is looked at, so that a sanitizer sees a look beyond.
static void short_and_strange_frames(void **state)
{
	uint8_t frame[FRAME];

	make_frame(frame, false, 1);
	for (uint16_t length = 0; length <= FRAME; length++) {
		uint8_t *exact = malloc(length ? length : 1);

		memcpy(exact, frame, length);
		assert_in_range(steering_slot(exact, length, length), 0, STEERING_SLOTS - 1);
		free(exact);
	}
	// Not IP: by the Ethernet addresses.
	frame[12] = 0x88;
	frame[13] = 0xb5;
	for (unsigned mac = 1; mac < 256; mac++) {
		frame[11] = (uint8_t)mac;
		if (slot_of(frame) != steering_slot(frame, 14, 14))
			fail_msg("address %u", mac);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queues_have_their_share),
		cmocka_unit_test(without_queues_there_is_still_an_answer),
		cmocka_unit_test(flows_spread_over_slots),
		cmocka_unit_test(a_flow_has_one_slot),
		cmocka_unit_test(fragments_stay_together),
		cmocka_unit_test(groups_do_not_take_slots_away),
		cmocka_unit_test(short_and_strange_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
#include "datapath/vhost_gate.h"

#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "datapath/foreign_file.h"

#define MEMORY 65536

enum {
	SET_FEATURES = 2,
	SET_MEM_TABLE = 5,
	SET_LOG_BASE = 6,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9
};
enum { SET_VRING_ENABLE = 18, SET_VRING_KICK = 12, SET_VRING_CALL = 13, SEND_RARP = 19 };

struct region {
	uint64_t guest, size, user, offset;
};

// What is not closed at once is soon.
static bool is_open(int fd)
{
	while (!foreign_close_idle())
		sched_yield();
	return fcntl(fd, F_GETFD) >= 0;
}

static int memory_make(void)
{
	int file = memfd_create("gate", MFD_CLOEXEC);

	assert_true(file >= 0);
	assert_int_equal(ftruncate(file, MEMORY), 0);
	return file;
}

// Says `request` with a payload and descriptors; *count becomes how many are left.
static bool say(uint32_t request, const void *payload, uint32_t size, int fds[], unsigned *count)
{
	struct vhost_gate_header header = {request, 1, size};
	uint8_t bytes[VHOST_GATE_PAYLOAD] = {0};
	bool admitted;

	if (payload)
		memcpy(bytes, payload, size < sizeof(bytes) ? size : sizeof(bytes));
	admitted = vhost_gate_admit(&header, bytes, fds, count);
	vhost_gate_done();
	return admitted;
}

static bool say_state(uint32_t request, uint32_t ring, uint32_t number)
{
	uint32_t state[2] = {ring, number};
	unsigned none = 0;

	return say(request, state, sizeof(state), (int[VHOST_GATE_FDS]){0}, &none);
}

static void test_descriptors_that_nobody_asked_for(void **state)
{
	static const uint32_t requests[] = {
		1, SET_FEATURES, 4, SET_VRING_NUM, SEND_RARP, 23, 24, 47, 48, 0, 0xffffffff};

	for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		int fds[VHOST_GATE_FDS] = {memory_make(), memory_make()}, first = fds[0];
		uint32_t ring[2] = {1, 256};
		unsigned count = 2;

		assert_true(say(requests[i], ring, sizeof(ring), fds, &count));
		assert_int_equal(count, 0);
		assert_false(is_open(first));
	}
}

static void test_what_was_not_offered(void **state)
{
	static const uint32_t requests[] = {22, 28, 29, 30, 31, 32};

	for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		unsigned count = 0;

		assert_false(say(requests[i], NULL, 200, (int[VHOST_GATE_FDS]){0}, &count));
	}
}

static void test_messages_that_are_too_short(void **state)
{
	int fds[VHOST_GATE_FDS] = {0};
	unsigned count = 0;

	assert_false(say(SET_FEATURES, NULL, 7, fds, &count));
	assert_true(say(SET_FEATURES, NULL, 8, fds, &count));
	assert_false(say(SET_VRING_ADDR, NULL, 39, fds, &count));
	assert_false(say(SET_LOG_BASE, NULL, 15, fds, &count));
	assert_false(say(1, NULL, VHOST_GATE_PAYLOAD + 1, fds, &count));
}

static void test_rings(void **state)
{
	assert_true(say_state(SET_VRING_NUM, 0, 1));
	assert_true(say_state(SET_VRING_NUM, 255, 32768));
	assert_false(say_state(SET_VRING_NUM, 256, 256));
	assert_false(say_state(SET_VRING_NUM, 0, 0));
	assert_false(say_state(SET_VRING_NUM, 0, 32769));
	assert_false(say_state(SET_VRING_ENABLE, 0x10000, 1));
}

static bool table(struct region region, int file)
{
	uint8_t bytes[8 + sizeof(region)] = {1};
	int fds[VHOST_GATE_FDS] = {file < 0 ? file : dup(file)};
	unsigned count = file >= 0;
	int first = fds[0];

	memcpy(bytes + 8, &region, sizeof(region));
	assert_true(say(SET_MEM_TABLE, bytes, sizeof(bytes), fds, &count));
	assert_true(file < 0 || is_open(first) == (count == 1));
	if (count == 1)
		close(first);
	return count == 1;
}

static void test_memory(void **state)
{
	int file = memory_make(), pair[2], text = open("/proc/self/exe", O_RDONLY);
	int huge = memory_make();
	struct region good = {0x1000, MEMORY, 0x7000, 0}, region;

	assert_true(table(good, file));
	region = good, region.size = MEMORY + 1;
	assert_false(table(region, file));
	region = good, region.offset = 4096;
	assert_false(table(region, file));
	region.size -= 4096;
	assert_true(table(region, file));
	region = good, region.size = 0;
	assert_false(table(region, file));
	region = good, region.offset = -(uint64_t)4096;
	assert_false(table(region, file));
	region = good, region.guest = -(uint64_t)MEMORY;
	assert_true(table(region, file));
	region.guest++;
	assert_false(table(region, file));
	region = good, region.user = UINT64_MAX - 1;
	assert_false(table(region, file));
	assert_int_equal(pipe(pair), 0);
	assert_false(table(good, pair[0]));
	region = good, region.size = 1;
	assert_false(table(region, text)); // not to be written to
	// It can be mapped once, but the library would have no room beside it; and more than there
	// may be.
	assert_int_equal(ftruncate(huge, INT64_C(70) << 40), 0);
	region = good, region.size = UINT64_C(70) << 40;
	assert_false(table(region, huge));
	region.size = UINT64_C(17) << 40;
	assert_false(table(region, huge));
	region.size = UINT64_C(1) << 40;
	assert_true(table(region, huge));
	close(huge);
	assert_false(table(good, -1));
	close(pair[0]), close(pair[1]), close(file), close(text);
}

static void test_tables_that_are_not_all_there(void **state)
{
	int fds[VHOST_GATE_FDS] = {memory_make(), memory_make()};
	uint32_t regions[2] = {2, 0};
	unsigned count = 2;

	assert_false(say(SET_MEM_TABLE, regions, sizeof(regions), fds, &count));
	assert_int_equal(count, 2);
	regions[0] = 9; // more than there may be: the library says so
	assert_true(say(SET_MEM_TABLE, regions, sizeof(regions), fds, &count));
	assert_int_equal(count, 0);
}

static unsigned log_admitted(uint64_t size, uint64_t offset)
{
	int fds[VHOST_GATE_FDS] = {memory_make()};
	uint64_t log[2] = {size, offset};
	unsigned count = 1;

	assert_true(say(SET_LOG_BASE, log, sizeof(log), fds, &count));
	if (count == 1)
		close(fds[0]);
	return count;
}

static void test_log(void **state)
{
	assert_int_equal(log_admitted(MEMORY, 0), 1);
	assert_int_equal(log_admitted(MEMORY + 1, 0), 0);
	assert_int_equal(log_admitted(4096, 4096), 0);
}

static void test_interrupts(void **state)
{
	int pair[2], fds[VHOST_GATE_FDS], own = eventfd(0, EFD_CLOEXEC), before;
	uint64_t ring = 0;
	unsigned count = 1;

	// One that blocks would block the switch.
	fds[0] = own;
	assert_true(say(SET_VRING_CALL, &ring, 8, fds, &count));
	assert_int_equal(count, 1);
	assert_int_equal(fds[0], own);
	assert_true(fcntl(own, F_GETFL) & O_NONBLOCK);
	close(own);
	// What is none is not written to.
	assert_int_equal(pipe(pair), 0);
	fds[0] = pair[1];
	assert_true(say(SET_VRING_CALL, &ring, 8, fds, &count));
	assert_int_equal(count, 1);
	assert_true(foreign_is_eventfd(fds[0]));
	assert_int_equal(eventfd_write(fds[0], UINT64_MAX - 1), 0);
	assert_int_equal(eventfd_write(fds[0], 1), -1);
	close(fds[0]);
	// Nor is it given to who closes it.
	assert_int_equal(pipe(pair), 0);
	fds[0] = before = pair[1];
	assert_true(say(SET_VRING_KICK, &ring, 8, fds, &count));
	assert_int_equal(count, 0);
	assert_false(is_open(before));
	// Not as many as the message says.
	count = 1;
	fds[0] = before = pair[0], ring = VHOST_GATE_NO_FILE;
	assert_true(say(SET_VRING_KICK, &ring, 8, fds, &count));
	assert_int_equal(count, 0);
	assert_false(is_open(before));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_descriptors_that_nobody_asked_for),
		cmocka_unit_test(test_what_was_not_offered),
		cmocka_unit_test(test_messages_that_are_too_short),
		cmocka_unit_test(test_rings),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_tables_that_are_not_all_there),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_interrupts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

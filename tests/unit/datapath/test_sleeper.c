// SPDX-License-Identifier: Apache-2.0

// That no wake-up is lost. A guest in a thread of its own makes buffers available in bursts and
// after silences of random length, and notifies as the specification has it, that is, only if the
// device asks for it; the device polls for a while and then sleeps, as PMD threads do
// (datapath/pmd_sleep.c). If it slept over a buffer, both would wait for ever, and the alarm would
// go off. In the same way, a thread that leaves something in a mailbox and wakes the other.
//
// Usage: test_sleeper [ROUNDS [SEED]]; a round is a burst and a silence.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "datapath/sleeper.h"
#include "datapath/vhost_ring.h"
#include "tests/random.h"
#include "virtio_driver.h"

#define RING 64
#define STUCK_S 60 // without progress, on a machine that is busy with other things

static unsigned long rounds = 40000;
static uint64_t seed = 1;

struct place {
	struct driver driver;   // the guest's
	struct vhost_ring ring; // the device's
	struct sleeper sleeper;
	int kick;
	uint64_t taken, sleeps; // by the device; taken: the guest looks
	bool mailbox, stop;     // set by one, cleared by the other
};

static unsigned take(struct place *place)
{
	struct vhost_chain_set set;
	unsigned count = vhost_ring_collect(&place->ring, VHOST_CHAINS, &set);

	for (unsigned i = 0; i < count; i++)
		set.used[i].written = 0;
	vhost_ring_use(&place->ring, &set, count);
	__atomic_add_fetch(&place->taken, count, __ATOMIC_RELEASE);
	return count;
}

// Polls `patience` times in vain, and sleeps.
static void *device_run(void *argument)
{
	struct place *place = argument;
	uint64_t random = seed;
	unsigned idle = 0, patience = 0;

	while (!__atomic_load_n(&place->stop, __ATOMIC_ACQUIRE)) {
		if (take(place) > 0) {
			idle = 0;
			patience = (unsigned)(random_next(&random) % 64);
			continue;
		}
		if (idle++ < patience)
			continue;
		// Sometimes with a set of descriptors that is new.
		if (random_next(&random) % 64 == 0) {
			sleeper_forget(&place->sleeper);
			assert_true(sleeper_watch(&place->sleeper, place->kick, true));
		}
		vhost_ring_ask_for_kicks(&place->ring, true);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (take(place) == 0) {
			sleeper_sleep(&place->sleeper, SLEEP_FOREVER);
			place->sleeps++;
		}
		vhost_ring_ask_for_kicks(&place->ring, false);
		idle = 0;
	}
	return NULL;
}

static void notify(struct place *place)
{
	if (driver_must_notify(&place->driver))
		assert_int_equal(eventfd_write(place->kick, 1), 0);
}

// A burst, each of it or all of it notified of.
static void burst_send(struct place *place, unsigned count, bool each)
{
	struct driver_buffer buffer = {1, {{DRIVER_BASE + DRIVER_MEMORY / 2, 64}}};

	for (unsigned i = 0; i < count; i++) {
		assert_true(driver_add(&place->driver, &buffer, false));
		if (each)
			notify(place);
	}
	if (!each)
		notify(place);
}

static void burst_await(struct place *place, uint64_t sent)
{
	struct driver_buffer buffer;
	uint32_t written;
	unsigned turns = 0;

	while (__atomic_load_n(&place->taken, __ATOMIC_ACQUIRE) < sent) {
		if (++turns % 256 == 0)
			sched_yield();
	}
	while (driver_used(&place->driver, &buffer, &written))
		;
}

static void silence(uint64_t *random)
{
	// Mostly about as long as the device is patient.
	unsigned length = (unsigned)(random_next(random) % (random_next(random) % 16 ? 512 : 8192));

	while (length-- > 0)
		__builtin_ia32_pause();
}

static void place_open(struct place *place, bool packed, bool event_idx)
{
	struct vhost_ring_setup setup;

	*place = (struct place){.kick = eventfd(0, EFD_NONBLOCK)};
	driver_start(&place->driver, packed, RING, event_idx, false);
	setup = driver_setup(&place->driver);
	assert_true(vhost_ring_init(&place->ring, &setup));
	assert_int_equal(sleeper_init(&place->sleeper), 0);
	assert_true(sleeper_watch(&place->sleeper, place->kick, true));
}

static void place_close(struct place *place)
{
	driver_stop(&place->driver);
	sleeper_end(&place->sleeper);
	close(place->kick);
}

static void guest_is_heard(bool packed, bool event_idx)
{
	static struct place place;
	uint64_t random = seed + 1, sent = 0;
	pthread_t device;

	place_open(&place, packed, event_idx);
	assert_int_equal(pthread_create(&device, NULL, device_run, &place), 0);
	for (unsigned long round = 0; round < rounds; round++) {
		unsigned count = 1 + (unsigned)(random_next(&random) % 8);

		alarm(STUCK_S);
		burst_send(&place, count, random_next(&random) % 2);
		sent += count;
		burst_await(&place, sent);
		silence(&random);
	}
	__atomic_store_n(&place.stop, true, __ATOMIC_RELEASE);
	sleeper_wake(&place.sleeper);
	pthread_join(device, NULL);
	alarm(0);
	print_message("%lu rounds, %llu buffers, %llu sleeps\n", rounds, (unsigned long long)sent,
		(unsigned long long)place.sleeps);
	assert_true(place.taken == sent);
	// Or nothing was shown.
	assert_true(place.sleeps > rounds / 100);
	place_close(&place);
}

static void test_split(void **state)
{
	guest_is_heard(false, false);
}

static void test_split_events(void **state)
{
	guest_is_heard(false, true);
}

static void test_packed(void **state)
{
	guest_is_heard(true, false);
}

static void *reader_run(void *argument)
{
	struct place *place = argument;
	uint64_t random = seed;

	while (!__atomic_load_n(&place->stop, __ATOMIC_ACQUIRE)) {
		if (__atomic_load_n(&place->mailbox, __ATOMIC_ACQUIRE))
			__atomic_store_n(&place->mailbox, false, __ATOMIC_RELEASE);
		silence(&random);
		sleeper_sleep(&place->sleeper, SLEEP_FOREVER);
		place->sleeps++;
	}
	return NULL;
}

static void test_mailbox(void **state)
{
	static struct place place;
	uint64_t random = seed + 1;
	pthread_t reader;
	unsigned turns = 0;

	place_open(&place, false, false);
	assert_int_equal(pthread_create(&reader, NULL, reader_run, &place), 0);
	for (unsigned long round = 0; round < rounds; round++) {
		alarm(STUCK_S);
		__atomic_store_n(&place.mailbox, true, __ATOMIC_RELEASE);
		sleeper_wake(&place.sleeper);
		while (__atomic_load_n(&place.mailbox, __ATOMIC_ACQUIRE)) {
			if (++turns % 256 == 0)
				sched_yield();
		}
		silence(&random);
	}
	__atomic_store_n(&place.stop, true, __ATOMIC_RELEASE);
	sleeper_wake(&place.sleeper);
	pthread_join(reader, NULL);
	alarm(0);
	place_close(&place);
}

// One descriptor that is always readable, as a guest may make it, wakes once.
static void test_readable_for_ever(void **state)
{
	struct sleeper sleeper;
	int full = eventfd(1, EFD_NONBLOCK);

	assert_int_equal(sleeper_init(&sleeper), 0);
	assert_true(sleeper_watch(&sleeper, full, true));
	sleeper_sleep(&sleeper, SLEEP_FOREVER);
	// Were it still readable, this would not take its time; were the other lost, it would not
	// end.
	sleeper_wake(&sleeper);
	alarm(STUCK_S);
	sleeper_sleep(&sleeper, SLEEP_FOREVER);
	alarm(0);
	// But one that somebody reads wakes until it has been.
	sleeper_forget(&sleeper);
	sleeper_sleep(&sleeper, 0);
	assert_true(sleeper_watch(&sleeper, full, false));
	alarm(STUCK_S);
	sleeper_sleep(&sleeper, SLEEP_FOREVER);
	sleeper_sleep(&sleeper, SLEEP_FOREVER);
	alarm(0);
	sleeper_end(&sleeper);
	close(full);
}

// What cannot be watched is refused: a file, for one.
static void test_unwatchable(void **state)
{
	struct sleeper sleeper;
	FILE *file = tmpfile();

	assert_non_null(file);
	assert_int_equal(sleeper_init(&sleeper), 0);
	assert_false(sleeper_watch(&sleeper, fileno(file), true));
	assert_false(sleeper_watch(&sleeper, -1, true));
	sleeper_sleep(&sleeper, 1000);
	sleeper_end(&sleeper);
	fclose(file);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_split_events),
		cmocka_unit_test(test_packed),
		cmocka_unit_test(test_mailbox),
		cmocka_unit_test(test_readable_for_ever),
		cmocka_unit_test(test_unwatchable),
	};

	if (argc > 1)
		rounds = strtoul(argv[1], NULL, 10);
	if (argc > 2)
		seed = strtoull(argv[2], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

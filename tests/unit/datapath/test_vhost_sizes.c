// SPDX-License-Identifier: Apache-2.0
#include "datapath/vhost_sizes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct vhost_sizes sizes;

static int forget(void **state)
{
	memset(&sizes, 0, sizeof(sizes));
	return 0;
}

static bool may(uint32_t request, unsigned ring, uint32_t number, bool packed, bool used)
{
	return vhost_sizes_admit(&sizes, request, ring, number, packed, used);
}

static void test_sizes(void **state)
{
	assert_true(may(VHOST_RING_SIZE, 0, 256, false, false));
	assert_false(may(VHOST_RING_SIZE, 0, 0, false, false));
	assert_false(may(VHOST_RING_SIZE, 0, 3, false, false));
	assert_true(may(VHOST_RING_SIZE, 0, 3, true, false));
	assert_true(may(VHOST_RING_SIZE, 0, 32768, true, false));
	assert_false(may(VHOST_RING_SIZE, 0, 32769, true, false));
}

static void test_all_rings_together_have_a_limit(void **state)
{
	unsigned ring = 0;

	for (; may(VHOST_RING_SIZE, ring, 32768, false, false); ring++)
		vhost_sizes_note(&sizes, VHOST_RING_SIZE, ring, 32768, false);
	assert_int_equal(ring, VHOST_SIZES_SUM / 32768);
	// Another size for one that is counted, and the place of one that stopped.
	assert_true(may(VHOST_RING_SIZE, 0, 16384, false, false));
	vhost_sizes_note(&sizes, VHOST_RING_STOPS, 0, 0, false);
	assert_true(may(VHOST_RING_SIZE, ring, 32768, false, false));
}

static void test_rings_that_the_library_uses(void **state)
{
	assert_false(may(VHOST_RING_ADDRESSES, 1, 0, false, true));
	assert_false(may(VHOST_RING_STARTS, 1, 0, false, true));
	assert_true(may(VHOST_RING_STARTS, 1, 0, false, false));
	assert_true(may(VHOST_RING_SIZE, 1, 64, false, true));
	vhost_sizes_note(&sizes, VHOST_RING_SIZE, 1, 64, false);
	assert_true(may(VHOST_RING_ADDRESSES, 1, 0, false, true));
	assert_true(may(VHOST_RING_STARTS, 1, 0, false, true));
	assert_false(may(VHOST_RING_SIZE, 1, 128, false, true));
	assert_true(may(VHOST_RING_SIZE, 1, 128, false, false));
	assert_true(may(VHOST_RING_BASE, 1, 65535, false, true));
	// Rings of another kind have other notes.
	assert_false(may(VHOST_RING_STARTS, 1, 0, true, true));
	vhost_sizes_note(&sizes, VHOST_RING_STOPS, 1, 0, false);
	assert_false(may(VHOST_RING_STARTS, 1, 0, false, true));
}

static void test_packed_rings_have_no_places_beyond_their_end(void **state)
{
	vhost_sizes_note(&sizes, VHOST_RING_SIZE, 2, 100, true);
	assert_true(may(VHOST_RING_BASE, 2, 0x8000 | 99, true, true));
	assert_false(may(VHOST_RING_BASE, 2, 0x8000 | 100, true, true));
	assert_true(may(VHOST_RING_BASE, 2, 100, true, false));
}

static void test_rings_that_the_library_drops(void **state)
{
	for (unsigned ring = 0; ring < 4; ring++)
		vhost_sizes_note(&sizes, VHOST_RING_SIZE, ring, 256, false);
	vhost_sizes_keep(&sizes, 2);
	assert_true(may(VHOST_RING_ADDRESSES, 1, 0, false, true));
	assert_false(may(VHOST_RING_ADDRESSES, 2, 0, false, true));
	assert_false(may(VHOST_RING_STARTS, 3, 0, false, true));
	assert_int_equal(sizes.sum, 2 * 256);
}

static void test_what_fits(void **state)
{
	assert_true(vhost_sizes_fit(&sizes, 0, 0, false));
	assert_false(vhost_sizes_fit(&sizes, 0, 64, false));
	vhost_sizes_note(&sizes, VHOST_RING_SIZE, 0, 64, false);
	assert_true(vhost_sizes_fit(&sizes, 0, 64, false));
	assert_false(vhost_sizes_fit(&sizes, 0, 65, false));
	assert_false(vhost_sizes_fit(&sizes, 0, 64, true));
	assert_false(vhost_sizes_fit(&sizes, 0, 0, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_sizes, forget),
		cmocka_unit_test_setup(test_all_rings_together_have_a_limit, forget),
		cmocka_unit_test_setup(test_rings_that_the_library_uses, forget),
		cmocka_unit_test_setup(test_packed_rings_have_no_places_beyond_their_end, forget),
		cmocka_unit_test_setup(test_rings_that_the_library_drops, forget),
		cmocka_unit_test_setup(test_what_fits, forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

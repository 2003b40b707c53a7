// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ofctl/pcap_file.h"

static char path[] = "/tmp/turnout-pcap-XXXXXX";

static int setup(void **state)
{
	int fd = mkstemp(path);

	close(fd);
	return fd < 0;
}

static int teardown(void **state)
{
	return unlink(path);
}

static void number_write(FILE *file, uint32_t value, bool swapped)
{
	value = swapped ? __builtin_bswap32(value) : value;
	assert_int_equal(fwrite(&value, sizeof(value), 1, file), 1);
}

// Two frames, aa bb cc and dd ee, of which `kept` bytes of the file stay.
static void file_write(uint32_t magic, bool swapped, uint32_t link, long kept)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	number_write(file, magic, swapped);
	number_write(file, swapped ? 0x00020004 : 0x00040002, swapped);
	number_write(file, 0, swapped);
	number_write(file, 0, swapped);
	number_write(file, 65535, swapped);
	number_write(file, link, swapped);
	for (uint32_t length = 3; length >= 2; length--) {
		number_write(file, 1, swapped);
		number_write(file, 2, swapped);
		number_write(file, length, swapped);
		number_write(file, length, swapped);
		fwrite(length == 3 ? "\xaa\xbb\xcc" : "\xdd\xee", 1, length, file);
	}
	fclose(file);
	if (kept >= 0)
		assert_int_equal(truncate(path, kept), 0);
}

static void check_frame(const char *suffix, const char *hex)
{
	struct rpc_error error = {0};
	char place[64];
	char *got;

	snprintf(place, sizeof(place), "%s%s", path, suffix);
	got = pcap_file_frame(place, &error);
	if (got == NULL)
		fail_msg("%s: %s", place, error.message);
	assert_string_equal(got, hex);
	free(got);
}

static void check_refused(const char *suffix, const char *message)
{
	struct rpc_error error = {0};
	char place[64];

	snprintf(place, sizeof(place), "%s%s", path, suffix);
	assert_null(pcap_file_frame(place, &error));
	if (strstr(error.message, message) == NULL)
		fail_msg("%s: %s", place, error.message);
	rpc_error_clear(&error);
}

static void test_frames(void **state)
{
	static const uint32_t magics[] = {0xa1b2c3d4, 0xa1b23c4d};

	for (unsigned i = 0; i < 4; i++) {
		file_write(magics[i / 2], i % 2, 1, -1);
		check_frame("", "aabbcc");
		check_frame(":1", "aabbcc");
		check_frame(":2", "ddee");
		check_refused(":3", "has no frame 3; it has 2");
		check_refused(":0", "has no frame 0");
	}
}

static void test_damage(void **state)
{
	file_write(0xa1b2c3d4, false, 1, 24 + 16 + 3 + 16 + 1);
	check_frame(":1", "aabbcc");
	check_refused(":2", "frame 2 is damaged or cut off");
	file_write(0xa1b2c3d4, false, 1, 24 + 7);
	check_refused("", "frame 1 is damaged or cut off");
	file_write(0xa1b2c3d4, false, 1, 24);
	check_refused("", "has no frame 1; it has 0");
	file_write(0xa1b2c3d4, false, 1, 20);
	check_refused("", "is no pcap file");
	file_write(0x12345678, false, 1, -1);
	check_refused("", "is no pcap file");
	file_write(0x0a0d0d0a, false, 1, -1);
	check_refused("", "editcap");
	file_write(0xa1b2c3d4, true, 113, -1);
	check_refused("", "link type 113");
	check_refused(".none", "cannot read");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_damage),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

// SPDX-License-Identifier: Apache-2.0
#include "vswitch/store_log.h"

#include <string.h>

#define HEADER_SIZE 32
#define FRAME_HEADER_SIZE 24
#define MAGIC 0x377f0682u // with the last bit: checksums of big-endian words
#define VERSION 3007000
#define PAGE_MIN 512
#define PAGE_MAX 65536

struct log {
	uint32_t salt[2];
	uint32_t sum[2]; // of everything so far
	bool big;
};

static uint32_t word(const uint8_t *bytes, bool big)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return big == (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) ? value : __builtin_bswap32(value);
}

// size is a multiple of 8.
static void sum_add(struct log *log, const uint8_t *bytes, size_t size)
{
	for (size_t at = 0; at < size; at += 8) {
		log->sum[0] += word(bytes + at, log->big) + log->sum[1];
		log->sum[1] += word(bytes + at + 4, log->big) + log->sum[0];
	}
}

static bool sum_is(const struct log *log, const uint8_t *bytes)
{
	return word(bytes, true) == log->sum[0] && word(bytes + 4, true) == log->sum[1];
}

// The size of its pages, 0 if it is none.
static size_t header_read(struct log *log, const uint8_t *header)
{
	uint32_t magic = word(header, true);
	uint32_t page = word(header + 8, true);

	*log = (struct log){
		.salt = {word(header + 16, true), word(header + 20, true)}, .big = magic & 1};
	sum_add(log, header, 24);
	if ((magic & ~1u) != MAGIC || word(header + 4, true) != VERSION || page < PAGE_MIN ||
		page > PAGE_MAX || (page & (page - 1)) != 0 || !sum_is(log, header + 24))
		return 0;
	return page;
}

// Written since the log was begun anew? What is behind it is of earlier times.
static bool frame_is_of(const struct log *log, const uint8_t *frame)
{
	return word(frame + 8, true) == log->salt[0] && word(frame + 12, true) == log->salt[1];
}

static bool frame_is_good(struct log *log, const uint8_t *frame, size_t page)
{
	if (!frame_is_of(log, frame))
		return false;
	sum_add(log, frame, 8);
	sum_add(log, frame + FRAME_HEADER_SIZE, page);
	return sum_is(log, frame + 16);
}

// Zeros are what a file has whose size reached the disk, and whose content did not.
static bool is_zero(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i])
			return false;
	}
	return true;
}

bool store_log_is_whole(const uint8_t *bytes, size_t size)
{
	struct log log;
	size_t page = size < HEADER_SIZE ? 0 : header_read(&log, bytes);
	size_t at = HEADER_SIZE;
	bool commit = false;

	if (!page)
		return size < HEADER_SIZE || is_zero(bytes, HEADER_SIZE);
	while (size - at >= FRAME_HEADER_SIZE + page && frame_is_good(&log, bytes + at, page))
		at += FRAME_HEADER_SIZE + page;
	// From the bad one on.
	for (; size - at >= FRAME_HEADER_SIZE + page; at += FRAME_HEADER_SIZE + page) {
		if (!frame_is_of(&log, bytes + at))
			continue;
		if (commit)
			return false;
		commit = word(bytes + at + 4, true) != 0;
	}
	return true;
}

// SPDX-License-Identifier: Apache-2.0
#pragma once

// Random numbers that are the same in each run, and a text that grows, for tests that make up what
// they parse.

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

static uint64_t random_state = 88172645463325252;

static inline uint64_t random_bits(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static inline unsigned random_below(unsigned n)
{
	return (unsigned)(random_bits() >> 20) % n;
}

// What is made up is far below its size.
struct line {
	char text[8000];
	size_t length;
};

__attribute__((format(printf, 2, 3))) static inline void add(
	struct line *line, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	line->length += (size_t)vsnprintf(
		line->text + line->length, sizeof(line->text) - line->length, format, arguments);
	va_end(arguments);
	assert_true(line->length < sizeof(line->text));
}

// SPDX-License-Identifier: Apache-2.0
#pragma once

// A text that is printed into and grows. Texts of many flows are made at once, so the usual parts,
// strings and numbers, are put there without the C library's formatted output.
//
// Running out of memory is remembered: what is put then goes nowhere, and closing gives NULL. One
// owner, no threads.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text_buffer {
	char *text;
	size_t length;
	size_t size; // of the memory; 0: there is none
	bool failed; // out of memory
};

void text_buffer_open(struct text_buffer *buffer);

// The text, which is the caller's to free(), or NULL if there was no memory for all of it.
char *text_buffer_close(struct text_buffer *buffer);

// The same into `size` bytes, at least 1, of somebody else, cut to what fits.
void text_buffer_close_into(struct text_buffer *buffer, char *text, size_t size);

// Make room for `count` bytes more, and one for the 0 at the end. False: out of memory.
bool text_buffer_grow(struct text_buffer *buffer, size_t count);

static inline bool text_buffer_reserve(struct text_buffer *buffer, size_t count)
{
	return count < buffer->size - buffer->length || text_buffer_grow(buffer, count);
}

static inline void text_put_bytes(struct text_buffer *buffer, const char *bytes, size_t count)
{
	if (!text_buffer_reserve(buffer, count))
		return;
	memcpy(buffer->text + buffer->length, bytes, count);
	buffer->length += count;
}

static inline void text_put(struct text_buffer *buffer, const char *string)
{
	text_put_bytes(buffer, string, strlen(string));
}

static inline void text_put_char(struct text_buffer *buffer, char c)
{
	if (text_buffer_reserve(buffer, 1))
		buffer->text[buffer->length++] = c;
}

void text_put_decimal(struct text_buffer *buffer, uint64_t number);

// Small letters, no "0x", at least so many digits (1 to 16).
void text_put_hex(struct text_buffer *buffer, uint64_t number, unsigned digits);

void text_printf(struct text_buffer *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

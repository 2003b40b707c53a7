// SPDX-License-Identifier: Apache-2.0
#pragma once

// A string that is printed into and grows. One owner, no threads.

#include <stddef.h>
#include <stdio.h>

struct text_buffer {
	char *text;
	size_t size;
	FILE *out; // print here; NULL: out of memory
};

void text_buffer_open(struct text_buffer *buffer);

// The text, which is the caller's to free(), or NULL if there was no memory for all of it.
char *text_buffer_close(struct text_buffer *buffer);

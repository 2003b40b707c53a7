// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the fuzz targets share. A target is one file fuzz_<name>.c with LLVMFuzzerTestOneInput(),
// called for every input with its bytes. Besides what the sanitizers see it holds its subject
// against properties, by fuzz_must(). State does not outlive a call, so that each input
// reproduces alone. tests/fuzz/run builds and runs them.

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// The property that is broken, and with what.
#define fuzz_must(condition, ...)                                                               \
	do {                                                                                    \
		if (!(condition)) {                                                             \
			fprintf(stderr, "%s:%d: broken: %s: ", __FILE__, __LINE__, #condition); \
			fprintf(stderr, __VA_ARGS__);                                           \
			fputc('\n', stderr);                                                    \
			abort();                                                                \
		}                                                                               \
	} while (0)

// The bytes as a string, in a block of exactly its size. The caller frees it.
static inline char *fuzz_string(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	fuzz_must(text != NULL, "no memory");
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

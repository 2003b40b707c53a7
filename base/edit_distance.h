// SPDX-License-Identifier: Apache-2.0
#pragma once

// How far two words are apart: for "did you mean ...?".
//
// The number of insertions, deletions, replacements and swaps of neighbours that make one of the
// other (optimal string alignment). Case does not count, and "-" and "_" are the same letter, as
// people take them to be. Pure, any thread, no allocation.

#include <stddef.h>

#define EDIT_WORD_MAX 63
#define EDIT_FAR 1000u // the answer if a word is longer than EDIT_WORD_MAX

unsigned edit_distance(const char *a, size_t a_length, const char *b, size_t b_length);

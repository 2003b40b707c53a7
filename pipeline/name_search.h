// SPDX-License-Identifier: Apache-2.0
#pragma once

// Names in tables: finding one among blank-separated spellings, and guessing which one somebody
// meant who wrote another. Texts are given by pointer and length, they need not end. Pure
// functions, any thread.

#include <stdbool.h>
#include <stddef.h>

bool name_equal(const char *name, const char *text, size_t length);
bool name_equal_any_case(const char *name, const char *text, size_t length);

// Is `text` one of the words of `list`?
bool name_in_list(const char *list, const char *text, size_t length);
bool name_in_list_any_case(const char *list, const char *text, size_t length);

// The closest name so far. Distance is the number of single-character insertions, deletions,
// replacements and swaps of neighbours (optimal string alignment), without regard to case.
struct name_guess {
	const char *text;
	size_t length;
	const char *best;  // NULL: nothing is near enough
	unsigned distance; // only less than this counts
};

// A third of the letters may be wrong, and one more.
struct name_guess name_guess_start(const char *text, size_t length);

// Consider `name` and the words of `list` as other spellings of it.
void name_guess_try(struct name_guess *guess, const char *name, const char *list);

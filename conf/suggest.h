// SPDX-License-Identifier: Apache-2.0
#pragma once

// "Did you mean ...?": the known name that is nearest to a mistyped one.
//
// Feed the known names one by one; the nearest within a third of the word's length (at least one,
// at most three edits) is kept. Edits are insertions, deletions, replacements and swaps of
// neighbours (the restricted Damerau-Levenshtein distance). Case does not count, and "-" and "_"
// are the same. Pure, any thread.

#include <stddef.h>

struct suggestion {
	const char *word;
	const char *best; // NULL: nothing is near
	size_t distance;
};

void suggestion_init(struct suggestion *suggestion, const char *word);
void suggestion_offer(struct suggestion *suggestion, const char *name);

// Writes `; did you mean "NAME"?` to text[] if something is near, otherwise an empty string.
// Returns text.
const char *suggestion_format(const struct suggestion *suggestion, char *text, size_t size);

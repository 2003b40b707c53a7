// SPDX-License-Identifier: Apache-2.0
#pragma once

// "Did you mean ...?": of the words that would have been right, the one nearest to what was typed
// by edit distance (insertions, deletions, replacements, swaps of neighbours), if it is near
// enough to be worth saying. Consider the candidates one after the other. No allocation.

struct closest_word {
	const char *typed;
	const char *best; // NULL: nothing near enough so far
	unsigned distance;
};

void closest_word_begin(struct closest_word *closest, const char *typed);
void closest_word_consider(struct closest_word *closest, const char *candidate);

// SPDX-License-Identifier: Apache-2.0
#include "rpc/closest_word.h"

#include <string.h>

#define WORD_MAX 63

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned least = a < b ? a : b;

	return least < c ? least : c;
}

// Optimal string alignment distance, by rows of the usual dynamic programme.
static unsigned edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	unsigned rows[3][WORD_MAX + 1];

	for (size_t j = 0; j <= b_length; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		unsigned *row = rows[i % 3];
		const unsigned *above = rows[(i - 1) % 3];
		const unsigned *above2 = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			row[j] = min3(above[j] + 1, row[j - 1] + 1,
				above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				above2[j - 2] + 1 < row[j])
				row[j] = above2[j - 2] + 1;
		}
	}
	return rows[a_length % 3][b_length];
}

void closest_word_begin(struct closest_word *closest, const char *typed)
{
	closest->typed = typed;
	closest->best = NULL;
	// A third of the letters may be wrong; of very short words, one.
	closest->distance = strlen(typed) / 3 + 2;
}

void closest_word_consider(struct closest_word *closest, const char *candidate)
{
	size_t typed_length = strlen(closest->typed);
	size_t length = strlen(candidate);
	unsigned distance;

	if (typed_length > WORD_MAX || length > WORD_MAX)
		return;
	distance = edit_distance(closest->typed, typed_length, candidate, length);
	if (distance < closest->distance && distance < length) {
		closest->best = candidate;
		closest->distance = distance;
	}
}

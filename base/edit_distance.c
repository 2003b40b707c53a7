// SPDX-License-Identifier: Apache-2.0
#include "base/edit_distance.h"

#include <ctype.h>

static char letter_fold(char letter)
{
	return letter == '_' ? '-' : (char)tolower((unsigned char)letter);
}

static unsigned smaller(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

// The usual table by rows, of which swaps of neighbours need three.
unsigned edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	unsigned rows[3][EDIT_WORD_MAX + 1];

	if (a_length > EDIT_WORD_MAX || b_length > EDIT_WORD_MAX)
		return EDIT_FAR;
	for (size_t j = 0; j <= b_length; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a_length; i++) {
		unsigned *row = rows[i % 3];
		const unsigned *above = rows[(i + 2) % 3];
		const unsigned *above2 = rows[(i + 1) % 3];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_length; j++) {
			char x = letter_fold(a[i - 1]), y = letter_fold(b[j - 1]);

			row[j] =
				smaller(above[j - 1] + (x != y), smaller(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && x == letter_fold(b[j - 2]) &&
				y == letter_fold(a[i - 2]))
				row[j] = smaller(row[j], above2[j - 2] + 1);
		}
	}
	return rows[a_length % 3][b_length];
}

// SPDX-License-Identifier: Apache-2.0
#include "conf/suggest.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define LONGEST 63

static char letter_fold(char letter)
{
	return letter == '_' ? '-' : (char)tolower((unsigned char)letter);
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

// Three rows of the usual table are enough for swaps of neighbours.
static size_t edit_distance(const char *a, const char *b)
{
	size_t rows[3][LONGEST + 2];
	size_t n_a = strlen(a);
	size_t n_b = strlen(b);

	if (n_a > LONGEST || n_b > LONGEST)
		return LONGEST;
	for (size_t j = 0; j <= n_b; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= n_a; i++) {
		size_t *now = rows[i % 3];
		const size_t *above = rows[(i + 2) % 3];
		const size_t *above2 = rows[(i + 1) % 3];

		now[0] = i;
		for (size_t j = 1; j <= n_b; j++) {
			char x = letter_fold(a[i - 1]);
			char y = letter_fold(b[j - 1]);

			now[j] =
				smaller(above[j - 1] + (x != y), smaller(above[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && x == letter_fold(b[j - 2]) &&
				y == letter_fold(a[i - 2]))
				now[j] = smaller(now[j], above2[j - 2] + 1);
		}
	}
	return rows[n_a % 3][n_b];
}

void suggestion_init(struct suggestion *suggestion, const char *word)
{
	size_t bound = strlen(word) / 3;

	suggestion->word = word;
	suggestion->best = NULL;
	bound = bound < 1 ? 1 : smaller(bound, 3);
	suggestion->distance = bound + 1;
}

void suggestion_offer(struct suggestion *suggestion, const char *name)
{
	size_t distance = edit_distance(suggestion->word, name);

	if (distance < suggestion->distance) {
		suggestion->distance = distance;
		suggestion->best = name;
	}
}

const char *suggestion_format(const struct suggestion *suggestion, char *text, size_t size)
{
	if (suggestion->best)
		snprintf(text, size, "; did you mean \"%s\"?", suggestion->best);
	else if (size)
		text[0] = '\0';
	return text;
}

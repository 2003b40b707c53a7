// SPDX-License-Identifier: Apache-2.0
#include "conf/suggest.h"

#include <stdio.h>
#include <string.h>

#include "base/edit_distance.h"

void suggestion_init(struct suggestion *suggestion, const char *word)
{
	size_t bound = strlen(word) / 3;

	suggestion->word = word;
	suggestion->best = NULL;
	bound = bound < 1 ? 1 : bound > 3 ? 3 : bound;
	suggestion->distance = bound + 1;
}

void suggestion_offer(struct suggestion *suggestion, const char *name)
{
	size_t distance =
		edit_distance(suggestion->word, strlen(suggestion->word), name, strlen(name));

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

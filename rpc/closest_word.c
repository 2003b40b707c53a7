// SPDX-License-Identifier: Apache-2.0
#include "rpc/closest_word.h"

#include <string.h>

#include "base/edit_distance.h"

void closest_word_begin(struct closest_word *closest, const char *typed)
{
	closest->typed = typed;
	closest->best = NULL;
	// A third of the letters may be wrong; of very short words, one.
	closest->distance = strlen(typed) / 3 + 2;
}

void closest_word_consider(struct closest_word *closest, const char *candidate)
{
	size_t length = strlen(candidate);
	unsigned distance =
		edit_distance(closest->typed, strlen(closest->typed), candidate, length);

	if (distance < closest->distance && distance < length) {
		closest->best = candidate;
		closest->distance = distance;
	}
}

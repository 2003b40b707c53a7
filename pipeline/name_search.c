// SPDX-License-Identifier: Apache-2.0

#include "pipeline/name_search.h"

#include <string.h>

#include "base/edit_distance.h"

#define NAME_MAX_LENGTH 32 // longer ones are never near a name

// These are asked for every name of every table, and nearly always differ in the first letter: so
// there are no calls in the loops.

static char fold(char c, bool any_case)
{
	return any_case && c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

// The number of letters that both start with, at most `length`, and not beyond `end`: names of
// ports may have blanks in them, words of a list have not.
static inline size_t common_length(
	const char *name, char end, const char *text, size_t length, bool any_case)
{
	size_t i = 0;

	while (i < length && name[i] != '\0' && name[i] != end &&
		fold(name[i], any_case) == fold(text[i], any_case))
		i++;
	return i;
}

bool name_equal(const char *name, const char *text, size_t length)
{
	return common_length(name, '\0', text, length, false) == length && name[length] == '\0';
}

bool name_equal_any_case(const char *name, const char *text, size_t length)
{
	return common_length(name, '\0', text, length, true) == length && name[length] == '\0';
}

static inline bool list_search(const char *list, const char *text, size_t length, bool any_case)
{
	while (*list != '\0' && length > 0) {
		size_t same = common_length(list, ' ', text, length, any_case);

		list += same;
		if (same == length && (*list == ' ' || *list == '\0'))
			return true;
		while (*list != ' ' && *list != '\0')
			list++;
		list += *list == ' ';
	}
	return false;
}

bool name_in_list(const char *list, const char *text, size_t length)
{
	return list_search(list, text, length, false);
}

bool name_in_list_any_case(const char *list, const char *text, size_t length)
{
	return list_search(list, text, length, true);
}

struct name_guess name_guess_start(const char *text, size_t length)
{
	return (struct name_guess){
		.text = text,
		.length = length,
		.distance = length > NAME_MAX_LENGTH ? 0 : 2 + length / 3,
	};
}

static bool guess_improves(struct name_guess *guess, const char *word, size_t length)
{
	if (guess->distance == 0 || length == 0 || length > NAME_MAX_LENGTH)
		return false;

	unsigned distance = edit_distance(guess->text, guess->length, word, length);

	// Replacing every letter is no spelling mistake.
	if (distance >= guess->distance || distance >= guess->length)
		return false;
	guess->distance = distance;
	return true;
}

void name_guess_try(struct name_guess *guess, const char *name, const char *list)
{
	if (guess_improves(guess, name, strlen(name)))
		guess->best = name;
	while (*list != '\0') {
		size_t word = strcspn(list, " ");

		if (guess_improves(guess, list, word))
			guess->best = name;
		list += word + (list[word] == ' ');
	}
}

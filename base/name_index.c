// SPDX-License-Identifier: Apache-2.0
#include "base/name_index.h"

#include <assert.h>
#include <string.h>

enum { STATE_EMPTY, STATE_FILLING, STATE_FILLED };

static char fold(const struct name_index *index, char c)
{
	return index->any_case && c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

// A few letters tell most names apart; `length` is not 0.
static unsigned hash_of(const struct name_index *index, const char *text, size_t length)
{
	unsigned first = (unsigned char)fold(index, text[0]);
	unsigned middle = (unsigned char)fold(index, text[length / 2]);
	unsigned last = (unsigned char)fold(index, text[length - 1]);

	return ((first | middle << 8 | last << 16 | (unsigned)length << 24) * 0x9e3779b1u) >>
	       (32 - NAME_INDEX_BITS);
}

static bool is_name(
	const struct name_index *index, const char *name, const char *text, size_t length)
{
	if (!index->any_case)
		return memcmp(name, text, length) == 0;
	for (size_t i = 0; i < length; i++) {
		if (fold(index, name[i]) != fold(index, text[i]))
			return false;
	}
	return true;
}

// Where the name is, or the free slot where it would be.
static struct name_slot *slot_of(struct name_index *index, const char *text, size_t length)
{
	for (unsigned at = hash_of(index, text, length);; at++) {
		struct name_slot *slot = &index->slots[at % NAME_INDEX_SLOTS];

		if (!slot->name ||
			(slot->length == length && is_name(index, slot->name, text, length)))
			return slot;
	}
}

void name_index_add(struct name_index *index, const char *names, unsigned row)
{
	for (names += strspn(names, " "); *names; names += strspn(names, " ")) {
		size_t length = strcspn(names, " ");
		struct name_slot *slot = slot_of(index, names, length);

		assert(length <= UINT8_MAX && row <= UINT8_MAX);
		if (!slot->name)
			*slot = (struct name_slot){names, (uint8_t)length, (uint8_t)row};
		names += length;
	}
}

static void fill(struct name_index *index)
{
	int state = STATE_EMPTY;

	if (__atomic_compare_exchange_n(&index->state, &state, STATE_FILLING, false,
		    __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)) {
		index->fill(index);
		__atomic_store_n(&index->state, STATE_FILLED, __ATOMIC_RELEASE);
	}
	// It takes microseconds.
	while (__atomic_load_n(&index->state, __ATOMIC_ACQUIRE) != STATE_FILLED)
		;
}

int name_index_find(struct name_index *index, const char *text, size_t length)
{
	const struct name_slot *slot;

	if (length == 0 || length > UINT8_MAX)
		return -1;
	if (__atomic_load_n(&index->state, __ATOMIC_ACQUIRE) != STATE_FILLED)
		fill(index);
	slot = slot_of(index, text, length);
	return slot->name ? slot->row : -1;
}

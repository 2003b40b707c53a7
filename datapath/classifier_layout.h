// SPDX-License-Identifier: Apache-2.0
#pragma once

// What of a packet key a classifier's trie has to see, and in which places.
//
// A trie takes a step per byte, so the input is short: bits that all rules demand alike are
// compared once, outside of the trie; bytes that no rule looks at are left out. What is left is one
// byte, as rte_acl wants it, and then groups of four. Four bytes of a key side by side make a
// group. Lone bytes, of which rules want all or nothing (such as the protocol), share the first
// byte: it says for each of them which of the values that rules name it has. Values only; no DPDK,
// any thread.

#include <stdbool.h>
#include <string.h>

#include "pipeline/classifier.h"

#define LAYOUT_FIELDS_MAX 33 // of which the first is one byte
#define LAYOUT_SIZE_MAX (4 * LAYOUT_FIELDS_MAX)
#define LAYOUT_SHARING 8 // bytes of the key in the first one

// One of the bytes that the first one stands for.
struct layout_share {
	uint8_t byte;
	uint8_t mask;      // its bits in the first byte
	bool plain;        // it is the first byte, as it is
	uint8_t code[256]; // by value: what those bits become; 0 for values that no rule names
};

// What all rules demand of a word of the key.
struct layout_common {
	uint8_t word;
	uint64_t value, mask;
};

struct classifier_layout {
	unsigned commons;
	struct layout_common common[KEY_WORDS];
	unsigned shares;
	struct layout_share share[LAYOUT_SHARING];
	unsigned fields;
	unsigned offset;                  // of the first group in the input
	bool prefixes[LAYOUT_FIELDS_MAX]; // all masks of this field are prefixes
	// Of each group after the first field: where its bytes are in the key. Side by side, they
	// are moved as one.
	bool whole[LAYOUT_FIELDS_MAX];
	uint8_t bytes[LAYOUT_FIELDS_MAX][4];
	uint8_t used[LAYOUT_FIELDS_MAX]; // so many of them matter
};

// Host byte order.
struct layout_field {
	uint32_t value, mask;
};

// 0, or -ENOSPC if the rules look at more bytes than there is room for.
int classifier_layout_make(struct classifier_layout *layout, const struct classifier_rules *rules);

// What rule `index` demands of each field.
void classifier_layout_rule(const struct classifier_layout *layout,
	const struct classifier_rules *rules, uint32_t index, struct layout_field fields[]);

// The input for `key`. False: no rule wants it.
static inline bool classifier_layout_key(const struct classifier_layout *layout,
	const struct packet_key *key, uint8_t input[LAYOUT_SIZE_MAX])
{
	const uint64_t *words = (const uint64_t *)key;
	const uint8_t *bytes = (const uint8_t *)key;
	uint8_t first = 0, *group = &input[layout->offset];
	uint64_t differs = 0;

	for (unsigned c = 0; c < layout->commons; c++) {
		const struct layout_common *common = &layout->common[c];

		differs |= (words[common->word] & common->mask) ^ common->value;
	}
	if (differs)
		return false;
	for (unsigned s = 0; s < layout->shares; s++)
		first |= layout->share[s].code[bytes[layout->share[s].byte]];
	input[0] = first;
	for (unsigned f = 1; f < layout->fields; f++, group += 4) {
		const uint8_t *from = layout->bytes[f];

		if (layout->whole[f])
			memcpy(group, &bytes[from[0]], 4);
		else
			for (unsigned b = 0; b < 4; b++)
				group[b] = bytes[from[b]];
	}
	return true;
}

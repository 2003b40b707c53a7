// SPDX-License-Identifier: Apache-2.0
#pragma once

// Hashing and comparing the words of a packet's key that somebody has picked: those that a mask
// touches (lookup_hash.c), or those that matter to a bridge's flows (flow_cache.c).
//
// The hash is a sum of folded 64x64 products of word pairs with random keys, which whoever keeps a
// table draws: senders of packets cannot aim at collisions because they do not know the keys.
//
// On the packet path: always inline, so that where the number of words is a constant the loops
// have no branches.

#include <stdbool.h>
#include <stdint.h>

// The high half of the product of two words, mixed with the low one.
static inline __attribute__((always_inline)) uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

// Of `n` words, which may be none; with n keys, or n + 1 if n is odd.
static inline __attribute__((always_inline)) uint64_t hash_words(
	const uint64_t *keys, const uint64_t *words, unsigned n)
{
	uint64_t sum = 0;

	for (unsigned w = 0; w + 1 < n; w += 2)
		sum += fold(words[w] ^ keys[w], words[w + 1] ^ keys[w + 1]);
	if (n % 2)
		sum += fold(words[n - 1] ^ keys[n - 1], keys[n]);
	return sum;
}

// Are `n` words the same? Without branches: which word differs is not to be guessed.
static inline __attribute__((always_inline)) bool words_equal(
	const uint64_t *a, const uint64_t *b, unsigned n)
{
	uint64_t difference = 0;

	for (unsigned w = 0; w < n; w++)
		difference |= a[w] ^ b[w];
	return difference == 0;
}

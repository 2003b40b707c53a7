// SPDX-License-Identifier: Apache-2.0
#include "pipeline/group_select.h"

#include <arpa/inet.h>
#include <math.h>
#include <string.h>

#include "pipeline/field.h"
#include "pipeline/packet_format.h"

// A bijection in which every bit of the input changes about half of the output's: the finaliser
// of MurmurHash3 (public domain constants).
static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ULL;
	return x ^ x >> 33;
}

static uint64_t add_word(uint64_t hash, uint64_t word)
{
	return mix((hash + 0x9e3779b97f4a7c15ULL) ^ word);
}

static uint64_t add_bytes(uint64_t hash, const void *bytes, size_t length)
{
	const uint8_t *at = bytes;

	for (; length > 0; at += 8) {
		uint64_t word = 0;
		size_t part = length < 8 ? length : 8;

		memcpy(&word, at, part);
		hash = add_word(hash, word);
		length -= part;
	}
	return hash;
}

static uint32_t hash_end(uint64_t hash)
{
	return (uint32_t)(hash ^ hash >> 32);
}

uint32_t packet_flow_hash(const struct packet_key *key)
{
	uint64_t hash = 0;

	if (!(key->layers & LAYER_L3)) {
		hash = add_bytes(hash, key->dl_dst, sizeof(key->dl_dst));
		hash = add_bytes(hash, key->dl_src, sizeof(key->dl_src));
		return hash_end(add_word(hash, (uint64_t)key->vlan_tci << 16 | key->dl_type));
	}
	if (key->dl_type == htons(ETHERTYPE_IPV6)) {
		hash = add_bytes(hash, key->ipv6_src, sizeof(key->ipv6_src));
		hash = add_bytes(hash, key->ipv6_dst, sizeof(key->ipv6_dst));
	} else {
		hash = add_word(hash, (uint64_t)key->nw_src << 32 | key->nw_dst);
	}
	// Only the first fragment has ports; the others have to go the same way.
	if (!(key->nw_frag & NW_FRAG_ANY) && key->layers & LAYER_L4)
		hash = add_word(hash, (uint64_t)key->tp_src << 16 | key->tp_dst);
	return hash_end(add_word(hash, key->nw_proto));
}

uint32_t group_hash(const struct group *group, const struct packet_key *key)
{
	uint64_t hash = 0;

	if (group->hash_fields == 0)
		return packet_flow_hash(key);
	for (uint64_t left = group->hash_fields; left; left &= left - 1) {
		struct field_value value;

		field_read(field_get(__builtin_ctzll(left)), key, &value);
		hash = add_bytes(hash, value.bytes, sizeof(value.bytes));
	}
	return hash_end(hash);
}

// Higher is better. -weight / ln(u), where u in (0, 1) is a hash of slot and bucket: the bucket
// with the highest of these has a chance of its share of the sum of weights.
static double score(unsigned slot, const struct bucket *bucket)
{
	uint64_t hash = mix(mix((uint64_t)slot + 1) ^ bucket->id);
	double u = ((double)(hash >> 11) + 0.5) / (double)(1ULL << 53);

	return -(double)bucket->weight / log(u);
}

unsigned group_slot_winner(const struct group *group, unsigned slot,
	bool (*live)(void *context, const struct bucket *bucket), void *context)
{
	unsigned best = GROUP_NO_BUCKET;
	double best_score = 0;

	for (size_t i = 0; i < group->count; i++) {
		const struct bucket *bucket = &group->buckets[i];
		double own;

		if (bucket->weight == 0 || (live && !live(context, bucket)))
			continue;
		own = score(slot, bucket);
		if (best == GROUP_NO_BUCKET || own > best_score) {
			best = (unsigned)i;
			best_score = own;
		}
	}
	return best;
}

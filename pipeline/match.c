// SPDX-License-Identifier: Apache-2.0
// Matches compared, expanded and put in order; see match.h.

#include "pipeline/match.h"

#include <arpa/inet.h>
#include <string.h>

#define PORT_PREFIXES 30

// The ports of one direction that a match applies to: value and mask, or a range. Host byte order.
struct ports {
	bool is_range;
	uint16_t value;
	uint16_t mask;
	struct port_range range;
};

static bool range_in_use(struct port_range range)
{
	return range.first != 0 || range.last != 0;
}

static struct ports ports_make(uint16_t value, uint16_t mask, struct port_range range)
{
	return (struct ports){range_in_use(range), ntohs(value), ntohs(mask), range};
}

static struct ports match_sources(const struct match *match)
{
	return ports_make(match->value.tp_src, match->mask.tp_src, match->tp_src);
}

static struct ports match_targets(const struct match *match)
{
	return ports_make(match->value.tp_dst, match->mask.tp_dst, match->tp_dst);
}

static bool match_has_ranges(const struct match *match)
{
	return range_in_use(match->tp_src) || range_in_use(match->tp_dst);
}

void match_init(struct match *match)
{
	memset(match, 0, sizeof *match);
}

static bool range_equal(struct port_range a, struct port_range b)
{
	return a.first == b.first && a.last == b.last;
}

bool match_equal(const struct match *a, const struct match *b)
{
	return range_equal(a->tp_src, b->tp_src) && range_equal(a->tp_dst, b->tp_dst) &&
	       memcmp(&a->value, &b->value, sizeof a->value) == 0 &&
	       memcmp(&a->mask, &b->mask, sizeof a->mask) == 0;
}

size_t port_range_split(struct port_range range, uint16_t values[30], uint16_t masks[30])
{
	uint32_t next = range.first, end = (uint32_t)range.last + 1;
	size_t count = 0;

	// Greedily the largest aligned block that starts at `next` and does not pass the end.
	while (next < end && count < PORT_PREFIXES) {
		uint32_t size = next != 0 ? next & -next : 0x10000;

		while (next + size > end)
			size >>= 1;
		values[count] = (uint16_t)next;
		masks[count] = (uint16_t) ~(size - 1);
		count++;
		next += size;
	}
	return count;
}

static bool ports_cover(const struct ports *a, const struct ports *b)
{
	uint16_t first = b->is_range ? b->range.first : b->value;
	uint16_t last = b->is_range ? b->range.last : (uint16_t)(b->value | ~b->mask);

	if (a->is_range)
		return a->range.first <= first && last <= a->range.last;
	if (!b->is_range)
		return (a->mask & ~b->mask) == 0 && (b->value & a->mask) == a->value;
	// Between the ends of a range, every bit up to the highest in which they differ takes both
	// values, so the mask may have none of those.
	uint16_t differ = first ^ last;
	uint16_t varying = differ ? (uint16_t)((2u << (31 - __builtin_clz(differ))) - 1) : 0;
	return (a->mask & varying) == 0 && (first & a->mask) == a->value;
}

static bool ports_overlap(const struct ports *a, const struct ports *b)
{
	uint16_t values[PORT_PREFIXES], masks[PORT_PREFIXES];

	if (a->is_range && b->is_range)
		return a->range.first <= b->range.last && b->range.first <= a->range.last;
	if (!a->is_range && !b->is_range)
		return ((a->value ^ b->value) & a->mask & b->mask) == 0;
	if (!a->is_range)
		return ports_overlap(b, a);
	size_t count = port_range_split(a->range, values, masks);
	for (size_t i = 0; i < count; i++) {
		if (((values[i] ^ b->value) & masks[i] & b->mask) == 0)
			return true;
	}
	return false;
}

// With ranges on either side, ports are compared as sets and the rest of the key without them.
static struct packet_key without_ports(const struct packet_key *key)
{
	struct packet_key rest = *key;

	rest.tp_src = 0;
	rest.tp_dst = 0;
	return rest;
}

static bool mask_covers(const struct packet_key *value, const struct packet_key *mask,
	const struct packet_key *other_value, const struct packet_key *other_mask)
{
	const uint64_t *v = (const uint64_t *)value, *m = (const uint64_t *)mask;
	const uint64_t *ov = (const uint64_t *)other_value, *om = (const uint64_t *)other_mask;

	for (unsigned i = 0; i < KEY_WORDS; i++) {
		if ((m[i] & ~om[i]) != 0 || (ov[i] & m[i]) != v[i])
			return false;
	}
	return true;
}

static bool mask_overlaps(const struct packet_key *value, const struct packet_key *mask,
	const struct packet_key *other_value, const struct packet_key *other_mask)
{
	const uint64_t *v = (const uint64_t *)value, *m = (const uint64_t *)mask;
	const uint64_t *ov = (const uint64_t *)other_value, *om = (const uint64_t *)other_mask;

	for (unsigned i = 0; i < KEY_WORDS; i++) {
		if (((v[i] ^ ov[i]) & m[i] & om[i]) != 0)
			return false;
	}
	return true;
}

bool match_covers(const struct match *a, const struct match *b)
{
	if (!match_has_ranges(a) && !match_has_ranges(b))
		return mask_covers(&a->value, &a->mask, &b->value, &b->mask);

	struct packet_key value = without_ports(&a->value), mask = without_ports(&a->mask);
	struct ports a_src = match_sources(a), b_src = match_sources(b);
	struct ports a_dst = match_targets(a), b_dst = match_targets(b);

	return mask_covers(&value, &mask, &b->value, &b->mask) && ports_cover(&a_src, &b_src) &&
	       ports_cover(&a_dst, &b_dst);
}

bool match_overlaps(const struct match *a, const struct match *b)
{
	if (!match_has_ranges(a) && !match_has_ranges(b))
		return mask_overlaps(&a->value, &a->mask, &b->value, &b->mask);

	struct packet_key value = without_ports(&a->value), mask = without_ports(&a->mask);
	struct ports a_src = match_sources(a), b_src = match_sources(b);
	struct ports a_dst = match_targets(a), b_dst = match_targets(b);

	return mask_overlaps(&value, &mask, &b->value, &b->mask) && ports_overlap(&a_src, &b_src) &&
	       ports_overlap(&a_dst, &b_dst);
}

static bool range_hits(struct port_range range, uint16_t port)
{
	return !range_in_use(range) || (range.first <= ntohs(port) && ntohs(port) <= range.last);
}

bool match_hits(const struct match *match, const struct packet_key *key)
{
	const uint64_t *v = (const uint64_t *)&match->value, *m = (const uint64_t *)&match->mask;
	const uint64_t *k = (const uint64_t *)key;

	for (unsigned i = 0; i < KEY_WORDS; i++) {
		if ((k[i] & m[i]) != v[i])
			return false;
	}
	return range_hits(match->tp_src, key->tp_src) && range_hits(match->tp_dst, key->tp_dst);
}

// How many bits of a 16-bit port a range fixes, rounded down: as many as the shortest prefix of at
// least its size.
static unsigned range_bits(struct port_range range)
{
	unsigned span = range.last - range.first;

	if (!range_in_use(range))
		return 0;
	return span == 0 ? 16 : 15 - (31 - __builtin_clz(span));
}

static unsigned match_bits(const struct match *match)
{
	const uint64_t *m = (const uint64_t *)&match->mask;
	unsigned bits = range_bits(match->tp_src) + range_bits(match->tp_dst);

	for (unsigned i = 0; i < KEY_WORDS; i++)
		bits += (unsigned)__builtin_popcountll(m[i]);
	return bits;
}

static int range_compare(struct port_range a, struct port_range b)
{
	if (a.first != b.first)
		return a.first < b.first ? -1 : 1;
	return a.last < b.last ? -1 : a.last > b.last;
}

int match_compare(const struct match *a, const struct match *b)
{
	unsigned a_bits = match_bits(a), b_bits = match_bits(b);
	int order;

	if (a_bits != b_bits)
		return a_bits > b_bits ? -1 : 1;
	order = memcmp(&a->mask, &b->mask, sizeof a->mask);
	if (order == 0)
		order = memcmp(&a->value, &b->value, sizeof a->value);
	if (order == 0)
		order = range_compare(a->tp_src, b->tp_src);
	if (order == 0)
		order = range_compare(a->tp_dst, b->tp_dst);
	return order;
}

size_t match_expand(const struct match *match, struct match *out, size_t limit)
{
	uint16_t src_values[PORT_PREFIXES] = {0}, src_masks[PORT_PREFIXES] = {0};
	uint16_t dst_values[PORT_PREFIXES] = {0}, dst_masks[PORT_PREFIXES] = {0};
	size_t sources = 1, targets = 1;

	if (range_in_use(match->tp_src))
		sources = port_range_split(match->tp_src, src_values, src_masks);
	if (range_in_use(match->tp_dst))
		targets = port_range_split(match->tp_dst, dst_values, dst_masks);

	for (size_t i = 0; i < sources * targets && i < limit; i++) {
		struct match *part = &out[i];
		size_t s = i / targets, d = i % targets;

		*part = *match;
		part->tp_src = part->tp_dst = (struct port_range){0, 0};
		if (range_in_use(match->tp_src)) {
			part->value.tp_src = htons(src_values[s]);
			part->mask.tp_src = htons(src_masks[s]);
		}
		if (range_in_use(match->tp_dst)) {
			part->value.tp_dst = htons(dst_values[d]);
			part->mask.tp_dst = htons(dst_masks[d]);
		}
	}
	return sources * targets;
}

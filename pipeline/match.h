// SPDX-License-Identifier: Apache-2.0
#pragma once

// A match: the packets that a flow applies to, as value and mask of a packet key, plus the port
// ranges that no single mask can say.
//
// Invariant: value & ~mask == 0. Matches are plain data, copied by assignment. A match with ranges
// stands for the set of masked matches that match_expand() lists; everything that compares with
// packets works on those.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/packet_key.h"

// An inclusive range of transport ports, host byte order; unused if first == 0 && last == 0.
struct port_range {
	uint16_t first;
	uint16_t last;
};

struct match {
	struct packet_key value;
	struct packet_key mask;
	struct port_range tp_src; // if in use, value and mask leave key.tp_src alone
	struct port_range tp_dst;
};

// Every bit of `match` set means "any packet": all zero.
void match_init(struct match *match);

bool match_equal(const struct match *a, const struct match *b);

// Does `a` apply to every packet that `b` applies to (OpenFlow's loose "match or more specific")?
bool match_covers(const struct match *a, const struct match *b);

// Is there a packet that both apply to?
bool match_overlaps(const struct match *a, const struct match *b);

bool match_hits(const struct match *match, const struct packet_key *key);

// A total order that does not depend on history: more mask bits first, then bytes of the mask,
// then bytes of the value. It decides between overlapping flows of one priority.
int match_compare(const struct match *a, const struct match *b);

// The prefix masks that cover `range`, at most 30: fills values[] and masks[] (host byte order).
size_t port_range_split(struct port_range range, uint16_t values[30], uint16_t masks[30]);

// The range-free matches that together equal `match`: at most `limit` are written to `out`, and
// the number that there are is returned (900 at most).
size_t match_expand(const struct match *match, struct match *out, size_t limit);

// SPDX-License-Identifier: Apache-2.0
#pragma once

// One frame of each kind that the parser tells apart, for tests that go through all of them.

#include "tests/unit/packet/frame.h"

extern const uint8_t corpus_mac_a[6], corpus_mac_b[6], corpus_mac_c[6];
extern const uint8_t corpus_ip6_a[16], corpus_ip6_b[16], corpus_ip6_target[16];

#define CORPUS_IP_A 0x0a000001
#define CORPUS_IP_B 0x0a000102

// Build frame `index`, finished; returns its name, or NULL if there are no more.
const char *corpus_frame(struct frame *frame, unsigned index);

// By name; fails the test if there is none.
void corpus_named(struct frame *frame, const char *name);

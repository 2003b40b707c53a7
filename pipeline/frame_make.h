// SPDX-License-Identifier: Apache-2.0
#pragma once

// A frame that a match applies to, for people who want to know what would happen to such a packet
// and have none at hand.
//
// What the match does not say is as plain as it can be: addresses and ports are zero, the TTL is 64
// (255 for neighbour discovery), ARP asks (op 1), an Ethernet type that is not given is 0x88b5 and
// an IP protocol that is not given is 253, both set apart for experiments. Of a range of ports the
// first is taken, of a masked value the bits under the mask. Behind the headers comes a payload of
// 32 bytes; lengths and checksums are right, those of fragments as far as one fragment can tell.
//
// The frame is parsed back before it is given out, so what comes is hit by the match, or refused
// with the first field that cannot be. Pure, any thread.

#include <stddef.h>
#include <stdint.h>

#include "pipeline/flow_error.h"
#include "pipeline/match.h"

#define FRAME_MAKE_MAX 256

// 0, or -EINVAL with *error: no frame can be like that (registers, metadata and the like).
int frame_make(const struct match *match, uint8_t frame[FRAME_MAKE_MAX], size_t *length,
	struct flow_error *error);

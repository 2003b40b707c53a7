// SPDX-License-Identifier: Apache-2.0
#pragma once

// Keeping checksums right while header bytes are rewritten, without looking at the payload.
//
// The Internet checksum is a one's complement sum, so it can be corrected by the difference of the
// bytes alone (RFC 1624, equation 3). It does not depend on byte order: 16-bit words are taken
// from and put back into packets as they lie there. SCTP's CRC32c is linear over exclusive or, so
// it too can be corrected, by the CRC of the difference followed by as many zeros as bytes follow.
//
// A checksum that was wrong before is wrong by the same amount afterwards, so that a receiver
// still notices the damage. Pure functions.

#include <stddef.h>
#include <stdint.h>

// The sum of ~before + after over `size` bytes, which is even, at even offsets of what the checksum
// covers; at most 64 bytes.
uint16_t checksum_difference(const uint8_t *before, const uint8_t *after, size_t size);

// The checksum after that change.
uint16_t checksum_update(uint16_t checksum, uint16_t difference);

// The same for the checksum of UDP: 0 means that there is none and stays, and where the sum comes
// out as 0 it is written 0xffff (RFC 768).
uint16_t checksum_update_udp(uint16_t checksum, uint16_t difference);

// What to exclusive-or to a CRC32c if the four bytes `difference` (old xor new, in memory order)
// change in a message of which `left` bytes are there from the first of the four to its end.
uint32_t crc32c_difference(const uint8_t difference[4], size_t left);

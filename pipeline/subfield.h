// SPDX-License-Identifier: Apache-2.0
#pragma once

// Runs of bits in a field: what load, move and output:reg0[4..7] read and write. Pure functions.

#include "pipeline/action.h"

// The bits, right-aligned.
void subfield_get(
	const struct subfield *subfield, const struct packet_key *key, struct field_value *bits);

// The same as a number; UINT64_MAX if it is larger.
uint64_t subfield_number(const struct subfield *subfield, const struct packet_key *key);

// What to write to the field, so that `subfield` of it becomes the lower bits of `bits`.
void subfield_put(const struct subfield *subfield, const struct field_value *bits,
	struct field_value *value, struct field_value *mask);

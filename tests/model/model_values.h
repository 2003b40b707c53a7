// SPDX-License-Identifier: Apache-2.0
#pragma once

// The pools that flows and packets take field values from.

#include "pipeline/field.h"
#include "tests/model/model_random.h"

typedef unsigned __int128 model_number;

// A value of the field, out of its pool.
model_number model_value(struct model_random *random, enum field_id id);

// A value as flows write it, with a mask now and then if it may have one. At most 128 bytes.
void model_value_text(
	struct model_random *random, const struct field *field, bool maskable, char *text);

// SPDX-License-Identifier: Apache-2.0
#include "pipeline/meter.h"

bool meter_equal(const struct meter *a, const struct meter *b)
{
	if (a->id != b->id || a->packets != b->packets || a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		const struct meter_band *x = &a->bands[i], *y = &b->bands[i];

		if (x->type != y->type || x->rate != y->rate || x->burst != y->burst ||
			x->precedence != y->precedence)
			return false;
	}
	return true;
}

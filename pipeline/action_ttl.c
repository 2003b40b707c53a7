// SPDX-License-Identifier: Apache-2.0
#include "pipeline/action_run.h"
#include "pipeline/packet_write.h"
#include "pipeline/pipeline_private.h"

bool action_dec_ttl_run(struct execution *execution, const struct action *action)
{
	static const struct field_value mask = {{[15] = 0xff}};
	struct field_value value = {{[15] = execution->key->nw_ttl - 1}};

	if (!packet_has_field(execution->key, FIELD_NW_TTL))
		return true;
	if (execution->key->nw_ttl <= 1) {
		execution_note(execution, DROP_TTL_EXPIRED);
		return false;
	}
	return execution_write(execution, FIELD_NW_TTL, &value, &mask);
}

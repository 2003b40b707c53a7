// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>

#include "pipeline/action_run.h"
#include "pipeline/packet_write.h"
#include "pipeline/pipeline_private.h"
#include "pipeline/packet_format.h"
#include "pipeline/subfield.h"

// set_field, load, mod_*, write_metadata and move: a field gets other bits.

// Registers and metadata are in the key only, and in no need of anything.
static inline void write_key_only(struct packet_key *key, enum field_id id,
	const struct field_value *value, const struct field_value *mask)
{
	const struct field *field = field_get(id);
	uint8_t *at = (uint8_t *)key + field->offset;

	// The value's bytes are the last of its 16.
	if (field->size == 4) {
		uint32_t old, bits, changed;

		memcpy(&old, at, sizeof(old));
		memcpy(&bits, value->bytes + 12, sizeof(bits));
		memcpy(&changed, mask->bytes + 12, sizeof(changed));
		old = (old & ~changed) | bits;
		memcpy(at, &old, sizeof(old));
	} else {
		uint64_t old, bits, changed;

		memcpy(&old, at, sizeof(old));
		memcpy(&bits, value->bytes + 8, sizeof(bits));
		memcpy(&changed, mask->bytes + 8, sizeof(changed));
		old = (old & ~changed) | bits;
		memcpy(at, &old, sizeof(old));
	}
}

bool execution_write(struct execution *execution, enum field_id field,
	const struct field_value *value, const struct field_value *mask)
{
	int error;

	if (field_is_key_only(field)) {
		write_key_only(execution->key, field, value, mask);
		return true;
	}
	if (!packet_has_field(execution->key, field))
		return true;
	execution_settle(execution);
	error = packet_write_field(execution->packet, execution->key, field, value, mask);
	if (error == 0)
		return true;
	execution_note(execution, error == -ENOBUFS ? DROP_NO_HEADROOM : DROP_SCTP_FRAGMENT);
	return false;
}

// mod_tp_src and mod_tp_dst name no protocol: they write the port of the one that is there.
static enum field_id port_field(uint8_t protocol, bool source)
{
	switch (protocol) {
	case PROTOCOL_UDP:
		return source ? FIELD_UDP_SRC : FIELD_UDP_DST;
	case PROTOCOL_SCTP:
		return source ? FIELD_SCTP_SRC : FIELD_SCTP_DST;
	default:
		return source ? FIELD_TCP_SRC : FIELD_TCP_DST;
	}
}

bool action_set_field_run(struct execution *execution, const struct action *action)
{
	enum field_id field = action->set.target.field;

	if (action->id == ACTION_MOD_TP_SRC || action->id == ACTION_MOD_TP_DST)
		field = port_field(execution->key->nw_proto, action->id == ACTION_MOD_TP_SRC);
	return execution_write(execution, field, &action->set.value, &action->set.mask);
}

bool action_move_run(struct execution *execution, const struct action *action)
{
	struct field_value bits, value, mask;

	if (!packet_has_field(execution->key, action->move.source.field))
		return true;
	subfield_get(&action->move.source, execution->key, &bits);
	subfield_put(&action->move.target, &bits, &value, &mask);
	return execution_write(execution, action->move.target.field, &value, &mask);
}

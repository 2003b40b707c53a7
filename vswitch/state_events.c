// SPDX-License-Identifier: Apache-2.0
#include "vswitch/state_events.h"

#include <stdio.h>

#include "rpc/json_member.h"
#include "vswitch/event_log.h"

void state_events_port(struct vswitch *vs, const char *name)
{
	event_log_note(vs->events, "port.changed", name, json_pack("{s:s}", "name", name));
}

void state_events_ports(struct vswitch *vs)
{
	const char *uuid;
	json_t *port;

	json_object_foreach ((json_t *)model_rows(vs->model, TABLE_PORT), uuid, port) {
		state_events_port(vs, row_string(port, "name"));
	}
}

void state_events_connected(struct vswitch *vs)
{
	json_t *params = json_pack("{s:b, s:s}", "connected", 1, "instance", vs->instance);

	json_object_set(params, "pid", json_object_get(vs->info, "pid"));
	event_log_note(vs->events, "datapath.changed", NULL, params);
	state_events_ports(vs);
}

void state_events_disconnected(struct vswitch *vs)
{
	event_log_note(vs->events, "datapath.changed", NULL,
		json_pack(
			"{s:b, s:s}", "connected", 0, "problem", datapath_link_problem(vs->link)));
}

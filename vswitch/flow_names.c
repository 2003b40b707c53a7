// SPDX-License-Identifier: Apache-2.0
//
// What the flows of a bridge may name: its ports, its groups and its meters.

#include <stdlib.h>

#include "vswitch/flows.h"
#include "vswitch/model_edit.h"

static int compare_numbers(const void *a, const void *b)
{
	const struct port_name *x = a;
	const struct port_name *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

// As the transaction in progress has left it.
static bool reference_exists(const struct port_names *names, enum flow_reference kind, uint32_t id)
{
	const struct flow_owner *owner = names->context;

	return object_set_find(owner->objects, kind, id) != NULL;
}

void flow_names_clear(struct flow_owner *owner)
{
	free((void *)owner->names.items);
	owner->names = (struct port_names){0};
	owner->names_version = 0;
}

const struct port_names *flows_port_names(struct vswitch *vs, struct flow_owner *owner)
{
	const json_t *bridge = model_row(vs->model, TABLE_BRIDGE, owner->bridge);
	const json_t *ports = json_object_get(bridge, "ports");
	struct port_name *items;
	size_t count = 0;

	if (owner->names_version == model_version(vs->model) && owner->names.bridge)
		return &owner->names;
	flow_names_clear(owner);
	items = calloc(json_array_size(ports) + 1, sizeof(*items));
	for (size_t i = 0; items && i < json_array_size(ports); i++) {
		const json_t *port = model_row(
			vs->model, TABLE_PORT, json_string_value(json_array_get(ports, i)));
		const json_t *interface = model_interface_of(vs->model, port);

		items[count].name = row_string(port, "name");
		items[count++].number = (uint16_t)row_integer(interface, "ofport", 0);
	}
	if (items)
		qsort(items, count, sizeof(*items), compare_numbers);
	owner->names = (struct port_names){
		.bridge = owner->name,
		.count = items ? count : 0,
		.items = items,
		.exists = reference_exists,
		.context = owner,
	};
	owner->names_version = model_version(vs->model);
	return &owner->names;
}

// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/pipeline_private.h"

// The ports as NORMAL, flood and all see them: a set that is replaced as a whole.

// A set like the present one, but with *add (or NULL) and without the port `without`. NULL: no
// memory.
static struct port_set *port_set_change(
	const struct port_set *old, const struct pipeline_port *add, unsigned without)
{
	struct port_set *set = calloc(1, sizeof(*set) + (old->count + 1) * sizeof(set->items[0]));

	if (!set)
		return NULL;
	for (unsigned i = 0; i < old->count; i++) {
		if (old->items[i].number == without)
			continue;
		if (add && add->number < old->items[i].number) {
			set->items[set->count++] = *add;
			add = NULL;
		}
		set->items[set->count++] = old->items[i];
	}
	if (add)
		set->items[set->count++] = *add;
	for (unsigned i = 0; i < set->count; i++)
		set->by_number[set->items[i].number] = &set->items[i];
	return set;
}

static void port_set_publish(struct pipeline *pipeline, struct port_set *set)
{
	struct port_set *old = pipeline->ports;

	__atomic_store_n(&pipeline->ports, set, __ATOMIC_SEQ_CST);
	pipeline->retirement.retire(pipeline->retirement.context, free, old);
}

// An empty list of trunks means all of them; readers look at one bit only.
static void trunks_complete(struct pipeline_port *port)
{
	uint64_t any = 0;

	for (unsigned i = 0; i < 64; i++)
		any |= port->trunks[i];
	if (any == 0)
		memset(port->trunks, 0xff, sizeof(port->trunks));
}

int pipeline_port_set(struct pipeline *pipeline, const struct pipeline_port *port)
{
	struct pipeline_port complete = *port;
	struct port_set *set;

	if (port->number == 0 || port->number > OFPORT_MAX)
		return -EINVAL;
	trunks_complete(&complete);
	set = port_set_change(pipeline->ports, &complete, port->number);
	if (!set)
		return -ENOMEM;
	port_set_publish(pipeline, set);
	return 0;
}

int pipeline_port_remove(struct pipeline *pipeline, uint16_t number)
{
	struct port_set *set = port_set_change(pipeline->ports, NULL, number);

	if (!set)
		return -ENOMEM;
	port_set_publish(pipeline, set);
	mac_table_flush(pipeline->macs, number, -1);
	return 0;
}

// SPDX-License-Identifier: Apache-2.0

// Actions as text, as dumps show them and the parser reads them.

#include <string.h>

#include "pipeline/flow_parser.h"

static void print_port(FILE *out, const struct action *action, const struct port_names *names)
{
	port_print(out, action->port, names);
}

static void print_table(FILE *out, const struct action *action, const struct port_names *names)
{
	fprintf(out, "%u", action->table);
}

static void print_resubmit(FILE *out, const struct action *action, const struct port_names *names)
{
	if (action->resubmit.port != OFPORT_IN_PORT)
		port_print(out, action->resubmit.port, names);
	fprintf(out, ",%u", action->resubmit.table);
}

static void print_ethertype(FILE *out, const struct action *action, const struct port_names *names)
{
	fprintf(out, "0x%04x", action->ethertype);
}

static void print_value(FILE *out, const struct action *action, const struct port_names *names)
{
	const struct field *field = field_get(action->set.target.field);
	field_number value = field_number_of(&action->set.value);
	field_number mask = field_number_of(&action->set.mask);

	// The VLAN ID as Open vSwitch shows it here, decimal and with the CFI bit.
	if (field->id == FIELD_VLAN_VID && mask == field_ones(field))
		fprintf(out, "%u", (unsigned)value);
	else
		field_masked_print(out, field, value, mask, names);
}

static void print_set_field(FILE *out, const struct action *action, const struct port_names *names)
{
	const struct field *field = field_get(action->set.target.field);
	// OpenFlow 1.0 had no set_field, so its dl_ names are shown by their later ones here.
	bool old = strncmp(field->name, "dl_", 3) == 0 && field->aliases[0] != '\0';
	const char *name = old ? field->aliases : field->name;

	print_value(out, action, names);
	fprintf(out, "->%.*s", (int)strcspn(name, " "), name);
}

static void print_load(FILE *out, const struct action *action, const struct port_names *names)
{
	field_number value = field_number_of(&action->set.value) >> action->set.target.first_bit;

	if (value >> 64)
		fprintf(out, "%#lx%016lx->", (uint64_t)(value >> 64), (uint64_t)value);
	else
		fprintf(out, "%#lx->", (uint64_t)value);
	subfield_print(out, &action->set.target);
}

static void print_move(FILE *out, const struct action *action, const struct port_names *names)
{
	subfield_print(out, &action->move.source);
	fputs("->", out);
	subfield_print(out, &action->move.target);
}

static void print_subfield(FILE *out, const struct action *action, const struct port_names *names)
{
	subfield_print(out, &action->output);
}

static void print_truncated(FILE *out, const struct action *action, const struct port_names *names)
{
	fputs("port=", out);
	if (action->truncated.port == OFPORT_IN_PORT)
		fputs("in_port", out);
	else
		port_print(out, action->truncated.port, names);
	fprintf(out, ",max_len=%u", action->truncated.max_len);
}

// A plain length, unless there is more to say than that.
static bool controller_is_plain(const struct action *action)
{
	return action->controller.reason == PACKET_IN_ACTION;
}

static void print_controller(FILE *out, const struct action *action, const struct port_names *names)
{
	if (controller_is_plain(action)) {
		fprintf(out, "%u", action->controller.max_len);
		return;
	}
	fprintf(out, "reason=%s", packet_in_reason_name(action->controller.reason));
	if (action->controller.max_len != CONTROLLER_WHOLE)
		fprintf(out, ",max_len=%u", action->controller.max_len);
}

static void print_group(FILE *out, const struct action *action, const struct port_names *names)
{
	fprintf(out, "%u", action->group);
}

static void print_meter(FILE *out, const struct action *action, const struct port_names *names)
{
	fprintf(out, "%u", action->meter);
}

static void (*const printers[])(
	FILE *out, const struct action *action, const struct port_names *names) = {
	[ARG_PORT] = print_port,
	[ARG_TABLE] = print_table,
	[ARG_RESUBMIT] = print_resubmit,
	[ARG_ETHERTYPE] = print_ethertype,
	[ARG_FIELD_VALUE] = print_value,
	[ARG_SET_FIELD] = print_set_field,
	[ARG_LOAD] = print_load,
	[ARG_MOVE] = print_move,
	[ARG_METADATA] = print_value,
	[ARG_FIELD_OUTPUT] = print_subfield,
	[ARG_PORT_TRUNCATED] = print_truncated,
	[ARG_CONTROLLER] = print_controller,
	[ARG_GROUP] = print_group,
	[ARG_METER] = print_meter,
};

void action_argument_print(FILE *out, const struct action *action, const struct port_names *names)
{
	enum action_form form = action_type_get(action->id)->form;

	if (form != ARG_NONE)
		printers[form](out, action, names);
}

void action_print(FILE *out, const struct action *action, const struct port_names *names)
{
	const struct action_type *type = action_type_get(action->id);
	bool brackets = type->form == ARG_RESUBMIT || type->form == ARG_PORT_TRUNCATED ||
			(type->form == ARG_CONTROLLER && !controller_is_plain(action));

	fputs(action_type_written_name(type), out);
	if (type->form == ARG_NONE)
		return;
	fputc(brackets ? '(' : ':', out);
	action_argument_print(out, action, names);
	if (brackets)
		fputc(')', out);
}

void actions_print(FILE *out, const struct action_list *actions, const struct port_names *names)
{
	if (actions->count == 0)
		fputs(action_type_get(ACTION_DROP)->name, out);
	for (size_t i = 0; i < actions->count; i++) {
		if (i > 0)
			fputc(',', out);
		action_print(out, &actions->items[i], names);
	}
}

// SPDX-License-Identifier: Apache-2.0

// Actions as text, as dumps show them and the parser reads them.

#include <string.h>

#include "pipeline/flow_parser.h"

static void print_port(
	struct text_buffer *out, const struct action *action, const struct port_names *names)
{
	port_print(out, action->port, names);
}

static void print_table(
	struct text_buffer *out, const struct action *action, const struct port_names *names)
{
	text_put_decimal(out, action->table);
}

static void print_resubmit(
	struct text_buffer *out, const struct action *action, const struct port_names *names)
{
	if (action->resubmit.port != OFPORT_IN_PORT)
		port_print(out, action->resubmit.port, names);
	text_printf(out, ",%u", action->resubmit.table);
}

static void print_ethertype(
	struct text_buffer *out, const struct action *action, const struct port_names *names)
{
	text_printf(out, "0x%04x", action->ethertype);
}

static void print_value(
	struct text_buffer *out, const struct action *action, const struct port_names *names)
{
	const struct field *field = field_get(action->set.target.field);
	field_number value = field_number_of(&action->set.value);
	field_number mask = field_number_of(&action->set.mask);

	// The VLAN ID as Open vSwitch shows it here, decimal and with the CFI bit.
	if (field->id == FIELD_VLAN_VID && mask == field_ones(field))
		text_put_decimal(out, (unsigned)value);
	else
		field_masked_print(out, field, value, mask, names);
}

static void print_set_field(
	struct text_buffer *out, const struct action *action, const struct port_names *names)
{
	const struct field *field = field_get(action->set.target.field);
	// OpenFlow 1.0 had no set_field, so its dl_ names are shown by their later ones here.
	bool old = strncmp(field->name, "dl_", 3) == 0 && field->aliases[0] != '\0';
	const char *name = old ? field->aliases : field->name;

	print_value(out, action, names);
	text_printf(out, "->%.*s", (int)strcspn(name, " "), name);
}

static void print_load(
	struct text_buffer *out, const struct action *action, const struct port_names *names)
{
	field_number value = field_number_of(&action->set.value) >> action->set.target.first_bit;

	if (value >> 64)
		text_printf(out, "%#lx%016lx->", (uint64_t)(value >> 64), (uint64_t)value);
	else
		text_printf(out, "%#lx->", (uint64_t)value);
	subfield_print(out, &action->set.target);
}

static void print_move(
	struct text_buffer *out, const struct action *action, const struct port_names *names)
{
	subfield_print(out, &action->move.source);
	text_put(out, "->");
	subfield_print(out, &action->move.target);
}

static void print_subfield(
	struct text_buffer *out, const struct action *action, const struct port_names *names)
{
	subfield_print(out, &action->output);
}

static void print_truncated(
	struct text_buffer *out, const struct action *action, const struct port_names *names)
{
	text_put(out, "port=");
	if (action->truncated.port == OFPORT_IN_PORT)
		text_put(out, "in_port");
	else
		port_print(out, action->truncated.port, names);
	text_printf(out, ",max_len=%u", action->truncated.max_len);
}

// A plain length, unless there is more to say than that.
static bool controller_is_plain(const struct action *action)
{
	return action->controller.reason == PACKET_IN_ACTION;
}

static void print_controller(
	struct text_buffer *out, const struct action *action, const struct port_names *names)
{
	if (controller_is_plain(action)) {
		text_put_decimal(out, action->controller.max_len);
		return;
	}
	text_printf(out, "reason=%s", packet_in_reason_name(action->controller.reason));
	if (action->controller.max_len != CONTROLLER_WHOLE)
		text_printf(out, ",max_len=%u", action->controller.max_len);
}

static void print_group(
	struct text_buffer *out, const struct action *action, const struct port_names *names)
{
	text_put_decimal(out, action->group);
}

static void print_meter(
	struct text_buffer *out, const struct action *action, const struct port_names *names)
{
	text_put_decimal(out, action->meter);
}

static void (*const printers[])(
	struct text_buffer *out, const struct action *action, const struct port_names *names) = {
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

void action_argument_print(
	struct text_buffer *out, const struct action *action, const struct port_names *names)
{
	enum action_form form = action_type_get(action->id)->form;

	if (form != ARG_NONE)
		printers[form](out, action, names);
}

void action_print(
	struct text_buffer *out, const struct action *action, const struct port_names *names)
{
	const struct action_type *type = action_type_get(action->id);
	bool brackets = type->form == ARG_RESUBMIT || type->form == ARG_PORT_TRUNCATED ||
			(type->form == ARG_CONTROLLER && !controller_is_plain(action));

	text_put(out, action_type_written_name(type));
	if (type->form == ARG_NONE)
		return;
	text_put_char(out, brackets ? '(' : ':');
	action_argument_print(out, action, names);
	if (brackets)
		text_put_char(out, ')');
}

void actions_print(
	struct text_buffer *out, const struct action_list *actions, const struct port_names *names)
{
	if (actions->count == 0)
		text_put(out, action_type_get(ACTION_DROP)->name);
	for (size_t i = 0; i < actions->count; i++) {
		if (i > 0)
			text_put_char(out, ',');
		action_print(out, &actions->items[i], names);
	}
}

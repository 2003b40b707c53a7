// SPDX-License-Identifier: Apache-2.0

// Prints docs/flows-reference.md: the fields, actions, shorthands, drop reasons and kinds of errors
// that this version has, from the rows that the program itself works with.

#include <stdio.h>
#include <string.h>

#include "pipeline/action.h"
#include "pipeline/drop_reason.h"
#include "pipeline/field.h"
#include "pipeline/flow_error.h"
#include "pipeline/flow_lint.h"
#include "pipeline/protocol.h"

static const char *const formats[] = {
	[FORMAT_DECIMAL] = "number",
	[FORMAT_HEX] = "number, shown in hex",
	[FORMAT_MAC] = "00:11:22:33:44:55",
	[FORMAT_IPV4] = "192.0.2.1",
	[FORMAT_IPV6] = "2001:db8::1",
	[FORMAT_PORT] = "port number or name",
	[FORMAT_FRAG] = "no, yes, first, later, not_later",
	[FORMAT_TCP_FLAGS] = "+syn-ack, syn\\|ack, or a number",
};

// The argument of an action, and the name before it.
static const char *const forms[] = {
	[ARG_NONE] = "%s",
	[ARG_PORT] = "%s:PORT",
	[ARG_TABLE] = "%s:TABLE",
	[ARG_RESUBMIT] = "%s(,TABLE), %s(PORT,TABLE)",
	[ARG_ETHERTYPE] = "%s:TYPE",
	[ARG_SET_FIELD] = "%s:VALUE[/MASK]->FIELD",
	[ARG_LOAD] = "%s:NUMBER->FIELD[FIRST..LAST]",
	[ARG_MOVE] = "%s:FIELD[FIRST..LAST]->FIELD[FIRST..LAST]",
	[ARG_METADATA] = "%s:VALUE[/MASK]",
	[ARG_FIELD_OUTPUT] = "%s:FIELD[FIRST..LAST]",
	[ARG_PORT_TRUNCATED] = "%s(port=PORT,max_len=BYTES)",
	[ARG_CONTROLLER] = "%s[:BYTES], %s([max_len=BYTES][,reason=REASON])",
	[ARG_GROUP] = "%s:GROUP",
	[ARG_METER] = "%s:METER",
};

// Words of a blank-separated list as code, with commas.
static void print_words(const char *list)
{
	const char *separator = "";

	while (*list != '\0') {
		size_t word = strcspn(list, " ");

		printf("%s`%.*s`", separator, (int)word, list);
		separator = ", ";
		list += word + (list[word] == ' ');
	}
}

// Names that stand for this field and others, such as tp_dst.
static void print_families(const struct field *field)
{
	const struct field_family *family;
	const char *separator = field->aliases[0] != '\0' ? ", " : "";

	for (size_t i = 0; (family = field_family_get(i)); i++) {
		for (unsigned j = 0; j < family->count; j++) {
			size_t word = strcspn(family->names, " ");

			if (family->fields[j] != field->id ||
				strncmp(family->names, field->name, word) == 0)
				continue;
			printf("%s`%.*s`", separator, (int)word, family->names);
			separator = ", ";
		}
	}
}

static void print_fields(void)
{
	printf("## Match fields\n\n"
	       "In the order in which a dump shows them. \"M\": takes a mask, `VALUE/MASK`, for\n"
	       "addresses also a prefix length; \"W\": can be written by `set_field`, `load` and "
	       "`move`;\n"
	       "\"R\": takes a range, `FIRST-LAST`.\n\n"
	       "| field | also | NXM, OXM | bits | | written as | needs | meaning |\n"
	       "|---|---|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const struct field *field = field_get((enum field_id)i);

		printf("| `%s` | ", field->name);
		print_words(field->aliases);
		print_families(field);
		printf(" | ");
		print_words(field->nxm);
		printf(" | %u | %s%s%s | %s | %s | %s |\n", field->n_bits,
			field->flags & FIELD_MASKABLE ? "M" : "",
			field->flags & FIELD_WRITABLE ? "W" : "",
			field->flags & FIELD_RANGE ? "R" : "", formats[field->format],
			field->needs == NEEDS_NOTHING ? "" : prerequisite_name(field->needs),
			field->help);
	}
}

static void print_shorthands(void)
{
	const struct shorthand *shorthand;

	printf("\n## Shorthands\n\n"
	       "| shorthand | also | stands for |\n"
	       "|---|---|---|\n");
	for (size_t i = 0; (shorthand = shorthand_get(i)); i++) {
		printf("| `%s` | ", shorthand->name);
		print_words(shorthand->aliases);
		printf(" | `dl_type=0x%04x", shorthand->dl_type);
		if (shorthand->nw_proto != PROTOCOL_ANY)
			printf(",nw_proto=%u", shorthand->nw_proto);
		printf("` |\n");
	}
}

static void print_form(const struct action_type *type)
{
	// output:reg0[] is written like any other output.
	const char *name = action_type_written_name(type);

	if (type->form == ARG_FIELD_VALUE)
		printf("%s:%s", name, formats[field_get(type->field)->format]);
	else
		printf(forms[type->form], name, name);
}

static void print_actions(void)
{
	printf("\n## Actions\n\n"
	       "Names are read in upper and lower case. What `set_field`, `load` and `move` need\n"
	       "follows from the fields.\n\n"
	       "| action | also | needs | what it does |\n"
	       "|---|---|---|---|\n");
	for (size_t i = 0; i < ACTION_COUNT; i++) {
		const struct action_type *type = action_type_get((enum action_id)i);

		printf("| `");
		print_form(type);
		printf("` | ");
		print_words(type->aliases);
		printf(" | %s | %s |\n",
			type->needs == NEEDS_NOTHING ? "" : prerequisite_name(type->needs),
			type->help);
	}
}

static void print_drop_reasons(void)
{
	printf("\n## Drop reasons\n\n"
	       "Every packet that does not leave the switch is counted under one of these.\n\n"
	       "| reason | meaning |\n"
	       "|---|---|\n");
	for (int i = 0; i < DROP_REASON_COUNT; i++)
		printf("| `%s` | %s |\n", drop_reason_name((enum drop_reason)i),
			drop_reason_help((enum drop_reason)i));
}

static void print_error_kinds(void)
{
	printf("\n## Kinds of errors\n\n"
	       "The member `kind` of a flow error's JSON:");
	for (int i = 0; i < FLOW_ERROR_KIND_COUNT; i++)
		printf("%s`%s`", i == 0 ? "\n" : ",\n",
			flow_error_kind_name((enum flow_error_kind)i));
	printf(".\n");
}

static void print_lint_kinds(void)
{
	printf("\n## Findings of lint\n\n"
	       "What `ofctl lint` tells of; it ends with status 1 if there are errors.\n\n"
	       "| kind | severity | meaning |\n"
	       "|---|---|---|\n");
	for (int i = 0; i < FLOW_LINT_KIND_COUNT; i++) {
		const struct flow_lint_row *row = flow_lint_row((enum flow_lint_kind)i);

		printf("| `%s` | %s | %s |\n", row->name,
			row->severity == FLOW_LINT_ERROR ? "error" : "warning", row->help);
	}
}

int main(void)
{
	printf("# Fields, actions and drop reasons\n\n"
	       "This page is printed by `turnout-flows-reference` from the tables that the switch\n"
	       "works with; `meson compile flows-reference` writes it anew. How flows are written "
	       "and\n"
	       "where they differ from Open vSwitch's is in "
	       "[flows.md](flows.md).\n\n");
	print_fields();
	print_shorthands();
	print_actions();
	print_drop_reasons();
	print_error_kinds();
	print_lint_kinds();
	return ferror(stdout) || fflush(stdout) != 0;
}

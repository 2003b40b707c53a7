// SPDX-License-Identifier: Apache-2.0
#include "ofctl/trace_print.h"

#include <stdbool.h>
#include <string.h>

#include "rpc/json_member.h"

static void indent(FILE *out, long long depth)
{
	for (; depth > 0; depth--)
		fputs("    ", out);
}

// "  in_port=1,dl_src=..."
static void fields_print(const json_t *fields, FILE *out)
{
	const char *separator = "  ";
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)fields, name, value) {
		fprintf(out, "%s%s=%s", separator, name, json_string_value(value));
		separator = ",";
	}
	if (separator[0] == ',')
		putc('\n', out);
}

static void frame_print(const json_t *frame, FILE *out)
{
	fields_print(json_object_get(frame, "fields"), out);
	if (json_object_get(frame, "frame") != NULL)
		fprintf(out, "  %s\n", text_of(frame, "frame"));
}

// --- Tables ---

static void flow_print(const json_t *flow, FILE *out)
{
	fprintf(out, "n_packets=%lld, n_bytes=%lld, %s\n", number_of(flow, "packets"),
		number_of(flow, "bytes"), text_of(flow, "text"));
}

// Why it lost, under the flow.
static void loss_print(const json_t *flow, long long depth, FILE *out)
{
	const char *field = text_of(flow, "field");
	const char *wants = text_of(flow, "wants");

	indent(out, depth);
	fputs("  lost:  ", out);
	flow_print(flow, out);
	indent(out, depth);
	if (field[0] == '\0')
		fputs("         matches, and should have won: please report this\n", out);
	else if (json_is_string(json_object_get(flow, "has")))
		fprintf(out, "         %s is %s, not %s\n", field, text_of(flow, "has"), wants);
	else
		fprintf(out, "         %s=%s: the packet has no %s\n", field, wants, field);
}

static void table_print(const json_t *step, FILE *out)
{
	long long depth = number_of(step, "depth");
	long long omitted = number_of(step, "lost_omitted");
	const json_t *as_port = json_object_get(step, "as_port");
	const json_t *winner = json_object_get(step, "flow");
	json_t *flow;
	size_t index;

	putc('\n', out);
	indent(out, depth);
	fprintf(out, "table %lld", number_of(step, "table"));
	if (as_port != NULL)
		fprintf(out, " as from port %lld", (long long)json_integer_value(as_port));
	putc('\n', out);
	json_array_foreach (json_object_get(step, "lost"), index, flow)
		loss_print(flow, depth, out);
	if (omitted > 0) {
		indent(out, depth);
		fprintf(out, "  lost:  %lld more\n", omitted);
	}
	indent(out, depth);
	if (json_is_object(winner)) {
		fputs("  won:   ", out);
		flow_print(winner, out);
	} else {
		fputs("  no flow matches\n", out);
	}
}

// --- Actions ---

static void action_print(const json_t *step, FILE *out)
{
	long long depth = number_of(step, "depth");
	const char *note = text_of(step, "note");
	json_t *change;
	size_t index;

	indent(out, depth);
	fprintf(out, "  %s", text_of(step, "action"));
	// A drop that says drop needs no reason.
	if (note[0] != '\0' && strcmp(text_of(step, "action"), "drop") != 0)
		fprintf(out, ": not done, %s", note);
	putc('\n', out);
	json_array_foreach (json_object_get(step, "changes"), index, change) {
		const json_t *before = json_object_get(change, "before");
		const json_t *after = json_object_get(change, "after");

		indent(out, depth);
		fprintf(out, "    %s: %s -> %s\n", text_of(change, "field"),
			json_is_string(before) ? json_string_value(before) : "none",
			json_is_string(after) ? json_string_value(after) : "none");
	}
}

static void normal_print(const json_t *step, FILE *out)
{
	long long depth = number_of(step, "depth");
	const json_t *port = json_object_get(step, "port");
	const json_t *source = json_object_get(step, "source_port");

	indent(out, depth);
	fprintf(out, "    VLAN %lld; source ", number_of(step, "vlan"));
	if (!json_is_true(json_object_get(step, "learns")))
		fputs(json_is_integer(source) ? "known here" : "not one to learn", out);
	else if (json_is_integer(source))
		fprintf(out, "known at port %lld, would move here",
			(long long)json_integer_value(source));
	else
		fputs("would be learned", out);
	if (json_is_true(json_object_get(step, "multicast")))
		fputs("; destination is a group: flood\n", out);
	else if (json_is_integer(port))
		fprintf(out, "; destination known at port %lld\n",
			(long long)json_integer_value(port));
	else
		fputs("; destination not known: flood\n", out);
}

static void bucket_print(const json_t *step, FILE *out)
{
	indent(out, number_of(step, "depth"));
	fprintf(out, "  bucket %lld of group %lld (%s): %s\n", number_of(step, "bucket"),
		number_of(step, "group"), text_of(step, "type"), text_of(step, "actions"));
}

static void step_print(const json_t *step, FILE *out)
{
	const char *kind = text_of(step, "step");

	if (strcmp(kind, "table") == 0)
		table_print(step, out);
	else if (strcmp(kind, "action") == 0)
		action_print(step, out);
	else if (strcmp(kind, "bucket") == 0)
		bucket_print(step, out);
	else
		normal_print(step, out);
}

// --- The end ---

static void port_print(const json_t *output, FILE *out)
{
	const char *name = text_of(output, "port");

	if (json_object_get(output, "controller") != NULL)
		fputs("the controller", out);
	else if (name[0] != '\0')
		fprintf(out, "%s (%lld)", name, number_of(output, "ofport"));
	else
		fprintf(out, "%lld", number_of(output, "ofport"));
}

static void output_print(const json_t *output, FILE *out)
{
	const char *drop = text_of(output, "drop");

	if (json_object_get(output, "controller") != NULL) {
		fprintf(out, "\nevent to the controller (%s)", text_of(output, "controller"));
	} else if (json_object_get(output, "ofport") != NULL) {
		fputs("\noutput to port ", out);
		port_print(output, out);
	} else {
		fputs("\ncopy", out);
	}
	fprintf(out, ", %lld bytes\n", number_of(output, "length"));
	if (drop[0] != '\0')
		fprintf(out, "  dropped: %s: %s\n", drop, text_of(output, "help"));
	frame_print(output, out);
}

static void verdict_print(const json_t *trace, FILE *out)
{
	const char *drop = text_of(trace, "drop");
	const char *separator = "sent to ";
	const char *what = "port ";
	json_t *output;
	size_t index;

	fputs("\nresult: ", out);
	json_array_foreach (json_object_get(trace, "outputs"), index, output) {
		if (json_object_get(output, "drop") != NULL)
			continue;
		fprintf(out, "%s%s", separator,
			json_object_get(output, "controller") != NULL ? "" : what);
		port_print(output, out);
		separator = ", ";
		if (json_object_get(output, "controller") == NULL)
			what = "";
	}
	if (drop[0] != '\0')
		fprintf(out, "%s%s: %s",
			separator[0] == ',' ? "; then dropped: " : "dropped: ", drop,
			text_of(trace, "help"));
	else if (separator[0] != ',')
		fputs("not sent anywhere, see above", out);
	putc('\n', out);
}

void trace_print(const json_t *trace, FILE *out)
{
	const json_t *packet = json_object_get(trace, "packet");
	json_t *item;
	size_t index;

	fprintf(out, "packet, %lld bytes\n", number_of(packet, "length"));
	frame_print(packet, out);
	json_array_foreach (json_object_get(trace, "steps"), index, item)
		step_print(item, out);
	if (number_of(trace, "steps_omitted") > 0)
		fprintf(out, "\n%lld more steps\n", number_of(trace, "steps_omitted"));
	json_array_foreach (json_object_get(trace, "outputs"), index, item)
		output_print(item, out);
	if (number_of(trace, "outputs_omitted") > 0)
		fprintf(out, "\n%lld more outputs\n", number_of(trace, "outputs_omitted"));
	verdict_print(trace, out);
}

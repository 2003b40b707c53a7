// SPDX-License-Identifier: Apache-2.0
#include "ofctl/packet_in_print.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/flow_text.h"
#include "pipeline/key_fields.h"
#include "pipeline/packet.h"
#include "base/text_buffer.h"
#include "rpc/json_member.h"

// The bytes of a frame in hexadecimal, as far as it is that. malloc()ed, or NULL.
static uint8_t *frame_bytes(const char *hex, size_t *length)
{
	uint8_t *frame = malloc(strlen(hex) / 2 + 1);
	unsigned byte;

	*length = 0;
	while (frame != NULL && hex[0] != '\0' && hex[1] != '\0' &&
		sscanf(hex, "%2x", &byte) == 1) {
		frame[(*length)++] = (uint8_t)byte;
		hex += 2;
	}
	return frame;
}

// The packet's fields as a match: "udp,in_port=1,...". A malloc()ed string or NULL.
static char *match_of(json_t *fields, const struct port_names *names)
{
	static const char priority[] = "priority=0,";
	struct flow_request request;
	struct flow_warnings warnings;
	struct flow_error error;
	struct text_buffer buffer;
	const char *name;
	json_t *value;
	char *text;
	char *match;

	text_buffer_open(&buffer);
	json_object_foreach (fields, name, value)
		text_printf(&buffer, "%s=%s,", name, json_string_value(value));
	text = text_buffer_close(&buffer);
	if (text == NULL ||
		flow_request_parse(&request, text, FLOW_DELETE, names, &warnings, &error) != 0)
		return text;
	match = match_format(&request.flow.match, 0, names);
	flow_request_destroy(&request);
	free(text);
	if (match != NULL && strncmp(match, priority, strlen(priority)) == 0)
		memmove(match, match + strlen(priority), strlen(match) - strlen(priority) + 1);
	return match;
}

static void fields_print(const json_t *packet_in, uint8_t *frame, size_t length,
	const struct port_names *names, FILE *out)
{
	long long whole = number_of(packet_in, "length");
	struct packet packet = {
		.data = frame,
		.linear = length < UINT16_MAX ? (uint16_t)length : UINT16_MAX,
		// What max_len cut off is missing here, but not from the packet.
		.length = whole > (long long)length ? (uint32_t)whole : (uint32_t)length,
		.in_port = (uint16_t)number_of(packet_in, "in_port"),
	};
	struct packet_key key;
	json_t *fields = NULL;
	char *match = NULL;

	if (packet_parse(&packet, &key, KEY_ALL_LINES))
		fields = key_fields_json(&key, names);
	if (fields != NULL)
		match = match_of(fields, names);
	fprintf(out, "  %s\n", match != NULL ? match : "too short to tell what it is");
	json_decref(fields);
	free(match);
}

void packet_in_print(const json_t *packet_in, bool names, FILE *out)
{
	const char *port = text_of(packet_in, "port");
	struct port_name name = {port, (uint16_t)number_of(packet_in, "in_port")};
	struct port_names known = {"", port[0] != '\0' && names, &name, NULL, NULL};
	const char *metadata = text_of(packet_in, "metadata");
	size_t length;
	uint8_t *frame = frame_bytes(text_of(packet_in, "frame"), &length);

	fputs("packet-in:", out);
	if (json_object_get(packet_in, "table") != NULL)
		fprintf(out, " table_id=%lld", number_of(packet_in, "table"));
	fprintf(out, " cookie=%s total_len=%lld", text_of(packet_in, "cookie"),
		number_of(packet_in, "length"));
	if (metadata[0] != '\0' && strcmp(metadata, "0x0") != 0)
		fprintf(out, " metadata=%s", metadata);
	if (known.count > 0)
		fprintf(out, " in_port=%s", port);
	else if (name.number != 0)
		fprintf(out, " in_port=%u", name.number);
	else
		fputs(" in_port=CONTROLLER", out);
	fprintf(out, " (via %s) data_len=%zu\n", text_of(packet_in, "reason"), length);
	if (frame != NULL)
		fields_print(packet_in, frame, length, &known, out);
	free(frame);
}

void flow_removed_print(const json_t *flow_removed, FILE *out)
{
	long long duration = number_of(flow_removed, "duration_ms");

	fprintf(out, "flow-removed:");
	if (text_of(flow_removed, "reason")[0] != '\0')
		fprintf(out, " reason=%s", text_of(flow_removed, "reason"));
	fprintf(out, " duration=%lld.%03llds", duration / 1000, duration % 1000);
	if (json_object_get(flow_removed, "packets") != NULL)
		fprintf(out, " n_packets=%lld n_bytes=%lld", number_of(flow_removed, "packets"),
			number_of(flow_removed, "bytes"));
	fprintf(out, " %s\n", text_of(flow_removed, "flow"));
}

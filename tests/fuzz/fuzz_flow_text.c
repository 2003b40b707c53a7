// SPDX-License-Identifier: Apache-2.0

// A line of the flow language. The first byte chooses the command that it stands for and whether
// there are port names.

#include <errno.h>

#include "tests/fuzz/flow_properties.h"
#include "tests/fuzz/fuzz.h"

static void parse(const char *text, enum flow_command command, const struct port_names *names)
{
	size_t size = strlen(text);
	struct flow_request request;
	struct flow_warnings warnings;
	struct flow_error error;
	int status = flow_request_parse(&request, text, command, names, &warnings, &error);

	flow_warnings_must_be_good(&warnings, size);
	if (status != 0) {
		fuzz_must(status == -EINVAL, "%d", status);
		flow_error_must_be_good(&error, size);
		return;
	}
	// A filter stands for more than its flow: a match with a table that may be any.
	if (request.command == FLOW_ADD)
		flow_must_round_trip(&request.flow);
	flow_request_destroy(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum flow_command commands[] = {
		FLOW_ADD, FLOW_ADD, FLOW_ADD, FLOW_MODIFY, FLOW_DELETE, FLOW_DELETE_STRICT};
	char *text;

	if (size == 0)
		return -1;
	text = fuzz_string(data + 1, size - 1);
	flow_text_is_blank(text);
	parse(text, commands[data[0] % 6], data[0] & 8 ? NULL : &fuzz_ports);
	free(text);
	return 0;
}

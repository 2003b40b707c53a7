// SPDX-License-Identifier: Apache-2.0

// A flow as JSON. The first byte chooses the command and whether there are port names.

#include <errno.h>

#include "tests/fuzz/flow_properties.h"
#include "tests/fuzz/fuzz.h"

static void decode(const json_t *json, enum flow_command command, const struct port_names *names)
{
	struct flow_request request;
	struct flow_warnings warnings;
	struct flow_error error;
	int status = flow_request_from_json(&request, json, command, names, &warnings, &error);

	flow_warnings_must_be_good(&warnings, 0);
	if (status != 0) {
		fuzz_must(status == -EINVAL, "%d", status);
		flow_error_must_be_good(&error, 0);
		return;
	}
	if (request.command == FLOW_ADD)
		flow_must_round_trip(&request.flow);
	flow_request_destroy(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum flow_command commands[] = {
		FLOW_ADD, FLOW_ADD, FLOW_ADD, FLOW_MODIFY, FLOW_DELETE, FLOW_DELETE_STRICT};
	json_t *json;

	if (size == 0)
		return -1;
	// As the daemons read requests.
	json = json_loadb(
		(const char *)data + 1, size - 1, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
	if (!json)
		return -1;
	decode(json, commands[data[0] % 6], data[0] & 8 ? NULL : &fuzz_ports);
	json_decref(json);
	return 0;
}

// SPDX-License-Identifier: Apache-2.0
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "ofctl/ofctl.h"
#include "ofctl/pcap_file.h"
#include "ofctl/trace_print.h"

// The digits without blanks and colons, as other tools print them. malloc()ed.
static char *hex_tidy(const char *text)
{
	char *hex = malloc(strlen(text) + 1);
	size_t length = 0;

	for (; hex != NULL && *text != '\0'; text++)
		if (!isspace((unsigned char)*text) && *text != ':')
			hex[length++] = *text;
	if (hex != NULL)
		hex[length] = '\0';
	return hex;
}

// {"bridge", "flow", "frame"?, "names"}, or NULL with *error.
static json_t *trace_params(const struct ofctl *ofctl, struct rpc_error *error)
{
	const char *digits = ofctl->argc > 2 ? ofctl->argv[2] : NULL;
	char *frame = NULL;
	json_t *params;

	if (ofctl->pcap != NULL && digits != NULL) {
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"give one frame: in hexadecimal, or with --pcap");
		return NULL;
	}
	if (ofctl->pcap != NULL)
		frame = pcap_file_frame(ofctl->pcap, error);
	else if (digits != NULL)
		frame = hex_tidy(digits);
	if (error->code != 0)
		return NULL;
	params = json_pack("{s:s, s:s, s:b}", "bridge", ofctl->argv[0], "flow", ofctl->argv[1],
		"names", (int)ofctl->names);
	if (frame != NULL)
		json_object_set_new(params, "frame", json_string(frame));
	free(frame);
	return params;
}

int ofctl_trace(struct ofctl *ofctl)
{
	struct rpc_error error = {0};
	json_t *params = trace_params(ofctl, &error);
	json_t *result;

	if (params == NULL)
		return ofctl_refused(ofctl, &error);
	result = ofctl_call(ofctl, "flow.trace", params, &error);
	if (result == NULL)
		return ofctl_flow_refused(ofctl, ofctl->argv[1], &error);
	if (ofctl->cli.json)
		cli_print_json(result, stdout);
	else
		trace_print(result, stdout);
	json_decref(result);
	return CLI_EXIT_OK;
}

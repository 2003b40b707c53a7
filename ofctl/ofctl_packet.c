// SPDX-License-Identifier: Apache-2.0
//
// packet-out: a packet from the command line into a bridge.

#include "ofctl/ofctl.h"

// Steals `packet`. `text` is what it is if that was one argument, to show places in it.
static int packet_send(struct ofctl *ofctl, json_t *packet, const char *text)
{
	struct rpc_error error = {0};
	json_t *result = ofctl_call(ofctl, "packet.out",
		json_pack("{s:s, s:o}", "bridge", ofctl->argv[0], "packet", packet), &error);

	if (result == NULL)
		return text != NULL ? ofctl_flow_refused(ofctl, text, &error)
				    : ofctl_refused(ofctl, &error);
	if (ofctl->cli.json)
		cli_print_json(result, stdout);
	json_decref(result);
	return CLI_EXIT_OK;
}

int ofctl_packet_out(struct ofctl *ofctl)
{
	const char **words = ofctl->argv;
	int status = CLI_EXIT_OK;

	if (ofctl->argc == 2)
		return packet_send(ofctl, json_string(words[1]), words[1]);
	if (ofctl->argc == 3) {
		cli_complain(&ofctl->cli, "packet-out is written: packet-out BRIDGE "
					  "in_port=PORT,packet=HEX,actions=..., "
					  "or packet-out BRIDGE IN_PORT ACTIONS HEX...");
		return CLI_EXIT_USAGE;
	}
	for (int i = 3; i < ofctl->argc && status == CLI_EXIT_OK; i++)
		status = packet_send(ofctl,
			json_pack("{s:s, s:s, s:s}", "in_port", words[1], "actions", words[2],
				"packet", words[i]),
			NULL);
	return status;
}

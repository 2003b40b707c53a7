// SPDX-License-Identifier: Apache-2.0
#pragma once

// Command lines that go on: printing what a daemon tells until a signal, the end of the output's
// reader, or enough. Around it a program connects, calls, and prints in its notification handler.
//
// Signals (SIGINT, SIGTERM) end a write that waits for a slow reader and the waiting itself; a
// second one ends the process, whatever it does.

#include <stdbool.h>

#include <jansson.h>

#include "rpc/command_line.h"
#include "rpc/rpc_client.h"

enum {
	CLI_WATCH_ON = -1,   // nothing has ended
	CLI_WATCH_LOST = -2, // the connection has
};

// Once, before the first event: from here on signals do not kill at once.
void cli_watch_begin(void);

// Take in events until *done, which the notification handler sets. CLI_WATCH_LOST or the exit
// status, after it has said what is wrong if anything is but a lost connection.
int cli_watch(const struct cli *cli, struct rpc_client *client, const bool *done);

// {"event": "flow.removed", ...} on a line of standard output: what a notification told.
void cli_print_event(const char *method, const json_t *params);

// Write what was printed, and wait. CLI_WATCH_ON or the exit status.
int cli_watch_pause(const struct cli *cli, int ms);

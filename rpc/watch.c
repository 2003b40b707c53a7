// SPDX-License-Identifier: Apache-2.0
#include "rpc/watch.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;
// In between they are blocked, so that none is overlooked.
static sigset_t blocked, open_signals;

static void on_signal(int number)
{
	interrupted = 1;
}

void cli_watch_begin(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, NULL, &open_signals);
	sigdelset(&open_signals, SIGINT);
	sigdelset(&open_signals, SIGTERM);
	blocked = open_signals;
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGTERM);
}

// Has the reader of our output gone?
static bool output_is_closed(void)
{
	struct pollfd out = {.fd = STDOUT_FILENO};

	return poll(&out, 1, 0) == 1 && (out.revents & (POLLERR | POLLHUP)) != 0;
}

// What cannot be written is forgotten.
static int output_flush(const struct cli *cli)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return CLI_WATCH_ON;
	__fpurge(stdout);
	clearerr(stdout);
	if (interrupted || output_is_closed())
		return CLI_EXIT_OK;
	cli_complain(cli, "cannot write the output");
	return CLI_EXIT_REFUSED;
}

// Until one of these is ready. Of the output no events are asked for: only its end is.
static int wait_for(struct pollfd *waits, nfds_t count, const struct timespec *timeout)
{
	if (!interrupted)
		ppoll(waits, count, timeout, &open_signals);
	return interrupted || output_is_closed() ? CLI_EXIT_OK : CLI_WATCH_ON;
}

// Take in and print what has come.
static int events_take(const struct cli *cli, struct rpc_client *client, const bool *done)
{
	bool alive = rpc_client_poll(client) == 0;
	int status = output_flush(cli);

	if (status == CLI_WATCH_ON && *done)
		return CLI_EXIT_OK;
	return status != CLI_WATCH_ON || alive ? status : CLI_WATCH_LOST;
}

int cli_watch(const struct cli *cli, struct rpc_client *client, const bool *done)
{
	int status;

	do {
		struct pollfd waits[] = {
			{.fd = rpc_client_fd(client), .events = POLLIN}, {.fd = STDOUT_FILENO}};

		sigprocmask(SIG_SETMASK, &open_signals, NULL);
		status = events_take(cli, client, done);
		sigprocmask(SIG_SETMASK, &blocked, NULL);
		if (status == CLI_WATCH_ON)
			status = wait_for(waits, 2, NULL);
	} while (status == CLI_WATCH_ON);
	sigprocmask(SIG_SETMASK, &open_signals, NULL);
	return status;
}

void cli_print_event(const char *method, const json_t *params)
{
	json_t *line = json_pack("{s:s}", "event", method);

	json_object_update(line, (json_t *)params);
	cli_print_json(line, stdout);
	json_decref(line);
}

int cli_watch_pause(const struct cli *cli, int ms)
{
	struct timespec timeout = {ms / 1000, ms % 1000 * 1000000L};
	struct pollfd wait = {.fd = STDOUT_FILENO};
	int status = output_flush(cli);

	sigprocmask(SIG_SETMASK, &blocked, NULL);
	if (status == CLI_WATCH_ON)
		status = wait_for(&wait, 1, &timeout);
	sigprocmask(SIG_SETMASK, &open_signals, NULL);
	return status;
}

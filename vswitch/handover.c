// SPDX-License-Identifier: Apache-2.0
#include "vswitch/handover.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/steady_clock.h"
#include "rpc/json_member.h"
#include "rpc/rpc_client.h"
#include "rpc/rundir.h"
#include "vswitch/log.h"
#include "vswitch/state_events.h"
#include "vswitch/sync.h"

#define LISTEN_MS 20   // for news of ports
#define END_MS 3000    // for the old process to end
#define SETTLE_MS 1000 // for a call to a process that was left behind

// One handover.
struct handover {
	struct vswitch *vs;
	struct datapath_link *old, *next;
	json_t *old_info; // datapath.info
	json_t *plan;     // of the old one's threads
	json_t *running;  // names of ports that were: keys of an object
	int wait_ms;
	json_int_t released_us; // of CLOCK_MONOTONIC, which all processes share
	double gap_ms;
	json_t *late; // names of ports that were not up again when frames flowed
};

// --- Before ---

// Which ports move packets now?
static bool running_find(struct handover *handover, struct rpc_error *error)
{
	json_t *status = datapath_link_call(handover->old, "port.status", NULL, error);
	size_t i;
	json_t *port;

	json_array_foreach (status, i, port) {
		if (json_is_true(json_object_get(port, "link")))
			json_object_set_new(handover->running, text_of(port, "name"), json_true());
	}
	json_decref(status);
	return status != NULL;
}

static bool next_start(struct handover *handover, struct rpc_error *error)
{
	bool huge = json_is_true(json_object_get(handover->old_info, "hugepages"));
	int64_t begin = clock_steady_ms();

	handover->next = datapath_link_successor(handover->old, huge, error);
	if (!handover->next)
		return false;
	while (!datapath_link_connected(handover->next) && datapath_link_starting(handover->next) &&
		clock_steady_ms() - begin < datapath_link_start_timeout_ms(handover->old))
		datapath_link_wait(handover->next, 20);
	if (datapath_link_connected(handover->next))
		return true;
	rpc_error_set(error, RPC_UNAVAILABLE,
		"the new datapathd cannot take over, and the old one goes on: %s",
		datapath_link_problem(handover->next));
	return false;
}

// --- The gap ---

// Which ports that were up are not yet? True: none.
static bool ports_up(struct handover *handover, const json_t *status)
{
	size_t i;
	json_t *port;

	json_object_clear(handover->late);
	json_object_update(handover->late, handover->running);
	json_array_foreach (status, i, port) {
		if (json_is_true(json_object_get(port, "link")))
			json_object_del(handover->late, text_of(port, "name"));
	}
	return json_object_size(handover->late) == 0;
}

static bool ports_wait(struct handover *handover, struct rpc_error *error)
{
	int64_t begin = clock_steady_ms();
	json_t *status;
	bool up;

	do {
		status = datapath_link_call(handover->next, "port.status", NULL, error);
		up = status && ports_up(handover, status);
		json_decref(status);
		// It tells of ports that change; asking all the time would hold up guests.
		if (status && !up)
			datapath_link_listen(handover->next, LISTEN_MS);
	} while (status && !up && clock_steady_ms() - begin < handover->wait_ms);
	return status != NULL;
}

static bool ports_move(struct handover *handover, struct rpc_error *error)
{
	json_t *released = datapath_link_call(handover->old, "datapath.release", NULL, error);

	if (!released)
		return false;
	handover->released_us = number_of(released, "released_us");
	json_decref(released);
	if (!sync_ports(handover->vs, error) || !ports_wait(handover, error) ||
		!sync_set_plan(handover->vs, handover->plan, error))
		return false;
	handover->gap_ms = (double)(steady_us() - handover->released_us) / 1000;
	return true;
}

// --- After ---

static void old_end(struct handover *handover)
{
	pid_t pid = (pid_t)number_of(handover->old_info, "pid");
	int64_t begin = clock_steady_ms();
	struct rpc_error ignored = {0};

	json_decref(datapath_link_call(handover->old, "system.exit", NULL, &ignored));
	rpc_error_clear(&ignored);
	while (rundir_pid_holder(handover->vs->rundir, DATAPATHD_PID) == pid) {
		if (clock_steady_ms() - begin > END_MS) {
			log_warning("the old datapathd (pid %d) does not end; killing it", pid);
			kill(pid, SIGKILL);
			begin = clock_steady_ms();
		}
		usleep(1000);
	}
}

static bool names_take(struct handover *handover, struct rpc_error *error)
{
	json_t *promoted;

	old_end(handover);
	promoted = datapath_link_call(handover->next, "datapath.promote", NULL, error);
	json_decref(promoted);
	return promoted != NULL;
}

static json_t *report(struct handover *handover)
{
	json_t *late = json_array();
	const char *name;
	json_t *value;

	json_object_foreach (handover->late, name, value) {
		json_array_append_new(late, json_string(name));
	}
	log_info("datapathd (pid %lld) has taken over; its ports were down for %.1f ms",
		(long long)number_of(handover->vs->info, "pid"), handover->gap_ms);
	return json_pack("{s:f, s:I, s:s, s:I, s:s, s:i, s:o}", "gap_ms", handover->gap_ms, "pid",
		number_of(handover->vs->info, "pid"), "version",
		text_of(handover->vs->info, "version"), "old_pid",
		number_of(handover->old_info, "pid"), "old_version",
		text_of(handover->old_info, "version"), "ports",
		(int)json_object_size(handover->running), "late", late);
}

// The files of a process that is gone, however that ended.
static void names_clear(const char *rundir)
{
	static const char *const names[] = {STANDBY_SOCKET, STANDBY_PID};
	char path[RUNDIR_PATH_SIZE];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (rundir_path(path, sizeof(path), rundir, names[i]) == 0)
			(void)unlink(path);
	}
}

// The old one goes on, whatever it has lost by now.
static void take_back(struct handover *handover)
{
	struct vswitch *vs = handover->vs;

	if (handover->next) {
		datapath_link_kill(handover->next);
		datapath_link_destroy(handover->next);
		names_clear(vs->rundir);
	}
	vs->link = handover->old;
	if (datapath_link_check(vs->link))
		sync_all(vs);
	state_events_ports(vs);
}

static json_t *run(struct handover *handover, struct rpc_error *error)
{
	struct vswitch *vs = handover->vs;

	if (!running_find(handover, error) || !next_start(handover, error)) {
		take_back(handover);
		return NULL;
	}
	vs->link = handover->next;
	if (!sync_prepare(vs, handover->plan, error) || !ports_move(handover, error)) {
		take_back(handover);
		return NULL;
	}
	if (!names_take(handover, error)) {
		// The old one is gone: what is left is as after a crash.
		take_back(handover);
		return NULL;
	}
	datapath_link_succeed(handover->next, handover->old);
	event_active(vs->replan, EV_TIMEOUT, 0);
	state_events_connected(vs);
	return report(handover);
}

json_t *handover_run(struct vswitch *vs, int wait_ms, struct rpc_error *error)
{
	struct handover handover = {.vs = vs, .old = vs->link, .wait_ms = wait_ms};
	json_t *result;

	if (vs->transaction.entered) {
		rpc_error_set(error, RPC_REFUSED,
			"datapath.restart cannot be part of a batch with changes; call it alone");
		return NULL;
	}
	if (!datapath_link_check(vs->link) || !vs->info || !vs->actual) {
		rpc_error_set(error, RPC_UNAVAILABLE, "there is no datapathd to take over from: %s",
			datapath_link_problem(vs->link));
		return NULL;
	}
	handover.old_info = json_incref(vs->info);
	handover.plan = json_deep_copy(json_object_get(vs->actual, "plan"));
	handover.running = json_object();
	handover.late = json_object();
	result = run(&handover, error);
	json_decref(handover.old_info);
	json_decref(handover.plan);
	json_decref(handover.running);
	json_decref(handover.late);
	return result;
}

// --- What was left behind ---

bool handover_settle(const char *rundir, bool running)
{
	pid_t pid = rundir_pid_holder(rundir, STANDBY_PID);
	char path[RUNDIR_PATH_SIZE];
	struct rpc_error error = {0};
	struct rpc_client *client;

	if (!pid)
		return true;
	rundir_path(path, sizeof(path), rundir, STANDBY_SOCKET);
	client = rpc_client_connect(path, 0, &error);
	if (client) {
		log_warning("datapathd (pid %d) was about to take over; %s", pid,
			running ? "it is told to end" : "it does");
		json_decref(rpc_client_call(client, running ? "system.exit" : "datapath.promote",
			NULL, SETTLE_MS, &error));
	}
	// It does not even answer.
	if (!client || error.code)
		kill(pid, SIGKILL);
	rpc_client_destroy(client);
	rpc_error_clear(&error);
	if (rundir_pid_holder(rundir, STANDBY_PID) != 0)
		return false;
	names_clear(rundir);
	return true;
}

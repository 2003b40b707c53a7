// SPDX-License-Identifier: Apache-2.0
#include "datapath/supervise.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child_process.h"
#include "base/restart_pause.h"
#include "base/steady_clock.h"
#include "base/syscall_filter.h"
#include "datapath/log.h"
#include "datapath/successor.h"
#include "datapath/supervise_plan.h"
#include "datapath/worker.h"
#include "rpc/rundir.h"

#define WORKERS_MAX 4 // one in charge, a successor, and some that take their time to end
#define END_MS 10000  // for workers to end when they are told to
#define END_LOOK_MS 20

struct supervisor {
	const char *rundir;
	char *const *arguments;
	char program[PATH_MAX];
	struct worker workers[WORKERS_MAX];
	struct restart_pause pause;
	int64_t vacant_since_ms; // when datapathd.pid was seen free; 0: it is held
	int signals;             // a descriptor
	bool held;               // back, because it was started too often
	bool others_seen;        // somebody else's datapathd, of which was told
	bool ending;
	int64_t ending_since_ms;
};

// --- Starting ---

// The pid, or 0 with errno.
static pid_t start(struct supervisor *supervisor, const char *const more[], bool standby)
{
	struct worker *worker = supervisor->workers;

	while (worker < supervisor->workers + WORKERS_MAX && worker->pid)
		worker++;
	if (worker == supervisor->workers + WORKERS_MAX) {
		errno = EAGAIN;
		return 0;
	}
	if (!worker_start(worker, supervisor->program, supervisor->arguments, more))
		return 0;
	worker->standby = standby;
	worker->started_ms = steady_ms();
	log_info("supervisor: started datapathd (pid %d)%s", worker->pid,
		standby ? " to take over" : "");
	return worker->pid;
}

static void primary_start(struct supervisor *supervisor)
{
	static const char *const none[] = {NULL};

	restart_pause_started(&supervisor->pause, steady_ms());
	supervisor->held = supervisor->others_seen = false;
	if (!start(supervisor, none, false))
		log_error("supervisor: datapathd cannot be started: %s", strerror(errno));
}

// --- What workers ask for ---

// Who is in charge? A successor is from then on one like others.
static pid_t holder_find(struct supervisor *supervisor)
{
	pid_t holder = rundir_pid_holder(supervisor->rundir, DATAPATHD_PID);

	for (int i = 0; i < WORKERS_MAX; i++) {
		if (supervisor->workers[i].pid && supervisor->workers[i].pid == holder)
			supervisor->workers[i].standby = false;
	}
	return holder;
}

static bool successor_exists(const struct supervisor *supervisor)
{
	for (int i = 0; i < WORKERS_MAX; i++) {
		if (supervisor->workers[i].pid && supervisor->workers[i].standby)
			return true;
	}
	return rundir_pid_holder(supervisor->rundir, STANDBY_PID) != 0;
}

static void successor_start(struct supervisor *supervisor, bool huge_pages, char *answer)
{
	static const char *const standby[] = {"--standby", NULL};
	static const char *const huge_standby[] = {"--standby", "--huge", "on", NULL};
	pid_t pid;

	// It may ask a moment after it has taken over itself.
	holder_find(supervisor);
	if (supervisor->ending || successor_exists(supervisor)) {
		snprintf(answer, SUCCESSOR_TEXT_MAX, "%s",
			supervisor->ending ? "it is about to end"
					   : "one that is to take over is there already");
		return;
	}
	pid = start(supervisor, huge_pages ? huge_standby : standby, true);
	if (pid)
		snprintf(answer, SUCCESSOR_TEXT_MAX, SUCCESSOR_STARTED "%d", pid);
	else
		snprintf(answer, SUCCESSOR_TEXT_MAX, "no process can be had: %s", strerror(errno));
}

static void worker_hear(struct supervisor *supervisor, struct worker *worker)
{
	char ask[SUCCESSOR_TEXT_MAX + 1], answer[SUCCESSOR_TEXT_MAX] = "";
	ssize_t count = recv(worker->socket, ask, SUCCESSOR_TEXT_MAX, MSG_DONTWAIT);

	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (count <= 0) {
		close(worker->socket);
		worker->socket = -1;
		return;
	}
	ask[count] = '\0';
	if (strcmp(ask, SUCCESSOR_ASK) == 0 || strcmp(ask, SUCCESSOR_ASK_HUGE) == 0)
		successor_start(supervisor, strcmp(ask, SUCCESSOR_ASK_HUGE) == 0, answer);
	else
		snprintf(answer, sizeof(answer),
			"it does not know what is asked of it; it is an older one: systemctl "
			"restart turnout-datapathd");
	// A worker that does not read must not stop us.
	(void)!send(worker->socket, answer, strlen(answer), MSG_NOSIGNAL | MSG_DONTWAIT);
}

// --- Ends ---

static void worker_ended(struct supervisor *supervisor, struct worker *worker, int status)
{
	char how[64];

	child_end_text(status, how, sizeof(how));
	log_info("supervisor: datapathd (pid %d) %s%s", worker->pid, how,
		worker->standby ? " without having taken over" : "");
	if (!worker->standby)
		restart_pause_ran(&supervisor->pause, steady_ms() - worker->started_ms);
	worker_clear(worker);
}

static void workers_reap(struct supervisor *supervisor)
{
	for (int i = 0; i < WORKERS_MAX; i++) {
		struct worker *worker = &supervisor->workers[i];
		int status;

		if (worker->pid && waitpid(worker->pid, &status, WNOHANG) == worker->pid)
			worker_ended(supervisor, worker, status);
	}
}

static bool worker_is_ours(const struct supervisor *supervisor, pid_t pid)
{
	for (int i = 0; i < WORKERS_MAX; i++) {
		if (supervisor->workers[i].pid == pid)
			return true;
	}
	return false;
}

// Send all of them a signal, whoever has started them. False: there are none, or we may not.
static bool workers_signal(struct supervisor *supervisor, int number)
{
	static const char *const names[] = {DATAPATHD_PID, STANDBY_PID};
	bool any = false;

	for (int i = 0; i < WORKERS_MAX; i++) {
		if (supervisor->workers[i].pid)
			any |= kill(supervisor->workers[i].pid, number) == 0;
	}
	for (int i = 0; i < 2; i++) {
		pid_t pid = rundir_pid_holder(supervisor->rundir, names[i]);

		if (pid && !worker_is_ours(supervisor, pid))
			any |= kill(pid, number) == 0;
	}
	return any;
}

// --- The loop ---

// Start one if it is time to. Returns the time to wait, in milliseconds.
static int step(struct supervisor *supervisor)
{
	pid_t holder = holder_find(supervisor);
	struct supervise_view view = {
		.holder = holder != 0, .successor = successor_exists(supervisor)};
	int64_t now = steady_ms();
	char text[128];
	int wait_ms;

	for (int i = 0; i < WORKERS_MAX; i++)
		view.worker |= supervisor->workers[i].pid && !supervisor->workers[i].standby;
	if (holder)
		supervisor->vacant_since_ms = 0;
	else if (!supervisor->vacant_since_ms)
		supervisor->vacant_since_ms = now;
	view.vacant_ms = holder ? 0 : now - supervisor->vacant_since_ms;
	view.pause_ms = restart_pause_end(&supervisor->pause) - now;
	wait_ms = supervise_plan(&view);
	if (wait_ms == SUPERVISE_START) {
		primary_start(supervisor);
		return SUPERVISE_LOOK_MS;
	}
	if (holder && !view.worker && !supervisor->others_seen) {
		log_info(
			"supervisor: datapathd (pid %d) runs already; waiting for its end", holder);
		supervisor->others_seen = true;
	}
	if (!view.worker && !view.holder && !view.successor && !supervisor->held) {
		restart_pause_text(&supervisor->pause, now, text, sizeof(text));
		log_warning("supervisor: datapathd %s", text);
		supervisor->held = true;
	}
	return wait_ms;
}

// Negative: all have ended.
static int end_step(struct supervisor *supervisor)
{
	if (!workers_signal(supervisor, 0))
		return -1;
	if (steady_ms() - supervisor->ending_since_ms > END_MS) {
		log_warning("supervisor: datapathd does not end within %d s; killing it",
			END_MS / 1000);
		workers_signal(supervisor, SIGKILL);
		supervisor->ending_since_ms = steady_ms();
	}
	return END_LOOK_MS;
}

static void signals_take(struct supervisor *supervisor)
{
	struct signalfd_siginfo signal;

	while (read(supervisor->signals, &signal, sizeof(signal)) == sizeof(signal)) {
		if (signal.ssi_signo == SIGCHLD)
			continue; // workers_reap() looks each time
		log_info("supervisor: ending: %s", strsignal((int)signal.ssi_signo));
		if (!supervisor->ending)
			supervisor->ending_since_ms = steady_ms();
		supervisor->ending = true;
		workers_signal(supervisor, SIGTERM);
	}
}

static void events_wait(struct supervisor *supervisor, int wait_ms)
{
	struct pollfd waits[WORKERS_MAX + 1] = {{supervisor->signals, POLLIN, 0}};

	// poll() passes over negative descriptors.
	for (int i = 0; i < WORKERS_MAX; i++)
		waits[i + 1] = (struct pollfd){supervisor->workers[i].socket, POLLIN, 0};
	if (poll(waits, WORKERS_MAX + 1, wait_ms) <= 0)
		return;
	for (int i = 0; i < WORKERS_MAX; i++) {
		if (waits[i + 1].revents)
			worker_hear(supervisor, &supervisor->workers[i]);
	}
	signals_take(supervisor);
}

static void loop(struct supervisor *supervisor)
{
	for (;;) {
		int wait_ms;

		workers_reap(supervisor);
		wait_ms = supervisor->ending ? end_step(supervisor) : step(supervisor);
		if (supervisor->ending && wait_ms < 0)
			return;
		events_wait(supervisor, wait_ms);
	}
}

// --- The process ---

static bool signals_start(struct supervisor *supervisor)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	supervisor->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return supervisor->signals >= 0 && sigprocmask(SIG_BLOCK, &set, NULL) == 0;
}

// What workers shall have, they get from us, so capabilities stay. No new privileges takes from
// them none that we have: an exec keeps those that are held already. The filter lets through what a
// worker's own, which it loads later, does.
static bool confine(bool filter)
{
	char error[512];

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
		log_error("cannot do without new privileges: %s", strerror(errno));
		return false;
	}
	if (!filter || syscall_filter_load(SYSCALLS_STARTER, error, sizeof(error)))
		return true;
	log_error("%s", error);
	return false;
}

int supervise_run(const struct supervise_config *config)
{
	struct supervisor supervisor = {
		.rundir = config->rundir, .arguments = config->arguments, .signals = -1};
	struct rpc_error error = {0};
	int pid_file;

	for (int i = 0; i < WORKERS_MAX; i++)
		worker_clear(&supervisor.workers[i]);
	if (!worker_program(supervisor.program, sizeof(supervisor.program)) ||
		!signals_start(&supervisor)) {
		log_error("the supervisor cannot start: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	pid_file = rundir_create(config->rundir, &error) == 0
			   ? rundir_pid_lock(config->rundir, SUPERVISOR_PID, &error)
			   : -1;
	if (pid_file < 0) {
		log_error("%s", error.message);
		rpc_error_clear(&error);
		return EXIT_FAILURE;
	}
	if (!confine(config->filter)) {
		rundir_pid_unlock(pid_file, config->rundir, SUPERVISOR_PID);
		return EXIT_FAILURE;
	}
	loop(&supervisor);
	log_info("supervisor: ended");
	rundir_pid_unlock(pid_file, config->rundir, SUPERVISOR_PID);
	close(supervisor.signals);
	return EXIT_SUCCESS;
}

// SPDX-License-Identifier: Apache-2.0
#include "vswitch/datapath_link.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/restart_pause.h"
#include "base/steady_clock.h"
#include "rpc/rpc_client.h"
#include "rpc/rundir.h"
#include "vswitch/datapath_child.h"
#include "vswitch/datapath_lent.h"
#include "vswitch/handover.h"
#include "vswitch/log.h"

#define RETRY_MS 5                 // between attempts to connect to a starting datapathd
#define ADOPT_RETRY_MS 50          // between attempts when somebody else starts it
#define OPERATION_MS 5             // by which the deadline is later for each
#define OPERATIONS_COUNTED 1000000 // at most
#define HOPELESS_DEATHS 3          // in a row: waiting for the next one makes no sense

struct datapath_link {
	struct datapath_link_config config;
	char socket[RUNDIR_PATH_SIZE];
	char log[RUNDIR_PATH_SIZE];
	char *rundir;
	struct rpc_client *client;
	struct event *readable; // on the client's socket
	struct event *timer;
	struct event *child_died;
	bool may_start;
	bool successor;  // starts one, once, beside another
	bool huge_pages; // which must have huge pages
	bool held;       // back, because it was started too often
	bool settling;   // the connected callback is running
	pid_t child;     // 0: none that we started is alive
	pid_t retired;   // the same of one that another has taken over from
	pid_t lent;      // a successor that the supervisor of datapathd has started for us; 0: none
	int64_t child_started_ms;
	int64_t connected_ms;
	struct restart_pause pause;
	int deaths;      // of children, since the last connection
	json_t *changed; // names of port.changed notifications not handed out yet
	struct event *changed_event;
	char problem[1200];
	char told[1400]; // the problem, and what is done about it
};

static const char *pid_name(const struct datapath_link *link)
{
	return link->successor ? STANDBY_PID : DATAPATHD_PID;
}

static void schedule(struct datapath_link *link, int delay_ms)
{
	struct timeval delay = {delay_ms / 1000, delay_ms % 1000 * 1000};

	evtimer_add(link->timer, &delay);
}

// --- The child ---

static void child_start(struct datapath_link *link)
{
	static const char *const none[] = {NULL};
	static const char *const successor[] = {"--standby", NULL};
	static const char *const huge_successor[] = {"--standby", "--huge", "on", NULL};

	link->child = datapath_child_start(link->config.command,
		!link->successor   ? none
		: link->huge_pages ? huge_successor
				   : successor,
		link->log);
	if (!link->child) {
		snprintf(link->problem, sizeof(link->problem), "datapathd cannot be started: %s",
			strerror(errno));
		log_error("%s", link->problem);
		return;
	}
	log_info("started %s with pid %d; its log is %s", link->config.command[0], link->child,
		link->log);
	link->child_started_ms = steady_ms();
	snprintf(link->problem, sizeof(link->problem), "datapathd is starting (pid %d)",
		link->child);
}

// Take note of the end of a datapathd that we started.
static void child_reap(struct datapath_link *link)
{
	if (link->retired && waitpid(link->retired, NULL, WNOHANG) == link->retired)
		link->retired = 0;
	if (!link->child ||
		!datapath_child_ended(link->child, link->log, link->problem, sizeof(link->problem)))
		return;
	log_error("%s", link->problem);
	link->child = 0;
	link->deaths++;
	if (link->successor)
		link->may_start = false;
}

static void on_child_died(evutil_socket_t signal_number, short what, void *context)
{
	struct datapath_link *link = context;

	child_reap(link);
	// A connection that is lost is noticed by itself.
	if (!link->client)
		schedule(link, 0);
}

// --- The connection ---

static void drop(struct datapath_link *link, const char *reason)
{
	if (!link->client)
		return;
	event_free(link->readable);
	link->readable = NULL;
	rpc_client_destroy(link->client);
	link->client = NULL;
	snprintf(link->problem, sizeof(link->problem), "the connection to datapathd was lost: %s",
		reason);
	log_warning("%s", link->problem);
	// Whether it is the program that is ill or a single accident shows in how long it ran.
	restart_pause_ran(&link->pause, steady_ms() - link->connected_ms);
	link->child_started_ms = steady_ms(); // it has as long as at its start to answer again
	link->config.disconnected(link->config.context);
	schedule(link, 1);
}

static void on_notification(void *context, const char *method, json_t *params)
{
	struct datapath_link *link = context;
	const char *name = json_string_value(json_object_get(params, "name"));

	if (strcmp(method, "packet.in") == 0)
		link->config.packet_in(link->config.context, params);
	if (strcmp(method, "pmd.overload") == 0 && link->config.pmd_overload)
		link->config.pmd_overload(link->config.context, params);
	// It may have come in the middle of a call, so it is handed out by the event loop.
	if (strcmp(method, "port.changed") == 0 && name) {
		json_object_set_new(link->changed, name, json_true());
		event_active(link->changed_event, EV_TIMEOUT, 0);
	}
}

static void on_changed(evutil_socket_t fd, short what, void *context)
{
	struct datapath_link *link = context;
	json_t *changed = link->changed;
	const char *name;
	json_t *value;

	link->changed = json_object();
	json_object_foreach (changed, name, value) {
		link->config.port_changed(link->config.context, name);
	}
	json_decref(changed);
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	struct datapath_link *link = context;

	if (rpc_client_poll(link->client) < 0)
		drop(link, "it closed it");
}

// Ask for packet.in. False: the connection is of no use. A datapathd that has no events is.
static bool subscribe(struct datapath_link *link)
{
	struct rpc_error error = {0};
	json_t *answer = rpc_client_call(link->client, "rpc.subscribe",
		json_pack("{s:[s]}", "events", "packet.in"), link->config.call_timeout_ms, &error);
	bool good = answer != NULL || (error.code != RPC_TIMEOUT && error.code != RPC_DISCONNECTED);

	if (!good)
		snprintf(link->problem, sizeof(link->problem), "%s", error.message);
	json_decref(answer);
	rpc_error_clear(&error);
	return good;
}

static bool try_connect(struct datapath_link *link)
{
	struct rpc_error error = {0};

	link->client = rpc_client_connect(link->socket, 0, &error);
	if (!link->client) {
		if (!link->child && !*link->problem)
			snprintf(link->problem, sizeof(link->problem), "%s", error.message);
		rpc_error_clear(&error);
		return false;
	}
	rpc_client_on_notification(link->client, on_notification, link);
	link->readable = event_new(link->config.base, rpc_client_fd(link->client),
		EV_READ | EV_PERSIST, on_readable, link);
	if (!link->readable || event_add(link->readable, NULL) < 0 || !subscribe(link)) {
		if (link->readable)
			event_free(link->readable);
		link->readable = NULL;
		rpc_client_destroy(link->client);
		link->client = NULL;
		return false;
	}
	link->connected_ms = steady_ms();
	link->deaths = 0;
	link->problem[0] = '\0';
	log_info("connected to datapathd at %s", link->socket);
	link->settling = true;
	link->config.connected(link->config.context);
	link->settling = false;
	return link->client != NULL;
}

// Returns the wait.
static int hold_back(struct datapath_link *link, int64_t now)
{
	char text[128];

	if (!link->held) {
		restart_pause_text(&link->pause, now, text, sizeof(text));
		log_warning("datapathd %s", text);
	}
	link->held = true;
	return (int)(restart_pause_end(&link->pause) - now);
}

// Start a datapathd if it is time to, and say when to look again.
static int start_if_needed(struct datapath_link *link)
{
	int64_t now = steady_ms();
	pid_t holder;

	if (link->child) {
		if (now - link->child_started_ms < link->config.start_timeout_ms)
			return RETRY_MS;
		log_error("datapathd (pid %d) does not answer within %d s; killing it", link->child,
			link->config.start_timeout_ms / 1000);
		kill(link->child, SIGKILL);
		return RETRY_MS;
	}
	holder = rundir_pid_holder(link->rundir, pid_name(link));
	if (holder) {
		snprintf(link->problem, sizeof(link->problem),
			"datapathd (pid %d) does not answer at %s yet", holder, link->socket);
		return ADOPT_RETRY_MS;
	}
	if (!link->may_start) {
		if (!*link->problem)
			snprintf(link->problem, sizeof(link->problem),
				"no datapathd answers at %s; start one with --rundir %s",
				link->socket, link->rundir);
		return ADOPT_RETRY_MS;
	}
	if (now < restart_pause_end(&link->pause))
		return hold_back(link, now);
	child_start(link);
	restart_pause_started(&link->pause, now);
	link->held = false;
	return RETRY_MS;
}

// One attempt. Returns the time until the next one, 0 if the connection stands.
static int attempt(struct datapath_link *link)
{
	child_reap(link);
	if (link->client)
		return 0;
	if (!link->successor &&
		!handover_settle(link->rundir, rundir_pid_holder(link->rundir, DATAPATHD_PID) != 0))
		return RETRY_MS;
	if (try_connect(link))
		return 0;
	return start_if_needed(link);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct datapath_link *link = context;
	int delay = attempt(link);

	if (delay)
		schedule(link, delay);
}

// --- For others ---

static struct datapath_link *create(const struct datapath_link_config *config, bool successor)
{
	struct datapath_link *link = calloc(1, sizeof(*link));

	if (!link)
		return NULL;
	link->config = *config;
	link->successor = successor;
	link->rundir = strdup(config->rundir);
	link->may_start = config->command != NULL;
	link->changed = json_object();
	link->timer = evtimer_new(config->base, on_timer, link);
	link->changed_event = event_new(config->base, -1, 0, on_changed, link);
	link->child_died = evsignal_new(config->base, SIGCHLD, on_child_died, link);
	if (!link->rundir || !link->changed || !link->timer || !link->changed_event ||
		!link->child_died ||
		rundir_path(link->socket, sizeof(link->socket), config->rundir,
			successor ? STANDBY_SOCKET : DATAPATHD_SOCKET) < 0 ||
		rundir_path(link->log, sizeof(link->log), config->rundir, "datapathd.log") < 0) {
		datapath_link_destroy(link);
		return NULL;
	}
	return link;
}

struct datapath_link *datapath_link_create(const struct datapath_link_config *config)
{
	return create(config, false);
}

void datapath_link_start(struct datapath_link *link)
{
	evsignal_add(link->child_died, NULL);
	schedule(link, 0);
}

void datapath_link_destroy(struct datapath_link *link)
{
	if (!link)
		return;
	if (link->readable)
		event_free(link->readable);
	rpc_client_destroy(link->client);
	if (link->timer)
		event_free(link->timer);
	if (link->changed_event)
		event_free(link->changed_event);
	if (link->child_died)
		event_free(link->child_died);
	json_decref(link->changed);
	free(link->rundir);
	free(link);
}

bool datapath_link_connected(const struct datapath_link *link)
{
	return link->client != NULL;
}

bool datapath_link_wait(struct datapath_link *link, int timeout_ms)
{
	int64_t deadline = steady_ms() + timeout_ms;

	while (!link->settling) {
		int delay = attempt(link);
		int64_t left = deadline - steady_ms();

		if (!delay)
			return true;
		if (left <= 0 || link->deaths >= HOPELESS_DEATHS)
			break;
		poll(NULL, 0, delay < left ? delay : (int)left);
	}
	return link->client != NULL;
}

bool datapath_link_starting(const struct datapath_link *link)
{
	if (link->client || link->deaths >= HOPELESS_DEATHS)
		return false;
	return link->child || link->may_start || (link->lent && datapath_lent_lives(link->lent)) ||
	       rundir_pid_holder(link->rundir, pid_name(link)) != 0;
}

bool datapath_link_check(struct datapath_link *link)
{
	if (link->client && rpc_client_poll(link->client) < 0)
		drop(link, "it closed it");
	return link->client != NULL;
}

void datapath_link_listen(struct datapath_link *link, int timeout_ms)
{
	struct pollfd wait = {.events = POLLIN};

	if (!link->client)
		return;
	wait.fd = rpc_client_fd(link->client);
	if (poll(&wait, 1, timeout_ms) > 0)
		datapath_link_check(link);
}

const char *datapath_link_problem(struct datapath_link *link)
{
	const char *problem = *link->problem ? link->problem : "datapathd was not asked yet";
	int64_t wait_ms = restart_pause_end(&link->pause) - steady_ms();

	if (link->client)
		return "";
	if (link->lent && !datapath_lent_lives(link->lent)) {
		snprintf(link->told, sizeof(link->told),
			"it (pid %d) was started by the supervisor of datapathd and ended before "
			"it answered; the log of those two says why (journalctl -u "
			"turnout-datapathd)",
			link->lent);
		return link->told;
	}
	if (!link->held || link->child || wait_ms < 0)
		return problem;
	snprintf(link->told, sizeof(link->told),
		"%s; it was started %u times in a row, and will be again in %.1f s", problem,
		link->pause.starts, wait_ms / 1000.0);
	return link->told;
}

static json_t *call_within(struct datapath_link *link, const char *method, json_t *params,
	int timeout_ms, struct rpc_error *error)
{
	json_t *result;

	if (!link->client) {
		json_decref(params);
		rpc_error_set(error, RPC_UNAVAILABLE, "%s", datapath_link_problem(link));
		return NULL;
	}
	result = rpc_client_call(link->client, method, params, timeout_ms, error);
	if (!result && (error->code == RPC_TIMEOUT || error->code == RPC_DISCONNECTED)) {
		drop(link, error->message);
		rpc_error_set(error, RPC_UNAVAILABLE, "%s: %s", method, link->problem);
	}
	return result;
}

json_t *datapath_link_call(
	struct datapath_link *link, const char *method, json_t *params, struct rpc_error *error)
{
	return call_within(link, method, params, link->config.call_timeout_ms, error);
}

bool datapath_link_apply(
	struct datapath_link *link, const char *bridge, json_t *operations, struct rpc_error *error)
{
	size_t count = json_array_size(operations);
	int more_ms = OPERATION_MS * (int)(count < OPERATIONS_COUNTED ? count : OPERATIONS_COUNTED);
	json_t *params = json_pack("{s:s, s:o}", "bridge", bridge, "ops", operations);
	json_t *result = call_within(
		link, "flow.apply", params, link->config.call_timeout_ms + more_ms, error);

	json_decref(result);
	return result != NULL;
}

void datapath_link_stop_starting(struct datapath_link *link)
{
	link->may_start = false;
}

// --- A successor ---

static void nothing(void *context)
{
}

static void nothing_of_port(void *context, const char *name)
{
}

static void nothing_of_packet(void *context, const json_t *params)
{
}

struct datapath_link *datapath_link_successor(
	struct datapath_link *link, bool huge_pages, struct rpc_error *error)
{
	struct datapath_link_config config = link->config;
	struct datapath_link *next;
	pid_t lent = 0;

	if (!link->may_start) {
		lent = datapath_lent_start(link, huge_pages, error);
		if (!lent)
			return NULL;
		config.command = NULL;
	}
	config.connected = config.disconnected = nothing;
	config.port_changed = nothing_of_port;
	config.packet_in = nothing_of_packet;
	config.pmd_overload = NULL;
	next = create(&config, true);
	if (next) {
		next->huge_pages = huge_pages;
		next->lent = lent;
	} else {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
	}
	return next;
}

void datapath_link_succeed(struct datapath_link *next, struct datapath_link *old)
{
	next->config = old->config;
	next->successor = next->huge_pages = false;
	next->may_start = old->may_start;
	next->lent = 0;
	next->retired = old->child;
	snprintf(next->socket, sizeof(next->socket), "%s", old->socket);
	datapath_link_destroy(old);
	evsignal_add(next->child_died, NULL);
	child_reap(next);
}

void datapath_link_kill(struct datapath_link *link)
{
	if (link->lent)
		datapath_lent_kill(link, link->lent);
	link->lent = 0;
	if (!link->child)
		return;
	kill(link->child, SIGKILL);
	waitpid(link->child, NULL, 0);
	link->child = 0;
}

int datapath_link_start_timeout_ms(const struct datapath_link *link)
{
	return link->config.start_timeout_ms;
}

// SPDX-License-Identifier: Apache-2.0
//
// vswitchd: keeps what is wanted, answers clients, and brings datapathd to it.
//
// Start order: options, configuration, run directory and its lock, event base, store, model and
// flows from it, link to the datapath, and when that stands (or is not to be had soon) the socket
// for clients. The end undoes it in reverse and leaves datapathd forwarding.

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/lockdown.h"
#include "base/steady_clock.h"
#include "rpc/rundir.h"
#include "vswitch/affinity.h"
#include "vswitch/auto_lb.h"
#include "vswitch/clients.h"
#include "vswitch/event_log.h"
#include "vswitch/flows.h"
#include "vswitch/log.h"
#include "vswitch/methods.h"
#include "vswitch/model_edit.h"
#include "vswitch/packet_events.h"
#include "vswitch/state_events.h"
#include "vswitch/sync.h"
#include "vswitch/transaction.h"

// Clients are let in when the datapath is up to date, or after this time without one, so that they
// can be told why.
#define OPEN_ANYWAY_MS 10000
#define ADOPT_MS 1000 // for a datapathd that somebody else starts at the same time
#define PREDECESSOR_MS 1000
#define COMMAND_MAX 64

struct options {
	const char *rundir;
	const char *conf;
	bool adopt_only;
};

// Everything of the process that is not the switch itself.
struct daemon {
	struct vswitch vs;
	struct clients clients;
	int pid_file;
	char socket[RUNDIR_PATH_SIZE];
	char program[PATH_MAX];
	char memory[32];
	char *command[COMMAND_MAX];
	struct event *opening;
	struct event *signals[2];
	int status;
};

int64_t clock_wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_steady_ms(void)
{
	return steady_ms();
}

// --- Methods ---

#define TITLE "Turnout vswitchd"

static const struct rpc_method *const method_tables[] = {system_methods, bridge_methods,
	port_methods, db_methods, flow_methods, flow_show_methods, object_methods,
	object_show_methods, trace_methods, packet_methods, stats_methods, pmd_methods, fdb_methods,
	events_methods};

#define METHOD_TABLES (sizeof(method_tables) / sizeof(method_tables[0]))

// Returns the exit status.
static int describe(void)
{
	json_t *description = rpc_methods_describe(
		TITLE, TURNOUT_VERSION, method_tables, METHOD_TABLES, packet_events);
	int result = description ? json_dumpf(description, stdout, JSON_INDENT(2)) : -1;

	json_decref(description);
	return result == 0 ? 0 : 1;
}

// --- Options ---

static void usage(FILE *out)
{
	fprintf(out,
		"usage: vswitchd [--rundir DIR] [--conf FILE] [--adopt]\n"
		"\n"
		"Keeps bridges, ports and flows, answers vsctl and ofctl, and programs datapathd.\n"
		"\n"
		"  --rundir DIR    sockets, pid files, database (default: " RUNDIR_VARIABLE
		" or " RUNDIR_DEFAULT ")\n"
		"  --conf FILE     configuration (YAML)\n"
		"  --adopt         never start datapathd; use the one that runs in DIR\n"
		"  --sample-conf   print a configuration file with all keys, and exit\n"
		"  --describe      print all JSON-RPC methods, as rpc.discover does, and exit\n"
		"  --help, --version\n"
		"\n"
		"Ends on SIGTERM and SIGINT; datapathd goes on forwarding. \"vsctl exit "
		"datapath\"\n"
		"ends both.\n");
}

// Returns -1 to go on, otherwise the exit status.
static int parse_options(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{"rundir", required_argument, NULL, 'r'},
		{"conf", required_argument, NULL, 'c'},
		{"adopt", no_argument, NULL, 'a'},
		{"sample-conf", no_argument, NULL, 's'},
		{"describe", no_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		switch (option) {
		case 'r':
			options->rundir = optarg;
			break;
		case 'c':
			options->conf = optarg;
			break;
		case 'a':
			options->adopt_only = true;
			break;
		case 's':
			conf_write_sample(stdout);
			return 0;
		case 'd':
			return describe();
		case 'h':
			usage(stdout);
			return 0;
		case 'V':
			printf("vswitchd (Turnout) %s\n", TURNOUT_VERSION);
			return 0;
		default:
			fprintf(stderr,
				"vswitchd: option \"%s\" is unknown, or lacks its argument; --help "
				"lists all\n",
				argv[optind - 1]);
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "vswitchd: unexpected argument \"%s\"; see --help\n", argv[optind]);
		return 2;
	}
	return -1;
}

// Whether there are such cores is for the datapath to say.
static bool check_cores(const struct conf *conf, struct rpc_error *error)
{
	const char *mask = conf_string(conf, CONF_PMD_CPU_MASK);
	struct core_set set;

	return !*mask || core_set_parse(&set, mask, error) == 0;
}

static bool load_configuration(struct daemon *daemon, const struct options *options)
{
	struct conf *conf;
	struct rpc_error error = {0};
	char text[1200];
	bool good;

	conf = options->conf ? conf_load(options->conf, text, sizeof(text)) : conf_create();
	daemon->vs.conf = conf;
	if (!conf) {
		fprintf(stderr, "vswitchd: %s\n", options->conf ? text : "out of memory");
		return false;
	}
	good = check_cores(conf, &error) && clients_configure(&daemon->clients, conf, &error);
	if (!good)
		fprintf(stderr, "vswitchd: %s: %s\n", options->conf, error.message);
	rpc_error_clear(&error);
	return good;
}

// --- Run directory ---

// A predecessor that was just told to end, or killed, is given a moment to be gone.
static bool lock_rundir(struct daemon *daemon)
{
	int64_t deadline = clock_steady_ms() + PREDECESSOR_MS;
	struct rpc_error error = {0};

	do {
		daemon->pid_file = rundir_pid_lock(daemon->vs.rundir, "vswitchd.pid", &error);
	} while (daemon->pid_file == -EBUSY && clock_steady_ms() < deadline && usleep(20000) == 0);
	if (daemon->pid_file < 0)
		log_error("%s", error.message);
	return daemon->pid_file >= 0;
}

// The database, logs and the socket may be others', and the socket may have to be given away.
#define CAPABILITIES_FILES CAPABILITIES_SOCKETS ",chown,fowner"

// What it does not start, it needs no capabilities for.
static bool lockdown(const struct daemon *daemon, const struct options *options)
{
	const struct conf *conf = daemon->vs.conf;
	bool starts = conf_boolean(conf, CONF_DATAPATHD_START) && !options->adopt_only;
	struct lockdown lockdown = {
		.user = conf_string(conf, CONF_USER),
		.capabilities = starts ? conf_string(conf, CONF_DATAPATHD_CAPABILITIES) : "",
		.usual = starts ? CAPABILITIES_DATAPATH : "none",
		.usual_of_root =
			starts ? CAPABILITIES_DATAPATH "," CAPABILITIES_FILES : CAPABILITIES_FILES,
		.directory = daemon->vs.rundir,
		.filter = conf_boolean(conf, CONF_SECCOMP),
		.role = starts ? SYSCALLS_STARTER : SYSCALLS_CONTROL,
	};
	char error[512];

	if (lockdown_enter(&lockdown, error, sizeof(error)))
		return true;
	log_error("%s", error);
	return false;
}

static bool open_rundir(struct daemon *daemon, const struct options *options)
{
	const char *configured = conf_string(daemon->vs.conf, CONF_RUNDIR);
	struct rpc_error error = {0};
	struct sockaddr_un address;

	// The option comes first, then the file, then the environment.
	daemon->vs.rundir = rundir_resolve(options->rundir ? options->rundir
					   : *configured   ? configured
							   : NULL);
	daemon->pid_file = -1;
	if (rundir_path(daemon->socket, sizeof(daemon->socket), daemon->vs.rundir,
		    "vswitchd.sock") < 0) {
		log_error("the run directory's name is too long: %s", daemon->vs.rundir);
		return false;
	}
	if (rundir_socket_address(&address, daemon->socket, &error) < 0 ||
		rundir_create(daemon->vs.rundir, &error) < 0) {
		log_error("%s", error.message);
		return false;
	}
	return lockdown(daemon, options) && lock_rundir(daemon);
}

// --- Store and model ---

static bool open_store(struct daemon *daemon)
{
	struct vswitch *vs = &daemon->vs;
	const char *configured = conf_string(vs->conf, CONF_DATABASE_PATH);
	struct rpc_error error = {0};
	char path[RUNDIR_PATH_SIZE];

	rundir_path(path, sizeof(path), vs->rundir, "turnout.db");
	if (!vswitch_open(vs, *configured ? configured : path, &error)) {
		log_error("%s", error.message);
		rpc_error_clear(&error);
		return false;
	}
	log_info("database %s: %zu bridges, %zu ports", store_path(vs->store),
		json_object_size(model_rows(vs->model, TABLE_BRIDGE)),
		json_object_size(model_rows(vs->model, TABLE_PORT)));
	return true;
}

// --- The datapath ---

static void on_connected(void *context)
{
	struct vswitch *vs = context;

	sync_all(vs);
	if (vs->actual)
		state_events_connected(vs);
}

static void on_disconnected(void *context)
{
	sync_forget(context);
	state_events_disconnected(context);
}

static void on_port_changed(void *context, const char *name)
{
	struct vswitch *vs = context;

	event_active(vs->replan, EV_TIMEOUT, 0);
	state_events_port(vs, name);
}

static void on_pmd_overload(void *context, const json_t *params)
{
	struct vswitch *vs = context;

	event_log_note(vs->events, "pmd.overload", NULL, json_deep_copy(params));
}

static void on_packet_in(void *context, const json_t *params)
{
	packet_in_forward(context, params);
}

// The datapathd of the configuration, or the one that belongs to this program: beside it when
// installed, in the neighbouring folder when built.
static void find_program(struct daemon *daemon)
{
	const char *configured = conf_string(daemon->vs.conf, CONF_DATAPATHD_PROGRAM);
	static const char *const places[] = {"datapathd", "../datapath/datapathd"};
	char self[PATH_MAX / 2];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	snprintf(daemon->program, sizeof(daemon->program), "%s",
		*configured ? configured : "datapathd");
	if (*configured || length < 0)
		return;
	self[length] = '\0';
	slash = strrchr(self, '/');
	if (slash)
		slash[1] = '\0';
	for (size_t i = 0; i < 2; i++) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s%s", self, places[i]);
		if (access(path, X_OK) == 0) {
			snprintf(daemon->program, sizeof(daemon->program), "%s", path);
			return;
		}
	}
}

static void build_command(struct daemon *daemon)
{
	const struct conf *conf = daemon->vs.conf;
	const char *huge = conf_string(conf, CONF_DATAPATHD_HUGE_PAGES);
	size_t n_more = conf_list_count(conf, CONF_DATAPATHD_ARGUMENTS);
	size_t n = 0;

	find_program(daemon);
	daemon->command[n++] = daemon->program;
	daemon->command[n++] = "--rundir";
	daemon->command[n++] = (char *)daemon->vs.rundir;
	daemon->command[n++] = "--huge";
	daemon->command[n++] = strcmp(huge, "yes") == 0  ? "on"
			       : strcmp(huge, "no") == 0 ? "off"
							 : "auto";
	daemon->command[n++] = "--log-level";
	daemon->command[n++] = (char *)conf_string(conf, CONF_DATAPATHD_LOG_LEVEL);
	if (*conf_string(conf, CONF_DATAPATHD_CAPABILITIES)) {
		daemon->command[n++] = "--capabilities";
		daemon->command[n++] = (char *)conf_string(conf, CONF_DATAPATHD_CAPABILITIES);
	}
	if (!conf_boolean(conf, CONF_SECCOMP)) {
		daemon->command[n++] = "--seccomp";
		daemon->command[n++] = "off";
	}
	if (conf_integer(conf, CONF_DATAPATHD_MEMORY)) {
		snprintf(daemon->memory, sizeof(daemon->memory), "%ld",
			conf_integer(conf, CONF_DATAPATHD_MEMORY));
		daemon->command[n++] = "--memory";
		daemon->command[n++] = daemon->memory;
	}
	for (size_t i = 0; i < n_more && n < COMMAND_MAX - 1; i++)
		daemon->command[n++] = (char *)conf_list_item(conf, CONF_DATAPATHD_ARGUMENTS, i);
	daemon->command[n] = NULL;
}

static bool open_link(struct daemon *daemon, const struct options *options)
{
	struct vswitch *vs = &daemon->vs;
	bool start = conf_boolean(vs->conf, CONF_DATAPATHD_START) && !options->adopt_only;
	struct datapath_link_config config = {
		.base = vs->base,
		.rundir = vs->rundir,
		.start_timeout_ms =
			(int)conf_integer(vs->conf, CONF_DATAPATHD_START_TIMEOUT) * 1000,
		.call_timeout_ms = (int)conf_integer(vs->conf, CONF_DATAPATHD_CALL_TIMEOUT) * 1000,
		.context = vs,
		.connected = on_connected,
		.disconnected = on_disconnected,
		.port_changed = on_port_changed,
		.packet_in = on_packet_in,
		.pmd_overload = on_pmd_overload,
	};

	build_command(daemon);
	config.command = start ? daemon->command : NULL;
	vs->link = datapath_link_create(&config);
	if (vs->link)
		datapath_link_start(vs->link);
	return vs->link != NULL;
}

// --- Events ---

static void on_tick(evutil_socket_t fd, short what, void *context)
{
	flows_expire(context);
	sync_retry(context);
	auto_lb_step(context);
}

static void on_resync(evutil_socket_t fd, short what, void *context)
{
	sync_behind(context);
}

static void on_replan(evutil_socket_t fd, short what, void *context)
{
	struct vswitch *vs = context;
	struct rpc_error error = {0};

	if (vs->actual)
		sync_plan(vs, false, &error);
	rpc_error_clear(&error);
}

static void on_signal(evutil_socket_t number, short what, void *context)
{
	struct daemon *daemon = context;

	log_info("ending on %s; datapathd goes on forwarding", strsignal((int)number));
	event_base_loopbreak(daemon->vs.base);
}

static bool open_server(struct daemon *daemon)
{
	struct vswitch *vs = &daemon->vs;
	struct rpc_error error = {0};

	vs->server =
		rpc_server_create(vs->base, TITLE, TURNOUT_VERSION, &transaction_functions, vs);
	if (!vs->server) {
		log_error("out of memory");
		return false;
	}
	for (size_t i = 0; i < METHOD_TABLES; i++)
		rpc_server_add_methods(vs->server, method_tables[i]);
	rpc_server_set_events(vs->server, packet_events);
	if (!clients_listen(&daemon->clients, vs->server, daemon->socket, &error)) {
		log_error("%s", error.message);
		return false;
	}
	log_info("vswitchd %s answers at %s", TURNOUT_VERSION, daemon->socket);
	return true;
}

// Let clients in as soon as the datapath is as they left it.
static void on_opening(evutil_socket_t fd, short what, void *context)
{
	struct daemon *daemon = context;
	struct vswitch *vs = &daemon->vs;
	struct timeval again = {0, 20000};
	int64_t waited = clock_steady_ms() - vs->started_ms;
	bool hope = datapath_link_starting(vs->link) || waited < ADOPT_MS;

	if (!datapath_link_connected(vs->link) && hope && waited < OPEN_ANYWAY_MS) {
		evtimer_add(daemon->opening, &again);
		return;
	}
	if (!datapath_link_connected(vs->link)) {
		log_warning("without a datapath: %s", datapath_link_problem(vs->link));
		state_events_disconnected(vs);
	}
	if (!open_server(daemon)) {
		daemon->status = 1;
		event_base_loopbreak(vs->base);
	}
}

static bool open_events(struct daemon *daemon)
{
	static const int numbers[] = {SIGTERM, SIGINT};
	struct vswitch *vs = &daemon->vs;
	struct timeval second = {1, 0};
	struct timeval now = {0, 0};

	vs->base = event_base_new();
	if (!vs->base)
		return false;
	vs->tick = event_new(vs->base, -1, EV_PERSIST, on_tick, vs);
	vs->resync = event_new(vs->base, -1, 0, on_resync, vs);
	vs->replan = event_new(vs->base, -1, 0, on_replan, vs);
	daemon->opening = evtimer_new(vs->base, on_opening, daemon);
	for (size_t i = 0; i < 2; i++) {
		daemon->signals[i] = evsignal_new(vs->base, numbers[i], on_signal, daemon);
		if (!daemon->signals[i] || event_add(daemon->signals[i], NULL) < 0)
			return false;
	}
	return vs->tick && vs->resync && vs->replan && daemon->opening &&
	       event_add(vs->tick, &second) == 0 && event_add(daemon->opening, &now) == 0;
}

// --- The end ---

static void event_end(struct event *event)
{
	if (event)
		event_free(event);
}

static void daemon_end(struct daemon *daemon)
{
	struct vswitch *vs = &daemon->vs;

	rpc_server_destroy(vs->server);
	datapath_link_destroy(vs->link);
	event_end(daemon->opening);
	event_end(daemon->signals[0]);
	event_end(daemon->signals[1]);
	event_end(vs->tick);
	event_end(vs->resync);
	event_end(vs->replan);
	vswitch_close(vs);
	if (vs->base)
		event_base_free(vs->base);
	rundir_pid_unlock(daemon->pid_file, vs->rundir, "vswitchd.pid");
	clients_end(&daemon->clients);
	conf_destroy(vs->conf);
}

int main(int argc, char **argv)
{
	struct options options = {0};
	struct daemon daemon = {.pid_file = -1, .status = 1};
	int status = parse_options(&options, argc, argv);

	if (status >= 0)
		return status;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); // a limit of file sizes is an error of writing, no reason to die
	daemon.vs.started_ms = clock_steady_ms();
	if (!load_configuration(&daemon, &options)) {
		clients_end(&daemon.clients);
		conf_destroy(daemon.vs.conf);
		return 1;
	}
	log_set_level(conf_string(daemon.vs.conf, CONF_LOG_LEVEL));
	if (open_rundir(&daemon, &options) && open_events(&daemon) && open_store(&daemon) &&
		open_link(&daemon, &options)) {
		daemon.status = 0;
		event_base_dispatch(daemon.vs.base);
	}
	daemon_end(&daemon);
	return daemon.status;
}

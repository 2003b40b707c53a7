// SPDX-License-Identifier: Apache-2.0

// datapathd: the process that moves packets.
//
// It knows nothing of intent and keeps no state: what it does, it was told over the socket
// datapathd.sock in its run directory, and it goes on doing it whoever else dies.

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <event2/event.h>

#include "base/lockdown.h"
#include "datapath/clock.h"
#include "datapath/datapath.h"
#include "datapath/eal.h"
#include "datapath/log.h"
#include "datapath/mbuf_pool.h"
#include "datapath/successor.h"
#include "datapath/supervise.h"
#include "rpc/rpc_server.h"
#include "rpc/rundir.h"

// vswitchd, and who looks closer.
#define CLIENTS_MAX 64

enum { EXIT_OK = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_GO_ON = -1 };

struct options {
	const char *rundir;
	enum log_level log_level;
	struct eal_options eal;
	unsigned mbufs;
	bool standby;
	bool supervise;
	unsigned supervisor; // a descriptor; 0: none
	struct lockdown lockdown;
};

static const char usage[] =
	"Usage: datapathd [OPTIONS]\n"
	"\n"
	"Moves packets between ports as it is told over RUNDIR/" DATAPATHD_SOCKET ".\n"
	"vswitchd starts it when none is running; it goes on when vswitchd ends.\n"
	"\n"
	"  --rundir DIR     run directory (default: $" RUNDIR_VARIABLE " or " RUNDIR_DEFAULT ")\n"
	"  --huge MODE      huge pages: auto (if there are any free), on or off; default: auto\n"
	"  --no-huge        the same as --huge off\n"
	"  --memory MB      memory to reserve; default: with huge pages as needed, else 512\n"
	"  --mbufs NUMBER   packet buffers for devices, and for guests, of each NUMA node;\n"
	"                   default: with huge pages 262144 and 4096 for each CPU (at least\n"
	"                   65536), but at most half of the free ones; 16384 without\n"
	"  --lcore CPU      CPU of the control thread; default: the lowest that it may use\n"
	"  --eal \"ARGS\"     further arguments for DPDK's environment\n"
	"  --user USER      become this user\n"
	"  --capabilities L keep these of capabilities(7), or none; default:\n"
	"                   " CAPABILITIES_DATAPATH " (the first two for interfaces of\n"
	"                   the kernel), and for guests' sockets, as root, " CAPABILITIES_SOCKETS
	"\n"
	"  --seccomp MODE   on or off: the filter on system calls; default: on\n"
	"  --standby        answer at RUNDIR/" STANDBY_SOCKET ", to take over\n"
	"                   from the one that runs\n"
	"  --supervise      stay behind as a small process that starts the one which moves\n"
	"                   packets, another when it ends, and one with --standby when vswitchd\n"
	"                   wants it\n"
	"  --supervisor FD  given by --supervise to those that it starts\n"
	"  --log-level L    error, warning, info or debug; default: info\n"
	"  --describe       print all JSON-RPC methods, as rpc.discover does\n"
	"  --help           this text\n"
	"  --version        the version\n";

enum {
	O_RUNDIR = 1,
	O_HUGE,
	O_NO_HUGE,
	O_MEMORY,
	O_MBUFS,
	O_LCORE,
	O_EAL,
	O_USER,
	O_CAPABILITIES,
	O_SECCOMP,
	O_STANDBY,
	O_SUPERVISE,
	O_SUPERVISOR,
	O_LOG,
	O_DESCRIBE,
	O_HELP,
	O_VERSION
};

static const struct option long_options[] = {
	{"rundir", required_argument, NULL, O_RUNDIR},
	{"huge", required_argument, NULL, O_HUGE},
	{"no-huge", no_argument, NULL, O_NO_HUGE},
	{"memory", required_argument, NULL, O_MEMORY},
	{"mbufs", required_argument, NULL, O_MBUFS},
	{"lcore", required_argument, NULL, O_LCORE},
	{"eal", required_argument, NULL, O_EAL},
	{"user", required_argument, NULL, O_USER},
	{"capabilities", required_argument, NULL, O_CAPABILITIES},
	{"seccomp", required_argument, NULL, O_SECCOMP},
	{"standby", no_argument, NULL, O_STANDBY},
	{"supervise", no_argument, NULL, O_SUPERVISE},
	{"supervisor", required_argument, NULL, O_SUPERVISOR},
	{"log-level", required_argument, NULL, O_LOG},
	{"describe", no_argument, NULL, O_DESCRIBE},
	{"help", no_argument, NULL, O_HELP},
	{"version", no_argument, NULL, O_VERSION},
	{NULL, 0, NULL, 0},
};

// What may be given for an option, where not everything may.
static const char *const remedies[] = {
	[O_HUGE] = "auto, on or off",
	[O_MEMORY] = "a number of megabytes from 64 to 4194304",
	[O_MBUFS] = "a number from 4096 to 67108864",
	[O_LCORE] = "the number of a CPU",
	[O_SECCOMP] = "on or off",
	[O_SUPERVISOR] = "nothing; it is for datapathd --supervise alone",
	[O_LOG] = "error, warning, info or debug",
};
static_assert(MBUFS_MIN == 4096, "as the remedy says");

#define TITLE "Turnout datapathd"

static const struct rpc_method *const method_tables[] = {methods_datapath, methods_bridge,
	methods_port, methods_flow, methods_object, methods_packet, methods_pmd, methods_fdb};

#define METHOD_TABLES (sizeof(method_tables) / sizeof(method_tables[0]))

static int describe(void)
{
	json_t *description = rpc_methods_describe(
		TITLE, TURNOUT_VERSION, method_tables, METHOD_TABLES, packet_in_events);
	int result = description ? json_dumpf(description, stdout, JSON_INDENT(2)) : -1;

	json_decref(description);
	return result == 0 ? EXIT_OK : EXIT_REFUSED;
}

static bool number_parse(const char *text, unsigned least, unsigned most, unsigned *number)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || value < least ||
		value > most)
		return false;
	*number = (unsigned)value;
	return true;
}

static bool huge_parse(const char *text, enum huge_pages *huge)
{
	static const char *const names[] = {
		[HUGE_AUTO] = "auto", [HUGE_ON] = "on", [HUGE_OFF] = "off"};

	for (int i = 0; i < 3; i++) {
		if (strcmp(text, names[i]) == 0) {
			*huge = i;
			return true;
		}
	}
	return false;
}

// EXIT_GO_ON, or an exit status.
static int option_apply(struct options *options, int option)
{
	unsigned number = 0;
	bool good = true;
	int level;

	switch (option) {
	case O_RUNDIR:
		options->rundir = optarg;
		break;
	case O_HUGE:
		good = huge_parse(optarg, &options->eal.huge);
		break;
	case O_NO_HUGE:
		options->eal.huge = HUGE_OFF;
		break;
	case O_MEMORY:
		good = number_parse(optarg, 64, 1u << 22, &options->eal.memory);
		break;
	case O_MBUFS:
		good = number_parse(optarg, MBUFS_MIN, 1u << 26, &options->mbufs);
		break;
	case O_LCORE:
		good = number_parse(optarg, 0, 4095, &number);
		options->eal.core = (int)number;
		break;
	case O_EAL:
		options->eal.extra = optarg;
		break;
	case O_USER:
		options->lockdown.user = optarg;
		break;
	case O_CAPABILITIES:
		options->lockdown.capabilities = optarg;
		break;
	case O_SECCOMP:
		options->lockdown.filter = strcmp(optarg, "off") != 0;
		good = !options->lockdown.filter || strcmp(optarg, "on") == 0;
		break;
	case O_STANDBY:
		options->standby = true;
		break;
	case O_SUPERVISE:
		options->supervise = true;
		break;
	case O_SUPERVISOR:
		good = number_parse(optarg, 3, 1u << 20, &options->supervisor) &&
		       successor_socket_check((int)options->supervisor);
		break;
	case O_LOG:
		level = log_level_find(optarg);
		good = level >= 0;
		options->log_level = good ? level : LOG_LEVEL_INFO;
		break;
	case O_DESCRIBE:
		return describe();
	case O_HELP:
		fputs(usage, stdout);
		return EXIT_OK;
	case O_VERSION:
		puts("datapathd (Turnout) " TURNOUT_VERSION);
		return EXIT_OK;
	}
	if (good)
		return EXIT_GO_ON;
	fprintf(stderr, "datapathd: --%s \"%s\": give %s\n", long_options[option - O_RUNDIR].name,
		optarg, remedies[option]);
	return EXIT_USAGE;
}

static int options_parse(int argc, char *argv[], struct options *options)
{
	int option;

	// One line, which vswitchd finds at the end of the log if it gave the option.
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		int status;

		if (option == '?') {
			fprintf(stderr,
				"datapathd: option \"%s\" is unknown, or lacks its argument; "
				"--help lists all\n",
				argv[optind - 1]);
			return EXIT_USAGE;
		}
		status = option_apply(options, option);
		if (status != EXIT_GO_ON)
			return status;
	}
	if (options->supervise && (options->standby || options->supervisor)) {
		fprintf(stderr, "datapathd: --supervise stands alone: leave out --standby and "
				"--supervisor, which it gives to those that it starts\n");
		return EXIT_USAGE;
	}
	if (optind == argc)
		return EXIT_GO_ON;
	fprintf(stderr, "datapathd: unexpected argument \"%s\"; see --help\n", argv[optind]);
	return EXIT_USAGE;
}

static void on_signal(evutil_socket_t number, short what, void *context)
{
	log_info("ending: %s", strsignal((int)number));
	event_base_loopbreak(context);
}

static const char *pid_name(const struct datapath *datapath)
{
	return datapath->standby ? STANDBY_PID : DATAPATHD_PID;
}

static bool server_start(struct datapath *datapath, struct rpc_error *error)
{
	// vswitchd runs as the same user; nobody else has anything to say here.
	static const struct socket_access access = {SOCKET_KEEP_OWNER, SOCKET_KEEP_GROUP, 0600};
	struct rpc_limits limits = rpc_limits_default;
	char path[RUNDIR_PATH_SIZE];

	if (rundir_path(path, sizeof(path), datapath->rundir,
		    datapath->standby ? STANDBY_SOCKET : DATAPATHD_SOCKET) != 0) {
		rpc_error_set(error, RPC_REFUSED, "the run directory's name is too long");
		return false;
	}
	datapath->server =
		rpc_server_create(datapath->base, TITLE, TURNOUT_VERSION, NULL, datapath);
	if (!datapath->server) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
		return false;
	}
	for (size_t i = 0; i < METHOD_TABLES; i++)
		rpc_server_add_methods(datapath->server, method_tables[i]);
	rpc_server_set_events(datapath->server, packet_in_events);
	limits.clients = rpc_open_files_raise(CLIENTS_MAX);
	rpc_server_set_limits(datapath->server, &limits);
	return rpc_server_listen(datapath->server, path, &access, error);
}

static bool signals_start(struct event_base *base, struct event *signals[2])
{
	signal(SIGPIPE, SIG_IGN);
	signals[0] = evsignal_new(base, SIGTERM, on_signal, base);
	signals[1] = evsignal_new(base, SIGINT, on_signal, base);
	return signals[0] && signals[1] && event_add(signals[0], NULL) == 0 &&
	       event_add(signals[1], NULL) == 0;
}

// From the event base to the end of the loop, and back.
static int serve(struct datapath *datapath)
{
	struct event *signals[2] = {NULL, NULL};
	struct rpc_error error = {0};
	int status = EXIT_REFUSED;

	datapath->base = event_base_new();
	if (!datapath->base || !signals_start(datapath->base, signals))
		rpc_error_set(&error, RPC_INTERNAL_ERROR, "no memory for the event loop");
	else if (datapath_init(datapath, &error) && server_start(datapath, &error)) {
		log_info("ready, %s huge pages, control thread on core %u",
			datapath->eal.huge_pages ? "with" : "without", datapath->eal.core);
		event_base_dispatch(datapath->base);
		status = EXIT_OK;
	}
	if (status != EXIT_OK)
		log_error("%s", error.message);
	rpc_server_destroy(datapath->server);
	datapath->server = NULL;
	datapath_end(datapath);
	for (int i = 0; i < 2; i++) {
		if (signals[i])
			event_free(signals[i]);
	}
	if (datapath->base)
		event_base_free(datapath->base);
	rpc_error_clear(&error);
	return status;
}

// From here on we are who we shall be, and DPDK's threads, which start later, are so, too.
static bool lockdown(struct lockdown *lockdown, const char *rundir)
{
	char error[512];

	lockdown->directory = rundir;
	// Sockets for guests are for the user's group.
	umask(0007);
	if (lockdown_enter(lockdown, error, sizeof(error)))
		return true;
	log_error("%s", error);
	return false;
}

static int run(struct options *options)
{
	static struct datapath datapath;
	struct rpc_error error = {0};
	int status;

	datapath.standby = options->standby;
	datapath.supervisor = options->supervisor ? (int)options->supervisor : -1;
	datapath.rundir = rundir_resolve(options->rundir);
	if (rundir_create(datapath.rundir, &error) != 0) {
		log_error("%s", error.message);
		return EXIT_REFUSED;
	}
	options->eal.rundir = datapath.rundir;
	if (!lockdown(&options->lockdown, datapath.rundir))
		return EXIT_REFUSED;
	datapath.pid_fd = rundir_pid_lock(datapath.rundir, pid_name(&datapath), &error);
	if (datapath.pid_fd < 0) {
		log_error("%s", error.message);
		return EXIT_REFUSED;
	}
	if (eal_start(&datapath.eal, &options->eal, &error)) {
		clock_start();
		mbuf_pools_configure(&(struct mbuf_limits){
			.buffers = options->mbufs,
			.huge_pages = datapath.eal.huge_pages,
			.all_pages = datapath.standby,
			.cpus = datapath.eal.cpu_count,
		});
		status = serve(&datapath);
		mbuf_pools_destroy();
		eal_stop();
	} else {
		log_error("%s", error.message);
		status = EXIT_REFUSED;
	}
	rundir_pid_unlock(datapath.pid_fd, datapath.rundir, pid_name(&datapath));
	return status;
}

// The worker's arguments are ours without --supervise.
static int supervise(const struct options *options, char *argv[])
{
	size_t n = 0;

	for (size_t i = 0; argv[i]; i++) {
		if (strcmp(argv[i], "--supervise") != 0)
			argv[n++] = argv[i];
	}
	argv[n] = NULL;
	return supervise_run(&(struct supervise_config){
		.rundir = rundir_resolve(options->rundir),
		.arguments = argv,
		.filter = options->lockdown.filter,
	});
}

int main(int argc, char *argv[])
{
	struct options options = {
		.log_level = LOG_LEVEL_INFO,
		.eal = {.core = -1},
		.lockdown =
			{
				.usual = CAPABILITIES_DATAPATH,
				.usual_of_root = CAPABILITIES_DATAPATH "," CAPABILITIES_SOCKETS,
				.filter = true,
				.role = SYSCALLS_DATAPATH,
			},
	};
	int status = options_parse(argc, argv, &options);

	if (status != EXIT_GO_ON)
		return status;
	log_start(options.log_level);
	status = options.supervise ? supervise(&options, argv) : run(&options);
	log_stop();
	return status;
}

// SPDX-License-Identifier: Apache-2.0
#include "tests/hostile/hostile.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CONNECT_SECONDS 30

// `ends`: mostly the switch hangs up after it. A guest that listens is called again only twice a
// second, so there these come less often.
static struct operation {
	const char *name;
	unsigned weight;
	bool ends;
	void (*run)(struct guest *guest);
	uint64_t count, hung_up;
} operations[] = {
	{"message_any", 20, true, message_any},
	{"message_known", 120, false, message_known},
	{"message_cut", 10, true, message_cut},
	{"message_in_pieces", 20, false, message_in_pieces},
	{"message_stalls", 1, true, message_stalls},
	{"answers_unread", 1, true, answers_unread},
	{"switch_answers", 30, false, switch_answers},
	{"connection_closes", 5, true, connection_closes},
	{"memory_changes", 20, false, memory_changes},
	{"memory_is_wrong", 20, false, memory_is_wrong},
	{"memory_log", 20, false, memory_log},
	{"memory_withdraw", 4, false, memory_withdraw},
	{"device_starts", 30, false, device_starts},
	{"ring_changes", 100, false, ring_changes},
	{"ring_restarts", 60, false, ring_restarts},
	{"features_change", 30, false, features_change},
	{"ring_fill", 300, false, ring_fill},
	{"ring_break", 300, false, ring_break},
	{"ring_jump", 60, false, ring_jump},
	{"ring_kick", 30, false, ring_kick},
};

#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

static uint64_t seed;

void hostile_fail(const struct guest *guest, const char *format, ...)
{
	va_list arguments;

	printf("seed %llu, operation %llu: ", (unsigned long long)seed,
		(unsigned long long)guest->number);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	exit(1);
}

// --- Connections ---

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	return address;
}

static void guest_listen(struct guest *guest)
{
	struct sockaddr_un address = address_of(guest->path);

	unlink(guest->path);
	guest->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (guest->listener < 0 ||
		bind(guest->listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
		listen(guest->listener, 4) != 0)
		hostile_fail(guest, "cannot listen on %s: %s", guest->path, strerror(errno));
}

static int guest_call(const struct guest *guest)
{
	struct sockaddr_un address = address_of(guest->path);
	int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (made >= 0 && connect(made, (struct sockaddr *)&address, sizeof(address)) == 0)
		return made;
	close(made);
	return -1;
}

static void guest_connect(struct guest *guest)
{
	time_t end = time(NULL) + CONNECT_SECONDS;
	struct pollfd waiting = {.fd = guest->listener, .events = POLLIN};

	while (guest->socket < 0) {
		if (time(NULL) > end)
			hostile_fail(guest, "the switch is not there");
		if (guest->listener < 0)
			guest->socket = guest_call(guest);
		else if (poll(&waiting, 1, 1000) == 1)
			guest->socket = accept4(guest->listener, NULL, NULL, SOCK_CLOEXEC);
		if (guest->socket < 0)
			usleep(1000);
	}
	guest->out_of_step = false;
}

void guest_hang_up(struct guest *guest)
{
	if (guest->socket >= 0)
		close(guest->socket);
	guest->socket = -1;
}

// --- Operations ---

static struct operation *operation_choose(struct guest *guest, unsigned sum)
{
	uint64_t left = below(guest, sum);
	struct operation *operation = operations;

	for (; left >= operation->weight; operation++)
		left -= operation->weight;
	return operation;
}

// A connection begins with a device that works, or not.
static void operation_run(struct guest *guest, struct operation *operation)
{
	if (guest->socket < 0) {
		guest_connect(guest);
		if (!one_in(guest, 8))
			device_starts(guest);
	}
	if (guest->socket >= 0)
		operation->run(guest);
	operation->count++;
	// Mostly in step, or much would be said to a switch that has hung up.
	if (guest->socket >= 0 && guest->unanswered && !one_in(guest, 8))
		switch_answers(guest);
	if (guest->socket >= 0 && (guest->out_of_step || !answers_drain(guest)))
		guest_hang_up(guest);
	operation->hung_up += guest->socket < 0;
}

static void run(struct guest *guest, uint64_t count)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < OPERATIONS; i++) {
		// Twentieths; there are some at all.
		operations[i].weight *= 20;
		if (guest->listener >= 0 && operations[i].ends)
			operations[i].weight /= 20;
		sum += operations[i].weight;
	}
	for (guest->number = 0; guest->number < count; guest->number++)
		operation_run(guest, operation_choose(guest, sum));
	// Whatever was done to it, the switch listens.
	guest_hang_up(guest);
	guest_connect(guest);
	switch_answers(guest);
	guest_hang_up(guest);
}

static void report(void)
{
	for (unsigned i = 0; i < OPERATIONS; i++)
		printf("%-18s %9llu operations %7llu hung up\n", operations[i].name,
			(unsigned long long)operations[i].count,
			(unsigned long long)operations[i].hung_up);
}

static const char usage[] =
	"usage: hostile_guest SOCKET --seed N --operations N [--listen] [--withdraw]\n";

int main(int argc, char *argv[])
{
	static const struct option options[] = {{"seed", required_argument, NULL, 's'},
		{"operations", required_argument, NULL, 'o'}, {"listen", no_argument, NULL, 'l'},
		{"withdraw", no_argument, NULL, 'w'}, {0}};
	static struct guest guest = {.socket = -1, .listener = -1};
	uint64_t count = 1000;
	pthread_t scribbler;
	bool listens = false;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'o':
			count = strtoull(optarg, NULL, 0);
			break;
		case 'l':
			listens = true;
			break;
		case 'w':
			guest.withdraw = true;
			break;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (optind != argc - 1) {
		fputs(usage, stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	guest.path = argv[optind];
	guest.random = seed;
	memory_open(&guest);
	wrong_fds_open(&guest);
	if (listens)
		guest_listen(&guest);
	if (pthread_create(&scribbler, NULL, rings_scribble, &guest) != 0)
		hostile_fail(&guest, "no thread");
	run(&guest, count);
	__atomic_store_n(&guest.stop, true, __ATOMIC_RELAXED);
	pthread_join(scribbler, NULL);
	report();
	printf("seed %llu: %llu operations done\n", (unsigned long long)seed,
		(unsigned long long)count);
	return 0;
}

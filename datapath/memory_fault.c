// SPDX-License-Identifier: Apache-2.0
#include "datapath/memory_fault.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_memory.h>

// A mapping faults once, so this is for as many mappings between two rounds of the control thread.
#define FAULTS_MAX 64

__thread const void *memory_fault_owner;

static struct {
	int wake_fd;
	unsigned next; // any thread adds
	unsigned taken;
	struct {
		struct memory_fault fault;
		bool ready;
	} slots[FAULTS_MAX];
} faults = {.wake_fd = -1};

// --- In the signal handler: nothing but system calls ---

enum mapping_kind { MAPPING_NONE, MAPPING_SHARED_FILE, MAPPING_ANONYMOUS };

// Reads /proc/self/maps, a character at a time, whose lines begin "start-end perms offset dev
// inode".
struct maps_reader {
	int fd;
	int at, length;
	char buffer[1024];
};

static int maps_character(struct maps_reader *maps)
{
	if (maps->at == maps->length) {
		maps->length = (int)read(maps->fd, maps->buffer, sizeof(maps->buffer));
		maps->at = 0;
		if (maps->length <= 0)
			return -1;
	}
	return (unsigned char)maps->buffer[maps->at++];
}

// A number in hexadecimal; *end is the character behind it.
static uintptr_t maps_number(struct maps_reader *maps, int *end)
{
	uintptr_t number = 0;

	while (true) {
		int c = maps_character(maps);
		int digit = c >= '0' && c <= '9'   ? c - '0'
			    : c >= 'a' && c <= 'f' ? c - 'a' + 10
						   : -1;

		if (digit < 0) {
			*end = c;
			return number;
		}
		number = number << 4 | (uintptr_t)digit;
	}
}

static enum mapping_kind maps_line(struct maps_reader *maps, uintptr_t *start, uintptr_t *last)
{
	bool shared = false, file;
	int c;

	*start = maps_number(maps, &c);
	if (c != '-')
		return MAPPING_NONE;
	*last = maps_number(maps, &c);
	for (int i = 0; i < 4; i++) {
		c = maps_character(maps);
		if (i == 3)
			shared = c == 's';
	}
	maps_character(maps);
	maps_number(maps, &c); // offset
	maps_number(maps, &c); // device, in two parts
	maps_number(maps, &c);
	file = maps_number(maps, &c) != 0; // inode
	while (c != '\n' && c >= 0)
		c = maps_character(maps);
	return file && shared ? MAPPING_SHARED_FILE : MAPPING_ANONYMOUS;
}

static enum mapping_kind mapping_find(uintptr_t address, uintptr_t *start, uintptr_t *end)
{
	struct maps_reader maps = {.fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC)};
	enum mapping_kind kind;

	if (maps.fd < 0)
		return MAPPING_NONE;
	do
		kind = maps_line(&maps, start, end);
	while (kind != MAPPING_NONE && (address < *start || address >= *end));
	close(maps.fd);
	return kind;
}

static void fault_note(uintptr_t start, uintptr_t end)
{
	unsigned slot = __atomic_fetch_add(&faults.next, 1, __ATOMIC_ACQ_REL) % FAULTS_MAX;
	uint64_t one = 1;

	faults.slots[slot].fault = (struct memory_fault){start, end, memory_fault_owner};
	__atomic_store_n(&faults.slots[slot].ready, true, __ATOMIC_RELEASE);
	if (write(faults.wake_fd, &one, sizeof(one)) < 0)
		return; // full: the control thread is awake
}

// The handler. The instruction is tried again when it returns.
static void on_fault(int number, siginfo_t *info, void *context)
{
	uintptr_t address = (uintptr_t)info->si_addr, start, end;
	int saved = errno;
	enum mapping_kind kind = MAPPING_NONE;

	if (info->si_code == BUS_ADRERR && !rte_mem_virt2memseg_list(info->si_addr))
		kind = mapping_find(address, &start, &end);
	// Anonymous: another thread was here a moment before.
	if (kind == MAPPING_SHARED_FILE &&
		mmap((void *)start, end - start, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
			0) != MAP_FAILED)
		fault_note(start, end);
	else if (kind != MAPPING_ANONYMOUS)
		signal(SIGBUS, SIG_DFL);
	errno = saved;
}

// --- Outside ---

bool memory_fault_start(int wake_fd)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};

	faults.wake_fd = wake_fd;
	sigemptyset(&action.sa_mask);
	return sigaction(SIGBUS, &action, NULL) == 0;
}

bool memory_fault_take(struct memory_fault *fault)
{
	unsigned next = __atomic_load_n(&faults.next, __ATOMIC_ACQUIRE), slot;

	// Too many at once: the oldest have been written over.
	if (next - faults.taken > FAULTS_MAX)
		faults.taken = next - FAULTS_MAX;
	slot = faults.taken % FAULTS_MAX;
	if (!__atomic_exchange_n(&faults.slots[slot].ready, false, __ATOMIC_ACQ_REL))
		return false;
	*fault = faults.slots[slot].fault;
	faults.taken++;
	return true;
}

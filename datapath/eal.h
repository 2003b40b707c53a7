// SPDX-License-Identifier: Apache-2.0
#pragma once

// DPDK's environment: started once per process, so that any number of instances coexist on a host.
//
// Nothing of it is visible outside the process: memory is anonymous (--in-memory), and no device is
// touched before a port asks for it (the PCI allow-list holds an address that no device has).
// Huge pages are used if there are any free, unless the options say otherwise; without them
// memory comes from ordinary pages. DPDK's own threads stay on the control thread's core.

#include <stdbool.h>

#include "rpc/rpc_error.h"

enum huge_pages { HUGE_AUTO, HUGE_ON, HUGE_OFF };

struct eal_options {
	const char *rundir;
	enum huge_pages huge;
	unsigned memory;   // megabytes; 0: as needed, EAL_PLAIN_MEMORY without huge pages
	int core;          // of the control thread; -1: the lowest that we may use
	const char *extra; // further arguments, blank-separated, or NULL
};

#define EAL_PLAIN_MEMORY 512 // megabytes; used only as far as touched
#define EAL_HUGE_MIN 64      // megabytes of free huge pages below which they are of no use

struct eal_cpu {
	unsigned id;
	int numa;
};

#define EAL_CPUS_MAX 1024

struct eal {
	bool huge_pages;
	unsigned core;
	unsigned cpu_count;
	struct eal_cpu cpus[EAL_CPUS_MAX]; // that PMD threads may use
};

// False with *error; cannot be tried again in this process.
bool eal_start(struct eal *eal, const struct eal_options *options, struct rpc_error *error);
void eal_stop(void);

// NULL if PMD threads may not use it.
const struct eal_cpu *eal_cpu_find(const struct eal *eal, unsigned id);

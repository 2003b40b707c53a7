// SPDX-License-Identifier: Apache-2.0
#include "datapath/eal.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "datapath/huge_pages.h"
#include "datapath/log.h"

// The NUMA node of a CPU, from the name of the directory entry that sysfs has for it.
static int cpu_numa(unsigned cpu)
{
	char pattern[96];
	glob_t found;
	int numa = 0;

	snprintf(pattern, sizeof(pattern), "/sys/devices/system/cpu/cpu%u/node[0-9]*", cpu);
	if (glob(pattern, 0, NULL, &found) != 0)
		return 0;
	sscanf(strrchr(found.gl_pathv[0], '/'), "/node%d", &numa);
	globfree(&found);
	return numa;
}

static void cpus_find(struct eal *eal)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		CPU_SET(0, &set);
	for (unsigned cpu = 0; cpu < CPU_SETSIZE && eal->cpu_count < EAL_CPUS_MAX; cpu++) {
		if (CPU_ISSET(cpu, &set))
			eal->cpus[eal->cpu_count++] = (struct eal_cpu){cpu, cpu_numa(cpu)};
	}
}

const struct eal_cpu *eal_cpu_find(const struct eal *eal, unsigned id)
{
	for (unsigned i = 0; i < eal->cpu_count; i++) {
		if (eal->cpus[i].id == id)
			return &eal->cpus[i];
	}
	return NULL;
}

// Choose the control thread's core and stay there, before DPDK starts threads of its own: they
// take over our affinity, and must not disturb PMD threads.
static bool core_choose(struct eal *eal, int core, struct rpc_error *error)
{
	cpu_set_t set;

	eal->core = core >= 0 ? (unsigned)core : eal->cpus[0].id;
	CPU_ZERO(&set);
	if (eal->core < CPU_SETSIZE)
		CPU_SET(eal->core, &set);
	if (eal_cpu_find(eal, eal->core) && sched_setaffinity(0, sizeof(set), &set) == 0)
		return true;
	rpc_error_set(
		error, RPC_REFUSED, "--lcore %u: this process may not use that CPU", eal->core);
	return false;
}

static bool huge_choose(const struct eal_options *options, struct rpc_error *error, bool *huge)
{
	uint64_t available = options->huge == HUGE_OFF ? 0 : huge_pages_free(-1) >> 20;

	*huge = options->huge != HUGE_OFF && available >= EAL_HUGE_MIN;
	if (*huge || options->huge == HUGE_OFF)
		return true;
	if (options->huge == HUGE_ON) {
		rpc_error_set(error, RPC_REFUSED,
			"%lu MB of huge pages are free, at least %d are needed; reserve some "
			"(sysctl -w vm.nr_hugepages=512), or start with --no-huge",
			(unsigned long)available, EAL_HUGE_MIN);
		return false;
	}
	log_warning("working without huge pages (%lu MB of them are free): slower, and physical "
		    "network cards may be out of reach; to have some: sysctl -w "
		    "vm.nr_hugepages=512",
		(unsigned long)available);
	return true;
}

// The argument list of rte_eal_init(). Lives in static storage, which DPDK may keep pointers to.
#define ARGUMENTS_MAX 64

static struct {
	int count;
	char *items[ARGUMENTS_MAX + 1];
	char lcores[32], memory[16], extra[2048];
} arguments;

static void argument_add(const char *text)
{
	if (arguments.count < ARGUMENTS_MAX)
		arguments.items[arguments.count++] = (char *)text;
}

static void arguments_build(const struct eal *eal, const struct eal_options *options)
{
	char *save = NULL;

	snprintf(arguments.lcores, sizeof(arguments.lcores), "--lcores=0@%u", eal->core);
	snprintf(arguments.memory, sizeof(arguments.memory), "%u",
		options->memory   ? options->memory
		: eal->huge_pages ? 0
				  : EAL_PLAIN_MEMORY);
	argument_add("datapathd");
	argument_add(arguments.lcores);
	argument_add("--file-prefix=datapathd");
	argument_add("--no-telemetry");
	argument_add("--allow=0000:00:00.0");
	// Either way nothing but an empty directory appears in the file system.
	if (eal->huge_pages) {
		argument_add("--in-memory");
		argument_add("--single-file-segments");
	} else {
		argument_add("--no-huge");
		argument_add("--no-shconf");
		argument_add("--iova-mode=va");
	}
	if (options->memory || !eal->huge_pages) {
		argument_add("-m");
		argument_add(arguments.memory);
	}
	snprintf(arguments.extra, sizeof(arguments.extra), "%s",
		options->extra ? options->extra : "");
	for (char *word = strtok_r(arguments.extra, " ", &save); word;
		word = strtok_r(NULL, " ", &save))
		argument_add(word);
}

bool eal_start(struct eal *eal, const struct eal_options *options, struct rpc_error *error)
{
	int result;

	memset(eal, 0, sizeof(*eal));
	cpus_find(eal);
	if (!core_choose(eal, options->core, error) ||
		!huge_choose(options, error, &eal->huge_pages))
		return false;
	arguments_build(eal, options);
	// DPDK makes the directory dpdk/PREFIX here; the run directory is ours alone.
	setenv("RUNTIME_DIRECTORY", options->rundir, 1);
	log_set_dpdk_levels();
	log_capture_start();
	result = rte_eal_init(arguments.count, arguments.items);
	if (result < 0) {
		// For wrong arguments, DPDK prints pages of usage. The error has to come after it:
		// vswitchd quotes the last line of the log.
		fflush(stdout);
		rpc_error_set(error, RPC_REFUSED, "DPDK does not start (%s): %s%s",
			rte_strerror(rte_errno), log_capture_stop(),
			options->extra && *options->extra ? "; look at --eal" : "");
		return false;
	}
	log_capture_stop();
	log_set_dpdk_levels();
	return true;
}

void eal_stop(void)
{
	char directory[PATH_MAX];

	snprintf(directory, sizeof(directory), "%s", rte_eal_get_runtime_dir());
	rte_eal_cleanup();
	rmdir(directory);
	if (strrchr(directory, '/'))
		*strrchr(directory, '/') = '\0';
	rmdir(directory);
}

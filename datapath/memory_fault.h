// SPDX-License-Identifier: Apache-2.0
#pragma once

// Memory that is taken away while we use it. A guest shares a file with us; when it makes that file
// shorter, whoever touches what is gone gets SIGBUS, at any instruction, in any thread. The handler
// puts zeros there (the whole mapping, privately, so the guest sees none of what is written), lets
// the thread go on, and has the control thread told, who then hangs up on the guest.
//
// That is for mappings of files that others share with us, in the sense of mmap(2), and never for
// DPDK's own memory: a fault there ends the process, as it should.
//
// Weak point: while DPDK takes another huge page, on the control thread, it has a handler of its
// own, which takes any SIGBUS for a want of huge pages.

#include <stdbool.h>
#include <stdint.h>

struct memory_fault {
	uintptr_t start, end; // the mapping
	const void *owner;    // of the thread's work at that time, see below
};

// Handle faults from now on; what is written to `wake_fd`, an eventfd, tells of them. False with
// errno.
bool memory_fault_start(int wake_fd);

// The next fault that nobody has taken yet. Control thread.
bool memory_fault_take(struct memory_fault *fault);

// For whom this thread works, if it is not the memory that tells; only for comparing.
extern __thread const void *memory_fault_owner;

// SPDX-License-Identifier: Apache-2.0
#pragma once

// Log lines on standard error: time, program, level, text. PMD threads never log.
//
// DPDK's own messages come out the same way. While a thread captures, the first error messages
// that DPDK logs on that thread are kept as well: they are the best explanation that there is of
// why a driver refused a device, and go into the answer.

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

// By name; -1 if there is none.
int log_level_find(const char *name);

void log_start(enum log_level level); // before DPDK's start; takes over DPDK's log stream
void log_set_dpdk_levels(void);       // before and after DPDK's start, which loads drivers
void log_stop(void);

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Of what guests and others bring about, who may do so without end: no more than log_limit.h says.
// What DPDK logs is of this kind. Any thread.
void log_write_limited(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

// Control thread. Returns what was captured since log_capture_start(): "" or a text without a
// newline, valid until the next start.
void log_capture_start(void);
const char *log_capture_stop(void);

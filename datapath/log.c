// SPDX-License-Identifier: Apache-2.0
#include "datapath/log.h"

#include <ctype.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <rte_common.h>
#include <rte_log.h>

#include "base/steady_clock.h"
#include "datapath/log_limit.h"

static const char *const level_names[] = {"error", "warning", "info", "debug"};

static struct {
	enum log_level level;
	FILE *dpdk;          // the stream that DPDK writes to
	pthread_t capturing; // the control thread, if capture_on
	bool capture_on;
	pthread_mutex_t limit_lock;
	struct log_limit limit;
	char captured[512];
} logging = {.level = LOG_LEVEL_INFO, .limit_lock = PTHREAD_MUTEX_INITIALIZER};

int log_level_find(const char *name)
{
	for (int i = 0; i < (int)RTE_DIM(level_names); i++) {
		if (strcasecmp(level_names[i], name) == 0)
			return i;
	}
	return -1;
}

static void line_print(enum log_level level, const char *text, size_t length)
{
	struct timespec now;
	struct tm utc;
	char time[40];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(time, sizeof(time), "%Y-%m-%dT%H:%M:%S", &utc);
	fprintf(stderr, "%s.%03ldZ datapathd %s: %.*s\n", time, now.tv_nsec / 1000000,
		level_names[level], (int)length, text);
}

// Of what others bring about.
static void line_print_limited(enum log_level level, const char *text, size_t length)
{
	char note[64];
	uint64_t left_out = 0;
	bool good;

	pthread_mutex_lock(&logging.limit_lock);
	good = logging.level >= LOG_LEVEL_DEBUG ||
	       log_limit_take(&logging.limit, steady_ms(), &left_out);
	pthread_mutex_unlock(&logging.limit_lock);
	if (left_out > 0) {
		snprintf(note, sizeof(note), "%llu messages like this were left out",
			(unsigned long long)left_out);
		line_print(LOG_LEVEL_WARNING, note, strlen(note));
	}
	if (good)
		line_print(level, text, length);
}

static void line_format(enum log_level level, const char *format, va_list arguments,
	void (*print)(enum log_level level, const char *text, size_t length))
{
	char text[1024];

	if (level > logging.level)
		return;
	vsnprintf(text, sizeof(text), format, arguments);
	print(level, text, strlen(text));
}

void log_write(enum log_level level, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	line_format(level, format, arguments, line_print);
	va_end(arguments);
}

void log_write_limited(enum log_level level, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	line_format(level, format, arguments, line_print_limited);
	va_end(arguments);
}

// Without the name of the driver's function that most messages begin with.
static const char *function_skip(const char *text, size_t length)
{
	size_t i = 0;

	while (i < length && (isalnum((unsigned char)text[i]) || text[i] == '_'))
		i++;
	return i > 0 && i + 4 < length && memcmp(text + i, "(): ", 4) == 0 ? text + i + 4 : text;
}

// Keep what explains a failure: errors, in the order in which they came, as long as there is room.
static void capture(const char *text, size_t length)
{
	size_t used = strlen(logging.captured);
	size_t room = sizeof(logging.captured) - used;
	const char *start = function_skip(text, length);

	length -= (size_t)(start - text);
	text = start;
	if (length + 3 < room)
		snprintf(logging.captured + used, room, "%s%.*s", used ? "; " : "", (int)length,
			text);
}

// One call per message, on the thread that logs.
static ssize_t dpdk_write(void *cookie, const char *text, size_t size)
{
	uint32_t dpdk_level = (uint32_t)rte_log_cur_msg_loglevel();
	enum log_level level = dpdk_level <= RTE_LOG_ERR       ? LOG_LEVEL_ERROR
			       : dpdk_level == RTE_LOG_WARNING ? LOG_LEVEL_WARNING
			       : dpdk_level <= RTE_LOG_INFO    ? LOG_LEVEL_INFO
							       : LOG_LEVEL_DEBUG;
	size_t length = size;

	while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' '))
		length--;
	if (length == 0)
		return (ssize_t)size;
	if (logging.capture_on && level == LOG_LEVEL_ERROR &&
		pthread_equal(pthread_self(), logging.capturing)) {
		capture(text, length);
		level = LOG_LEVEL_DEBUG; // it will be in the answer
	}
	if (level <= logging.level)
		line_print_limited(level, text, length);
	return (ssize_t)size;
}

void log_start(enum log_level level)
{
	cookie_io_functions_t functions = {.write = dpdk_write};

	logging.level = level;
	logging.dpdk = fopencookie(NULL, "w", functions);
	if (logging.dpdk)
		rte_openlog_stream(logging.dpdk);
}

void log_set_dpdk_levels(void)
{
	static const uint32_t levels[] = {
		RTE_LOG_ERR, RTE_LOG_WARNING, RTE_LOG_WARNING, RTE_LOG_DEBUG};

	// Errors always, for the capture.
	rte_log_set_level_pattern("*", levels[logging.level]);
	// EAL warns of every size of huge page of which there are none.
	rte_log_set_level_pattern(
		"lib.eal", logging.level < LOG_LEVEL_DEBUG ? RTE_LOG_ERR : RTE_LOG_DEBUG);
	// Every failed attempt to connect to a guest that is not there yet is a warning.
	rte_log_set_level_pattern(
		"lib.vhost.config", logging.level < LOG_LEVEL_DEBUG ? RTE_LOG_ERR : RTE_LOG_DEBUG);
	rte_log_set_level_pattern("lib.vhost.data", RTE_LOG_ERR);
}

void log_stop(void)
{
	rte_openlog_stream(NULL);
	if (logging.dpdk)
		fclose(logging.dpdk);
	logging.dpdk = NULL;
}

void log_capture_start(void)
{
	logging.captured[0] = '\0';
	logging.capturing = pthread_self();
	__atomic_store_n(&logging.capture_on, true, __ATOMIC_RELEASE);
}

const char *log_capture_stop(void)
{
	__atomic_store_n(&logging.capture_on, false, __ATOMIC_RELEASE);
	return logging.captured;
}

// SPDX-License-Identifier: Apache-2.0
#include "vswitch/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const level_names[] = {"error", "warning", "info", "debug"};
static enum log_level threshold = LOG_LEVEL_INFO;

void log_set_level(const char *name)
{
	for (int i = 0; i < 4; i++) {
		if (strcmp(level_names[i], name) == 0)
			threshold = i;
	}
}

void log_write(enum log_level level, const char *format, ...)
{
	struct timespec now;
	struct tm parts;
	char stamp[40];
	char text[2048];
	va_list args;

	if (level > threshold)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &parts);
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	// One write per line, so that lines of two processes on one terminal stay whole.
	fprintf(stderr, "%s.%03ldZ %s %s\n", stamp, now.tv_nsec / 1000000, level_names[level],
		text);
}

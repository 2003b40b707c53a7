// SPDX-License-Identifier: Apache-2.0

#include "pipeline/flow_error.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const kind_names[FLOW_ERROR_KIND_COUNT] = {
#define FLOW_ERROR_KIND(ID, NAME) [FLOW_ERROR_##ID] = NAME,
	FLOW_ERROR_KINDS
#undef FLOW_ERROR_KIND
};

const char *flow_error_kind_name(enum flow_error_kind kind)
{
	return (unsigned)kind < FLOW_ERROR_KIND_COUNT ? kind_names[kind] : "unknown";
}

int flow_error_set(struct flow_error *error, enum flow_error_kind kind, const char *field,
	const char *format, ...)
{
	va_list arguments;

	error->kind = kind;
	error->offset = 0;
	error->length = 0;
	error->hint[0] = '\0';
	snprintf(error->field, sizeof(error->field), "%s", field ? field : "");
	va_start(arguments, format);
	vsnprintf(error->message, sizeof(error->message), format, arguments);
	va_end(arguments);
	// What is quoted may be anything, and ends up on terminals.
	for (char *at = error->message; *at != '\0'; at++)
		*at = iscntrl((unsigned char)*at) ? '?' : *at;
	return -EINVAL;
}

// SPDX-License-Identifier: Apache-2.0
#include "rpc/rpc_error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void rpc_error_set(struct rpc_error *error, int code, const char *format, ...)
{
	va_list arguments;
	char message[sizeof(error->message)];

	// Formatted aside first, because an argument may be the old message.
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	json_decref(error->data);
	error->data = NULL;
	error->code = code;
	memcpy(error->message, message, sizeof(message));
}

void rpc_error_clear(struct rpc_error *error)
{
	json_decref(error->data);
	memset(error, 0, sizeof(*error));
}

json_t *rpc_error_to_json(const struct rpc_error *error)
{
	char message[sizeof(error->message)];
	json_t *text;
	json_t *object;

	snprintf(message, sizeof(message), "%s", error->message);
	text = json_string(message);
	if (text == NULL) {
		// Not UTF-8: bytes of some input were quoted, or a long message was cut inside a
		// character. An answer is owed in any case, so it loses everything beyond ASCII.
		for (char *c = message; *c != '\0'; c++)
			if ((unsigned char)*c >= 0x80)
				*c = '?';
		text = json_string(message);
	}
	object = json_pack("{s:i, s:o}", "code", error->code, "message", text);
	if (object != NULL && error->data != NULL)
		json_object_set(object, "data", error->data);
	return object;
}

void rpc_error_from_json(struct rpc_error *error, json_t *object)
{
	json_t *code = json_object_get(object, "code");
	const char *message = json_string_value(json_object_get(object, "message"));

	rpc_error_set(error, json_is_integer(code) ? (int)json_integer_value(code) : 0, "%s",
		message != NULL ? message : "the error came without a message");
	if (error->code == 0)
		error->code = RPC_INTERNAL_ERROR;
	error->data = json_incref(json_object_get(object, "data"));
}

// SPDX-License-Identifier: Apache-2.0
#include "datapath/frame_hex.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/trace.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

uint8_t *frame_from_hex(const char *hex, size_t *length, struct rpc_error *error)
{
	size_t digits = strlen(hex);
	uint8_t *frame;

	*length = digits / 2;
	if (digits % 2 || digits == 0 || *length > TRACE_FRAME_MAX) {
		rpc_error_set(error, RPC_REFUSED,
			"frame: %zu hexadecimal digits; give two for each of 1 to %d bytes", digits,
			TRACE_FRAME_MAX);
		return NULL;
	}
	frame = malloc(*length);
	for (size_t i = 0; frame && i < *length; i++) {
		int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);

		if (high < 0 || low < 0) {
			rpc_error_set(error, RPC_REFUSED,
				"frame: \"%.2s\" at digit %zu is no hexadecimal byte", hex + 2 * i,
				2 * i + 1);
			free(frame);
			return NULL;
		}
		frame[i] = (uint8_t)(high << 4 | low);
	}
	if (!frame)
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
	return frame;
}

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "rpc/rpc_error.h"

// A frame from its hexadecimal digits, two a byte without anything between. malloc()ed; NULL with
// *error.
uint8_t *frame_from_hex(const char *hex, size_t *length, struct rpc_error *error);

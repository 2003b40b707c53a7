// SPDX-License-Identifier: Apache-2.0
#pragma once

// Reading a file of flows whole.

#include <stddef.h>

#include "rpc/rpc_error.h"

// The text of a file, "-" for the standard input, as a malloc()ed string. NULL with *error if it
// cannot be read, or is no text (NUL bytes, invalid UTF-8; says the line).
char *input_file_read(const char *path, struct rpc_error *error);

// How the file is called in messages.
const char *input_file_name(const char *path);

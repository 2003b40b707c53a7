// SPDX-License-Identifier: Apache-2.0
#pragma once

// Has a write-ahead log lost anything that was acknowledged? SQLite ends its reading at the first
// frame whose checksum is wrong, and takes no notice of a log whose header is: what is after that
// is lost without a word. Most often nothing is, it is what was being written when the power
// failed.
//
// A transaction begins to be written only after the one before is on disk (synchronous=FULL). So a
// bad frame with a whole transaction after it, and the beginning of one more after that, was good
// once. Damage of the last transaction alone cannot be told from one that was not finished. Format
// and checksum: "WAL-mode File Format" in SQLite's documents.
//
// A pure function of bytes, on any thread.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool store_log_is_whole(const uint8_t *log, size_t size);

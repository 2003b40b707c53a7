// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the kernel has in huge pages.

#include <stdint.h>

// Bytes of free huge pages, of all sizes, on a NUMA node (-1: on all).
uint64_t huge_pages_free(int numa);

// SPDX-License-Identifier: Apache-2.0
#pragma once

// One frame of a capture file in the classic pcap format (libpcap's; either byte order, micro- or
// nanoseconds, link type Ethernet).

#include "rpc/rpc_error.h"

// The frame that `place`, "FILE" or "FILE:N", names: the N-th, from 1, in hexadecimal as a
// malloc()ed string. NULL with *error.
char *pcap_file_frame(const char *place, struct rpc_error *error);

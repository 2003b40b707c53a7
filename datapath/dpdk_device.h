// SPDX-License-Identifier: Apache-2.0
#pragma once

// Finding, probing and removing DPDK devices, PCI or virtual, with errors that say what to do.
// Control thread.

#include <stdbool.h>
#include <stdint.h>

#include "rpc/rpc_error.h"

#define DEVICE_NAME_SIZE 64

struct dpdk_device {
	char name[DEVICE_NAME_SIZE]; // net_pcap0, 0000:03:00.0
	char bus[16];
	uint16_t id; // ethdev port
};

// `devargs` as in the option of that name. False with *error, and no device is left behind.
bool dpdk_device_probe(struct dpdk_device *device, const char *devargs, struct rpc_error *error);

// The ethdev port has been closed.
void dpdk_device_remove(const struct dpdk_device *device);

// SPDX-License-Identifier: Apache-2.0
#pragma once

// Features of virtio-net and vhost-user by name, and those that guests are not offered. Pure.

#include <stdint.h>

#include <jansson.h>

// What would let guests leave checksums and segmentation to the switch, or send it such packets:
// ports of other kinds could not take them.
extern const uint64_t vhost_features_refused;

// Bits.
#define VHOST_FEATURE_MERGEABLE 15 // VIRTIO_NET_F_MRG_RXBUF
#define VHOST_FEATURE_MQ 22        // VIRTIO_NET_F_MQ
#define VHOST_FEATURE_LOG_ALL 26   // what the device writes is to be logged
#define VHOST_FEATURE_EVENT_IDX 29
#define VHOST_FEATURE_VERSION_1 32
#define VHOST_FEATURE_IOMMU_PLATFORM 33
#define VHOST_FEATURE_PACKED 34

// Append the names of the bits of `features` to the array `names`; bits without a name as "bit 7".
void vhost_features_name(uint64_t features, json_t *names);

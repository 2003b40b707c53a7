// SPDX-License-Identifier: Apache-2.0
#pragma once

// Features of virtio-net and vhost-user by name, and those that guests are not offered. Pure.

#include <stdint.h>

#include <jansson.h>

// What would let guests leave checksums and segmentation to the switch, or send it such packets:
// ports of other kinds could not take them.
extern const uint64_t vhost_features_refused;

#define VHOST_FEATURE_MERGEABLE 15 // VIRTIO_NET_F_MRG_RXBUF
#define VHOST_FEATURE_PACKED 34

// Append the names of the bits of `features` to the array `names`; bits without a name as "bit 7".
void vhost_features_name(uint64_t features, json_t *names);

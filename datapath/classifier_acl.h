// SPDX-License-Identifier: Apache-2.0
#pragma once

// A classifier on rte_acl: multi-bit tries over the bytes of a key. DPDK's memory has to be there
// (rte_eal_init) before anything is built, and until everything is destroyed.

#include "pipeline/classifier.h"

extern const struct classifier classifier_acl;

// SPDX-License-Identifier: Apache-2.0
#pragma once

// Token buckets on rte_meter (the committed bucket of RFC 2697's single rate marker), one per band
// of a meter, under one lock per meter. create and destroy: control thread; charge: any thread.

#include "pipeline/pipeline.h"

extern const struct metering datapath_metering;

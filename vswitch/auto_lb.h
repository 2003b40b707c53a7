// SPDX-License-Identifier: Apache-2.0
#pragma once

// pmd-auto-lb: queues are rebalanced without anybody asking when a packet thread has been
// overloaded for a minute, if that improves matters enough. Keys and thresholds are Open vSwitch's.

#include "vswitch/vswitch.h"

// Once a second.
void auto_lb_step(struct vswitch *vs);

// SPDX-License-Identifier: Apache-2.0
#pragma once

// What clients of vswitchd can subscribe to: the packets that flows send to the controller, which
// datapathd hands over as `packet.in` and which go on to those who asked for them.

#include <jansson.h>

#include "rpc/rpc_params.h"
#include "vswitch/vswitch.h"

extern const struct rpc_event packet_events[]; // for rpc_server_set_events()

// Pass a packet.in of the datapath on, with the name of the port added. May come in the midst of a
// call to the datapath: it looks at the model, and changes nothing. Keeps nothing of params.
void packet_in_forward(struct vswitch *vs, const json_t *params);

// SPDX-License-Identifier: Apache-2.0
#pragma once

// The notifications that tell of state, besides flow.removed (flow_removal.h): what they say, and
// when. They go to the journal (event_log.h), may come in the midst of a call to the datapath, and
// change nothing.

#include <jansson.h>

#include "vswitch/vswitch.h"

// A datapath is connected and up to date: datapath.changed, and port.changed of all ports, since
// nobody knows what happened to them meanwhile.
void state_events_connected(struct vswitch *vs);

// There is none.
void state_events_disconnected(struct vswitch *vs);

// Something about a port. Told once, however often it comes before it is sent.
void state_events_port(struct vswitch *vs, const char *name);

// All ports.
void state_events_ports(struct vswitch *vs);

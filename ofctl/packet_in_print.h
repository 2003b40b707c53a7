// SPDX-License-Identifier: Apache-2.0
#pragma once

// Events as ofctl monitor prints them: a packet that a flow sent to the controller, in two lines
// much like those of ovs-ofctl,
//
//	packet-in: table_id=0 cookie=0x5 total_len=60 in_port=1 (via action) data_len=60
//	  udp,in_port=1,dl_src=...,tp_src=1000,tp_dst=2000
//
// the second of which is a match that such packets have; and a flow that ended. Pure, but for
// writing to `out`.

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

// `names`: write the port by name. Members that are missing are left out.
void packet_in_print(const json_t *packet_in, bool names, FILE *out);

void flow_removed_print(const json_t *flow_removed, FILE *out);

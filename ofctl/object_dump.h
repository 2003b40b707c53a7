// SPDX-License-Identifier: Apache-2.0
#pragma once

// Lines of dump-groups, dump-meters and their statistics: from the items of group.dump and
// meter.dump to the text that people parse with awk, in the shape that Open vSwitch gives it. Pure,
// but for writing to `out`.

#include <stdio.h>

#include <jansson.h>

// " group_id=1,type=select,bucket=bucket_id:0,weight:100,actions=output:1"
void group_dump_print(const json_t *group, FILE *out);

// " group_id=1,duration=5.3s,ref_count=1,packet_count=0,byte_count=0,bucket0:packet_count=0,..."
void group_stats_print(const json_t *group, FILE *out);

// "meter=1 kbps burst bands=", and a line for each band: "type=drop rate=1000 burst_size=100"
void meter_dump_print(const json_t *meter, FILE *out);

// "meter:1 flow_count:1 packet_in_count:0 byte_in_count:0 duration:5.3s bands:", and a line for
// each band: "0: packet_count:0 byte_count:0"
void meter_stats_print(const json_t *meter, FILE *out);

// SPDX-License-Identifier: Apache-2.0
#pragma once

// A datapath without packets, in a process of its own: answers what datapathd answers, by applying
// calls to a state, and refuses what would make no sense, so that a wrong step is seen. On top of
// that it refuses
//   port.add   of ports whose type is "refused", or "flaky" while the file RUNDIR/flaky exists
//   flow.apply with any flow of priority 666, any group or meter 666, and what would leave a flow
//              or a group that names what is not there
// sends what packet.out gets back as a packet.in notification, before it answers, and has counted
// what is written in group_stats() and meter_stats() on group and meter 3, and one packet, idle for
// as long as its number, on flows of priority 1000 + seconds. A queue takes as many percent of a core as
// the number in its port's name says.

#include <sys/types.h>

pid_t fake_datapath_start(const char *rundir);
void fake_datapath_kill(pid_t pid);

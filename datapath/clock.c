// SPDX-License-Identifier: Apache-2.0
#include "datapath/clock.h"

struct clock_base clock_base = {0, 1};

void clock_start(void)
{
	clock_base.per_ms = rte_get_tsc_hz() / 1000;
	clock_base.start = rte_rdtsc();
}

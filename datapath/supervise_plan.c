// SPDX-License-Identifier: Apache-2.0
#include "datapath/supervise_plan.h"

#define SUCCESSION_LOOK_MS 20

int supervise_plan(const struct supervise_view *view)
{
	if (view->worker)
		return SUPERVISE_SLEEP;
	if (view->holder)
		return SUPERVISE_LOOK_MS;
	// In a handover the old one is gone before the new one has its names.
	if (view->successor && view->vacant_ms < SUPERVISE_SUCCESSION_MS)
		return SUCCESSION_LOOK_MS;
	if (view->pause_ms > 0)
		return (int)view->pause_ms;
	return SUPERVISE_START;
}

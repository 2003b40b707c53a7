// SPDX-License-Identifier: Apache-2.0
#include "datapath/counters.h"

bool drop_reason_is_transmit(enum drop_reason reason)
{
	return reason == DROP_TX_FULL || reason == DROP_TX_DOWN || reason == DROP_TX_TOO_LONG;
}

static void add(uint64_t *sum, const uint64_t *counter)
{
	*sum += __atomic_load_n(counter, __ATOMIC_RELAXED);
}

void port_counters_add(struct port_counters *sum, const struct port_counters *counters)
{
	add(&sum->rx_packets, &counters->rx_packets);
	add(&sum->rx_bytes, &counters->rx_bytes);
	add(&sum->tx_packets, &counters->tx_packets);
	add(&sum->tx_bytes, &counters->tx_bytes);
	add(&sum->copies, &counters->copies);
	add(&sum->forwarded, &counters->forwarded);
	for (int reason = 0; reason < DROP_REASON_COUNT; reason++)
		add(&sum->drops[reason], &counters->drops[reason]);
}

static uint64_t drops_sum(const struct port_counters *counters, bool transmit)
{
	uint64_t sum = 0;

	for (int reason = 0; reason < DROP_REASON_COUNT; reason++) {
		if (reason != DROP_CONSUMED && drop_reason_is_transmit(reason) == transmit)
			sum += counters->drops[reason];
	}
	return sum;
}

uint64_t port_counters_rx_dropped(const struct port_counters *counters)
{
	return drops_sum(counters, false);
}

uint64_t port_counters_tx_dropped(const struct port_counters *counters)
{
	return drops_sum(counters, true);
}

int64_t port_counters_unaccounted(const struct port_counters *counters)
{
	return (int64_t)(counters->rx_packets + counters->copies - counters->forwarded -
			 drops_sum(counters, false) - counters->drops[DROP_CONSUMED]);
}

json_t *port_counters_drops(const struct port_counters *counters)
{
	json_t *drops = json_object();

	for (int reason = 0; drops && reason < DROP_REASON_COUNT; reason++) {
		if (counters->drops[reason] != 0)
			json_object_set_new(drops, drop_reason_name(reason),
				json_integer((json_int_t)counters->drops[reason]));
	}
	return drops;
}

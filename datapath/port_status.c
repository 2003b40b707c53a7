// SPDX-License-Identifier: Apache-2.0

// What port.status answers with.

#include <stdio.h>
#include <string.h>

#include "datapath/bridge.h"
#include "datapath/datapath.h"
#include "datapath/port.h"

const char *port_state_name(enum port_state state)
{
	static const char *const names[] = {
		[PORT_LISTENING] = "listening",
		[PORT_CONNECTING] = "connecting",
		[PORT_NEGOTIATED] = "negotiated",
		[PORT_RUNNING] = "running",
		[PORT_UP] = "up",
		[PORT_DOWN] = "down",
		[PORT_ERROR] = "error",
	};

	return names[state];
}

static void set_number(json_t *object, const char *name, uint64_t value)
{
	json_object_set_new(object, name, json_integer((json_int_t)value));
}

static void set_queue_number(
	json_t *object, const char *direction, unsigned queue, uint64_t packets)
{
	char name[32];

	snprintf(name, sizeof(name), "%s_q%u_packets", direction, queue);
	set_number(object, name, packets);
}

// Of the queues that there are now. Queues that were there before have their share of the sums.
static void queue_statistics(struct port *port, const struct port_view *view, json_t *object)
{
	for (unsigned queue = 0; queue < RTE_MIN(view->n_rxq, (unsigned)PORT_QUEUES); queue++)
		set_queue_number(object, "rx", queue,
			__atomic_load_n(&port->queues[queue].packets, __ATOMIC_RELAXED));
	if (!port->ops->tx_packets)
		return;
	for (unsigned queue = 0; queue < RTE_MIN(view->n_txq, (unsigned)PORT_QUEUES); queue++)
		set_queue_number(object, "tx", queue, port->ops->tx_packets(port, (uint16_t)queue));
}

static json_t *statistics(
	struct port *port, const struct port_view *view, const struct port_counters *sum)
{
	struct port_losses losses = {0};
	json_t *object = json_object();

	port->ops->losses(port, &losses);
	set_number(object, "rx_packets", sum->rx_packets);
	set_number(object, "rx_bytes", sum->rx_bytes);
	set_number(object, "tx_packets", sum->tx_packets);
	set_number(object, "tx_bytes", sum->tx_bytes);
	set_number(object, "rx_dropped", port_counters_rx_dropped(sum));
	set_number(object, "tx_dropped", port_counters_tx_dropped(sum));
	set_number(object, "rx_errors", losses.rx_errors);
	set_number(object, "tx_errors", losses.tx_errors);
	set_number(object, "rx_missed", losses.rx_missed);
	set_number(object, "rx_no_buffer", losses.rx_no_buffer);
	queue_statistics(port, view, object);
	return object;
}

static json_t *status_of(struct port *port)
{
	struct port_view view = {0};
	struct port_counters sum;
	char mac[18];
	json_t *features = json_array(), *status = json_object();

	port->ops->view(port, &view);
	port->ops->details(port, features, status);
	port_counters_get(port, &sum);
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", view.mac[0], view.mac[1],
		view.mac[2], view.mac[3], view.mac[4], view.mac[5]);
	return json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:b, s:i, s:s, s:i, s:i, s:i, s:i,"
			 " s:o, s:o, s:o, s:o, s:I, s:I, s:I}",
		"name", port->settings.name, "bridge", port->bridge->name, "type",
		port_type_get(port->type)->name, "ofport", (int)port->number, "state",
		port_state_name(view.state), "error", view.error, "link", view.link, "speed",
		(int)view.speed, "mac", mac, "mtu", (int)port->settings.mtu, "numa", view.numa,
		"n_rxq", (int)view.n_rxq, "n_txq", (int)view.n_txq, "features", features, "status",
		status, "statistics", statistics(port, &view, &sum), "drops",
		port_counters_drops(&sum), "copies", (json_int_t)sum.copies, "forwarded",
		(json_int_t)sum.forwarded, "ready_us",
		(json_int_t)__atomic_load_n(&port->ready_us, __ATOMIC_RELAXED));
}

json_t *ports_status(struct datapath *datapath, const struct port *only)
{
	json_t *all = json_array();

	for (unsigned i = 0; i < PORTS_MAX; i++) {
		struct port *port = datapath->ports[i];

		if (port && (!only || port == only))
			json_array_append_new(all, status_of(port));
	}
	return all;
}

// SPDX-License-Identifier: Apache-2.0
#include "datapath/dpdk_wake.h"

#include <dirent.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <rte_ethdev.h>

// Is it a packet socket of this interface?
static bool is_packet_socket(int descriptor, unsigned interface)
{
	struct sockaddr_ll address = {0};
	socklen_t size = sizeof(address);

	return getsockname(descriptor, (struct sockaddr *)&address, &size) == 0 &&
	       address.sll_family == AF_PACKET && (unsigned)address.sll_ifindex == interface;
}

// net_af_packet keeps its sockets to itself. One that is the only one of its interface is the one.
static int packet_socket_find(unsigned interface)
{
	DIR *folder = opendir("/proc/self/fd");
	const struct dirent *entry;
	int found = -1;
	unsigned count = 0;

	while (folder && (entry = readdir(folder))) {
		int descriptor = atoi(entry->d_name);

		if (entry->d_name[0] == '.' || !is_packet_socket(descriptor, interface))
			continue;
		found = descriptor;
		count++;
	}
	if (folder)
		closedir(folder);
	return count == 1 ? found : -1;
}

// The descriptors of net_tap are those that it reads frames from. It does only after a signal has
// told it that there are some, and that may come after the descriptor has become readable: so it
// has to wake until it has been read. Those of interrupts count, and need not be read.
static void interrupts_find(struct dpdk_wake *wake, uint16_t n_rxq, const char *driver)
{
	wake->edge = strcmp(driver, "net_tap") != 0;
	for (uint16_t queue = 0; queue < n_rxq; queue++)
		wake->descriptors[queue] = rte_eth_dev_rx_intr_ctl_q_get_fd(wake->id, queue);
	// Drivers whose interrupts are always on say that they cannot switch them.
	wake->interrupts = rte_eth_dev_rx_intr_disable(wake->id, 0) == 0;
}

void dpdk_wake_find(struct dpdk_wake *wake, uint16_t id, uint16_t n_rxq)
{
	static uint64_t serial;
	struct rte_eth_dev_info info = {0};

	*wake = (struct dpdk_wake){.id = id, .serial = ++serial};
	memset(wake->descriptors, -1, sizeof(wake->descriptors));
	if (rte_eth_dev_info_get(id, &info) != 0)
		return;
	if (strcmp(info.driver_name, "net_af_packet") != 0)
		interrupts_find(wake, n_rxq, info.driver_name);
	else if (n_rxq == 1)
		wake->descriptors[0] = packet_socket_find(info.if_index);
}

const char *dpdk_wake_name(const struct dpdk_wake *wake)
{
	if (wake->descriptors[0] < 0)
		return "timer";
	return wake->interrupts ? "interrupt" : "descriptor";
}

void dpdk_wake_arm(const struct dpdk_wake *wake, uint16_t queue, struct wake_source *source)
{
	int descriptor = wake->descriptors[queue];

	if (descriptor < 0 ||
		(wake->interrupts && rte_eth_dev_rx_intr_enable(wake->id, queue) != 0))
		return;
	*source = (struct wake_source){WAKE_BY_DESCRIPTOR, descriptor, wake->edge, wake->serial};
}

void dpdk_wake_disarm(const struct dpdk_wake *wake, uint16_t queue)
{
	if (wake->interrupts && wake->descriptors[queue] >= 0)
		rte_eth_dev_rx_intr_disable(wake->id, queue);
}

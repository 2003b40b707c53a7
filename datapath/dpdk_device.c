// SPDX-License-Identifier: Apache-2.0
#include "datapath/dpdk_device.h"

#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_bus.h>
#include <rte_bus_pci.h>
#include <rte_bus_vdev.h>
#include <rte_dev.h>
#include <rte_devargs.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include "base/lockdown.h"
#include "datapath/log.h"
#include "datapath/port.h"

// --- PCI ---

// The kernel driver that a PCI device is bound to, or "".
static void kernel_driver(const char *address, char *driver, size_t size)
{
	char link[PATH_MAX], target[PATH_MAX];
	ssize_t length;

	driver[0] = '\0';
	snprintf(link, sizeof(link), "/sys/bus/pci/devices/%s/driver", address);
	length = readlink(link, target, sizeof(target) - 1);
	if (length <= 0)
		return;
	target[length] = '\0';
	snprintf(driver, size, "%.60s", strrchr(target, '/') ? strrchr(target, '/') + 1 : target);
}

// Drivers through which DPDK reaches a card. Those of Mellanox keep it in the kernel as well.
static bool driver_is_usable(const char *driver)
{
	static const char *const usable[] = {
		"vfio-pci", "igb_uio", "uio_pci_generic", "mlx4_core", "mlx5_core"};

	for (size_t i = 0; i < RTE_DIM(usable); i++) {
		if (strcmp(driver, usable[i]) == 0)
			return true;
	}
	return false;
}

static bool pci_check(const char *address, struct rpc_error *error)
{
	char path[PATH_MAX], driver[64];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", address);
	if (access(path, F_OK) != 0) {
		rpc_error_set(error, RPC_REFUSED,
			"there is no PCI device %s; \"dpdk-devbind.py --status\" lists those that "
			"there are",
			address);
		return false;
	}
	kernel_driver(address, driver, sizeof(driver));
	if (driver_is_usable(driver))
		return true;
	rpc_error_set(error, RPC_REFUSED,
		"PCI device %s is bound to %s%s, not to a userspace driver; bind it with "
		"\"dpdk-devbind.py --bind=vfio-pci %s\" or \"driverctl set-override %s vfio-pci\"",
		address, driver[0] ? "the kernel's " : "no driver", driver, address, address);
	return false;
}

// --- Arguments of virtual devices ---

static bool file_check(
	const char *device, const char *key, const char *value, struct rpc_error *error)
{
	char directory[PATH_MAX] = "";

	if (access(value, R_OK) == 0)
		return true;
	if (value[0] != '/' && !getcwd(directory, sizeof(directory)))
		directory[0] = '\0';
	rpc_error_set(error, RPC_REFUSED, "device %s, %s=%s: %s%s%s%s", device, key, value,
		strerror(errno), directory[0] ? " (in datapathd's working directory " : "",
		directory, directory[0] ? "; give an absolute path)" : "");
	return false;
}

// Does the argument name a network interface that has to be there? Other drivers make the interface
// of that name, or mean a socket by it.
static bool names_interface(const char *device, const char *key)
{
	static const char *const drivers[] = {"net_af_packet", "net_af_xdp", "net_pcap"};
	static const char *const keys[] = {"iface", "rx_iface", "tx_iface", "rx_iface_in"};
	bool driver = false, argument = false;

	for (size_t i = 0; i < RTE_DIM(drivers); i++)
		driver |= strncmp(device, drivers[i], strlen(drivers[i])) == 0;
	for (size_t i = 0; i < RTE_DIM(keys); i++)
		argument |= strcmp(key, keys[i]) == 0;
	return driver && argument;
}

// What drivers explain badly: files and interfaces that are not there.
static bool argument_check(
	const char *device, const char *key, const char *value, struct rpc_error *error)
{
	if (strcmp(key, "rx_pcap") == 0)
		return file_check(device, key, value, error);
	// Both ends in one process wait for each other when DPDK gets more memory.
	if (strncmp(device, "net_virtio_user", 15) == 0 && strcmp(key, "path") == 0 &&
		vhost_path_owner(value)) {
		rpc_error_set(error, RPC_REFUSED,
			"device %s, path=%s: this is the socket of port \"%s\" of the same switch; "
			"a switch cannot be its own guest",
			device, value, vhost_path_owner(value)->settings.name);
		return false;
	}
	if (names_interface(device, key) && if_nametoindex(value) == 0) {
		rpc_error_set(error, RPC_REFUSED,
			"device %s, %s=%s: there is no such network interface; \"ip link\" lists "
			"those that there are",
			device, key, value);
		return false;
	}
	return true;
}

static bool arguments_check(const char *device, const char *arguments, struct rpc_error *error)
{
	char copy[1024], *save = NULL;

	snprintf(copy, sizeof(copy), "%s", arguments ? arguments : "");
	for (char *word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		char *value = strchr(word, '=');

		if (!value)
			continue;
		*value++ = '\0';
		if (!argument_check(device, word, value, error))
			return false;
	}
	return true;
}

// --- Probing ---

// Drivers of the kernel's interfaces do not say that this is what they want.
static const char *capability_hint(const char *device)
{
	static const struct {
		const char *driver, *capability;
	} wants[] = {
		{"net_tap", "net_admin"},
		{"net_af_packet", "net_raw"},
		{"net_af_xdp", "net_raw"},
	};

	for (size_t i = 0; i < sizeof(wants) / sizeof(wants[0]); i++) {
		if (strncmp(device, wants[i].driver, strlen(wants[i].driver)) == 0 &&
			!lockdown_has(wants[i].capability))
			return "; datapathd has not got the capability for such devices: see "
			       "datapathd.capabilities in the configuration, or its option "
			       "--capabilities";
	}
	return "";
}

// Split "name,arguments", with PCI addresses in full.
static bool name_split(
	const char *devargs, char *name, const char **arguments, struct rpc_error *error)
{
	size_t length = strcspn(devargs, ",");
	struct rte_pci_addr address;

	if (length == 0 || length >= DEVICE_NAME_SIZE) {
		rpc_error_set(error, RPC_REFUSED,
			"devargs=%s: begin with a PCI address or the name of a virtual device "
			"(at most %d characters)",
			devargs, DEVICE_NAME_SIZE - 1);
		return false;
	}
	memcpy(name, devargs, length);
	name[length] = '\0';
	*arguments = devargs[length] == ',' ? devargs + length + 1 : "";
	if (rte_pci_addr_parse(name, &address) == 0)
		rte_pci_device_name(&address, name, DEVICE_NAME_SIZE);
	return true;
}

static bool bus_find(struct dpdk_device *device, const char *full, struct rpc_error *error)
{
	struct rte_devargs parsed;

	memset(&parsed, 0, sizeof(parsed));
	log_capture_start();
	if (rte_devargs_parse(&parsed, full) != 0) {
		log_capture_stop();
		rpc_error_set(error, RPC_REFUSED,
			"devargs=%s: this is neither a PCI address (0000:03:00.0) nor does any "
			"driver make a virtual device \"%s\" (net_pcap0, net_null0, net_tap0, "
			"net_af_packet0, net_memif0, net_ring0, net_virtio_user0, ...)",
			full, device->name);
		return false;
	}
	log_capture_stop();
	snprintf(device->bus, sizeof(device->bus), "%s", rte_bus_name(parsed.bus));
	free(parsed.data);
	return true;
}

static bool id_find(struct dpdk_device *device, const char *full)
{
	struct rte_dev_iterator iterator;
	uint16_t id, found = RTE_MAX_ETHPORTS;

	if (rte_eth_dev_get_port_by_name(device->name, &device->id) == 0)
		return true;
	RTE_ETH_FOREACH_MATCHING_DEV(id, full, &iterator)
	{
		if (found == RTE_MAX_ETHPORTS)
			found = id;
	}
	device->id = found;
	return found != RTE_MAX_ETHPORTS;
}

bool dpdk_device_probe(struct dpdk_device *device, const char *devargs, struct rpc_error *error)
{
	char full[1100];
	const char *arguments, *explanation;
	uint16_t id;
	int result;

	memset(device, 0, sizeof(*device));
	if (!name_split(devargs, device->name, &arguments, error))
		return false;
	snprintf(full, sizeof(full), "%s%s%s", device->name, arguments[0] ? "," : "", arguments);
	if (!bus_find(device, full, error))
		return false;
	if (rte_eth_dev_get_port_by_name(device->name, &id) == 0) {
		rpc_error_set(
			error, RPC_REFUSED, "device %s is in use by another port", device->name);
		return false;
	}
	if (strcmp(device->bus, "pci") == 0 ? !pci_check(device->name, error)
					    : !arguments_check(device->name, arguments, error))
		return false;
	log_capture_start();
	result = strcmp(device->bus, "vdev") == 0 ? rte_vdev_init(device->name, arguments)
						  : rte_dev_probe(full);
	explanation = log_capture_stop();
	if (result == 0 && id_find(device, full))
		return true;
	if (result == 0)
		dpdk_device_remove(device);
	// Virtual drivers say -1 for anything.
	rpc_error_set(error, RPC_REFUSED, "device %s: %s%s%s%s", device->name,
		result == 0    ? "this is not a network device"
		: result > 0   ? "no driver takes it"
		: result == -1 ? "the driver refuses it with these arguments"
			       : strerror(-result),
		explanation[0] ? ": " : "", explanation, capability_hint(device->name));
	return false;
}

void dpdk_device_remove(const struct dpdk_device *device)
{
	const char *explanation;
	int result;

	log_capture_start();
	if (strcmp(device->bus, "vdev") == 0)
		result = rte_vdev_uninit(device->name);
	else
		result = rte_eal_hotplug_remove(device->bus, device->name);
	explanation = log_capture_stop();
	if (result != 0)
		log_warning("device %s does not let go: %s %s", device->name, strerror(-result),
			explanation);
}

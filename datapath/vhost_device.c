// SPDX-License-Identifier: Apache-2.0
#include "datapath/vhost_device.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_vhost.h>

#include "datapath/foreign_file.h"
#include "datapath/vhost_features.h"
#include "datapath/vhost_sizes.h"

#define BIT(n) (UINT64_C(1) << (n))

static const uint64_t library_only = BIT(VHOST_FEATURE_LOG_ALL) | BIT(VHOST_FEATURE_IOMMU_PLATFORM);

void vhost_device_init(struct vhost_device *device)
{
	device->library = -1;
	for (unsigned i = 0; i < 2 * POLL_QUEUES; i++) {
		device->queues[i].call = -1;
		device->queues[i].kick = -1;
		rte_spinlock_init(&device->queues[i].lock);
	}
}

bool vhost_memory_take(struct guest_memory *memory, int library)
{
	struct rte_vhost_memory *table = NULL;
	bool good;

	if (rte_vhost_get_mem_table(library, &table) != 0 || !table)
		return false;
	good = table->nregions > 0 && table->nregions <= GUEST_REGIONS_MAX;
	memory->count = good ? table->nregions : 0;
	for (unsigned i = 0; i < memory->count; i++) {
		const struct rte_vhost_mem_region *from = &table->regions[i];

		memory->regions[i] = (struct guest_region){
			.start = from->guest_phys_addr,
			.size = from->size,
			.host = (uint8_t *)(uintptr_t)from->host_user_addr,
		};
	}
	free(table);
	return good;
}

// A descriptor of our own, or -1.
static int eventfd_take(int descriptor)
{
	return descriptor >= 0 && foreign_is_eventfd(descriptor)
		       ? fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
		       : -1;
}

// The library closes its descriptor whenever the guest sends another one; ours is closed when no
// thread can be writing to it. No thread shall wait for a guest that reads none of its interrupts.
static int call_take(const struct rte_vhost_vring *ring)
{
	int call = eventfd_take(ring->callfd);
	int flags = call >= 0 ? fcntl(call, F_GETFL) : -1;

	if (flags >= 0 && !(flags & O_NONBLOCK))
		(void)!fcntl(call, F_SETFL, flags | O_NONBLOCK);
	return call;
}

// The same for what threads wait for. They look at none of it.
static void kick_take(struct vhost_queue *queue, const struct rte_vhost_vring *ring)
{
	static uint64_t serial; // of all devices

	queue->kick = eventfd_take(ring->kickfd);
	queue->kick_serial = __atomic_add_fetch(&serial, 1, __ATOMIC_RELAXED);
}

static bool ring_take(struct vhost_device *device, unsigned index, struct rte_vhost_vring *vring)
{
	struct vhost_ring *ring = &device->queues[index].frames.ring;
	uint64_t features = device->features;
	struct vhost_ring_setup setup = {
		.packed = features & BIT(VHOST_FEATURE_PACKED),
		.event_idx = features & BIT(VHOST_FEATURE_EVENT_IDX),
		.writable = index % 2 == 0,
		.memory = &device->memory,
	};

	if (rte_vhost_get_vhost_vring(device->library, (uint16_t)index, vring) != 0 ||
		rte_vhost_get_vring_base(device->library, (uint16_t)index, &setup.available_base,
			&setup.used_base) != 0)
		return false;
	setup.size = vring->size;
	setup.descriptors = vring->desc;
	setup.driver_area = vring->avail;
	setup.device_area = vring->used;
	return vhost_ring_init(ring, &setup);
}

void vhost_device_attach_ring(struct vhost_device *device, unsigned index)
{
	struct vhost_queue *queue = &device->queues[index];
	struct rte_vhost_vring vring = {0};
	uint64_t long_header = BIT(VHOST_FEATURE_MERGEABLE) | BIT(VHOST_FEATURE_VERSION_1) |
			       BIT(VHOST_FEATURE_PACKED); // is of version 1

	if (!ring_take(device, index, &vring))
		return;
	queue->frames.mergeable = device->features & BIT(VHOST_FEATURE_MERGEABLE);
	queue->frames.header =
		device->features & long_header ? VHOST_HEADER_LONG : VHOST_HEADER_SHORT;
	queue->call = call_take(&vring);
	kick_take(queue, &vring);
	// We poll.
	vhost_ring_ask_for_kicks(&queue->frames.ring, false);
	// Whoever had the ring before us may have given buffers back without telling: a switch that
	// has crashed.
	vhost_queue_tell(queue);
	__atomic_store_n(&queue->usable, true, __ATOMIC_RELEASE);
}

bool vhost_device_attach(
	struct vhost_device *device, int library, uint64_t features, const uint64_t enabled[2])
{
	unsigned rings = RTE_MIN((unsigned)rte_vhost_get_vring_num(library), 2u * POLL_QUEUES);

	if (!vhost_memory_take(&device->memory, library))
		return false;
	device->library = library;
	device->features = features;
	for (unsigned i = 0; i < rings; i++) {
		device->queues[i].enabled = enabled[i % 2] & BIT(i / 2);
		vhost_device_attach_ring(device, i);
	}
	return true;
}

bool vhost_device_needs_library(uint64_t features)
{
	return features & library_only;
}

bool vhost_device_suits_library(struct vhost_device *device, int library, uint64_t features,
	const struct vhost_sizes *sizes)
{
	unsigned rings = RTE_MIN((unsigned)rte_vhost_get_vring_num(library), 2u * POLL_QUEUES);
	bool packed = features & BIT(VHOST_FEATURE_PACKED);

	if (!vhost_memory_take(&device->memory, library))
		return false;
	device->library = library;
	device->features = features;
	for (unsigned i = 0; i < rings; i++) {
		struct rte_vhost_vring vring = {0};
		bool good = ring_take(device, i, &vring);

		// One without addresses is not used.
		if (!vhost_sizes_fit(sizes, i, vring.desc ? vring.size : 0, packed) ||
			(vring.desc && !good))
			return false;
	}
	return true;
}

bool vhost_device_hold(struct vhost_device *device, unsigned index)
{
	return index < 2 * POLL_QUEUES &&
	       __atomic_exchange_n(&device->queues[index].usable, false, __ATOMIC_SEQ_CST);
}

void vhost_device_detach_ring(struct vhost_device *device, unsigned index)
{
	struct vhost_queue *queue = &device->queues[index];
	struct vhost_ring *ring = &queue->frames.ring;

	// A thread that was given another queue in the middle of a round has not told this one.
	if (vhost_ring_wants_telling(ring))
		vhost_queue_tell(queue);
	rte_vhost_set_vring_base(device->library, (uint16_t)index, vhost_ring_available_base(ring),
		vhost_ring_used_base(ring));
	if (queue->call >= 0)
		close(queue->call);
	if (queue->kick >= 0)
		close(queue->kick);
	queue->call = queue->kick = -1;
}

void vhost_device_detach(struct vhost_device *device)
{
	for (unsigned i = 0; i < 2 * POLL_QUEUES; i++) {
		if (vhost_device_hold(device, i))
			vhost_device_detach_ring(device, i);
		device->queues[i].enabled = false;
	}
	device->library = -1;
}

bool vhost_device_has(const struct vhost_device *device, unsigned index)
{
	return index < 2 * POLL_QUEUES && device->queues[index].usable;
}

bool vhost_device_uses(const struct vhost_device *device, unsigned index)
{
	return vhost_device_has(device, index) && device->queues[index].enabled;
}

void vhost_device_tell_all(const struct vhost_device *device)
{
	for (unsigned i = 0; i < 2 * POLL_QUEUES; i += 2) {
		if (vhost_device_uses(device, i))
			vhost_queue_tell(&device->queues[i]);
	}
}

void vhost_device_enable(struct vhost_device *device, unsigned index, bool enable)
{
	if (index < 2 * POLL_QUEUES)
		__atomic_store_n(&device->queues[index].enabled, enable, __ATOMIC_RELAXED);
}

int vhost_device_call_changed(struct vhost_device *device, unsigned index)
{
	struct vhost_queue *queue = &device->queues[index];
	struct rte_vhost_vring ring = {0};
	int call = -1;

	if (rte_vhost_get_vhost_vring(device->library, (uint16_t)index, &ring) == 0)
		call = call_take(&ring);
	call = __atomic_exchange_n(&queue->call, call, __ATOMIC_SEQ_CST);
	// An interrupt that went to the old one is not lost.
	vhost_queue_tell(queue);
	return call;
}

void vhost_queue_tell(const struct vhost_queue *queue)
{
	int call = __atomic_load_n(&queue->call, __ATOMIC_RELAXED);

	// Fails only if the guest reads none of its interrupts, or sent us something else.
	if (call >= 0)
		(void)!eventfd_write(call, 1);
}

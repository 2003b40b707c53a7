// SPDX-License-Identifier: Apache-2.0
#include "datapath/vhost_features.h"

#include <stdio.h>

// Bits of "Virtual I/O Device (VIRTIO) Version 1.2", sections 5.1.3 and 6, and of the vhost-user
// protocol of QEMU (docs/interop/vhost-user.rst).
static const char *const bit_names[64] = {
	[0] = "csum",
	[1] = "guest_csum",
	[2] = "ctrl_guest_offloads",
	[3] = "mtu",
	[5] = "mac",
	[6] = "gso",
	[7] = "guest_tso4",
	[8] = "guest_tso6",
	[9] = "guest_ecn",
	[10] = "guest_ufo",
	[11] = "host_tso4",
	[12] = "host_tso6",
	[13] = "host_ecn",
	[14] = "host_ufo",
	[15] = "mrg_rxbuf",
	[16] = "status",
	[17] = "ctrl_vq",
	[18] = "ctrl_rx",
	[19] = "ctrl_vlan",
	[21] = "guest_announce",
	[22] = "mq",
	[23] = "ctrl_mac_addr",
	[24] = "notify_on_empty",
	[26] = "log_all",
	[27] = "any_layout",
	[28] = "indirect_desc",
	[29] = "event_idx",
	[30] = "protocol_features",
	[32] = "version_1",
	[33] = "iommu_platform",
	[34] = "packed",
	[35] = "in_order",
	[36] = "order_platform",
	[37] = "sr_iov",
	[38] = "notification_data",
	[56] = "hash_report",
	[57] = "host_uso",
	[60] = "rss",
	[62] = "standby",
};

#define BIT(n) (UINT64_C(1) << (n))

const uint64_t vhost_features_refused = BIT(0) | BIT(1) | BIT(6) | BIT(7) | BIT(8) | BIT(9) |
					BIT(10) | BIT(11) | BIT(12) | BIT(13) | BIT(14);

void vhost_features_name(uint64_t features, json_t *names)
{
	for (int bit = 0; bit < 64; bit++) {
		char number[16];

		if (!(features & BIT(bit)))
			continue;
		snprintf(number, sizeof(number), "bit %d", bit);
		json_array_append_new(names, json_string(bit_names[bit] ? bit_names[bit] : number));
	}
}

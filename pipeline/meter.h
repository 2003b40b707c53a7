// SPDX-License-Identifier: Apache-2.0
#pragma once

// A meter: limits on the rate of all packets whose flows name it (OpenFlow 1.3.5, section 5.7).
// Every band has a token bucket that each packet draws on. Of the bands whose rate is exceeded, the
// one with the highest rate acts on the packet. Plain data.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define METER_ID_MAX 0xffff0000u
#define METER_BANDS_MAX 8
#define METER_RATE_MAX 1000000000u // packets or kilobits per second

enum meter_band_type {
	METER_DROP,
	METER_DSCP_REMARK, // raise the drop precedence of an assured forwarding class, RFC 2597
};

struct meter_band {
	enum meter_band_type type;
	uint32_t rate;      // packets or kilobits per second, at least 1
	uint32_t burst;     // packets or kilobits; 0: what passes in a second at the rate
	uint8_t precedence; // of dscp_remark: by how much, 1 or 2
};

struct meter {
	uint32_t id;
	bool packets; // rates in packets per second, otherwise kilobits per second
	size_t count;
	struct meter_band bands[METER_BANDS_MAX];
};

bool meter_equal(const struct meter *a, const struct meter *b);

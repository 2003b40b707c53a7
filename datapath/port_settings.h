// SPDX-License-Identifier: Apache-2.0
#pragma once

// The settings that ports of every type have: name, number, VLANs, MTU, and how transmit queues are
// chosen, of which not every type has all. Decoded from the parameters of port.add, or from those
// of port.set laid over the former. Pure.

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "pipeline/pipeline.h"
#include "rpc/rpc_error.h"

#define PORT_NAME_SIZE 64
#define PORT_MTU_DEFAULT 1500
#define PORT_MTU_MIN 68
#define PORT_MTU_MAX 9710 // a jumbo frame of 9728 bytes, with Ethernet header and FCS

// What decides about a frame's transmit queue.
enum tx_steering {
	TX_STEERING_THREAD, // which thread sends it
	TX_STEERING_HASH,   // its flow
};

struct port_settings {
	char name[PORT_NAME_SIZE];
	uint16_t mtu;
	bool mtu_given;
	enum tx_steering tx_steering;
	struct pipeline_port vlan; // with the OpenFlow number
};

const char *tx_steering_name(enum tx_steering steering);

// Names of bridges and ports: 1 to 63 printing characters without blanks and slashes.
bool name_check(const char *name, const char *what, struct rpc_error *error);

// `config` has name, ofport and optionally vlan_mode, tag, trunks, mtu, tx_steering; other members
// are ignored. False with *error (RPC_REFUSED) that names the member.
bool port_settings_parse(
	const json_t *config, struct port_settings *settings, struct rpc_error *error);

// `config` with what `changes` gives of vlan_mode, tag, trunks, mtu, tx_steering and options laid
// over it; null takes a member away. A new reference or NULL.
json_t *port_config_merge(const json_t *config, const json_t *changes);

// SPDX-License-Identifier: Apache-2.0
#pragma once

// vsctl's commands on the tables of the model: get, set, add, remove, clear, list. All have the
// signature of vsctl_command.prepare.

#include "vswitch/vsctl_commands.h"

bool vsctl_prepare_get(struct vsctl_request *request, struct rpc_error *error);
bool vsctl_prepare_set(struct vsctl_request *request, struct rpc_error *error);
bool vsctl_prepare_clear(struct vsctl_request *request, struct rpc_error *error);
bool vsctl_prepare_add(struct vsctl_request *request, struct rpc_error *error);
bool vsctl_prepare_remove(struct vsctl_request *request, struct rpc_error *error);
bool vsctl_prepare_list(struct vsctl_request *request, struct rpc_error *error);

// SPDX-License-Identifier: Apache-2.0
#pragma once

// vswitchd's methods: a table of rows per noun, each in its methods_<noun>.c. The context of every
// handler is the struct vswitch. A new method is a handler and a row; a new noun is a file, a line
// here and one in main().

#include "rpc/rpc_params.h"

extern const struct rpc_method system_methods[];
extern const struct rpc_method bridge_methods[];
extern const struct rpc_method port_methods[];
extern const struct rpc_method db_methods[];
extern const struct rpc_method flow_methods[];
extern const struct rpc_method flow_show_methods[];
extern const struct rpc_method object_methods[];
extern const struct rpc_method object_show_methods[];
extern const struct rpc_method trace_methods[];
extern const struct rpc_method packet_methods[];
extern const struct rpc_method stats_methods[];
extern const struct rpc_method pmd_methods[];
extern const struct rpc_method fdb_methods[];
extern const struct rpc_method events_methods[];

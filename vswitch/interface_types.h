// SPDX-License-Identifier: Apache-2.0
#pragma once

// Interface.type and Interface.options as users write them, and as the datapath takes them: rows
// of vswitch/interface_types.def. Which types and options there are is the datapath's to say; what
// is refused here is what it could not explain. Pure.

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

// False with the remedy in reason[].
bool interface_type_check(const char *type, char *reason, size_t size);

// The datapath's name of the type.
const char *interface_type_resolve(const char *type);

// All that Interface.type may say, sorted: the types that the datapath describes (the answer of
// port.types; NULL: none), their aliases, and the names here for one of them. New reference.
json_t *interface_types_list(const json_t *described);

// The options with the datapath's names, and with those that the type implies; new reference.
json_t *interface_options_resolve(const char *type, const json_t *options);

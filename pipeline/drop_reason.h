// SPDX-License-Identifier: Apache-2.0
#pragma once

// Drop reasons by number, name and help; the rows are in pipeline/drop_reasons.def.

enum drop_reason {
#define DROP_REASON(ID, HELP) DROP_##ID,
#include "pipeline/drop_reasons.def"
#undef DROP_REASON
	DROP_REASON_COUNT,
};

// The name in lower case ("table_miss"); constant strings.
const char *drop_reason_name(enum drop_reason reason);

// One line of help.
const char *drop_reason_help(enum drop_reason reason);

// SPDX-License-Identifier: Apache-2.0

#include "pipeline/drop_reason.h"

#include <assert.h>
#include <stddef.h>

// Names are the identifiers in lower case, which the preprocessor cannot make of them. They are
// spelled out letter by letter as constants, so that there is nothing to initialise and any thread
// may ask at any time.
#define NAME_SIZE 24
#define LETTER(S, I) ((I) < sizeof(S) ? (S)[(I) < sizeof(S) ? (I) : 0] : 0)
#define LOWER(S, I) \
	(char)(LETTER(S, I) >= 'A' && LETTER(S, I) <= 'Z' ? LETTER(S, I) + 32 : LETTER(S, I))
#define LOWER4(S, I) LOWER(S, I), LOWER(S, I + 1), LOWER(S, I + 2), LOWER(S, I + 3)
#define LOWER_NAME(S)                                                                   \
	{                                                                               \
		LOWER4(S, 0), LOWER4(S, 4), LOWER4(S, 8), LOWER4(S, 12), LOWER4(S, 16), \
			LOWER4(S, 20)                                                   \
	}

static const char names[DROP_REASON_COUNT][NAME_SIZE] = {
#define DROP_REASON(ID, HELP) [DROP_##ID] = LOWER_NAME(#ID),
#include "pipeline/drop_reasons.def"
#undef DROP_REASON
};

#define DROP_REASON(ID, HELP) static_assert(sizeof(#ID) <= NAME_SIZE, "name too long: " #ID);
#include "pipeline/drop_reasons.def"
#undef DROP_REASON

static const char *const helps[DROP_REASON_COUNT] = {
#define DROP_REASON(ID, HELP) [DROP_##ID] = HELP,
#include "pipeline/drop_reasons.def"
#undef DROP_REASON
};

const char *drop_reason_name(enum drop_reason reason)
{
	return (unsigned)reason < DROP_REASON_COUNT ? names[reason] : "unknown";
}

const char *drop_reason_help(enum drop_reason reason)
{
	return (unsigned)reason < DROP_REASON_COUNT ? helps[reason] : "";
}

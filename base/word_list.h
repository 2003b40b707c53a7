// SPDX-License-Identifier: Apache-2.0
#pragma once

// Lists of words in one string, separated by blanks, as tables of rows have them. Pure, any thread.

#include <stdbool.h>

bool word_list_has(const char *list, const char *word);

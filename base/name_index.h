// SPDX-License-Identifier: Apache-2.0
#pragma once

// Finds the row of a table by one of its names, by hash: the names of a line are looked up in
// several tables, and lines come by the hundred thousand.
//
// An index is a constant to its users, who only say what fills it. That happens when something is
// looked for first, in whichever thread this is; others wait for it.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_INDEX_BITS 9
#define NAME_INDEX_SLOTS (1u << NAME_INDEX_BITS) // several times the number of names

struct name_index {
	void (*fill)(struct name_index *index); // calls name_index_add() for each row
	bool any_case;
	// The rest belongs to name_index.c.
	int state;
	struct name_slot {
		const char *name; // NULL: free
		uint8_t length;
		uint8_t row;
	} slots[NAME_INDEX_SLOTS];
};

// Each of the blank-separated `names`, which live on, is the row's. Of two rows with the same name
// the one that was added first has it. Rows are numbers up to 255.
void name_index_add(struct name_index *index, const char *names, unsigned row);

// The row, or -1.
int name_index_find(struct name_index *index, const char *text, size_t length);

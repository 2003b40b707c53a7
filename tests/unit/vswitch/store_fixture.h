// SPDX-License-Identifier: Apache-2.0
#pragma once

// A store's file in a directory of its own.

#include "cmocka_all.h"

#include "vswitch/store.h"

struct fixture {
	char dir[64];
	char path[128];
	char log[136]; // beside it
	struct rpc_error error;
};

// `name` of the file, below the directory. What directories it names are not there.
int store_setup(void **state, const char *name);
int store_teardown(void **state);

struct store *open_good(struct fixture *f);

// The error names the file and has this part.
void assert_error(struct fixture *f, const char *part);

// It cannot be opened, for that reason.
void assert_refused(struct fixture *f, const char *part);

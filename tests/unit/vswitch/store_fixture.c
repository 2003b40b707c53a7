// SPDX-License-Identifier: Apache-2.0
#include "store_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int store_setup(void **state, const char *name)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/turnout-store-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/%s", f->dir, name);
	snprintf(f->log, sizeof(f->log), "%s-wal", f->path);
	*state = f;
	return 0;
}

int store_teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", f->dir);
	assert_int_equal(system(command), 0);
	rpc_error_clear(&f->error);
	free(f);
	return 0;
}

struct store *open_good(struct fixture *f)
{
	struct store *store = store_open(f->path, &f->error);

	if (!store)
		fail_msg("%s", f->error.message);
	return store;
}

void assert_error(struct fixture *f, const char *part)
{
	if (!strstr(f->error.message, part) || !strstr(f->error.message, f->path))
		fail_msg("\"%s\" does not name the file and say \"%s\"", f->error.message, part);
	rpc_error_clear(&f->error);
}

void assert_refused(struct fixture *f, const char *part)
{
	assert_null(store_open(f->path, &f->error));
	assert_error(f, part);
}

// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/name_index.h"

#define THREADS 4

static void fill(struct name_index *index)
{
	name_index_add(index, "table", 0);
	name_index_add(index, "", 1);
	name_index_add(index, "nw_src ip_src  NXM_OF_IP_SRC", 2);
	name_index_add(index, "ip_src table_id", 3);
}

static int find(struct name_index *index, const char *name)
{
	return name_index_find(index, name, strlen(name));
}

static void names(void **unused)
{
	static struct name_index index = {.fill = fill};

	assert_int_equal(find(&index, "table"), 0);
	assert_int_equal(find(&index, "nw_src"), 2);
	assert_int_equal(find(&index, "ip_src"), 2); // the first that has it
	assert_int_equal(find(&index, "table_id"), 3);
	assert_int_equal(find(&index, "NXM_OF_IP_SRC"), 2);
	assert_int_equal(find(&index, ""), -1);
	assert_int_equal(find(&index, "Table"), -1);
	assert_int_equal(find(&index, "tabl"), -1);
	assert_int_equal(find(&index, "tables"), -1);
	assert_int_equal(find(&index, "tabxe"), -1);
	assert_int_equal(name_index_find(&index, "table=5", 5), 0);
}

static void any_case(void **unused)
{
	static struct name_index index = {.fill = fill, .any_case = true};

	assert_int_equal(find(&index, "TABLE"), 0);
	assert_int_equal(find(&index, "nxm_of_ip_src"), 2);
	assert_int_equal(find(&index, "Table_ID"), 3);
	assert_int_equal(find(&index, "Table-ID"), -1);
}

static void long_names(void **unused)
{
	static struct name_index index = {.fill = fill};
	char text[1000];

	memset(text, 't', sizeof(text));
	for (size_t length = 1; length < sizeof(text); length++)
		assert_int_equal(name_index_find(&index, text, length), -1);
}

// Names that differ only where the hash does not look, and more than fit without collisions.
static char many[200][16];

static void fill_many(struct name_index *index)
{
	for (unsigned i = 0; i < 200; i++) {
		snprintf(many[i], sizeof(many[i]), "a%u%ub%03uc", i % 10, i / 10 % 10, i / 100);
		name_index_add(index, many[i], i);
	}
}

static void collisions(void **unused)
{
	static struct name_index index = {.fill = fill_many};

	assert_int_equal(find(&index, "nothing"), -1);
	for (int i = 0; i < 200; i++)
		assert_int_equal(find(&index, many[i]), i);
}

static struct name_index shared = {.fill = fill};

static void *search(void *unused)
{
	return find(&shared, "table_id") == 3 && find(&shared, "none") == -1 ? &shared : NULL;
}

static void threads(void **unused)
{
	pthread_t ids[THREADS];
	void *result;

	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&ids[i], NULL, search, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(ids[i], &result);
		assert_ptr_equal(result, &shared);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(any_case),
		cmocka_unit_test(long_names),
		cmocka_unit_test(collisions),
		cmocka_unit_test(threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vswitch/model_edit.h"

struct fixture {
	struct model *model;
	struct rpc_error error;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->model = model_create();
	model_begin(f->model);
	edit_root(f->model);
	model_commit(f->model);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	model_destroy(f->model);
	rpc_error_clear(&f->error);
	free(f);
	return 0;
}

// Everything in the model, to compare before and after.
static char *snapshot(const struct model *model)
{
	json_t *all = json_object();
	char *text;

	for (int table = 0; table < TABLE_COUNT; table++)
		json_object_set(all, schema_table_name(table), (json_t *)model_rows(model, table));
	text = json_dumps(all, JSON_SORT_KEYS);
	json_decref(all);
	return text;
}

static void assert_error(struct fixture *f, int code, const char *part)
{
	assert_int_equal(f->error.code, code);
	if (!strstr(f->error.message, part))
		fail_msg("\"%s\" does not say \"%s\"", f->error.message, part);
	rpc_error_clear(&f->error);
}

static bool set_text(struct fixture *f, enum schema_table_id table, const char *name,
	const char *column, const char *value)
{
	json_t *json = json_loads(value, JSON_DECODE_ANY, NULL);
	const json_t *row = model_record(f->model, table, name, &f->error);
	bool good = row && edit_set(f->model, table, row_uuid(row), column, json, &f->error);

	json_decref(json);
	return good;
}

static json_int_t ofport_of(struct fixture *f, const char *port)
{
	return row_integer(model_named(f->model, TABLE_INTERFACE, port), "ofport", 0);
}

static void test_add_and_remove(void **state)
{
	struct fixture *f = *state;
	const json_t *bridge;
	const json_t *port;

	model_begin(f->model);
	assert_non_null(edit_bridge_add(f->model, "br0", &f->error));
	port = edit_port_add(f->model, "br0", "p0", &f->error);
	assert_non_null(port);
	bridge = model_bridge_of(f->model, port);
	assert_string_equal(row_string(bridge, "name"), "br0");
	assert_string_equal(row_string(model_interface_of(f->model, port), "name"), "p0");
	assert_int_equal(json_array_size(json_object_get(edit_root(f->model), "bridges")), 1);
	model_commit(f->model);

	model_begin(f->model);
	assert_true(edit_bridge_remove(f->model, "br0", &f->error));
	model_commit(f->model);
	for (int table = TABLE_BRIDGE; table < TABLE_COUNT; table++)
		assert_int_equal(json_object_size(model_rows(f->model, table)), 0);
	assert_int_equal(json_array_size(json_object_get(edit_root(f->model), "bridges")), 0);
}

static void test_names(void **state)
{
	static const char *const bad[] = {"", "a b", "a,b", "12", "0x1f", "normal", "IN_PORT", "-a",
		"a=b", "a/b", "\xc3\xa4"};
	struct fixture *f = *state;
	char longest[66];

	model_begin(f->model);
	assert_non_null(edit_bridge_add(f->model, "br0", &f->error));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_null(edit_port_add(f->model, "br0", bad[i], &f->error));
		assert_error(f, RPC_INVALID_PARAMS, "port name");
	}
	memset(longest, 'x', sizeof(longest));
	longest[64] = '\0';
	assert_null(edit_port_add(f->model, "br0", longest, &f->error));
	assert_error(f, RPC_INVALID_PARAMS, "longer than 63");
	longest[63] = '\0';
	assert_non_null(edit_port_add(f->model, "br0", longest, &f->error));
	assert_non_null(edit_port_add(f->model, "br0", "0000:03:00.0", &f->error));
	assert_null(edit_port_add(f->model, "br0", "br0", &f->error));
	assert_error(f, RPC_EXISTS, "share their names");
	assert_non_null(edit_bridge_add(f->model, "br1", &f->error));
	assert_non_null(edit_port_add(f->model, "br1", "p0", &f->error));
	assert_null(edit_port_add(f->model, "br0", "p0", &f->error));
	assert_error(f, RPC_EXISTS, "bridge br1 has a port \"p0\"");
	assert_null(edit_bridge_add(f->model, "p0", &f->error));
	assert_error(f, RPC_EXISTS, "port named \"p0\"");
	assert_null(edit_bridge_add(f->model, "br1", &f->error));
	assert_error(f, RPC_EXISTS, "--may-exist");
	assert_null(edit_port_add(f->model, "br2", "p1", &f->error));
	assert_error(f, RPC_NOT_FOUND, "did you mean");
	assert_false(edit_port_remove(f->model, "br0", "p0", &f->error));
	assert_error(f, RPC_REFUSED, "is on bridge br1");
	assert_false(edit_port_remove(f->model, NULL, "p7", &f->error));
	assert_error(f, RPC_NOT_FOUND, "no port \"p7\"");
	model_abort(f->model);
}

static void test_ofports(void **state)
{
	struct fixture *f = *state;

	model_begin(f->model);
	edit_bridge_add(f->model, "br0", &f->error);
	edit_bridge_add(f->model, "br1", &f->error);
	edit_port_add(f->model, "br0", "p0", &f->error);
	edit_port_add(f->model, "br0", "p1", &f->error);
	edit_port_add(f->model, "br1", "q0", &f->error);
	assert_int_equal(ofport_of(f, "p0"), 1);
	assert_int_equal(ofport_of(f, "p1"), 2);
	assert_int_equal(ofport_of(f, "q0"), 1); // numbers belong to bridges

	assert_true(set_text(f, TABLE_INTERFACE, "p0", "ofport_request", "10"));
	assert_int_equal(ofport_of(f, "p0"), 10);
	assert_true(set_text(f, TABLE_INTERFACE, "p0", "ofport_request", "10"));
	assert_false(set_text(f, TABLE_INTERFACE, "p1", "ofport_request", "10"));
	assert_error(f, RPC_REFUSED, "belongs to \"p0\"");
	edit_port_add(f->model, "br0", "p2", &f->error);
	assert_int_equal(ofport_of(f, "p2"), 1); // the lowest free one
	assert_false(set_text(f, TABLE_INTERFACE, "p1", "ofport", "5"));
	assert_error(f, RPC_REFUSED, "set ofport_request");
	model_commit(f->model);
}

static void test_set_clear_remove(void **state)
{
	struct fixture *f = *state;
	const char *uuid;
	json_t *json;

	model_begin(f->model);
	edit_bridge_add(f->model, "br0", &f->error);
	edit_port_add(f->model, "br0", "p0", &f->error);
	// Maps are merged into.
	assert_true(set_text(f, TABLE_INTERFACE, "p0", "options", "{\"a\": \"1\"}"));
	assert_true(set_text(f, TABLE_INTERFACE, "p0", "options", "{\"b\": \"2\"}"));
	uuid = row_uuid(model_named(f->model, TABLE_INTERFACE, "p0"));
	assert_string_equal(
		row_map_get(model_row(f->model, TABLE_INTERFACE, uuid), "options", "a"), "1");
	json = json_pack("[s, {s:s}]", "a", "b", "other");
	assert_true(edit_remove(f->model, TABLE_INTERFACE, uuid, "options", json, &f->error));
	json_decref(json);
	// "b" had another value, so it stays.
	assert_null(row_map_get(model_row(f->model, TABLE_INTERFACE, uuid), "options", "a"));
	assert_non_null(row_map_get(model_row(f->model, TABLE_INTERFACE, uuid), "options", "b"));
	assert_true(edit_clear(f->model, TABLE_INTERFACE, uuid, "options", &f->error));
	assert_null(row_map_get(model_row(f->model, TABLE_INTERFACE, uuid), "options", "b"));

	// Sets lose members.
	assert_true(set_text(f, TABLE_PORT, "p0", "trunks", "[1, 2, 3]"));
	uuid = row_uuid(model_named(f->model, TABLE_PORT, "p0"));
	json = json_pack("[i, i]", 2, 9);
	assert_true(edit_remove(f->model, TABLE_PORT, uuid, "trunks", json, &f->error));
	json_decref(json);
	json = (json_t *)json_object_get(model_row(f->model, TABLE_PORT, uuid), "trunks");
	assert_int_equal(json_array_size(json), 2);
	assert_int_equal(json_integer_value(json_array_get(json, 1)), 3);

	assert_false(set_text(f, TABLE_BRIDGE, "br0", "ports", "[]"));
	assert_error(f, RPC_REFUSED, "use add-port");
	assert_false(edit_clear(f->model, TABLE_PORT, uuid, "name", &f->error));
	assert_error(f, RPC_REFUSED, "cannot be set");
	model_abort(f->model);
}

static void test_validate(void **state)
{
	static const struct {
		const char *mode;
		const char *tag;
		const char *trunks;
		const char *refusal; // NULL: fine
	} rows[] = {
		{"[]", "[]", "[]", NULL},
		{"[]", "5", "[]", NULL},
		{"[]", "[]", "[1, 2]", NULL},
		{"[]", "5", "[1]", "together need vlan_mode"},
		{"\"access\"", "5", "[]", NULL},
		{"\"access\"", "[]", "[]", "needs a tag"},
		{"\"access\"", "5", "[1]", "no trunks"},
		{"\"trunk\"", "[]", "[1]", NULL},
		{"\"trunk\"", "5", "[]", "a trunk has no tag"},
		{"\"native-tagged\"", "5", "[1]", NULL},
		{"\"native-untagged\"", "5", "[]", NULL},
		{"\"native-untagged\"", "[]", "[1]", "needs a tag"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		model_begin(f->model);
		edit_bridge_add(f->model, "br0", &f->error);
		edit_port_add(f->model, "br0", "p0", &f->error);
		assert_true(set_text(f, TABLE_INTERFACE, "p0", "type", "\"dpdk\""));
		assert_true(set_text(f, TABLE_PORT, "p0", "vlan_mode", rows[i].mode));
		assert_true(set_text(f, TABLE_PORT, "p0", "tag", rows[i].tag));
		assert_true(set_text(f, TABLE_PORT, "p0", "trunks", rows[i].trunks));
		assert_int_equal(edit_validate(f->model, &f->error), rows[i].refusal == NULL);
		if (rows[i].refusal)
			assert_error(f, RPC_REFUSED, rows[i].refusal);
		model_abort(f->model);
	}
}

static void test_validate_types(void **state)
{
	struct fixture *f = *state;

	model_begin(f->model);
	edit_bridge_add(f->model, "br0", &f->error);
	edit_port_add(f->model, "br0", "p0", &f->error);
	assert_false(edit_validate(f->model, &f->error));
	assert_error(f, RPC_REFUSED, "type=vhostuser");
	set_text(f, TABLE_INTERFACE, "p0", "type", "\"internal\"");
	assert_false(edit_validate(f->model, &f->error));
	assert_error(f, RPC_REFUSED, "net_tap");
	set_text(f, TABLE_INTERFACE, "p0", "type", "\"dpdkvhostuserclient\"");
	assert_true(edit_validate(f->model, &f->error));
	set_text(f, TABLE_INTERFACE, "p0", "other_config", "{\"pmd-rxq-affinity\": \"0-3\"}");
	assert_false(edit_validate(f->model, &f->error));
	assert_error(f, RPC_INVALID_PARAMS, "0:3,1:7");
	set_text(f, TABLE_INTERFACE, "p0", "other_config", "{\"pmd-rxq-affinity\": \"0:3\"}");
	set_text(f, TABLE_OPEN_VSWITCH, ".", "other_config", "{\"pmd-cpu-mask\": \"xyz\"}");
	assert_false(edit_validate(f->model, &f->error));
	assert_error(f, RPC_INVALID_PARAMS, "hexadecimal mask");
	model_abort(f->model);
}

static void test_record(void **state)
{
	struct fixture *f = *state;
	const json_t *row;

	model_begin(f->model);
	assert_non_null(model_record(f->model, TABLE_OPEN_VSWITCH, ".", &f->error));
	assert_null(model_record(f->model, TABLE_BRIDGE, ".", &f->error));
	assert_error(f, RPC_NOT_FOUND, "table Bridge has 0");
	edit_bridge_add(f->model, "br0", &f->error);
	row = model_record(f->model, TABLE_BRIDGE, ".", &f->error);
	assert_ptr_equal(row, model_record(f->model, TABLE_BRIDGE, "br0", &f->error));
	assert_ptr_equal(row, model_record(f->model, TABLE_BRIDGE, row_uuid(row), &f->error));
	assert_null(model_record(f->model, TABLE_BRIDGE, "br9", &f->error));
	assert_error(f, RPC_NOT_FOUND, "no row \"br9\"; did you mean \"br0\"?");
	model_abort(f->model);
}

// Random changes, aborted, leave the model as it was to the letter.
static void test_abort_restores(void **state)
{
	struct fixture *f = *state;
	unsigned seed = 1;

	for (int round = 0; round < 300; round++) {
		char *before = snapshot(f->model);
		char *after;
		bool commit = round % 3 == 0;

		model_begin(f->model);
		for (int i = 0; i < 12; i++) {
			char bridge[8];
			char port[8];
			char number[8];

			snprintf(bridge, sizeof(bridge), "br%d", rand_r(&seed) % 3);
			snprintf(port, sizeof(port), "p%d", rand_r(&seed) % 6);
			snprintf(number, sizeof(number), "%d", 1 + rand_r(&seed) % 8);
			rpc_error_clear(&f->error);
			switch (rand_r(&seed) % 7) {
			case 0:
				edit_bridge_add(f->model, bridge, &f->error);
				break;
			case 1:
				edit_bridge_remove(f->model, bridge, &f->error);
				break;
			case 2:
			case 3:
				edit_port_add(f->model, bridge, port, &f->error);
				break;
			case 4:
				edit_port_remove(f->model, NULL, port, &f->error);
				break;
			case 5:
				set_text(f, TABLE_INTERFACE, port, "ofport_request", number);
				break;
			default:
				set_text(f, TABLE_PORT, port, "trunks", number);
			}
		}
		rpc_error_clear(&f->error);
		if (commit)
			model_commit(f->model);
		else
			model_abort(f->model);
		after = snapshot(f->model);
		if (!commit)
			assert_string_equal(before, after);
		free(before);
		free(after);
	}
}

// What the store gets: net changes of a transaction, with the old rows.
static void test_changes(void **state)
{
	struct fixture *f = *state;
	const struct model_change *changes;
	size_t count;
	size_t removed = 0;

	model_begin(f->model);
	edit_bridge_add(f->model, "br0", &f->error);
	edit_port_add(f->model, "br0", "p0", &f->error);
	assert_int_equal(model_changes(f->model, &changes), 4); // root, bridge, port, interface
	model_commit(f->model);

	model_begin(f->model);
	assert_int_equal(model_changes(f->model, &changes), 0);
	set_text(f, TABLE_PORT, "p0", "tag", "7");
	set_text(f, TABLE_PORT, "p0", "tag", "8");
	count = model_changes(f->model, &changes);
	assert_int_equal(count, 1);
	assert_int_equal(row_integer(changes[0].old, "tag", -1), -1);
	assert_false(changes[0].removed);
	edit_port_remove(f->model, "br0", "p0", &f->error);
	count = model_changes(f->model, &changes);
	for (size_t i = 0; i < count; i++)
		removed += changes[i].removed;
	assert_int_equal(count, 3);
	assert_int_equal(removed, 2);
	model_commit(f->model);
}

static void test_load(void **state)
{
	struct fixture *f = *state;
	json_t *row = json_pack("{s:s, s:i, s:s}", "name", "p0", "tag", 3, "no_such_column", "x");

	assert_int_equal(model_load(f->model, TABLE_PORT, "u-1", row), 0);
	assert_int_equal(row_integer(model_named(f->model, TABLE_PORT, "p0"), "tag", -1), 3);
	assert_null(json_object_get(model_named(f->model, TABLE_PORT, "p0"), "no_such_column"));
	assert_non_null(json_object_get(model_named(f->model, TABLE_PORT, "p0"), "trunks"));
	assert_int_not_equal(model_load(f->model, TABLE_PORT, "u-1", row), 0);
	assert_int_not_equal(model_load(f->model, TABLE_PORT, "u-2", row), 0);
	json_decref(row);
}

static void test_uuid(void **state)
{
	char a[UUID_SIZE];
	char b[UUID_SIZE];

	uuid_create(a);
	uuid_create(b);
	assert_int_equal(strlen(a), 36);
	assert_int_equal(a[14], '4');
	assert_non_null(strchr("89ab", a[19]));
	assert_string_not_equal(a, b);
}

int main(void)
{
#define TEST(FN) cmocka_unit_test_setup_teardown(FN, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_add_and_remove),
		TEST(test_names),
		TEST(test_ofports),
		TEST(test_set_clear_remove),
		TEST(test_validate),
		TEST(test_validate_types),
		TEST(test_record),
		TEST(test_abort_restores),
		TEST(test_changes),
		TEST(test_load),
		TEST(test_uuid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

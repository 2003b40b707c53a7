// SPDX-License-Identifier: Apache-2.0
#include "switch_fixture.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_datapath.h"
#include "vswitch/desired.h"
#include "vswitch/flows.h"
#include "vswitch/live.h"
#include "vswitch/log.h"
#include "vswitch/methods.h"
#include "vswitch/model_edit.h"
#include "vswitch/sync.h"
#include "vswitch/transaction.h"
#include "vswitch/vswitch.h"

int64_t now_ms = 1000000;

int64_t clock_wall_ms(void)
{
	return now_ms;
}

int64_t clock_steady_ms(void)
{
	return now_ms;
}

// --- The daemon's parts, as vswitchd puts them together ---

static void on_connected(void *context)
{
	sync_all(context);
}

static void on_disconnected(void *context)
{
	sync_forget(context);
}

static void on_port_changed(void *context, const char *name)
{
}

static void on_packet_in(void *context, const json_t *params)
{
}

static void on_resync(evutil_socket_t fd, short what, void *context)
{
	sync_behind(context);
}

static void open_vswitch(struct fixture *f)
{
	struct vswitch *vs = &f->vs;
	struct datapath_link_config config = {
		.rundir = f->dir,
		.start_timeout_ms = 5000,
		.call_timeout_ms = 20000,
		.context = vs,
		.connected = on_connected,
		.disconnected = on_disconnected,
		.port_changed = on_port_changed,
		.packet_in = on_packet_in,
	};

	*vs = (struct vswitch){.rundir = f->dir};
	vs->base = config.base = event_base_new();
	vs->conf = conf_create();
	vs->resync = event_new(vs->base, -1, 0, on_resync, vs);
	vs->link = datapath_link_create(&config);
	if (!vswitch_open(vs, f->database, &f->error))
		fail_msg("%s", f->error.message);
}

static void close_vswitch(struct fixture *f)
{
	datapath_link_destroy(f->vs.link);
	vswitch_close(&f->vs);
	event_free(f->vs.resync);
	event_base_free(f->vs.base);
	conf_destroy(f->vs.conf);
}

void start_datapath(struct fixture *f)
{
	f->datapath = fake_datapath_start(f->dir);
	assert_true(datapath_link_wait(f->vs.link, 20000));
}

void stop_datapath(struct fixture *f)
{
	fake_datapath_kill(f->datapath);
	f->datapath = 0;
	while (datapath_link_connected(f->vs.link))
		event_base_loop(f->vs.base, EVLOOP_ONCE);
}

int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	log_set_level("error");
	snprintf(f->dir, sizeof(f->dir), "/tmp/turnout-txn-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->database, sizeof(f->database), "%s/t.db", f->dir);
	open_vswitch(f);
	start_datapath(f);
	*state = f;
	return 0;
}

int fixture_teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	close_vswitch(f);
	fake_datapath_kill(f->datapath);
	rpc_error_clear(&f->error);
	snprintf(command, sizeof(command), "rm -rf '%s'", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

// --- Calls ---

static const struct rpc_method *method_find(const char *name)
{
	static const struct rpc_method *const tables[] = {bridge_methods, port_methods, db_methods,
		flow_methods, flow_show_methods, object_methods, object_show_methods,
		system_methods};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		for (const struct rpc_method *method = tables[i]; method->name; method++) {
			if (strcmp(method->name, name) == 0)
				return method;
		}
	}
	fail_msg("no method %s", name);
	return NULL;
}

json_t *call_all(struct fixture *f, json_t *calls)
{
	json_t *result = json_null();
	size_t i;
	json_t *item;

	rpc_error_clear(&f->error);
	assert_true(transaction_functions.begin(&f->vs, &f->error));
	json_array_foreach (calls, i, item) {
		const struct rpc_method *method =
			method_find(json_string_value(json_array_get(item, 0)));
		json_t *params =
			rpc_params_check(method->params, json_array_get(item, 1), &f->error);

		json_decref(result);
		result = params ? method->handler(&f->vs, params, &f->error) : NULL;
		json_decref(params);
		if (!result)
			break;
	}
	if (!result) {
		transaction_functions.abort(&f->vs);
	} else if (!transaction_functions.commit(&f->vs, &f->error)) {
		json_decref(result);
		result = NULL;
	}
	assert_int_equal(result == NULL, f->error.code != 0);
	json_decref(calls);
	return result;
}

static json_t *parse(const char *format, va_list args)
{
	char text[4096];
	json_error_t reason;
	json_t *json;

	vsnprintf(text, sizeof(text), format, args);
	for (char *c = text; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	json = json_loads(text, 0, &reason);
	if (!json)
		fail_msg("%s: %s", text, reason.text);
	return json;
}

bool call(struct fixture *f, const char *format, ...)
{
	va_list args;
	json_t *result;

	va_start(args, format);
	result = call_all(f, parse(format, args));
	va_end(args);
	json_decref(result);
	return result != NULL;
}

void must(struct fixture *f, const char *format, ...)
{
	va_list args;
	json_t *result;

	va_start(args, format);
	result = call_all(f, parse(format, args));
	va_end(args);
	if (!result)
		fail_msg("%s: %s", format, f->error.message);
	json_decref(result);
}

void assert_error(struct fixture *f, int code, const char *part)
{
	assert_int_equal(f->error.code, code);
	if (!strstr(f->error.message, part))
		fail_msg("\"%s\" does not say \"%s\"", f->error.message, part);
}

// --- Comparing ---

static void snapshot_objects(json_t *list, const struct flow_owner *owner, int kind)
{
	size_t count;
	struct object **objects = object_set_list(owner->objects, kind, &count);

	for (size_t i = 0; i < count; i++)
		json_array_append_new(
			list, json_pack("[s, I, I, s]", object_kind_get(kind)->name,
				      (json_int_t)objects[i]->id,
				      (json_int_t)objects[i]->created_ms, objects[i]->text));
	free(objects);
}

char *snapshot(struct fixture *f)
{
	json_t *all = json_object();
	char *text;

	for (int table = 0; table < TABLE_COUNT; table++)
		json_object_set(
			all, schema_table_name(table), (json_t *)model_rows(f->vs.model, table));
	for (struct flow_owner *owner = f->vs.owners; owner; owner = owner->next) {
		size_t count;
		struct flow_record *records = flows_records(owner, &count);
		json_t *list = json_array();

		for (size_t i = 0; i < count; i++)
			json_array_append_new(list,
				json_pack("[I, s]", (json_int_t)records[i].id, records[i].text));
		flow_records_free(records, count);
		for (int kind = 0; kind < OBJECT_KINDS; kind++)
			snapshot_objects(list, owner, kind);
		json_object_set_new(all, owner->bridge, list);
	}
	text = json_dumps(all, JSON_SORT_KEYS);
	json_decref(all);
	return text;
}

static void assert_objects_in_step(struct fixture *f, const struct flow_owner *owner, int kind)
{
	struct rpc_error error = {0};
	json_t *list = datapath_link_call(f->vs.link, object_kind_get(kind)->list,
		json_pack("{s:s}", "bridge", owner->name), &error);
	size_t i;
	json_t *item;

	assert_int_equal(json_array_size(list), object_set_count(owner->objects, kind));
	json_array_foreach (list, i, item) {
		const struct object *object = object_set_find(owner->objects, kind,
			(uint32_t)json_integer_value(json_array_get(item, 0)));

		assert_non_null(object);
		assert_string_equal(json_string_value(json_array_get(item, 1)), object->text);
	}
	json_decref(list);
}

void assert_in_step(struct fixture *f)
{
	struct rpc_error error = {0};
	json_t *actual = datapath_link_call(f->vs.link, "datapath.state", NULL, &error);
	json_t *desired = desired_state(f->vs.model, f->vs.failures);
	json_t *steps = reconcile_steps(desired, actual);

	assert_non_null(actual);
	if (json_array_size(steps))
		fail_msg("not in step: %s", json_dumps(steps, JSON_COMPACT));
	if (!json_equal(actual, f->vs.actual))
		fail_msg("actual: %s, known: %s", json_dumps(actual, 0),
			json_dumps(f->vs.actual, 0));
	for (struct flow_owner *owner = f->vs.owners; owner; owner = owner->next) {
		json_t *list = datapath_link_call(
			f->vs.link, "flow.list", json_pack("{s:s}", "bridge", owner->name), &error);
		size_t count;
		struct flow_record *records = flows_records(owner, &count);

		assert_int_equal(json_array_size(list), count);
		for (size_t i = 0; i < count; i++) {
			size_t k = 0;

			while (k < count && (uint64_t)json_integer_value(json_array_get(
						    json_array_get(list, k), 0)) != records[i].id)
				k++;
			assert_true(k < count);
			assert_string_equal(
				json_string_value(json_array_get(json_array_get(list, k), 1)),
				records[i].text);
		}
		for (int kind = 0; kind < OBJECT_KINDS; kind++)
			assert_objects_in_step(f, owner, kind);
		assert_false(owner->behind);
		flow_records_free(records, count);
		json_decref(list);
	}
	json_decref(steps);
	json_decref(desired);
	json_decref(actual);
}

void assert_stored(struct fixture *f)
{
	char *before = snapshot(f);
	char *after;

	close_vswitch(f);
	open_vswitch(f);
	after = snapshot(f);
	assert_string_equal(before, after);
	free(before);
	free(after);
	if (f->datapath)
		assert_true(datapath_link_wait(f->vs.link, 20000));
}

static json_t *dump(struct fixture *f)
{
	return call_all(f, json_pack("[[s, {s:s}]]", "flow.dump", "bridge", "br0"));
}

void assert_flows(struct fixture *f, const char *expected)
{
	json_t *result = dump(f);
	char text[1024] = "";
	size_t i;
	json_t *flow;

	json_array_foreach (json_object_get(result, "flows"), i, flow)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? "; " : "",
			json_string_value(json_object_get(flow, "text")));
	assert_string_equal(text, expected);
	json_decref(result);
}

// SPDX-License-Identifier: Apache-2.0
#include "vswitch/model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "rpc/closest_word.h"

struct model {
	json_t *rows[TABLE_COUNT];  // uuid -> row
	json_t *names[TABLE_COUNT]; // name -> uuid
	json_t *touched;            // uuid -> index into changes
	struct model_change *changes;
	size_t n_changes;
	size_t room;
	uint64_t version;
	bool active;
};

void uuid_create(char uuid[UUID_SIZE])
{
	uint8_t b[16];

	if (getrandom(b, sizeof(b), 0) != sizeof(b))
		abort(); // cannot happen for 16 bytes once the kernel has started
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	snprintf(uuid, UUID_SIZE,
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
		b[15]);
}

struct model *model_create(void)
{
	struct model *model = calloc(1, sizeof(*model));

	if (!model)
		return NULL;
	model->touched = json_object();
	for (int i = 0; i < TABLE_COUNT; i++) {
		model->rows[i] = json_object();
		model->names[i] = json_object();
		if (!model->rows[i] || !model->names[i] || !model->touched) {
			model_destroy(model);
			return NULL;
		}
	}
	return model;
}

static void changes_clear(struct model *model)
{
	for (size_t i = 0; i < model->n_changes; i++)
		json_decref(model->changes[i].old);
	model->n_changes = 0;
	json_object_clear(model->touched);
}

void model_destroy(struct model *model)
{
	if (!model)
		return;
	changes_clear(model);
	free(model->changes);
	json_decref(model->touched);
	for (int i = 0; i < TABLE_COUNT; i++) {
		json_decref(model->rows[i]);
		json_decref(model->names[i]);
	}
	free(model);
}

static json_t *row_mutable(const struct model *model, enum schema_table_id table, const char *uuid)
{
	return json_object_get(model->rows[table], uuid);
}

static json_t *row_create(enum schema_table_id table, const char *uuid)
{
	json_t *row = json_pack("{s:s}", "_uuid", uuid);

	for (const struct schema_column *column = schema_column_next(table, NULL); row && column;
		column = schema_column_next(table, column)) {
		if (!(column->flags & COLUMN_LIVE) &&
			json_object_set_new(row, column->name, schema_default(column)) < 0) {
			json_decref(row);
			return NULL;
		}
	}
	return row;
}

static int row_put(struct model *model, enum schema_table_id table, json_t *row)
{
	const char *name = json_string_value(json_object_get(row, "name"));
	char uuid[UUID_SIZE];

	snprintf(uuid, sizeof(uuid), "%s", row_uuid(row));
	if (name && json_object_set_new(model->names[table], name, json_string(uuid)) < 0) {
		json_decref(row);
		return -ENOMEM;
	}
	model->version++;
	return json_object_set_new(model->rows[table], uuid, row) < 0 ? -ENOMEM : 0;
}

static void row_drop(struct model *model, enum schema_table_id table, const char *uuid)
{
	const json_t *row = row_mutable(model, table, uuid);
	const char *name = json_string_value(json_object_get(row, "name"));
	const char *owner =
		name ? json_string_value(json_object_get(model->names[table], name)) : NULL;

	if (owner && strcmp(owner, uuid) == 0)
		json_object_del(model->names[table], name);
	json_object_del(model->rows[table], uuid);
	model->version++;
}

int model_load(
	struct model *model, enum schema_table_id table, const char *uuid, const json_t *columns)
{
	json_t *row = row_create(table, uuid);
	const char *name;

	if (!row)
		return -ENOMEM;
	// The schema of today decides which of the stored columns there are.
	for (const struct schema_column *column = schema_column_next(table, NULL); column;
		column = schema_column_next(table, column)) {
		json_t *value = json_object_get(columns, column->name);

		if (value && !(column->flags & COLUMN_LIVE))
			json_object_set_new(row, column->name, json_deep_copy(value));
	}
	name = json_string_value(json_object_get(row, "name"));
	if (model_row(model, table, uuid) || (name && model_named(model, table, name))) {
		json_decref(row);
		return -EEXIST;
	}
	return row_put(model, table, row);
}

// Remember what the row was before its first change. 0 or -ENOMEM.
static int touch(struct model *model, enum schema_table_id table, const char *uuid)
{
	const json_t *row = row_mutable(model, table, uuid);
	struct model_change *change;

	if (json_object_get(model->touched, uuid))
		return 0;
	if (model->n_changes == model->room) {
		size_t room = model->room ? model->room * 2 : 16;
		struct model_change *more = realloc(model->changes, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		model->changes = more;
		model->room = room;
	}
	if (json_object_set_new(model->touched, uuid, json_integer((json_int_t)model->n_changes)) <
		0)
		return -ENOMEM;
	change = &model->changes[model->n_changes++];
	*change = (struct model_change){.table = table};
	snprintf(change->uuid, sizeof(change->uuid), "%s", uuid);
	change->old = row ? json_deep_copy(row) : NULL;
	return 0;
}

void model_begin(struct model *model)
{
	changes_clear(model);
	model->active = true;
}

void model_commit(struct model *model)
{
	changes_clear(model);
	model->active = false;
	model->version++;
}

void model_abort(struct model *model)
{
	// All go before any comes back, so that a name has one owner at a time.
	for (size_t i = 0; i < model->n_changes; i++)
		row_drop(model, model->changes[i].table, model->changes[i].uuid);
	for (size_t i = 0; i < model->n_changes; i++) {
		if (model->changes[i].old)
			row_put(model, model->changes[i].table, json_incref(model->changes[i].old));
	}
	changes_clear(model);
	model->active = false;
	model->version++;
}

size_t model_changes(const struct model *model, const struct model_change **changes)
{
	for (size_t i = 0; i < model->n_changes; i++) {
		struct model_change *change = &model->changes[i];

		change->removed = !model_row(model, change->table, change->uuid);
	}
	*changes = model->changes;
	return model->n_changes;
}

uint64_t model_version(const struct model *model)
{
	return model->version;
}

const json_t *model_insert(struct model *model, enum schema_table_id table, const char *name)
{
	char uuid[UUID_SIZE];
	json_t *row;

	if (name && model_named(model, table, name)) {
		errno = EEXIST;
		return NULL;
	}
	uuid_create(uuid);
	row = row_create(table, uuid);
	if (!row || touch(model, table, uuid) < 0) {
		json_decref(row);
		errno = ENOMEM;
		return NULL;
	}
	if (name)
		json_object_set_new(row, "name", json_string(name));
	if (row_put(model, table, row) < 0) {
		errno = ENOMEM;
		return NULL;
	}
	return model_row(model, table, uuid);
}

int model_remove(struct model *model, enum schema_table_id table, const char *uuid)
{
	char copy[UUID_SIZE];

	// The caller's text may be in the row.
	snprintf(copy, sizeof(copy), "%s", uuid);
	if (!model_row(model, table, copy))
		return -ENOENT;
	if (touch(model, table, copy) < 0)
		return -ENOMEM;
	row_drop(model, table, copy);
	return 0;
}

int model_set(struct model *model, enum schema_table_id table, const char *uuid, const char *column,
	json_t *value)
{
	json_t *row = row_mutable(model, table, uuid);

	if (!row || !value) {
		json_decref(value);
		return -ENOENT;
	}
	if (touch(model, table, uuid) < 0) {
		json_decref(value);
		return -ENOMEM;
	}
	model->version++;
	return json_object_set_new(row, column, value) < 0 ? -ENOMEM : 0;
}

const json_t *model_row(const struct model *model, enum schema_table_id table, const char *uuid)
{
	return json_object_get(model->rows[table], uuid);
}

const json_t *model_named(const struct model *model, enum schema_table_id table, const char *name)
{
	const char *uuid = json_string_value(json_object_get(model->names[table], name));

	return uuid ? model_row(model, table, uuid) : NULL;
}

const json_t *model_root(const struct model *model)
{
	return json_object_iter_value(
		json_object_iter((json_t *)model_rows(model, TABLE_OPEN_VSWITCH)));
}

const json_t *model_rows(const struct model *model, enum schema_table_id table)
{
	return model->rows[table];
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(
		row_string(*(json_t *const *)a, "name"), row_string(*(json_t *const *)b, "name"));
}

json_t *model_sorted(const struct model *model, enum schema_table_id table)
{
	size_t count = 0;
	json_t **rows = calloc(json_object_size(model->rows[table]) + 1, sizeof(*rows));
	json_t *result = json_array();
	const char *uuid;
	json_t *row;

	json_object_foreach (model->rows[table], uuid, row) {
		if (rows)
			rows[count++] = row;
	}
	if (rows)
		qsort(rows, count, sizeof(*rows), compare_names);
	for (size_t i = 0; i < count; i++)
		json_array_append(result, rows[i]);
	free(rows);
	return result;
}

const json_t *model_record(const struct model *model, enum schema_table_id table,
	const char *record, struct rpc_error *error)
{
	const json_t *row = model_named(model, table, record);

	if (!row)
		row = model_row(model, table, record);
	if (!row && strcmp(record, ".") == 0) {
		if (json_object_size(model->rows[table]) == 1)
			row = json_object_iter_value(json_object_iter(model->rows[table]));
		else
			rpc_error_set(error, RPC_NOT_FOUND,
				"\".\" stands for the only row, but table %s has %zu; "
				"name one",
				schema_table_name(table), json_object_size(model->rows[table]));
	} else if (!row) {
		struct closest_word closest;
		const char *uuid;
		json_t *other;

		closest_word_begin(&closest, record);
		json_object_foreach (model->rows[table], uuid, other) {
			if (*row_string(other, "name"))
				closest_word_consider(&closest, row_string(other, "name"));
		}
		if (closest.best)
			rpc_error_set(error, RPC_NOT_FOUND,
				"table %s has no row \"%s\"; did you mean \"%s\"?",
				schema_table_name(table), record, closest.best);
		else
			rpc_error_set(error, RPC_NOT_FOUND, "table %s has no row \"%s\"",
				schema_table_name(table), record);
	}
	return row;
}

const char *row_uuid(const json_t *row)
{
	return json_string_value(json_object_get(row, "_uuid"));
}

const char *row_string(const json_t *row, const char *column)
{
	const char *text = json_string_value(json_object_get(row, column));

	return text ? text : "";
}

json_int_t row_integer(const json_t *row, const char *column, json_int_t unset)
{
	const json_t *value = json_object_get(row, column);

	return json_is_integer(value) ? json_integer_value(value) : unset;
}

json_int_t row_map_integer(const json_t *row, const char *column, const char *key, json_int_t unset)
{
	const char *text = row_map_get(row, column, key);

	return text ? atoll(text) : unset;
}

bool row_map_boolean(const json_t *row, const char *column, const char *key, bool unset)
{
	const char *text = row_map_get(row, column, key);

	return text ? strcmp(text, "true") == 0 : unset;
}

const char *row_map_get(const json_t *row, const char *column, const char *key)
{
	return json_string_value(json_object_get(json_object_get(row, column), key));
}

// SPDX-License-Identifier: Apache-2.0
#pragma once

// The configuration file of vswitchd: what must be known before there is a database. Everything
// that can change while the switch runs is in the database instead.
//
// One row of conf/conf_keys.def describes each key: its path, type, default, bounds and help. The
// loader, the messages, the sample file and the test that keeps them in step follow from the rows.
// A file may leave out any key. What it may not do is name an unknown key, name one twice, or give
// a value of the wrong type or out of its bounds: then nothing is loaded and the message says
// where ("file:line:column: ...") and what to write instead.
//
// A loaded configuration never changes. Plain data, any thread.

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum conf_type {
	CONF_STRING,
	CONF_BOOLEAN, // yes/no, true/false, on/off
	CONF_INTEGER,
	CONF_CHOICE, // one of some words
	CONF_LIST,   // of strings
};

enum conf_id {
#define CONF_KEY(ID, ...) CONF_##ID,
#include "conf/conf_keys.def"
#undef CONF_KEY
	CONF_KEY_COUNT,
};

struct conf_key {
	enum conf_id id;
	const char *path;
	enum conf_type type;
	const char *initial; // the default, as text
	const char *sample;  // what the sample file sets it to; "": commented out at its default
	long lowest;
	long highest;
	const char *choices;
	const char *help; // lines, without "#"
};

struct conf;

const struct conf_key *conf_key_get(enum conf_id id);

// All defaults, or NULL if out of memory.
struct conf *conf_create(void);

// Read `path`. NULL with a message in error[] (cut to `size` bytes).
struct conf *conf_load(const char *path, char *error, size_t size);

// As conf_load() on text in memory; `name` stands in messages for the file.
struct conf *conf_parse(
	const char *name, const char *text, size_t length, char *error, size_t size);
void conf_destroy(struct conf *conf);

const char *conf_string(const struct conf *conf, enum conf_id id); // also CONF_CHOICE; "" if empty
long conf_integer(const struct conf *conf, enum conf_id id);
bool conf_boolean(const struct conf *conf, enum conf_id id);
size_t conf_list_count(const struct conf *conf, enum conf_id id);
const char *conf_list_item(const struct conf *conf, enum conf_id id, size_t index);
bool conf_is_set(const struct conf *conf, enum conf_id id); // named by the file

// The sample file, which is also what gets installed: every key with its help.
void conf_write_sample(FILE *out);

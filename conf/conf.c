// SPDX-License-Identifier: Apache-2.0
#include "conf/conf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <yaml.h>

#include "base/word_list.h"
#include "conf/suggest.h"

static const struct conf_key keys[CONF_KEY_COUNT] = {
#define CONF_KEY(ID, PATH, TYPE, INITIAL, SAMPLE, LOWEST, HIGHEST, CHOICES, HELP) \
	{CONF_##ID, PATH, TYPE, INITIAL, SAMPLE, LOWEST, HIGHEST, CHOICES, HELP},
#include "conf/conf_keys.def"
#undef CONF_KEY
};

struct conf_value {
	bool set;
	long number; // also booleans
	size_t count;
	char **items; // strings have one
};

struct conf {
	struct conf_value values[CONF_KEY_COUNT];
};

// What a load in progress needs to know.
struct loader {
	struct conf *conf;
	const char *name;
	yaml_document_t document;
	char *error;
	size_t error_size;
};

static int load_error(struct loader *loader, const yaml_mark_t *mark, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int load_error(struct loader *loader, const yaml_mark_t *mark, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	snprintf(loader->error, loader->error_size, "%s:%zu:%zu: %s", loader->name, mark->line + 1,
		mark->column + 1, text);
	return -EINVAL;
}

const struct conf_key *conf_key_get(enum conf_id id)
{
	return &keys[id];
}

static void value_clear(struct conf_value *value)
{
	for (size_t i = 0; i < value->count; i++)
		free(value->items[i]);
	free(value->items);
	*value = (struct conf_value){0};
}

static int value_append(struct conf_value *value, const char *text)
{
	char **items = realloc(value->items, (value->count + 1) * sizeof(*items));

	if (!items)
		return -ENOMEM;
	value->items = items;
	items[value->count] = strdup(text);
	if (!items[value->count])
		return -ENOMEM;
	value->count++;
	return 0;
}

static bool parse_boolean(const char *text, long *number)
{
	static const char *const yes[] = {"yes", "true", "on"};
	static const char *const no[] = {"no", "false", "off"};

	for (size_t i = 0; i < 3; i++) {
		if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
			*number = strcasecmp(text, yes[i]) == 0;
			return true;
		}
	}
	return false;
}

// Judge one scalar. Returns NULL if it is right, otherwise what is wrong, in message[].
static const char *scalar_check(
	const struct conf_key *key, const char *text, long *number, char *message, size_t size)
{
	char *end;
	long length = (long)strlen(text);

	switch (key->type) {
	case CONF_BOOLEAN:
		if (parse_boolean(text, number))
			return NULL;
		snprintf(message, size, "%s: \"%s\" is neither yes nor no", key->path, text);
		return message;
	case CONF_INTEGER:
		errno = 0;
		*number = strtol(text, &end, 10);
		if (length == 0 || *end) {
			snprintf(message, size,
				"%s: \"%s\" is not a number; write one from %ld to %ld", key->path,
				text, key->lowest, key->highest);
			return message;
		}
		if (!errno && *number >= key->lowest && *number <= key->highest)
			return NULL;
		snprintf(message, size, "%s: %s is out of range %ld..%ld", key->path, text,
			key->lowest, key->highest);
		return message;
	case CONF_CHOICE:
		if (word_list_has(key->choices, text))
			return NULL;
		snprintf(message, size, "%s: \"%s\" is not one of: %s", key->path, text,
			key->choices);
		return message;
	default:
		if (length <= key->highest)
			return NULL;
		snprintf(message, size, "%s: %ld characters are too many (at most %ld)", key->path,
			length, key->highest);
		return message;
	}
}

static int load_scalar(struct loader *loader, const struct conf_key *key, const yaml_node_t *node)
{
	struct conf_value *value = &loader->conf->values[key->id];
	char message[700];

	if (node->type != YAML_SCALAR_NODE)
		return load_error(loader, &node->start_mark, "%s takes one value, not a %s; %s%s",
			key->path, node->type == YAML_SEQUENCE_NODE ? "list" : "section",
			"for example: ", *key->initial ? key->initial : "\"\"");
	const char *text = (const char *)node->data.scalar.value;

	if (strlen(text) != node->data.scalar.length)
		return load_error(loader, &node->start_mark, "%s contains a zero byte", key->path);
	// An empty plain scalar and "~" are YAML's null: the key is there without a value.
	if (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
		(!*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0))
		return load_error(loader, &node->start_mark,
			"%s has no value; write one or remove the line", key->path);
	if (scalar_check(key, text, &value->number, message, sizeof(message)))
		return load_error(loader, &node->start_mark, "%s", message);
	return value_append(value, text);
}

static int load_list(struct loader *loader, const struct conf_key *key, const yaml_node_t *node)
{
	struct conf_value *value = &loader->conf->values[key->id];
	int rc = 0;

	if (node->type != YAML_SEQUENCE_NODE)
		return load_error(loader, &node->start_mark,
			"%s takes a list; write it as [\"one\", \"two\"]", key->path);
	for (yaml_node_item_t *item = node->data.sequence.items.start;
		!rc && item < node->data.sequence.items.top; item++) {
		const yaml_node_t *child = yaml_document_get_node(&loader->document, *item);

		if (child->type != YAML_SCALAR_NODE)
			return load_error(loader, &child->start_mark,
				"%s takes a list of strings; quote each of them", key->path);
		rc = value_append(value, (const char *)child->data.scalar.value);
	}
	return rc;
}

// Is `name` the first part of a key's path, as "datapathd" is?
static bool section_known(const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < CONF_KEY_COUNT; i++) {
		if (strncmp(keys[i].path, name, length) == 0 && keys[i].path[length] == '.')
			return true;
	}
	return false;
}

static const struct conf_key *key_find(const char *path)
{
	for (size_t i = 0; i < CONF_KEY_COUNT; i++) {
		if (strcmp(keys[i].path, path) == 0)
			return &keys[i];
	}
	return NULL;
}

static int unknown_key(
	struct loader *loader, const char *section, const char *path, const yaml_node_t *node)
{
	struct suggestion suggestion;
	char near[128];

	suggestion_init(&suggestion, path);
	for (size_t i = 0; i < CONF_KEY_COUNT; i++) {
		const char *dot = strchr(keys[i].path, '.');

		suggestion_offer(&suggestion, keys[i].path);
		// A key may have been written outside its section.
		if (dot && !*section && strcmp(dot + 1, path) == 0) {
			suggestion.best = keys[i].path;
			suggestion.distance = 0;
		}
	}
	return load_error(loader, &node->start_mark, "unknown key \"%s\"%s", path,
		suggestion.best ? suggestion_format(&suggestion, near, sizeof(near))
				: "; the sample turnout.yaml lists all keys");
}

static int load_mapping(struct loader *loader, const char *section, const yaml_node_t *node);

static int load_pair(struct loader *loader, const char *section, const yaml_node_t *name,
	const yaml_node_t *node)
{
	char path[256];

	if (name->type != YAML_SCALAR_NODE)
		return load_error(loader, &name->start_mark, "a key must be a plain word");
	snprintf(path, sizeof(path), "%s%s%s", section, *section ? "." : "",
		(const char *)name->data.scalar.value);

	const struct conf_key *key = key_find(path);

	if (!key && !*section && section_known(path)) {
		if (node->type != YAML_MAPPING_NODE)
			return load_error(loader, &node->start_mark,
				"%s is a section; write its keys indented below it", path);
		return load_mapping(loader, path, node);
	}
	if (!key)
		return unknown_key(loader, section, path, name);
	if (loader->conf->values[key->id].set)
		return load_error(loader, &name->start_mark,
			"%s is given twice; remove one of the two", path);
	value_clear(&loader->conf->values[key->id]);
	loader->conf->values[key->id].set = true;
	return key->type == CONF_LIST ? load_list(loader, key, node)
				      : load_scalar(loader, key, node);
}

static int load_mapping(struct loader *loader, const char *section, const yaml_node_t *node)
{
	int rc = 0;

	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
		!rc && pair < node->data.mapping.pairs.top; pair++)
		rc = load_pair(loader, section,
			yaml_document_get_node(&loader->document, pair->key),
			yaml_document_get_node(&loader->document, pair->value));
	return rc;
}

static int load_document(struct loader *loader)
{
	const yaml_node_t *root = yaml_document_get_root_node(&loader->document);

	if (!root)
		return 0; // an empty file, or comments only
	if (root->type == YAML_SCALAR_NODE && root->data.scalar.length == 0)
		return 0;
	if (root->type != YAML_MAPPING_NODE)
		return load_error(
			loader, &root->start_mark, "the file must consist of \"key: value\" lines");
	return load_mapping(loader, "", root);
}

static void parser_error(const yaml_parser_t *parser, const struct loader *loader)
{
	const char *problem = parser->problem ? parser->problem : "cannot be read";

	if (parser->error == YAML_READER_ERROR)
		snprintf(loader->error, loader->error_size,
			"%s: byte %zu: %s; the file must be UTF-8 text", loader->name,
			parser->problem_offset, problem);
	else if (strstr(problem, "cannot start any token") || strstr(problem, "tab"))
		snprintf(loader->error, loader->error_size,
			"%s:%zu:%zu: %s; indent with blanks, not tabs, and quote special "
			"characters",
			loader->name, parser->problem_mark.line + 1,
			parser->problem_mark.column + 1, problem);
	else
		snprintf(loader->error, loader->error_size, "%s:%zu:%zu: %s%s%s", loader->name,
			parser->problem_mark.line + 1, parser->problem_mark.column + 1, problem,
			parser->context ? " " : "", parser->context ? parser->context : "");
}

struct conf *conf_create(void)
{
	struct conf *conf = calloc(1, sizeof(*conf));
	char message[256];

	for (size_t i = 0; conf && i < CONF_KEY_COUNT; i++) {
		struct conf_value *value = &conf->values[i];

		if (keys[i].type == CONF_LIST)
			continue; // "[]"
		scalar_check(&keys[i], keys[i].initial, &value->number, message, sizeof(message));
		if (value_append(value, keys[i].initial) < 0) {
			conf_destroy(conf);
			return NULL;
		}
	}
	return conf;
}

struct conf *conf_parse(const char *name, const char *text, size_t length, char *error, size_t size)
{
	struct loader loader = {.name = name, .error = error, .error_size = size};
	yaml_parser_t parser;
	int rc = -ENOMEM;

	snprintf(error, size, "out of memory");
	loader.conf = conf_create();
	if (!loader.conf || !yaml_parser_initialize(&parser))
		goto fail;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
	if (yaml_parser_load(&parser, &loader.document)) {
		rc = load_document(&loader);
		yaml_document_delete(&loader.document);
	} else {
		parser_error(&parser, &loader);
	}
	yaml_parser_delete(&parser);
	if (rc == 0) {
		if (size)
			error[0] = '\0';
		return loader.conf;
	}
fail:
	conf_destroy(loader.conf);
	return NULL;
}

struct conf *conf_load(const char *path, char *error, size_t size)
{
	struct conf *conf = NULL;
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t length = 0;
	size_t room = 0;

	if (!file) {
		snprintf(error, size, "%s: %s; name the file with --conf, or leave the option out",
			path, strerror(errno));
		return NULL;
	}
	do {
		if (length == room) {
			char *more = realloc(text, room + 65536);

			if (!more)
				break;
			text = more;
			room += 65536;
		}
		length += fread(text + length, 1, room - length, file);
	} while (!feof(file) && !ferror(file) && length < (1u << 20));
	if (ferror(file))
		snprintf(error, size, "%s: %s", path, strerror(errno));
	else if (!feof(file))
		snprintf(error, size, "%s: too long for a configuration file (over 1 MiB)", path);
	else
		conf = conf_parse(path, text, length, error, size);
	free(text);
	fclose(file);
	return conf;
}

void conf_destroy(struct conf *conf)
{
	for (size_t i = 0; conf && i < CONF_KEY_COUNT; i++)
		value_clear(&conf->values[i]);
	free(conf);
}

const char *conf_string(const struct conf *conf, enum conf_id id)
{
	return conf->values[id].count ? conf->values[id].items[0] : "";
}

long conf_integer(const struct conf *conf, enum conf_id id)
{
	return conf->values[id].number;
}

bool conf_boolean(const struct conf *conf, enum conf_id id)
{
	return conf->values[id].number != 0;
}

size_t conf_list_count(const struct conf *conf, enum conf_id id)
{
	return conf->values[id].count;
}

const char *conf_list_item(const struct conf *conf, enum conf_id id, size_t index)
{
	return conf->values[id].items[index];
}

bool conf_is_set(const struct conf *conf, enum conf_id id)
{
	return conf->values[id].set;
}

static void write_help(FILE *out, const char *indent, const char *help)
{
	while (*help) {
		size_t n = strcspn(help, "\n");

		fprintf(out, "%s# %.*s\n", indent, (int)n, help);
		help += n;
		help += *help == '\n';
	}
}

// Does the sample set any key of the section that keys[i] is in?
static bool section_active(size_t i, size_t length)
{
	for (size_t j = 0; j < CONF_KEY_COUNT; j++) {
		if (strncmp(keys[j].path, keys[i].path, length + 1) == 0 && *keys[j].sample)
			return true;
	}
	return false;
}

void conf_write_sample(FILE *out)
{
	char section[64] = "";

	fprintf(out,
		"# Configuration of vswitchd. Every key is listed; what is commented out shows "
		"its default.\n"
		"# To change one, remove the \"#\" before it and before the name of its "
		"section.\n");
	for (size_t i = 0; i < CONF_KEY_COUNT; i++) {
		const struct conf_key *key = &keys[i];
		const char *dot = strchr(key->path, '.');
		const char *indent = dot ? "    " : "";
		size_t length = dot ? (size_t)(dot - key->path) : 0;

		fputc('\n', out);
		if (dot && (strncmp(section, key->path, length) != 0 || section[length])) {
			snprintf(section, sizeof(section), "%.*s", (int)length, key->path);
			fprintf(out, "%s%s:\n", section_active(i, length) ? "" : "#", section);
		}
		write_help(out, indent, key->help);
		if (key->type == CONF_INTEGER)
			fprintf(out, "%s# From %ld to %ld.\n", indent, key->lowest, key->highest);
		fprintf(out, "%s%s%s: %s\n", *key->sample ? "" : "#", indent,
			dot ? dot + 1 : key->path,
			*key->sample    ? key->sample
			: *key->initial ? key->initial
					: "\"\"");
	}
}

// SPDX-License-Identifier: Apache-2.0
#include "vswitch/interface_types.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *alias;
	const char *type;
	const char *option;
	const char *value;
} aliases[] = {
#define INTERFACE_ALIAS(ALIAS, TYPE, OPTION, VALUE) {ALIAS, TYPE, OPTION, VALUE},
#define INTERFACE_OPTION_ALIAS(...)
#define INTERFACE_NO_TYPE(...)
#include "vswitch/interface_types.def"
#undef INTERFACE_ALIAS
#undef INTERFACE_OPTION_ALIAS
#undef INTERFACE_NO_TYPE
};

static const struct {
	const char *alias;
	const char *option;
} option_aliases[] = {
#define INTERFACE_ALIAS(...)
#define INTERFACE_OPTION_ALIAS(ALIAS, OPTION) {ALIAS, OPTION},
#define INTERFACE_NO_TYPE(...)
#include "vswitch/interface_types.def"
#undef INTERFACE_ALIAS
#undef INTERFACE_OPTION_ALIAS
#undef INTERFACE_NO_TYPE
};

static const struct {
	const char *type;
	const char *remedy;
} no_types[] = {
#define INTERFACE_ALIAS(...)
#define INTERFACE_OPTION_ALIAS(...)
#define INTERFACE_NO_TYPE(TYPE, REMEDY) {TYPE, REMEDY},
#include "vswitch/interface_types.def"
#undef INTERFACE_ALIAS
#undef INTERFACE_OPTION_ALIAS
#undef INTERFACE_NO_TYPE
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

bool interface_type_check(const char *type, char *reason, size_t size)
{
	if (!*type) {
		snprintf(reason, size,
			"it has no type; write type=vhostuser for a guest, or type=dpdk "
			"devargs=DEVICE for a NIC or a virtual device");
		return false;
	}
	for (size_t i = 0; i < COUNT(no_types); i++) {
		if (strcmp(no_types[i].type, type) == 0) {
			snprintf(reason, size, "type=%s does not exist here: %s", type,
				no_types[i].remedy);
			return false;
		}
	}
	return true;
}

const char *interface_type_resolve(const char *type)
{
	for (size_t i = 0; i < COUNT(aliases); i++) {
		if (strcmp(aliases[i].alias, type) == 0)
			return aliases[i].type;
	}
	return type;
}

static int compare_words(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// The members of a set of names, in order.
static json_t *names_sorted(const json_t *set)
{
	json_t *result = json_array();
	const char **names = calloc(json_object_size(set) + 1, sizeof(*names));
	size_t count = 0;
	const char *name;
	json_t *value;

	if (!names)
		return result;
	json_object_foreach ((json_t *)set, name, value) {
		names[count++] = name;
	}
	qsort(names, count, sizeof(*names), compare_words);
	for (size_t i = 0; i < count; i++)
		json_array_append_new(result, json_string(names[i]));
	free(names);
	return result;
}

json_t *interface_types_list(const json_t *described)
{
	json_t *set = json_object();
	json_t *result;
	size_t i, j;
	json_t *type, *alias;

	json_array_foreach ((json_t *)described, i, type) {
		json_object_set_new(
			set, json_string_value(json_object_get(type, "type")), json_true());
		json_array_foreach (json_object_get(type, "aliases"), j, alias) {
			json_object_set_new(set, json_string_value(alias), json_true());
		}
	}
	for (i = 0; i < COUNT(aliases); i++) {
		if (json_object_get(set, aliases[i].type))
			json_object_set_new(set, aliases[i].alias, json_true());
	}
	result = names_sorted(set);
	json_decref(set);
	return result;
}

json_t *interface_options_resolve(const char *type, const json_t *options)
{
	json_t *result = json_object();
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)options, key, value) {
		const char *name = key;

		for (size_t i = 0; i < COUNT(option_aliases); i++) {
			if (strcmp(option_aliases[i].alias, key) == 0)
				name = option_aliases[i].option;
		}
		json_object_set(result, name, value);
	}
	for (size_t i = 0; i < COUNT(aliases); i++) {
		if (strcmp(aliases[i].alias, type) == 0 &&
			!json_object_get(result, aliases[i].option))
			json_object_set_new(
				result, aliases[i].option, json_string(aliases[i].value));
	}
	return result;
}

// SPDX-License-Identifier: Apache-2.0
#pragma once

// Members of objects that came over the wire, where one that is missing, or of another type, is as
// good as an empty one. `object` may be NULL or no object.

#include <jansson.h>

// Belongs to the object; "" if it is no string.
static inline const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

// 0 if it is no integer.
static inline json_int_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static inline json_int_t number_or(const json_t *object, const char *key, json_int_t otherwise)
{
	const json_t *value = json_object_get(object, key);

	return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

// Of an integer, too; 0 if it is no number.
static inline double real_of(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

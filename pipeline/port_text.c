// SPDX-License-Identifier: Apache-2.0

// Ports in text: numbers, names and quoted names.

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/field_value.h"
#include "pipeline/name_search.h"

#define LISTED_MAX 12 // names that a message lists

// Words that stand for something else where a port may be.
static const char reserved_words[] = "in_port all flood normal none any local controller table "
				     "drop";

static void unquote(const char **text, size_t *length)
{
	if (*length >= 2 && (*text)[0] == '"' && (*text)[*length - 1] == '"') {
		(*text)++;
		*length -= 2;
	}
}

uint16_t port_find(const struct port_names *names, const char *text, size_t length)
{
	unquote(&text, &length);
	for (size_t i = 0; names && i < names->count; i++) {
		if (name_equal(names->items[i].name, text, length))
			return names->items[i].number;
	}
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// " (ports: a, b, c)", sorted by name, as many as a message should have.
static void list_ports(const struct port_names *names, char *list, size_t size)
{
	const char **sorted = calloc(names->count + 1, sizeof(*sorted));
	size_t used = 0;

	list[0] = '\0';
	if (!sorted)
		return;
	for (size_t i = 0; i < names->count; i++)
		sorted[i] = names->items[i].name;
	qsort(sorted, names->count, sizeof(*sorted), compare_names);
	for (size_t i = 0; i < names->count && i < LISTED_MAX && used < size; i++)
		used += snprintf(
			list + used, size - used, "%s%s", i == 0 ? " (ports: " : ", ", sorted[i]);
	if (used < size)
		snprintf(list + used, size - used, "%s",
			names->count == 0           ? " (it has no ports)"
			: names->count > LISTED_MAX ? ", ...)"
						    : ")");
	free(sorted);
}

int port_refuse(const char *what, const char *text, size_t length,
	const struct port_names *names, struct flow_error *error)
{
	char list[300];

	if (name_equal_any_case("local", text, length))
		return flow_error_set(error, FLOW_ERROR_NO_SUCH_PORT, what,
			"%s: this switch has no LOCAL port; give the port by name or number", what);
	if (name_equal_any_case("controller", text, length))
		return flow_error_set(error, FLOW_ERROR_NO_SUCH_PORT, what,
			"%s: the controller is no port; write the action controller", what);
	if (!names)
		return flow_error_set(error, FLOW_ERROR_NO_SUCH_PORT, what,
			"%s: \"%.*s\" is not a port number (1..%u)", what, (int)length, text,
			OFPORT_MAX);
	list_ports(names, list, sizeof(list));
	return flow_error_set(error, FLOW_ERROR_NO_SUCH_PORT, what, "%s: no port \"%.*s\" on %s%s",
		what, (int)length, text, names->bridge, list);
}

int port_parse(const char *what, const char *text, size_t length, const struct port_names *names,
	uint16_t *port, struct flow_error *error)
{
	field_number number;
	int status = number_parse(text, length, &number);

	if (status == -EINVAL) {
		*port = port_find(names, text, length);
		unquote(&text, &length);
		return *port != 0 ? 0 : port_refuse(what, text, length, names, error);
	}
	if (status != 0 || number == 0 || number > OFPORT_MAX)
		return flow_error_set(error, FLOW_ERROR_OUT_OF_RANGE, what,
			"%s: %.*s is out of range 1..%u, the numbers that ports can have", what,
			(int)length, text, OFPORT_MAX);
	*port = (uint16_t)number;
	return 0;
}

const char *port_suggest(const struct port_names *names, const char *text, size_t length)
{
	struct name_guess guess = name_guess_start(text, length);

	for (size_t i = 0; names && i < names->count; i++)
		name_guess_try(&guess, names->items[i].name, "");
	if (guess.best)
		return guess.best;
	return names && names->count > 0 ? names->items[0].name : "1";
}

// Can the name stand without quotes and still be read as this name?
static bool name_is_plain(const char *name)
{
	size_t length = strlen(name);

	if (!isalpha((unsigned char)name[0]) && name[0] != '_')
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!isalnum((unsigned char)name[i]) && !strchr("_-.", name[i]))
			return false;
	}
	return !name_in_list_any_case(reserved_words, name, length);
}

void port_print(struct text_buffer *out, uint16_t port, const struct port_names *names)
{
	for (size_t i = 0; names && i < names->count; i++) {
		const char *name = names->items[i].name;

		if (names->items[i].number != port || strchr(name, '"'))
			continue;
		text_printf(out, name_is_plain(name) ? "%s" : "\"%s\"", name);
		return;
	}
	text_put_decimal(out, port);
}

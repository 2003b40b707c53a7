// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the files that read flows share; nobody else includes this.
//
// Text and JSON are both first cut into tokens, key=value pairs and actions with an argument; then
// the same code judges them. The parser's state lives on the stack of flow_request_parse() or
// flow_request_from_json(). Functions that return int return 0, -EINVAL with the error filled, or
// -ENOMEM.

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "pipeline/field_value.h"
#include "pipeline/flow_text.h"
#include "pipeline/group.h"
#include "pipeline/name_search.h"

// Slices of the text, or of strings that the JSON holds.
struct flow_token {
	const char *start; // the whole token, for messages
	size_t length;
	const char *key;
	size_t key_length;
	const char *value; // NULL: there is none
	size_t value_length;
};

struct token_list {
	size_t count;
	size_t capacity;
	struct flow_token *items; // owned
};

struct flow_parser {
	const char *text; // that offsets count from; NULL: JSON, which has no places
	struct flow_request *request;
	const struct port_names *names;
	struct flow_warnings *warnings; // may be NULL
	struct flow_error *error;
	struct token_list keys;
	struct token_list actions;
	bool has_actions;    // "actions=" was there, maybe with nothing behind
	const char *alone;   // whose the actions are, if they stand without a match; else NULL
	uint32_t group;      // whose bucket's they are; GROUP_NONE: no group's
	bool table_is_known; // the flow's own table, for goto_table and resubmit
	unsigned seen;       // attributes given so far, see flow_keys.c
};

// --- Tokens: flow_token.c ---

// The new last item, zeroed, or NULL.
struct flow_token *token_list_add(struct token_list *list);
void token_list_destroy(struct token_list *list);

// Cut the parser's text: sets command, keys, actions and has_actions.
int flow_text_split(struct flow_parser *parser);

// The same for text that is actions only, from `at` on.
int actions_text_split(struct flow_parser *parser, const char *at);

// The next action, or other word with brackets, behind *at; its length is 0 at the end.
int action_token_next(struct flow_parser *parser, const char **at, struct flow_token *token);

// Cut one action, the token's start and length, into key and value.
int action_token_split(struct flow_parser *parser, struct flow_token *token);

// "actions" or "action"
bool actions_key_is(const char *key, size_t length);

// Is the command `name`? Sets *command.
bool flow_command_find(const char *name, size_t length, enum flow_command *command);
const char *flow_command_name(enum flow_command command);

// --- Errors: flow_token.c ---

// `token` may be NULL: the end of the text.
int flow_parser_fail(struct flow_parser *parser, const struct flow_token *token,
	enum flow_error_kind kind, const char *field, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
void flow_parser_hint(struct flow_parser *parser, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
// "\"type\" needs \"=\" before its value; write type=all"
int flow_parser_wants_equals(struct flow_parser *parser, const struct flow_token *token);
int flow_parser_needs_value(struct flow_parser *parser, const struct flow_token *token,
	const char *name, const char *example);
int flow_parser_given_twice(
	struct flow_parser *parser, const struct flow_token *token, const char *name);
// The token's value, 0..max.
int flow_parser_number(struct flow_parser *parser, const struct flow_token *token, const char *name,
	uint64_t max, uint64_t *number);
// The error was filled by somebody who does not know places. Returns `status`.
int flow_parser_place(struct flow_parser *parser, const struct flow_token *token, int status);
void flow_parser_warn(struct flow_parser *parser, const struct flow_token *token,
	enum flow_error_kind kind, const char *field, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

// --- Keys ---

// table=, priority=, cookie= and so on: flow_keys.c. *known says if the token is one of them.
int flow_key_parse(struct flow_parser *parser, const struct flow_token *token, bool *known);
void flow_key_guess(struct name_guess *guess);
bool flow_key_exists(const char *name, size_t length);
// A key without value that stands for *flag in flow.flags; NULL at the end.
const char *flow_flag_name(size_t index, unsigned *flag);

// Nothing knows the key, or the action: says so, with what may have been meant. flow_unknown.c
int flow_unknown_key(struct flow_parser *parser, const struct flow_token *token);
int flow_unknown_action(struct flow_parser *parser, const struct flow_token *token);

// Everything in parser->keys: attributes, then the match. match_text.c
int match_parse(struct flow_parser *parser);

// --- Parts of fields: subfield_text.c ---

// "F", "F[]", "F[3]" or "F[0..7]". Names that depend on the protocol are settled by the match.
// `what` begins messages about it.
int subfield_parse(struct flow_parser *parser, const struct flow_token *token, const char *what,
	const char *text, size_t length, struct subfield *subfield);
field_number subfield_ones(const struct subfield *subfield); // in place in the field
// With the NXM name if there is one, as load and move show it, and always with brackets.
void subfield_print(struct text_buffer *out, const struct subfield *subfield);

// --- Actions ---

// parser->actions into request->flow.actions: action_text.c
int actions_parse(struct flow_parser *parser);

// The argument of one action, by its form; those that write fields are in action_text_set.c,
// those that name somebody in action_text_send.c.
typedef int action_parser(struct flow_parser *parser, const struct flow_token *token,
	const struct action_type *type, struct action *action);
action_parser action_parse_field_value, action_parse_metadata, action_parse_set_field,
	action_parse_load, action_parse_move, action_parse_truncated, action_parse_controller,
	action_parse_group, action_parse_meter;

// The number of a group that is there, and is not parser->group: "group:5", "watch_group:5".
int group_reference_parse(struct flow_parser *parser, const struct flow_token *token,
	const char *name, uint32_t *group);

// Do these actions make sense with the match, and in this order? action_check.c
int actions_check(struct flow_parser *parser);

// --- Both forms ---

// Keys, match and actions in parser->keys and ->actions, into the request. flow_text.c
int flow_parser_run(struct flow_parser *parser);
void flow_parser_start(struct flow_parser *parser, struct flow_request *request,
	enum flow_command command, const struct port_names *names, struct flow_warnings *warnings,
	struct flow_error *error);
void flow_parser_finish(struct flow_parser *parser);

// --- Printing ---

// "tcp,in_port=1", after `separator` unless it is empty.
void match_print(struct text_buffer *out, const char *separator, const struct match *match,
	const struct port_names *names);

// One field of a match: value and mask of the field's own bits, or a range of ports.
struct match_item {
	const struct field *field;
	field_number value;
	field_number mask;
	struct port_range range; // in use if last is not 0
};

// Calls print for every field that is needed to say what `match` says, in printing order.
// skip_protocol: what shorthand_of() says is left out.
void match_items(const struct match *match, bool skip_protocol,
	void (*print)(void *context, const struct match_item *item), void *context);
// "V", "V/M" or "first-last".
void match_item_print(
	struct text_buffer *out, const struct match_item *item, const struct port_names *names);

void action_print(
	struct text_buffer *out, const struct action *action, const struct port_names *names);
void actions_print(
	struct text_buffer *out, const struct action_list *actions, const struct port_names *names);
// Only what stands behind the name; nothing for ARG_NONE.
void action_argument_print(
	struct text_buffer *out, const struct action *action, const struct port_names *names);

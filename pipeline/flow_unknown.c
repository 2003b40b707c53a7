// SPDX-License-Identifier: Apache-2.0

// Names that nothing knows: what Open vSwitch has and this version has not, and what somebody who
// wrote something else may have meant.

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "pipeline/flow_parser.h"
#include "pipeline/protocol.h"

// Names of Open vSwitch that are not here, and what to say. A trailing '*' stands for any rest.
struct absent_name {
	const char *names; // blank-separated
	const char *why;
	const char *hint;
};

static const struct absent_name absent_keys[] = {
	{"ct_*", "this version has no connection tracking", ""},
	{"tun_* tunnel_id gtpu_*", "this version has no tunnels", ""},
	{"conj_id", "this version has no conjunctive matches", ""},
	{"mpls* ", "this version matches no MPLS labels; dl_type=0x8847 matches all of MPLS",
		"dl_type=0x8847"},
	{"reg8 reg9 reg10 reg11 reg12 reg13 reg14 reg15", "there are eight registers, reg0 to reg7",
		"reg7"},
	{"xreg* xxreg*", "registers are matched singly, as reg0 to reg7", "reg0"},
	{"pkt_mark skb_priority recirc_id dp_hash actset_output packet_type nsh_* "
	 "nd_options_type nd_reserved dl_vlan1 in_port_oxm",
		"this version does not match it", ""},
	{"importance out_group", "this version does not have it; leave it out", ""},
	{"igmp", "write ip,nw_proto=2", "ip,nw_proto=2"},
};

static const struct absent_name absent_actions[] = {
	{"bucket", "buckets are those of a group; write group:N, and add it by ofctl add-group",
		"group:1"},
	{"ct ct_clear nat", "this version has no connection tracking", ""},
	{"set_tunnel set_tunnel64 encap decap", "this version has no tunnels", ""},
	{"learn delete_learned", "this version's flows do not add flows; NORMAL learns MACs",
		"NORMAL"},
	{"conjunction", "this version has no conjunctive matches", ""},
	{"clone", "this version has no clone; an output in a list sends a copy as it is then", ""},
	{"push_mpls pop_mpls set_mpls_label set_mpls_tc set_mpls_ttl dec_mpls_ttl",
		"this version does not change MPLS labels", ""},
	{"mod_nw_ecn", "write set_field:V->nw_ecn", "set_field:1->nw_ecn"},
	{"set_dl_src set_eth_src", "write mod_dl_src", "mod_dl_src:00:11:22:33:44:55"},
	{"local", "this switch has no LOCAL port", "NORMAL"},
	{"enqueue set_queue pop_queue", "this version has no queues; write output", "output:1"},
	{"write_actions clear_actions apply_actions",
		"write the actions themselves; there is no action set", ""},
	{"table", "packets are already in the tables; write goto_table or resubmit(,N)",
		"resubmit(,1)"},
	{"exit", "an action list ends by itself", ""},
	{"note sample bundle bundle_load multipath stack_push push pop fin_timeout "
	 "check_pkt_larger dec_nsh_ttl dec_nw_ttl mod_tp_flags set_ipv6_label",
		"this version does not have it", ""},
};

static bool absent_matches(const struct absent_name *absent, const char *key, size_t length)
{
	const char *list = absent->names;

	if (name_in_list_any_case(list, key, length))
		return true;
	while (*list != '\0') {
		size_t word = strcspn(list, " ");

		if (word > 0 && list[word - 1] == '*' && length >= word - 1 &&
			strncasecmp(list, key, word - 1) == 0)
			return true;
		list += word + (list[word] == ' ');
	}
	return false;
}

static const struct absent_name *absent_find(
	const struct absent_name *table, size_t count, const char *key, size_t length)
{
	for (size_t i = 0; i < count; i++) {
		if (absent_matches(&table[i], key, length))
			return &table[i];
	}
	return NULL;
}

static int say_absent(struct flow_parser *parser, const struct flow_token *token,
	enum flow_error_kind kind, const char *field, const struct absent_name *absent)
{
	flow_parser_fail(parser, token, kind, field, "\"%s\": %s", field, absent->why);
	flow_parser_hint(parser, "%s", absent->hint);
	return -EINVAL;
}

static size_t name_length(const struct flow_token *token)
{
	const char *bracket = memchr(token->key, '[', token->key_length);

	return bracket ? (size_t)(bracket - token->key) : token->key_length;
}

// With the value that was given, if there was one.
static void hint_key(struct flow_parser *parser, const struct flow_token *token, const char *key)
{
	if (token->value)
		flow_parser_hint(parser, "%s=%.*s", key, (int)token->value_length, token->value);
	else
		flow_parser_hint(parser, "%s", key);
}

static const char *guess_key(const char *name, size_t length)
{
	struct name_guess guess = name_guess_start(name, length);
	const struct shorthand *shorthand;
	const struct field_family *family;

	for (size_t i = 0; (shorthand = shorthand_get(i)); i++)
		name_guess_try(&guess, shorthand->name, "");
	for (size_t i = 0; (family = field_family_get(i)); i++) {
		if (family->printed)
			name_guess_try(&guess, family->names, "");
	}
	for (size_t i = 0; i < FIELD_COUNT; i++)
		name_guess_try(&guess, field_get(i)->name, field_get(i)->aliases);
	flow_key_guess(&guess);
	return guess.best;
}

// "in_port:1" and "in_port(1)", which Open vSwitch reads, and actions without "actions=".
static bool say_shape(struct flow_parser *parser, const struct flow_token *token)
{
	const char *key = token->key;
	size_t name = 0, rest;

	while (name < token->key_length && key[name] != ':' && key[name] != '(')
		name++;
	if (action_type_find(key, name) && !field_find(key, name)) {
		flow_parser_fail(parser, token, FLOW_ERROR_SYNTAX, NULL,
			"\"%.*s\" is an action; write \"actions=%.*s\", behind the match",
			(int)name, key, (int)token->length, token->start);
		flow_parser_hint(parser, "actions=%.*s", (int)token->length, token->start);
		return true;
	}
	if (name == token->key_length || (!field_find(key, name) && !field_family_find(key, name)))
		return false;
	rest = token->key_length - name - 1;
	if (key[name] == '(' && rest > 0 && key[token->key_length - 1] == ')')
		rest--;
	flow_parser_fail(parser, token, FLOW_ERROR_SYNTAX, NULL,
		"\"%.*s\" needs \"=\" before its value; write %.*s=%.*s", (int)name, key, (int)name,
		key, (int)rest, key + name + 1);
	flow_parser_hint(parser, "%.*s=%.*s", (int)name, key, (int)rest, key + name + 1);
	return true;
}

int flow_unknown_key(struct flow_parser *parser, const struct flow_token *token)
{
	char name[sizeof(parser->error->field)];
	size_t length = name_length(token);
	const struct absent_name *absent = absent_find(
		absent_keys, sizeof(absent_keys) / sizeof(absent_keys[0]), token->key, length);
	const char *best;

	snprintf(name, sizeof(name), "%.*s", (int)length, token->key);
	if (absent)
		return say_absent(parser, token, FLOW_ERROR_UNKNOWN_FIELD, name, absent);
	if (say_shape(parser, token))
		return -EINVAL;
	if (name_equal_any_case("actions", name, length)) {
		flow_parser_fail(parser, token, FLOW_ERROR_SYNTAX, NULL,
			"write \"actions=\" with the actions behind it");
		flow_parser_hint(parser, "actions=drop");
		return -EINVAL;
	}
	best = guess_key(token->key, length);
	flow_parser_fail(parser, token, FLOW_ERROR_UNKNOWN_FIELD, name,
		"unknown field \"%.*s\"; did you mean %s%s%s?", (int)length, token->key,
		best ? "\"" : "one of ",
		best ? best : "in_port, dl_src, dl_dst, dl_vlan, nw_src, nw_dst, tp_src, tp_dst",
		best ? "\"" : "");
	hint_key(parser, token, best ? best : "in_port");
	return -EINVAL;
}

int flow_unknown_action(struct flow_parser *parser, const struct flow_token *token)
{
	char name[sizeof(parser->error->field)];
	const struct absent_name *absent = absent_find(absent_actions,
		sizeof(absent_actions) / sizeof(absent_actions[0]), token->key, token->key_length);
	const char *best = action_suggest(token->key, token->key_length);
	const char *bridge = parser->names ? parser->names->bridge : NULL;

	snprintf(name, sizeof(name), "%.*s", (int)token->key_length, token->key);
	if (absent)
		return say_absent(parser, token, FLOW_ERROR_UNKNOWN_ACTION, name, absent);
	if (name_equal_any_case("actions", name, strlen(name)))
		return flow_parser_fail(parser, token, FLOW_ERROR_SYNTAX, NULL,
			"\"actions=\" is given twice; it comes last and once");
	if (best)
		flow_parser_fail(parser, token, FLOW_ERROR_UNKNOWN_ACTION, name,
			"unknown action \"%s\"; did you mean \"%s\"?", name, best);
	else if (bridge && !token->value)
		flow_parser_fail(parser, token, FLOW_ERROR_UNKNOWN_ACTION, name,
			"unknown action \"%s\", and %s has no port of that name", name, bridge);
	else
		flow_parser_fail(parser, token, FLOW_ERROR_UNKNOWN_ACTION, name,
			"unknown action \"%s\"; did you mean one of output, drop, NORMAL, "
			"set_field, resubmit?",
			name);
	if (best && token->value)
		flow_parser_hint(parser, "%s:%.*s", best, (int)token->value_length, token->value);
	else
		flow_parser_hint(parser, "%s", best ? best : "output:1");
	return -EINVAL;
}

// SPDX-License-Identifier: Apache-2.0

// Whether the actions of a flow make sense: with what its match guarantees, and in their order.

#include <arpa/inet.h>
#include <errno.h>

#include "pipeline/flow_parser.h"
#include "pipeline/protocol.h"

struct action_checker {
	struct flow_parser *parser;
	const struct match *match;
	unsigned tags;     // VLAN tags that the packet has at least, at this point of the list
	bool maybe_tagged; // it may have more
	bool stripped;
};

static const struct flow_token *token_of(struct action_checker *checker, size_t index)
{
	struct token_list *tokens = &checker->parser->actions;

	return index < tokens->count ? &tokens->items[index] : NULL;
}

// "set_field tcp_dst needs tcp in the match"; `field` may be NULL.
static int lacks(struct action_checker *checker, const struct flow_token *token,
	const struct action_type *type, const struct field *field, enum field_prerequisite needs)
{
	struct flow_parser *parser = checker->parser;
	const char *separator = field ? " " : "", *name = field ? field->name : "";

	if (needs == NEEDS_VLAN) {
		flow_parser_fail(parser, token, FLOW_ERROR_PREREQUISITE,
			field ? field->name : type->name,
			"%s%s%s needs a VLAN tag: match one (dl_vlan=100, or "
			"vlan_tci=0x1000/0x1000 for any), or write push_vlan:0x8100 before",
			type->name, separator, name);
		flow_parser_hint(parser, "push_vlan:0x8100,%.*s", (int)token->length, token->start);
		return -EINVAL;
	}
	flow_parser_fail(parser, token, FLOW_ERROR_PREREQUISITE, field ? field->name : type->name,
		"%s%s%s needs %s in the match", type->name, separator, name,
		prerequisite_name(needs));
	flow_parser_hint(parser, "%s,actions=%.*s", prerequisite_remedy(needs), (int)token->length,
		token->start);
	return -EINVAL;
}

static bool is_tag_field(const struct field *field)
{
	return field->offset == offsetof(struct packet_key, vlan_tci);
}

// Without a match, nobody says what packets have.
static bool is_met(const struct action_checker *checker, enum field_prerequisite needs)
{
	return checker->parser->alone || prerequisite_met(checker->match, needs);
}

static int check_strip(struct action_checker *checker, const struct flow_token *token,
	const struct action_type *type)
{
	if (checker->parser->alone)
		return 0;
	if (checker->tags == 0 && !checker->maybe_tagged)
		return lacks(checker, token, type, NULL, NEEDS_VLAN);
	if (checker->tags == 0 && !checker->stripped)
		flow_parser_warn(checker->parser, token, FLOW_ERROR_PREREQUISITE, type->name,
			"%s does nothing to packets without a VLAN tag, which this flow "
			"matches too; vlan_tci=0x1000/0x1000 matches only tagged ones",
			type->name);
	checker->stripped = true;
	if (checker->tags > 0)
		checker->tags--;
	return 0;
}

static int check_written(struct action_checker *checker, const struct flow_token *token,
	const struct action_type *type, const struct field *field)
{
	if (is_tag_field(field))
		return checker->tags > 0 || checker->parser->alone
			       ? 0
			       : lacks(checker, token, type, field, NEEDS_VLAN);
	return is_met(checker, field->needs) ? 0 : lacks(checker, token, type, field, field->needs);
}

static int check_goto(struct action_checker *checker, const struct flow_token *token,
	const struct action *action, bool last)
{
	struct flow_parser *parser = checker->parser;
	unsigned own = parser->request->flow.table;

	if (parser->alone)
		return flow_parser_fail(parser, token, FLOW_ERROR_TABLE_ORDER, "goto_table",
			"%s cannot go to a table; write resubmit(,%u)", parser->alone,
			action->table);
	if (!parser->table_is_known) {
		flow_parser_fail(parser, token, FLOW_ERROR_TABLE_ORDER, "goto_table",
			"goto_table:%u needs table= in a modify, since it must go to a table "
			"above the flow's own",
			action->table);
		flow_parser_hint(parser, "table=0");
		return -EINVAL;
	}
	if (action->table <= own) {
		flow_parser_fail(parser, token, FLOW_ERROR_TABLE_ORDER, "goto_table",
			"goto_table:%u must go to a table above %u", action->table, own);
		if (own < FLOW_MAX_TABLE)
			flow_parser_hint(parser, "goto_table:%u", own + 1);
		return -EINVAL;
	}
	if (!last) {
		flow_parser_fail(parser, token, FLOW_ERROR_TABLE_ORDER, "goto_table",
			"goto_table:%u must come last, nothing behind it would be done; "
			"resubmit(,%u) comes back",
			action->table, action->table);
		flow_parser_hint(parser, "resubmit(,%u)", action->table);
		return -EINVAL;
	}
	return 0;
}

// What an action needs for its own sake, before its fields are looked at.
static int check_type(struct action_checker *checker, const struct flow_token *token,
	const struct action *action, bool last)
{
	const struct action_type *type = action_type_get(action->id);

	if (action->id == ACTION_GOTO_TABLE)
		return check_goto(checker, token, action, last);
	if (action->id == ACTION_STRIP_VLAN)
		return check_strip(checker, token, type);
	if (!is_met(checker, type->needs))
		return lacks(checker, token, type, NULL, type->needs);
	if (action->id == ACTION_PUSH_VLAN)
		checker->tags++;
	else if ((action->id == ACTION_MOD_VLAN_VID || action->id == ACTION_MOD_VLAN_PCP) &&
		 checker->tags == 0)
		checker->tags = 1;
	return 0;
}

static int check_action(struct action_checker *checker, size_t index, bool last)
{
	const struct action *action = &checker->parser->request->flow.actions.items[index];
	const struct action_type *type = action_type_get(action->id);
	const struct flow_token *token = token_of(checker, index);
	int status = check_type(checker, token, action, last);

	if (status != 0)
		return status;
	switch (type->form) {
	case ARG_SET_FIELD:
	case ARG_LOAD:
		return check_written(checker, token, type, field_get(action->set.target.field));
	case ARG_MOVE:
		status = check_written(checker, token, type, field_get(action->move.target.field));
		if (status == 0 && !is_met(checker, field_get(action->move.source.field)->needs))
			status = lacks(checker, token, type, field_get(action->move.source.field),
				field_get(action->move.source.field)->needs);
		return status;
	case ARG_FIELD_OUTPUT:
		if (!is_met(checker, field_get(action->output.field)->needs))
			return lacks(checker, token, type, field_get(action->output.field),
				field_get(action->output.field)->needs);
		return 0;
	default:
		return 0;
	}
}

static int drop_alone(struct flow_parser *parser, const struct flow_token *token)
{
	flow_parser_fail(parser, token, FLOW_ERROR_CONFLICT, "drop",
		"\"drop\" cannot be combined with other actions");
	flow_parser_hint(parser, "actions=drop");
	return -EINVAL;
}

int actions_check(struct flow_parser *parser)
{
	const struct flow *flow = &parser->request->flow;
	const struct action_list *list = &flow->actions;
	const struct match *match = &flow->match;
	// Every tag has the CFI bit.
	bool untagged = match->mask.vlan_tci & ~match->value.vlan_tci & htons(VLAN_CFI);
	struct action_checker checker = {
		.parser = parser,
		.match = match,
		.tags = prerequisite_met(match, NEEDS_VLAN),
		.maybe_tagged = !untagged,
	};
	int status = 0;

	for (size_t i = 0; status == 0 && list->count > 1 && i < list->count; i++) {
		if (list->items[i].id == ACTION_DROP)
			status = drop_alone(parser, token_of(&checker, i));
	}
	for (size_t i = 0; status == 0 && i < list->count; i++)
		status = check_action(&checker, i, i + 1 == list->count);
	return status;
}

// SPDX-License-Identifier: Apache-2.0

// Every row of fields.def and actions.def: found by each of its names, written and read back,
// masked, bounded, refused without what it needs. A new row is tested by being there.

#include "flow_test.h"

#include "pipeline/field_value.h"
#include "pipeline/name_search.h"
#include "pipeline/protocol.h"
#include "pipeline/subfield.h"

static uint64_t random_state = 0x9e3779b97f4a7c15;

static field_number random_number(void)
{
	field_number number = 0;

	for (unsigned i = 0; i < 2; i++) { // xorshift64*
		random_state ^= random_state >> 12;
		random_state ^= random_state << 25;
		random_state ^= random_state >> 27;
		number = number << 64 | random_state * UINT64_C(0x2545f4914f6cdd1d);
	}
	return number;
}

// A value that a packet may have; a port is one of those that exist.
static field_number random_value(const struct field *field)
{
	field_number value = random_number() & field_ones(field);

	if (field->format == FORMAT_PORT)
		return 1 + (uint64_t)value % 3;
	if (field->format == FORMAT_FRAG)
		return (uint64_t)value & 1 ? NW_FRAG_ANY : 0; // first, no
	if (field->id == FIELD_VLAN_VID || field->id == FIELD_VLAN_TCI)
		value |= VLAN_CFI;
	if (field->id == FIELD_DL_TYPE) // not one that is printed as a shorthand
		value |= 0x4000;
	if (field->id == FIELD_NW_PROTO)
		value |= 0xc0;
	if (field->id == FIELD_ICMPV6_TYPE)
		value &= 0x7f;
	return value;
}

static char *value_text(const struct field *field, field_number value, field_number mask)
{
	struct text_buffer buffer;

	text_buffer_open(&buffer);
	field_masked_print(&buffer, field, value, mask, &test_ports);
	return text_buffer_close(&buffer);
}

__attribute__((format(printf, 1, 2))) static char *text_of(const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	assert_true(vasprintf(&text, format, arguments) >= 0);
	va_end(arguments);
	return text;
}

// "tcp," or nothing.
static char *keys_for(const struct field *field)
{
	return field->needs == NEEDS_NOTHING ? strdup("")
					     : text_of("%s,", prerequisite_remedy(field->needs));
}

static field_number key_bits(const struct field *field, const struct packet_key *key)
{
	struct field_value value;

	field_read(field, key, &value);
	return field_number_of(&value);
}

static void each_word(const char *list, const struct field *field)
{
	while (*list != '\0') {
		size_t word = strcspn(list, " ");

		if (field_find(list, word) != field)
			fail_msg("%.*s is not found as %s", (int)word, list, field->name);
		list += word + (list[word] == ' ');
	}
}

static void test_field_names(void **state)
{
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const struct field *field = field_get((enum field_id)i);

		assert_int_equal(field->id, i);
		assert_ptr_equal(field_find(field->name, strlen(field->name)), field);
		each_word(field->aliases, field);
		each_word(field->nxm, field);
		assert_true(field->help[0] != '\0');
	}
	assert_null(field_find("reg", 3));
	assert_null(field_find("reg00", 5));
	assert_null(field_find("", 0));
	assert_string_equal(field_suggest("nw_dts", 6), "nw_dst");
	assert_string_equal(field_suggest("eth_scr", 7), "dl_src");
	assert_null(field_suggest("quite_something_else", 20));
}

static void test_read_write(void **state)
{
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const struct field *field = field_get((enum field_id)i);
		struct packet_key before, after;

		for (unsigned round = 0; round < 50; round++) {
			struct field_value value, got;
			unsigned bits = field->n_bits;
			field_number ones =
				bits == 128 ? ~(field_number)0 : ((field_number)1 << bits) - 1;

			for (size_t byte = 0; byte < sizeof(before); byte++)
				((uint8_t *)&before)[byte] = (uint8_t)random_number();
			after = before;
			value = field_value_of(random_number() & ones);
			field_write(field, &after, &value);
			field_read(field, &after, &got);
			assert_memory_equal(&value, &got, sizeof(value));

			// Writing the old value back restores every bit of the key.
			field_read(field, &before, &value);
			field_write(field, &after, &value);
			assert_memory_equal(&before, &after, sizeof(before));
		}
	}
}

static field_number low_bits(unsigned n_bits)
{
	return n_bits == 128 ? ~(field_number)0 : ((field_number)1 << n_bits) - 1;
}

// Any run of bits of any field: read right-aligned, and written where it was.
static void test_subfields(void **state)
{
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const struct field *field = field_get((enum field_id)i);

		for (unsigned round = 0; round < 50; round++) {
			unsigned first = (uint64_t)random_number() % field->n_bits;
			unsigned bits = 1 + (uint64_t)random_number() % (field->n_bits - first);
			struct subfield run = {field->id, (uint8_t)first, (uint8_t)bits};
			field_number whole = random_number() & low_bits(field->n_bits);
			field_number part = whole >> first & low_bits(bits);
			struct field_value value = field_value_of(whole), mask, got;
			struct packet_key key = {0};

			field_write(field, &key, &value);
			subfield_get(&run, &key, &got);
			assert_true(field_number_of(&got) == part);
			assert_true(subfield_number(&run, &key) ==
				    (part > UINT64_MAX ? UINT64_MAX : (uint64_t)part));

			got = field_value_of(random_number());
			subfield_put(&run, &got, &value, &mask);
			assert_true(field_number_of(&mask) == low_bits(bits) << first);
			assert_true(field_number_of(&value) ==
				    (field_number_of(&got) & low_bits(bits)) << first);
		}
	}
}

// Parses "keys,name=value" and compares what is in the match.
static void check_match(
	const struct field *field, const char *name, field_number value, field_number mask)
{
	char *keys = keys_for(field), *shown = value_text(field, value, mask);
	char *text = text_of("%s%s=%s,actions=drop", keys, name, shown);
	struct flow_request request;
	const struct match *match = &request.flow.match;
	struct flow_warnings warnings;

	must_parse(&request, text, FLOW_ADD, &warnings);
	assert_int_equal(warnings.count, 0);
	if ((key_bits(field, &match->mask) & field_ones(field)) != mask ||
		(key_bits(field, &match->value) & field_ones(field)) != value)
		fail_msg("%s: wrong bits in the match", text);
	if (mask != 0)
		assert_int_equal(match->mask.layers & field->layer, field->layer);
	assert_int_equal(match->value.layers, match->mask.layers);
	if (field->id == FIELD_DL_VLAN || field->id == FIELD_DL_VLAN_PCP)
		assert_true(key_bits(field_get(FIELD_VLAN_TCI), &match->value) & VLAN_CFI);
	assert_round_trips(&request.flow);
	flow_request_destroy(&request);
	free(text);
	free(shown);
	free(keys);
}

static void test_match_values(void **state)
{
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const struct field *field = field_get((enum field_id)i);
		char *nxm = text_of("%.*s[]", (int)strcspn(field->nxm, " "), field->nxm);

		for (unsigned round = 0; round < 30; round++) {
			field_number value = random_value(field);

			check_match(field, field->name, value, field_ones(field));
			check_match(field, field_printed_name(field), value, field_ones(field));
			if (nxm[0] != '[')
				check_match(field, nxm, value, field_ones(field));
		}
		check_match(field, field->name,
			field->format == FORMAT_PORT                                 ? 1
			: field->id == FIELD_VLAN_VID || field->id == FIELD_VLAN_TCI ? VLAN_CFI
										     : 0,
			field_ones(field));
		free(nxm);
	}
}

static void test_match_masks(void **state)
{
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const struct field *field = field_get((enum field_id)i);
		bool tag = field->offset == offsetof(struct packet_key, vlan_tci);

		if (field->format == FORMAT_FRAG)
			continue;
		for (unsigned round = 0; round < 60; round++) {
			field_number mask = random_number() & random_number() & field_ones(field);

			if (tag && round % 2)
				mask &= ~(field_number)VLAN_CFI;
			else if (tag)
				mask |= VLAN_CFI;
			if (mask == 0 || mask == field_ones(field))
				continue;
			if (field->flags & FIELD_MASKABLE) {
				check_match(field, field->name, random_value(field) & mask, mask);
				continue;
			}

			char *keys = keys_for(field);
			char *text = text_of(
				"%s%s=1/0x%lx,actions=drop", keys, field->name, (uint64_t)mask);
			struct flow_error error;

			must_refuse(text, FLOW_ADD, &error);
			assert_true(
				error.kind == FLOW_ERROR_BAD_MASK || field->format == FORMAT_PORT);
			assert_string_equal(error.field, field->name);
			free(text);
			free(keys);
		}
	}
}

// Bits of maskable fields are the same as a mask.
static void test_match_bits(void **state)
{
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const struct field *field = field_get((enum field_id)i);
		char *keys = keys_for(field);
		unsigned last = field->n_bits - 1u;
		char *text = text_of("%s%s[%u]=1,actions=drop", keys, field->name, last);
		struct flow_request request;
		struct flow_error error;

		if ((field->flags & FIELD_MASKABLE) && field->format != FORMAT_FRAG) {
			field_number bit = (field_number)1 << last;

			must_parse(&request, text, FLOW_ADD, NULL);
			assert_true(key_bits(field, &request.flow.match.mask) == bit);
			assert_true(key_bits(field, &request.flow.match.value) == bit);
			assert_round_trips(&request.flow);
			flow_request_destroy(&request);
		} else {
			must_refuse(text, FLOW_ADD, &error);
			assert_int_equal(error.kind, FLOW_ERROR_BAD_MASK);
		}
		free(text);
		text = text_of("%s%s[0..%u]=1,actions=drop", keys, field->name, field->n_bits);
		must_refuse(text, FLOW_ADD, &error);
		assert_int_equal(error.kind, FLOW_ERROR_OUT_OF_RANGE);
		free(text);
		free(keys);
	}
}

static void test_bounds(void **state)
{
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const struct field *field = field_get((enum field_id)i);
		char *keys = keys_for(field);
		struct flow_request request;
		struct flow_error error;
		char *text;

		if (field->format != FORMAT_DECIMAL && field->format != FORMAT_HEX) {
			free(keys);
			continue;
		}
		field_number most = field->id == FIELD_NW_TOS ? 0xff : field_ones(field);

		text = text_of(
			"%s%s=0x%lx,actions=drop", keys, field->name, (uint64_t)field_ones(field));
		must_parse(&request, text, FLOW_ADD, NULL);
		flow_request_destroy(&request);
		free(text);
		if (field->n_bits < 64)
			text = text_of(
				"%s%s=%lu,actions=drop", keys, field->name, (uint64_t)most + 1);
		else
			text = text_of("%s%s=0x1%016lx,actions=drop", keys, field->name, 0ul);
		must_refuse(text, FLOW_ADD, &error);
		assert_int_equal(error.kind, FLOW_ERROR_OUT_OF_RANGE);
		assert_string_equal(error.field, field->name);
		free(text);
		free(keys);
	}
}

// Without its prerequisite a field is refused, and the hint is a match that works.
static void test_prerequisites(void **state)
{
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const struct field *field = field_get((enum field_id)i);
		char *shown = value_text(field, random_value(field), field_ones(field));
		char *text = text_of("%s=%s,actions=drop", field->name, shown), *fixed;
		struct flow_request request;
		struct flow_error error;

		if (field->needs != NEEDS_NOTHING) {
			must_refuse(text, FLOW_ADD, &error);
			assert_int_equal(error.kind, FLOW_ERROR_PREREQUISITE);
			assert_string_equal(error.field, field->name);
			fixed = text_of("%s,actions=drop", error.hint);
			must_parse(&request, fixed, FLOW_ADD, NULL);
			flow_request_destroy(&request);
			free(fixed);
		}
		free(text);
		free(shown);
	}
}

// Match keys and earlier actions that make it possible to write the field.
static char *writing_text(const struct field *field, const char *action)
{
	bool tag = field->offset == offsetof(struct packet_key, vlan_tci);
	char *keys = keys_for(field);
	char *text = text_of("%sactions=%s%s", keys, tag ? "push_vlan:0x8100," : "", action);

	free(keys);
	return text;
}

static void check_written(
	const struct field *field, const char *action, field_number value, field_number mask)
{
	char *text = writing_text(field, action);
	struct flow_request request;
	const struct action_list *list = &request.flow.actions;

	must_parse(&request, text, FLOW_ADD, NULL);

	const struct action *last = &list->items[list->count - 1];

	assert_int_equal(last->set.target.field, field->id);
	assert_true(field_number_of(&last->set.value) == value);
	assert_true(field_number_of(&last->set.mask) == mask);
	assert_round_trips(&request.flow);
	flow_request_destroy(&request);
	free(text);
}

static void test_writable_fields(void **state)
{
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const struct field *field = field_get((enum field_id)i);
		field_number value = random_value(field), ones = field_ones(field);
		char *shown = value_text(field, value, ones);
		char *set = text_of("set_field:%s->%s", shown, field->name);
		char *load = text_of("load:1->%s[%u]", field->name, field->n_bits - 1u);
		struct flow_error error;
		char *text;

		if (field->flags & FIELD_WRITABLE) {
			field_number top = (field_number)1 << (field->n_bits - 1);

			check_written(field, set, value, ones);
			check_written(field, load, top, top);
		} else {
			text = writing_text(field, set);
			must_refuse(text, FLOW_ADD, &error);
			assert_int_equal(error.kind, FLOW_ERROR_BAD_VALUE);
			assert_string_equal(error.field, field->name);
			free(text);
			text = writing_text(field, load);
			must_refuse(text, FLOW_ADD, &error);
			free(text);
		}
		free(shown);
		free(set);
		free(load);
	}
}

static void test_masked_set_field(void **state)
{
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const struct field *field = field_get((enum field_id)i);
		bool tag = field->offset == offsetof(struct packet_key, vlan_tci);
		char *shown, *set;

		if (!(field->flags & FIELD_WRITABLE) || !(field->flags & FIELD_MASKABLE))
			continue;
		for (unsigned round = 0; round < 20; round++) {
			field_number mask =
				(random_number() & field_ones(field)) | (tag ? VLAN_CFI : 1);
			field_number value = random_value(field) & mask;

			shown = value_text(field, value, mask);
			set = text_of("set_field:%s->%s", shown, field->name);
			check_written(field, set, value, mask);
			free(shown);
			free(set);
		}
	}
}

static void test_moves(void **state)
{
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const struct field *field = field_get((enum field_id)i);
		bool tag = field->offset == offsetof(struct packet_key, vlan_tci);
		unsigned bits = field->n_bits > 12 ? 12 : field->n_bits;
		unsigned first = field->id == FIELD_NW_TOS ? 2 : 0; // the rest is nw_ecn's
		char *from =
			text_of("move:%s[0..%u]->reg7[0..%u]", field->name, bits - 1, bits - 1);
		char *to = text_of("move:reg7[%u..%u]->%s[%u..%u]", first, bits - 1, field->name,
			first, bits - 1);
		char *text = writing_text(field, from);
		struct flow_request request;
		struct flow_error error;

		must_parse(&request, text, FLOW_ADD, NULL);
		assert_round_trips(&request.flow);
		flow_request_destroy(&request);
		free(text);
		text = writing_text(field, to);
		if (field->flags & FIELD_WRITABLE) {
			must_parse(&request, text, FLOW_ADD, NULL);
			assert_int_equal(request.flow.actions.items[tag].move.target.field, i);
			assert_int_equal(
				request.flow.actions.items[tag].move.target.n_bits, bits - first);
			assert_round_trips(&request.flow);
			flow_request_destroy(&request);
		} else {
			must_refuse(text, FLOW_ADD, &error);
		}
		free(text);
		free(from);
		free(to);
	}
}

// --- Actions ---

static const char *const examples[] = {
	[ARG_NONE] = "",
	[ARG_PORT] = ":vhu0",
	[ARG_TABLE] = ":7",
	[ARG_RESUBMIT] = "(vhu1,7)",
	[ARG_ETHERTYPE] = ":0x88a8",
	[ARG_SET_FIELD] = ":0x5/0xf->reg3",
	[ARG_LOAD] = ":0x5->NXM_NX_REG3[4..7]",
	[ARG_MOVE] = ":NXM_NX_REG3[4..7]->OXM_OF_METADATA[0..3]",
	[ARG_METADATA] = ":0x5/0x7",
	[ARG_FIELD_OUTPUT] = ":reg0[0..15]",
	[ARG_PORT_TRUNCATED] = "(port=vhu0,max_len=100)",
	[ARG_CONTROLLER] = "(max_len=128,reason=no_match)",
	[ARG_GROUP] = ":7",
	[ARG_METER] = ":7",
};

// The action as a whole flow whose match has all that it may need.
static char *action_flow(const struct action_type *type, const char *name)
{
	const struct field *field = field_get(type->field);
	char *argument = type->form == ARG_FIELD_VALUE
				 ? value_text(field, random_value(field), field_ones(field))
				 : NULL;
	char *text = text_of("tcp,dl_vlan=5,actions=%s%s%s", name, argument ? ":" : "",
		argument ? argument : examples[type->form]);

	free(argument);
	return text;
}

static void check_action(const struct action_type *type, const char *name)
{
	char *text = action_flow(type, name);
	struct flow_request request;

	must_parse(&request, text, FLOW_ADD, NULL);
	assert_int_equal(request.flow.actions.count, 1);
	assert_int_equal(request.flow.actions.items[0].id, type->id);
	assert_round_trips(&request.flow);

	struct action_list copy;

	assert_int_equal(action_list_copy(&copy, &request.flow.actions), 0);
	assert_true(action_list_equal(&copy, &request.flow.actions));
	action_list_destroy(&copy);
	flow_request_destroy(&request);
	free(text);
}

static void test_actions(void **state)
{
	for (size_t i = 0; i < ACTION_COUNT; i++) {
		const struct action_type *type = action_type_get((enum action_id)i);
		char *upper = strdup(type->name), *alias = strdup(type->aliases), *save;

		assert_int_equal(type->id, i);
		assert_non_null(type->run);
		check_action(type, type->name);
		for (char *at = upper; *at != '\0'; at++)
			*at = (char)(*at >= 'a' && *at <= 'z' ? *at - 32 : *at);
		check_action(type, upper);
		for (char *word = strtok_r(alias, " ", &save); word;
			word = strtok_r(NULL, " ", &save))
			check_action(type, word);
		free(upper);
		free(alias);
	}
	assert_string_equal(action_suggest("strip_vlna", 10), "strip_vlan");
	assert_null(action_suggest("abracadabra", 11));
}

// What the row says it needs is asked for, and what it does not need is not.
static void test_action_prerequisites(void **state)
{
	for (size_t i = 0; i < ACTION_COUNT; i++) {
		const struct action_type *type = action_type_get((enum action_id)i);
		char *whole = action_flow(type, type->name), *bare = strstr(whole, "actions=");
		struct flow_request request;
		struct flow_warnings warnings;
		struct flow_error error;

		if (type->needs == NEEDS_NOTHING) {
			must_parse(&request, bare, FLOW_ADD, &warnings);
			assert_int_equal(warnings.count, 0);
			flow_request_destroy(&request);
		} else if (type->needs == NEEDS_VLAN) { // a packet may have a tag
			must_parse(&request, bare, FLOW_ADD, &warnings);
			assert_int_equal(warnings.count, 1);
			flow_request_destroy(&request);
		} else {
			must_refuse(bare, FLOW_ADD, &error);
			assert_int_equal(error.kind, FLOW_ERROR_PREREQUISITE);
			assert_string_equal(error.field, type->name);
			must_parse(&request, error.hint, FLOW_ADD, NULL);
			flow_request_destroy(&request);
		}
		free(whole);
	}
}

// No two different actions are equal, each is equal to itself.
static void test_action_equality(void **state)
{
	struct flow_request requests[ACTION_COUNT];

	for (size_t i = 0; i < ACTION_COUNT; i++) {
		char *text = action_flow(action_type_get((enum action_id)i),
			action_type_get((enum action_id)i)->name);

		must_parse(&requests[i], text, FLOW_ADD, NULL);
		free(text);
	}
	for (size_t i = 0; i < ACTION_COUNT; i++) {
		for (size_t j = 0; j < ACTION_COUNT; j++)
			assert_int_equal(flow_equal(&requests[i].flow, &requests[j].flow), i == j);
	}
	for (size_t i = 0; i < ACTION_COUNT; i++)
		flow_request_destroy(&requests[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_field_names),
		cmocka_unit_test(test_read_write),
		cmocka_unit_test(test_subfields),
		cmocka_unit_test(test_match_values),
		cmocka_unit_test(test_match_masks),
		cmocka_unit_test(test_match_bits),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_prerequisites),
		cmocka_unit_test(test_writable_fields),
		cmocka_unit_test(test_masked_set_field),
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_action_prerequisites),
		cmocka_unit_test(test_action_equality),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

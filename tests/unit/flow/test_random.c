// SPDX-License-Identifier: Apache-2.0

// Random flows of many fields and actions read back as what they were, and random text does no
// harm: it is either a flow or refused with a reason and a place.

#include "flow_test.h"

#include "flow_random.h"
#include "pipeline/field_value.h"
#include "pipeline/protocol.h"

#define FLOWS 1000
#define GARBLED 20000

static void add_value(struct line *line, const struct field *field)
{
	field_number ones = field_ones(field), mask = ones;
	field_number value = ((field_number)random_bits() << 64 | random_bits()) & ones;
	char text[200] = "";
	struct text_buffer buffer;
	bool tag = field->offset == offsetof(struct packet_key, vlan_tci);

	if ((field->flags & FIELD_MASKABLE) && random_below(2))
		mask = ((field_number)random_bits() << 64 | random_bits()) & random_bits() & ones;
	if (tag && (mask & VLAN_CFI))
		value |= VLAN_CFI;
	if (field->format == FORMAT_FRAG) {
		value = 0;
		mask = NW_FRAG_LATER;
	}
	if (field->format == FORMAT_PORT)
		value = 1 + random_below(OFPORT_MAX);
	text_buffer_open(&buffer);
	field_masked_print(&buffer, field, value & mask, mask, NULL);
	text_buffer_close_into(&buffer, text, sizeof(text));
	add(line, "%s", text);
}

static const char *const bases[] = {"", "ip", "ipv6", "arp", "rarp", "tcp", "udp", "sctp", "tcp6",
	"udp6", "sctp6", "icmp", "icmp6", "icmp6,icmp_type=135", "icmp6,icmp_type=136",
	"ip,nw_proto=99", "dl_type=0x88cc"};

// What may stand beside a protocol and other fields without a contradiction: of fields that share
// bits, the one whose turn it is.
static bool may_stand(const struct match *match, const struct field *field, unsigned turn)
{
	if (!prerequisite_met(match, field->needs))
		return false;
	switch (field->id) {
	case FIELD_DL_TYPE:
	case FIELD_NW_PROTO:
	case FIELD_IP_DSCP:
		return false;
	case FIELD_ICMPV6_TYPE:
		return match->mask.tp_src == 0;
	case FIELD_DL_VLAN:
	case FIELD_DL_VLAN_PCP:
		return turn == 0;
	case FIELD_VLAN_VID:
		return turn == 1;
	case FIELD_VLAN_TCI:
		return turn == 2;
	default:
		return true;
	}
}

static void add_field(struct line *line, const struct field *field)
{
	if ((field->flags & FIELD_RANGE) && random_below(4) == 0) {
		unsigned first = random_below(60000);

		add(line, ",%s=%u-%u", field->name, first, first + 1 + random_below(5000));
		return;
	}
	add(line, ",%s=", random_below(2) ? field->name : field_printed_name(field));
	add_value(line, field);
}

static void add_written(struct line *line, const struct match *match)
{
	const struct field *field = field_get((enum field_id)random_below(FIELD_COUNT));

	if (!(field->flags & FIELD_WRITABLE) || !prerequisite_met(match, field->needs) ||
		(field->offset == offsetof(struct packet_key, vlan_tci) &&
			!prerequisite_met(match, NEEDS_VLAN)))
		return;
	if (field->id == FIELD_VLAN_TCI || field->id == FIELD_NW_TOS || random_below(2)) {
		unsigned first = field->id == FIELD_NW_TOS ? 2 : random_below(8) % field->n_bits;
		unsigned bits = 1 + random_below(field->n_bits - first < 12 ? field->n_bits - first
									    : 12 - first % 12);

		if (field->offset == offsetof(struct packet_key, vlan_tci) && first + bits > 12)
			return;
		add(line, ",load:%#lx->%s[%u..%u],move:reg5[0..%u]->%s[%u..%u]",
			random_bits() & ((1ul << bits) - 1), field->name, first, first + bits - 1,
			bits - 1, field->name, first, first + bits - 1);
		return;
	}
	add(line, ",set_field:");
	add_value(line, field);
	add(line, "->%s", field->name);
}

static void add_actions(struct line *line, const struct match *match, unsigned table)
{
	static const char *const simple[] = {"NORMAL", "ALL", "FLOOD", "IN_PORT", "output:7", "3",
		"resubmit(,9)", "resubmit(5,9)", "output:reg2[0..15]", "write_metadata:5/7",
		"mod_vlan_vid:9", "push_vlan:0x8100", "mod_dl_src:00:00:00:00:00:07",
		"output(port=7,max_len=99)", "output(port=in_port,max_len=14)", "controller",
		"controller:128", "controller(reason=invalid_ttl,max_len=0)", "group:7",
		"meter:4294901760"};
	unsigned count = random_below(8);

	for (unsigned i = 0; i < count; i++) {
		if (random_below(2))
			add(line, ",%s", simple[random_below(sizeof(simple) / sizeof(simple[0]))]);
		else
			add_written(line, match);
	}
	if (prerequisite_met(match, NEEDS_IP) && random_below(4) == 0)
		add(line, ",dec_ttl,mod_nw_ttl:5");
	if (prerequisite_met(match, NEEDS_TRANSPORT) && random_below(4) == 0)
		add(line, ",mod_tp_src:5");
	if (random_below(8) == 0 && table < FLOW_MAX_TABLE)
		add(line, ",goto_table:%u", table + 1);
}

static void make_flow(struct line *line)
{
	const char *base = bases[random_below(sizeof(bases) / sizeof(bases[0]))];
	unsigned table = random_below(FLOW_MAX_TABLE + 1), turn = random_below(3);
	struct flow_request request;

	*line = (struct line){0};
	add(line, "table=%u,priority=%u,%s", table, random_below(65536), base);
	if (random_below(3) == 0)
		add(line, ",cookie=%#lx,idle_timeout=%u,hard_timeout=%u,send_flow_rem,reset_counts",
			random_bits(), random_below(65536), random_below(65536));
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		struct line now = *line;

		add(&now, ",actions=drop");
		must_parse(&request, now.text, FLOW_ADD, NULL);
		if (random_below(5) == 0 &&
			may_stand(&request.flow.match, field_get((enum field_id)i), turn))
			add_field(line, field_get((enum field_id)i));
		flow_request_destroy(&request);
	}

	struct line now = *line;

	add(&now, ",actions=drop");
	must_parse(&request, now.text, FLOW_ADD, NULL);
	add(line, ",actions=");
	add_actions(line, &request.flow.match, table);
	flow_request_destroy(&request);
}

static void test_random_flows(void **state)
{
	struct line line;

	for (unsigned i = 0; i < FLOWS; i++) {
		struct flow_request request;
		struct flow_warnings warnings;

		make_flow(&line);
		must_parse(&request, line.text, FLOW_ADD, &warnings);
		assert_int_equal(warnings.count, 0);
		assert_round_trips(&request.flow);
		flow_request_destroy(&request);
	}
}

static void test_garbled_text(void **state)
{
	static const char alphabet[] = " \t,=:/.-()[]#\"*<>+|0123456789abcdefxXNM_\x80\x01";
	unsigned accepted = 0, refused = 0;
	struct line line;

	for (unsigned i = 0; i < GARBLED; i++) {
		struct flow_request request;
		struct flow_warnings warnings;
		struct flow_error error;

		if (i % 20 == 0)
			make_flow(&line);

		struct line garbled = line;
		unsigned changes = 1 + random_below(4);

		for (unsigned j = 0; j < changes; j++)
			garbled.text[random_below((unsigned)line.length)] =
				alphabet[random_below(sizeof(alphabet) - 1)];
		if (random_below(4) == 0)
			garbled.text[random_below((unsigned)line.length)] = '\0';
		if (flow_request_parse(&request, garbled.text, FLOW_ADD, &test_ports, &warnings,
			    &error) == 0) {
			accepted++;
			assert_round_trips(&request.flow);
			flow_request_destroy(&request);
			continue;
		}
		refused++;
		assert_true(error.message[0] != '\0');
		assert_true(error.offset + error.length <= strlen(garbled.text));

		json_t *json = flow_error_to_json(&error);

		assert_non_null(json);
		json_decref(json);
	}
	assert_true(accepted > GARBLED / 100);
	assert_true(refused > GARBLED / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_flows),
		cmocka_unit_test(test_garbled_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

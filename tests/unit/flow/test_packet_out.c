// SPDX-License-Identifier: Apache-2.0
//
// Packet-outs as text and as JSON.

#include "flow_test.h"

#include "pipeline/packet_out_text.h"

#define FRAME "020000000002020000000001080045"

static bool is_meter_7(const struct port_names *names, enum flow_reference kind, uint32_t id)
{
	return kind == FLOW_METER && id == 7;
}

static const struct port_names ports = {"br0", 3, test_port_items, is_meter_7, NULL};

// What a packet-out means: "in_port length first-and-last-byte actions".
static const char *meaning(const struct packet_out_request *out)
{
	static char text[512];
	char *actions = actions_format(&out->actions, NULL);

	snprintf(text, sizeof(text), "%x %zu %02x%02x %s", out->in_port, out->length, out->frame[0],
		out->frame[out->length - 1], actions);
	free(actions);
	return text;
}

static void means(const char *text, const char *expected)
{
	struct packet_out_request out;
	struct flow_warnings warnings;
	struct flow_error error;
	int status = packet_out_parse(&out, text, &ports, &warnings, &error);

	if (status != 0)
		fail_msg("%s: %s", text, error.message);
	assert_string_equal(meaning(&out), expected);
	packet_out_destroy(&out);
	assert_null(out.frame);
}

static void test_accepted(void **state)
{
	means("in_port=1,packet=" FRAME ",actions=output:2", "1 15 0245 output:2");
	means("packet=" FRAME ",in_port=2 actions=output:2", "2 15 0245 output:2");
	means("in_port=vhu1 data=0x" FRAME " actions=vhu0,dpdk0", "3 15 0245 output:2,output:1");
	means("in_port=\"vhu1\",packet=0X" FRAME ",action=drop", "3 15 0245 drop");
	means("packet=" FRAME ",actions=", "fffd 15 0245 drop");
	means("in_port=controller,packet=" FRAME ",actions=normal", "fffd 15 0245 NORMAL");
	means("in_port=CONTROLLER,packet=" FRAME ",actions=all # why", "fffd 15 0245 ALL");
	means("in_port=NONE,packet=" FRAME ",actions=in_port", "fffd 15 0245 IN_PORT");
	means("packet=02:00:00:00:00:02:02:00:00:00:00:01:08:00:Ff,actions=drop",
		"fffd 15 02ff drop");
	means("packet=0200:0000:0002:0200:0000:0001:ABcd,actions=drop", "fffd 14 02cd drop");
	// What a flow would need a match for is not asked: the bytes say what the packet is.
	means("packet=" FRAME ",actions=dec_ttl,strip_vlan,mod_nw_src:10.0.0.1,meter:7,1",
		"fffd 15 0245 dec_ttl,strip_vlan,mod_nw_src:10.0.0.1,meter:7,output:1");
	means("packet=" FRAME ",actions=controller(max_len=20)", "fffd 15 0245 CONTROLLER:20");
}

static void test_tables(void **state)
{
	static const char *const words[] = {
		"TABLE", "table", "output:table", "output=TABLE", "resubmit(,0)"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		char text[128];

		snprintf(text, sizeof(text), "in_port=1,packet=" FRAME ",actions=%s", words[i]);
		means(text, "1 15 0245 resubmit(,0)");
		snprintf(text, sizeof(text), "packet=" FRAME ",actions=load:1->reg0[],%s,2",
			words[i]);
		means(text, "fffd 15 0245 load:0x1->NXM_NX_REG0[],resubmit(,0),output:2");
	}
	means("packet=" FRAME ",actions=resubmit(1,4)", "fffd 15 0245 resubmit(1,4)");
}

// The message has `expected` in it, and the error's place is what stands between ^ and ^.
static void refuses(const char *marked, const char *expected, const char *hint)
{
	struct packet_out_request out;
	struct flow_error error;
	char text[512];
	size_t length = 0, offset = 0, end = 0;

	for (const char *c = marked; *c != '\0'; c++) {
		if (*c != '^')
			text[length++] = *c;
		else if (offset == 0)
			offset = end = length;
		else
			end = length;
	}
	text[length] = '\0';
	if (packet_out_parse(&out, text, &ports, NULL, &error) == 0)
		fail_msg("%s: accepted as %s", text, meaning(&out));
	if (!strstr(error.message, expected))
		fail_msg("%s: %s", text, error.message);
	if (error.offset != offset || error.length != end - offset)
		fail_msg("%s: %s: at %zu, %zu bytes", text, error.message, error.offset,
			error.length);
	if (hint)
		assert_string_equal(error.hint, hint);
	assert_null(out.frame);
	assert_null(out.actions.items);
}

static void test_refused(void **state)
{
	refuses("in_port=1,actions=output:2^", "missing \"packet=\"", NULL);
	refuses("in_port=1,packet=" FRAME "^", "missing \"actions=\"", "actions=table");
	refuses(",^in_prt=1^,packet=" FRAME ",actions=1", "\"in_prt\" is not known here",
		"in_port=");
	refuses(",^tcp^,packet=" FRAME ",actions=1", "a packet-out has in_port=, packet=", NULL);
	refuses(",^add^ packet=" FRAME ",actions=1", "\"add\" is not known here", NULL);
	refuses(",^delete^", "\"delete\" is not known here", NULL);
	refuses("in_port=1,^in_port=2^,packet=" FRAME ",actions=1", "in_port is given twice", NULL);
	refuses("packet=" FRAME ",^data=" FRAME "^,actions=1", "packet is given twice", NULL);
	refuses(",^in_port^,packet=" FRAME ",actions=1", "in_port needs a value", "in_port=1");
	refuses(",^in_port=vhu9^,packet=" FRAME ",actions=1", "no port \"vhu9\" on br0",
		"in_port=vhu0");
	refuses(",^in_port=0^,packet=" FRAME ",actions=1", "out of range", NULL);
	refuses(",^in_port=65533^,packet=" FRAME ",actions=1", "out of range", NULL);
	refuses(",^in_port=local^,packet=" FRAME ",actions=1", "no LOCAL port", NULL);
	refuses(",packet=0200^0z^00000002020000000001080045,actions=1",
		"packet: \"0z\" at byte 2 is no hexadecimal byte", NULL);
	refuses("packet=" FRAME "^1^,actions=1", "packet: byte 15 has one digit", NULL);
	refuses("packet=" FRAME "^:^,actions=1", "packet: \":\" at byte 15", NULL);
	refuses("packet=02:^:0^0000000020200000000010800,actions=1", "at byte 1", NULL);
	refuses(",^packet=0200^ 0000 0002,actions=1", "without FCS and without blanks", NULL);
	refuses("packet=" FRAME " ^0000^,actions=1", "\"0000\" is not known here", NULL);
	refuses(",^packet=02000000000202000000000108^,actions=1", "13 bytes are less than the 14",
		NULL);
	refuses("packet=^0x^,actions=1", "\"0x\" at byte 0", NULL);
	refuses("packet=" FRAME ",actions=^output:vhu9^", "no port \"vhu9\" on br0", NULL);
	refuses("packet=" FRAME ",actions=^goto_table:1^",
		"a packet-out cannot go to a table; write resubmit(,1)", NULL);
	refuses("packet=" FRAME ",actions=^group:7^", "group:7 is not there", NULL);
	refuses("packet=" FRAME ",actions=^tabel^", "unknown action \"tabel\"", NULL);
	refuses("packet=" FRAME ",actions=1,^drop^", "cannot be combined", NULL);
	refuses("^", "missing \"packet=\"", NULL);
}

static void test_lengths(void **state)
{
	static char text[2 * PACKET_OUT_MAX + 64];
	static char expected[2 * PACKET_OUT_MAX + 1];

	for (size_t length = PACKET_OUT_MAX; length <= PACKET_OUT_MAX + 1; length++) {
		struct packet_out_request out;
		struct flow_error error;
		size_t at = (size_t)sprintf(text, "packet=");

		for (size_t i = 0; i < length; i++)
			at += (size_t)sprintf(text + at, "%02x", (unsigned)(i * 7) & 255);
		memcpy(expected, text + 7, sizeof(expected) - 1);
		strcpy(text + at, ",actions=table");
		if (length > PACKET_OUT_MAX) {
			assert_int_equal(packet_out_parse(&out, text, NULL, NULL, &error), -EINVAL);
			assert_non_null(strstr(error.message, "longer than 9728 bytes"));
		} else {
			char *hex;

			assert_int_equal(packet_out_parse(&out, text, NULL, NULL, &error), 0);
			hex = packet_out_hex(&out);
			assert_string_equal(hex, expected);
			free(hex);
			packet_out_destroy(&out);
		}
	}
}

// --- JSON ---

static int parse_json(const char *text, struct packet_out_request *out, struct flow_error *error)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	int status;

	assert_non_null(json);
	status = packet_out_from_json(out, json, &ports, NULL, error);
	json_decref(json);
	return status;
}

static void test_json(void **state)
{
	static const struct {
		const char *json, *expected;
	} cases[] = {
		{"{\"in_port\": 1, \"packet\": \"" FRAME "\", \"actions\": [{\"output\": 2}]}",
			"1 15 0245 output:2"},
		{"{\"in_port\": \"vhu1\", \"data\": \"0x" FRAME "\", \"actions\": \"1,table\"}",
			"3 15 0245 output:1,resubmit(,0)"},
		{"{\"packet\": \"" FRAME "\", \"actions\": [\"TABLE\"]}",
			"fffd 15 0245 resubmit(,0)"},
		{"{\"in_port\": \"controller\", \"packet\": \"" FRAME "\", \"actions\": []}",
			"fffd 15 0245 drop"},
		{"{\"packet\": \"" FRAME "\", \"actions\": [\"dec_ttl\", {\"output\": \"table\"}]}",
			"fffd 15 0245 dec_ttl,resubmit(,0)"},
	};
	static const struct {
		const char *json, *message;
	} refused[] = {
		{"[]", "has to be a JSON object"},
		{"{}", "missing \"packet=\""},
		{"{\"packet\": \"" FRAME "\"}", "missing \"actions=\""},
		{"{\"packet\": 7, \"actions\": []}", "one digit"},
		{"{\"packet\": true, \"actions\": []}", "packet needs a value"},
		{"{\"packet\": [], \"actions\": []}", "number or a string"},
		{"{\"packet\": \"" FRAME ",in_port=1\", \"actions\": []}", "no hexadecimal byte"},
		{"{\"packet\": \"" FRAME "\", \"data\": \"" FRAME "\", \"actions\": []}", "twice"},
		{"{\"packet\": \"" FRAME "\", \"actions\": 5}", "has to be an array"},
		{"{\"packet\": \"" FRAME "\", \"actions\": \"drop\\u0000\"}", "zero byte"},
		{"{\"packet\": \"" FRAME "\", \"actions\": [], \"table\": 0}",
			"\"table\" is not known"},
		{"{\"in_port\": -1, \"packet\": \"" FRAME "\", \"actions\": []}", "no port \"-1\""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct packet_out_request out;
		struct flow_error error;

		if (parse_json(cases[i].json, &out, &error) != 0)
			fail_msg("%s: %s", cases[i].json, error.message);
		assert_string_equal(meaning(&out), cases[i].expected);
		packet_out_destroy(&out);
	}
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct packet_out_request out;
		struct flow_error error;

		assert_int_equal(parse_json(refused[i].json, &out, &error), -EINVAL);
		if (!strstr(error.message, refused[i].message))
			fail_msg("%s: %s", refused[i].json, error.message);
		assert_null(out.frame);
	}
}

// Cut anywhere, and with any byte in any place, it is accepted or refused with a place in the text.
static void test_damaged(void **state)
{
	static const char whole[] =
		"in_port=\"vhu1\",packet=0x" FRAME ",actions=resubmit(,1),output:2,table";
	static const char bytes[] = ",=\"(:# \t-x0\n\x01\xff";

	for (size_t at = 0; at < sizeof(whole) - 1; at++) {
		for (size_t b = 0; b < sizeof(bytes); b++) {
			struct packet_out_request out;
			struct flow_error error;
			char text[sizeof(whole)];

			memcpy(text, whole, sizeof(whole));
			text[at] = bytes[b]; // the last is the end
			if (packet_out_parse(&out, text, &ports, NULL, &error) == 0) {
				assert_true(out.length >= PACKET_OUT_MIN);
				packet_out_destroy(&out);
				continue;
			}
			assert_true(error.message[0] != '\0');
			assert_true(error.offset + error.length <= strlen(text));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests_name("packet_out", tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0

// Meters as text and as JSON: what is accepted and what it means, what is refused and what is
// said, and that both forms read back as the same meter.

#include "flow_test.h"

#include "flow_random.h"
#include "pipeline/meter_text.h"

#define RANDOM_METERS 2000
#define GARBLED 20000

static void must_parse_meter(struct meter *meter, const char *text)
{
	struct flow_error error;

	if (meter_parse(meter, text, &error) != 0)
		fail_msg("%s: %s", text, error.message);
}

static void assert_meter_round_trips(const struct meter *meter)
{
	char *text = meter_format(meter), *text_again;
	json_t *json = meter_to_json(meter);
	struct flow_error error;
	struct meter again;

	must_parse_meter(&again, text);
	assert_true(meter_equal(meter, &again));
	text_again = meter_format(&again);
	assert_string_equal(text, text_again);
	if (meter_from_json(&again, json, &error) != 0)
		fail_msg("%s: %s", json_dumps(json, 0), error.message);
	assert_true(meter_equal(meter, &again));
	json_decref(json);
	free(text);
	free(text_again);
}

// --- Accepted ---

static void test_accepted(void **state)
{
	static const struct {
		const char *text;
		const char *dump;
	} rows[] = {
		{"meter=1,kbps,burst,stats,bands=type=drop,rate=1000,burst_size=100",
			"meter=1,kbps,burst,bands=type=drop,rate=1000,burst_size=100"},
		{"meter=0xffff0000 pktps band=type=drop rate=1000000000",
			"meter=4294901760,pktps,bands=type=drop,rate=1000000000"},
		{" pktps,meter=1 , stats bands=, type=drop rate=1 # slow",
			"meter=1,pktps,bands=type=drop,rate=1"},
		// As a dump of Open vSwitch has it.
		{"meter=1 pktps burst stats bands=\ntype=drop rate=5 burst_size=6\n",
			"meter=1,pktps,burst,bands=type=drop,rate=5,burst_size=6"},
		{"meter=1,pktps,bands=type=drop,rate=9,type=dscp_remark,prec_level=2,rate=5",
			"meter=1,pktps,bands=type=drop,rate=9,type=dscp_remark,rate=5,prec_level="
			"2"},
		{"meter=1,kbps,burst,bands=type=dscp_remark,rate=0x9,prec_level=1,burst_size="
		 "4294967295,type=drop,burst_size=1,rate=7",
			"meter=1,kbps,burst,bands=type=dscp_remark,rate=9,burst_size=4294967295,"
			"prec_level=1,type=drop,rate=7,burst_size=1"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct meter meter;
		char *text;

		must_parse_meter(&meter, rows[i].text);
		text = meter_format(&meter);
		assert_string_equal(text, rows[i].dump);
		free(text);
		assert_meter_round_trips(&meter);
	}
}

static void test_values(void **state)
{
	struct meter meter;

	must_parse_meter(&meter, "meter=7,kbps,burst,bands=type=drop,rate=1000,burst_size=100,"
				 "type=dscp_remark,rate=500,burst_size=50,prec_level=2");
	assert_int_equal(meter.id, 7);
	assert_false(meter.packets);
	assert_int_equal(meter.count, 2);
	assert_int_equal(meter.bands[0].type, METER_DROP);
	assert_int_equal(meter.bands[0].rate, 1000);
	assert_int_equal(meter.bands[0].burst, 100);
	assert_int_equal(meter.bands[0].precedence, 0);
	assert_int_equal(meter.bands[1].type, METER_DSCP_REMARK);
	assert_int_equal(meter.bands[1].rate, 500);
	assert_int_equal(meter.bands[1].burst, 50);
	assert_int_equal(meter.bands[1].precedence, 2);
	must_parse_meter(&meter, "meter=7,pktps,bands=type=drop,rate=1000");
	assert_true(meter.packets);
	assert_int_equal(meter.bands[0].burst, 0);
}

static void test_number_of_bands(void **state)
{
	char text[400] = "meter=1,pktps,bands=type=drop,rate=1";
	struct meter meter;
	struct flow_error error;

	for (unsigned i = 1; i < METER_BANDS_MAX; i++)
		strcat(text, ",type=drop,rate=1");
	must_parse_meter(&meter, text);
	assert_int_equal(meter.count, METER_BANDS_MAX);
	assert_meter_round_trips(&meter);
	strcat(text, ",type=drop,rate=1");
	assert_int_equal(meter_parse(&meter, text, &error), -EINVAL);
	assert_string_equal(error.message, "a meter has at most 8 bands");
	assert_int_equal(error.offset, strlen(text) - strlen("type=drop,rate=1"));
	assert_int_equal(error.length, strlen("type=drop"));
}

// --- Refused ---

#define NEEDS_BURST_SIZE                                                                           \
	"the flag burst is given, so every band needs burst_size=; leave burst out to allow what " \
	"passes in a second"
#define NEEDS_PREC_LEVEL                                                                       \
	"a band of type dscp_remark needs prec_level=1 or prec_level=2, by how much the drop " \
	"precedence rises"

static const struct refused refused[] = {
	// What has to be there.
	{"", "missing the number of the meter: write for example meter=1", FLOW_ERROR_SYNTAX,
		"meter", "", "meter=1"},
	{"meter=1,bands=type=drop,rate=1000",
		"missing the unit of the rates: kbps (kilobits per second) or pktps (packets per "
		"second)",
		FLOW_ERROR_SYNTAX, "", "", "pktps"},
	{"meter=1,pktps", "a meter needs a band: write for example bands=type=drop,rate=1000",
		FLOW_ERROR_SYNTAX, "bands", "", "bands=type=drop,rate=1000"},
	{"meter=1,pktps,bands=", NULL, FLOW_ERROR_SYNTAX, "bands", "", NULL},
	{"meter=1,pktps,bands=rate=1000", "a band begins with type=drop or type=dscp_remark",
		FLOW_ERROR_SYNTAX, "type", "rate=1000", "type=drop,rate=1000"},
	{"meter=1,pktps,bands=type=drop",
		"a band needs rate=, the packets per second above which it acts", FLOW_ERROR_SYNTAX,
		"rate", "type=drop", "type=drop,rate=1000"},
	{"meter=1,kbps,bands=type=dscp_remark,prec_level=1,type=drop,rate=5",
		"a band needs rate=, the kilobits per second above which it acts",
		FLOW_ERROR_SYNTAX, "rate", "type=dscp_remark", "type=dscp_remark,rate=1000"},
	{"meter=1,pktps,bands=type=dscp_remark,rate=100", NEEDS_PREC_LEVEL, FLOW_ERROR_SYNTAX,
		"prec_level", "type=dscp_remark", "type=dscp_remark,rate=100,prec_level=1"},
	{"meter=1,kbps,burst,bands=type=drop,rate=1000", NEEDS_BURST_SIZE, FLOW_ERROR_SYNTAX,
		"burst_size", "type=drop", "type=drop,rate=1000,burst_size=1000"},
	{"meter=1,kbps,burst,bands=type=drop,rate=9,type=drop,rate=8,burst_size=7",
		NEEDS_BURST_SIZE, FLOW_ERROR_SYNTAX, "burst_size", "type=drop", NULL},
	{"meter,pktps,bands=type=drop,rate=5", "meter needs a value: write for example meter=1",
		FLOW_ERROR_SYNTAX, "meter", "meter", "meter=1"},
	{"meter=1,pktps,bands=type=drop,rate", "rate needs a value: write for example rate=1000",
		FLOW_ERROR_SYNTAX, "rate", "rate", "rate=1000"},
	// Values.
	{"meter=0,pktps,bands=type=drop,rate=5", "meter: 0 is out of range 1..4294901760",
		FLOW_ERROR_OUT_OF_RANGE, "meter", "meter=0", NULL},
	{"meter=4294901761,pktps", "meter: 4294901761 is out of range 1..4294901760",
		FLOW_ERROR_OUT_OF_RANGE, "meter", "meter=4294901761", NULL},
	{"meter=one,pktps", "meter: \"one\" is not a number (decimal, or hexadecimal after 0x)",
		FLOW_ERROR_BAD_VALUE, "meter", "meter=one", NULL},
	{"meter=controller,pktps,bands=type=drop,rate=5",
		"meter: what goes to the controller is limited by the bridge's "
		"other_config:controller-rate-limit, and not by a meter",
		FLOW_ERROR_BAD_VALUE, "meter", "meter=controller", ""},
	{"meter=slowpath,pktps,bands=type=drop,rate=5",
		"meter: there is no slow path that could be metered; leave this meter out",
		FLOW_ERROR_BAD_VALUE, "meter", "meter=slowpath", ""},
	{"meter=1,pktps,bands=type=drop,rate=0", "rate: 0 is out of range 1..1000000000",
		FLOW_ERROR_OUT_OF_RANGE, "rate", "rate=0", NULL},
	{"meter=1,pktps,bands=type=drop,rate=1000000001",
		"rate: 1000000001 is out of range 1..1000000000", FLOW_ERROR_OUT_OF_RANGE, "rate",
		"rate=1000000001", NULL},
	{"meter=1,pktps,bands=type=drop,rate=1k",
		"rate: \"1k\" is not a number (decimal, or hexadecimal after 0x)",
		FLOW_ERROR_BAD_VALUE, "rate", "rate=1k", NULL},
	{"meter=1,pktps,burst,bands=type=drop,rate=1,burst_size=0",
		"burst_size: 0 is out of range 1..4294967295", FLOW_ERROR_OUT_OF_RANGE,
		"burst_size", "burst_size=0", NULL},
	{"meter=1,pktps,burst,bands=type=drop,rate=1,burst_size=4294967296",
		"burst_size: 4294967296 is out of range 1..4294967295", FLOW_ERROR_OUT_OF_RANGE,
		"burst_size", "burst_size=4294967296", NULL},
	{"meter=1,pktps,bands=type=dscp_remark,rate=1,prec_level=0",
		"prec_level: 0 is out of range 1..2", FLOW_ERROR_OUT_OF_RANGE, "prec_level",
		"prec_level=0", NULL},
	{"meter=1,pktps,bands=type=dscp_remark,rate=1,prec_level=3",
		"prec_level: 3 is out of range 1..2", FLOW_ERROR_OUT_OF_RANGE, "prec_level",
		"prec_level=3", NULL},
	{"meter=1,pktps,bands=type=dorp,rate=1",
		"type: \"dorp\" is no type of bands; there are drop and dscp_remark",
		FLOW_ERROR_BAD_VALUE, "type", "type=dorp", "type=drop"},
	{"meter=1,pktps,bands=type=experimenter,rate=1", NULL, FLOW_ERROR_BAD_VALUE, "type",
		"type=experimenter", "type=drop"},
	// What does not go together.
	{"meter=1,pktps,kbps,bands=type=drop,rate=1",
		"kbps conflicts with pktps given earlier; a meter has one unit",
		FLOW_ERROR_CONFLICT, "kbps", "kbps", ""},
	{"meter=1,kbps,pktps,bands=type=drop,rate=1",
		"pktps conflicts with kbps given earlier; a meter has one unit",
		FLOW_ERROR_CONFLICT, "pktps", "pktps", ""},
	{"meter=1,meter=1,pktps", "meter is given twice; leave one out", FLOW_ERROR_CONFLICT,
		"meter", "meter=1", ""},
	{"meter=1,pktps,burst,burst", "burst is given twice; leave one out", FLOW_ERROR_CONFLICT,
		"burst", "burst", ""},
	{"meter=1,pktps,bands=type=drop,rate=1,rate=1", "rate is given twice; leave one out",
		FLOW_ERROR_CONFLICT, "rate", "rate=1", ""},
	{"meter=1,kbps,bands=type=drop,rate=1000,burst_size=100",
		"burst_size needs the flag burst before \"bands=\", as in kbps,burst,bands=...",
		FLOW_ERROR_CONFLICT, "burst_size", "burst_size=100", "burst"},
	{"meter=1,kbps,bands=type=drop,rate=1000,prec_level=1",
		"prec_level is for bands of type dscp_remark; leave it out", FLOW_ERROR_CONFLICT,
		"prec_level", "prec_level=1", ""},
	{"meter=1,pktps,bands=type=drop,rate=1,bands=type=drop,rate=2",
		"\"bands=\" comes once; further bands follow without it: "
		"bands=type=drop,rate=2000,type=drop,rate=1000",
		FLOW_ERROR_CONFLICT, "bands", "bands=type=drop", ""},
	// Shape and names.
	{"meter:1,pktps", "\"meter\" needs \"=\" before its value; write meter=1",
		FLOW_ERROR_SYNTAX, "", "meter:1", "meter=1"},
	{"meter=1,pktps,bands=type:drop,rate=5",
		"\"type\" needs \"=\" before its value; write type=drop", FLOW_ERROR_SYNTAX, "",
		"type:drop", "type=drop"},
	{"meter=1,pktps=1", "pktps takes no value; write just pktps", FLOW_ERROR_SYNTAX, "pktps",
		"pktps=1", "pktps"},
	{"meter=1,pktp,bands=type=drop,rate=1", "a meter has no \"pktp\"; did you mean \"pktps\"?",
		FLOW_ERROR_UNKNOWN_FIELD, "pktp", "pktp", "pktps"},
	{"meter=1,frobnicate=3",
		"a meter has no \"frobnicate\"; it has meter, kbps or pktps, burst, stats and "
		"bands",
		FLOW_ERROR_UNKNOWN_FIELD, "frobnicate", "frobnicate=3", ""},
	{"meter=1,pktps,bands=type=drop,rte=5", "a band has no \"rte\"; did you mean \"rate\"?",
		FLOW_ERROR_UNKNOWN_FIELD, "rte", "rte=5", "rate=5"},
	{"meter=1,pktps,bands=type=drop,frobnicate",
		"a band has no \"frobnicate\"; it has type, rate, burst_size and prec_level",
		FLOW_ERROR_UNKNOWN_FIELD, "frobnicate", "frobnicate", ""},
	{"meter=1,pktps,bands=type=drop,rate=5,burst",
		"\"burst\" is the meter's, not a band's; put it before \"bands=\"",
		FLOW_ERROR_SYNTAX, "", "burst", ""},
	{"meter=1,pktps,rate=5",
		"\"rate\" is in no band; bands come last, as in bands=type=drop,rate=1000",
		FLOW_ERROR_SYNTAX, "", "rate=5", "bands=type=drop,rate=1000"},
};

static void test_refused(void **state)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct meter meter;
		struct flow_error error;

		if (meter_parse(&meter, refused[i].text, &error) == 0)
			fail_msg("%s: accepted", refused[i].text);
		assert_refusal(&refused[i], &error);
	}
}

// --- JSON ---

static int from_json(struct meter *meter, const char *text, struct flow_error *error)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
	int status;

	if (!json)
		fail_msg("%s: no JSON", text);
	status = meter_from_json(meter, json, error);
	json_decref(json);
	return status;
}

static void test_json(void **state)
{
	static const char text[] =
		"{\"meter\": 1, \"unit\": \"kbps\", \"bands\": [{\"type\": \"drop\", \"rate\": "
		"1000, \"burst_size\": 100}, {\"type\": \"dscp_remark\", \"rate\": 500, "
		"\"burst_size\": 50, \"prec_level\": 1}]}";
	json_t *json = json_loads(text, 0, NULL), *again;
	struct meter meter, expected;
	struct flow_error error;

	assert_int_equal(from_json(&meter, text, &error), 0);
	must_parse_meter(&expected, "meter=1,kbps,burst,bands=type=drop,rate=1000,burst_size=100,"
				    "type=dscp_remark,rate=500,burst_size=50,prec_level=1");
	assert_true(meter_equal(&meter, &expected));
	again = meter_to_json(&meter);
	assert_true(json_equal(json, again));
	json_decref(json);
	json_decref(again);

	// Members in any order, numbers as strings.
	assert_int_equal(
		from_json(&meter,
			"{\"bands\": [{\"prec_level\": \"2\", \"rate\": \"0x5\", "
			"\"type\": \"dscp_remark\"}], \"unit\": \"pktps\", \"meter\": \"9\"}",
			&error),
		0);
	must_parse_meter(&expected, "meter=9,pktps,bands=type=dscp_remark,rate=5,prec_level=2");
	assert_true(meter_equal(&meter, &expected));
}

static void test_json_refused(void **state)
{
	static const struct {
		const char *json;
		const char *message;
		const char *field;
	} rows[] = {
		{"7", "a meter has to be a JSON object", ""},
		{"{\"unit\": \"kbps\"}",
			"missing the number of the meter: write for example meter=1", "meter"},
		{"{\"meter\": 1}",
			"missing the unit of the rates: kbps (kilobits per second) or pktps "
			"(packets per second)",
			"unit"},
		{"{\"meter\": 1, \"unit\": \"bps\"}", "\"unit\" has to be \"kbps\" or \"pktps\"",
			"unit"},
		{"{\"meter\": 1, \"unit\": 5}", "\"unit\" has to be \"kbps\" or \"pktps\"", "unit"},
		{"{\"meter\": 1, \"unit\": \"kbps\", \"bands\": []}",
			"a meter needs a band: write for example bands=type=drop,rate=1000",
			"bands"},
		{"{\"meter\": 1, \"unit\": \"kbps\", \"bands\": {}}",
			"\"bands\" has to be an array of objects", "bands"},
		{"{\"meter\": 1, \"unit\": \"kbps\", \"bands\": [7]}",
			"\"bands\" has to be an array of objects", "bands"},
		{"{\"meter\": 1, \"unit\": \"kbps\", \"bands\": [{\"rate\": 5}]}",
			"\"type\" is missing from a band; there are drop and dscp_remark", "type"},
		{"{\"meter\": 1, \"unit\": \"kbps\", \"bands\": [{\"type\": \"drop\"}]}",
			"a band needs rate=, the kilobits per second above which it acts", "rate"},
		{"{\"meter\": 1, \"unit\": \"kbps\", \"bands\": [{\"type\": \"drop\", \"rate\": "
		 "1.5}]}",
			"\"rate\" has to be a whole number or a string", "rate"},
		{"{\"meter\": 1, \"unit\": \"kbps\", \"bands\": [{\"type\": \"drop\", \"rate\": 5, "
		 "\"burst_size\": 0}]}",
			"burst_size: 0 is out of range 1..4294967295", "burst_size"},
		{"{\"meter\": 1, \"unit\": \"kbps\", \"bands\": [{\"type\": \"drop\", \"rate\": 5, "
		 "\"burst_size\": 3}, {\"type\": \"drop\", \"rate\": 5}]}",
			"one band has a burst_size, so every band needs one", "burst_size"},
		{"{\"meter\": 1, \"unit\": \"kbps\", \"bands\": [{\"type\": \"dscp_remark\", "
		 "\"rate\": 5}]}",
			NEEDS_PREC_LEVEL, "prec_level"},
		{"{\"meter\": 1, \"unit\": \"kbps\", \"bands\": [{\"type\": \"drop\", \"rate\": 5, "
		 "\"speed\": 5}]}",
			"a band has no \"speed\"; it has type, rate, burst_size and prec_level",
			"speed"},
		{"{\"meter\": 1, \"unit\": \"kbps\", \"burst\": true}",
			"a meter has no member \"burst\"; it has meter, unit and bands", "burst"},
		{"{\"meter\": 1, \"kbps\": true}",
			"a meter has no member \"kbps\"; it has meter, unit and bands", "kbps"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct meter meter;
		struct flow_error error;

		if (from_json(&meter, rows[i].json, &error) == 0)
			fail_msg("%s: accepted", rows[i].json);
		assert_string_equal(error.message, rows[i].message);
		assert_string_equal(error.field, rows[i].field);
		assert_int_equal(error.offset, 0);
		assert_int_equal(error.length, 0);
	}
}

// --- Selections ---

static void test_selections(void **state)
{
	struct flow_error error;
	uint32_t id = 7;
	bool all = false;

	assert_int_equal(meter_selection_parse("", &all, &id, &error), 0);
	assert_true(all);
	assert_int_equal(meter_selection_parse("meter=all", &all, &id, &error), 0);
	assert_true(all);
	assert_int_equal(meter_selection_parse("meter=5", &all, &id, &error), 0);
	assert_false(all);
	assert_int_equal(id, 5);
	assert_int_equal(meter_selection_parse("0xffff0000", &all, &id, &error), 0);
	assert_int_equal(id, METER_ID_MAX);
	assert_int_equal(meter_selection_parse(" meter=4294901761", &all, &id, &error), -EINVAL);
	assert_string_equal(error.message, "meter: 4294901761 is out of range 0..4294901760");
	assert_int_equal(error.offset, 1);
	assert_int_equal(error.length, 16);
}

// --- Random meters ---

static void make_meter(struct line *line)
{
	bool burst = random_below(2);
	unsigned bands = 1 + random_below(METER_BANDS_MAX);

	*line = (struct line){0};
	add(line, "meter=%u,%s%s%s,bands=", 1 + random_below(METER_ID_MAX),
		random_below(2) ? "kbps" : "pktps", burst ? ",burst" : "",
		random_below(2) ? ",stats" : "");
	for (unsigned i = 0; i < bands; i++) {
		bool remark = random_below(2);

		add(line, "%stype=%s,rate=%u", i > 0 ? "," : "", remark ? "dscp_remark" : "drop",
			1 + random_below(METER_RATE_MAX));
		if (burst)
			add(line, " burst_size=%u", 1 + random_below(UINT32_MAX));
		if (remark)
			add(line, ",prec_level=%u", 1 + random_below(2));
	}
}

static void test_random(void **state)
{
	struct line line;

	for (unsigned i = 0; i < RANDOM_METERS; i++) {
		struct meter meter;

		make_meter(&line);
		must_parse_meter(&meter, line.text);
		assert_meter_round_trips(&meter);
	}
}

static void test_garbled(void **state)
{
	static const char alphabet[] = " \t,=:/.-()[]#\"*0123456789abcdefx\x80\x01";
	unsigned accepted_count = 0, refused_count = 0;
	struct line line;

	for (unsigned i = 0; i < GARBLED; i++) {
		struct meter meter;
		struct flow_error error;

		if (i % 20 == 0)
			make_meter(&line);

		struct line garbled = line;

		for (unsigned changes = 1 + random_below(2); changes > 0; changes--)
			garbled.text[random_below((unsigned)line.length)] =
				alphabet[random_below(sizeof(alphabet) - 1)];
		if (meter_parse(&meter, garbled.text, &error) == 0) {
			accepted_count++;
			assert_meter_round_trips(&meter);
			continue;
		}
		refused_count++;
		assert_true(error.message[0] != '\0');
		assert_true(error.offset + error.length <= strlen(garbled.text));
	}
	assert_true(accepted_count > GARBLED / 100);
	assert_true(refused_count > GARBLED / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_number_of_bands),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_refused),
		cmocka_unit_test(test_selections),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_garbled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

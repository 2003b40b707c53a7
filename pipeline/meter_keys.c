// SPDX-License-Identifier: Apache-2.0

// What a meter and its bands say, judged.

#include <errno.h>
#include <string.h>

#include "pipeline/meter_parser.h"

#define PRECEDENCE_MAX 2

static const char *const type_names[] = {
	[METER_DROP] = "drop",
	[METER_DSCP_REMARK] = "dscp_remark",
};
#define TYPE_COUNT (sizeof(type_names) / sizeof(type_names[0]))

const char *meter_band_type_name(enum meter_band_type type)
{
	return type_names[type];
}

const char *meter_unit_name(bool packets)
{
	return packets ? "pktps" : "kbps";
}

bool meter_has_bursts(const struct meter *meter)
{
	for (size_t i = 0; i < meter->count; i++) {
		if (meter->bands[i].burst != 0)
			return true;
	}
	return false;
}

// --- Keys in general ---

typedef int key_parser(struct meter_parser *parser, const struct flow_token *token);

struct meter_key {
	const char *name;
	key_parser *parse;
	const char *example; // NULL: takes no value
};

static int check_value(
	struct flow_parser *flow, const struct flow_token *token, const struct meter_key *key)
{
	if (!key->example && token->value) {
		flow_parser_fail(flow, token, FLOW_ERROR_SYNTAX, key->name,
			"%s takes no value; write just %s", key->name, key->name);
		flow_parser_hint(flow, "%s", key->name);
		return -EINVAL;
	}
	if (key->example && (!token->value || token->value_length == 0))
		return flow_parser_needs_value(flow, token, key->name, key->example);
	return 0;
}

static int parse_key(struct meter_parser *parser, const struct flow_token *token,
	const struct meter_key *keys, unsigned index, unsigned *seen)
{
	int status = check_value(&parser->flow, token, &keys[index]);

	if (status != 0)
		return status;
	if (*seen >> index & 1)
		return flow_parser_given_twice(&parser->flow, token, keys[index].name);
	*seen |= 1u << index;
	return keys[index].parse(parser, token);
}

static bool find_key(const struct meter_key *keys, unsigned count, const char *name, size_t length,
	unsigned *index)
{
	for (*index = 0; *index < count; ++*index) {
		if (name_equal(keys[*index].name, name, length))
			return true;
	}
	return false;
}

// From 1 on.
static int parse_number(struct flow_parser *flow, const struct flow_token *token, const char *name,
	uint32_t max, uint32_t *number)
{
	uint64_t parsed = 0;
	int status = flow_parser_number(flow, token, name, max, &parsed);

	if (status == 0 && parsed > 0) {
		*number = (uint32_t)parsed;
		return 0;
	}
	if (status == 0 || flow->error->kind == FLOW_ERROR_OUT_OF_RANGE)
		flow_error_set(flow->error, FLOW_ERROR_OUT_OF_RANGE, name,
			"%s: %.*s is out of range 1..%u", name, (int)token->value_length,
			token->value, max);
	return flow_parser_place(flow, token, -EINVAL);
}

// --- Keys of meters ---

static int parse_meter_id(struct meter_parser *parser, const struct flow_token *token)
{
	struct flow_parser *flow = &parser->flow;

	if (name_equal("controller", token->value, token->value_length))
		return flow_parser_fail(flow, token, FLOW_ERROR_BAD_VALUE, "meter",
			"meter: what goes to the controller is limited by the bridge's "
			"other_config:controller-rate-limit, and not by a meter");
	if (name_equal("slowpath", token->value, token->value_length))
		return flow_parser_fail(flow, token, FLOW_ERROR_BAD_VALUE, "meter",
			"meter: there is no slow path that could be metered; leave this meter out");
	return parse_number(flow, token, "meter", METER_ID_MAX, &parser->meter->id);
}

enum { KEY_METER, KEY_KBPS, KEY_PKTPS };

static int parse_unit(struct meter_parser *parser, const struct flow_token *token)
{
	const unsigned both = 1u << KEY_KBPS | 1u << KEY_PKTPS;

	if ((parser->seen & both) == both)
		return flow_parser_fail(&parser->flow, token, FLOW_ERROR_CONFLICT,
			meter_unit_name(!parser->meter->packets),
			"%s conflicts with %s given earlier; a meter has one unit",
			meter_unit_name(!parser->meter->packets),
			meter_unit_name(parser->meter->packets));
	parser->meter->packets = parser->seen >> KEY_PKTPS & 1;
	return 0;
}

static int parse_burst(struct meter_parser *parser, const struct flow_token *token)
{
	parser->burst = *token;
	return 0;
}

// Everything is counted anyway.
static int parse_stats(struct meter_parser *parser, const struct flow_token *token)
{
	return 0;
}

static const struct meter_key meter_keys[] = {
	[KEY_METER] = {"meter", parse_meter_id, "meter=1"},
	[KEY_KBPS] = {"kbps", parse_unit, NULL},
	[KEY_PKTPS] = {"pktps", parse_unit, NULL},
	{"burst", parse_burst, NULL},
	{"stats", parse_stats, NULL},
};
#define METER_KEY_COUNT (sizeof(meter_keys) / sizeof(meter_keys[0]))

static int unknown_key(struct flow_parser *flow, const struct flow_token *token, const char *what,
	const struct meter_key *keys, unsigned count, const char *list)
{
	struct name_guess guess = name_guess_start(token->key, token->key_length);
	char name[sizeof(flow->error->field)];

	for (unsigned i = 0; i < count; i++)
		name_guess_try(&guess, keys[i].name, "");
	snprintf(name, sizeof(name), "%.*s", (int)token->key_length, token->key);
	if (!guess.best)
		return flow_parser_fail(flow, token, FLOW_ERROR_UNKNOWN_FIELD, name,
			"a %s has no \"%.*s\"; it has %s", what, (int)token->key_length, token->key,
			list);
	flow_parser_fail(flow, token, FLOW_ERROR_UNKNOWN_FIELD, name,
		"a %s has no \"%.*s\"; did you mean \"%s\"?", what, (int)token->key_length,
		token->key, guess.best);
	flow_parser_hint(flow, token->value ? "%s=%.*s" : "%s", guess.best,
		(int)token->value_length, token->value);
	return -EINVAL;
}

int meter_key_parse(struct meter_parser *parser, const struct flow_token *token)
{
	struct flow_parser *flow = &parser->flow;
	unsigned index;

	if (find_key(meter_keys, METER_KEY_COUNT, token->key, token->key_length, &index))
		return parse_key(parser, token, meter_keys, index, &parser->seen);
	if (meter_band_key_exists(token->key, token->key_length)) {
		flow_parser_fail(flow, token, FLOW_ERROR_SYNTAX, NULL,
			"\"%.*s\" is in no band; bands come last, as in "
			"bands=type=drop,rate=1000",
			(int)token->key_length, token->key);
		flow_parser_hint(flow, "bands=type=drop,rate=1000");
		return -EINVAL;
	}
	return unknown_key(flow, token, "meter", meter_keys, METER_KEY_COUNT,
		"meter, kbps or pktps, burst, stats and bands");
}

// --- Keys of bands ---

static struct meter_band *last_band(struct meter_parser *parser)
{
	return &parser->meter->bands[parser->meter->count - 1];
}

enum { KEY_TYPE, KEY_RATE, KEY_BURST_SIZE, KEY_PREC_LEVEL };

static int parse_type(struct meter_parser *parser, const struct flow_token *token)
{
	struct name_guess guess = name_guess_start(token->value, token->value_length);

	for (unsigned i = 0; i < TYPE_COUNT; i++) {
		if (name_equal(type_names[i], token->value, token->value_length)) {
			last_band(parser)->type = (enum meter_band_type)i;
			return 0;
		}
		name_guess_try(&guess, type_names[i], "");
	}
	flow_parser_fail(&parser->flow, token, FLOW_ERROR_BAD_VALUE, "type",
		"type: \"%.*s\" is no type of bands; there are drop and dscp_remark",
		(int)token->value_length, token->value);
	flow_parser_hint(&parser->flow, "type=%s", guess.best ? guess.best : "drop");
	return -EINVAL;
}

static int parse_rate(struct meter_parser *parser, const struct flow_token *token)
{
	return parse_number(&parser->flow, token, "rate", METER_RATE_MAX, &last_band(parser)->rate);
}

// In JSON there is no flag.
static int parse_burst_size(struct meter_parser *parser, const struct flow_token *token)
{
	struct flow_parser *flow = &parser->flow;

	if (!flow->text || parser->burst.length > 0)
		return parse_number(
			flow, token, "burst_size", UINT32_MAX, &last_band(parser)->burst);
	flow_parser_fail(flow, token, FLOW_ERROR_CONFLICT, "burst_size",
		"burst_size needs the flag burst before \"bands=\", as in %s,burst,bands=...",
		meter_unit_name(parser->meter->packets));
	flow_parser_hint(flow, "burst");
	return -EINVAL;
}

static int parse_prec_level(struct meter_parser *parser, const struct flow_token *token)
{
	uint32_t number = 0;
	int status = parse_number(&parser->flow, token, "prec_level", PRECEDENCE_MAX, &number);

	last_band(parser)->precedence = (uint8_t)number;
	if (status == 0 && last_band(parser)->type != METER_DSCP_REMARK)
		return flow_parser_fail(&parser->flow, token, FLOW_ERROR_CONFLICT, "prec_level",
			"prec_level is for bands of type dscp_remark; leave it out");
	return status;
}

static const struct meter_key band_keys[] = {
	[KEY_TYPE] = {"type", parse_type, "type=drop"},
	[KEY_RATE] = {"rate", parse_rate, "rate=1000"},
	[KEY_BURST_SIZE] = {"burst_size", parse_burst_size, "burst_size=1000"},
	[KEY_PREC_LEVEL] = {"prec_level", parse_prec_level, "prec_level=1"},
};
#define BAND_KEY_COUNT (sizeof(band_keys) / sizeof(band_keys[0]))

bool meter_band_key_exists(const char *name, size_t length)
{
	unsigned index;

	return find_key(band_keys, BAND_KEY_COUNT, name, length, &index);
}

// Of the last band, if there is one.
static int check_band(struct meter_parser *parser)
{
	struct flow_parser *flow = &parser->flow;
	const struct flow_token *token = parser->band.length > 0 ? &parser->band : NULL;
	const struct meter_band *band;

	if (parser->meter->count == 0)
		return 0;
	band = last_band(parser);
	if (!(parser->band_seen >> KEY_RATE & 1)) {
		flow_parser_fail(flow, token, FLOW_ERROR_SYNTAX, "rate",
			"a band needs rate=, the %s above which it acts",
			parser->meter->packets ? "packets per second" : "kilobits per second");
		flow_parser_hint(flow, "type=%s,rate=1000", meter_band_type_name(band->type));
		return -EINVAL;
	}
	if (band->type == METER_DSCP_REMARK && !(parser->band_seen >> KEY_PREC_LEVEL & 1)) {
		flow_parser_fail(flow, token, FLOW_ERROR_SYNTAX, "prec_level",
			"a band of type dscp_remark needs prec_level=1 or prec_level=2, by how "
			"much the drop precedence rises");
		flow_parser_hint(flow, "type=dscp_remark,rate=%u,prec_level=1", band->rate);
		return -EINVAL;
	}
	if (parser->burst.length > 0 && band->burst == 0) {
		flow_parser_fail(flow, token, FLOW_ERROR_SYNTAX, "burst_size",
			"the flag burst is given, so every band needs burst_size=; leave burst out "
			"to allow what passes in a second");
		flow_parser_hint(flow, "type=%s,rate=%u,burst_size=%u",
			meter_band_type_name(band->type), band->rate, band->rate);
		return -EINVAL;
	}
	return 0;
}

static int start_band(struct meter_parser *parser, const struct flow_token *token)
{
	struct meter *meter = parser->meter;
	int status = check_band(parser);

	if (status != 0)
		return status;
	if (meter->count == METER_BANDS_MAX)
		return flow_parser_fail(&parser->flow, token, FLOW_ERROR_OUT_OF_RANGE, "bands",
			"a meter has at most %d bands", METER_BANDS_MAX);
	meter->bands[meter->count++] = (struct meter_band){0};
	parser->band = *token;
	parser->band_seen = 0;
	return 0;
}

int meter_band_key_parse(struct meter_parser *parser, const struct flow_token *token)
{
	struct flow_parser *flow = &parser->flow;
	unsigned index;
	int status = 0;

	if (!find_key(band_keys, BAND_KEY_COUNT, token->key, token->key_length, &index)) {
		if (!find_key(meter_keys, METER_KEY_COUNT, token->key, token->key_length, &index))
			return unknown_key(flow, token, "band", band_keys, BAND_KEY_COUNT,
				"type, rate, burst_size and prec_level");
		return flow_parser_fail(flow, token, FLOW_ERROR_SYNTAX, NULL,
			"\"%.*s\" is the meter's, not a band's; put it before \"bands=\"",
			(int)token->length, token->start);
	}
	if (index == KEY_TYPE)
		status = start_band(parser, token);
	if (status == 0 && parser->meter->count == 0) {
		flow_parser_fail(flow, token, FLOW_ERROR_SYNTAX, "type",
			"a band begins with type=drop or type=dscp_remark");
		flow_parser_hint(flow, "type=drop,%.*s", (int)token->length, token->start);
		return -EINVAL;
	}
	return status == 0 ? parse_key(parser, token, band_keys, index, &parser->band_seen)
			   : status;
}

// --- Whole meters ---

void meter_parser_start(struct meter_parser *parser, struct meter *meter, struct flow_error *error)
{
	*parser = (struct meter_parser){.meter = meter};
	*meter = (struct meter){0};
	flow_parser_start(&parser->flow, &parser->request, FLOW_ADD, NULL, NULL, error);
}

static int missing(
	struct flow_parser *flow, const char *name, const char *message, const char *hint)
{
	flow_parser_fail(flow, NULL, FLOW_ERROR_SYNTAX, name, "%s", message);
	flow_parser_hint(flow, "%s", hint);
	return -EINVAL;
}

static int check_meter(struct meter_parser *parser)
{
	struct flow_parser *flow = &parser->flow;
	struct meter *meter = parser->meter;
	int status;

	if (!(parser->seen >> KEY_METER & 1))
		return missing(flow, "meter",
			"missing the number of the meter: write for example meter=1", "meter=1");
	if (!(parser->seen & (1u << KEY_KBPS | 1u << KEY_PKTPS)))
		return missing(flow, flow->text ? NULL : "unit",
			"missing the unit of the rates: kbps (kilobits per second) or pktps "
			"(packets per second)",
			"pktps");
	if (meter->count == 0)
		return missing(flow, "bands",
			"a meter needs a band: write for example bands=type=drop,rate=1000",
			"bands=type=drop,rate=1000");
	status = check_band(parser);
	for (size_t i = 0; status == 0 && meter_has_bursts(meter) && i < meter->count; i++) {
		if (meter->bands[i].burst == 0)
			status = missing(flow, "burst_size",
				"one band has a burst_size, so every band needs one", "burst_size");
	}
	return status;
}

int meter_parser_finish(struct meter_parser *parser, int status)
{
	if (status == 0)
		status = check_meter(parser);
	flow_parser_finish(&parser->flow);
	flow_request_destroy(&parser->request);
	return status;
}

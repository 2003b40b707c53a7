// SPDX-License-Identifier: Apache-2.0

// Meters as JSON, both ways. Members become the tokens that a line of text is cut into, and are
// judged by the same code.

#include <errno.h>
#include <string.h>

#include "pipeline/flow_json_reader.h"
#include "pipeline/meter_parser.h"
#include "pipeline/meter_text.h"

// --- Reading ---

typedef int key_judge(struct meter_parser *parser, const struct flow_token *token);

static int judge_member(struct meter_parser *parser, struct json_reader *reader, const char *key,
	const json_t *value, key_judge *judge)
{
	int status = json_read_key(reader, key, value);

	return status == 0 ? judge(parser, &parser->flow.keys.items[parser->flow.keys.count - 1])
			   : status;
}

static int read_unit(struct meter_parser *parser, struct json_reader *reader, const json_t *value)
{
	const char *name = json_is_string(value) ? json_string_value(value) : "";

	for (int packets = 0; packets <= 1; packets++) {
		if (strcmp(name, meter_unit_name(packets)) == 0)
			return judge_member(parser, reader, name, json_true(), meter_key_parse);
	}
	return json_bad_member(reader, "unit", "has to be \"kbps\" or \"pktps\"");
}

static int read_band(struct meter_parser *parser, struct json_reader *reader, const json_t *band)
{
	const json_t *type = json_object_get(band, "type");
	const char *key;
	json_t *value;
	int status;

	if (!json_is_object(band))
		return json_bad_member(reader, "bands", "has to be an array of objects");
	if (!type)
		return json_bad_member(
			reader, "type", "is missing from a band; there are drop and dscp_remark");
	status = judge_member(parser, reader, "type", type, meter_band_key_parse);
	json_object_foreach ((json_t *)band, key, value) {
		if (status == 0 && strcmp(key, "type") != 0)
			status = judge_member(parser, reader, key, value, meter_band_key_parse);
	}
	return status;
}

static int read_bands(struct meter_parser *parser, struct json_reader *reader, const json_t *bands)
{
	const json_t *band;
	size_t i;
	int status = 0;

	if (bands && !json_is_array(bands))
		return json_bad_member(reader, "bands", "has to be an array of objects");
	json_array_foreach (bands, i, band) {
		if (status == 0)
			status = read_band(parser, reader, band);
	}
	return status;
}

static int read_member(struct meter_parser *parser, struct json_reader *reader, const char *key,
	const json_t *value)
{
	if (strcmp(key, "bands") == 0)
		return 0;
	if (strcmp(key, "unit") == 0)
		return read_unit(parser, reader, value);
	if (strcmp(key, "meter") == 0)
		return judge_member(parser, reader, key, value, meter_key_parse);
	return flow_parser_fail(&parser->flow, NULL, FLOW_ERROR_UNKNOWN_FIELD, key,
		"a meter has no member \"%s\"; it has meter, unit and bands", key);
}

int meter_from_json(struct meter *meter, const json_t *json, struct flow_error *error)
{
	struct meter_parser parser;
	struct json_reader reader = {.parser = &parser.flow};
	const char *key;
	json_t *value;
	int status = 0;

	meter_parser_start(&parser, meter, error);
	if (!json_is_object(json))
		status = flow_parser_fail(&parser.flow, NULL, FLOW_ERROR_SYNTAX, NULL,
			"a meter has to be a JSON object");
	json_object_foreach ((json_t *)json, key, value) {
		if (status == 0)
			status = read_member(&parser, &reader, key, value);
	}
	if (status == 0)
		status = read_bands(&parser, &reader, json_object_get(json, "bands"));
	status = meter_parser_finish(&parser, status);
	json_reader_finish(&reader);
	return status;
}

// --- Writing; 0 or -1, as jansson has it ---

static json_t *band_json(const struct meter_band *band)
{
	json_t *object = json_object();
	int status =
		json_object_set_new(object, "type", json_string(meter_band_type_name(band->type)));

	if (status == 0)
		status = json_object_set_new(object, "rate", json_integer(band->rate));
	if (status == 0 && band->burst != 0)
		status = json_object_set_new(object, "burst_size", json_integer(band->burst));
	if (status == 0 && band->type == METER_DSCP_REMARK)
		status = json_object_set_new(object, "prec_level", json_integer(band->precedence));
	if (status == 0)
		return object;
	json_decref(object);
	return NULL;
}

json_t *meter_to_json(const struct meter *meter)
{
	json_t *bands = json_array();
	int status = bands ? 0 : -1;

	for (size_t i = 0; status == 0 && i < meter->count; i++)
		status = json_array_append_new(bands, band_json(&meter->bands[i]));
	if (status == 0)
		return json_pack("{s:I, s:s, s:o}", "meter", (json_int_t)meter->id, "unit",
			meter_unit_name(meter->packets), "bands", bands);
	json_decref(bands);
	return NULL;
}

// SPDX-License-Identifier: Apache-2.0

// Meters from their text, and as text.

#include "pipeline/meter_text.h"

#include "pipeline/meter_parser.h"
#include "pipeline/selection_text.h"
#include "base/text_buffer.h"

// --- Reading ---

static bool is_bands(const struct flow_token *token)
{
	return token->value && (name_equal("bands", token->key, token->key_length) ||
				       name_equal("band", token->key, token->key_length));
}

static int bands_again(struct flow_parser *flow, const struct flow_token *token)
{
	return flow_parser_fail(flow, token, FLOW_ERROR_CONFLICT, "bands",
		"\"%.*s=\" comes once; further bands follow without it: "
		"bands=type=drop,rate=2000,type=drop,rate=1000",
		(int)token->key_length, token->key);
}

static int parse_words(struct meter_parser *parser, const char *at)
{
	struct flow_parser *flow = &parser->flow;
	bool in_bands = false;

	for (;;) {
		struct flow_token token;
		int status = action_token_next(flow, &at, &token);

		if (status != 0 || token.length == 0)
			return status;
		if (token.value && token.value[-1] != '=')
			return flow_parser_wants_equals(flow, &token);
		if (is_bands(&token) && in_bands)
			return bands_again(flow, &token);
		if (is_bands(&token)) {
			in_bands = true;
			at = token.value;
			continue;
		}
		status = in_bands ? meter_band_key_parse(parser, &token)
				  : meter_key_parse(parser, &token);
		if (status != 0)
			return status;
	}
}

int meter_parse(struct meter *meter, const char *text, struct flow_error *error)
{
	struct meter_parser parser;

	meter_parser_start(&parser, meter, error);
	parser.flow.text = text;
	return meter_parser_finish(&parser, parse_words(&parser, text));
}

int meter_selection_parse(const char *text, bool *all, uint32_t *id, struct flow_error *error)
{
	return selection_parse("meter", METER_ID_MAX, text, all, id, error);
}

// --- Writing ---

static void print_band(struct text_buffer *out, const struct meter_band *band)
{
	text_printf(out, "type=%s,rate=%u", meter_band_type_name(band->type), band->rate);
	if (band->burst != 0)
		text_printf(out, ",burst_size=%u", band->burst);
	if (band->type == METER_DSCP_REMARK)
		text_printf(out, ",prec_level=%u", band->precedence);
}

char *meter_format(const struct meter *meter)
{
	struct text_buffer buffer;

	text_buffer_open(&buffer);
	text_printf(&buffer, "meter=%u,%s%s,bands=", meter->id, meter_unit_name(meter->packets),
		meter_has_bursts(meter) ? ",burst" : "");
	for (size_t i = 0; i < meter->count; i++) {
		if (i > 0)
			text_put_char(&buffer, ',');
		print_band(&buffer, &meter->bands[i]);
	}
	return text_buffer_close(&buffer);
}

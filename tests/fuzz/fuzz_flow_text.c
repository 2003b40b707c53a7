// SPDX-License-Identifier: Apache-2.0

// A line of the flow language. The first byte chooses the command that it stands for and whether
// there are port names. Every other mutation puts in a whole field or action with a value that is
// written as it should be, which changes of single bytes would hardly come to.

#include <errno.h>

#include "pipeline/field_value.h"
#include "tests/fuzz/flow_properties.h"
#include "tests/fuzz/fuzz.h"

static void parse(const char *text, enum flow_command command, const struct port_names *names)
{
	size_t size = strlen(text);
	struct flow_request request;
	struct flow_warnings warnings;
	struct flow_error error;
	int status = flow_request_parse(&request, text, command, names, &warnings, &error);

	flow_warnings_must_be_good(&warnings, size);
	if (status != 0) {
		fuzz_must(status == -EINVAL, "%d", status);
		flow_error_must_be_good(&error, size);
		return;
	}
	// A filter stands for more than its flow: a match with a table that may be any.
	if (request.command == FLOW_ADD)
		flow_must_round_trip(&request.flow);
	flow_request_destroy(&request);
}

// --- Mutations ---

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

static unsigned random_below(unsigned *seed, unsigned limit)
{
	return ((unsigned)rand_r(seed) >> 8) % limit;
}

// Many masks are runs of ones, many values have few bits.
static field_number random_bits(unsigned *seed)
{
	field_number bits = 0;

	for (unsigned i = 0; i < 16; i++)
		bits = bits << 8 | random_below(seed, 256);
	switch (random_below(seed, 4)) {
	case 0:
		return ~(field_number)0 << random_below(seed, 128);
	case 1:
		return (bits & 0xff) << random_below(seed, 64);
	default:
		return bits;
	}
}

// "FIELD=VALUE/MASK,", or an action that writes the field.
static void print_piece(struct text_buffer *out, unsigned *seed)
{
	const struct field *field = field_get(random_below(seed, FIELD_COUNT));
	const struct field *other = field_get(random_below(seed, FIELD_COUNT));
	unsigned first = random_below(seed, field->n_bits);
	unsigned last = first + random_below(seed, field->n_bits - first);
	field_number mask = field_ones(field);

	if (random_below(seed, 2))
		mask &= random_bits(seed);
	switch (random_below(seed, 8)) {
	case 0:
		text_put(out, "set_field:");
		field_masked_print(out, field, random_bits(seed) & mask, mask, NULL);
		text_printf(out, "->%s,", field->name);
		break;
	case 1:
		text_printf(out, "load:%#x->%s[%u..%u],", random_below(seed, 256), field->name,
			first, last);
		break;
	case 2:
		text_printf(out, "move:%s[%u..%u]->%s[%u..%u],", other->name, first, last,
			field->name, first, last);
		break;
	default:
		text_printf(out, "%s=", field->name);
		field_masked_print(out, field, random_bits(seed) & mask, mask, NULL);
		text_put_char(out, ',');
	}
}

// Behind one of the text's commas, or at its front.
static size_t piece_insert(uint8_t *data, size_t size, size_t max_size, unsigned *seed)
{
	size_t at = 1 + random_below(seed, size), length;
	struct text_buffer out;
	char *piece;

	text_buffer_open(&out);
	print_piece(&out, seed);
	length = out.length;
	piece = text_buffer_close(&out);
	fuzz_must(piece != NULL, "no memory");
	while (at > 1 && data[at - 1] != ',')
		at--;
	if (size + length <= max_size) {
		memmove(data + at + length, data + at, size - at);
		memcpy(data + at, piece, length);
		size += length;
	}
	free(piece);
	return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	if (size == 0 || seed & 1)
		return LLVMFuzzerMutate(data, size, max_size);
	return piece_insert(data, size, max_size, &seed);
}

// --- Inputs ---

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum flow_command commands[] = {
		FLOW_ADD, FLOW_ADD, FLOW_ADD, FLOW_MODIFY, FLOW_DELETE, FLOW_DELETE_STRICT};
	char *text;

	if (size == 0)
		return -1;
	text = fuzz_string(data + 1, size - 1);
	flow_text_is_blank(text);
	parse(text, commands[data[0] % 6], data[0] & 8 ? NULL : &fuzz_ports);
	free(text);
	return 0;
}

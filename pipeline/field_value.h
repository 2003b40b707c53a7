// SPDX-License-Identifier: Apache-2.0
#pragma once

// Values of fields as text: one parser and one printer for each enum field_format, used by matches
// and by actions, by text and by JSON.
//
// The parsers are strict: numbers are decimal or 0x without sign, leading zero or anything behind,
// addresses are complete, and nothing is cut to size. Texts are given by pointer and length. On
// -EINVAL the error's kind, field, message and, where there is one, hint are filled; the place is
// left to the caller, who knows it. Pure functions, any thread.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text_buffer.h"
#include "pipeline/field.h"
#include "pipeline/flow_error.h"
#include "pipeline/flow_text.h"

// A field's value as a number: what the big-endian bytes of a struct field_value say.
typedef unsigned __int128 field_number;

field_number field_number_of(const struct field_value *value);
struct field_value field_value_of(field_number number);

// The bits of the field that mean something. All of them, but for nw_tos, whose two lower bits
// belong to nw_ecn.
field_number field_ones(const struct field *field);

// Those bits of the field in a key.
field_number field_bits_read(const struct field *field, const struct packet_key *key);
void field_bits_clear(const struct field *field, struct packet_key *key);

// 0; -EINVAL: not a number; -ERANGE: more than 128 bits.
int number_parse(const char *text, size_t length, field_number *number);

// A number 0..max for something called `name`, with a message if it is not.
int number_parse_bounded(const char *name, const char *text, size_t length, uint64_t max,
	uint64_t *number, struct flow_error *error);

// A plain value.
int field_value_parse(const struct field *field, const char *text, size_t length,
	const struct port_names *names, field_number *value, struct flow_error *error);

// "V", "V/M" or, for any value at all, "*". Bits of V outside M are kept, so that the caller can
// warn of them.
int field_masked_parse(const struct field *field, const char *text, size_t length,
	const struct port_names *names, field_number *value, field_number *mask,
	struct flow_error *error);

// Prints what field_masked_parse() reads; the mask only where it is not field_ones().
void field_masked_print(struct text_buffer *out, const struct field *field, field_number value,
	field_number mask, const struct port_names *names);

// A value that the field takes, for hints.
void field_example(
	const struct field *field, const struct port_names *names, char *text, size_t size);

// --- Ports ---

// A number or, if `names` is given, a name, bare or in double quotes. `what` begins the message.
int port_parse(const char *what, const char *text, size_t length, const struct port_names *names,
	uint16_t *port, struct flow_error *error);

// Says that there is no such port, and which ones there are.
int port_refuse(const char *what, const char *text, size_t length, const struct port_names *names,
	struct flow_error *error);

// The port's number by name, or 0.
uint16_t port_find(const struct port_names *names, const char *text, size_t length);

// The port whose name is closest to the text, the first one if none is close, "1" without names.
const char *port_suggest(const struct port_names *names, const char *text, size_t length);

// Its name, quoted where that is needed to read it back, or its number.
void port_print(struct text_buffer *out, uint16_t port, const struct port_names *names);

// --- Fields whose values are written in words; for field_value.c ---

int frag_parse(const struct field *field, const char *text, size_t length, field_number *value,
	field_number *mask, struct flow_error *error);
int tcp_flags_parse(const struct field *field, const char *text, size_t length, field_number *value,
	field_number *mask, struct flow_error *error);

// False if there are no words for it; nothing is printed then.
bool frag_print(struct text_buffer *out, field_number value, field_number mask);
bool tcp_flags_print(
	struct text_buffer *out, const struct field *field, field_number value, field_number mask);

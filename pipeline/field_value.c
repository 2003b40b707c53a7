// SPDX-License-Identifier: Apache-2.0

#include "pipeline/field_value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "pipeline/name_search.h"

#define NW_TOS_BITS 0xfc

field_number field_number_of(const struct field_value *value)
{
	uint64_t words[2];

	memcpy(words, value->bytes, sizeof(words));
	return (field_number)be64toh(words[0]) << 64 | be64toh(words[1]);
}

struct field_value field_value_of(field_number number)
{
	uint64_t words[2] = {htobe64((uint64_t)(number >> 64)), htobe64((uint64_t)number)};
	struct field_value value;

	memcpy(value.bytes, words, sizeof(words));
	return value;
}

static field_number ones(unsigned n_bits)
{
	return n_bits == 128 ? ~(field_number)0 : ((field_number)1 << n_bits) - 1;
}

field_number field_ones(const struct field *field)
{
	return field->id == FIELD_NW_TOS ? NW_TOS_BITS : ones(field->n_bits);
}

field_number field_bits_read(const struct field *field, const struct packet_key *key)
{
	struct field_value value;

	field_read(field, key, &value);
	return field_number_of(&value) & field_ones(field);
}

void field_bits_clear(const struct field *field, struct packet_key *key)
{
	struct field_value value;

	field_read(field, key, &value);
	value = field_value_of(field_number_of(&value) & ~field_ones(field));
	field_write(field, key, &value);
}

// --- Numbers ---

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

int number_parse(const char *text, size_t length, field_number *number)
{
	// Up to here, one more digit fits; the division is the compiler's.
	const field_number limit[] = {~(field_number)0 / 10 - 1, ~(field_number)0 / 16};
	unsigned base = 10;
	bool overflow = false;

	*number = 0;
	if (length > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
		length -= 2;
	}
	if (length == 0 || (base == 10 && length > 1 && text[0] == '0'))
		return -EINVAL;
	for (size_t i = 0; i < length; i++) {
		unsigned digit = digit_value(text[i]);

		if (digit >= base)
			return -EINVAL;
		if (*number > limit[base == 16])
			overflow = true;
		*number = *number * base + digit;
	}
	return overflow ? -ERANGE : 0;
}

// Leading zeros mean octal to some and decimal to others, so nobody may write them.
static int not_a_number(const char *name, const char *text, size_t length, struct flow_error *error)
{
	size_t zeros = 0;
	bool digits = length > 1 && text[0] == '0';

	for (size_t i = 0; i < length; i++)
		digits = digits && isdigit((unsigned char)text[i]);
	if (!digits)
		return flow_error_set(error, FLOW_ERROR_BAD_VALUE, name,
			"%s: \"%.*s\" is not a number (decimal, or hexadecimal after 0x)", name,
			(int)length, text);
	while (zeros < length - 1 && text[zeros] == '0')
		zeros++;
	return flow_error_set(error, FLOW_ERROR_BAD_VALUE, name,
		"%s: \"%.*s\" has leading zeros; write %.*s, or 0x%.*s for hexadecimal", name,
		(int)length, text, (int)(length - zeros), text + zeros, (int)(length - zeros),
		text + zeros);
}

int number_parse_bounded(const char *name, const char *text, size_t length, uint64_t max,
	uint64_t *number, struct flow_error *error)
{
	field_number parsed;
	int status = number_parse(text, length, &parsed);

	if (status == -EINVAL)
		return not_a_number(name, text, length, error);
	if (status != 0 || parsed > max)
		return flow_error_set(error, FLOW_ERROR_OUT_OF_RANGE, name,
			max > UINT32_MAX ? "%s: %.*s is out of range 0..%#lx"
					 : "%s: %.*s is out of range 0..%lu",
			name, (int)length, text, max);
	*number = (uint64_t)parsed;
	return 0;
}

static int number_too_large(
	const struct field *field, const char *text, size_t length, struct flow_error *error)
{
	char max[24];
	uint64_t most = (uint64_t)ones(field->n_bits > 64 ? 64 : field->n_bits);

	snprintf(max, sizeof(max), field->format == FORMAT_DECIMAL ? "%lu" : "%#lx", most);
	if (field->n_bits % 8 == 0)
		return flow_error_set(error, FLOW_ERROR_OUT_OF_RANGE, field->name,
			"%s: %.*s is too large for %s %u-bit field (0..%s)", field->name,
			(int)length, text, field->n_bits == 8 ? "an" : "a", field->n_bits, max);
	return flow_error_set(error, FLOW_ERROR_OUT_OF_RANGE, field->name,
		"%s: %.*s is out of range 0..%s", field->name, (int)length, text, max);
}

static int parse_number(const struct field *field, const char *text, size_t length,
	field_number *value, struct flow_error *error)
{
	int status = number_parse(text, length, value);

	if (status == -EINVAL)
		return not_a_number(field->name, text, length, error);
	if (status != 0 || *value > ones(field->n_bits))
		return number_too_large(field, text, length, error);
	if (*value & ~field_ones(field)) { // nw_tos
		unsigned number = (unsigned)*value;

		flow_error_set(error, FLOW_ERROR_BAD_VALUE, field->name,
			"%s: %u is not a multiple of 4: the lower two bits are nw_ecn's; "
			"write nw_tos=%u,nw_ecn=%u",
			field->name, number, number & NW_TOS_BITS, number & 3);
		snprintf(error->hint, sizeof(error->hint), "nw_tos=%u,nw_ecn=%u",
			number & NW_TOS_BITS, number & 3);
		return -EINVAL;
	}
	return 0;
}

// --- Addresses ---

static int parse_mac(const struct field *field, const char *text, size_t length,
	field_number *value, struct flow_error *error)
{
	size_t at = 0;
	unsigned groups = 0;

	*value = 0;
	while (groups < 6) {
		unsigned group = 0, digits = 0;

		for (; at < length && digit_value(text[at]) < 16 && digits < 2; at++, digits++)
			group = group * 16 + digit_value(text[at]);
		if (digits == 0)
			break;
		*value = *value << 8 | group;
		groups++;
		if (groups < 6 && (at >= length || text[at++] != ':'))
			break;
	}
	if (groups == 6 && at == length)
		return 0;
	return flow_error_set(error, FLOW_ERROR_BAD_VALUE, field->name,
		"%s: \"%.*s\" is not an Ethernet address (six pairs of hexadecimal digits "
		"with colons between, such as 00:11:22:33:44:55)",
		field->name, (int)length, text);
}

static int not_ipv4(const struct field *field, const char *text, size_t length, const char *why,
	unsigned octet, unsigned number, struct flow_error *error)
{
	char detail[80];

	snprintf(detail, sizeof(detail), why, octet, number);
	return flow_error_set(error, FLOW_ERROR_BAD_VALUE, field->name,
		"%s: \"%.*s\" is not an IPv4 address (%s)", field->name, (int)length, text, detail);
}

static int parse_ipv4(const struct field *field, const char *text, size_t length,
	field_number *value, struct flow_error *error)
{
	size_t at = 0;

	*value = 0;
	for (unsigned octet = 1; octet <= 4; octet++) {
		unsigned number = 0;
		size_t start = at;

		for (; at < length && isdigit((unsigned char)text[at]) && at - start < 9; at++)
			number = number * 10 + (text[at] - '0');
		if (at == start || (octet < 4) != (at < length) || (octet < 4 && text[at] != '.'))
			return not_ipv4(field, text, length,
				"four numbers 0..255 with dots between", 0, 0, error);
		if (number > 255)
			return not_ipv4(field, text, length, "octet %u is %u, maximum 255", octet,
				number, error);
		if (at - start > 1 && text[start] == '0')
			return not_ipv4(field, text, length, "octet %u has a leading zero", octet,
				0, error);
		*value = *value << 8 | number;
		at++;
	}
	return 0;
}

static int parse_ipv6(const struct field *field, const char *text, size_t length,
	field_number *value, struct flow_error *error)
{
	char copy[INET6_ADDRSTRLEN];
	struct field_value bytes;

	if (length < sizeof(copy)) {
		memcpy(copy, text, length);
		copy[length] = '\0';
		if (inet_pton(AF_INET6, copy, bytes.bytes) == 1) {
			*value = field_number_of(&bytes);
			return 0;
		}
	}
	return flow_error_set(error, FLOW_ERROR_BAD_VALUE, field->name,
		"%s: \"%.*s\" is not an IPv6 address", field->name, (int)length, text);
}

// --- Any format ---

int field_value_parse(const struct field *field, const char *text, size_t length,
	const struct port_names *names, field_number *value, struct flow_error *error)
{
	field_number mask;
	uint16_t port;
	int status;

	switch (field->format) {
	case FORMAT_MAC:
		return parse_mac(field, text, length, value, error);
	case FORMAT_IPV4:
		return parse_ipv4(field, text, length, value, error);
	case FORMAT_IPV6:
		return parse_ipv6(field, text, length, value, error);
	case FORMAT_PORT:
		status = port_parse(field->name, text, length, names, &port, error);
		*value = port;
		return status;
	case FORMAT_FRAG:
	case FORMAT_TCP_FLAGS:
		return field_masked_parse(field, text, length, names, value, &mask, error);
	case FORMAT_DECIMAL:
	case FORMAT_HEX:
		break;
	}
	return parse_number(field, text, length, value, error);
}

// What stands behind the slash.
static int parse_mask(const struct field *field, const char *text, size_t length,
	field_number *mask, struct flow_error *error)
{
	bool address = field->format == FORMAT_IPV4 || field->format == FORMAT_IPV6;
	field_number prefix;

	if (address && number_parse(text, length, &prefix) != -EINVAL) {
		if (prefix > field->n_bits)
			return flow_error_set(error, FLOW_ERROR_BAD_MASK, field->name,
				"%s: /%.*s is not a prefix length (0..%u)", field->name,
				(int)length, text, field->n_bits);
		*mask = prefix == 0 ? 0
				    : ones(field->n_bits) & ~ones(field->n_bits - (unsigned)prefix);
		return 0;
	}
	if (!address && field->format != FORMAT_MAC && name_equal("-1", text, length)) {
		*mask = field_ones(field);
		return 0;
	}

	// TCP flags are spelled by name only in a value.
	int status = field->format == FORMAT_TCP_FLAGS
			     ? parse_number(field, text, length, mask, error)
			     : field_value_parse(field, text, length, NULL, mask, error);

	if (status == -EINVAL)
		error->kind = FLOW_ERROR_BAD_MASK;
	return status;
}

static int no_mask(const struct field *field, const char *text, size_t length, size_t slash,
	struct flow_error *error)
{
	flow_error_set(error, FLOW_ERROR_BAD_MASK, field->name,
		"%s takes no mask, so \"%.*s\" cannot be used; write %s=%.*s", field->name,
		(int)length, text, field->name, (int)slash, text);
	snprintf(error->hint, sizeof(error->hint), "%s=%.*s", field->name, (int)slash, text);
	return -EINVAL;
}

int field_masked_parse(const struct field *field, const char *text, size_t length,
	const struct port_names *names, field_number *value, field_number *mask,
	struct flow_error *error)
{
	const char *slash = memchr(text, '/', length);

	if (length == 1 && text[0] == '*') {
		*value = *mask = 0;
		return 0;
	}
	if (field->format == FORMAT_FRAG)
		return frag_parse(field, text, length, value, mask, error);
	if (field->format == FORMAT_TCP_FLAGS && !slash && !isdigit((unsigned char)text[0]))
		return tcp_flags_parse(field, text, length, value, mask, error);
	if (field->format == FORMAT_PORT)
		slash = NULL; // it may be in a name

	size_t value_length = slash ? (size_t)(slash - text) : length;

	*mask = field_ones(field);
	if (slash && !(field->flags & FIELD_MASKABLE))
		return no_mask(field, text, length, value_length, error);

	int status = field->format == FORMAT_TCP_FLAGS
			     ? parse_number(field, text, value_length, value, error)
			     : field_value_parse(field, text, value_length, names, value, error);

	if (status == 0 && slash)
		status = parse_mask(field, slash + 1, length - value_length - 1, mask, error);
	return status;
}

void field_example(
	const struct field *field, const struct port_names *names, char *text, size_t size)
{
	static const char *const examples[] = {
		[FORMAT_MAC] = "00:11:22:33:44:55",
		[FORMAT_IPV4] = "192.0.2.1",
		[FORMAT_IPV6] = "2001:db8::1",
		[FORMAT_FRAG] = "later",
		[FORMAT_TCP_FLAGS] = "+syn-ack",
	};
	unsigned long most = (unsigned long)field_ones(field);

	if (field->format == FORMAT_DECIMAL)
		snprintf(text, size, "%lu", most);
	else if (field->format == FORMAT_HEX)
		snprintf(text, size, "%#lx", most);
	else
		snprintf(text, size, "%s",
			field->format == FORMAT_PORT ? port_suggest(names, "", 0)
						     : examples[field->format]);
}

// --- Printing ---

static void print_number(struct text_buffer *out, const struct field *field, field_number number)
{
	// Short fields are printed in full width, registers are not.
	unsigned width = field->n_bits <= 20 ? (field->n_bits + 3) / 4 : 0;
	uint64_t low = (uint64_t)number;

	if (number >> 64) {
		text_put(out, "0x");
		text_put_hex(out, (uint64_t)(number >> 64), 1);
		text_put_hex(out, low, 16);
		return;
	}
	// Of registers, nothing is "0"; of other numbers it is "0x0".
	if (low || field->format == FORMAT_DECIMAL || (field->format == FORMAT_HEX && width > 0))
		text_put(out, "0x");
	text_put_hex(out, low, field->format == FORMAT_HEX ? width : 1);
}

static void print_bytes(
	struct text_buffer *out, const uint8_t *bytes, size_t count, char separator, bool hex)
{
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			text_put_char(out, separator);
		if (hex)
			text_put_hex(out, bytes[i], 2);
		else
			text_put_decimal(out, bytes[i]);
	}
}

static void print_plain(struct text_buffer *out, const struct field *field, field_number number,
	const struct port_names *names)
{
	char text[INET6_ADDRSTRLEN];
	struct field_value value = field_value_of(number);
	const uint8_t *bytes = value.bytes;

	switch (field->format) {
	case FORMAT_DECIMAL:
		text_put_decimal(out, (uint64_t)number);
		return;
	case FORMAT_MAC:
		print_bytes(out, bytes + 10, 6, ':', true);
		return;
	case FORMAT_IPV4:
		print_bytes(out, bytes + 12, 4, '.', false);
		return;
	case FORMAT_IPV6:
		text_put(out, inet_ntop(AF_INET6, bytes, text, sizeof(text)));
		return;
	case FORMAT_PORT:
		port_print(out, (uint16_t)number, names);
		return;
	case FORMAT_HEX:
	case FORMAT_FRAG:
	case FORMAT_TCP_FLAGS:
		break;
	}
	print_number(out, field, number);
}

// The prefix length that `mask` is, or -1.
static int prefix_length(const struct field *field, field_number mask)
{
	field_number holes = ones(field->n_bits) & ~mask;
	int length = field->n_bits;

	if (holes & (holes + 1))
		return -1;
	for (; holes; holes >>= 1)
		length--;
	return length;
}

void field_masked_print(struct text_buffer *out, const struct field *field, field_number value,
	field_number mask, const struct port_names *names)
{
	bool address = field->format == FORMAT_IPV4 || field->format == FORMAT_IPV6;
	int prefix = address ? prefix_length(field, mask) : -1;

	if (field->format == FORMAT_FRAG && frag_print(out, value, mask))
		return;
	if (field->format == FORMAT_TCP_FLAGS && tcp_flags_print(out, field, value, mask))
		return;
	if (mask == field_ones(field)) {
		print_plain(out, field, value, names);
	} else if (prefix >= 0) {
		print_plain(out, field, value, names);
		text_put_char(out, '/');
		text_put_decimal(out, (uint64_t)prefix);
	} else if (address || field->format == FORMAT_MAC) {
		print_plain(out, field, value, names);
		text_put_char(out, '/');
		print_plain(out, field, mask, names);
	} else {
		print_number(out, field, value);
		text_put_char(out, '/');
		print_number(out, field, mask);
	}
}

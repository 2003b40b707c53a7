// SPDX-License-Identifier: Apache-2.0

#include "pipeline/subfield.h"

// Sixteen bytes, big endian, as one number.
static unsigned __int128 number_of(const struct field_value *value)
{
	unsigned __int128 number = 0;

	for (unsigned i = 0; i < sizeof(value->bytes); i++)
		number = number << 8 | value->bytes[i];
	return number;
}

static void number_store(struct field_value *value, unsigned __int128 number)
{
	for (unsigned i = sizeof(value->bytes); i-- > 0; number >>= 8)
		value->bytes[i] = (uint8_t)number;
}

static unsigned __int128 low_ones(unsigned n_bits)
{
	return n_bits >= 128 ? ~(unsigned __int128)0 : ((unsigned __int128)1 << n_bits) - 1;
}

static unsigned __int128 read_bits(const struct subfield *subfield, const struct packet_key *key)
{
	struct field_value value;

	field_read(field_get(subfield->field), key, &value);
	return number_of(&value) >> subfield->first_bit & low_ones(subfield->n_bits);
}

void subfield_get(
	const struct subfield *subfield, const struct packet_key *key, struct field_value *bits)
{
	number_store(bits, read_bits(subfield, key));
}

uint64_t subfield_number(const struct subfield *subfield, const struct packet_key *key)
{
	unsigned __int128 number = read_bits(subfield, key);

	return number > UINT64_MAX ? UINT64_MAX : (uint64_t)number;
}

void subfield_put(const struct subfield *subfield, const struct field_value *bits,
	struct field_value *value, struct field_value *mask)
{
	unsigned __int128 ones = low_ones(subfield->n_bits);

	number_store(value, (number_of(bits) & ones) << subfield->first_bit);
	number_store(mask, ones << subfield->first_bit);
}

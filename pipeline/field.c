// SPDX-License-Identifier: Apache-2.0

#include "pipeline/field.h"

#include <assert.h>
#include <string.h>

#include "base/name_index.h"
#include "pipeline/name_search.h"

const struct field field_rows[FIELD_COUNT] = {
#define FIELD(                                                                                \
	ID, NAME, ALIASES, NXM, MEMBER, SIZE, SHIFT, BITS, FORMAT, NEEDS, FLAGS, LAYER, HELP) \
	[FIELD_##ID] = {                                                                      \
		.id = FIELD_##ID,                                                             \
		.name = NAME,                                                                 \
		.aliases = ALIASES,                                                           \
		.nxm = NXM,                                                                   \
		.offset = offsetof(struct packet_key, MEMBER),                                \
		.size = SIZE,                                                                 \
		.shift = SHIFT,                                                               \
		.n_bits = BITS,                                                               \
		.format = FORMAT,                                                             \
		.needs = NEEDS,                                                               \
		.flags = FLAGS,                                                               \
		.layer = LAYER,                                                               \
		.help = HELP,                                                                 \
	},
#include "pipeline/fields.def"
#undef FIELD
};

// Fields wider than eight bytes are whole bytes, so the code below can work on 64-bit numbers.
#define FIELD(ID, NAME, ALIASES, NXM, MEMBER, SIZE, SHIFT, BITS, ...)                     \
	static_assert(SIZE == sizeof(((struct packet_key *)0)->MEMBER), "size of " NAME); \
	static_assert((SHIFT) + (BITS) <= 8 * (SIZE), "bits of " NAME);                   \
	static_assert((SIZE) <= 8 || ((SHIFT) == 0 && (BITS) == 8 * (SIZE)), "bits of " NAME);
#include "pipeline/fields.def"
#undef FIELD

// Names go before aliases.
static void names_add(struct name_index *index)
{
	for (unsigned i = 0; i < FIELD_COUNT; i++)
		name_index_add(index, field_rows[i].name, i);
	for (unsigned i = 0; i < FIELD_COUNT; i++) {
		name_index_add(index, field_rows[i].aliases, i);
		name_index_add(index, field_rows[i].nxm, i);
	}
}

static struct name_index row_names = {.fill = names_add};

const struct field *field_find(const char *name, size_t length)
{
	int row = name_index_find(&row_names, name, length);

	return row < 0 ? NULL : &field_rows[row];
}

const char *field_suggest(const char *name, size_t length)
{
	struct name_guess guess = name_guess_start(name, length);

	for (size_t i = 0; i < FIELD_COUNT; i++)
		name_guess_try(&guess, field_rows[i].name, field_rows[i].aliases);
	for (size_t i = 0; i < FIELD_COUNT; i++)
		name_guess_try(&guess, field_rows[i].name, field_rows[i].nxm);
	return guess.best;
}

static bool field_is_bytes(const struct field *field)
{
	return field->shift == 0 && field->n_bits == 8 * field->size;
}

static uint64_t bytes_load(const uint8_t *bytes, unsigned size)
{
	uint64_t number = 0;

	for (unsigned i = 0; i < size; i++)
		number = number << 8 | bytes[i];
	return number;
}

static void bytes_store(uint8_t *bytes, unsigned size, uint64_t number)
{
	for (unsigned i = size; i-- > 0; number >>= 8)
		bytes[i] = (uint8_t)number;
}

void field_read(const struct field *field, const struct packet_key *key, struct field_value *out)
{
	const uint8_t *bytes = (const uint8_t *)key + field->offset;
	unsigned lead = sizeof(out->bytes) - field->size;

	memset(out->bytes, 0, lead);
	if (field_is_bytes(field)) {
		memcpy(out->bytes + lead, bytes, field->size);
		return;
	}

	uint64_t ones = (UINT64_C(1) << field->n_bits) - 1;

	bytes_store(out->bytes + lead, field->size,
		bytes_load(bytes, field->size) >> field->shift & ones);
}

void field_write(const struct field *field, struct packet_key *key, const struct field_value *v)
{
	uint8_t *bytes = (uint8_t *)key + field->offset;
	const uint8_t *from = v->bytes + sizeof(v->bytes) - field->size;

	if (field_is_bytes(field)) {
		memcpy(bytes, from, field->size);
		return;
	}

	uint64_t ones = ((UINT64_C(1) << field->n_bits) - 1) << field->shift;
	uint64_t bits = bytes_load(from, field->size) << field->shift & ones;

	bytes_store(bytes, field->size, (bytes_load(bytes, field->size) & ~ones) | bits);
}

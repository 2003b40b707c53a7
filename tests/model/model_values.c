// SPDX-License-Identifier: Apache-2.0
#include "tests/model/model_values.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define POOL(...)                                                                 \
	do {                                                                      \
		static const uint64_t pool[] = {__VA_ARGS__};                     \
		return pool[model_below(random, sizeof(pool) / sizeof(pool[0]))]; \
	} while (0)

static uint64_t mac_value(struct model_random *random)
{
	POOL(0x020000000001, 0x020000000002, 0x020000000003, 0x020000000001, 0x020000000002,
		0x020000000003, 0x0211223344aa, 0xffffffffffff, 0x333300000001, 0x0180c200000e,
		0x0180c2000010, 0);
}

static uint64_t port_value(struct model_random *random)
{
	if (model_once_in(random, 5))
		return model_bits(random) & 0xffff;
	POOL(0, 53, 80, 1000, 1001, 2000, 0xffff);
}

static uint64_t small_value(struct model_random *random)
{
	if (model_once_in(random, 8))
		return model_bits(random);
	POOL(0, 0, 1, 2, 3, 4, 5, 0x80000001);
}

static model_number ipv6_value(struct model_random *random)
{
	static const uint64_t highs[] = {
		0x20010db800000000, 0x20010db800000000, 0x20010db80000ffff, 0xfe80000000000000, 0};
	static const uint64_t lows[] = {1, 2, 3, 0xffffffffffffffff, 0x0102030405060708};

	return (model_number)highs[model_below(random, 5)] << 64 | lows[model_below(random, 5)];
}

static uint64_t number_value(struct model_random *random, enum field_id id)
{
	switch (id) {
	case FIELD_IN_PORT:
		return 1 + model_below(random, MODEL_PORTS);
	case FIELD_DL_VLAN:
		POOL(0, 10, 20, 30, 100, 4095);
	case FIELD_VLAN_VID:
		POOL(0x1000, 0x100a, 0x1014, 0x1064, 0x1fff);
	case FIELD_VLAN_TCI:
		POOL(0x1000, 0x100a, 0x300a, 0xb014, 0xf064, 0);
	case FIELD_DL_TYPE:
		POOL(0x0800, 0x86dd, 0x0806, 0x8035, 0x05ff, 0x88cc, 0x8100);
	case FIELD_NW_PROTO:
		POOL(6, 17, 47, 1, 58, 132, 44, 60, 0, 43, 59);
	case FIELD_NW_TOS:
		POOL(0, 0x28, 0xb8, 0xfc);
	case FIELD_IP_DSCP:
		POOL(0, 10, 46, 63);
	case FIELD_NW_TTL:
		POOL(0, 1, 2, 3, 64, 255);
	case FIELD_ARP_OP:
		POOL(1, 2, 3);
	case FIELD_ICMP_TYPE:
		POOL(0, 3, 8, 255);
	case FIELD_ICMPV6_TYPE:
		POOL(128, 135, 136, 1);
	case FIELD_ICMP_CODE:
	case FIELD_ICMPV6_CODE:
		POOL(0, 0, 0, 1, 255);
	case FIELD_TCP_FLAGS:
		POOL(0x002, 0x012, 0x010, 0x018, 0x004, 0xfff, 0);
	case FIELD_IPV6_LABEL:
		POOL(0, 0x12345, 0xfffff);
	default:
		return small_value(random);
	}
}

model_number model_value(struct model_random *random, enum field_id id)
{
	const struct field *field = field_get(id);
	model_number value;

	switch (field->format) {
	case FORMAT_MAC:
		return mac_value(random);
	case FORMAT_IPV4:
		return 0x0a000000 + model_below(random, 4) * 256 + model_below(random, 4);
	case FORMAT_IPV6:
		return ipv6_value(random);
	default:
		break;
	}
	value = field->n_bits == 16 && field->flags & FIELD_RANGE ? port_value(random)
								  : number_value(random, id);
	return value & (((model_number)1 << field->n_bits) - 1);
}

static model_number random_mask(struct model_random *random, unsigned n_bits)
{
	model_number all = n_bits == 128 ? ~(model_number)0 : ((model_number)1 << n_bits) - 1;
	model_number mask;

	switch (model_below(random, 4)) {
	case 0:
		mask = (model_number)model_bits(random) << 64 | model_bits(random);
		break;
	case 1:
		mask = (model_number)1 << model_below(random, n_bits);
		break;
	default:
		mask = all << model_below(random, n_bits);
	}
	mask &= all;
	return mask ? mask : all;
}

static void print_mac(char *text, uint64_t mac)
{
	sprintf(text, "%02x:%02x:%02x:%02x:%02x:%02x", (unsigned)(mac >> 40) & 255,
		(unsigned)(mac >> 32) & 255, (unsigned)(mac >> 24) & 255,
		(unsigned)(mac >> 16) & 255, (unsigned)(mac >> 8) & 255, (unsigned)mac & 255);
}

static void print_ipv6(char *text, model_number number)
{
	uint8_t bytes[16];

	for (unsigned i = 16; i-- > 0; number >>= 8)
		bytes[i] = (uint8_t)number;
	inet_ntop(AF_INET6, bytes, text, 64);
}

static void print(char *text, const struct field *field, model_number number)
{
	uint64_t low = (uint64_t)number;

	switch (field->format) {
	case FORMAT_MAC:
		print_mac(text, low);
		break;
	case FORMAT_IPV4:
		sprintf(text, "%u.%u.%u.%u", (unsigned)(low >> 24), (unsigned)(low >> 16) & 255,
			(unsigned)(low >> 8) & 255, (unsigned)low & 255);
		break;
	case FORMAT_IPV6:
		print_ipv6(text, number);
		break;
	case FORMAT_DECIMAL:
	case FORMAT_PORT:
		sprintf(text, "%llu", (unsigned long long)low);
		break;
	default:
		sprintf(text, "0x%llx", (unsigned long long)low);
	}
}

void model_value_text(
	struct model_random *random, const struct field *field, bool maskable, char *text)
{
	static const char *const fragments[] = {"no", "yes", "first", "later", "not_later"};
	model_number value, mask;
	char mask_text[64];

	if (field->format == FORMAT_FRAG) {
		strcpy(text, fragments[model_below(random, 5)]);
		return;
	}
	value = model_value(random, field->id);
	if (!maskable || model_once_in(random, 2)) {
		// The one value that cannot stand alone: a tag without its CFI bit.
		if (field->id == FIELD_VLAN_TCI && value == 0 && !maskable)
			value = 0x1000;
		print(text, field, value);
		return;
	}
	mask = random_mask(random, field->n_bits);
	print(text, field, value & mask);
	print(mask_text, field, mask);
	if (field->format == FORMAT_DECIMAL)
		sprintf(mask_text, "0x%llx", (unsigned long long)mask);
	sprintf(text + strlen(text), "/%s", mask_text);
}

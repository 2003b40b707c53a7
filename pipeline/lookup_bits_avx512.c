// SPDX-License-Identifier: Apache-2.0
// The search of full-width blocks with AVX-512: a row is one register.

#include <immintrin.h>

#include "pipeline/lookup_bits_private.h"

// Of each function rather than of the file, which only GCC knows.
#define AVX512 __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl")))

AVX512 static inline __attribute__((always_inline)) void rows_and_avx512(
	const struct row_table *table, const uint64_t valid[ROW_WORDS_MAX],
	const struct packet_key *const keys[], uint64_t hits[][ROW_WORDS_MAX], unsigned lanes)
{
	const uint64_t *rows = table->rows;
	__m512i sum[LANES];

#pragma GCC unroll 4
	for (unsigned lane = 0; lane < lanes; lane++)
		sum[lane] = _mm512_load_si512(valid);
	for (unsigned c = 0; c < table->count; c++, rows += 256 * 8) {
#pragma GCC unroll 4
		for (unsigned lane = 0; lane < lanes; lane++) {
			sum[lane] = _mm512_and_si512(sum[lane],
				_mm512_load_si512(&rows[key_byte(keys[lane], table->bytes[c]) * 8]));
			LOOKUP_COUNT(1);
		}
	}
#pragma GCC unroll 4
	for (unsigned lane = 0; lane < lanes; lane++)
		_mm512_store_si512(hits[lane], sum[lane]);
}

bool lookup_bits_has_avx512(void)
{
#ifdef __SANITIZE_THREAD__ // which does not know about vectors that may tear
	return false;
#endif
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

AVX512 void lookup_bits_find_avx512(const struct row_table *table, uint64_t version,
	const struct packet_key *const keys[], uint32_t wanted, const struct rule *best[])
{
	bits_find_with(table, version, keys, wanted, best, 8, rows_and_avx512);
}

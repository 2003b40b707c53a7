// SPDX-License-Identifier: Apache-2.0
// The search of full-width blocks with AVX-512: a row is one register.

#include <immintrin.h>

#include "pipeline/lookup_bits_private.h"

// Of each function rather than of the file, which only GCC knows.
#define AVX512 __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl")))

AVX512 static inline __attribute__((always_inline)) bool rows_and_avx512(const struct bits *bits,
	const struct row_table *table, const struct packet_key *key, uint64_t hits[ROW_WORDS_MAX])
{
	__m512i sum = _mm512_load_si512(bits->valid);
	unsigned c = 0;

#ifndef __SANITIZE_THREAD__ // for which this is never called
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
#endif
	for (; c + 4 <= table->count; c += 4) {
		__m512i a = _mm512_and_si512(_mm512_load_si512(table_row(table, c, key, 8)),
			_mm512_load_si512(table_row(table, c + 1, key, 8)));
		__m512i b = _mm512_and_si512(_mm512_load_si512(table_row(table, c + 2, key, 8)),
			_mm512_load_si512(table_row(table, c + 3, key, 8)));

		sum = _mm512_and_si512(sum, _mm512_and_si512(a, b));
		if (_mm512_test_epi64_mask(sum, sum) == 0)
			return false;
	}
	for (; c < table->count; c++)
		sum = _mm512_and_si512(sum, _mm512_load_si512(table_row(table, c, key, 8)));
	_mm512_store_si512(hits, sum);
	return _mm512_test_epi64_mask(sum, sum) != 0;
}

bool lookup_bits_has_avx512(void)
{
#ifdef __SANITIZE_THREAD__ // which does not know about vectors that may tear
	return false;
#endif
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

AVX512 void lookup_bits_find_avx512(const struct bits *bits, const struct row_table *table,
	uint64_t version, const struct packet_key *const keys[], uint32_t wanted,
	const struct rule *best[])
{
	bits_find_with(bits, table, version, keys, wanted, best, 8, rows_and_avx512);
}

// SPDX-License-Identifier: Apache-2.0
#include "ofctl/object_dump.h"

#include <stdbool.h>

#include "rpc/json_member.h"

static void duration_print(const json_t *object, FILE *out)
{
	json_int_t duration = number_of(object, "duration_ms");

	fprintf(out, "%lld.%llds", duration / 1000, duration % 1000 / 100);
}

// --- Groups ---

void group_dump_print(const json_t *group, FILE *out)
{
	fprintf(out, " %s\n", text_of(group, "text"));
}

void group_stats_print(const json_t *group, FILE *out)
{
	size_t index;
	json_t *bucket;

	fprintf(out, " group_id=%lld,duration=", number_of(group, "group_id"));
	duration_print(group, out);
	fprintf(out, ",ref_count=%lld,packet_count=%lld,byte_count=%lld",
		number_of(group, "ref_count"), number_of(group, "packets"),
		number_of(group, "bytes"));
	json_array_foreach (json_object_get(group, "buckets"), index, bucket)
		fprintf(out, ",bucket%zu:packet_count=%lld,byte_count=%lld", index,
			number_of(bucket, "packets"), number_of(bucket, "bytes"));
	putc('\n', out);
}

// --- Meters ---

static void band_print(const json_t *band, FILE *out)
{
	fprintf(out, "type=%s rate=%lld", text_of(band, "type"), number_of(band, "rate"));
	if (number_of(band, "burst_size") != 0)
		fprintf(out, " burst_size=%lld", number_of(band, "burst_size"));
	if (number_of(band, "prec_level") != 0)
		fprintf(out, " prec_level=%lld", number_of(band, "prec_level"));
	putc('\n', out);
}

void meter_dump_print(const json_t *item, FILE *out)
{
	const json_t *meter = json_object_get(item, "meter");
	const json_t *bands = json_object_get(meter, "bands");
	bool burst = false;
	size_t index;
	json_t *band;

	json_array_foreach ((json_t *)bands, index, band)
		burst = burst || number_of(band, "burst_size") != 0;
	fprintf(out, "meter=%lld %s%s bands=\n", number_of(item, "meter_id"),
		text_of(meter, "unit"), burst ? " burst" : "");
	json_array_foreach ((json_t *)bands, index, band)
		band_print(band, out);
}

void meter_stats_print(const json_t *meter, FILE *out)
{
	size_t index;
	json_t *band;

	fprintf(out, "meter:%lld flow_count:%lld packet_in_count:%lld byte_in_count:%lld duration:",
		number_of(meter, "meter_id"), number_of(meter, "flow_count"),
		number_of(meter, "packets"), number_of(meter, "bytes"));
	duration_print(meter, out);
	fputs(" bands:\n", out);
	json_array_foreach (json_object_get(meter, "bands"), index, band)
		fprintf(out, "%zu: packet_count:%lld byte_count:%lld\n", index,
			number_of(band, "packets"), number_of(band, "bytes"));
}

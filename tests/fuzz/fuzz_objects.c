// SPDX-License-Identifier: Apache-2.0

// A group or a meter, as text or as JSON. The first byte chooses which, and whether there are port
// names and groups.

#include <errno.h>

#include "pipeline/group_text.h"
#include "pipeline/meter_text.h"
#include "tests/fuzz/flow_properties.h"
#include "tests/fuzz/fuzz.h"

// Groups and meters with an even number are there.
static bool is_even(const struct port_names *names, enum flow_reference kind, uint32_t id)
{
	return id % 2 == 0;
}

// --- Groups ---

static void group_must_be_again(int status, const struct flow_error *error, struct group *again,
	const struct group *group, const char *text)
{
	fuzz_must(status == 0, "%s: %s", text, status == -EINVAL ? error->message : "no memory");
	fuzz_must(group_equal(again, group), "%s", text);
	group_destroy(again);
}

static void group_text_must_round_trip(const struct group *group, const struct port_names *names)
{
	char *text = group_format(group, names), *text_again;
	struct group again;
	struct flow_error error;
	int status;

	fuzz_must(text != NULL, "no memory");
	status = group_parse(&again, text, names, NULL, &error);
	fuzz_must(status == 0, "%s: %s", text, status == -EINVAL ? error.message : "no memory");
	text_again = group_format(&again, names);
	fuzz_must(strcmp(text, text_again) == 0, "%s becomes %s", text, text_again);
	group_must_be_again(status, &error, &again, group, text);
	free(text);
	free(text_again);
}

static void group_json_must_round_trip(const struct group *group, const struct port_names *names)
{
	json_t *json = group_to_json(group, names);
	char *text = json_dumps(json, 0);
	struct group again;
	struct flow_error error;
	int status;

	fuzz_must(json != NULL && text != NULL, "no memory");
	status = group_from_json(&again, json, names, NULL, &error);
	group_must_be_again(status, &error, &again, group, text);
	json_decref(json);
	free(text);
}

static void group_must_be_sound(const struct group *group)
{
	fuzz_must(group->id <= GROUP_ID_MAX, "%u", group->id);
	fuzz_must(group->count <= GROUP_BUCKETS_MAX, "%zu", group->count);
	fuzz_must(group->type != GROUP_INDIRECT || group->count == 1, "%zu", group->count);
	fuzz_must(!group_refers_to_group(group, group->id), "%u", group->id);
	for (size_t i = 0; i < group->count; i++) {
		fuzz_must(group->buckets[i].id <= BUCKET_ID_MAX, "%u", group->buckets[i].id);
		fuzz_must(group->buckets[i].actions.count > 0, "bucket %zu", i);
		for (size_t j = 0; j < i; j++)
			fuzz_must(group->buckets[i].id != group->buckets[j].id, "%zu, %zu", i, j);
	}
}

static void judge_group(struct group *group, int status, const struct flow_error *error,
	size_t size, const struct port_names *names)
{
	struct group copy;

	if (status != 0) {
		fuzz_must(status == -EINVAL, "%d", status);
		flow_error_must_be_good(error, size);
		return;
	}
	group_must_be_sound(group);
	group_text_must_round_trip(group, names);
	group_text_must_round_trip(group, NULL); // as it is stored
	group_json_must_round_trip(group, names);
	fuzz_must(group_copy(&copy, group) == 0 && group_equal(&copy, group), "no copy");
	group_destroy(&copy);
	group_destroy(group);
}

// --- Meters ---

static void judge_meter(
	const struct meter *meter, int status, const struct flow_error *error, size_t size)
{
	struct flow_error again_error;
	struct meter again;
	json_t *json;
	char *text;

	if (status != 0) {
		fuzz_must(status == -EINVAL, "%d", status);
		flow_error_must_be_good(error, size);
		return;
	}
	fuzz_must(meter->id > 0 && meter->id <= METER_ID_MAX, "%u", meter->id);
	fuzz_must(meter->count > 0 && meter->count <= METER_BANDS_MAX, "%zu", meter->count);
	for (size_t i = 0; i < meter->count; i++)
		fuzz_must(meter->bands[i].rate > 0 && meter->bands[i].rate <= METER_RATE_MAX, "%u",
			meter->bands[i].rate);
	text = meter_format(meter);
	fuzz_must(text != NULL, "no memory");
	fuzz_must(
		meter_parse(&again, text, &again_error) == 0, "%s: %s", text, again_error.message);
	fuzz_must(meter_equal(&again, meter), "%s", text);
	json = meter_to_json(meter);
	fuzz_must(json != NULL, "no memory");
	fuzz_must(meter_from_json(&again, json, &again_error) == 0, "%s as JSON: %s", text,
		again_error.message);
	fuzz_must(meter_equal(&again, meter), "%s as JSON", text);
	json_decref(json);
	free(text);
}

// --- Inputs ---

static void try_text(bool is_meter, const char *text, const struct port_names *names)
{
	struct flow_warnings warnings;
	struct flow_error error;
	struct group group;
	struct meter meter;
	uint32_t id;
	bool all;
	int status;

	if (is_meter) {
		status = meter_selection_parse(text, &all, &id, &error);
		if (status != 0)
			flow_error_must_be_good(&error, strlen(text));
		status = meter_parse(&meter, text, &error);
		judge_meter(&meter, status, &error, strlen(text));
		return;
	}
	status = group_selection_parse(text, &all, &id, &error);
	if (status != 0)
		flow_error_must_be_good(&error, strlen(text));
	status = group_parse(&group, text, names, &warnings, &error);
	flow_warnings_must_be_good(&warnings, strlen(text));
	judge_group(&group, status, &error, strlen(text), names);
}

static void try_json(bool is_meter, const json_t *json, const struct port_names *names)
{
	struct flow_warnings warnings;
	struct flow_error error;
	struct group group;
	struct meter meter;
	int status;

	if (is_meter) {
		status = meter_from_json(&meter, json, &error);
		judge_meter(&meter, status, &error, 0);
		return;
	}
	status = group_from_json(&group, json, names, &warnings, &error);
	flow_warnings_must_be_good(&warnings, 0);
	judge_group(&group, status, &error, 0, names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct port_names names = fuzz_ports;
	const struct port_names *used = &names;
	json_t *json;
	char *text;

	if (size == 0)
		return -1;
	if (data[0] & 4)
		names.exists = is_even;
	if (data[0] & 8)
		used = NULL;
	if (data[0] & 2) {
		// As the daemons read requests.
		json = json_loadb((const char *)data + 1, size - 1,
			JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
		if (!json)
			return -1;
		try_json(data[0] & 1, json, used);
		json_decref(json);
		return 0;
	}
	text = fuzz_string(data + 1, size - 1);
	try_text(data[0] & 1, text, used);
	free(text);
	return 0;
}

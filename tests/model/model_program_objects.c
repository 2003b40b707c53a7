// SPDX-License-Identifier: Apache-2.0
#include "tests/model/model_program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/group_text.h"
#include "pipeline/meter_text.h"

// The groups and meters of a program.

// --- A metering without a clock ---

struct fake_meter {
	struct meter meter;
	unsigned asked;
};

unsigned program_metering_exceeded;

static void *fake_create(const struct meter *meter)
{
	struct fake_meter *fake = calloc(1, sizeof(*fake));

	if (fake)
		fake->meter = *meter;
	return fake;
}

static unsigned fake_charge(void *state, uint32_t length)
{
	struct fake_meter *fake = state;
	unsigned exceeded = 0;

	fake->asked++;
	for (unsigned i = 0; i < fake->meter.count; i++)
		if ((fake->asked + length + i) % (fake->meter.bands[i].burst + 1) == 0)
			exceeded |= 1u << i;
	program_metering_exceeded += exceeded != 0;
	return exceeded;
}

const struct metering program_metering = {fake_create, free, fake_charge};

bool program_takes_event(const struct packet_in *event, size_t length)
{
	return (length + event->max_len + event->table) % 4 != 0;
}

// --- Groups ---

static void group_parse_random(struct program *program, unsigned place, struct program_group *made)
{
	struct flow_warnings warnings = {0};
	struct flow_error error;

	for (unsigned attempt = 0; attempt < 1000; attempt++) {
		model_group(&program->random, place, &program->scope, made->text);
		if (group_parse(&made->group, made->text, NULL, &warnings, &error) == 0) {
			program->accepted++;
			program_note_text(program, made->text);
			return;
		}
		program->refused++;
	}
	fprintf(stderr, "model: for example: %s: %s\n", made->text, error.message);
	program_die("the group parser refuses everything");
}

static struct oracle_count *count_find(const struct program_group *group, uint32_t bucket_id)
{
	for (size_t i = 0; group && i < group->group.count; i++)
		if (group->group.buckets[i].id == bucket_id)
			return group->buckets[i];
	return NULL;
}

static void group_put(struct program *program, unsigned place)
{
	struct program_group *old = program->next.groups[place];
	struct program_group *made = calloc(1, sizeof(*made));
	struct group copy;

	if (!made)
		program_die("out of memory");
	made->next = program->all_groups;
	program->all_groups = made;
	group_parse_random(program, place, made);
	made->total = old ? old->total : &made->own_total;
	for (size_t i = 0; i < made->group.count; i++) {
		made->buckets[i] = count_find(old, made->group.buckets[i].id);
		if (!made->buckets[i])
			made->buckets[i] = &made->own_buckets[i];
	}
	if (group_copy(&copy, &made->group) || pipeline_group_put(program->pipeline, &copy))
		program_die("pipeline_group_put failed");
	program->next.groups[place] = made;
}

static void group_remove(struct program *program, unsigned place)
{
	if (pipeline_group_remove(program->pipeline, model_group_id(place)))
		program_die("pipeline_group_remove failed");
	program->next.groups[place] = NULL;
}

// --- Meters ---

static void meter_put(struct program *program, unsigned place)
{
	struct program_meter *old = program->next.meters[place];
	struct program_meter *made = calloc(1, sizeof(*made));
	struct flow_error error;

	if (!made)
		program_die("out of memory");
	made->next = program->all_meters;
	program->all_meters = made;
	model_meter(&program->random, place, made->text);
	if (meter_parse(&made->meter, made->text, &error)) {
		fprintf(stderr, "model: %s: %s\n", made->text, error.message);
		program_die("the meter parser refuses a meter");
	}
	made->state = fake_create(&made->meter);
	made->total = old ? old->total : &made->own_total;
	for (size_t i = 0; i < made->meter.count; i++)
		made->bands[i] = old && i < old->meter.count ? old->bands[i] : &made->own_bands[i];
	if (!made->state || pipeline_meter_put(program->pipeline, &made->meter))
		program_die("pipeline_meter_put failed");
	program->next.meters[place] = made;
}

static void meter_remove(struct program *program, unsigned place)
{
	if (pipeline_meter_remove(program->pipeline, model_meter_id(place)))
		program_die("pipeline_meter_remove failed");
	program->next.meters[place] = NULL;
}

// --- Programs ---

void program_objects_change(struct program *program, bool first)
{
	struct model_random *random = &program->random;
	unsigned times = first ? 1 : 4; // one in so many is replaced or added

	for (unsigned place = 0; program->scope.groups && place < MODEL_GROUPS; place++) {
		if (program->next.groups[place] && model_once_in(random, 5))
			group_remove(program, place);
		// Perhaps one that has just been taken away, or put there.
		if (model_once_in(random, times) && !(first && model_once_in(random, 4)))
			group_put(program, place);
		if (model_once_in(random, 8))
			group_put(program, place);
	}
	for (unsigned place = 0; program->scope.meters && place < MODEL_METERS; place++) {
		if (program->next.meters[place] && model_once_in(random, 5))
			meter_remove(program, place);
		if (model_once_in(random, times) && !(first && model_once_in(random, 6)))
			meter_put(program, place);
		if (model_once_in(random, 8))
			meter_put(program, place);
	}
}

void program_objects_tell_oracle(struct program *program)
{
	struct oracle *oracle = &program->oracle;

	oracle->group_count = oracle->meter_count = 0;
	for (unsigned place = 0; place < MODEL_GROUPS; place++) {
		struct program_group *group = program->now.groups[place];

		if (group)
			program->oracle_groups[oracle->group_count++] =
				(struct oracle_group){&group->group, group->total, group->buckets};
	}
	for (unsigned place = 0; place < MODEL_METERS; place++) {
		struct program_meter *meter = program->now.meters[place];

		if (meter)
			program->oracle_meters[oracle->meter_count++] = (struct oracle_meter){
				&meter->meter, meter->state, meter->total, meter->bands};
	}
}

void program_objects_free(struct program *program)
{
	while (program->all_groups) {
		struct program_group *group = program->all_groups;

		program->all_groups = group->next;
		group_destroy(&group->group);
		free(group);
	}
	while (program->all_meters) {
		struct program_meter *meter = program->all_meters;

		program->all_meters = meter->next;
		free(meter->state);
		free(meter);
	}
}

// --- Comparing what was counted ---

struct comparison {
	const struct program *program;
	size_t groups, meters;
	bool agree;
};

static void compare_count(struct comparison *comparison, struct pipeline_count got,
	const struct oracle_count *expected, const char *text, int part)
{
	if (got.packets == expected->packets && got.bytes == expected->bytes)
		return;
	printf("part %d has %llu packets, %llu bytes instead of %llu, %llu: %s\n", part,
		(unsigned long long)got.packets, (unsigned long long)got.bytes,
		(unsigned long long)expected->packets, (unsigned long long)expected->bytes, text);
	comparison->agree = false;
}

static void compare_group(void *context, const struct group *group, struct pipeline_count total,
	const struct pipeline_count parts[])
{
	struct comparison *comparison = context;

	comparison->groups++;
	for (unsigned place = 0; place < MODEL_GROUPS; place++) {
		const struct program_group *expected = comparison->program->now.groups[place];

		if (!expected || !group_equal(&expected->group, group))
			continue;
		compare_count(comparison, total, expected->total, expected->text, -1);
		for (size_t i = 0; i < group->count; i++)
			compare_count(
				comparison, parts[i], expected->buckets[i], expected->text, (int)i);
		return;
	}
	printf("group %u is not as it was put there\n", group->id);
	comparison->agree = false;
}

static void compare_meter(void *context, const struct meter *meter, struct pipeline_count total,
	const struct pipeline_count parts[])
{
	struct comparison *comparison = context;

	comparison->meters++;
	for (unsigned place = 0; place < MODEL_METERS; place++) {
		const struct program_meter *expected = comparison->program->now.meters[place];

		if (!expected || !meter_equal(&expected->meter, meter))
			continue;
		compare_count(comparison, total, expected->total, expected->text, -1);
		for (size_t i = 0; i < meter->count; i++)
			compare_count(
				comparison, parts[i], expected->bands[i], expected->text, (int)i);
		return;
	}
	printf("meter %u is not as it was put there\n", meter->id);
	comparison->agree = false;
}

bool program_objects_agree(const struct program *program)
{
	struct comparison comparison = {.program = program, .agree = true};

	pipeline_group_each(program->pipeline, compare_group, &comparison);
	pipeline_meter_each(program->pipeline, compare_meter, &comparison);
	if (comparison.groups != program->oracle.group_count ||
		comparison.meters != program->oracle.meter_count) {
		printf("%zu groups and %zu meters instead of %zu and %zu\n", comparison.groups,
			comparison.meters, program->oracle.group_count,
			program->oracle.meter_count);
		return false;
	}
	return comparison.agree;
}

void program_objects_print(const struct program *program)
{
	for (unsigned place = 0; place < MODEL_GROUPS; place++)
		if (program->now.groups[place])
			printf("group: %s\n", program->now.groups[place]->text);
	for (unsigned place = 0; place < MODEL_METERS; place++)
		if (program->now.meters[place])
			printf("meter: %s\n", program->now.meters[place]->text);
}

// SPDX-License-Identifier: Apache-2.0
//
// Commands about groups and meters.

#include <string.h>

#include "ofctl/flow_call.h"
#include "ofctl/object_dump.h"
#include "ofctl/ofctl.h"

// {"bridge": first word}, and the second under `key`, if there is one.
static json_t *object_params(const struct ofctl *ofctl, const char *key)
{
	json_t *params = json_pack("{s:s}", "bridge", ofctl->argv[0]);

	if (ofctl->argc > 1)
		json_object_set_new(params, key, json_string(ofctl->argv[1]));
	return params;
}

static struct flow_source argument_source(const struct ofctl *ofctl)
{
	return (struct flow_source){.lines = ofctl->argc > 1 ? ofctl->argv[1] : NULL};
}

// --- Changing ---

// `allowed` is set in the parameters under the name `permission`.
static int object_change(struct ofctl *ofctl, const char *method, const char *key,
	const char *permission, bool allowed)
{
	struct flow_source source = argument_source(ofctl);
	json_t *params = object_params(ofctl, key);

	if (allowed)
		json_object_set_new(params, permission, json_true());
	return flow_call(ofctl, method, params, &source, NULL);
}

int ofctl_add_group(struct ofctl *ofctl)
{
	return object_change(ofctl, "group.add", "group", "may_exist", ofctl->may_exist);
}

int ofctl_add_meter(struct ofctl *ofctl)
{
	return object_change(ofctl, "meter.add", "meter", "may_exist", ofctl->may_exist);
}

int ofctl_mod_group(struct ofctl *ofctl)
{
	return object_change(ofctl, "group.modify", "group", "may_create", ofctl->may_create);
}

int ofctl_mod_meter(struct ofctl *ofctl)
{
	return object_change(ofctl, "meter.modify", "meter", "may_create", ofctl->may_create);
}

// OpenFlow has no error for deleting what is not there, and scripts delete before they add.
int ofctl_del_groups(struct ofctl *ofctl)
{
	return object_change(ofctl, "group.delete", "group", "if_exists", true);
}

int ofctl_del_meters(struct ofctl *ofctl)
{
	return object_change(ofctl, "meter.delete", "meter", "if_exists", true);
}

int ofctl_add_groups(struct ofctl *ofctl)
{
	return flow_file_call(ofctl, "group.add", false, NULL);
}

int ofctl_add_meters(struct ofctl *ofctl)
{
	return flow_file_call(ofctl, "meter.add", false, NULL);
}

// --- Showing ---

struct dump {
	const char *method;
	const char *key; // of what is selected
	bool stats;
	void (*print)(const json_t *item, FILE *out);
};

static int object_dump(struct ofctl *ofctl, const struct dump *dump)
{
	struct flow_source source = argument_source(ofctl);
	json_t *params = object_params(ofctl, dump->key);
	struct rpc_error error = {0};
	json_t *result;
	size_t index;
	json_t *item;

	json_object_set_new(params, "names", json_boolean(ofctl->names));
	json_object_set_new(params, "stats", json_boolean(dump->stats));
	if (ofctl->cli.connect_timeout_ms == 0)
		ofctl->cli.timeout_ms = FILE_TIMEOUT_MS;
	result = ofctl_call(ofctl, dump->method, params, &error);
	if (result == NULL)
		return flow_call_refused(ofctl, &source, &error);
	if (ofctl->cli.json)
		cli_print_json(result, stdout);
	else
		// The list is the only member.
		json_array_foreach (json_object_iter_value(json_object_iter(result)), index, item)
			dump->print(item, stdout);
	json_decref(result);
	return CLI_EXIT_OK;
}

int ofctl_dump_groups(struct ofctl *ofctl)
{
	static const struct dump dump = {"group.dump", "group", false, group_dump_print};

	return object_dump(ofctl, &dump);
}

int ofctl_dump_group_stats(struct ofctl *ofctl)
{
	static const struct dump dump = {"group.dump", "group", true, group_stats_print};

	return object_dump(ofctl, &dump);
}

int ofctl_dump_meters(struct ofctl *ofctl)
{
	static const struct dump dump = {"meter.dump", "meter", false, meter_dump_print};

	return object_dump(ofctl, &dump);
}

int ofctl_meter_stats(struct ofctl *ofctl)
{
	static const struct dump dump = {"meter.dump", "meter", true, meter_stats_print};

	return object_dump(ofctl, &dump);
}

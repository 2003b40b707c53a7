// SPDX-License-Identifier: Apache-2.0

// The configuration file.

#include "conf/conf.h"
#include "tests/fuzz/fuzz.h"

static void read_key(const struct conf *conf, enum conf_id id)
{
	const struct conf_key *key = conf_key_get(id);
	long number;

	switch (key->type) {
	case CONF_STRING:
	case CONF_CHOICE:
		fuzz_must(conf_string(conf, id) != NULL, "%s", key->path);
		break;
	case CONF_BOOLEAN:
		conf_boolean(conf, id);
		break;
	case CONF_INTEGER:
		number = conf_integer(conf, id);
		fuzz_must(number >= key->lowest && number <= key->highest, "%s is %ld", key->path,
			number);
		break;
	case CONF_LIST:
		for (size_t i = 0; i < conf_list_count(conf, id); i++)
			fuzz_must(conf_list_item(conf, id, i) != NULL, "%s", key->path);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *error = malloc(300);
	char *text = malloc(size ? size : 1);
	struct conf *conf;

	fuzz_must(error != NULL && text != NULL, "no memory");
	if (size > 0)
		memcpy(text, data, size);
	memset(error, 'x', 300);
	error[0] = '\0';
	conf = conf_parse("turnout.yaml", text, size, error, 300);
	free(text);
	for (unsigned id = 0; conf && id < CONF_KEY_COUNT; id++)
		read_key(conf, id);
	if (!conf) {
		fuzz_must(memchr(error, '\0', 300) != NULL, "not ended");
		fuzz_must(strncmp(error, "turnout.yaml", 12) == 0, "\"%s\"", error);
	}
	conf_destroy(conf);
	free(error);
	return 0;
}

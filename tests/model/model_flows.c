// SPDX-License-Identifier: Apache-2.0

// Prints random flows that the parser accepts, for tests that need many of all kinds. Hardly two
// are of one table, priority and match. As in real tables, several are of one priority and match
// the same bits, here with other metadata.
//
//   model_flows SEED COUNT

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/flow_text.h"
#include "tests/model/model_random.h"

#define ALIKE 200 // flows of one kind, at most

// Neither groups nor meters, which would have to be there.
static const struct model_scope scope = {.bucket_of = -1};

static bool is_accepted(const char *text)
{
	struct flow_request request;
	struct flow_error error;

	if (flow_request_parse(&request, text, FLOW_ADD, NULL, NULL, &error))
		return false;
	flow_request_destroy(&request);
	return true;
}

// Without metadata of its own, which tells flows of one kind apart.
static void random_match(struct model_random *random, struct model_match *match)
{
	do
		model_match(random, match);
	while (strstr(match->text, "metadata"));
}

static bool print_one(
	struct model_random *random, const struct model_match *match, unsigned priority, unsigned i)
{
	char actions[MODEL_TEXT], text[3 * MODEL_TEXT];

	model_actions(random, match, &scope, actions);
	snprintf(text, sizeof(text), "priority=%u,cookie=0x%llx,%s,metadata=0x%x,actions=%s",
		priority, model_once_in(random, 2) ? (unsigned long long)model_bits(random) : 0,
		match->text, i, actions);
	if (!is_accepted(text))
		return false;
	puts(text);
	return true;
}

int main(int argc, char **argv)
{
	struct model_random random;

	if (argc != 3)
		return 2;
	model_seed(&random, strtoull(argv[1], NULL, 0));
	for (unsigned long left = strtoul(argv[2], NULL, 0); left > 0;) {
		unsigned priority = model_below(&random, 65536);
		struct model_match match;

		random_match(&random, &match);
		for (unsigned i = 0; i < ALIKE && left > 0; i++)
			left -= print_one(&random, &match, priority, i);
	}
	return 0;
}

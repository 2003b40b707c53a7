// SPDX-License-Identifier: Apache-2.0

// Reads flows, one per line, and prints for each what the parser makes of it:
//   ok<TAB>exact form<TAB>dump form
//   error<TAB>kind<TAB>field<TAB>offset<TAB>length<TAB>message<TAB>hint
// For tests that compare the parser with another one, and for trying a string by hand. With an
// argument --ports, three port names are known.

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/flow_text.h"

static const struct port_name port_items[] = {{"dpdk0", 1}, {"vhu0", 2}, {"vhu1", 3}};
static const struct port_names port_table = {"br0", 3, port_items};

static int print_flow(const char *line, const struct port_names *names)
{
	struct flow_request request;
	struct flow_warnings warnings;
	struct flow_error error;
	int status = flow_request_parse(&request, line, FLOW_ADD, names, &warnings, &error);

	if (status == -EINVAL)
		printf("error\t%s\t%s\t%zu\t%zu\t%s\t%s\n", flow_error_kind_name(error.kind),
			error.field, error.offset, error.length, error.message, error.hint);
	if (status != 0)
		return status;

	char *exact = flow_format_exact(&request.flow);
	char *dump = flow_format(&request.flow, names);

	if (exact && dump)
		printf("ok\t%s\t%s\n", exact, dump);
	for (unsigned i = 0; i < warnings.count; i++)
		fprintf(stderr, "warning: %s\n", warnings.items[i].message);
	status = exact && dump ? 0 : -ENOMEM;
	free(exact);
	free(dump);
	flow_request_destroy(&request);
	return status;
}

int main(int argc, char **argv)
{
	const struct port_names *names =
		argc > 1 && strcmp(argv[1], "--ports") == 0 ? &port_table : NULL;
	char *line = NULL;
	size_t size = 0;
	int status = 0;

	while (status != -ENOMEM && getline(&line, &size, stdin) >= 0) {
		line[strcspn(line, "\n")] = '\0';
		status = print_flow(line, names);
		fflush(stdout);
	}
	free(line);
	return status == -ENOMEM;
}

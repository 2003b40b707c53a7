// SPDX-License-Identifier: Apache-2.0

// Reads flows, one per line, and prints for each what the parser makes of it:
//   ok<TAB>exact form<TAB>dump form
//   error<TAB>kind<TAB>field<TAB>offset<TAB>length<TAB>message<TAB>hint
// With an argument --groups or --meters, lines are groups or meters; with --ports, three port names
// are known. For tests that compare the parser with another one, and for trying a string by hand.

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/flow_text.h"
#include "pipeline/group_text.h"
#include "pipeline/meter_text.h"

static const struct port_name port_items[] = {{"dpdk0", 1}, {"vhu0", 2}, {"vhu1", 3}};
static const struct port_names port_table = {"br0", 3, port_items};

static int print_error(int status, const struct flow_error *error)
{
	if (status == -EINVAL)
		printf("error\t%s\t%s\t%zu\t%zu\t%s\t%s\n", flow_error_kind_name(error->kind),
			error->field, error->offset, error->length, error->message, error->hint);
	return status;
}

// Frees both.
static int print_forms(char *exact, char *dump)
{
	int status = exact && dump ? 0 : -ENOMEM;

	if (status == 0)
		printf("ok\t%s\t%s\n", exact, dump);
	free(exact);
	free(dump);
	return status;
}

static int print_group(const char *line, const struct port_names *names)
{
	struct group group;
	struct flow_error error;
	int status = group_parse(&group, line, names, NULL, &error);

	if (status != 0)
		return print_error(status, &error);
	status = print_forms(group_format(&group, NULL), group_format(&group, names));
	group_destroy(&group);
	return status;
}

static int print_meter(const char *line, const struct port_names *names)
{
	struct meter meter;
	struct flow_error error;
	int status = meter_parse(&meter, line, &error);

	if (status != 0)
		return print_error(status, &error);
	return print_forms(meter_format(&meter), meter_format(&meter));
}

static int print_flow(const char *line, const struct port_names *names)
{
	struct flow_request request;
	struct flow_warnings warnings;
	struct flow_error error;
	int status = flow_request_parse(&request, line, FLOW_ADD, names, &warnings, &error);

	if (status != 0)
		return print_error(status, &error);
	status = print_forms(flow_format_exact(&request.flow), flow_format(&request.flow, names));
	for (unsigned i = 0; i < warnings.count; i++)
		fprintf(stderr, "warning: %s\n", warnings.items[i].message);
	flow_request_destroy(&request);
	return status;
}

struct settings {
	const struct port_names *names;
	int (*print)(const char *line, const struct port_names *names);
};

static bool read_settings(int argc, char **argv, struct settings *settings)
{
	*settings = (struct settings){.print = print_flow};
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--ports") == 0)
			settings->names = &port_table;
		else if (strcmp(argv[i], "--groups") == 0)
			settings->print = print_group;
		else if (strcmp(argv[i], "--meters") == 0)
			settings->print = print_meter;
		else
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct settings settings;
	char *line = NULL;
	size_t size = 0;
	int status = 0;

	if (!read_settings(argc, argv, &settings)) {
		fprintf(stderr, "Usage: parse_flow [--ports] [--groups|--meters]\n");
		return 2;
	}
	while (status != -ENOMEM && getline(&line, &size, stdin) >= 0) {
		line[strcspn(line, "\n")] = '\0';
		status = settings.print(line, settings.names);
		fflush(stdout);
	}
	free(line);
	return status == -ENOMEM;
}

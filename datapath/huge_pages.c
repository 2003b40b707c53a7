// SPDX-License-Identifier: Apache-2.0
#include "datapath/huge_pages.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>

uint64_t huge_pages_free(int numa)
{
	char pattern[128];
	uint64_t sum = 0;
	glob_t found;

	if (numa >= 0)
		snprintf(pattern, sizeof(pattern),
			"/sys/devices/system/node/node%d/hugepages/hugepages-*kB", numa);
	else
		snprintf(pattern, sizeof(pattern), "/sys/kernel/mm/hugepages/hugepages-*kB");
	if (glob(pattern, 0, NULL, &found) != 0)
		return 0;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		char path[256];
		unsigned long kilobytes = 0, pages = 0;
		const char *name = strrchr(found.gl_pathv[i], '/');
		FILE *file;

		snprintf(path, sizeof(path), "%s/free_hugepages", found.gl_pathv[i]);
		file = fopen(path, "re");
		if (file && fscanf(file, "%lu", &pages) == 1 &&
			sscanf(name, "/hugepages-%lukB", &kilobytes) == 1)
			sum += (uint64_t)pages * kilobytes * 1024;
		if (file)
			fclose(file);
	}
	globfree(&found);
	return sum;
}

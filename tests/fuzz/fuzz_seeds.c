// SPDX-License-Identifier: Apache-2.0

// Writes the frames of the unit tests as inputs of fuzz_packet: fuzz_seeds DIRECTORY.

#include <stdio.h>

#include "tests/unit/packet/corpus.h"

int main(int argc, char **argv)
{
	struct frame frame;
	const char *name;
	char path[4096];

	if (argc != 2) {
		fprintf(stderr, "Usage: fuzz_seeds DIRECTORY\n");
		return 2;
	}
	for (unsigned i = 0; (name = corpus_frame(&frame, i)); i++) {
		FILE *out;

		snprintf(path, sizeof(path), "%s/frame-%s", argv[1], name);
		out = fopen(path, "w");
		if (!out || fwrite("\0", 1, 2, out) != 2 ||
			fwrite(frame.bytes, 1, frame.length, out) != frame.length ||
			fclose(out) != 0) {
			perror(path);
			return 1;
		}
	}
	return 0;
}

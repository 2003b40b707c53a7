// SPDX-License-Identifier: Apache-2.0

// Writes the frames of the unit tests as inputs: fuzz_seeds DIRECTORY FRONT puts FRONT zero bytes
// in front of each, 2 for fuzz_packet, 1 for fuzz_packet_write.

#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/packet/corpus.h"

int main(int argc, char **argv)
{
	struct frame frame;
	const char *name;
	char path[4096];

	static const char front[16];
	size_t front_size = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

	if (argc != 3 || front_size > sizeof(front)) {
		fprintf(stderr, "Usage: fuzz_seeds DIRECTORY FRONT\n");
		return 2;
	}
	for (unsigned i = 0; (name = corpus_frame(&frame, i)); i++) {
		FILE *out;

		snprintf(path, sizeof(path), "%s/frame-%s", argv[1], name);
		out = fopen(path, "w");
		if (!out || fwrite(front, 1, front_size, out) != front_size ||
			fwrite(frame.bytes, 1, frame.length, out) != frame.length ||
			fclose(out) != 0) {
			perror(path);
			return 1;
		}
	}
	return 0;
}

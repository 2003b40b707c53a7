// SPDX-License-Identifier: Apache-2.0

// Writes inputs to start from. fuzz_seeds DIRECTORY FRONT: the frames of the unit tests with FRONT
// zero bytes in front of each, 2 for fuzz_packet, 1 for fuzz_packet_write. fuzz_seeds DIRECTORY
// objects: groups and meters for fuzz_objects.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/packet/corpus.h"

// The first byte of each says what it is, as in fuzz_objects.c.
static const char *const objects[] = {
	"\010group_id=1,type=select,selection_method=hash,fields(ip_src,tcp_dst),bucket=bucket_id:"
	"0,"
	"weight:100,watch_port:2,watch_group:4,actions=output:1,bucket=output:2",
	"\004group_id=7,type=ff,bucket=watch_port:vhu0,actions=\"vhu "
	"1\",dec_ttl,bucket=watch_group:"
	"2,group:2,meter:4",
	"\010group_id=0,type=indirect,bucket=output(port=2,max_len=64),controller(reason=no_match,"
	"max_len=9),resubmit(,3) # comment",
	"\010group_id=0xffffff00 type=all bucket=bucket_id=5 set_field:10.0.0.1->nw_dst "
	"bucket=drop",
	"\001meter=1,kbps,burst,stats,bands=type=drop,rate=1000,burst_size=100,type=dscp_remark,"
	"rate=500,burst_size=50,prec_level=1",
	"\001meter=0xffff0000 pktps band=type=drop rate=1000000000",
	"\002{\"group_id\": 1, \"type\": \"select\", \"selection_method\": \"hash\", \"fields\": "
	"[\"ip_src\"], \"buckets\": [{\"bucket_id\": 0, \"weight\": 9, \"watch_port\": \"vhu0\", "
	"\"watch_group\": 2, \"actions\": [{\"output\": {\"port\": 2, \"max_len\": 99}}, "
	"{\"controller\": {\"reason\": \"invalid_ttl\"}}]}, {\"actions\": \"output:1,group:4\"}]}",
	"\003{\"meter\": 1, \"unit\": \"pktps\", \"bands\": [{\"type\": \"dscp_remark\", \"rate\": "
	"5, "
	"\"burst_size\": 6, \"prec_level\": 2}]}",
	"\000group_id=all",
	"\001meter=5",
};

static int write_seed(const char *directory, const char *name, const void *front, size_t front_size,
	const void *bytes, size_t size)
{
	char path[4096];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	out = fopen(path, "w");
	if (out && fwrite(front, 1, front_size, out) == front_size &&
		fwrite(bytes, 1, size, out) == size && fclose(out) == 0)
		return 0;
	perror(path);
	return 1;
}

static int write_objects(const char *directory)
{
	int status = 0;

	for (unsigned i = 0; status == 0 && i < sizeof(objects) / sizeof(objects[0]); i++) {
		char name[32];

		snprintf(name, sizeof(name), "object-%u", i);
		// The first byte may be zero.
		status = write_seed(
			directory, name, objects[i], 1, objects[i] + 1, strlen(objects[i] + 1));
	}
	return status;
}

static int write_frames(const char *directory, size_t front_size)
{
	static const char front[16];
	struct frame frame;
	const char *name;
	int status = front_size > sizeof(front) ? 2 : 0;

	for (unsigned i = 0; status == 0 && (name = corpus_frame(&frame, i)); i++) {
		char file[200];

		snprintf(file, sizeof(file), "frame-%s", name);
		status = write_seed(directory, file, front, front_size, frame.bytes, frame.length);
	}
	return status;
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "Usage: fuzz_seeds DIRECTORY FRONT|objects\n");
		return 2;
	}
	if (strcmp(argv[2], "objects") == 0)
		return write_objects(argv[1]);
	return write_frames(argv[1], strtoul(argv[2], NULL, 10));
}

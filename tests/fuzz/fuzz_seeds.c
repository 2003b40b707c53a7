// SPDX-License-Identifier: Apache-2.0

// Writes inputs to start from. fuzz_seeds DIRECTORY FRONT: the frames of the unit tests with FRONT
// zero bytes in front of each, 2 for fuzz_packet, 1 for fuzz_packet_write. fuzz_seeds DIRECTORY
// objects: groups and meters for fuzz_objects. fuzz_seeds DIRECTORY rings: guests that do as they
// should for fuzz_rings. fuzz_seeds DIRECTORY store: edits of databases for fuzz_store.

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

// --- Guests ---

#define RING_SIZE 8

struct seed {
	uint8_t bytes[1024];
	size_t size;
};

static void put(struct seed *seed, unsigned value, unsigned bytes)
{
	for (; bytes > 0; bytes--, value >>= 8)
		seed->bytes[seed->size++] = (uint8_t)value;
}

static void put_descriptor(
	struct seed *seed, unsigned address, unsigned length, unsigned flags, unsigned word)
{
	put(seed, address, 2);
	put(seed, length, 2);
	put(seed, flags, 2);
	put(seed, word, 2);
}

// Buffers of one, of two and of three pieces, and two in a table at 0x1000 (of `packed` rings 32
// bytes, in others as they are linked), as fuzz_rings.c wants them.
static void put_guest(struct seed *seed, bool packed, unsigned kind, bool writable)
{
	static const struct {
		unsigned address, length, flags;
	} descriptors[RING_SIZE] = {{0x2000, 1500, 0}, {0x2800, 12, 1}, {0x2810, 300, 0},
		{0x3000, 100, 1}, {0x15f0, 64, 1}, {0x3100, 1000, 0}, {0x1000, 32, 4},
		{0x4000, 64, 0}};
	static const uint8_t heads[RING_SIZE] = {0, 1, 3, 6, 7};

	put(seed, kind | packed, 1);
	put(seed, packed ? RING_SIZE - 1 : 3, 1);
	put(seed, packed ? 0x8000 : 0, 2);
	put(seed, packed ? 0x8000 : 0, 2);
	put(seed, 0, 2);
	for (unsigned i = 0; i < RING_SIZE; i++)
		put_descriptor(seed, descriptors[i].address, descriptors[i].length,
			descriptors[i].flags | writable << 1 | packed << 7, packed ? i : i + 1);
	if (packed) {
		put(seed, 0, 8);
		return;
	}
	put(seed, 0, 2);
	put(seed, 5, 2);
	for (unsigned i = 0; i < RING_SIZE; i++)
		put(seed, heads[i], 2);
	put(seed, 0, 4); // what they want to be told, and up to the next part
	for (unsigned i = 0; i < 4 + 8 * RING_SIZE + (kind & 2 ? 2u : 0u); i++)
		put(seed, 0, 1);
}

static void put_table(struct seed *seed, unsigned step, bool writable)
{
	for (unsigned i = 0; i < 2; i++) {
		put(seed, step, 1);
		put(seed, 0x1000 + 16 * i, 2);
		put_descriptor(seed, 0x5000 + 0x400 * i, 500, writable << 1 | !i, 1);
	}
}

static int write_rings(const char *directory)
{
	int status = 0;

	for (unsigned i = 0; status == 0 && i < 16; i++) {
		unsigned kind = 4 | (i & 2) | (i & 8); // a long header; interrupts; several buffers
		struct seed seed = {.size = 0};
		char name[32];

		put_guest(&seed, i & 1, kind, false);
		put_guest(&seed, i >> 2 & 1, kind, true);
		put_table(&seed, 1, false);
		put_table(&seed, 4, true);
		put(&seed, 0x0806, 2);         // receive some
		put(&seed, i % 8 << 8 | 7, 2); // change them and send
		put(&seed, 0x0009, 2);
		put(&seed, 0x0109, 2);
		put(&seed, 0x0308, 2); // another kind of frames
		put(&seed, 900, 2);
		put(&seed, 0x0007, 2);
		snprintf(name, sizeof(name), "rings-%u", i);
		status = write_seed(directory, name, "", 0, seed.bytes, seed.size);
	}
	return status;
}

// --- Databases ---

// The first byte is the kind, the first letter of a line the place, as in fuzz_store.c.
static const char *const databases[] = {
	"\004P{\"name\": \"br0\", \"ports\": []}\nU{\"name\": \"br1\", \"ports\": [\"x\"]}\n",
	"\004Q{\"name\": \"p0\", \"interfaces\": [1, {}], \"tag\": \"5\", \"trunks\": {}}\n",
	"\004R{\"name\": 5, \"type\": [], \"ofport\": -1, \"options\": {\"a\": null}}\n",
	"\004S{\"bridges\": 7, \"other_config\": {\"pmd-cpu-mask\": []}}\nTNowhere\n",
	"\004Vtable=3,actions=group:7\nWgroup_id=5,type=select,bucket=actions=group:5\n",
	"\004Xmeter=2,kbps,bands=type=drop,rate=5\nYgroup\nZbr0\n[-5\n\\99999999999\n]7\n^-1\n",
	"\004[text\n]4294967301\n\\0\n_x\n",
	"\002\003\001\001\022\001\001\001\001\003\001\001\144abcd",
	"\002\037\001\060\005abcdefghijklmnopqrstuvwxyzabcdef",
	"\003\203\001\001\022abcd\203\001\060\005abcd\003\001\040\001abcd",
	"\001\067\177\006\202",
	"\005SQLite format 3",
};

static int write_databases(const char *directory)
{
	int status = 0;

	for (unsigned i = 0; status == 0 && i < sizeof(databases) / sizeof(databases[0]); i++) {
		char name[32];

		snprintf(name, sizeof(name), "store-%u", i);
		status = write_seed(directory, name, "", 0, databases[i], strlen(databases[i]));
	}
	return status;
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "Usage: fuzz_seeds DIRECTORY FRONT|objects|rings|store\n");
		return 2;
	}
	if (strcmp(argv[2], "objects") == 0)
		return write_objects(argv[1]);
	if (strcmp(argv[2], "rings") == 0)
		return write_rings(argv[1]);
	if (strcmp(argv[2], "store") == 0)
		return write_databases(argv[1]);
	return write_frames(argv[1], strtoul(argv[2], NULL, 10));
}

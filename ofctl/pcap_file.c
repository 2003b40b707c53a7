// SPDX-License-Identifier: Apache-2.0
#include "ofctl/pcap_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC_MICROSECONDS 0xa1b2c3d4u
#define MAGIC_NANOSECONDS 0xa1b23c4du
#define MAGIC_PCAPNG 0x0a0d0d0au // the same in either order
#define LINK_ETHERNET 1
#define FRAME_MAX 65535

struct file_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, figures, snaplen, link;
};

struct record_header {
	uint32_t seconds, fraction, captured, length;
};

struct pcap {
	const char *path;
	FILE *file;
	bool swapped; // written by a machine of the other byte order
	struct rpc_error *error;
};

static uint32_t number(const struct pcap *pcap, uint32_t value)
{
	return pcap->swapped ? __builtin_bswap32(value) : value;
}

// A file name may have a colon itself: ":N" counts only if there is no such file.
static char *place_split(const char *place, unsigned long *index)
{
	const char *colon = strrchr(place, ':');
	char *end;

	*index = 1;
	if (colon == NULL || colon[1] < '0' || colon[1] > '9' || access(place, F_OK) == 0)
		return strdup(place);
	errno = 0;
	*index = strtoul(colon + 1, &end, 10);
	if (*end != '\0' || errno != 0)
		return strdup(place);
	return strndup(place, colon - place);
}

static bool header_check(struct pcap *pcap)
{
	struct file_header header;
	bool whole = fread(&header, sizeof(header), 1, pcap->file) == 1;
	uint32_t magic;

	if (whole && header.magic == MAGIC_PCAPNG) {
		rpc_error_set(pcap->error, RPC_REFUSED,
			"%s is a pcapng file; convert it: editcap -F pcap %s new.pcap", pcap->path,
			pcap->path);
		return false;
	}
	magic = whole ? header.magic : 0;
	if (magic != MAGIC_MICROSECONDS && magic != MAGIC_NANOSECONDS) {
		pcap->swapped = true;
		magic = number(pcap, magic);
	}
	if (magic != MAGIC_MICROSECONDS && magic != MAGIC_NANOSECONDS) {
		rpc_error_set(pcap->error, RPC_REFUSED, "%s is no pcap file", pcap->path);
		return false;
	}
	if ((number(pcap, header.link) & 0xffff) != LINK_ETHERNET) {
		rpc_error_set(pcap->error, RPC_REFUSED,
			"%s has frames of link type %u; only Ethernet (1) can be traced",
			pcap->path, number(pcap, header.link) & 0xffff);
		return false;
	}
	return true;
}

static char *hex_of(const uint8_t *bytes, size_t length)
{
	char *text = malloc(2 * length + 1);

	if (text == NULL)
		return NULL;
	for (size_t i = 0; i < length; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	text[2 * length] = '\0';
	return text;
}

// The next frame into `frame`; its length, 0 at the end of the file or with *error.
static size_t record_read(struct pcap *pcap, uint8_t *frame, unsigned long count)
{
	struct record_header header;
	size_t got = fread(&header, 1, sizeof(header), pcap->file);
	uint32_t captured;

	if (got == 0)
		return 0;
	captured = got == sizeof(header) ? number(pcap, header.captured) : 0;
	if (captured == 0 || captured > FRAME_MAX ||
		fread(frame, 1, captured, pcap->file) != captured) {
		rpc_error_set(pcap->error, RPC_REFUSED, "%s: frame %lu is damaged or cut off",
			pcap->path, count);
		return 0;
	}
	return captured;
}

static char *frame_find(struct pcap *pcap, unsigned long index)
{
	uint8_t *frame = malloc(FRAME_MAX);
	unsigned long count = 0;
	size_t length = 0;
	char *hex = NULL;

	while (frame != NULL && count < index) {
		length = record_read(pcap, frame, count + 1);
		if (length == 0)
			break;
		count++;
	}
	if (frame != NULL && index > 0 && count == index)
		hex = hex_of(frame, length);
	else if (pcap->error->code == 0)
		rpc_error_set(pcap->error, RPC_REFUSED,
			"%s has no frame %lu; it has %lu, counted from 1", pcap->path, index,
			count);
	free(frame);
	return hex;
}

char *pcap_file_frame(const char *place, struct rpc_error *error)
{
	unsigned long index;
	char *path = place_split(place, &index);
	struct pcap pcap = {.path = path, .error = error};
	char *hex = NULL;

	if (path == NULL)
		return NULL;
	pcap.file = fopen(path, "rb");
	if (pcap.file == NULL)
		rpc_error_set(error, RPC_REFUSED, "cannot read %s: %s", path, strerror(errno));
	else if (header_check(&pcap))
		hex = frame_find(&pcap, index);
	if (pcap.file != NULL)
		fclose(pcap.file);
	free(path);
	return hex;
}

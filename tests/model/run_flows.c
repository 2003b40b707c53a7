// SPDX-License-Identifier: Apache-2.0

// One bridge's flows and its pipeline behind a line protocol, for tests that compare what becomes
// of packets with what another switch makes of them. Commands on standard input:
//
//   reset                          everything away: flows, ports, learned addresses
//   port NUMBER MODE TAG TRUNKS FLOOD
//                                  MODE trunk, access, native-tagged or native-untagged; TRUNKS
//                                  "all" or VLANs as in 1,2,3; FLOOD 0 or 1
//   live NUMBER LIVE               LIVE 0: the port has no link
//   check FLOW                     would the line be accepted?
//   begin, commit                  what is between them comes into force together
//   flow FLOW                      add, modify or delete
//   group GROUP                    add, or put in the place of the one of that number
//   group_del NUMBER               with the flows that name it
//   run PORT HEX [PORT HEX]...     one burst of packets
//   flows, groups                  statistics
//
// Answers, each followed by the line "done":
//
//   error MESSAGE                  of check, flow and group
//   output INDEX PORT HEX          of packet INDEX of the burst, in the order of sending
//   drop INDEX REASON
//   event INDEX                    went to the controller
//   flow COOKIE PACKETS BYTES
//   group NUMBER PACKETS BYTES [BUCKET PACKETS BYTES]...

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/flow_set.h"
#include "pipeline/group_text.h"
#include "pipeline/pipeline.h"

#define HEADROOM 64
#define LINEAR 256 // what the parser may look at in every second of the long packets

struct bridge {
	struct flow_set *set;
	struct pipeline *pipeline;
	struct pipeline_sink sink;
	bool in_transaction;
	bool dead[OFPORT_MAX + 1]; // ports without a link
	uint64_t now_ms;
};

// A packet in a block of its own, which knows the packet of the burst that it is or was copied
// from.
struct block {
	struct packet packet; // first
	unsigned origin;
	uint8_t bytes[];
};

static void die(const char *what)
{
	fprintf(stderr, "run_flows: %s\n", what);
	exit(2);
}

// --- Packets ---

static struct block *block_open(size_t length, uint16_t headroom)
{
	struct block *block = calloc(1, sizeof(*block) + headroom + length);

	if (!block)
		die("out of memory");
	block->packet.data = block->bytes + headroom;
	block->packet.headroom = headroom;
	block->packet.length = length;
	return block;
}

static void print_bytes(const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		printf("%02x", bytes[i]);
	printf("\n");
}

static void sink_output(struct pipeline_sink *sink, struct packet *packet, uint16_t port)
{
	struct block *block = (struct block *)packet;

	printf("output %u %u ", block->origin, port);
	print_bytes(packet->data, packet->length);
	free(block);
}

static void sink_drop(struct pipeline_sink *sink, struct packet *packet, enum drop_reason reason)
{
	struct block *block = (struct block *)packet;

	if (reason != DROP_CONSUMED)
		printf("drop %u %s\n", block->origin, drop_reason_name(reason));
	free(block);
}

static struct packet *sink_copy(struct pipeline_sink *sink, const struct packet *packet)
{
	const struct block *block = (const struct block *)packet;
	struct block *copy = block_open(packet->length, packet->headroom);

	memcpy(copy->packet.data, packet->data, packet->length);
	copy->packet.linear = packet->linear;
	copy->packet.in_port = packet->in_port;
	copy->origin = block->origin;
	return &copy->packet;
}

static void sink_learn(
	struct pipeline_sink *sink, const uint8_t mac[6], uint16_t vlan, uint16_t port)
{
	struct bridge *bridge = (struct bridge *)((char *)sink - offsetof(struct bridge, sink));

	mac_table_learn(
		pipeline_mac_table(bridge->pipeline), mac, vlan, port, bridge->now_ms / 1000);
}

static bool sink_packet_in(
	struct pipeline_sink *sink, const struct packet *packet, const struct packet_in *event)
{
	printf("event %u\n", ((const struct block *)packet)->origin);
	return true;
}

static bool sink_port_live(struct pipeline_sink *sink, uint16_t port)
{
	return !((struct bridge *)((char *)sink - offsetof(struct bridge, sink)))->dead[port];
}

static struct packet *packet_read(const char *hex, uint16_t port, unsigned index)
{
	size_t length = strlen(hex) / 2;
	struct block *block = block_open(length, HEADROOM);
	struct packet *packet = &block->packet;

	for (size_t i = 0; i < length; i++)
		if (sscanf(hex + 2 * i, "%2hhx", &packet->data[i]) != 1)
			die("a packet is not hexadecimal");
	packet->in_port = port;
	packet->linear = length > LINEAR && length % 2 ? LINEAR : length;
	block->origin = index;
	return packet;
}

static void run(struct bridge *bridge, char *arguments)
{
	struct packet *packets[PIPELINE_BURST];
	unsigned count = 0;
	char *state, *port = strtok_r(arguments, " ", &state);

	for (; port; port = strtok_r(NULL, " ", &state)) {
		const char *hex = strtok_r(NULL, " ", &state);

		if (!hex || count == PIPELINE_BURST)
			die("run needs pairs of port and packet, and not too many");
		packets[count] = packet_read(hex, (uint16_t)strtoul(port, NULL, 10), count);
		count++;
	}
	bridge->now_ms++;
	pipeline_run(bridge->pipeline, 0, packets, count, bridge->now_ms, &bridge->sink);
}

// --- Set-up ---

static void retire_at_once(void *context, void (*free_fn)(void *), void *memory)
{
	free_fn(memory);
}

static void bridge_open(struct bridge *bridge)
{
	struct pipeline_config config = {.retirement = {.retire = retire_at_once}};

	memset(bridge, 0, sizeof(*bridge));
	bridge->sink = (struct pipeline_sink){
		sink_output, sink_drop, sink_copy, sink_learn, sink_packet_in, sink_port_live};
	bridge->set = flow_set_create();
	bridge->pipeline = pipeline_create(&config);
	bridge->now_ms = 1000;
	if (!bridge->set || !bridge->pipeline || pipeline_reader_add(bridge->pipeline, 0))
		die("out of memory");
}

static void bridge_close(struct bridge *bridge)
{
	pipeline_destroy(bridge->pipeline);
	flow_set_destroy(bridge->set);
}

static void set_port(struct bridge *bridge, char *arguments)
{
	static const char *const modes[] = {"trunk", "access", "native-tagged", "native-untagged"};
	struct pipeline_port port = {0};
	char mode[32], trunks[1024];
	unsigned flood, i = 0;

	if (sscanf(arguments, "%hu %31s %hu %1023s %u", &port.number, mode, &port.tag, trunks,
		    &flood) != 5)
		die("port needs a number, a mode, a tag, trunks and flood");
	while (i < 4 && strcmp(modes[i], mode) != 0)
		i++;
	if (i == 4)
		die("port needs one of the four modes");
	port.vlan_mode = i;
	port.no_flood = !flood;
	if (strcmp(trunks, "all") != 0) {
		for (char *state, *text = strtok_r(trunks, ",", &state); text;
			text = strtok_r(NULL, ",", &state)) {
			unsigned vlan = strtoul(text, NULL, 10) & 0xfff;

			port.trunks[vlan / 64] |= 1ull << vlan % 64;
		}
	}
	if (pipeline_port_set(bridge->pipeline, &port))
		die("pipeline_port_set failed");
}

static void set_live(struct bridge *bridge, const char *arguments)
{
	unsigned port, live;

	if (sscanf(arguments, "%u %u", &port, &live) != 2 || port > OFPORT_MAX)
		die("live needs a number and 0 or 1");
	bridge->dead[port] = !live;
}

// --- Flows ---

static void begin(struct bridge *bridge)
{
	flow_set_begin(bridge->set);
	pipeline_begin(bridge->pipeline);
	bridge->in_transaction = true;
}

static void bring_in(struct pipeline *pipeline, const struct flow_change *change)
{
	const struct flow_entry *entry = change->entry;
	struct flow copy;
	int rc;

	if (change->kind == FLOW_REMOVED) {
		rc = pipeline_flow_remove(pipeline, entry->id);
	} else {
		if (flow_copy(&copy, &entry->flow))
			die("out of memory");
		rc = change->kind == FLOW_ADDED ? pipeline_flow_add(pipeline, entry->id, &copy)
						: pipeline_flow_modify(pipeline, entry->id, &copy);
	}
	if (rc)
		die("the pipeline refuses a flow");
}

static void commit(struct bridge *bridge)
{
	const struct flow_change *changes;
	size_t count = flow_set_changes(bridge->set, &changes);

	for (size_t i = 0; i < count; i++)
		bring_in(bridge->pipeline, &changes[i]);
	pipeline_commit(bridge->pipeline);
	flow_set_commit(bridge->set);
	bridge->in_transaction = false;
}

static void apply(struct bridge *bridge, const char *text, bool only_check)
{
	bool alone = !bridge->in_transaction;
	struct flow_request request;
	struct flow_warnings warnings = {0};
	struct flow_error error;

	if (flow_request_parse(&request, text, FLOW_ADD, NULL, &warnings, &error)) {
		printf("error %s\n", error.message);
		return;
	}
	if (only_check) {
		flow_request_destroy(&request);
		return;
	}
	if (alone)
		begin(bridge);
	if (flow_set_apply(bridge->set, &request, 0, NULL, &error))
		die("flow_set_apply failed");
	if (alone)
		commit(bridge);
}

// --- Groups, within a transaction ---

static void put_group(struct bridge *bridge, const char *text)
{
	struct flow_warnings warnings = {0};
	struct flow_error error;
	struct group group;

	if (group_parse(&group, text, NULL, &warnings, &error))
		printf("error %s\n", error.message);
	else if (pipeline_group_put(bridge->pipeline, &group))
		die("pipeline_group_put failed");
}

static void remove_group(struct bridge *bridge, uint32_t id)
{
	struct flow_request every;
	struct flow_error error;
	const struct flow_entry **entries;
	size_t count;

	if (flow_request_parse(&every, "", FLOW_DELETE, NULL, NULL, &error))
		die("the parser does not take a delete of all");
	entries = flow_set_select(bridge->set, &every, false, &count);
	for (size_t i = 0; entries && i < count; i++)
		if (actions_refer_to_group(&entries[i]->flow.actions, id) &&
			flow_set_remove(bridge->set, entries[i]->id))
			die("flow_set_remove failed");
	free(entries);
	flow_request_destroy(&every);
	if (pipeline_group_remove(bridge->pipeline, id))
		die("pipeline_group_remove failed");
}

static void print_group(void *context, const struct group *group, struct pipeline_count total,
	const struct pipeline_count parts[])
{
	printf("group %" PRIu32 " %" PRIu64 " %" PRIu64, group->id, total.packets, total.bytes);
	for (size_t i = 0; i < group->count; i++)
		printf(" %" PRIu32 " %" PRIu64 " %" PRIu64, group->buckets[i].id, parts[i].packets,
			parts[i].bytes);
	printf("\n");
}

static bool print_flow(void *context, const struct pipeline_flow_stats *stats)
{
	printf("flow 0x%" PRIx64 " %" PRIu64 " %" PRIu64 "\n", stats->flow->cookie, stats->packets,
		stats->bytes);
	return true;
}

// --- Commands ---

static void command(struct bridge *bridge, char *line)
{
	char *arguments = line + strcspn(line, " ");

	if (*arguments)
		*arguments++ = '\0';
	if (strcmp(line, "run") == 0) {
		run(bridge, arguments);
	} else if (strcmp(line, "flow") == 0 || strcmp(line, "check") == 0) {
		apply(bridge, arguments, line[0] == 'c');
	} else if (strcmp(line, "begin") == 0) {
		begin(bridge);
	} else if (strcmp(line, "commit") == 0) {
		commit(bridge);
	} else if (strcmp(line, "flows") == 0) {
		pipeline_flow_each(bridge->pipeline, print_flow, NULL);
	} else if (strcmp(line, "group") == 0) {
		put_group(bridge, arguments);
	} else if (strcmp(line, "group_del") == 0) {
		remove_group(bridge, (uint32_t)strtoul(arguments, NULL, 10));
	} else if (strcmp(line, "groups") == 0) {
		pipeline_group_each(bridge->pipeline, print_group, NULL);
	} else if (strcmp(line, "live") == 0) {
		set_live(bridge, arguments);
	} else if (strcmp(line, "port") == 0) {
		set_port(bridge, arguments);
	} else if (strcmp(line, "reset") == 0) {
		bridge_close(bridge);
		bridge_open(bridge);
	} else {
		die("unknown command");
	}
}

int main(void)
{
	struct bridge bridge;
	char *line = NULL;
	size_t size = 0;

	bridge_open(&bridge);
	while (getline(&line, &size, stdin) >= 0) {
		line[strcspn(line, "\n")] = '\0';
		command(&bridge, line);
		printf("done\n");
		fflush(stdout);
	}
	free(line);
	bridge_close(&bridge);
	return 0;
}

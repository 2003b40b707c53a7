// SPDX-License-Identifier: Apache-2.0

// A frame, as it comes from a guest that may send anything: parsed, and sent through rules that
// have every action. Two bytes in front of it say how much room there is, how many copies there is
// memory for, and how much of the frame is linear.
//
// The same frame arrives on all ports of a bridge in one burst, and each port has rules of its own.
// Every packet and copy has to end exactly once, within its buffer (of exactly its size), and with
// checksums as right or wrong as they were.

#include "pipeline/pipeline.h"
#include "pipeline/flow_text.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/packet_sums.h"

#define FRAME_MAX 2048
#define PORTS 12

// --- Rules, by ingress port ---

static const char *const rules[] = {
	// 1 to 4: a learning switch.
	"in_port=1,actions=NORMAL",
	"in_port=2,actions=NORMAL",
	"in_port=3,actions=NORMAL",
	"in_port=4,actions=push_vlan:0x8100,mod_vlan_vid:100,NORMAL,FLOOD,ALL,IN_PORT",
	// 5: addresses and ports.
	"in_port=5,priority=100,tcp,actions=mod_nw_src:10.1.2.3,output:1,mod_nw_dst:255.255.0.1,"
	"mod_tp_src:1,mod_tp_dst:65535,mod_nw_ttl:1,mod_nw_tos:252,output:2",
	"in_port=5,priority=100,udp,actions=mod_tp_dst:0,output:1,mod_nw_src:0.0.0.0,mod_tp_src:9,"
	"dec_ttl,output:2,set_field:3->nw_ecn,output:3",
	"in_port=5,priority=100,sctp,actions=mod_nw_dst:10.9.9.9,output:1,mod_tp_src:77,output:2,"
	"mod_tp_dst:78,output:3",
	"in_port=5,priority=100,icmp,actions=set_field:0->icmp_type,set_field:255->icmp_code,"
	"mod_nw_src:1.2.3.4,output:1,move:icmp_type[]->icmp_code[],output:2",
	"in_port=5,priority=90,ip,actions=mod_nw_dst:10.0.0.9,set_field:1.2.3.4/"
	"0.255.0.255->nw_src,"
	"dec_ttl,output:1",
	"in_port=5,priority=100,tcp6,actions=set_field:2001:db8::1->ipv6_src,output:1,"
	"set_field:fe80::9/ffff::ffff->ipv6_dst,mod_tp_src:5,output:2,"
	"set_field:0xabcde->ipv6_label,mod_nw_tos:4,dec_ttl,output:3",
	"in_port=5,priority=100,udp6,actions=set_field:::->ipv6_dst,mod_tp_dst:99,output:1,"
	"set_field:63->ip_dscp,mod_nw_ttl:0,output:2,dec_ttl,output:3",
	"in_port=5,priority=100,sctp6,actions=mod_tp_src:1,set_field:::1->ipv6_src,output:1",
	"in_port=5,priority=110,icmp6,icmp_type=135,actions=set_field:fe80::1->nd_target,"
	"set_field:00:01:02:03:04:05->nd_sll,output:1,set_field:fe80::3->ipv6_dst,output:2,"
	"move:nd_sll[]->dl_src[],output:3",
	"in_port=5,priority=110,icmp6,icmp_type=136,actions=set_field:fe80::1->nd_target,"
	"set_field:00:01:02:03:04:05->nd_tll,output:1,set_field:135->icmpv6_type,output:2",
	"in_port=5,priority=100,icmp6,actions=set_field:7->icmpv6_code,set_field:136->icmpv6_type,"
	"set_field:::2->ipv6_src,output:1,resubmit(,50)",
	"in_port=5,priority=90,ipv6,actions=set_field:::5->ipv6_src,set_field:::6->ipv6_dst,dec_"
	"ttl,"
	"output:1",
	"in_port=5,priority=100,arp,actions=set_field:2->arp_op,move:arp_spa[]->arp_tpa[],output:1,"
	"set_field:10.0.0.1->arp_spa,set_field:00:00:00:00:00:07->arp_sha,"
	"move:arp_sha[]->arp_tha[],output:2",
	"in_port=5,priority=100,rarp,actions=set_field:00:00:00:00:00:08->arp_tha,output:1",
	"in_port=5,priority=1,actions=mod_dl_src:00:00:00:00:00:01,mod_dl_dst:ff:ff:ff:ff:ff:ff,"
	"output:1",
	// 6: tags.
	"in_port=6,priority=10,vlan_tci=0x1000/0x1000,actions=set_field:0x1fff->vlan_vid,output:1,"
	"set_field:7->vlan_pcp,push_vlan:0x88a8,output:2,strip_vlan,strip_vlan,output:3,"
	"push_vlan:0x8100,mod_vlan_pcp:3,output:4,mod_vlan_vid:4095,output:5",
	"in_port=6,priority=5,vlan_tci=0,actions=mod_vlan_vid:5,output:1,set_field:0x1005->vlan_"
	"tci,"
	"output:2,strip_vlan,mod_vlan_pcp:1,push_vlan:0x88a8,push_vlan:0x8100,output:3,goto_table:"
	"51",
	// 7: registers and moves.
	"in_port=7,actions=load:0xffffffff->reg0[],move:dl_src[0..31]->reg1[],"
	"move:dl_dst[16..47]->reg7[],set_field:0x1234/"
	"0xff00->metadata,move:reg7[0..15]->reg0[8..23],"
	"write_metadata:0xff/0xf,move:reg1[3..18]->reg2[5..20],load:2->reg3[],output:reg3[],"
	"output:reg2[0..15],output:NXM_OF_IN_PORT[],resubmit(,52)",
	// 8: round and round, until the limit.
	"in_port=8,actions=output:1,resubmit(,0)",
	// 9: through the tables.
	"in_port=9,actions=output:1,goto_table:10",
	"table=10,priority=9,dl_type=0x800,actions=mod_dl_src:00:00:00:00:00:0a,output:2,goto_"
	"table:20",
	"table=10,priority=8,ipv6,actions=dec_ttl,goto_table:21",
	"table=10,priority=7,vlan_tci=0x1000/0x1000,actions=strip_vlan,resubmit(,10),goto_table:21",
	"table=10,priority=6,dl_dst=01:00:00:00:00:00/"
	"01:00:00:00:00:00,actions=FLOOD,goto_table:30",
	"table=20,ip,nw_frag=later,actions=mod_nw_src:3.3.3.3,output:3",
	"table=20,ip,nw_frag=first,actions=mod_nw_src:4.4.4.4,dec_ttl,output:4",
	"table=20,tcp,tcp_flags=+syn-ack,tp_dst=1-1024,actions=mod_tp_src:44,output:5",
	"table=20,priority=3,actions=resubmit(10,0)",
	"table=21,ipv6,ipv6_src=2001:db8::/32,actions=move:ipv6_src[]->ipv6_dst[],output:1",
	"table=21,priority=9,icmp6,icmp_type=135,nd_target=fe80::/16,actions=output:2,"
	"move:nd_target[]->ipv6_dst[],output:3",
	"table=21,priority=1,ipv6,ipv6_label=0/"
	"1,actions=move:ipv6_dst[0..31]->reg4[],goto_table:52",
	"table=30,dl_type=0x5ff,actions=output:7",
	// 10: everything that moves between packet and registers.
	"in_port=10,priority=9,tcp,actions=move:tcp_src[]->reg0[0..15],move:tcp_dst[]->tcp_src[],"
	"move:reg0[0..15]->tcp_dst[],output:1,move:nw_src[]->reg1[],move:nw_dst[]->nw_src[],"
	"move:reg1[]->nw_dst[],output:2,move:nw_ttl[]->reg2[0..7],output:3",
	"in_port=10,priority=9,udp6,actions=move:ipv6_src[]->ipv6_dst[],"
	"move:udp_src[0..7]->udp_dst[8..15],output:1,load:0->udp_src[],output:2",
	"in_port=10,priority=9,udp,actions=move:udp_src[]->udp_dst[],load:0xff->udp_src[3..12],"
	"move:nw_src[0..15]->nw_dst[16..31],output:1",
	"in_port=10,priority=9,sctp,actions=move:sctp_src[]->sctp_dst[],output:1,"
	"load:0xff->sctp_src[4..11],output:2",
	"in_port=10,priority=9,arp,actions=move:arp_sha[]->dl_dst[],IN_PORT",
	"in_port=10,priority=1,actions=move:dl_src[]->dl_dst[],IN_PORT",
	// 11: no rule. 12: packets whose copies are to NORMAL.
	"in_port=12,actions=NORMAL,mod_vlan_vid:7,NORMAL,strip_vlan,NORMAL",
	"table=50,icmp6,icmp_type=136,actions=set_field:fe80::7->nd_target,"
	"set_field:00:01:02:03:04:06->nd_tll,output:4",
	"table=51,vlan_tci=0x1000/0x1000,actions=strip_vlan,output:5,goto_table:52",
	"table=52,priority=2,ip,reg0=0xff/0xff,actions=mod_nw_dst:9.9.9.9,output:1",
	"table=52,priority=1,metadata=0/1,actions=ALL",
};

// --- Packets ---

// A packet in a block of exactly its size.
struct fuzz_packet {
	struct packet packet; // first
	uint8_t *block;
	struct fuzz_packet *next; // alive
};

static struct fuzz {
	struct pipeline_sink sink; // first
	struct pipeline *pipeline;
	struct fuzz_packet *alive;
	unsigned copies_left;
	uint16_t type; // of the frame as it came
	uint8_t protocol;
	bool linear; // all of it
	struct packet_sums sums;
} fuzz;

static struct packet *packet_open(
	const uint8_t *bytes, size_t linear, size_t length, unsigned headroom, uint16_t in_port)
{
	struct fuzz_packet *opened = calloc(1, sizeof(*opened));
	size_t size = headroom + linear;

	fuzz_must(opened != NULL, "no memory");
	opened->block = malloc(size ? size : 1);
	fuzz_must(opened->block != NULL, "no memory");
	if (linear > 0)
		memcpy(opened->block + headroom, bytes, linear);
	// Offsets that nobody has set.
	memset(&opened->packet, 0xa5, sizeof(opened->packet));
	opened->packet.data = opened->block + headroom;
	opened->packet.headroom = headroom;
	opened->packet.linear = linear;
	opened->packet.length = length;
	opened->packet.in_port = in_port;
	opened->next = fuzz.alive;
	fuzz.alive = opened;
	return &opened->packet;
}

static void packet_close(struct packet *packet)
{
	struct fuzz_packet **link = &fuzz.alive;
	struct fuzz_packet *ended;

	while (*link && &(*link)->packet != packet)
		link = &(*link)->next;
	fuzz_must(*link != NULL, "a packet ends that is not there");
	ended = *link;
	fuzz_must(packet->data - packet->headroom == ended->block, "headroom is wrong");
	fuzz_must(packet->linear <= packet->length, "more linear than whole");
	*link = ended->next;
	free(ended->block);
	free(ended);
}

static void sums_must_be_same(const struct packet *packet)
{
	struct packet_sums sums;

	if (!fuzz.linear)
		return;
	packet_sums_compute(&sums, packet, fuzz.type, fuzz.protocol);
	fuzz_must(sums.has_l3 == fuzz.sums.has_l3 && sums.has_l4 == fuzz.sums.has_l4,
		"other headers than before");
	fuzz_must(sums.l3_size == fuzz.sums.l3_size, "the header's size is another");
	fuzz_must(sums.ip_residue == fuzz.sums.ip_residue, "IPv4 checksum off by %#x, before %#x",
		sums.ip_residue, fuzz.sums.ip_residue);
	fuzz_must(sums.l4_absent == fuzz.sums.l4_absent, "a checksum came or went");
	fuzz_must(sums.l4_absent || sums.l4_residue == fuzz.sums.l4_residue,
		"checksum of protocol %u on port %u off by %#x, before %#x", fuzz.protocol,
		packet->in_port, sums.l4_residue, fuzz.sums.l4_residue);
}

// --- The sink ---

static void sink_output(struct pipeline_sink *sink, struct packet *packet, uint16_t port)
{
	fuzz_must(port >= 1 && port <= PORTS, "sent to port %u", port);
	sums_must_be_same(packet);
	packet_close(packet);
}

static void sink_drop(struct pipeline_sink *sink, struct packet *packet, enum drop_reason reason)
{
	fuzz_must(drop_reason_name(reason) != NULL, "reason %d", (int)reason);
	if (reason != DROP_MALFORMED)
		sums_must_be_same(packet);
	packet_close(packet);
}

static struct packet *sink_copy(struct pipeline_sink *sink, const struct packet *packet)
{
	if (fuzz.copies_left == 0)
		return NULL;
	fuzz.copies_left--;
	return packet_open(
		packet->data, packet->linear, packet->length, packet->headroom, packet->in_port);
}

static void sink_learn(
	struct pipeline_sink *sink, const uint8_t mac[6], uint16_t vlan, uint16_t port)
{
	mac_table_learn(pipeline_mac_table(fuzz.pipeline), mac, vlan, port, 1);
}

// --- Set-up ---

static void retire_at_once(void *context, void (*free_fn)(void *), void *memory)
{
	free_fn(memory);
}

static void add_port(uint16_t number)
{
	struct pipeline_port port = {.number = number, .no_flood = number == 9};

	// Some of each kind.
	port.vlan_mode = (enum vlan_mode[]){
		VLAN_TRUNK, VLAN_ACCESS, VLAN_NATIVE_TAGGED, VLAN_NATIVE_UNTAGGED}[number % 4];
	port.tag = number % 4 == 0 ? 0 : 100;
	if (number > 4)
		port.trunks[0] = 0xff;
	if (number > 8)
		port.trunks[1] = ~0ull;
	fuzz_must(pipeline_port_set(fuzz.pipeline, &port) == 0, "port %u", number);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct pipeline_config config = {
		.mac_table_size = 64, .retirement = {.retire = retire_at_once}};

	fuzz.sink = (struct pipeline_sink){sink_output, sink_drop, sink_copy, sink_learn};
	fuzz.pipeline = pipeline_create(&config);
	fuzz_must(fuzz.pipeline && pipeline_reader_add(fuzz.pipeline, 0) == 0, "no memory");
	for (unsigned i = 1; i <= PORTS; i++)
		add_port(i);
	pipeline_begin(fuzz.pipeline);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		struct flow_request request;
		struct flow_error error;

		fuzz_must(flow_request_parse(&request, rules[i], FLOW_ADD, NULL, NULL, &error) == 0,
			"%s: %s", rules[i], error.message);
		fuzz_must(pipeline_flow_add(fuzz.pipeline, i + 1, &request.flow) == 0, "no memory");
	}
	pipeline_commit(fuzz.pipeline);
	return 0;
}

// --- Inputs ---

// Asked for fewer lines, the parser says the same in those; and what it said is kept for later.
static void parse(const uint8_t *bytes, size_t linear, size_t length)
{
	struct packet *packet = packet_open(bytes, linear, length, 0, 1);
	struct packet first;
	struct packet_key whole, some;
	bool parsed = packet_parse(packet, &whole, 7);

	first = *packet;
	for (unsigned lines = 1; lines < 7; lines += 2) {
		fuzz_must(packet_parse(packet, &some, lines) == parsed, "lines %u", lines);
		fuzz_must(memcmp(packet, &first, sizeof(first)) == 0, "lines %u", lines);
		for (unsigned i = 0; parsed && i < KEY_LINES; i++) {
			size_t at = i * KEY_LINE_SIZE;

			fuzz_must(!(lines & 1 << i) ||
					  memcmp((uint8_t *)&some + at, (uint8_t *)&whole + at,
						  KEY_LINE_SIZE) == 0,
				"line %u of %u", i, lines);
		}
	}
	fuzz.type = (whole.dl_type & 0xff) << 8 | whole.dl_type >> 8;
	fuzz.protocol = whole.nw_proto;
	fuzz.linear = linear == length;
	memset(&fuzz.sums, 0, sizeof(fuzz.sums));
	if (parsed && fuzz.linear)
		packet_sums_compute(&fuzz.sums, packet, fuzz.type, fuzz.protocol);
	packet_close(packet);
}

static void run(const uint8_t *bytes, size_t linear, size_t length, unsigned headroom)
{
	struct packet *packets[PORTS];

	for (unsigned i = 0; i < PORTS; i++)
		packets[i] = packet_open(bytes, linear, length, headroom, i + 1);
	pipeline_run(fuzz.pipeline, 0, packets, PORTS, 1000, &fuzz.sink);
	fuzz_must(
		fuzz.alive == NULL, "a packet of port %u did not end", fuzz.alive->packet.in_port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t headrooms[] = {64, 0, 4, 8};
	unsigned headroom, copies;
	size_t linear;

	if (size < 2 || size - 2 > FRAME_MAX)
		return -1;
	headroom = headrooms[data[0] & 3];
	copies = data[0] & 4 ? data[0] >> 3 : 1000000;
	linear = size - 2;
	if (data[1] & 1 && linear > PACKET_LINEAR_MIN)
		linear = PACKET_LINEAR_MIN;
	data += 2;
	size -= 2;
	parse(data, linear, size);
	// The second time, addresses are known.
	mac_table_flush(pipeline_mac_table(fuzz.pipeline), OFPORT_NONE, -1);
	fuzz.copies_left = copies;
	run(data, linear, size, headroom);
	run(data, linear, size, headroom);
	return 0;
}

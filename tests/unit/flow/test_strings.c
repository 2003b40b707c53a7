// SPDX-License-Identifier: Apache-2.0

// Whole lines of the flow language: those that must work and what they mean, those that must be
// refused and what is said.

#include "flow_test.h"

// --- Accepted ---

struct accepted {
	const char *text;
	const char *dump; // with port names
};

static const struct accepted accepted[] = {
	{"in_port=1,actions=output:2", "table=0, priority=32768,in_port=dpdk0 actions=output:vhu0"},
	{"in_port=vhu0,actions=dpdk0", "table=0, priority=32768,in_port=vhu0 actions=output:dpdk0"},
	{"priority=0,actions=NORMAL", "table=0, priority=0 actions=NORMAL"},
	{"priority=100,dl_vlan=100,dl_dst=fa:16:3e:00:00:01,actions=strip_vlan,output:3",
		"table=0, priority=100,dl_vlan=100,dl_dst=fa:16:3e:00:00:01 "
		"actions=strip_vlan,output:vhu1"},
	{"in_port=3,vlan_tci=0x0000/0x1fff,actions=push_vlan:0x8100,set_field:100->vlan_vid,"
	 "output:1",
		"table=0, priority=32768,in_port=vhu1,vlan_tci=0x0000/0x1fff "
		"actions=push_vlan:0x8100,set_field:4196->vlan_vid,output:dpdk0"},
	{"table=0,priority=50,ip,nw_dst=10.0.0.0/24,actions=dec_ttl,"
	 "mod_dl_dst:00:00:00:00:00:02,output:2",
		"table=0, priority=50,ip,nw_dst=10.0.0.0/24 "
		"actions=dec_ttl,mod_dl_dst:00:00:00:00:00:02,output:vhu0"},
	{"in_port=1,actions=load:0x5->NXM_NX_REG6[],set_field:0x7->metadata,resubmit(,60)",
		"table=0, priority=32768,in_port=dpdk0 actions=load:0x5->NXM_NX_REG6[],"
		"set_field:0x7->metadata,resubmit(,60)"},
	{"table=60,reg6=0x5,metadata=0x7,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00,actions=FLOOD",
		"table=60, priority=32768,reg6=0x5,metadata=0x7,"
		"dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=FLOOD"},
	{"cookie=0x1234,idle_timeout=30,hard_timeout=300,udp,udp_dst=53,actions=goto_table:5",
		"table=0, priority=32768,udp,tp_dst=53 actions=goto_table:5"},
	{"tcp6,ipv6_dst=2001:db8::/64,tcp_dst=443,"
	 "actions=set_field:00:11:22:33:44:55->eth_dst,output:2",
		"table=0, priority=32768,tcp6,ipv6_dst=2001:db8::/64,tp_dst=443 "
		"actions=set_field:00:11:22:33:44:55->eth_dst,output:vhu0"},
	{"tcp,nw_src=10.0.0.0/8,tp_dst=0x1000/0xf000,tcp_flags=+syn-ack,"
	 "actions=mod_nw_dst:10.1.1.1,mod_tp_dst:8080,3",
		"table=0, priority=32768,tcp,nw_src=10.0.0.0/8,tp_dst=0x1000/0xf000,"
		"tcp_flags=+syn-ack "
		"actions=mod_nw_dst:10.1.1.1,mod_tp_dst:8080,output:vhu1"},
	{"arp,arp_op=1,arp_tpa=10.0.0.1,actions=in_port",
		"table=0, priority=32768,arp,arp_tpa=10.0.0.1,arp_op=1 actions=IN_PORT"},
	{"ip,nw_frag=later,actions=drop", "table=0, priority=32768,ip,nw_frag=later actions=drop"},
	{"icmp6,icmpv6_type=135,actions=NORMAL",
		"table=0, priority=32768,icmp6,icmp_type=135 actions=NORMAL"},
	// Separators, keys in any order, aliases, ports by bare name and in quotes.
	{"\t nw_dst=10.0.0.1 , ip  in_port=1,,actions=2 , 3,",
		"table=0, priority=32768,ip,"
		"in_port=dpdk0,nw_dst=10.0.0.1 actions=output:vhu0,output:vhu1"},
	{"tp_dst=80,nw_proto=6,dl_type=0x800 actions=\"vhu1\" # web",
		"table=0, priority=32768,tcp,tp_dst=80 actions=output:vhu1"},
	{"eth_type=2048,ip_proto=17,actions=DROP", "table=0, priority=32768,udp actions=drop"},
	{"add ip6,actions=Output:1", "table=0, priority=32768,ipv6 actions=output:dpdk0"},
	{"ip,actions=", "table=0, priority=32768,ip actions=drop"},
	{"ip,action = output:2", "table=0, priority=32768,ip actions=output:vhu0"},
	{"arp,nw_src=10.0.0.1,nw_proto=2,actions=normal",
		"table=0, priority=32768,arp,arp_spa=10.0.0.1,arp_op=2 actions=NORMAL"},
	{"rarp,arp_op=3,actions=1", "table=0, priority=32768,rarp,arp_op=3 actions=output:dpdk0"},
	{"icmp,tp_src=8,actions=1",
		"table=0, priority=32768,icmp,icmp_type=8 actions=output:dpdk0"},
	{"ip,nw_proto=2,actions=1", "table=0, priority=32768,ip,nw_proto=2 actions=output:dpdk0"},
	{"ip,tcp,nw_proto=6,actions=1", "table=0, priority=32768,tcp actions=output:dpdk0"},
	// VLANs: untagged, any tag, parts of a tag.
	{"dl_vlan=0xffff,actions=1",
		"table=0, priority=32768,vlan_tci=0x0000 actions=output:dpdk0"},
	{"vlan_tci=0x1000/0x1000,actions=1",
		"table=0, priority=32768,vlan_tci=0x1000/0x1000 actions=output:dpdk0"},
	{"vlan_vid=0x1064/0x1fff,actions=1",
		"table=0, priority=32768,dl_vlan=100 actions=output:dpdk0"},
	{"dl_vlan=100,vlan_tci=0x7000/0xf000,actions=1",
		"table=0, priority=32768,dl_vlan=100,dl_vlan_pcp=3 actions=output:dpdk0"},
	{"vlan_tci=0x64/0xfff,actions=1",
		"table=0, priority=32768,vlan_tci=0x0064/0x0fff actions=output:dpdk0"},
	{"dl_vlan=5,actions=set_field:4196->vlan_vid,set_field:3->vlan_pcp,1",
		"table=0, priority=32768,dl_vlan=5 actions=set_field:4196->vlan_vid,"
		"set_field:3->vlan_pcp,output:dpdk0"},
	{"actions=mod_vlan_vid:5,set_field:100->vlan_vid,strip_vlan,1",
		"table=0, priority=32768 actions=mod_vlan_vid:5,"
		"set_field:4196->vlan_vid,strip_vlan,output:dpdk0"},
	// Bits of fields, NXM names, numbers and masks.
	{"reg0[0..7]=5,NXM_NX_REG0[8..15]=0x6,NXM_NX_REG1[]=7,reg2[31]=1,actions=1",
		"table=0, priority=32768,reg0=0x605/0xffff,reg1=0x7,"
		"reg2=0x80000000/0x80000000 actions=output:dpdk0"},
	{"metadata=5/-1,reg0=*,ip,nw_src=10.1.2.3/0,actions=1",
		"table=0, priority=32768,ip,metadata=0x5 actions=output:dpdk0"},
	{"ip,NXM_OF_IP_SRC[]=10.0.0.1,nw_dst=10.0.0.0/255.255.0.0,actions=1",
		"table=0, priority=32768,ip,nw_src=10.0.0.1,nw_dst=10.0.0.0/16 "
		"actions=output:dpdk0"},
	{"ip,ip_dscp=8,nw_ecn=3,actions=mod_nw_tos:32,set_field:9->ip_dscp",
		"table=0, priority=32768,ip,nw_tos=32,nw_ecn=3 "
		"actions=mod_nw_tos:32,set_field:9->ip_dscp"},
	{"tcp,tcp_flags=2,actions=1",
		"table=0, priority=32768,tcp,tcp_flags=syn actions=output:dpdk0"},
	{"tcp,tcp_flags=syn|ack,actions=1",
		"table=0, priority=32768,tcp,tcp_flags=syn|ack actions=output:dpdk0"},
	{"tcp,tcp_flags=0x200/0x300,actions=1",
		"table=0, priority=32768,tcp,tcp_flags=-ns+[200] actions=output:dpdk0"},
	{"tcp,tcp_flags=0,actions=1",
		"table=0, priority=32768,tcp,tcp_flags=0 actions=output:dpdk0"},
	// Port ranges.
	{"tcp,tp_dst=1000-2000,tp_src=5-5,actions=1",
		"table=0, priority=32768,tcp,tp_src=5,tp_dst=1000-2000 actions=output:dpdk0"},
	{"udp,udp_src=0-65535,actions=1", "table=0, priority=32768,udp actions=output:dpdk0"},
	// Actions.
	{"actions=resubmit(vhu0,7),resubmit:1,resubmit(,254),resubmit( 3 , 5 )",
		"table=0, priority=32768 actions=resubmit(vhu0,7),resubmit(dpdk0,0),"
		"resubmit(,254),resubmit(vhu1,5)"},
	{"table=9,actions=resubmit(2)", "table=9, priority=32768 actions=resubmit(vhu0,9)"},
	{"actions=output:NORMAL,output:in_port,output(2),output=vhu1,65279",
		"table=0, priority=32768 "
		"actions=NORMAL,IN_PORT,output:vhu0,output:vhu1,output:65279"},
	{"actions=output:reg0[],output:NXM_OF_IN_PORT[],output:reg1[0..15]",
		"table=0, priority=32768 actions=output:NXM_NX_REG0[],"
		"output:NXM_OF_IN_PORT[],output:NXM_NX_REG1[0..15]"},
	{"actions=load:1->reg0[31],load:0xffffffffffffffff->metadata,"
	 "move:reg0->NXM_NX_REG1[],move:in_port[]->reg2[16..31]",
		"table=0, priority=32768 actions=load:0x1->NXM_NX_REG0[31],"
		"load:0xffffffffffffffff->OXM_OF_METADATA[],"
		"move:NXM_NX_REG0[]->NXM_NX_REG1[],"
		"move:NXM_OF_IN_PORT[]->NXM_NX_REG2[16..31]"},
	{"actions=write_metadata:0x5/0x7,write_metadata:9,push_vlan:0x88a8,dec_ttl", NULL},
	{"ip,actions=write_metadata:0x5/0x7,write_metadata:9,push_vlan:34984,dec_ttl()",
		"table=0, priority=32768,ip actions=write_metadata:0x5/0x7,"
		"write_metadata:0x9,push_vlan:0x88a8,dec_ttl"},
	{"sctp,actions=mod_tp_src:1,set_field:2->tp_dst,set_field:1.2.3.4/255.255.0.0->ip_src",
		"table=0, priority=32768,sctp actions=mod_tp_src:1,"
		"set_field:2->sctp_dst,set_field:1.2.0.0/16->nw_src"},
	{"icmp6,icmp_type=136,nd_target=fe80::1,nd_tll=00:00:00:00:00:01,"
	 "actions=set_field:fe80::2->nd_target",
		"table=0, priority=32768,icmp6,icmp_type=136,nd_target=fe80::1,"
		"nd_tll=00:00:00:00:00:01 actions=set_field:fe80::2->nd_target"},
};

static void test_accepted(void **state)
{
	for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		struct flow_request request;
		struct flow_warnings warnings;
		struct flow_error error;
		char *dump;

		if (!accepted[i].dump) { // the counterpart that lacks its prerequisite
			must_refuse(accepted[i].text, FLOW_ADD, &error);
			continue;
		}
		must_parse(&request, accepted[i].text, FLOW_ADD, &warnings);
		assert_int_equal(request.command, FLOW_ADD);
		dump = flow_format(&request.flow, &test_ports);
		assert_string_equal(dump, accepted[i].dump);
		free(dump);
		assert_round_trips(&request.flow);
		flow_request_destroy(&request);
	}
}

static void test_both_vlan_ids_mean_the_same(void **state)
{
	struct flow_request bare, with_cfi;

	must_parse(&bare, "actions=push_vlan:0x8100,set_field:100->vlan_vid", FLOW_ADD, NULL);
	must_parse(&with_cfi, "actions=push_vlan:0x8100,set_field:4196->vlan_vid", FLOW_ADD, NULL);
	assert_true(flow_equal(&bare.flow, &with_cfi.flow));
	flow_request_destroy(&bare);
	flow_request_destroy(&with_cfi);
}

static void test_dump_line_loads_again(void **state)
{
	struct flow_request dumped, given;

	must_parse(&dumped,
		" cookie=0x0, duration=12.3s, table=0, n_packets=10, n_bytes=600, "
		"idle_age=1, hard_age=3, priority=100,in_port=1 actions=output:2",
		FLOW_ADD, NULL);
	must_parse(&given, "priority=100,in_port=1,actions=output:2", FLOW_ADD, NULL);
	assert_flows_equal(&dumped.flow, &given.flow);
	flow_request_destroy(&dumped);
	flow_request_destroy(&given);
}

static void test_warnings(void **state)
{
	static const struct {
		const char *text;
		const char *message;
		size_t offset, length;
	} rows[] = {
		{"ip,nw_src=10.0.0.5/24,actions=drop", "host bits ignored, using 10.0.0.0/24", 3,
			18},
		{"ipv6,ipv6_dst=2001:db8::1/32,actions=drop",
			"host bits ignored, using 2001:db8::/32", 5, 23},
		{"reg0=0xf/0x3,actions=drop", "bits outside the mask ignored, using 0x3/0x3", 0,
			12},
		{"actions=write_metadata:0xf/0x3", "write_metadata: bits outside the mask ignored",
			8, 22},
		{"in_port=1,actions=strip_vlan,2",
			"strip_vlan does nothing to packets without a VLAN tag, which this "
			"flow matches too; vlan_tci=0x1000/0x1000 matches only tagged ones",
			18, 10},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct flow_request request;
		struct flow_warnings warnings;

		must_parse(&request, rows[i].text, FLOW_ADD, &warnings);
		assert_int_equal(warnings.count, 1);
		assert_string_equal(warnings.items[0].message, rows[i].message);
		assert_int_equal(warnings.items[0].offset, rows[i].offset);
		assert_int_equal(warnings.items[0].length, rows[i].length);
		flow_request_destroy(&request);
	}
}

// --- Refused ---

static const struct refused refused[] = {
	{"nw_dst=10.0.0.1,actions=drop",
		"nw_dst needs a network protocol: write \"ip,nw_dst=10.0.0.1\" or "
		"\"arp,nw_dst=10.0.0.1\"",
		FLOW_ERROR_PREREQUISITE, "nw_dst", "nw_dst=10.0.0.1", "ip,nw_dst=10.0.0.1"},
	{"ip,nw_src=10.0.0.300,actions=drop",
		"nw_src: \"10.0.0.300\" is not an IPv4 address (octet 4 is 300, "
		"maximum 255)",
		FLOW_ERROR_BAD_VALUE, "nw_src", "nw_src=10.0.0.300", "nw_src=192.0.2.1"},
	{"dl_vlan=5000,actions=drop", "dl_vlan: 5000 is out of range 0..4095",
		FLOW_ERROR_OUT_OF_RANGE, "dl_vlan", "dl_vlan=5000", "dl_vlan=4095"},
	{"tcp,udp,actions=drop", "\"udp\" conflicts with \"tcp\" given earlier (nw_proto 17 vs 6)",
		FLOW_ERROR_CONFLICT, "nw_proto", "udp", "tcp"},
	{"tcp,actions=output:nosuch",
		"output: no port \"nosuch\" on br0 (ports: dpdk0, vhu0, vhu1)",
		FLOW_ERROR_NO_SUCH_PORT, "output", "output:nosuch", "output:dpdk0"},
	{"tcp,tp_dst=70000,actions=drop",
		"tcp_dst: 70000 is too large for a 16-bit field (0..65535)",
		FLOW_ERROR_OUT_OF_RANGE, "tcp_dst", "tp_dst=70000", "tcp_dst=65535"},
	{"ip,actions=set_field:80->tcp_dst", "set_field tcp_dst needs tcp in the match",
		FLOW_ERROR_PREREQUISITE, "tcp_dst", "set_field:80->tcp_dst",
		"tcp,actions=set_field:80->tcp_dst"},
	{"table=5,ip,actions=goto_table:3", "goto_table:3 must go to a table above 5",
		FLOW_ERROR_TABLE_ORDER, "goto_table", "goto_table:3", "goto_table:6"},
	{"ip,foo=3,actions=drop",
		"unknown field \"foo\"; did you mean one of in_port, dl_src, dl_dst, "
		"dl_vlan, nw_src, nw_dst, tp_src, tp_dst?",
		FLOW_ERROR_UNKNOWN_FIELD, "foo", "foo=3", "in_port=3"},
	{"ip", "missing \"actions=\"", FLOW_ERROR_SYNTAX, "actions", "", "ip,actions=drop"},
	{"ip,actions=drop,output:1", "\"drop\" cannot be combined with other actions",
		FLOW_ERROR_CONFLICT, "drop", "drop", "actions=drop"},
	{"vlan_vid=100,actions=drop",
		"vlan_vid counts the CFI bit; use dl_vlan=100 or "
		"vlan_vid=0x1064/0x1fff",
		FLOW_ERROR_BAD_VALUE, "vlan_vid", "vlan_vid=100", "dl_vlan=100"},
	// Spelling.
	{"ip,nw_scr=1.2.3.4,actions=drop", "unknown field \"nw_scr\"; did you mean \"nw_src\"?",
		FLOW_ERROR_UNKNOWN_FIELD, "nw_scr", "nw_scr=1.2.3.4", "nw_src=1.2.3.4"},
	{"TCP,actions=drop", "unknown field \"TCP\"; did you mean \"tcp\"?",
		FLOW_ERROR_UNKNOWN_FIELD, "TCP", "TCP", "tcp"},
	{"priorty=5,actions=drop", "unknown field \"priorty\"; did you mean \"priority\"?",
		FLOW_ERROR_UNKNOWN_FIELD, "priorty", "priorty=5", "priority=5"},
	{"actions=outptu:2", "unknown action \"outptu\"; did you mean \"output\"?",
		FLOW_ERROR_UNKNOWN_ACTION, "outptu", "outptu:2", "output:2"},
	{"actions=vhu9", "unknown action \"vhu9\", and br0 has no port of that name",
		FLOW_ERROR_UNKNOWN_ACTION, "vhu9", "vhu9", "output:1"},
	{"actions=load:1->rge0[]", "load: unknown field \"rge0\"; did you mean \"reg0\"?",
		FLOW_ERROR_UNKNOWN_FIELD, "load", "load:1->rge0[]", "reg0"},
	// What this version does not have.
	{"ct_state=+trk,actions=drop", "\"ct_state\": this version has no connection tracking",
		FLOW_ERROR_UNKNOWN_FIELD, "ct_state", "ct_state=+trk", ""},
	{"tun_id=5,actions=drop", "\"tun_id\": this version has no tunnels",
		FLOW_ERROR_UNKNOWN_FIELD, "tun_id", "tun_id=5", ""},
	{"reg8=5,actions=drop", "\"reg8\": there are eight registers, reg0 to reg7",
		FLOW_ERROR_UNKNOWN_FIELD, "reg8", "reg8=5", "reg7"},
	{"conj_id=5,actions=drop", "\"conj_id\": this version has no conjunctive matches",
		FLOW_ERROR_UNKNOWN_FIELD, "conj_id", "conj_id=5", ""},
	{"actions=bucket:1",
		"\"bucket\": buckets are those of a group; write group:N, and add it by ofctl "
		"add-group",
		FLOW_ERROR_UNKNOWN_ACTION, "bucket", "bucket:1", "group:1"},
	{"actions=set_queue:1", "\"set_queue\": this version has no queues; write output",
		FLOW_ERROR_UNKNOWN_ACTION, "set_queue", "set_queue:1", "output:1"},
	{"actions=ct(commit,zone=1),2", "\"ct\": this version has no connection tracking",
		FLOW_ERROR_UNKNOWN_ACTION, "ct", "ct(commit,zone=1)", ""},
	// Values.
	{"metadata=010,actions=drop",
		"metadata: \"010\" has leading zeros; write 10, or 0x10 for hexadecimal",
		FLOW_ERROR_BAD_VALUE, "metadata", "metadata=010", NULL},
	{"reg0=5x,actions=drop", "reg0: \"5x\" is not a number (decimal, or hexadecimal after 0x)",
		FLOW_ERROR_BAD_VALUE, "reg0", "reg0=5x", NULL},
	{"reg0=-1,actions=drop", "reg0: \"-1\" is not a number (decimal, or hexadecimal after 0x)",
		FLOW_ERROR_BAD_VALUE, "reg0", "reg0=-1", NULL},
	{"priority=65536,actions=drop", "priority: 65536 is out of range 0..65535",
		FLOW_ERROR_OUT_OF_RANGE, "priority", "priority=65536", "priority=65535"},
	{"table=255,actions=drop", "table: 255 is out of range 0..254", FLOW_ERROR_NO_SUCH_TABLE,
		"table", "table=255", "table=254"},
	{"actions=resubmit(,255)", "resubmit: 255 is out of range 0..254", FLOW_ERROR_NO_SUCH_TABLE,
		"resubmit", "resubmit(,255)", "resubmit(,254)"},
	{"actions=goto_table:255", "goto_table: 255 is out of range 0..254",
		FLOW_ERROR_NO_SUCH_TABLE, "goto_table", "goto_table:255", "goto_table:254"},
	{"ip,nw_src=10.0.0.0/33,actions=drop", "nw_src: /33 is not a prefix length (0..32)",
		FLOW_ERROR_BAD_MASK, "nw_src", "nw_src=10.0.0.0/33", NULL},
	{"ip,nw_ttl=64/0xf0,actions=drop",
		"nw_ttl takes no mask, so \"64/0xf0\" cannot be used; write nw_ttl=64",
		FLOW_ERROR_BAD_MASK, "nw_ttl", "nw_ttl=64/0xf0", "nw_ttl=64"},
	{"ip,nw_tos=33,actions=drop",
		"nw_tos: 33 is not a multiple of 4: the lower two bits are nw_ecn's; "
		"write nw_tos=32,nw_ecn=1",
		FLOW_ERROR_BAD_VALUE, "nw_tos", "nw_tos=33", "nw_tos=32,nw_ecn=1"},
	{"reg0[0..7]=256,actions=drop", "reg0[0..7]: 256 is out of range 0..255",
		FLOW_ERROR_OUT_OF_RANGE, "reg0[0..7]", "reg0[0..7]=256", "reg0[0..7]=0xff"},
	{"tcp,tp_dst=2000-1000,actions=drop",
		"tcp_dst: the range 2000-1000 ends before it starts; write 1000-2000",
		FLOW_ERROR_OUT_OF_RANGE, "tcp_dst", "tp_dst=2000-1000", "tcp_dst=1000-2000"},
	{"tcp,tcp_flags=+sin,actions=drop",
		"tcp_flags: \"sin\" is not a TCP flag; write for example +syn-ack, with "
		"fin syn rst psh ack urg ece cwr ns [200] [400] [800]",
		FLOW_ERROR_BAD_VALUE, "tcp_flags", "tcp_flags=+sin", "tcp_flags=+syn-ack"},
	{"ip,nw_frag=maybe,actions=drop",
		"nw_frag: \"maybe\" is none of no, yes, first, later, not_later",
		FLOW_ERROR_BAD_VALUE, "nw_frag", "nw_frag=maybe", "nw_frag=later"},
	{"in_port=65280,actions=drop",
		"in_port: 65280 is out of range 1..65279, the numbers that ports can have",
		FLOW_ERROR_OUT_OF_RANGE, "in_port", "in_port=65280", "in_port=dpdk0"},
	{"in_port=LOCAL,actions=drop",
		"in_port: this switch has no LOCAL port; give the port by name or number",
		FLOW_ERROR_NO_SUCH_PORT, "in_port", "in_port=LOCAL", "in_port=dpdk0"},
	{"actions=push_vlan:0x1234",
		"push_vlan: \"0x1234\" is not a VLAN tag's type; write push_vlan:0x8100 "
		"or push_vlan:0x88a8",
		FLOW_ERROR_BAD_VALUE, "push_vlan", "push_vlan:0x1234", "push_vlan:0x8100"},
	{"actions=load:8->reg0[0..2]", "load: 8 does not fit in the 3 bits of reg0[0..2] (0..0x7)",
		FLOW_ERROR_OUT_OF_RANGE, "load", "load:8->reg0[0..2]", "load:0x7->reg0[0..2]"},
	{"ip,actions=load:10.0.0.1->NXM_OF_IP_SRC[]",
		"load: \"10.0.0.1\" is not a number (decimal, or hexadecimal after 0x); "
		"set_field:10.0.0.1->nw_src takes the field's own form",
		FLOW_ERROR_BAD_VALUE, "load", "load:10.0.0.1->NXM_OF_IP_SRC[]",
		"set_field:10.0.0.1->nw_src"},
	{"actions=move:reg0[0..7]->reg1[0..3]",
		"move: reg0[0..7] has 8 bits, reg1[0..3] has 4; name as many bits on "
		"both sides",
		FLOW_ERROR_BAD_VALUE, "move", "move:reg0[0..7]->reg1[0..3]", "reg0[0..3]"},
	{"actions=load:1->reg0[0..32]", "load: reg0 has the bits 0..31, so reg0[0..32] is too much",
		FLOW_ERROR_OUT_OF_RANGE, "reg0", "load:1->reg0[0..32]", "reg0[0..31]"},
	{"actions=set_field:5->eth_type",
		"set_field: dl_type cannot be written, it is only there to be matched",
		FLOW_ERROR_BAD_VALUE, "dl_type", "set_field:5->eth_type", NULL},
	{"dl_vlan=5,actions=set_field:100->vlan_tci",
		"set_field: a tag has the CFI bit 0x1000 set, 0x0064 has not; write "
		"0x1064, or strip_vlan to take the tag off",
		FLOW_ERROR_BAD_VALUE, "vlan_tci", "set_field:100->vlan_tci", "strip_vlan"},
	{"vlan_tci=100,actions=drop",
		"vlan_tci counts the CFI bit, which is 1 in every tag; use "
		"vlan_tci=0x1064/0xffff",
		FLOW_ERROR_BAD_VALUE, "vlan_tci", "vlan_tci=100", "dl_vlan=100"},
	// Contradictions and repetitions.
	{"in_port=1,in_port=2,actions=drop",
		"\"in_port=2\" conflicts with \"in_port=1\" given earlier (in_port 2 vs 1)",
		FLOW_ERROR_CONFLICT, "in_port", "in_port=2", "in_port=1"},
	{"in_port=1,in_port=1,actions=drop", "in_port is given twice; write it once",
		FLOW_ERROR_CONFLICT, "in_port", "in_port=1", NULL},
	{"reg0=1/1,reg0=2/2,actions=drop",
		"reg0 is given twice; write it once, with a mask for all bits meant",
		FLOW_ERROR_CONFLICT, "reg0", "reg0=2/2", NULL},
	{"ip,nw_proto=17,tcp,actions=drop",
		"\"tcp\" conflicts with \"nw_proto=17\" given earlier (nw_proto 6 vs 17)",
		FLOW_ERROR_CONFLICT, "nw_proto", "tcp", "nw_proto=17"},
	{"ip,arp,actions=drop",
		"\"arp\" conflicts with \"ip\" given earlier (dl_type 0x0806 vs 0x0800)",
		FLOW_ERROR_CONFLICT, "dl_type", "arp", "ip"},
	{"vlan_tci=0x0000/0xf000,vlan_vid=0x0a00/0x0a80,actions=drop",
		"\"vlan_vid=0x0a00/0x0a80\" conflicts with \"vlan_tci=0x0000/0xf000\" given "
		"earlier "
		"(vlan_vid 0x0a00/0x0a80 vs vlan_tci 0x0000/0xf000)",
		FLOW_ERROR_CONFLICT, "vlan_vid", "vlan_vid=0x0a00/0x0a80",
		"vlan_tci=0x0000/0xf000"},
	{"vlan_tci=0x0000/0x1fff,dl_vlan=5,actions=drop",
		"\"dl_vlan=5\" conflicts with \"vlan_tci=0x0000/0x1fff\" given earlier "
		"(dl_vlan 5 vs vlan_tci 0x0000/0x1fff)",
		FLOW_ERROR_CONFLICT, "dl_vlan", "dl_vlan=5", "vlan_tci=0x0000/0x1fff"},
	{"udp,nw_frag=later,tp_dst=5,actions=drop",
		"\"tp_dst=5\" cannot be matched together with \"nw_frag=later\": only the "
		"first fragment has that header",
		FLOW_ERROR_CONFLICT, "udp_dst", "tp_dst=5", "nw_frag=not_later"},
	{"priority=1,priority=1,actions=drop", "priority is given twice; leave one out",
		FLOW_ERROR_CONFLICT, "priority", "priority=1", NULL},
	{"actions=1,actions=2", "\"actions=\" is given twice; it comes last and once",
		FLOW_ERROR_SYNTAX, "", "actions=2", NULL},
	// Protocols that are not in the match.
	{"udp,tcp_dst=80,actions=drop", "tcp_dst needs tcp: write \"tcp,tcp_dst=80\"",
		FLOW_ERROR_PREREQUISITE, "tcp_dst", "tcp_dst=80", "tcp,tcp_dst=80"},
	{"tp_dst=80,actions=drop",
		"tp_dst needs a transport protocol: write \"tcp,tp_dst=80\" or "
		"\"udp,tp_dst=80\"",
		FLOW_ERROR_PREREQUISITE, "tcp_dst", "tp_dst=80", "tcp,tp_dst=80"},
	{"nw_ttl=5,actions=drop",
		"nw_ttl needs a network protocol: write \"ip,nw_ttl=5\" or "
		"\"ipv6,nw_ttl=5\"",
		FLOW_ERROR_PREREQUISITE, "nw_ttl", "nw_ttl=5", "ip,nw_ttl=5"},
	{"icmp6,nd_target=fe80::1,actions=drop",
		"nd_target needs icmp6,icmp_type=135 or 136: write "
		"\"icmp6,icmp_type=135,nd_target=fe80::1\" or "
		"\"icmp6,icmp_type=136,nd_target=fe80::1\"",
		FLOW_ERROR_PREREQUISITE, "nd_target", "nd_target=fe80::1",
		"icmp6,icmp_type=135,nd_target=fe80::1"},
	{"in_port=1,actions=mod_tp_dst:80", "mod_tp_dst needs tcp, udp or sctp in the match",
		FLOW_ERROR_PREREQUISITE, "mod_tp_dst", "mod_tp_dst:80",
		"tcp,actions=mod_tp_dst:80"},
	{"actions=dec_ttl", "dec_ttl needs ip or ipv6 in the match", FLOW_ERROR_PREREQUISITE,
		"dec_ttl", "dec_ttl", "ip,actions=dec_ttl"},
	{"ipv6,actions=mod_nw_src:10.0.0.1", "mod_nw_src needs ip in the match",
		FLOW_ERROR_PREREQUISITE, "mod_nw_src", "mod_nw_src:10.0.0.1",
		"ip,actions=mod_nw_src:10.0.0.1"},
	{"actions=set_field:100->vlan_vid",
		"set_field vlan_vid needs a VLAN tag: match one (dl_vlan=100, or "
		"vlan_tci=0x1000/0x1000 for any), or write push_vlan:0x8100 before",
		FLOW_ERROR_PREREQUISITE, "vlan_vid", "set_field:100->vlan_vid",
		"push_vlan:0x8100,set_field:100->vlan_vid"},
	{"dl_vlan=5,actions=strip_vlan,set_field:1->vlan_pcp", NULL, FLOW_ERROR_PREREQUISITE,
		"dl_vlan_pcp", "set_field:1->vlan_pcp", NULL},
	{"vlan_tci=0,actions=strip_vlan", NULL, FLOW_ERROR_PREREQUISITE, "strip_vlan", "strip_vlan",
		NULL},
	{"actions=move:NXM_OF_IP_SRC[]->reg0[]", "move nw_src needs ip in the match",
		FLOW_ERROR_PREREQUISITE, "nw_src", "move:NXM_OF_IP_SRC[]->reg0[]",
		"ip,actions=move:NXM_OF_IP_SRC[]->reg0[]"},
	// Order.
	{"actions=goto_table:5,2",
		"goto_table:5 must come last, nothing behind it would be done; "
		"resubmit(,5) comes back",
		FLOW_ERROR_TABLE_ORDER, "goto_table", "goto_table:5", "resubmit(,5)"},
	// Shape.
	{"in_port = 1,actions=drop", "in_port has no value directly behind \"=\"; write in_port=1",
		FLOW_ERROR_SYNTAX, "in_port", "in_port =", "in_port=1"},
	{"in_port:1,actions=drop", "\"in_port\" needs \"=\" before its value; write in_port=1",
		FLOW_ERROR_SYNTAX, "", "in_port:1", "in_port=1"},
	{"ip,tp_dst(80),actions=drop", "\"tp_dst\" needs \"=\" before its value; write tp_dst=80",
		FLOW_ERROR_SYNTAX, "", "tp_dst(80)", "tp_dst=80"},
	{"ip,output:2", "\"output\" is an action; write \"actions=output:2\", behind the match",
		FLOW_ERROR_SYNTAX, "", "output:2", "actions=output:2"},
	{"tcp=1,actions=drop", "tcp takes no value; write just tcp", FLOW_ERROR_SYNTAX, "tcp",
		"tcp=1", "tcp"},
	{"in_port,actions=drop", "in_port needs a value: write in_port=...", FLOW_ERROR_SYNTAX,
		"in_port", "in_port", NULL},
	{"actions=resubmit(,60", "a bracket is not closed in \"resubmit(,60\"", FLOW_ERROR_SYNTAX,
		"", "resubmit(,60", NULL},
	{"actions=output(1)2",
		"\"output(1)2\" goes on behind its closing bracket; put a comma between "
		"actions",
		FLOW_ERROR_SYNTAX, "", "output(1)2", NULL},
	{"actions=strip_vlan:3", "strip_vlan takes no argument; write just strip_vlan",
		FLOW_ERROR_SYNTAX, "strip_vlan", "strip_vlan:3", "strip_vlan"},
	{"actions=mod_dl_src",
		"mod_dl_src needs an argument: write for example "
		"mod_dl_src:00:11:22:33:44:55",
		FLOW_ERROR_SYNTAX, "mod_dl_src", "mod_dl_src", "mod_dl_src:00:11:22:33:44:55"},
	{"actions=resubmit()", "resubmit needs an argument: write for example resubmit(,1)",
		FLOW_ERROR_SYNTAX, "resubmit", "resubmit()", "resubmit(,1)"},
	{"actions=resubmit(,)", "resubmit needs a table: write resubmit(,1), or resubmit(port,1)",
		FLOW_ERROR_SYNTAX, "resubmit", "resubmit(,)", NULL},
	{"actions=set_field:5 -> reg0", NULL, FLOW_ERROR_SYNTAX, "set_field", "set_field:5", NULL},
	{"cookie=1/2,actions=1", "cookie takes no mask in add; write cookie=1", FLOW_ERROR_BAD_MASK,
		"cookie", "cookie=1/2", "cookie=1"},
	{"out_port=1,actions=1", "out_port has no meaning in add; leave it out",
		FLOW_ERROR_CONFLICT, "out_port", "out_port=1", NULL},
};

static void test_refused(void **state)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		const struct refused *row = &refused[i];
		struct flow_error error;

		must_refuse(row->text, FLOW_ADD, &error);
		assert_refusal(row, &error);
	}
}

// The later of two equal tokens is the one that is shown.
static void test_place_of_repetition(void **state)
{
	struct flow_error error;

	must_refuse("in_port=1,ip,in_port=1,actions=1", FLOW_ADD, &error);
	assert_int_equal(error.offset, 13);
	must_refuse("ip", FLOW_ADD, &error);
	assert_int_equal(error.offset, 2);
}

// --- Commands ---

static void test_commands(void **state)
{
	struct flow_request request;
	struct flow_error error;

	must_parse(&request, "delete cookie=0x5/-1,out_port=vhu0,ip", FLOW_ADD, NULL);
	assert_int_equal(request.command, FLOW_DELETE);
	assert_int_equal(request.filter.cookie, 5);
	assert_int_equal(request.filter.cookie_mask, UINT64_MAX);
	assert_int_equal(request.filter.out_port, 2);
	assert_true(request.filter.any_table);
	assert_int_equal(request.flow.actions.count, 0);
	flow_request_destroy(&request);

	must_parse(&request, "", FLOW_DELETE, NULL);
	assert_int_equal(request.filter.out_port, OFPORT_NONE);
	assert_int_equal(request.filter.cookie_mask, 0);
	flow_request_destroy(&request);

	must_parse(&request, "delete_strict table=3,priority=7,cookie=9,out_port=NORMAL", FLOW_ADD,
		NULL);
	assert_int_equal(request.command, FLOW_DELETE_STRICT);
	assert_false(request.filter.any_table);
	assert_int_equal(request.flow.priority, 7);
	assert_int_equal(request.filter.cookie_mask, UINT64_MAX);
	assert_int_equal(request.filter.out_port, OFPORT_NORMAL);
	flow_request_destroy(&request);

	must_parse(&request, "cookie=0x10/0xf0,ip,actions=1", FLOW_MODIFY, NULL);
	assert_false(request.sets_cookie);
	assert_int_equal(request.filter.cookie_mask, 0xf0);
	flow_request_destroy(&request);
	must_parse(&request, "modify_strict cookie=0x10,priority=3,ip,actions=1", FLOW_ADD, NULL);
	assert_int_equal(request.command, FLOW_MODIFY_STRICT);
	assert_true(request.sets_cookie);
	assert_int_equal(request.flow.cookie, 0x10);
	flow_request_destroy(&request);

	must_refuse("delete ip,actions=drop", FLOW_ADD, &error);
	assert_int_equal(error.kind, FLOW_ERROR_SYNTAX);
	must_refuse("delete priority=5", FLOW_ADD, &error);
	assert_string_equal(error.hint, "delete_strict priority=5");
	must_refuse("modify ip", FLOW_ADD, &error);
	assert_string_equal(error.message, "missing \"actions=\"");
	must_refuse("modify ip,actions=goto_table:5", FLOW_ADD, &error);
	assert_int_equal(error.kind, FLOW_ERROR_TABLE_ORDER);
	must_refuse("modify ip,actions=resubmit:5", FLOW_ADD, &error);
	assert_int_equal(error.kind, FLOW_ERROR_SYNTAX);
}

static void test_blank_lines(void **state)
{
	assert_true(flow_text_is_blank(""));
	assert_true(flow_text_is_blank(" \t\r\n"));
	assert_true(flow_text_is_blank("  # ip,actions=drop"));
	assert_false(flow_text_is_blank(" ip"));
}

static void test_no_port_names(void **state)
{
	struct flow_request request;
	struct flow_error error;

	assert_int_equal(flow_request_parse(
				 &request, "in_port=vhu0,actions=1", FLOW_ADD, NULL, NULL, &error),
		-EINVAL);
	assert_string_equal(error.message, "in_port: \"vhu0\" is not a port number (1..65279)");
	assert_int_equal(
		flow_request_parse(&request, "in_port=7,actions=9", FLOW_ADD, NULL, NULL, &error),
		0);
	assert_int_equal(request.flow.actions.items[0].port, 9);
	flow_request_destroy(&request);
}

// Names that look like something else are printed in quotes, and read back.
static void test_odd_port_names(void **state)
{
	static const struct port_name items[] = {
		{"1", 7}, {"normal", 8}, {"a,b", 9}, {"x y", 10}, {"eth0.100", 11}, {"a-b_c", 12}};
	static const struct port_names names = {"br1", 6, items};
	struct flow_request request, again;
	struct flow_error error;
	char *text;

	assert_int_equal(flow_request_parse(&request, "in_port=7,actions=8,9,10,11,12", FLOW_ADD,
				 &names, NULL, &error),
		0);
	text = flow_format(&request.flow, &names);
	assert_string_equal(text, "table=0, priority=32768,in_port=\"1\" actions=output:\"normal\","
				  "output:\"a,b\",output:\"x y\",output:eth0.100,output:a-b_c");
	assert_int_equal(flow_request_parse(&again, text, FLOW_ADD, &names, NULL, &error), 0);
	assert_true(flow_equal(&request.flow, &again.flow));
	free(text);
	flow_request_destroy(&request);
	flow_request_destroy(&again);
}

static void test_outputs_to(void **state)
{
	struct flow_request request;

	must_parse(&request, "actions=output:2,NORMAL", FLOW_ADD, NULL);
	assert_true(flow_outputs_to(&request.flow, 2));
	assert_true(flow_outputs_to(&request.flow, OFPORT_NORMAL));
	assert_false(flow_outputs_to(&request.flow, 3));
	assert_false(flow_outputs_to(&request.flow, OFPORT_NONE));
	flow_request_destroy(&request);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_both_vlan_ids_mean_the_same),
		cmocka_unit_test(test_dump_line_loads_again),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_place_of_repetition),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_blank_lines),
		cmocka_unit_test(test_no_port_names),
		cmocka_unit_test(test_odd_port_names),
		cmocka_unit_test(test_outputs_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
#include "ofctl/ofctl.h"

static const struct ofctl_command commands[] = {
	{{"show", "BRIDGE", 1, 1, "The bridge and its ports"}, ofctl_show},
	{{"dump-ports", "BRIDGE [PORT]", 1, 2, "Counters and drops of ports"}, ofctl_dump_ports},
	{{"dump-ports-desc", "BRIDGE [PORT]", 1, 2, "Number, type and state of ports"},
		ofctl_dump_ports_desc},
	{{"dump-tables", "BRIDGE", 1, 1, "Size, use and lookup cost of tables with flows"},
		ofctl_dump_tables},
	{{"dump-flows", "BRIDGE [FLOW]", 1, 2,
		 "Flows with their counters, all or those that FLOW includes"},
		ofctl_dump_flows},
	{{"dump-aggregate", "BRIDGE [FLOW]", 1, 2, "Sums of the counters of flows"},
		ofctl_dump_aggregate},
	{{"add-flow", "BRIDGE FLOW", 2, 2, "Add a flow, replacing one with the same match"},
		ofctl_add_flow},
	{{"add-flows", "BRIDGE FILE", 2, 2,
		 "Add the flows of a file (- is the standard input), all or none; lines may begin "
		 "with add, modify, delete, modify_strict, delete_strict"},
		ofctl_add_flows},
	{{"mod-flows", "BRIDGE FLOW", 2, 2,
		 "Change the actions of flows that FLOW includes (--strict: that match the same)"},
		ofctl_mod_flows},
	{{"del-flows", "BRIDGE [FLOW]", 1, 2,
		 "Delete all flows, or those that FLOW includes (--strict: that match the same)"},
		ofctl_del_flows},
	{{"replace-flows", "BRIDGE FILE", 2, 2,
		 "Make the flows be those of the file, keeping counters of those that stay "
		 "(--dry-run: only say what would change)"},
		ofctl_replace_flows},
	{{"diff-flows", "BRIDGE FILE", 2, 2,
		 "What replace-flows would change: + comes, - goes, ! changes; exit status 1 if "
		 "anything"},
		ofctl_diff_flows},
	{{"add-group", "BRIDGE GROUP", 2, 2,
		 "Add a group (--may-exist: no error if an equal one is there)"},
		ofctl_add_group},
	{{"add-groups", "BRIDGE FILE", 2, 2,
		 "Add the groups of a file (- is the standard input), all or none"},
		ofctl_add_groups},
	{{"mod-group", "BRIDGE GROUP", 2, 2,
		 "Make a group be as GROUP says; flows that name it stay (--may-create: add it if "
		 "it is not there)"},
		ofctl_mod_group},
	{{"del-groups", "BRIDGE [GROUP]", 1, 2,
		 "Delete all groups, or the one that GROUP names, with the flows that name them"},
		ofctl_del_groups},
	{{"dump-groups", "BRIDGE [GROUP]", 1, 2, "Groups, all or the one that GROUP names"},
		ofctl_dump_groups},
	{{"dump-group-stats", "BRIDGE [GROUP]", 1, 2, "Counters of groups and their buckets"},
		ofctl_dump_group_stats},
	{{"add-meter", "BRIDGE METER", 2, 2,
		 "Add a meter (--may-exist: no error if an equal one is there)"},
		ofctl_add_meter},
	{{"add-meters", "BRIDGE FILE", 2, 2,
		 "Add the meters of a file (- is the standard input), all or none"},
		ofctl_add_meters},
	{{"mod-meter", "BRIDGE METER", 2, 2,
		 "Make a meter be as METER says; flows that name it stay (--may-create: add it if "
		 "it is not there)"},
		ofctl_mod_meter},
	{{"del-meters", "BRIDGE [METER]", 1, 2,
		 "Delete all meters, or the one that METER names, with the flows that name them"},
		ofctl_del_meters},
	{{"del-meter", "BRIDGE METER", 2, 2, "The same, of one meter"}, ofctl_del_meters},
	{{"dump-meters", "BRIDGE [METER]", 1, 2, "Meters, all or the one that METER names"},
		ofctl_dump_meters},
	{{"dump-meter", "BRIDGE METER", 2, 2, "The same, of one meter"}, ofctl_dump_meters},
	{{"meter-stats", "BRIDGE [METER]", 1, 2,
		 "What came to meters, and what exceeded each of their bands"},
		ofctl_meter_stats},
	{{"trace", "BRIDGE FLOW [HEX]", 2, 3,
		 "What would become of a packet, and why: one made from the match FLOW, or, with "
		 "in_port=PORT for FLOW, the frame HEX or one of a file (--pcap)"},
		ofctl_trace},
	{{"monitor", "BRIDGE", 1, 1,
		 "Print packets as flows send them to the controller, and flows that end, until "
		 "interrupted (--count: until so many packets)"},
		ofctl_monitor},
	{{"packet-out", "BRIDGE PACKET|BRIDGE IN_PORT ACTIONS HEX...", 2, -1,
		 "Send a packet: in_port=PORT,packet=HEX,actions=..., where actions=table takes it "
		 "through the tables; or one packet after another with the same port and actions"},
		ofctl_packet_out},
	{{"parse-flow", "FLOW", 1, 1, "Check a flow without a switch and print what it means"},
		ofctl_parse_flow},
	{{"parse-flows", "FILE", 1, 1, "Check a file of flows (- is the standard input)"},
		ofctl_parse_flows},
	{{"lint", "BRIDGE|FILE|BRIDGE FILE", 1, 2,
		 "Look for flows that never match, tables that nothing leads to, lost ARP and the "
		 "like: in a bridge, in a file (- is the standard input) without a switch, or in a "
		 "file with the ports of a bridge; exit status 1 if there are errors"},
		ofctl_lint},
};

const struct cli_command *ofctl_command_get(size_t index)
{
	return index < sizeof(commands) / sizeof(commands[0]) ? &commands[index].line : NULL;
}

# SPDX-License-Identifier: Apache-2.0
"""ofctl lint of files and of bridges, and limits of flows."""
import json

RULES = """\
# two of these can never match
table=0,priority=200,ip,in_port=1,actions=output:2
priority=100,tcp,in_port=1,actions=output:3
priority=50,in_port=2,actions=goto_table:5
priority=9,dl_src=02:00:00:00:00:07,actions=drop
table=5,actions=drop
table=5,actions=output:2
delete_strict priority=9,dl_src=02:00:00:00:00:07
"""


def kinds(switch, *arguments, status=0, stdin=None):
    result = switch.run("ofctl/ofctl", "lint", *arguments, "-f", "json", status=status,
                        stdin=stdin)
    answer = json.loads(result.out)
    found = sorted(finding["kind"] for finding in answer["findings"])
    assert answer["complete"] and answer["left_out"] == 0
    assert answer["errors"] + answer["warnings"] == len(found)
    return found


def test_file(switch, tmp_path):
    file = tmp_path / "rules.of"
    file.write_text(RULES)
    lines = switch.ofctl("lint", str(file)).splitlines()
    assert any(line.startswith(f"ofctl: {file}:3: warning: ") and line.endswith("[shadowed]")
               for line in lines), lines
    assert f'ofctl: {file}:2: note: the other flow is "table=0, priority=200,ip,in_port=1 ' \
           'actions=output:2"' in lines
    expected = ["drops_arp", "drops_rarp", "replaced", "shadowed"]
    assert kinds(switch, str(file)) == expected
    assert kinds(switch, "-", stdin=RULES) == expected
    # An error is one for scripts too; what cannot be read is said like everywhere.
    assert "missing_table" in kinds(switch, "-", status=1, stdin="actions=goto_table:9")
    broken = switch.run("ofctl/ofctl", "lint", "-", status=1, stdin="actions=drop\nnw_dst=1.2.3.4\n")
    assert "<stdin>:2:" in broken.err and not broken.out
    assert "vswitchd" not in switch.run("ofctl/ofctl", "lint", "nosuch/file", status=1).err


def test_bridge(switch, bridge, tmp_path):
    for number in (1, 2):
        switch.vsctl("add-port", bridge, f"p{number}", "type=dpdk",
                     f"devargs=net_null{number},no-rx=1", f"ofport={number}")
    assert kinds(switch, bridge) == []
    for flow in ("in_port=p1,actions=p2", "in_port=p2,actions=p1"):
        switch.ofctl("add-flow", bridge, flow)
    assert switch.ofctl("lint", bridge) == ""
    switch.ofctl("add-flow", bridge, "priority=5,udp,in_port=p1,actions=output:9")
    assert kinds(switch, bridge, status=1) == ["no_port", "shadowed"]
    out = switch.run("ofctl/ofctl", "lint", bridge, status=1).out
    assert f"ofctl: {bridge}: error: \"priority=5,udp,in_port=p1\" in table 0 outputs to port 9" in out
    # A file with names of the bridge's ports.
    file = tmp_path / "names.of"
    file.write_text("ip,in_port=p1,actions=p2\narp,actions=NORMAL\n")
    assert kinds(switch, bridge, str(file)) == ["drops_rarp"]
    refused = switch.run("ofctl/ofctl", "lint", str(file), status=1)
    assert refused.err.endswith(f"known with their bridge: lint BRIDGE {file}\n"), refused
    switch.run("ofctl/ofctl", "lint", "nosuch", status=1)


def test_limits(switch, bridge, tmp_path):
    file = tmp_path / "many.of"
    file.write_text("".join(f"priority={n},actions=drop\n" for n in range(1, 6)))
    switch.vsctl("set", "Bridge", bridge, "other_config:flow-table-limit=4")
    refused = switch.run("ofctl/ofctl", "add-flows", bridge, str(file), status=1)
    assert refused.err == (
        f"ofctl: table 0 of bridge {bridge} would have 5 flows, and its limit is 4; delete flows "
        f"that are no longer needed, or raise the limit: vsctl set Bridge {bridge} "
        "other_config:flow-table-limit=5\n")
    assert "priority" not in switch.ofctl("dump-flows", bridge)
    switch.vsctl("set", "Bridge", bridge, "other_config:flow-table-limit=5")
    switch.ofctl("add-flows", bridge, str(file))
    switch.vsctl("set", "Bridge", bridge, "other_config:flow-table-limit=1")
    switch.ofctl("replace-flows", bridge, str(file))
    assert switch.ofctl("dump-flows", bridge).count("priority=") == 5
    switch.run("vswitch/vsctl", "set", "Bridge", bridge, "other_config:flow-table-limit=0",
               status=1)

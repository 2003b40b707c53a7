# SPDX-License-Identifier: Apache-2.0
"""What a lookup may cost: shown, and limited."""
import re


def tables(switch, bridge):
    return {table["table"]: table for table in switch.rpc("flow.tables", bridge=bridge)}


def test_dump_tables(switch, bridge, tmp_path):
    file = tmp_path / "flows.of"
    exact = [f"table=1,udp,nw_src=10.0.{n // 256}.{n % 256},actions=drop" for n in range(1000)]
    mixed = ["table=2,arp,actions=drop", "table=2,priority=1,ip,nw_dst=10.0.0.0/8,actions=drop",
             "table=2,priority=0,actions=drop"]
    file.write_text("\n".join([*exact, *mixed]) + "\n")
    switch.ofctl("add-flows", bridge, str(file))
    one, two = tables(switch, bridge)[1], tables(switch, bridge)[2]
    assert (one["hashes"]["count"], one["hashes"]["rules"]) == (1, 1000)
    assert "blocks" not in one
    # A bucket or two, an entry, and its rule.
    assert 3 <= one["steps"] <= 40 and one["cycles"] > one["steps"]
    assert one["memory"] >= one["hashes"]["memory"] > 1000 * 8
    assert (two["blocks"]["count"], two["blocks"]["rules"]) == (1, 3)
    # Rows for two bytes of the type, one of the address and one of what there is; and the rule.
    assert two["steps"] == 5
    text = switch.ofctl("dump-tables", bridge)
    assert re.search(r"  table 1:\n    active=1000, lookup=0, matched=0\n"
                     rf"    hashes: count=1, rules=1000, memory={one['hashes']['memory']}\n"
                     rf"    worst lookup: steps={one['steps']}, cycles={one['cycles']} "
                     rf"\(estimate\); memory={one['memory']}\n", text), text
    assert "    blocks: count=1, rules=3, memory=" in text


def test_limit(switch, bridge, tmp_path):
    """10,000 flows of masks of their own fit; under a lower limit they are refused as a whole."""
    file = tmp_path / "masks.of"
    file.write_text("".join(
        f"priority={n % 60000 + 1},ip,nw_src=10.{n % 251}.{n % 13}.{n % 7}/255.{n % 256}."
        f"{n * 7 % 256}.{n * 13 % 256},nw_dst=0.0.0.{n % 256}/0.0.{n // 256}.255,actions=drop\n"
        for n in range(10000)))
    switch.vsctl("set", "Bridge", bridge, "other_config:flow-lookup-limit=100")
    refused = switch.run("ofctl/ofctl", "add-flows", bridge, str(file), status=1)
    found = re.fullmatch(
        rf"ofctl: a lookup in table 0 of bridge {bridge} could take (\d+) steps, and the limit is "
        r"100: \d+ flows of \d+ masks on \d+ bytes need \d+ blocks; let many flows share a mask, "
        r"match fewer fields, divide them among tables, or raise the limit: vsctl set Bridge "
        rf"{bridge} other_config:flow-lookup-limit=\1\n", refused.err)
    assert found, refused.err
    assert "priority" not in switch.ofctl("dump-flows", bridge)
    assert 0 not in tables(switch, bridge)
    switch.vsctl("remove", "Bridge", bridge, "other_config", "flow-lookup-limit")
    switch.ofctl("add-flows", bridge, str(file))
    table = tables(switch, bridge)[0]
    assert table["flows"] > 9000
    assert table["steps"] <= int(found.group(1))
    switch.run("vswitch/vsctl", "set", "Bridge", bridge, "other_config:flow-lookup-limit=0",
               status=1)

# SPDX-License-Identifier: Apache-2.0
"""What a lookup may cost, shown."""
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

# SPDX-License-Identifier: Apache-2.0
"""A dump of a hundred thousand flows of all kinds loads back to the same dump."""
import re
import subprocess
import time

from turnout.machine import program

COUNT = 100_000
PIECE = 20_000  # flows that come into force together: what takes seconds holds up the datapath
STATISTICS = re.compile(r"duration=[0-9.]+s, |n_packets=\d+, |n_bytes=\d+, |idle_age=\d+, ")


def timed(what, began):
    print(f"{what} in {time.monotonic() - began:.1f} s")
    return time.monotonic()


def dump(switch, bridge):
    """What dump-flows prints, and its flows without their statistics."""
    text = switch.ofctl("dump-flows", bridge)
    return text, [STATISTICS.sub("", line) for line in text.splitlines() if "actions=" in line]


def difference(one, other):
    """The first lines that differ: comparing such lists by pytest takes longer than the test."""
    if len(one) != len(other):
        return f"{len(one)} and {len(other)} flows"
    return next((f"{a}\n{b}" for a, b in zip(one, other) if a != b), None)


def add(switch, bridge, file, lines):
    """All of the lines, piece by piece."""
    for first in range(0, len(lines), PIECE):
        file.write_text("\n".join(lines[first:first + PIECE]) + "\n")
        switch.ofctl("add-flows", bridge, file, timeout=120)


def test_dump_of_many_flows_loads_again(switch, tmp_path):
    made = subprocess.run([program("tests/model/model_flows"), "20", str(COUNT)], check=True,
                          stdout=subprocess.PIPE, text=True, timeout=60).stdout
    for bridge in ("br0", "br1"):
        # Flows of any shape, all in few tables: more than a lookup may usually have to do.
        switch.vsctl("add-br", bridge, "--", "set", "Bridge", bridge, "fail_mode=secure",
                     "other_config:flow-lookup-limit=1000000")
    began = time.monotonic()
    add(switch, "br0", tmp_path / "made.txt", made.splitlines())
    began = timed("added", began)
    text, flows = dump(switch, "br0")
    began = timed(f"{len(flows)} flows dumped", began)
    # Hardly any of them took the place of another.
    assert len(flows) > COUNT * 99 // 100
    # As a whole it is what is there already: nothing comes, goes or changes.
    saved = tmp_path / "dump.txt"
    saved.write_text(text)
    switch.ofctl("diff-flows", "br0", saved, timeout=120)
    began = timed("dump compared with the flows", began)
    add(switch, "br1", tmp_path / "piece.txt", text.splitlines())
    began = timed("dump loaded into another bridge", began)
    assert difference(flows, dump(switch, "br1")[1]) is None
    switch.ofctl("diff-flows", "br1", saved, timeout=120)
    timed("and compared with that", began)
    for bridge in ("br0", "br1"):
        switch.vsctl("del-br", bridge)

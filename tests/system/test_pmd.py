# SPDX-License-Identifier: Apache-2.0
"""Packet threads: started, stopped and moved under traffic; what is shown about them."""
import json
import re

import pytest
from turnout.machine import PMD_CORE, PMD_MASK, PROCESSORS
from turnout.pingpong import FRAMES, PingPong
from turnout.waiting import wait_until

MASK = "other_config:pmd-cpu-mask"


def set_mask(switch, mask):
    switch.vsctl("set", "Open_vSwitch", ".", f"{MASK}={mask}")


def placement(switch):
    """{core: [(port, queue)]}"""
    return {thread["core"]: sorted((queue["port"], queue["queue"]) for queue in thread["queues"])
            for thread in switch.rpc("pmd.stats_show")}


@pytest.fixture(autouse=True)
def usual_mask(switch):
    yield
    set_mask(switch, PMD_MASK)


def test_mask_changes_under_traffic(switch, bridge):
    if len(PROCESSORS) < 2:
        pytest.skip("this machine has one processor")
    with PingPong(switch, bridge) as pair:
        pair.start()
        both = hex(1 << PROCESSORS[0] | 1 << PROCESSORS[1])
        lists = f"{PROCESSORS[0]},{PROCESSORS[1]}"
        for mask, cores in ((both, 2), (hex(1 << PROCESSORS[0]), 1), (lists, 2), (PMD_MASK, 1)):
            set_mask(switch, mask)
            wait_until(lambda n=cores: len(placement(switch)) == n, f"{cores} packet threads")
            polled = [queue for queues in placement(switch).values() for queue in queues]
            assert sorted(polled) == [("vh1", 0), ("vh2", 0)], "each queue once"
            pair.wait_moving(500)
        assert list(placement(switch)) == [PMD_CORE]
        assert pair.harvest() == FRAMES, "frames were lost while threads changed"


def test_queues_are_spread(switch, bridge):
    if len(PROCESSORS) < 2:
        pytest.skip("this machine has one processor")
    set_mask(switch, f"{PROCESSORS[0]},{PROCESSORS[1]}")
    for number in range(4):
        switch.add_port(bridge, f"n{number}", type="dpdk", devargs=f"net_null{20 + number},no-rx=1")
    counts = sorted(len(queues) for queues in placement(switch).values())
    assert counts == [2, 2]


def test_bad_masks(switch):
    for mask, word in (("0x0", "0x0"), ("zz", "zz"), ("900", "core 8"), ("5-2", "5-2")):
        result = switch.run("vswitch/vsctl", "set", "Open_vSwitch", ".", f"{MASK}={mask}", status=1)
        assert word in result.err, result.err
    assert list(placement(switch)) == [PMD_CORE]


def test_rxq_show(switch, bridge):
    switch.add_port(bridge, "n0", type="dpdk", devargs="net_null30,no-rx=1")
    text = switch.vsctl("pmd-rxq-show")
    assert re.search(rf"^pmd thread numa_id \d+ core_id {PMD_CORE}:$", text, re.M), text
    assert re.search(r"^  isolated : false$", text, re.M), text
    assert re.search(r"^  port: n0 +queue-id: +0 \(enabled\) +pmd usage: +\S+ ?%$", text, re.M), text
    assert re.search(r"^  overhead: +\S+ ?%$", text, re.M), text
    assert json.loads(switch.vsctl("-f", "json", "pmd-rxq-show"))


def test_stats_show(switch, bridge):
    with PingPong(switch, bridge) as pair:
        pair.start()
        switch.vsctl("pmd-stats-clear")
        pair.wait_moving(3000)
        row = switch.rpc("pmd.stats_show")[0]
        assert row["core"] == PMD_CORE and row["rx_packets"] >= 3000
        assert row["cycles_busy"] > 0 and row["cycles_idle"] > 0
        assert row["cycles_hz"] > 1e8
        per_queue = {queue["port"]: queue for queue in row["queues"]}
        assert per_queue["vh1"]["packets"] > 1000 and per_queue["vh1"]["cycles"] > 0
        text = switch.vsctl("pmd-stats-show")
        assert f"core_id {PMD_CORE}" in text and "cycles per packet" in text
        switch.vsctl("pmd-stats-clear")
        assert switch.rpc("pmd.stats_show")[0]["rx_packets"] < row["rx_packets"]

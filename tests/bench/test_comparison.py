#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The parts of tests/bench/compare that need no switch: judging, printing, traffic, OpenFlow."""
import os
import struct
import sys
import types
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "system")]

import traffic  # noqa: E402
from comparison import kinds, openflow, page, report  # noqa: E402
from comparison.scenarios import SCENARIOS  # noqa: E402
from comparison.subject import Counts, Reading, Refused, check_loss  # noqa: E402

UNIT = {"cycles": (40.0, 60.0, 120.0), "mpps": (9.0, 12.0, 6.0), "seconds": (0, 1.0, 6.0),
        "kflows": (0, 1600.0, 10.0)}


def row_of(scenario):
    limit, ours, theirs = UNIT[scenario.unit]
    result = kinds.Result(figures={"turnout": [ours, ours * 1.5, ours * 0.5],
                                   "ovs": [theirs, theirs * 1.5, theirs * 0.5]})
    if limit:
        result.figures["limit"] = [limit, limit, limit]
    return report.make_row(scenario, result)


def document(rows, **changes):
    return {"command": "tests/bench/compare", "rounds": 3, "seconds": 2.0, "warmup": 10.0,
            "machine": {"CPU": "a model"}, "rows": rows, **changes}


def reading(received, sent, wall, lost=None, took=0.0):
    return Reading(Counts(received, sent, lost or {}), wall, wall, took)


class Judging(unittest.TestCase):
    def setUp(self):
        self.row = row_of(next(row for row in SCENARIOS if row.name == "1 rule, 1 flow"))

    def test_ratio_is_the_median_of_rounds(self):
        self.assertAlmostEqual(report.ratio(self.row, "limit"), 1.5)
        self.assertAlmostEqual(report.ratio(self.row, "ovs"), 0.5)
        del self.row["figures"]["ovs"]
        self.assertIsNone(report.ratio(self.row, "ovs"))

    def test_less_is_better(self):
        self.row["target"] = {"turnout": 60, "limit": 41, "ovs": 100}
        self.assertFalse(report.verdict(self.row, "limit")[1])  # 1.5 of 1.46
        self.assertTrue(report.verdict(self.row, "ovs")[1])     # 0.5 of 0.6
        self.row["target"]["limit"] = 40
        self.assertTrue(report.verdict(self.row, "limit")[1])

    def test_more_is_better(self):
        row = row_of(next(row for row in SCENARIOS if row.kind == "guests"))
        row["target"] = {"turnout": 26, "limit": 0, "ovs": 16}
        self.assertTrue(report.verdict(row, "ovs")[1])          # 2 of 1.625
        self.assertIsNone(report.verdict(row, "limit"))
        row["target"]["turnout"] = 33
        self.assertFalse(report.verdict(row, "ovs")[1])

    def test_worst_to_best(self):
        rows = [row_of(row) for row in SCENARIOS if row.group == "Attack on NORMAL"]
        rows[1]["figures"]["turnout"] = [600.0]
        self.assertEqual(dict(report.attacks(rows))["Attack on NORMAL"]["turnout"], 10)

    def test_loss(self):
        before = reading(1000, 1000, 1.0, {"miss": 5})
        check_loss(before, reading(101000, 100000, 2.0, {"miss": 5}), None)
        with self.assertRaisesRegex(Refused, "miss 1"):
            check_loss(before, reading(101000, 101000, 2.0, {"miss": 6}), None)
        lossy = reading(101000, 91000, 2.0, {"miss": 5})
        with self.assertRaisesRegex(Refused, "10000 of 100000"):
            check_loss(before, lossy, lambda: lossy)
        # Gone when read again, or no more than moved while it was read.
        check_loss(before, lossy, lambda: reading(102000, 102000, 2.1))
        check_loss(before, reading(101000, 91000, 2.0, {"miss": 5}, took=0.2), None)


class Printing(unittest.TestCase):
    def test_every_row(self):
        rows = [row_of(row) for row in SCENARIOS]
        rows[0]["refused"]["ovs"] = "a reason"
        del rows[0]["figures"]["ovs"]
        rows[1]["notes"]["ovs"] = ["a remark"]
        text = page.page([document(rows)])
        for scenario in SCENARIOS:
            self.assertIn(f"| {scenario.name} |", text)
        for words in ("OVS-DPDK: a reason", "OVS-DPDK: a remark", "refused [1]", "a model",
                      "at most 1.46: missed", "Worst pattern to best"):
            self.assertIn(words, text)
        self.assertIn("refused: a reason", report.text_of(rows[0]))
        self.assertIn("ratios met", report.summary(rows))

    def test_results_are_merged(self):
        rows = [row_of(row) for row in SCENARIOS[:2]]
        later = row_of(SCENARIOS[0])
        later["figures"]["turnout"] = [77.7]
        text = page.page([document(rows), document([later], command="another")])
        self.assertIn("77.7 (77.7..77.7)", text)
        self.assertIn("another", text)
        self.assertEqual(text.count(f"| {SCENARIOS[0].name} |"), 1)
        with self.assertRaisesRegex(ValueError, "seconds"):
            page.page([document(rows), document([later], seconds=1.0)])

    def test_names_are_unique(self):
        self.assertEqual(len({row.name for row in SCENARIOS}), len(SCENARIOS))
        self.assertLessEqual({row.unit for row in SCENARIOS}, set(report.UNITS))
        self.assertLessEqual({row.kind for row in SCENARIOS}, set(kinds.KINDS))


class Traffic(unittest.TestCase):
    def test_prefix_frames_match_the_prefix_rule(self):
        frames = list(traffic.flow_frames(100000, kind="prefix"))
        self.assertEqual(len(set(frames)), len(frames))
        for data in frames:
            source, target, tp_src, tp_dst = struct.unpack_from("!IIHH", data, 26)
            self.assertEqual((source >> 17, target >> 17, tp_src >> 15, tp_dst >> 14),
                             (0x0a000000 >> 17, 0x0a800000 >> 17, 1, 1))

    def test_learning_answers_the_traffic(self):
        there = list(traffic.flow_frames(2000, kind="mac"))
        back = list(traffic.flow_frames(2000, kind="learn"))
        self.assertEqual([data[:6] for data in there], [data[6:12] for data in back])
        self.assertEqual(len({data[:6] for data in there}), 2000)

    def test_near_misses_differ_in_one_bit_of_the_prefix(self):
        source = types.SimpleNamespace(randrange=lambda length: length - 1,
                                       getrandbits=lambda width: (1 << width) - 1)
        self.assertEqual(traffic.near_miss(0x0a000000, 8, 32, source), 0x0bffffff)
        self.assertEqual(traffic.near_miss(80, 16, 16, source), 81)
        self.assertEqual(traffic.near_miss(0, 0, 16, source), 0xffff)


class OpenFlow(unittest.TestCase):
    """Offsets as in the OpenFlow Switch Specification 1.0.0, sections 5.2.3 and 5.3.3."""

    def test_flow_mod(self):
        body = openflow.flow_mod(True, "10.1.2.3", in_port=1, out_port=2, priority=40000)
        self.assertEqual(len(body), 72)
        wildcards, in_port = struct.unpack_from("!IH", body)
        self.assertEqual(wildcards & 0x3fffff, 0x3fffff & ~(0x11 | 0x3f00))
        self.assertEqual(in_port, 1)
        self.assertEqual(struct.unpack_from("!H", body, 22), (0x0800,))
        self.assertEqual(body[28:32], bytes([10, 1, 2, 3]))
        self.assertEqual(struct.unpack_from("!HHHH", body, 48), (0, 0, 0, 40000))
        self.assertEqual(struct.unpack("!HHHH", body[64:]), (0, 8, 2, 0))
        self.assertEqual(len(openflow.flow_mod(False, "10.1.2.3")), 64)


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: Apache-2.0
"""docs/performance.md out of results."""
import textwrap

from . import report
from .scenarios import SCENARIOS

HEAD = """\
# Performance

Figures of `tests/bench/compare`, which starts Turnout, Open vSwitch with DPDK and dpdk-testpmd on the
same ports and frames and measures them in turns. The page is printed by its `--write-docs`; by hand
nothing is to be changed here.

## How it was made

"""

METHOD = """\

**Ports.** Frames of a capture come without end out of `net_pcap` (port 1) and leave by `net_null`
(port 2). Between guests: dpdk-testpmd with two virtio-user ports, which sends back by one what it
receives by the other, so that a fixed number of frames circles through the switch.

**Subjects.** *dpdk-testpmd io* moves frames from port to port and looks at nothing: the limit of any
switch on these ports. *OVS-DPDK* is Debian's package with its default caches; its MAC table is as large
as Turnout's where that was raised, addresses are kept for an hour, and `max-idle` is a day, so that
its caches outlive the time for which it is stopped. *Turnout* is the build named above with huge pages and,
apart from MAC table and ageing, default settings.

**Turns.** All subjects of a scenario are there at once, and have one core for polling. Each is warmed
up until its rate is steady (at most {warmup:g} s), then stopped by SIGSTOP. A round gives each in turn
the core for {seconds:g} s; rounds: {rounds}. A cell is the median, with the least and the greatest round
in brackets; a ratio is the median of the ratios of the rounds.

**Cycles per frame** are cycles of the time stamp counter that the polling thread spent on its core,
divided by the frames it received. **Guest to guest** is in million frames per second, both directions
added, and **files** are wall seconds of one command, `ofctl` or `ovs-ofctl`, from start to end.
**New flows** are thousand frames per second out of a file that is read once, each frame the first of its
flow, from the first that leaves on; Open vSwitch has forgotten its datapath flows before.

**Checks.** A figure is refused if a frame was lost that no rule drops: by the subjects' drop counters,
and by what came in and went out. Addresses were counted before NORMAL was measured, and flows after
files were read.

**Targets** are the ratios that Turnout was to reach, set from figures of a quiet machine before it was
built.
"""

CACHE = """\

## With and without the flow cache

Turnout remembers the ways of packets through three tables and more, and measures on its own, in turns,
whether that pays ([architecture.md](architecture.md)). What it is worth, in cycles per packet of the pipeline
alone, least of many rounds of `build/tests/model/pipeline_bench` before and after it came:

| 16 tables | without | with |
|---|---|---|
| by goto_table, or by resubmit | 96 | 30 |
| of three rules each, few different packets | 275 | 42 |
| of three rules each, 4,096 different packets | 284 | 106 |
| of three rules each, packets at random (an attack on it) | 285 | 292, or 348 if it were not bypassed |
| of three rules each, 1,000 changes a second in another table, 4,096 different packets | 299 | 106 to 176 |
| of three rules each, 1,000 changes a second in the first table, 4,096 different packets | 296 | 293 |

Everything else on this page is with it, as it is set by default; one or two tables never use it.
"""

TRAPS = """\

## Traps

* `net_pcap` with `infinite_rx=1` copies each frame out of a buffer of its own. Its share is in every
  column; with 100,000 flows and with large frames it is most of the limit, and ratios to the limit look
  better than the switch is. The frames have to fit into the switch's buffers: about 200,000 at most.
* `net_null` floods frames of its own unless it is told `no-rx=1`.
* Where port 2 has learned first (NORMAL), it is a `net_pcap` port at the end of its file, for all
  subjects alike; it costs a little more than `net_null` does.
* Open vSwitch warms up: its flow limit, the ranking of its subtables and its caches take their time,
  and with many rules it takes longer than the bound. Those cells are marked; what it does after
  minutes may be better or worse, so with access lists and attacks the ratio to the limit says more.
* Open vSwitch installs a file flow by flow where Turnout's file is one transaction. Replacing is one
  transaction for both (`ovs-ofctl --bundle`).
* Flow changes go to Turnout by JSON-RPC, where each lot is in the database when it is answered, and
  to Open vSwitch by OpenFlow 1.0, a barrier behind each lot; there are at most 100 lots a second.
* Reading a file once, `net_pcap` gives no more than about two million frames a second.
* With two cores the guest has what is not polling, and may be the bottleneck of guest to guest.
* The attacks end in an output, not in a drop, for all patterns: what differs is the lookup alone.
* A table of one machine says little of another. Ratios travel better than cycles.
"""


def machine_table(machine):
    return "\n".join(["| | |", "|---|---|", *(f"| {key} | {value} |"
                                             for key, value in machine.items())])


def columns_of(rows):
    return [key for key in report.NAMES
            if any(key in row["figures"] or key in row["refused"] for row in rows)]


def cell(row, key, footnotes):
    if key in row["refused"]:
        text = "refused"
        remarks = [row["refused"][key]]
    elif key in row["figures"]:
        text, remarks = report.spread(row, key), []
    else:
        return ""
    for remark in remarks + row["notes"].get(key, []):
        remark = " ".join(f"{report.NAMES[key]}: {remark}".split())[:300]
        if remark not in footnotes:
            footnotes.append(remark)
        text += f" [{footnotes.index(remark) + 1}]"
    return text


def group_table(rows):
    keys, footnotes = columns_of(rows), []
    peers = [peer for peer in report.PEERS if peer in keys]
    targets = any(row["target"] for row in rows)
    head = (["scenario"] + [report.NAMES[key] for key in keys]
            + [f"Turnout / {report.NAMES[peer]}" for peer in peers])
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        cells = [row["scenario"]] + [cell(row, key, footnotes) for key in keys]
        for peer in peers:
            got, wanted = report.ratio(row, peer), report.verdict_text(row, peer)
            cells.append(("" if got is None else report.share_text(got))
                         + (f" ({wanted})" if targets and wanted else ""))
        lines.append("| " + " | ".join(cells) + " |")
    if footnotes:
        lines += [""] + [f"[{index}] {text}  " for index, text in enumerate(footnotes, 1)]
    return "\n".join(lines)


def _difference(one, other):
    if isinstance(one, dict):
        key = next(key for key in [*one, *other] if one.get(key) != other.get(key))
        return f"{key} {one.get(key)}, and {other.get(key)}"
    return f"{one:g}, and {other:g}"


def page(documents):
    """`documents`: what --json wrote, of one machine; a later row replaces one of the same name."""
    first = documents[0]
    for document in documents[1:]:
        for what in ("machine", "rounds", "seconds", "warmup"):
            if document[what] != first[what]:
                raise ValueError(f"the results differ in {what}: "
                                 + _difference(first[what], document[what]))
    rows = {row["scenario"]: row for document in documents for row in document["rows"]}
    order = {scenario.name: number for number, scenario in enumerate(SCENARIOS)}
    rows = sorted(rows.values(), key=lambda row: order.get(row["scenario"], len(order)))
    commands = dict.fromkeys(document["command"] for document in documents)
    parts = [HEAD, "```\n" + "\n".join(commands) + "\n```\n\n", machine_table(first["machine"]), "\n",
             METHOD.format(**first)]
    attacks = dict(report.attacks(rows))
    for group in dict.fromkeys(row["group"] for row in rows):
        mine = [row for row in rows if row["group"] == group]
        unit = report.UNITS[mine[0]["unit"]]
        better = "less" if unit.less_is_better else "more"
        parts.append(f"\n## {group}\n\n{unit.text[0].upper()}{unit.text[1:]}; {better} is better.\n\n"
                     f"{group_table(mine)}\n")
        if group in attacks:
            words = ", ".join(f"{report.NAMES[key]} {report.number(value)}"
                              for key, value in attacks[group].items())
            parts.append("\n" + textwrap.fill(
                f"Worst pattern to best: {words}.", 100) + "\n")
    parts += [CACHE, TRAPS]
    return "".join(parts)

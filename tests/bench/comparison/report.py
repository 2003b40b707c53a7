# SPDX-License-Identifier: Apache-2.0
"""Figures as text. A row is what a scenario came to, as it stands in the JSON:

{scenario, group, unit, figures: {subject: [of each round]}, refused: {subject: why},
 notes: {subject: [text]}, share: {subject: [of each round]}, target: {turnout, limit, ovs} or null}
"""
import dataclasses
import statistics

from .ovs import OpenVSwitch
from .testpmd import Testpmd
from .turnout_switch import Turnout

NAMES = {kind.key: kind.name for kind in (Testpmd, Turnout, OpenVSwitch)}
PEERS = ("limit", "ovs")


@dataclasses.dataclass(frozen=True)
class Unit:
    text: str
    less_is_better: bool


UNITS = {"cycles": Unit("cycles per frame", True), "mpps": Unit("million frames per second", False),
         "kflows": Unit("thousand new flows per second", False),
         "seconds": Unit("seconds", True)}


def make_row(scenario, result):
    return {"scenario": scenario.name, "group": scenario.group, "unit": scenario.unit,
            "figures": result.figures, "refused": result.refused, "notes": result.notes,
            "share": result.share,
            "target": dataclasses.asdict(scenario.target) if scenario.target else None}


def number(value):
    """Three or four digits that mean something."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def share_text(value):
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def median(row, key):
    values = row["figures"].get(key)
    return statistics.median(values) if values else None


def spread(row, key):
    values = row["figures"][key]
    return f"{number(statistics.median(values))} ({number(min(values))}..{number(max(values))})"


def ratio(row, peer):
    """Turnout to a peer: the median of the ratios of all rounds, or None."""
    ours, theirs = row["figures"].get("turnout"), row["figures"].get(peer)
    if not ours or not theirs:
        return None
    return statistics.median(one / other for one, other in zip(ours, theirs))


def verdict(row, peer):
    """(ratio that is asked for, is it met), or None if there is no target or no figure."""
    target, got = row["target"], ratio(row, peer)
    if not target or not target[peer] or got is None:
        return None
    wanted = target["turnout"] / target[peer]
    less = UNITS[row["unit"]].less_is_better
    return wanted, (got <= wanted if less else got >= wanted)


def verdict_text(row, peer):
    found = verdict(row, peer)
    if not found:
        return ""
    bound = "at most" if UNITS[row["unit"]].less_is_better else "at least"
    return f"{bound} {share_text(found[0])}: {'met' if found[1] else 'missed'}"


def text_of(row):
    """A table of one scenario for a terminal."""
    lines = [f"{row['scenario']}  [{UNITS[row['unit']].text}]"]
    for key, name in NAMES.items():
        if key in row["refused"]:
            lines.append(f"  {name:16} refused: {row['refused'][key]}")
        elif key in row["figures"]:
            line = f"  {name:16} {spread(row, key):36}"
            if key in PEERS and ratio(row, key) is not None:
                wanted = verdict_text(row, key)
                line += f" Turnout / this: {share_text(ratio(row, key))}"
                line += f" ({wanted})" if wanted else ""
            lines.append(line.rstrip())
        lines += [f"  {'':16} note: {note}" for note in row["notes"].get(key, [])]
    return "\n".join(lines)


def worst_to_best(rows):
    """{subject: worst median / best median} of the rows of an attack."""
    found = {}
    for key in NAMES:
        values = [median(row, key) for row in rows if median(row, key) is not None]
        if len(values) > 1:
            found[key] = max(values) / min(values)
    return found


def attacks(rows):
    """(group, worst_to_best) of the attacks among rows."""
    for group in dict.fromkeys(row["group"] for row in rows):
        if group.startswith("Attack"):
            found = worst_to_best([row for row in rows if row["group"] == group])
            if found:
                yield group, found


def summary(rows):
    """What is to be said at the end: worst/best of attacks, and how many targets are met."""
    lines = []
    for group, found in attacks(rows):
        lines.append(f"{group}: worst/best "
                     + ", ".join(f"{NAMES[key]} {number(value)}" for key, value in found.items()))
    verdicts = [verdict(row, peer) for row in rows for peer in PEERS]
    judged = [found[1] for found in verdicts if found]
    if judged:
        lines.append(f"targets: {sum(judged)} of {len(judged)} ratios met")
    return "\n".join(lines)

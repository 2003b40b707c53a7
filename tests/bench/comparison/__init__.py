# SPDX-License-Identifier: Apache-2.0
"""What tests/bench/compare is made of.

A *subject* (subject.py, and one file for each) is a program that moves the same frames between the
same ports: dpdk-testpmd in io mode, Turnout, Open vSwitch with DPDK. A *scenario* (scenarios.py) is
a row: frames, flows and what a good result is. A *kind* (kinds.py) is how a row becomes figures.
report.py turns figures into tables and the page; host.py owns what belongs to the machine.

All subjects of a scenario are there at once and share one core for polling: each but the one that is
being measured is stopped by SIGSTOP. Nothing outlives the run: see host.Owned.
"""

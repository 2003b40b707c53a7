# SPDX-License-Identifier: Apache-2.0
"""The machine: its huge pages, what it is, and that nothing of a run is left on it."""
import glob
import json
import os
import platform
import re
import shutil
import signal
import subprocess

from turnout import machine
from turnout.machine import free_hugepages, program
from turnout.process import kill_and_wait

PAGES = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
MARK = "TURNOUT_COMPARE"


class Unfit(Exception):
    """This machine, or this user, cannot run the comparison; the text names the remedy."""


def _total_pages():
    with open(PAGES, encoding="ascii") as file:
        return int(file.read())


def _add_pages(count):
    total = _total_pages()
    with open(PAGES, "w", encoding="ascii") as file:
        file.write(str(max(0, total + count)))
    return _total_pages() - total


class HugePages:
    """`count` free huge pages of 2 MB while the context lasts; as many as were added are taken away
    afterwards, because others may have added some meanwhile."""

    def __init__(self, count):
        self.count, self._added = count, 0

    def __enter__(self):
        free = free_hugepages()
        if free < self.count:
            try:
                self._added = _add_pages(self.count - free)
            except OSError as error:
                raise Unfit(f"huge pages cannot be reserved ({error}); run it as root") from None
        found = free_hugepages()
        if found < self.count:
            self.__exit__()
            raise Unfit(f"{self.count} free huge pages of 2 MB are needed and {found} can be had; "
                        "free some memory, or choose smaller scenarios with --scenario")
        return self

    def __exit__(self, *_):
        if self._added:
            added, self._added = self._added, 0
            _add_pages(-added)


class Owned:
    """Every process started within this context ends with it, daemons of daemons included.

    They are known by a variable of the environment that they inherit. SIGTERM and SIGHUP become
    KeyboardInterrupt, as Ctrl-C is; once the end has begun, none of them can interrupt it.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __enter__(self):
        os.environ[MARK] = str(os.getpid())
        for number in self.SIGNALS:
            signal.signal(number, self._interrupt)
        return self

    @classmethod
    def _interrupt(cls, *_):
        for number in cls.SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    def __exit__(self, *_):
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        for pid in self._left():
            kill_and_wait(pid)
        # What DPDK leaves behind for a program that was killed.
        for prefix in (f"t{os.getpid()}g*", f"compare-*-{os.getpid()}"):
            for folder in glob.glob(os.path.join("/var/run/dpdk", prefix)):
                shutil.rmtree(folder, ignore_errors=True)

    @staticmethod
    def _left():
        mark = f"{MARK}={os.getpid()}".encode()
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) != os.getpid():
                try:
                    with open(f"/proc/{name}/environ", "rb") as file:
                        if mark in file.read().split(b"\0"):
                            yield int(name)
                except OSError:
                    pass  # it has ended, or is none of ours


def _output(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return (done.stdout or done.stderr).strip()
    except OSError:
        return ""


def _build_type():
    """How the programs under test were built, such as "release"."""
    try:
        with open(os.path.join(machine.BUILD, "meson-info", "intro-buildoptions.json"),
                  encoding="utf-8") as file:
            options = {row["name"]: row["value"] for row in json.load(file)}
        sanitizer = options.get("b_sanitize", "none")
        return f"{options['buildtype']} build" + (f", {sanitizer} sanitizer" * (sanitizer != "none"))
    except (OSError, KeyError, ValueError):
        return "unknown build"


def describe(ovs_program):
    """What a reader has to know of the machine to judge figures: {what: text}."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        cpuinfo = file.read()

    def field(name):
        found = re.search(rf"^{name}\s*:\s*(.*)$", cpuinfo, re.M)
        return found.group(1) if found else "?"

    with open("/proc/meminfo", encoding="ascii") as file:
        memory = int(re.search(r"MemTotal:\s*(\d+)", file.read()).group(1)) >> 20
    revision = _output("git", "-C", os.path.dirname(__file__), "describe", "--always", "--dirty",
                           "--abbrev=12")
    found = {
        "CPU": f"{field('model name')} (family {field('cpu family')}, model {field('model')})",
        "cores": f"{len(os.sched_getaffinity(0))}"
                 + (", in a virtual machine" if "hypervisor" in field("flags").split() else ""),
        "memory": f"{memory + 1} GB",
        "kernel": platform.release(),
        "DPDK": _output("pkg-config", "--modversion", "libdpdk") or "?",
        "Turnout": _output(program("vswitch/vswitchd"), "--version").split()[-1]
                   + f", {_build_type()}"
                   + (f", commit {revision}" if re.fullmatch(r"[\w.-]+", revision) else ""),
    }
    if ovs_program:
        lines = _output(ovs_program, "--version").splitlines()
        found["Open vSwitch"] = ", ".join([lines[0].split()[-1], *lines[1:]]) if lines else "?"
    return found

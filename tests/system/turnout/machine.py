# SPDX-License-Identifier: Apache-2.0
"""What this machine offers: processors, huge pages, programs, rights; and the build under test."""
import functools
import glob
import os
import shutil

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.abspath(os.path.join(HERE, "..", "..", ".."))
BUILD = os.environ.get("TURNOUT_BUILD", os.path.join(SOURCE, "build"))

# With two processors the switch polls on the second, and everybody else shares the first.
PROCESSORS = sorted(os.sched_getaffinity(0))
PMD_CORE = PROCESSORS[1 % len(PROCESSORS)]
PMD_MASK = hex(1 << PMD_CORE)


def guest_core(index):
    """A processor for guest number `index`: its own if there are enough, else the first one."""
    others = [core for core in PROCESSORS if core != PMD_CORE] or PROCESSORS
    return others[(index + 1) % len(others)]


def program(path):
    """The full path of a program of the build under test, such as "vswitch/vsctl"."""
    full = os.path.join(BUILD, path)
    if not os.path.exists(full):
        pytest.fail(f"{full} does not exist: build it, or set TURNOUT_BUILD", pytrace=False)
    return full


def free_hugepages():
    """Free huge pages of 2 MB; none with TURNOUT_HUGE_PAGES=no, which tests without them."""
    if os.environ.get("TURNOUT_HUGE_PAGES") == "no":
        return 0
    try:
        with open("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages",
                  encoding="ascii") as file:
            return int(file.read())
    except OSError:
        return 0


def need_program(*names):
    """Skip the test unless all these programs are installed."""
    for name in names:
        if not shutil.which(name):
            pytest.skip(f"{name} is not installed (./check installs it)")


@functools.lru_cache(maxsize=None)
def _namespaces_work():
    if os.geteuid() != 0:
        return "not root"
    name = f"turnout-try-{os.getpid()}"
    status = os.system(f"ip netns add {name} 2>/dev/null && ip netns del {name} 2>/dev/null")
    return "" if status == 0 else '"ip netns add" is refused here'


def need_namespaces():
    need_program("ip")
    reason = _namespaces_work()
    if reason:
        pytest.skip(f"network namespaces cannot be made: {reason}")


def cloud_kernel():
    """(kernel image, module folder) of the newest installed cloud kernel, or None."""
    found = []
    for image in glob.glob("/boot/vmlinuz-*cloud*"):
        modules = "/lib/modules/" + os.path.basename(image)[len("vmlinuz-"):]
        if os.path.isdir(modules):
            found.append((os.path.getmtime(image), image, modules))
    return max(found)[1:] if found else None

# SPDX-License-Identifier: Apache-2.0
"""Shared fixtures, and lines about each case for the summary that ./check prints."""
import os
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "bench")]

from turnout.disk import mount  # noqa: E402
from turnout import switch as switch_module  # noqa: E402
from turnout.switch import Switch  # noqa: E402

CASES = []


@pytest.fixture(scope="module")
def switch():
    """One running switch for all cases of a file."""
    made = Switch()
    yield made
    made.stop()


@pytest.fixture
def bridge(switch):
    """An empty bridge br0 without flows; gone afterwards, with its ports."""
    switch.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "fail_mode=secure")
    yield "br0"
    switch.vsctl("--if-exists", "del-br", "br0")
    switch.assert_accounted()


@pytest.fixture
def disk(tmp_path):
    """A directory with four megabytes of its own."""
    path = tmp_path / "disk"
    path.mkdir()
    done = mount("-t", "tmpfs", "-o", "size=4m", "turnout-test", path)
    if done.returncode != 0:
        pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.strip()}")
    yield path
    subprocess.run(["umount", str(path)], check=True)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        logs = switch_module.report()
        if logs:
            report.sections.append(("the daemons' logs", logs))


def pytest_runtest_logreport(report):
    if report.when == "call" or (report.when == "setup" and not report.passed) or (
            report.when == "teardown" and report.failed):
        name = report.nodeid.rsplit("/", 1)[-1].replace(" ", "_")
        reason = ""
        if report.skipped and isinstance(report.longrepr, tuple):
            reason = report.longrepr[2].replace("Skipped: ", "", 1)
        elif report.failed:
            text = str(getattr(report.longrepr, "reprcrash", None) and
                       report.longrepr.reprcrash.message or report.longrepr)
            reason = text.strip().splitlines()[0][:160] if text.strip() else ""
        CASES.append((report.outcome, name, reason))


def pytest_terminal_summary(terminalreporter):
    for outcome, name, reason in CASES:
        terminalreporter.write_line(f"CASE {outcome} {name} {reason}".rstrip())


def pytest_sessionfinish(session, exitstatus):
    switch_module.stop_all()  # none is left but of fixtures that failed half-way
    # All skipped: 77 is what Meson understands as "skipped".
    if exitstatus == 0 and CASES and all(outcome == "skipped" for outcome, _, _ in CASES):
        session.exitstatus = 77

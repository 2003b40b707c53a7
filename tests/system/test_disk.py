# SPDX-License-Identifier: Apache-2.0
"""A disk that is full or cannot be written, and databases that are damaged, cut off, moved away or
of another version: said with the way out, never taken for what is left, and forwarding unharmed."""
import contextlib
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess

import pytest
from turnout import changes
from turnout.changes import FIRST, difference, make_first
from turnout.disk import fill, mount
from turnout.rpc import RpcError
from turnout.switch import Switch
from turnout.waiting import wait_until

KINDS = ("flow.replace", "flow.add", "port.add", "bridge.add", "db.set")


@contextlib.contextmanager
def moving(switch):
    """Frames come through during all of it, and after it."""
    before = changes.out_packets(switch)
    yield
    now = changes.out_packets(switch)
    assert now >= before
    wait_until(lambda: changes.out_packets(switch) > now, "frames to go on")


def assert_is(switch, state):
    """Both daemons are as the model, and vswitchd answers reads."""
    lines = difference(state.stored(), changes.of_vswitchd(switch.rpc))
    lines += difference(state.in_force(), changes.ask_datapathd(switch, changes.of_datapathd))
    assert not lines, "\n".join(lines)


def change(kind, state, number):
    """A change of some kind that needs room: parameters, and the state after it."""
    after = state.copy()
    bridge = after.bridges[FIRST]
    if kind == "flow.replace":
        bridge.flows.update({(1, n, f"ip,nw_src=10.{number}.0.1"): (number, "output:2")
                             for n in range(4000)})
        return {"bridge": FIRST,
                "flows": [changes.flow_text(*flow) for flow in bridge.flows.items()]}, after
    if kind == "flow.add":
        key, value = (2, number, "arp"), (number, "drop")
        bridge.flows[key] = value
        return {"bridge": FIRST, "flow": changes.flow_text(key, value)}, after
    if kind == "port.add":
        options = {"devargs": f"net_null{number},no-rx=1"}
        bridge.ports[f"p{number}"] = ("dpdk", number, changes.pairs(options), None, ())
        return {"bridge": FIRST, "name": f"p{number}", "type": "dpdk", "ofport": number,
                "options": options}, after
    if kind == "bridge.add":
        after.bridges[f"b{number}"] = changes.Bridge()
        return {"name": f"b{number}", "fail_mode": "secure"}, after
    text = "x" * 30000
    bridge.external_ids = (("k", f"{number}{text}"),)
    return {"table": "Bridge", "record": FIRST,
            "values": {"external_ids": {"k": f"{number}{text}"}}}, after


def change_all(switch, state, refusal, first):
    """Changes of all kinds. With `refusal` one may be refused if it says that; how many were, and
    the state after the others."""
    refused = 0
    for number, kind in enumerate(KINDS, first):
        params, after = change(kind, state, number)
        try:
            switch.rpc(kind, **params)
            state = after
        except RpcError as error:
            assert refusal and refusal[0] in error.message and refusal[1] in error.message, error
            refused += 1
        assert_is(switch, state)
    return refused, state


def restart(switch, state):
    """After kill -9 everything is as the model says; the datapath was adopted."""
    datapathd = switch.pid_of("datapathd")
    before = changes.ask_datapathd(switch, changes.counters)
    switch.kill("vswitchd")
    adopt(switch, state, datapathd, before)


def adopt(switch, state, datapathd, before):
    switch.start_vswitchd()
    switch.wait_ready()
    assert switch.pid_of("datapathd") == datapathd
    assert_is(switch, state)
    now = changes.ask_datapathd(switch, changes.counters)
    back = {flow: (packets, now[flow]) for flow, packets in before.items()
            if flow in now and now[flow] < packets}
    assert not back, f"counters went back: {back}"


# --- Disks ---

@pytest.fixture
def on_disk(disk, tmp_path):
    with Switch(database=disk / "turnout.db") as switch:
        yield switch, disk, make_first(switch, tmp_path)


def test_full_disk(on_disk):
    switch, disk, state = on_disk
    database, filler = str(disk / "turnout.db"), disk / "filler"
    for turn, room in enumerate((0, 4096, 40000, 400000)):
        fill(filler, room)
        with moving(switch):
            refused, state = change_all(switch, state, (database, "the disk is full"),
                                        100 + 10 * turn)
        assert refused
        filler.unlink()
        # Without a restart.
        params, state = change("flow.add", state, 5 + turn)
        switch.rpc("flow.add", **params)
        assert_is(switch, state)
        restart(switch, state)
        # Fewer flows again, for the next turn.
        for key in [key for key in state.bridges[FIRST].flows if key[0] == 1]:
            del state.bridges[FIRST].flows[key]
        switch.rpc("flow.delete", bridge=FIRST, flow="table=1")
    with pytest.raises(RpcError) as caught:
        fill(filler, 0)
        params, _ = change("flow.replace", state, 99)
        switch.rpc("flow.replace", **params)
    assert "make room" in caught.value.message and database in caught.value.message


def test_killed_on_full_disk(on_disk):
    """What was acknowledged before is there, also when vswitchd starts while there is no room."""
    switch, disk, state = on_disk
    fill(disk / "filler", 0)
    restart(switch, state)
    (disk / "filler").unlink()
    refused, state = change_all(switch, state, None, 100)
    assert not refused
    restart(switch, state)


def test_read_only_at_start(on_disk):
    switch, disk, state = on_disk
    datapathd = switch.pid_of("datapathd")
    switch.kill("vswitchd")
    assert mount("-o", "remount,ro", disk).returncode == 0
    before = changes.ask_datapathd(switch, changes.counters)
    with moving(switch):
        refused_start(switch, str(disk / "turnout.db"), "are writable")
    assert mount("-o", "remount,rw", disk).returncode == 0
    adopt(switch, state, datapathd, before)


def test_write_errors(switch_of_one, tmp_path):
    """Writing fails at some place of a transaction: files must not become longer than a limit."""
    switch, state = switch_of_one
    pid = switch.vswitchd.pid
    limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    for turn, limit in enumerate((1, 20000, 100000, 250000)):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, limits[1]))
        with moving(switch):
            refused, state = change_all(
                switch, state, (switch.path("turnout.db"), "File too large"), 100 + 10 * turn)
        assert refused or limit > 1
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
        params, state = change("flow.add", state, 5 + turn)
        switch.rpc("flow.add", **params)
        assert_is(switch, state)
    restart(switch, state)


# --- Damage ---

@pytest.fixture
def switch_of_one(tmp_path):
    with Switch() as switch:
        yield switch, make_first(switch, tmp_path)


def refused_start(switch, *parts):
    """vswitchd ends with status 1 and one line that says all of this."""
    with open(switch.path("vswitchd.log"), encoding="utf-8") as log:
        log.seek(0, os.SEEK_END)
        switch.start_vswitchd()
        assert switch.vswitchd.wait(30) == 1
        lines = [line for line in log.read().splitlines() if " info " not in line]
    assert len(lines) == 1, lines
    for part in parts:
        assert part in lines[0], lines[0]


def overwrite(path, start, end=None):
    """Random bytes over that part of a file."""
    with open(path, "r+b") as file:
        end = end or os.path.getsize(path)
        file.seek(start)
        file.write(random.Random(7).randbytes(end - start))


def random_pages(database):
    size = os.path.getsize(database)
    for page in range(8192, size, 3 * 4096):
        overwrite(database, page, page + 4096)


def execute(database, statement):
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute(statement)
        connection.commit()


def damage_index(database):
    """Another letter in the key of an index, whose pages stay as they should be."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        bridge, = connection.execute("SELECT bridge FROM flow_sets").fetchone()
        # No log is left by this connection.
        connection.execute("PRAGMA journal_mode=DELETE")
    with open(database, "r+b") as file:
        content = file.read()
        at = content.rindex(b"\x01" + bridge.encode()) if (
            b"\x01" + bridge.encode()) in content else content.rindex(bridge.encode())
        file.seek(at + 5)
        file.write(b"z")


def write_text(database):
    with open(database, "w", encoding="ascii") as file:
        file.write("this is a text and no database\n" * 1000)


BACKUP = "put a backup in its place"
# What is done to the files, whether vswitchd is killed before (so that there is a log) or ends, and
# what is said.
DAMAGES = {
    "random bytes over pages": (random_pages, False, BACKUP),
    "random bytes over all": (lambda file: overwrite(file, 0), False, BACKUP),
    "cut off in the middle": (
        lambda file: os.truncate(file, os.path.getsize(file) // 2), False, BACKUP),
    "cut off to nothing": (lambda file: os.truncate(file, 0), False, BACKUP),
    "no database": (write_text, False, BACKUP),
    "an index": (damage_index, False, BACKUP),
    "a newer version": (lambda file: execute(file, "PRAGMA user_version=99"), False,
                        "upgrade vswitchd"),
    "another program": (lambda file: execute(file, "PRAGMA application_id=5"), False,
                        "database of another program"),
    "a flow that is none": (lambda file: execute(file, "UPDATE flows SET flow='nonsense'"), False,
                            "put a backup in the file's place"),
    "a table that is none": (lambda file: execute(file, "UPDATE rows SET name='Nowhere'"), False,
                             "put a backup in the file's place"),
    "a row that is none": (lambda file: execute(file, "UPDATE rows SET columns='{'"), False,
                           "put a backup in the file's place"),
    "the log's beginning": (lambda file: overwrite(file + "-wal", 0, 100), True, BACKUP),
    "the log": (lambda file: overwrite(file + "-wal", 3000, 9000), True, BACKUP),
    "file away, log there": (os.unlink, True, "put the file back"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged(switch_of_one, tmp_path, name):
    """Refused in one line; when the files are put right, the datapath is adopted."""
    switch, state = switch_of_one
    damage, killed, words = DAMAGES[name]
    for n in range(20):  # for there to be something in the log
        params, state = change("flow.add", state, 10 + n)
        switch.rpc("flow.add", **params)
    params, state = change("flow.replace", state, 1)
    switch.rpc("flow.replace", **params)
    datapathd = switch.pid_of("datapathd")
    switch.kill("vswitchd", signal.SIGKILL if killed else signal.SIGTERM)
    database = switch.path("turnout.db")
    files = [file for file in (database, database + "-wal") if os.path.exists(file)]
    assert len(files) == 1 + killed
    for file in files:
        shutil.copy(file, tmp_path)
    before = changes.ask_datapathd(switch, changes.counters)
    damage(database)
    with moving(switch):
        refused_start(switch, database, words)
        refused_start(switch, database, words)  # it has made nothing of it
    for file in files:
        shutil.copy(tmp_path / os.path.basename(file), file)
    adopt(switch, state, datapathd, before)


def test_damaged_while_running(switch_of_one, tmp_path):
    """Changes are in force and stored or refused; a backup from before brings its state back."""
    switch, state = switch_of_one
    database, backup = switch.path("turnout.db"), str(tmp_path / "backup.db")
    switch.vsctl("backup", backup)
    kept = state.copy()
    overwrite(database, 0)
    with moving(switch):
        _, state = change_all(switch, state, (database, "put a backup in its place"), 100)
    datapathd, before = switch.pid_of("datapathd"), changes.ask_datapathd(switch, changes.counters)
    switch.kill("vswitchd")
    shutil.copy(backup, database)
    refused_start(switch, database, "move the log away")
    os.unlink(database + "-wal")
    adopt(switch, kept, datapathd, before)


def test_moved_away(switch_of_one, tmp_path):
    """While vswitchd runs, changes that the next one would not find are refused; when it starts
    without a file, the switch is empty."""
    switch, state = switch_of_one
    database, away = switch.path("turnout.db"), str(tmp_path / "away.db")
    os.rename(database, away)
    with moving(switch):
        refused, state = change_all(switch, state, (database, "put it back"), 100)
    assert refused == len(KINDS)
    os.rename(away, database)
    refused, state = change_all(switch, state, None, 200)
    assert not refused
    restart(switch, state)
    switch.kill("vswitchd")
    for suffix in ("", "-wal"):
        os.rename(database + suffix, away + suffix)
    switch.start_vswitchd()
    switch.wait_ready()
    assert_is(switch, changes.State())


def test_backup(switch_of_one, tmp_path):
    switch, state = switch_of_one
    backup = tmp_path / "backup.db"
    switch.vsctl("backup", backup)
    kept = state.copy()
    refused, state = change_all(switch, state, None, 100)
    assert not refused
    assert "give another name" in switch.run("vswitch/vsctl", "backup", backup, status=1).err
    refused = switch.run("vswitch/vsctl", "backup", "/nowhere/b", status=1).err
    assert "/nowhere/b" in refused and switch.path("turnout.db") in refused, refused
    with pytest.raises(RpcError, match="whole path"):
        switch.rpc("db.backup", file="backup.db")
    assert os.listdir(tmp_path).count("backup.db.part") == 0
    datapathd, before = switch.pid_of("datapathd"), changes.ask_datapathd(switch, changes.counters)
    switch.kill("vswitchd", signal.SIGTERM)
    shutil.copy(backup, switch.path("turnout.db"))
    adopt(switch, kept, datapathd, before)

# SPDX-License-Identifier: Apache-2.0
"""A switch of one's own: both daemons in a private run directory, and ways to talk to them."""
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile

from .accounts import assert_balanced
from .machine import PMD_MASK, free_hugepages, program
from .process import is_running, kill_and_wait
from .rpc import RpcClient, RpcError
from .waiting import wait_until

SANITIZER = re.compile(r"ERROR: (?:Address|Leak)Sanitizer|runtime error:")
ALL = []  # switches that live now, for the report of a failed test


class Result:
    """How a command ended."""

    def __init__(self, command, status, out, err):
        self.command, self.status, self.out, self.err = command, status, out, err

    def __repr__(self):
        return f"{' '.join(self.command)} -> {self.status}\n{self.out}{self.err}"


class Switch:
    def __init__(self, configuration="", pmd_mask=PMD_MASK, memory=None, start=True,
                 database=None, adopt=False):
        """`configuration` is YAML; without it, datapathd gets `memory` MiB, and huge pages if
        there are any. `database` is the file's path, in the run directory if not given. With
        `adopt`, vswitchd starts no datapathd: see Supervised."""
        self.rundir = tempfile.mkdtemp(prefix="turnout-", dir="/tmp")
        self.vswitchd = None
        self.pmd_mask = pmd_mask
        self.options = ["--adopt"] if adopt else []
        self.wrapper = []  # a command that starts vswitchd
        self._rpc = None
        if memory is None:
            memory = 512 if free_hugepages() >= 256 else 0
        if not configuration:
            configuration = f"datapathd:\n    memory: {memory}\n"
            if not free_hugepages():
                configuration += "    huge_pages: no\n"
        if database:
            configuration += f"database:\n    path: {database}\n"
        with open(self.path("turnout.yaml"), "w", encoding="utf-8") as file:
            file.write(configuration)
        ALL.append(self)
        if start:
            self.start()

    # Life

    def path(self, name):
        return os.path.join(self.rundir, name)

    def start(self, deadline=40.0):
        """Start vswitchd (again) and wait until it and the datapath are ready."""
        self.start_vswitchd()
        self.wait_ready(deadline)
        if self.pmd_mask:
            self.vsctl("set", "Open_vSwitch", ".", f"other_config:pmd-cpu-mask={self.pmd_mask}")
        return self

    def start_vswitchd(self):
        with open(self.path("vswitchd.log"), "ab") as log:
            self.vswitchd = subprocess.Popen(
                [*self.wrapper, program("vswitch/vswitchd"), "--rundir", self.rundir,
                 "--conf", self.path("turnout.yaml"), *self.options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def wait_ready(self, deadline=40.0):
        """Wait until vswitchd answers and is connected to a datapath."""
        def ready():
            if self.vswitchd and self.vswitchd.poll() is not None:
                raise RuntimeError(f"vswitchd ended with status {self.vswitchd.returncode}:\n"
                                   + self.logs())
            return self.rpc("system.info")["datapath"].get("connected")
        wait_until(ready, "vswitchd to be connected to a datapath", deadline)

    def pid_of(self, daemon):
        """The pid in the pid file of "vswitchd" or "datapathd" if that process runs, else None."""
        try:
            with open(self.path(daemon + ".pid"), encoding="ascii") as file:
                pid = int(file.read())
        except (FileNotFoundError, ValueError):
            return None
        return pid if is_running(pid) else None

    def kill(self, daemon, sig=signal.SIGKILL):
        """Kill a daemon and wait for its end; returns the pid that it had."""
        pid = self.pid_of(daemon)
        assert pid, f"{daemon} is not running"
        os.kill(pid, sig)
        if daemon == "vswitchd" and self.vswitchd:
            self.vswitchd.wait(15)
            self._drop_rpc()
        else:
            wait_until(lambda: not is_running(pid), f"{daemon} to end", 15)
        return pid

    def assert_accounted(self):
        """Every packet that came by any port, and every copy, was given to a port or dropped for a
        reason, exactly, over the life of this datapathd; and what ports were given they sent or
        dropped for a reason. Only when no port is left does nothing move any more; datapathd looks
        at each that is deleted."""
        client = RpcClient(self.path("datapathd.sock"))
        try:
            if client.call("port.status"):
                return
            info = client.call("datapath.info")
        finally:
            client.close()
        assert info["unbalanced"] == 0, "ports, see datapathd's log"
        assert_balanced([info["removed"], info["packet_outs"]])

    def clear(self):
        """Delete all bridges, and see that all packets are accounted for."""
        for bridge in self.rpc("bridge.list"):
            self.rpc("bridge.del", name=bridge)
        self.assert_accounted()

    def stop(self):
        """Stop both daemons, first politely; remove the run directory."""
        lost = None
        try:
            if self.pid_of("vswitchd") and self.pid_of("datapathd"):
                try:
                    self.clear()
                except (OSError, ValueError, RpcError):
                    pass  # one that is ill
                except AssertionError as error:
                    lost = error
            if self.vswitchd and self.vswitchd.poll() is None:
                try:
                    self.rpc("system.exit", datapath=True)
                except (OSError, ValueError, RpcError):
                    pass  # whatever it says, the pids decide
                try:
                    self.vswitchd.wait(5)
                except subprocess.TimeoutExpired:
                    self.vswitchd.kill()
                    self.vswitchd.wait(5)
            self.end_supervisor()
            for daemon in ("vswitchd", "datapathd"):
                pid = self.pid_of(daemon)
                if pid:
                    try:
                        wait_until(lambda pid=pid: not is_running(pid), f"{daemon} to end", 3)
                    except AssertionError:
                        kill_and_wait(pid)
        finally:
            self._drop_rpc()
            if self in ALL:
                ALL.remove(self)
            everything = self.logs(lines=1000)
            shutil.rmtree(self.rundir, ignore_errors=True)
        # With TURNOUT_BUILD=build-asan the daemons say more.
        assert not SANITIZER.search(everything), everything[-6000:]
        if lost:
            raise lost

    def end_supervisor(self):
        """For those who have one."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def logs(self, lines=30):
        text = ""
        for name in ("vswitchd.log", "datapathd.log"):
            try:
                with open(self.path(name), encoding="utf-8", errors="replace") as file:
                    text += f"--- {name}\n" + "".join(file.readlines()[-lines:])
            except FileNotFoundError:
                pass
        return text

    # Talking

    def run(self, name, *arguments, status=0, stdin=None, timeout=60):
        """Run a program of the build against this switch. status=None accepts any."""
        command = [program(name), "--rundir", self.rundir, *map(str, arguments)]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True,
                              timeout=timeout, check=False)
        result = Result([name, *map(str, arguments)], done.returncode, done.stdout, done.stderr)
        if status is not None:
            assert result.status == status, f"expected exit status {status}: {result!r}"
        return result

    def vsctl(self, *arguments, **options):
        return self.run("vswitch/vsctl", *arguments, **options).out

    def ofctl(self, *arguments, **options):
        return self.run("ofctl/ofctl", *arguments, **options).out

    def connect(self):
        """A connection of one's own."""
        return RpcClient(self.path("vswitchd.sock"))

    def rpc(self, method, **params):
        """Call over a connection that is kept open, and made anew after vswitchd has gone."""
        for attempt in (1, 2):
            if self._rpc is None:
                self._rpc = self.connect()
            try:
                return self._rpc.call(method, **params)
            except OSError:
                self._drop_rpc()
                if attempt == 2:
                    raise

    def connection(self):
        """The connection that rpc() keeps open."""
        if self._rpc is None:
            self._rpc = self.connect()
        return self._rpc

    def _drop_rpc(self):
        if self._rpc:
            self._rpc.close()
            self._rpc = None

    # What tests ask most

    def add_port(self, bridge, name, **values):
        """add_port("br0", "p1", type="dpdk", devargs="...", ofport=1)"""
        return self.vsctl("add-port", bridge, name, *(f"{k}={v}" for k, v in values.items()))

    def port(self, name):
        """The Interface row: {"statistics": {...}, "status": {...}, "error": ...}."""
        return json.loads(self.vsctl("-f", "json", "list", "Interface", name))[0]

    def stats(self, name):
        """The statistics column of an Interface."""
        return self.rpc("db.get", table="Interface", record=name, column="statistics")

    def state(self, name):
        return self.rpc("db.get", table="Interface", record=name, column="status").get("state")

    def wait_state(self, name, *states, deadline=20.0):
        return wait_until(lambda: self.state(name) in states,
                          f"port {name} to be {' or '.join(states)}", deadline)

    def set_flows(self, bridge, *flows):
        """Replace all flows of a bridge."""
        return self.rpc("flow.replace", bridge=bridge, lines="\n".join(flows) + "\n")

    def flows(self, bridge, flow=None):
        """[{table, priority, packets, bytes, text, ...}]"""
        params = {"bridge": bridge}
        if flow:
            params["flow"] = flow
        return self.rpc("flow.dump", **params)["flows"]

    def flow_packets(self, bridge, flow=None):
        return sum(row["packets"] for row in self.flows(bridge, flow))


def report():
    """The logs of all switches that live, for a failed test."""
    return "\n".join(f"=== switch in {switch.rundir}\n{switch.logs()}" for switch in ALL)


def stop_all():
    for switch in list(ALL):
        switch.stop()

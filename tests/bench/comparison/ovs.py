# SPDX-License-Identifier: Apache-2.0
"""Open vSwitch with DPDK as a subject: Debian's programs in a directory and a network namespace of
their own, so that the system's service, if there is one, is not touched."""
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile

from turnout.machine import PMD_CORE, PMD_MASK, PROCESSORS
from turnout.process import Process
from turnout.waiting import wait_until

from .openflow import Connection
from .subject import MAC_AGING, Counts, Subject

PROGRAM = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
BRIDGE = "br0"
# A pool of 262,144 buffers of 2.8 KB, and the rest.
MEMORY = 1024


def missing():
    """Why it cannot run here, or ""."""
    if not os.path.exists(PROGRAM) or not os.path.exists(SCHEMA):
        return "openvswitch-switch-dpdk is not installed (apt-get install openvswitch-switch-dpdk)"
    for name in ("ovsdb-server", "ovsdb-tool", "ovs-vsctl", "ovs-ofctl"):
        if not shutil.which(name):
            return f"{name} is not installed (apt-get install openvswitch-switch)"
    return ""


class UnixControl:
    """The daemon's control socket, kept open: JSON-RPC 1.0, see ovs-appctl(8)."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(120)
        self._socket.connect(path)
        self._numbers, self._decoder = itertools.count(), json.JSONDecoder()

    def call(self, method, *params):
        request = {"id": next(self._numbers), "method": method, "params": params}
        self._socket.sendall(json.dumps(request).encode())
        text = ""
        while True:
            piece = self._socket.recv(1 << 20)
            if not piece:
                raise ConnectionError("ovs-vswitchd closed its control socket")
            text += piece.decode()
            try:
                answer = self._decoder.raw_decode(text)[0]
            except json.JSONDecodeError:
                continue
            if answer.get("error"):
                raise RuntimeError(f"ovs-vswitchd: {method}: {answer['error']}")
            return answer["result"]

    def close(self):
        self._socket.close()


class OpenVSwitch(Subject):
    key, name, thread = "ovs", "OVS-DPDK", "pmd-c"

    def __init__(self):
        super().__init__()
        self.folder, self.control, self._processes = None, None, []

    @staticmethod
    def memory(_setup):
        return MEMORY

    def path(self, name):
        return os.path.join(self.folder, name)

    def _environment(self):
        names = ("OVS_RUNDIR", "OVS_DBDIR", "OVS_LOGDIR", "OVS_SYSCONFDIR")
        return {**os.environ, **{name: self.folder for name in names}}

    def _run(self, *command, timeout=600):
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout,
                              env=self._environment(), check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)[:300]}: {(done.stderr or done.stdout)[-1000:]}")
        return done.stdout

    def vsctl(self, *arguments):
        return self._run("ovs-vsctl", f"--db=unix:{self.path('db.sock')}", "-t", "60", *arguments)

    def ofctl(self, command, *arguments, options=()):
        return self._run("ovs-ofctl", *options, "-t", "600", command,
                         "unix:" + self.path(BRIDGE + ".mgmt"), *arguments)

    def start(self, setup):
        self.folder = tempfile.mkdtemp(prefix="turnout-ovs-", dir="/tmp")
        self._start_daemons()
        options = [f"other_config:mac-aging-time={MAC_AGING}"]
        if setup.mac_table:
            options.append(f"other_config:mac-table-size={setup.mac_table}")
        self.vsctl("add-br", BRIDGE, "--", "set", "Bridge", BRIDGE, "datapath_type=netdev",
                   "fail_mode=secure", *options)
        self.ofctl("del-flows")
        if setup.flows:
            self.run("add-flows", self.write_flows("setup.flows", setup.flows))
        self._add_ports(setup)

    def _daemon(self, *command):
        # A namespace of its own: the bridge makes kernel interfaces, br0 and ovs-netdev.
        process = Process(os.path.basename(command[0]), ["unshare", "--net", *command],
                          env=self._environment(), cwd=self.folder)
        self._processes.append(process)
        return process

    def _wait_for(self, process, name):
        def there():
            if process.child.poll() is not None:
                raise RuntimeError(f"{process.name} ended: {process.output[-2000:]}")
            return os.path.exists(self.path(name))
        wait_until(there, f"{process.name} to listen", 60)

    def _start_daemons(self):
        self._run("ovsdb-tool", "create", self.path("conf.db"), SCHEMA)
        database = self._daemon("ovsdb-server", self.path("conf.db"), "--no-chdir",
                                f"--remote=punix:{self.path('db.sock')}",
                                f"--unixctl={self.path('ovsdb.ctl')}",
                                f"--log-file={self.path('ovsdb.log')}")
        self._wait_for(database, "db.sock")
        self.vsctl("--no-wait", "init")
        self.vsctl("--no-wait", "set", "Open_vSwitch", ".", *(
            f"other_config:{key}={value}" for key, value in {
                "dpdk-init": "true",
                "dpdk-lcore-mask": hex(1 << PROCESSORS[0]),
                "dpdk-socket-mem": MEMORY,
                "dpdk-extra": f'"--no-pci --in-memory --no-telemetry '
                              f'--file-prefix=compare-ovs-{os.getpid()}"',
                "pmd-cpu-mask": PMD_MASK,
                "max-idle": 86400000,
            }.items()))
        # Whatever does not poll stays off the core that does.
        switch = self._daemon("taskset", "-c", str(PROCESSORS[0]) if PROCESSORS[0] != PMD_CORE
                              else f"{PMD_CORE}", PROGRAM, f"unix:{self.path('db.sock')}",
                              "--no-chdir", f"--unixctl={self.path('vswitchd.ctl')}",
                              f"--log-file={self.path('vswitchd.log')}")
        self._wait_for(switch, "vswitchd.ctl")
        self.control = UnixControl(self.path("vswitchd.ctl"))

    def _add_port(self, name, number, kind, option):
        self.vsctl("add-port", BRIDGE, name, "--", "set", "Interface", name, f"type={kind}",
                   f"options:{option}", f"ofport_request={number}")
        error = self.vsctl("get", "Interface", name, "error").strip()
        if error not in ("[]", '""'):
            raise RuntimeError(f"Open vSwitch refuses port {name}: {error}")

    def _add_ports(self, setup):
        for number, path in enumerate(setup.sockets, 1):
            self._add_port(f"p{number}", number, "dpdkvhostuserclient", f"vhost-server-path={path}")
        for number in range(1, len(setup.sockets) + 1):
            self.vsctl("wait-until", "Interface", f"p{number}", "link_state=up")
        if not setup.pcap and not setup.sink:
            return
        sink = f"net_pcap1,rx_pcap={setup.learn}" if setup.learn else "net_null0,no-rx=1"
        self._add_port("p2", 2, "dpdk", f'dpdk-devargs="{sink}"')
        if setup.learn:
            wait_until(lambda: self.macs() >= setup.macs, "Open vSwitch to learn", 120, 0.3)
        if setup.pcap:
            self._add_port("p1", 1, "dpdk",
                           f'dpdk-devargs="net_pcap0,rx_pcap={setup.pcap},infinite_rx=1"')

    def feed(self, number, pcap):
        self._add_port("p3", 3, "dpdk", f'dpdk-devargs="net_pcap{10 + number},rx_pcap={pcap}"')

    def unfeed(self):
        self.vsctl("del-port", BRIDGE, "p3")

    def forget(self):
        self.control.call("dpctl/del-flows", "netdev@ovs-netdev")

    def macs(self):
        text = self.control.call("fdb/stats-show", BRIDGE)
        return int(re.search(r"MAC entries in the table: (\d+)", text).group(1))

    def pids(self):
        return [self._processes[1].pid]

    def counts(self):
        text = self.control.call("dpctl/show", "-s", "netdev@ovs-netdev")
        lookups = re.search(r"lookups: hit:\d+ missed:\d+ lost:(\d+)", text)
        lost = {"upcall": int(lookups.group(1)), "RX_dropped": 0, "TX_dropped": 0}
        numbers = {"RX": 0, "TX": 0}
        for port in re.split(r"^  port \d+: ", text, flags=re.M)[1:]:
            if not port.startswith("p"):
                continue
            for way in ("RX", "TX"):
                packets, dropped = re.search(way + r" packets:(\d+|\?) errors:[\d?]+ "
                                             r"dropped:(\d+|\?)", port).groups()
                # A question mark: this type of port does not count that.
                numbers[way] += int(packets.replace("?", "0"))
                lost[way + "_dropped"] += int(dropped.replace("?", "0"))
        # Upcalls are counted above, at once; coverage counters may be seconds late, and frames that
        # came before the bridge knew the port must not be taken for later ones.
        for name, count in re.findall(r"^(datapath_drop\w+) .*total: (\d+)",
                                      self.control.call("coverage/show"), re.M):
            if name != "datapath_drop_upcall_error":
                lost[name] = int(count)
        return Counts(numbers["RX"], numbers["TX"], lost)

    def idle(self):
        text = self.control.call("dpif-netdev/pmd-stats-show")
        idle, busy = (int(re.search(rf"{word} cycles: (\d+)", text).group(1))
                      for word in ("idle", "processing"))
        return idle, idle + busy

    # Flows

    def write_flows(self, name, lines):
        path = self.path(name)
        with open(path, "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")
        return path

    def run(self, command, path, atomic=False):
        self.ofctl(command, path, options=("--bundle",) if atomic else ())

    def delete_flows(self):
        self.ofctl("del-flows")

    def flow_count(self, match=""):
        text = self.ofctl("dump-aggregate", *([match] if match else []))
        return int(re.search(r"flow_count=(\d+)", text).group(1))

    def changes(self):
        return Connection(self.path(BRIDGE + ".mgmt"))

    def close(self):
        if self.control:
            self.control.close()
        for process in reversed(self._processes):
            process.kill(signal.SIGKILL)
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

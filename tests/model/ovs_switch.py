# SPDX-License-Identifier: Apache-2.0
"""Open vSwitch with dummy ports in a private directory: no root, no kernel module, no network.

Frames go in by the unixctl command netdev-dummy/receive and come out in one pcap file per port.
The switch is told to cache nothing (flow-limit=0), so that each packet goes through the OpenFlow
tables as they are, MAC learning is in force for the next packet, and counters are exact.

A frame of Ethernet type 0x88b5 is sent straight back to the port that it came from. It is behind
the frames of its port in the queue, so when it is out, so are they.
"""

import ctypes
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
FENCE_FLOW = "table=0,priority=65535,cookie=0xffffffffffffffff,dl_type=0x88b5,actions=IN_PORT"
FENCE_TYPE = b"\x88\xb5"
DEADLINE = 30


def missing():
    """Why it cannot run here, or None."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # not everybody has them
    for program in ("ovs-vswitchd", "ovsdb-server", "ovsdb-tool", "ovs-vsctl", "ovs-ofctl"):
        if not shutil.which(program):
            return program + " is not installed (package openvswitch-switch)"
    return None if os.path.exists(SCHEMA) else SCHEMA + " is not there"


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Refused(Exception):
    """A flow that ovs-ofctl does not accept; `line` counts from 1, or is None."""

    def __init__(self, message):
        super().__init__(message)
        place = re.search(r"flows:(\d+): ", message)
        self.line = int(place.group(1)) if place else None


class Capture:
    """Reads a pcap file that is still growing."""

    def __init__(self, path):
        self.file = open(path, "rb")
        self.rest = b""
        self.at_start = True

    def frames(self):
        data = self.rest + self.file.read()
        if self.at_start and len(data) >= 24:
            data, self.at_start = data[24:], False
        while not self.at_start and len(data) >= 16:
            size = struct.unpack("=I", data[8:12])[0]
            if len(data) < 16 + size:
                break
            yield data[16:16 + size]
            data = data[16 + size:]
        self.rest = data


class Switch:
    def __init__(self, ports):
        self.ports = range(1, ports + 1)
        self.dir = tempfile.mkdtemp(prefix="ovs-")
        self.processes = []
        self.control = None
        self.fences = 0
        try:
            self.start()
        except BaseException:
            self.stop()
            raise

    # --- Processes ---

    def path(self, name):
        return os.path.join(self.dir, name)

    def command(self, *arguments):
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=DEADLINE,
                              check=False, env=self.environment)
        if done.returncode:
            raise Refused((done.stderr or done.stdout).strip())
        return done.stdout

    def wait_for(self, what, condition):
        end = time.monotonic() + DEADLINE
        while not condition():
            for process in self.processes:
                if process.poll() is not None:
                    raise RuntimeError("%s has ended: %s" % (process.args[0], self.log_end()))
            if time.monotonic() > end:
                raise RuntimeError("waited too long for " + what)
            time.sleep(0.0002)

    def log_end(self):
        with open(self.path("log"), encoding="utf-8", errors="replace") as log:
            return log.read()[-2000:]

    def spawn(self, socket_name, *arguments):
        with open(self.path("log"), "ab") as log:
            self.processes.append(subprocess.Popen(
                arguments + ("--unixctl=" + self.path(socket_name), "-vconsole:warn",
                             "-vsyslog:off"),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment,
                preexec_fn=die_with_parent))
        self.wait_for(arguments[0], lambda: os.path.exists(self.path(socket_name)))

    def start(self):
        self.environment = dict(os.environ, OVS_RUNDIR=self.dir, OVS_LOGDIR=self.dir,
                                OVS_DBDIR=self.dir, OVS_SYSCONFDIR=self.dir)
        self.database = "--db=unix:" + self.path("db")
        self.command("ovsdb-tool", "create", self.path("conf.db"), SCHEMA)
        self.spawn("ovsdb.ctl", "ovsdb-server", self.path("conf.db"),
                   "--remote=punix:" + self.path("db"))
        self.command("ovs-vsctl", self.database, "--no-wait", "init", "--", "set", "Open_vSwitch",
                     ".", "other_config:vlan-limit=0", "other_config:flow-limit=0")
        self.spawn("vswitchd.ctl", "ovs-vswitchd", "unix:" + self.path("db"),
                   "--enable-dummy=override", "--disable-system")
        words = ["add-br", "br0", "--", "set", "Bridge", "br0", "fail_mode=secure",
                 "protocols=OpenFlow10,OpenFlow14"]
        for port in self.ports:
            words += ["--", "add-port", "br0", "p%d" % port, "--", "set", "Interface", "p%d" % port,
                      "type=dummy", "ofport_request=%d" % port,
                      "options:tx_pcap=" + self.path("p%d.pcap" % port)]
        self.vsctl(*words)
        # Ports of first fragments can be matched.
        self.ofctl("set-frags", "br0", "nx-match")
        self.control = socket.socket(socket.AF_UNIX)
        self.control.settimeout(DEADLINE)
        self.control.connect(self.path("vswitchd.ctl"))
        self.unixctl("vlog/set", "ofproto_dpif_upcall:off")
        self.unixctl("revalidator/wait")
        self.captures = {port: Capture(self.path("p%d.pcap" % port)) for port in self.ports}

    def stop(self):
        if self.control:
            self.control.close()
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    # --- Commands ---

    def vsctl(self, *arguments):
        return self.command("ovs-vsctl", self.database, *arguments)

    def ofctl(self, *arguments):
        return self.command("ovs-ofctl", *arguments)

    def unixctl(self, method, *arguments):
        request = {"id": 0, "method": method, "params": list(arguments)}
        self.control.sendall(json.dumps(request).encode())
        data = b""
        while True:
            data += self.control.recv(1 << 20)
            try:
                reply = json.loads(data)
                break
            except ValueError:
                continue
        if reply.get("error"):
            raise RuntimeError("%s: %s" % (method, reply["error"]))
        return reply["result"]

    def set_ports(self, settings):
        """settings: port -> (mode, tag, list of trunks)."""
        words = []
        for port, (mode, tag, trunks) in settings.items():
            words += ["--", "set", "Port", "p%d" % port, "vlan_mode=" + mode,
                      "trunks=[%s]" % ",".join(map(str, trunks)),
                      "tag=%s" % ("[]" if mode == "trunk" else tag)]
        self.vsctl(*words[1:])

    def set_flood(self, port, flood):
        self.ofctl("mod-port", "br0", "p%d" % port, "flood" if flood else "no-flood")

    def change_flows(self, lines, version):
        """All of the lines or, if Refused is raised, none."""
        with open(self.path("flows"), "w", encoding="utf-8") as file:
            file.write("\n".join(lines + [FENCE_FLOW]) + "\n")
        self.ofctl("-O", version, "--bundle" if version != "OpenFlow10" else "-vconsole:off",
                   "add-flows", "br0", self.path("flows"))

    def change_groups(self, lines):
        """Lines as add-groups reads them: "add ...", "modify ...", "delete group_id=..."."""
        with open(self.path("groups"), "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        self.ofctl("-O", "OpenFlow14", "add-groups", "br0", self.path("groups"))

    def set_live(self, port, live):
        self.ofctl("mod-port", "br0", "p%d" % port, "up" if live else "down")
        # The main loop has to come round before packets are told.
        for _ in range(2):
            self.unixctl("version")

    def groups(self):
        """number -> [(packets, bytes) of the group, then of each bucket]"""
        counters = {}
        for number, rest in re.findall(r"group_id=(\d+),(.*)",
                                       self.ofctl("-O", "OpenFlow14", "dump-group-stats", "br0")):
            counters[int(number)] = [(int(packets), int(size)) for packets, size in re.findall(
                r"packet_count=(\d+),byte_count=(\d+)", rest)]
        return counters

    def reset(self):
        self.ofctl("-O", "OpenFlow14", "del-groups", "br0")
        self.ofctl("del-flows", "br0")
        self.unixctl("fdb/flush", "br0")

    def flows(self, version="OpenFlow14"):
        """cookie -> (packets, bytes)"""
        counters = {}
        for cookie, packets, size in re.findall(
                r"cookie=(0x[0-9a-f]+),.* n_packets=(\d+), n_bytes=(\d+)",
                self.ofctl("-O", version, "dump-flows", "br0")):
            if len(cookie) < 18:
                counters[int(cookie, 16)] = (int(packets), int(size))
        return counters

    def run(self, packets):
        """packets: list of (port, frame). Returns a list of (port, frame) that came out; those of
        one port are in order."""
        by_port, outputs = {}, []
        for port, frame in packets:
            by_port.setdefault(port, []).append(frame.hex())
        self.fences += 1
        for port, frames in by_port.items():
            fence = bytes(12) + FENCE_TYPE + struct.pack("!I", self.fences) + bytes(46)
            self.unixctl("netdev-dummy/receive", "p%d" % port, *frames, fence.hex())
        waiting = set(by_port)

        def all_out():
            for port, capture in self.captures.items():
                for frame in capture.frames():
                    if frame[12:14] == FENCE_TYPE:
                        waiting.discard(port)
                    else:
                        outputs.append((port, frame))
            return not waiting

        self.wait_for("packets", all_out)
        # What was written to another port's file before the last fence came out.
        for port, capture in self.captures.items():
            outputs += [(port, frame) for frame in capture.frames()]
        return outputs

    def trace(self, port, frame):
        return self.unixctl("ofproto/trace", "br0", "in_port=%d" % port, frame.hex())

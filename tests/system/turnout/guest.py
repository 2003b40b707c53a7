# SPDX-License-Identifier: Apache-2.0
"""A guest without a virtual machine: dpdk-testpmd with virtio-user devices.

Its interactive prompt is driven over a terminal. A guest has one or more ports; each is a
vhost-user socket path. With huge pages it runs as fast as real guests do; without, its memory is
an ordinary shared file, and the vhost-user protocol is the same.
"""
import itertools
import os
import re
import shutil

from .machine import free_hugepages, guest_core
from .process import Process

PROMPT = "testpmd> "
_numbers = itertools.count()


class Guest:
    def __init__(self, paths, name=None, server=False, packed=False, mrg_rxbuf=True, queues=1,
                 queue_size=256, macs=None, hugepages=None, core=None, extra="", mode="io",
                 devices=(), arguments=()):
        """`paths`: vhost-user sockets, one port each. `server`: the guest listens, the switch
        connects. `extra` is appended to each --vdev; `devices` are further --vdev values, whose
        ports come after those of `paths`."""
        number = next(_numbers)
        self.name = name or f"guest{number}"
        if hugepages is None:
            hugepages = free_hugepages() >= 200
        core = guest_core(number) if core is None else core
        prefix = f"t{os.getpid()}g{number}"
        self._runtime = os.path.join("/var/run/dpdk", prefix)
        command = ["dpdk-testpmd", "--no-pci", f"--file-prefix={prefix}", "--no-telemetry",
                   "--log-level=lib.eal:warning", f"--lcores=0@{core},1@{core}"]
        if hugepages:
            command += ["--in-memory", "--single-file-segments", "--socket-mem=128"]
        else:
            command += ["--no-huge", "-m", "160", "--iova-mode=va"]
        for index, path in enumerate(paths):
            mac = macs[index] if macs else f"02:00:00:00:{number % 256:02x}:{index:02x}"
            device = (f"net_virtio_user{index},path={path},queues={queues},mac={mac},"
                      f"queue_size={queue_size},packed_vq={int(packed)},mrg_rxbuf={int(mrg_rxbuf)}")
            if server:
                device += ",server=1"
                # One that was killed leaves its socket behind.
                if os.path.exists(path):
                    os.unlink(path)
            command.append(f"--vdev={device}{extra}")
        command += [f"--vdev={device}" for device in devices]
        command += ["--", "-i", f"--forward-mode={mode}", "--nb-cores=1", "--no-flush-rx",
                    f"--total-num-mbufs={8192 if hugepages else 4096}", f"--rxq={queues}",
                    f"--txq={queues}", f"--rxd={queue_size}", f"--txd={queue_size}", *arguments]
        self.process = Process(self.name, command, terminal=True)

    def ready(self, deadline=30.0):
        """Wait for the prompt. A guest that listens waits there for the switch to connect."""
        self.process.wait_for(re.escape(PROMPT), deadline=deadline)
        return self

    def ask(self, command, deadline=20.0):
        """Type a command; return what was printed until the next prompt."""
        start = len(self.process.output)
        self.process.write(command + "\n")
        # The terminal echoes the command behind the old prompt; the new prompt follows the answer.
        echo = self.process.wait_for(re.escape(command) + r"\n", start, deadline)
        answer = self.process.wait_for(re.escape(PROMPT), echo.end(), deadline)
        return self.process.output[echo.end():answer.start()]

    def start(self, burst=0):
        """Forward; with `burst`, first send so many bursts of 32 frames on each port."""
        answer = self.ask(f"start tx_first {burst}" if burst else "start")
        assert "packet forwarding" in answer, f"{self.name} did not start: {answer}"
        return answer

    def stop(self):
        return self.ask("stop")

    def stats(self, port=0):
        """{"rx": packets, "tx": packets, "missed": ..., "rx_bytes": ..., "tx_bytes": ...}."""
        text = self.ask(f"show port stats {port}")

        def number(label):
            found = re.search(rf"{label}:\s*(\d+)", text)
            assert found, f"no {label} in {text!r}"
            return int(found.group(1))

        return {"rx": number("RX-packets"), "tx": number("TX-packets"),
                "missed": number("RX-missed"), "rx_bytes": number("RX-bytes"),
                "tx_bytes": number("TX-bytes")}

    def link_up(self, port=0):
        return "Link status: up" in self.ask(f"show port info {port}")

    def kill(self):
        """As a guest that crashes: SIGKILL."""
        self.process.kill()
        shutil.rmtree(self._runtime, ignore_errors=True)

    def quit(self):
        try:
            if self.process.child.poll() is None:
                self.process.write("stop\nquit\n")
                self.process.wait(10)
        finally:
            self.kill()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

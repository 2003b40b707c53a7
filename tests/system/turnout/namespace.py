# SPDX-License-Identifier: Apache-2.0
"""The kernel as a peer: network namespaces, veth pairs, processes within."""
import itertools
import os
import subprocess

from .process import Process

_numbers = itertools.count()


def short_name(prefix):
    """A name for an interface or a namespace, at most 15 bytes, that no other test run uses."""
    return f"{prefix}{os.getpid() % 100000}x{next(_numbers)}"


def ip(*arguments):
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=True).stdout


class Namespace:
    def __init__(self):
        self.name = short_name("tn")
        self._outside = []
        ip("netns", "add", self.name)
        self.run("ip", "link", "set", "lo", "up")

    def run(self, *command, check=True, timeout=60):
        done = subprocess.run(["ip", "netns", "exec", self.name, *command], capture_output=True,
                              text=True, timeout=timeout, check=False)
        if check:
            assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done

    def start(self, *command):
        """A process within, as turnout.process.Process."""
        return Process(command[0], ["ip", "netns", "exec", self.name, *command])

    def add_veth(self, address, mac=None, name="eth0"):
        """A veth pair: `name` within, and outside one whose name is returned. The kernel leaves
        checksums on veth to the receiver, who here is the switch, so that is turned off."""
        outside = short_name("tv")
        ip("link", "add", outside, "type", "veth", "peer", "name", name, "netns", self.name)
        self._outside.append(outside)
        ip("link", "set", outside, "up")
        subprocess.run(["ethtool", "-K", outside, "tx", "off", "rx", "off", "gro", "off"],
                       capture_output=True, check=True)
        self.run("ethtool", "-K", name, "tx", "off", "sg", "off", "tso", "off", "gso", "off")
        self._configure(name, address, mac)
        return outside

    def take(self, outside, address, mac=None, name="eth0"):
        """Move an interface of the machine (a tap) into the namespace."""
        ip("link", "set", outside, "netns", self.name, "name", name)
        self._configure(name, address, mac)

    def _configure(self, name, address, mac):
        # No IPv6 chatter of the kernel: frames are counted.
        self.run("sysctl", "-qw", f"net.ipv6.conf.{name}.disable_ipv6=1", check=False)
        if mac:
            self.run("ip", "link", "set", name, "address", mac)
        self.run("ip", "address", "add", address, "dev", name)
        self.run("ip", "link", "set", name, "up")

    def ping(self, address, count=5, interval=0.02, size=56, deadline=10):
        """(sent, received). An interval below 0.2 s needs root, which namespaces need anyway."""
        done = self.run("ping", "-n", "-q", "-c", str(count), "-i", str(interval), "-s", str(size),
                        "-W", "2", "-w", str(deadline), address, check=False,
                        timeout=deadline + 10)
        for line in done.stdout.splitlines():
            if "packets transmitted" in line:
                words = line.split()
                return int(words[0]), int(words[3])
        raise AssertionError(f"ping: {done.stdout}{done.stderr}")

    def remove(self):
        for outside in self._outside:
            subprocess.run(["ip", "link", "del", outside], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, check=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

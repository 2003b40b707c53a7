# SPDX-License-Identifier: Apache-2.0
"""Real virtual machines: QEMU, Debian's cloud kernel and an initramfs that is made here.

Software emulation by default, because /dev/kvm can be there and yet hang the guest;
TURNOUT_QEMU_ACCEL=kvm chooses otherwise. The guest's memory is a shared memfd, which is what
vhost-user needs.
"""
import gzip
import json
import os
import re
import shutil
import socket
import subprocess

import pytest

from .machine import HERE, cloud_kernel, need_program
from .process import Process
from .waiting import wait_until

MODULES = ("drivers/virtio/virtio_ring.ko", "drivers/virtio/virtio.ko",
           "drivers/virtio/virtio_pci_modern_dev.ko", "drivers/virtio/virtio_pci_legacy_dev.ko",
           "drivers/virtio/virtio_pci.ko", "net/core/failover.ko", "drivers/net/net_failover.ko",
           "drivers/net/virtio_net.ko")
INIT = os.path.join(HERE, "..", "qemu", "init")
BUSYBOX = "/bin/busybox"


class Archive:
    """A cpio archive in the "newc" form (Linux, Documentation/driver-api/early-userspace)."""

    def __init__(self):
        self._parts, self._inode = [], 0

    def _entry(self, name, mode, data=b""):
        self._inode += 1
        encoded = name.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
        self._parts.append(head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4))

    def add_folder(self, name):
        self._entry(name, 0o40755)

    def add_file(self, name, data, mode=0o644):
        self._entry(name, 0o100000 | mode, data)

    def pack(self):
        self._entry("TRAILER!!!", 0)
        return b"".join(self._parts)


def libraries(program):
    """What a program is linked with."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return re.findall(r"(/\S+) \(0x", listed)


def make_initramfs(path, modules, programs=()):
    """`modules`: the kernel's folder in /lib/modules; `programs` come with their libraries."""
    archive = Archive()
    files = {file for name in programs for file in libraries(name)}
    folders = {"bin", "proc", "sys", "dev", "modules"}
    for file in files:
        parts = file.strip("/").split("/")[:-1]
        folders.update("/".join(parts[:count + 1]) for count in range(len(parts)))
    for folder in sorted(folders):
        archive.add_folder(folder)

    def add(name, source, mode):
        with open(source, "rb") as file:
            archive.add_file(name, file.read(), mode)

    add("bin/busybox", BUSYBOX, 0o755)
    add("init", INIT, 0o755)
    for file in files:
        add(file.strip("/"), file, 0o755)
    for name in programs:
        add("bin/" + os.path.basename(name), name, 0o755)
    order = []
    for module in MODULES:
        order.append(os.path.basename(module))
        add("modules/" + order[-1], os.path.join(modules, "kernel", module), 0o644)
    archive.add_file("modules/order", "\n".join(order).encode() + b"\n")
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(archive.pack())
    return path


def boot_files(folder, programs=()):
    """(kernel, initramfs), made in `folder`; skips the test where they cannot be had."""
    need_program("qemu-system-x86_64", *programs)
    kernel = cloud_kernel()
    if not kernel:
        pytest.skip("no cloud kernel: package linux-image-cloud-amd64 is not installed")
    if not os.access(kernel[0], os.R_OK):
        pytest.skip(f"{kernel[0]} cannot be read")
    if not os.path.exists(BUSYBOX):
        pytest.skip("no /bin/busybox: package busybox-static is not installed")
    return kernel[0], make_initramfs(str(folder / "initramfs"), kernel[1],
                                     [shutil.which(name) for name in programs])


class Monitor:
    """QEMU's monitor, the protocol for programs."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(30)
        wait_until(lambda: self._socket.connect_ex(path) == 0, "QEMU's monitor to listen")
        self._lines = self._socket.makefile("r", encoding="utf-8")
        self._lines.readline()  # the greeting
        self.ask("qmp_capabilities")

    def ask(self, command, **arguments):
        request = json.dumps({"execute": command, "arguments": arguments})
        self._socket.sendall(request.encode() + b"\n")
        while True:
            answer = json.loads(self._lines.readline())
            assert "error" not in answer, f"{command}: {answer}"
            if "return" in answer:  # and not an event
                return answer["return"]

    def close(self):
        self._lines.close()
        self._socket.close()


class VirtualMachine(Process):
    def __init__(self, name, kernel, initramfs, socket, mac, do, address, listens=False, queues=1,
                 device="", monitor=None, incoming=False, **values):
        """`listens`: QEMU makes the socket and waits for the switch. `device` is appended to
        -device virtio-net-pci; `monitor` is where its monitor listens; with
        `incoming` it becomes a machine that moves here; `values` become turnout.KEY=VALUE on the kernel command
        line."""
        values.update(do=do, address=address)
        words = " ".join(f"turnout.{key}={value}" for key, value in values.items())
        super().__init__(name, [
            "qemu-system-x86_64", "-name", name, "-accel",
            os.environ.get("TURNOUT_QEMU_ACCEL", "tcg"), "-cpu", "max", "-m", "256",
            "-smp", str(queues),
            "-object", "memory-backend-memfd,id=memory,size=256M,share=on",
            "-machine", "q35,memory-backend=memory", "-nodefaults", "-no-user-config",
            "-display", "none", "-serial", "stdio", "-no-reboot",
            "-chardev", f"socket,id=wire,path={socket}{',server=on' if listens else ',reconnect=1'}",
            "-netdev", f"vhost-user,id=net,chardev=wire,queues={queues}",
            # vectors=0: with MSI-X this QEMU crashes under software emulation.
            "-device", f"virtio-net-pci,netdev=net,mac={mac},vectors=0,romfile=,"
                       f"mq={'on' if queues > 1 else 'off'}{device}",
            "-kernel", kernel, "-initrd", initramfs,
            # no_timer_check: on a busy machine the emulated timer comes too late for that check,
            # and the kernel gives up.
            "-append", f"console=ttyS0 quiet panic=-1 no_timer_check {words}",
            *(["-qmp", f"unix:{monitor},server=on,wait=off"] if monitor else []),
            *(["-incoming", "defer"] if incoming else [])])

    def run(self, line, deadline=60.0):
        """With do="obey": run a line of shell in the guest, which must end well."""
        start = len(self.output)
        self.write(line + "\n")
        status = self.wait_for(r"^GUEST ran (\d+)\n", start, deadline).group(1)
        assert status == "0", f"{line}: {status}\n{self.output[start:]}"

    def wait_says(self, word, deadline=60.0):
        """Wait for a line "GUEST word ..." and return the rest of it."""
        return self.wait_for(rf"^GUEST {word}\b ?(.*)\n", deadline=deadline).group(1).strip()

# SPDX-License-Identifier: Apache-2.0
"""Real virtual machines: QEMU, Debian's cloud kernel and an initramfs that is made here.

Software emulation by default, because /dev/kvm can be there and yet hang the guest;
TURNOUT_QEMU_ACCEL=kvm chooses otherwise. The guest's memory is a shared memfd, which is what
vhost-user needs.
"""
import gzip
import os

from .machine import HERE
from .process import Process

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


def make_initramfs(path, modules):
    """`modules`: the kernel's folder in /lib/modules."""
    archive = Archive()
    for folder in ("bin", "proc", "sys", "dev", "modules"):
        archive.add_folder(folder)

    def add(name, source, mode):
        with open(source, "rb") as file:
            archive.add_file(name, file.read(), mode)

    add("bin/busybox", BUSYBOX, 0o755)
    add("init", INIT, 0o755)
    order = []
    for module in MODULES:
        order.append(os.path.basename(module))
        add("modules/" + order[-1], os.path.join(modules, "kernel", module), 0o644)
    archive.add_file("modules/order", "\n".join(order).encode() + b"\n")
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(archive.pack())
    return path


class VirtualMachine(Process):
    def __init__(self, name, kernel, initramfs, socket, mac, do, address, listens=False, queues=1,
                 device="", **values):
        """`listens`: QEMU makes the socket and waits for the switch. `device` is appended to
        -device virtio-net-pci; `values` become turnout.KEY=VALUE on the kernel command line."""
        values.update(do=do, address=address)
        words = " ".join(f"turnout.{key}={value}" for key, value in values.items())
        super().__init__(name, [
            "qemu-system-x86_64", "-name", name, "-accel",
            os.environ.get("TURNOUT_QEMU_ACCEL", "tcg"), "-cpu", "max", "-m", "256",
            "-smp", str(queues),
            "-object", "memory-backend-memfd,id=memory,size=256M,share=on",
            "-machine", "q35,memory-backend=memory", "-nodefaults", "-no-user-config",
            "-display", "none", "-serial", "stdio", "-no-reboot",
            "-chardev", f"socket,id=wire,path={socket}{',server=on' if listens else ''}",
            "-netdev", f"vhost-user,id=net,chardev=wire,queues={queues}",
            # vectors=0: with MSI-X this QEMU crashes under software emulation.
            "-device", f"virtio-net-pci,netdev=net,mac={mac},vectors=0,romfile=,"
                       f"mq={'on' if queues > 1 else 'off'}{device}",
            "-kernel", kernel, "-initrd", initramfs,
            "-append", f"console=ttyS0 quiet panic=-1 {words}"])

    def wait_says(self, word, deadline=60.0):
        """Wait for a line "GUEST word ..." and return the rest of it."""
        return self.wait_for(rf"^GUEST {word}\b ?(.*)\n", deadline=deadline).group(1).strip()

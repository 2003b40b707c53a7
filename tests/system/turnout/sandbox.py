# SPDX-License-Identifier: Apache-2.0
"""Runs a program as a systemd unit would, as far as that goes without systemd: another user, with
capabilities as the unit says, a file system that is read-only but for some folders, /proc as the
unit sees it, no network and no other users if it has none, no memory that is written and executed, the unit's filter
on system calls and its families of sockets.

As a program: sandbox.py UNIT COMMAND..., for the last steps, which a process does to itself.
"""
import ctypes
import os
import shutil
import socket
import subprocess
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_MDWE = 38, 65  # prctl(2)
ERRNO_EPERM, ALLOW = 0x00050001, 0x7fff0000  # of libseccomp
EQUAL = 4
USER = "nobody"


class Comparison(ctypes.Structure):
    _fields_ = [("argument", ctypes.c_uint), ("operator", ctypes.c_int),
                ("first", ctypes.c_uint64), ("second", ctypes.c_uint64)]


def read_unit(path):
    """{key: [values]} of the section [Service]; an empty value is the empty list, as for systemd."""
    unit, section = {}, None
    with open(path, encoding="utf-8") as file:
        for line in map(str.strip, file):
            if line.startswith("["):
                section = line
            elif section == "[Service]" and "=" in line and not line.startswith("#"):
                key, value = line.split("=", 1)
                unit.setdefault(key, []).extend([value] if value else [])
    return unit


def group_calls(name):
    """The system calls of one of systemd's groups, or the call of that name."""
    if not name.startswith("@"):
        return {name}
    out = subprocess.run(["systemd-analyze", "syscall-filter", name], check=True, text=True,
                         capture_output=True).stdout
    members = [line.strip() for line in out.splitlines()[1:] if line.startswith(" ")]
    return set().union(*(group_calls(member) for member in members if not member.startswith("#")))


def unit_calls(unit):
    """What SystemCallFilter= lets through; the group of what everybody needs is always there."""
    calls = group_calls("@default")
    for line in unit["SystemCallFilter"]:
        named = set().union(*(group_calls(name) for name in line.lstrip("~").split()))
        calls = calls - named if line.startswith("~") else calls | named
    return calls


def capabilities(unit):
    return [name.removeprefix("CAP_").lower()
            for line in unit.get("AmbientCapabilities", []) for name in line.split()]


def load_filter(unit):
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ERRNO_EPERM))
    for name in unit_calls(unit) - {"socket"}:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:
            assert library.seccomp_rule_add_array(context, ALLOW, number, 0, None) == 0, name
    number = library.seccomp_syscall_resolve_name(b"socket")
    for name in " ".join(unit["RestrictAddressFamilies"]).split():
        family = Comparison(0, EQUAL, getattr(socket, name), 0)
        assert library.seccomp_rule_add_array(context, ALLOW, number, 1, ctypes.byref(family)) == 0
    assert library.seccomp_load(context) == 0


def wrapper(path, writable):
    """The beginning of a command that runs the rest as the unit file `path` says, where folders
    `writable` can be written."""
    unit = read_unit(path)
    script = "set -e; mount --make-rslave /; "
    script += "".join(f"mount --bind {folder} {folder}; " for folder in writable)
    # As ProtectSystem=strict does: everything but what the kernel shows of itself, and devices.
    script += ("for m in $(awk '{print $5}' /proc/self/mountinfo | sort -r); do case $m in "
               "/proc*|/dev*|/sys*" + "".join(f"|{folder}" for folder in writable) + ") ;; "
               "*) mount -o remount,ro,bind $m;; esac; done; mount -o remount,ro,bind /sys; ")
    subset = ",subset=pid" if unit.get("ProcSubset") == ["pid"] else ""
    script += f"mount -t proc -o hidepid=invisible{subset} proc /proc; umask {unit['UMask'][0]}; "
    names = capabilities(unit)
    kept = "".join(f",+{name}" for name in names)
    rights = f"--bounding-set -all{kept} --inh-caps -all{kept} --ambient-caps -all{kept}"
    user = (f"setpriv --reuid {USER} --regid $(id -g {USER}) --init-groups --no-new-privs "
            f"{rights} ")
    if unit.get("PrivateUsers") == ["yes"]:
        user += (f"unshare --user --map-user=$(id -u {USER}) --map-group=$(id -g {USER}) "
                 f"--keep-caps setpriv {rights} ")
    script += f'exec {user} {sys.executable} {os.path.abspath(__file__)} {path} "$@"'
    network = ["--net"] if unit.get("PrivateNetwork") == ["yes"] else []
    return ["unshare", "--mount", "--propagation", "private", *network, "sh", "-c", script, "sh"]


def missing():
    """Why it cannot be done here, or ""."""
    if os.geteuid() != 0:
        return "needs root, to become another user"
    for name in ("systemd-analyze", "setpriv", "unshare"):
        if not shutil.which(name):
            return f"{name} is not installed (./check installs it)"
    return ""


def main():
    unit = read_unit(sys.argv[1])
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    if unit.get("MemoryDenyWriteExecute") == ["yes"]:
        libc.prctl(PR_SET_MDWE, 1, 0, 0, 0)  # an older kernel does without
    load_filter(unit)
    # LeakSanitizer would need ptrace().
    os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()

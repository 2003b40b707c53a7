# SPDX-License-Identifier: Apache-2.0
"""Disks of one's own, to be filled."""
import contextlib
import subprocess


def mount(*arguments):
    return subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True,
                          check=False)


def fill(path, room):
    """Fill a disk but for about `room` bytes."""
    with open(path, "wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        file.truncate(max(0, file.tell() - room))

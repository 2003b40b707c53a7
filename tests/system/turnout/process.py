# SPDX-License-Identifier: Apache-2.0
"""Child processes whose output can be waited for, with or without a terminal."""
import os
import pty
import re
import signal
import subprocess
import threading
import time

from .waiting import Late, wait_until

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x00|\r")


def is_running(pid):
    """Is there such a process, and is it more than a zombie?"""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def kill_and_wait(pid, sig=signal.SIGKILL, deadline=10.0):
    """Send `sig` to a process that need not be our child and wait for its end."""
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        return
    wait_until(lambda: not is_running(pid), f"process {pid} to end after signal {sig}", deadline)


class Following:
    """A command that goes on printing into a file, `path`."""

    def __init__(self, command, path):
        self.path = path
        with open(path, "wb") as file:
            self.process = subprocess.Popen(
                command, stdout=file, stderr=subprocess.PIPE, text=True)

    def text(self):
        with open(self.path, encoding="utf-8") as file:
            return file.read()

    def end(self):
        """Exit status and what it said, once it ends by itself."""
        err = self.process.communicate(timeout=15)[1]
        return self.process.returncode, err

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=15)


class Process:
    """One child. Its output (both streams) is collected by a thread; `wait_for` waits for a text."""

    def __init__(self, name, command, terminal=False, env=None, cwd=None):
        self.name, self.command = name, command
        self._text, self._mutex = "", threading.Condition()
        if terminal:
            master, slave = pty.openpty()
            self._reader, self._writer = master, master
            self.child = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env,
                                          cwd=cwd, start_new_session=True)
            os.close(slave)
        else:
            self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                          stderr=subprocess.STDOUT, env=env, cwd=cwd,
                                          start_new_session=True)
            self._reader, self._writer = self.child.stdout.fileno(), self.child.stdin.fileno()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        while True:
            try:
                piece = os.read(self._reader, 65536)
            except OSError:  # a terminal whose other end is closed
                piece = b""
            with self._mutex:
                self._text += ESCAPES.sub("", piece.decode("utf-8", "replace"))
                if not piece:
                    self._text += "\n(end of output)\n"
                self._mutex.notify_all()
            if not piece:
                return

    @property
    def pid(self):
        return self.child.pid

    @property
    def output(self):
        with self._mutex:
            return self._text

    def write(self, text):
        os.write(self._writer, text.encode())

    def wait_for(self, pattern, start=0, deadline=20.0):
        """Wait until `pattern` stands in the output behind offset `start`; return the match."""
        expression = re.compile(pattern, re.M)
        end = time.monotonic() + deadline
        with self._mutex:
            while True:
                found = expression.search(self._text, start)
                if found:
                    return found
                left = end - time.monotonic()
                ended = self._text.endswith("(end of output)\n")
                if left <= 0 or ended:
                    raise Late(f"{self.name}: {'ended' if ended else f'no answer in {deadline:g} s'}"
                               f" while waiting for {pattern!r}; last output:\n"
                               + self._text[-3000:])
                self._mutex.wait(left)

    def wait(self, deadline=15.0):
        """Wait for the process to end by itself; return its exit status."""
        try:
            status = self.child.wait(deadline)
        except subprocess.TimeoutExpired:
            raise Late(f"{self.name} did not end in {deadline:g} s; last output:\n"
                       + self.output[-3000:]) from None
        self._thread.join(2)
        return status

    def kill(self, sig=signal.SIGKILL):
        """End it now; harmless if it has ended."""
        if self.child.poll() is None:
            self.child.send_signal(sig)
            try:
                self.child.wait(10)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait(10)
        self._thread.join(2)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

# SPDX-License-Identifier: Apache-2.0
"""A switch as systemd would run it: datapathd has a supervisor, and vswitchd adopts."""
import signal
import subprocess

from .machine import free_hugepages, program
from .switch import Switch
from .waiting import wait_until


class Supervised(Switch):
    def __init__(self, arguments=(), start=True, wrapper=(), **options):
        """`arguments` are more of those of datapathd, `wrapper` a command that starts it."""
        self.arguments = ["--memory", "256", "--huge", "auto" if free_hugepages() > 800 else "off",
                          *arguments]
        self.datapathd_wrapper = list(wrapper)
        self.supervisor, self.supervisors = None, []
        super().__init__(adopt=True, start=False, **options)
        if start:
            self.start()

    def start(self, deadline=40.0):
        if not self.pid_of("datapathd-supervisor"):
            self.start_datapathd("--supervise")
        return super().start(deadline)

    def start_datapathd(self, *options):
        """Start the program, and return the process."""
        with open(self.path("datapathd.log"), "ab") as log:
            self.supervisor = subprocess.Popen(
                [*self.datapathd_wrapper, program("datapath/datapathd"), "--rundir", self.rundir,
                 *self.arguments, *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.supervisors.append(self.supervisor)
        return self.supervisor

    def wait_worker(self, old):
        """Wait until another than `old` is in charge, and return its pid."""
        def another():
            pid = self.pid_of("datapathd")
            return pid if pid and pid != old else None
        return wait_until(another, "another datapathd", 30)

    def log(self):
        with open(self.path("datapathd.log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def end_supervisor(self):
        for process in self.supervisors:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)

# SPDX-License-Identifier: Apache-2.0
"""A client that is told of state, and resumes where it was after vswitchd has gone."""
import json

from .waiting import wait_until


class Resumer:
    """`events` are all that it was told, [(method, params)]; numbers have to grow, and with
    `whole` none may be missing."""

    def __init__(self, switch, since=None, whole=True):
        self.switch, self.whole, self.client = switch, whole, None
        self.events, self.last, self.resumed = [], since, 0
        self.connect()

    def connect(self):
        self.client = self.switch.connect()
        answer = self.client.call("events.since", **(
            {} if self.last is None else {"since": self.last}))
        # What came before the answer is in it.
        early = [event["params"]["seq"] for event in self.client.notifications]
        assert all(seq <= answer["seq"] for seq in early), (early, answer["seq"])
        self.client.notifications = []
        assert answer["complete"] or not self.whole, f"{self.last}: {answer}"
        for event in answer["events"]:
            self.take(event)
        assert self.last is None or self.last <= answer["seq"]
        assert not answer["events"] or self.last == answer["seq"]
        self.last = answer["seq"]

    def take(self, event):
        seq = event["params"]["seq"]
        assert self.last is None or seq > self.last, f"{event} after {self.last}"
        self.last = seq
        self.events.append((event["method"], event["params"]))

    def read(self):
        """Take what has come. False: vswitchd is away."""
        try:
            if self.client is None:
                self.connect()
                self.resumed += 1
            self.client._socket.settimeout(0)
            while True:
                self.take(self.client.receive())
        except (BlockingIOError, TimeoutError):
            self.client._socket.settimeout(30)
            return True
        except (OSError, json.JSONDecodeError):
            self.close()
            return False

    def wait(self, found, what, deadline=20.0):
        """Until one of the events is what found(method, params) wants; the index behind it."""
        def look():
            self.read()
            return next((index + 1 for index, event in enumerate(self.events)
                         if found(*event)), None)
        return wait_until(look, what, deadline)

    def settle(self):
        """All that was told by now."""
        wait_until(self.read, "vswitchd")
        now = self.client.call("events.since")["seq"]
        for event in self.client.notifications:
            self.take(event)
        self.client.notifications = []
        assert self.last == now or not self.events, (self.last, now)

    def close(self):
        if self.client:
            self.client.close()
        self.client = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

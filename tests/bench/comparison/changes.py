# SPDX-License-Identifier: Apache-2.0
"""Flow changes at a steady rate, from a thread of their own."""
import threading
import time

import traffic

TICK = 0.01
SLOTS = 1000  # different flows, added one after the other, then deleted in the same order
# Sources of the traffic's first flows, and others that no frame has.
RELATED, UNRELATED = 0x0a000001, 0xc0a80001


class Changer:
    """`connect()` gives what has apply(batch) and close(). Between begin() and end() changes are
    made every 10 ms, as many as are due, each lot at once; end() says how many a second it was."""

    def __init__(self, connect, rate, related):
        self._connection, self._rate = connect(), rate
        self._first = RELATED if related else UNRELATED
        self._number, self._made, self._began = 0, 0, 0.0
        self._stop, self._thread, self._error = threading.Event(), None, None

    def _batch(self, count):
        for number in range(self._number, self._number + count):
            yield number // SLOTS % 2 == 0, traffic.dotted(self._first + number % SLOTS)
        self._number += count

    def _work(self):
        try:
            while not self._stop.wait(TICK):
                due = int((time.monotonic() - self._began) * self._rate) - self._made
                if due > 0:
                    due = min(due, SLOTS)
                    self._connection.apply(list(self._batch(due)))
                    self._made += due
        except Exception as error:  # end() raises it where it belongs
            self._error = error

    def begin(self):
        self._made, self._began = 0, time.monotonic()
        self._stop.clear()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def end(self):
        self._stop.set()
        self._thread.join(120)
        if self._error:
            raise RuntimeError(f"flows could not be changed: {self._error}") from self._error
        return self._made / (time.monotonic() - self._began)

    def close(self):
        self._connection.close()

# SPDX-License-Identifier: Apache-2.0
"""Waiting for a state instead of for a time."""
import time


class Late(AssertionError):
    """What was waited for did not come about."""


def wait_until(predicate, what, deadline=15.0, pause=0.02):
    """Call `predicate` until its answer is true, and return that answer.

    `what` completes the sentence "waited N s for ...". The last answer is in the error, and so is
    the last exception, if the predicate raised one that means "not yet" (OSError, LookupError,
    AssertionError).
    """
    end = time.monotonic() + deadline
    last = None
    while True:
        try:
            last = predicate()
            if last:
                return last
        except (OSError, LookupError, AssertionError) as error:
            last = error
        if time.monotonic() >= end:
            raise Late(f"waited {deadline:g} s for {what}; last seen: {last!r}")
        time.sleep(pause)


def wait_stable(value, what, quiet=0.3, deadline=15.0, pause=0.05):
    """Call `value` until it has given the same answer for `quiet` seconds, and return that."""
    end = time.monotonic() + deadline
    last, since = value(), time.monotonic()
    while time.monotonic() - since < quiet:
        if time.monotonic() >= end:
            raise Late(f"waited {deadline:g} s for {what} to come to rest; last seen: {last!r}")
        time.sleep(pause)
        now = value()
        if now != last:
            last, since = now, time.monotonic()
    return last

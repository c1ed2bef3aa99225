"""Waiting for a condition with a deadline, so that no test sleeps for a guess."""

import time

POLL_SECONDS = 0.005
POLL_SECONDS_MAX = 0.05


def wait_until(condition, what, deadline_s=5.0):
    """Polls until condition() is true and returns its value; fails by naming `what`."""
    end = time.monotonic() + deadline_s
    pause = POLL_SECONDS
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise AssertionError(f"waited {deadline_s:g} s in vain for: {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, POLL_SECONDS_MAX)


def wait_while_changing(read, still_s=0.4, deadline_s=20.0):
    """Polls read() until its value has stood still for still_s seconds; returns it."""
    end = time.monotonic() + deadline_s
    value, since = read(), time.monotonic()
    while time.monotonic() - since < still_s:
        if time.monotonic() >= end:
            raise AssertionError(f"the value was still changing after {deadline_s:g} s: {value}")
        time.sleep(0.02)
        newer = read()
        if newer != value:
            value, since = newer, time.monotonic()
    return value

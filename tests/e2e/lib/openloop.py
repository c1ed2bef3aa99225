"""New connections at a steady rate, whatever becomes of those before, and long transfers beside them."""

import contextlib
import threading
import time

from lib.flows import receive_exactly
from lib.pattern import digest_of, pattern_bytes, receive_digest

MESSAGE = pattern_bytes(3000)


class OpenLoop:
    """Connects to `front` so many times a second, each time for one echoed message.

    failures has a sentence for each connection that was refused, reset or answered wrongly.
    """

    def __init__(self, front, a_second=150, threads=3):
        self.front, self.failures, self.done = front, [], 0
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._pause_s = threads / a_second
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self):
        due = time.monotonic()
        while not self._stop.wait(max(0, due - time.monotonic())):
            due += self._pause_s
            try:
                self._visit()
                failure = None
            except (OSError, AssertionError) as error:
                failure = repr(error)
            with self._lock:
                self.done += 1
                if failure:
                    self.failures.append(failure)

    def _visit(self):
        with contextlib.closing(self.front.connect(timeout_s=20)) as peer:
            peer.sendall(MESSAGE)
            assert receive_exactly(peer, len(MESSAGE)) == MESSAGE, "other bytes than were sent"


class LongTransfer:
    """A pattern through one echoing connection, slowly enough to last; wait() compares."""

    def __init__(self, front, total_bytes):
        self.peer, self.total_bytes = front.connect(timeout_s=60), total_bytes
        self.error = self.got = None
        self._writer = threading.Thread(target=self._write, daemon=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self.go = threading.Event()
        self._writer.start()
        self._reader.start()

    def _write(self):
        try:
            half = pattern_bytes(self.total_bytes)[: self.total_bytes // 2]
            self.peer.sendall(half)
            self.go.wait(60)
            self.peer.sendall(pattern_bytes(self.total_bytes)[self.total_bytes // 2:])
        except OSError as error:
            self.error = error

    def _read(self):
        try:
            self.got = receive_digest(self.peer, self.total_bytes)
        except (OSError, AssertionError) as error:
            self.error = error

    def wait(self):
        """The second half is sent, and all must have come back as it was."""
        self.go.set()
        self._writer.join()
        self._reader.join()
        self.peer.close()
        assert self.error is None, self.error
        assert self.got == (self.total_bytes, digest_of([pattern_bytes(self.total_bytes)]))

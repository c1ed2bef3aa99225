"""A log server: a datagram socket whose lines tests can wait for."""

import os
import re
import select
import socket
import threading

from lib import place
from lib.waiting import wait_until

TCPLOG = re.compile(
    r"(?P<client>\S+):(?P<client_port>\d+) "
    r"\[(?P<accepted>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d\.\d{3})\] "
    r"(?P<frontend>\S+) (?P<backend>[^/\s]+)/(?P<server>\S+) "
    r"(?P<wait>-?\d+)/(?P<connect>-?\d+)/(?P<total>\+?\d+) "
    r"(?P<bytes>\+?\d+) (?P<state>[-A-Za-z]{2}) "
    r"(?P<actconn>\d+)/(?P<feconn>\d+)/(?P<beconn>\d+)/(?P<srvconn>\d+)/(?P<retries>\+?\d+) "
    r"(?P<server_queue>\d+)/(?P<backend_queue>\d+)$"
)


class LogServer:
    """Receives datagrams on the daemon's 127.0.0.1 or a unix path in a thread until close()."""

    def __init__(self, path=None):
        self.path = path
        self.datagrams = []
        kind = socket.AF_UNIX if path else socket.AF_INET
        self._socket = place.open_socket("proxy", kind, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.bind(path or ("127.0.0.1", 0))
        self._stop, self._stopper = os.pipe()
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    @property
    def text(self):
        """The address as a `log` line has it."""
        return self.path or f"127.0.0.1:{self._socket.getsockname()[1]}"

    def _receive(self):
        while True:
            ready, _, _ = select.select([self._socket, self._stop], [], [])
            if self._stop in ready:
                return
            self.datagrams.append(self._socket.recv(65536))

    def lines(self):
        return [datagram.decode("utf-8", "replace").rstrip("\n") for datagram in list(self.datagrams)]

    def wait_for(self, pattern, count=1, deadline_s=5.0):
        """The first `count` matches of a regular expression in the lines."""
        expression = re.compile(pattern)

        def found():
            matches = [match for match in map(expression.search, self.lines()) if match]
            return matches if len(matches) >= count else None

        try:
            return wait_until(found, f"{count} log line(s) like {expression.pattern!r}", deadline_s)
        except AssertionError as error:
            raise AssertionError(f"{error}; lines were {self.lines()}") from None

    def sessions(self, count=1, deadline_s=5.0):
        """The fields of `count` lines in the format of `option tcplog`."""
        return [match.groupdict() for match in self.wait_for(TCPLOG, count, deadline_s)]

    def session(self, deadline_s=5.0):
        return self.sessions(1, deadline_s)[0]

    def close(self):
        os.write(self._stopper, b"x")
        self._thread.join()
        self._socket.close()
        os.close(self._stop)
        os.close(self._stopper)

"""What tests of the wire engine share: connections that it carries for sure."""

import ctypes
import os
import platform
import re
import socket
import subprocess
import threading
from hashlib import blake2b

from lib import place
from lib.flows import receive_exactly
from lib.waiting import wait_until

WORD = b"a word"
_BLOCK_BYTES, _PIECE_BYTES, _STEP_BYTES = 1 << 20, 40_000, 39_989


def exchange(client, server):
    """A word each way: packets that wire can see."""
    for writing, reading in ((client, server), (server, client)):
        writing.sendall(WORD)
        receive_exactly(reading, len(WORD))


def carried_now(daemon):
    """Connections that are carried at this moment."""
    return int(daemon.relay_row("wire")["now"]) // 2


def carried_pair(link, **options):
    """(client, server, bytes that went each way) of a new connection that wire carries."""
    before, count = carried_now(link.daemon), [0]
    client, server = link.pair(**options)

    def is_carried():
        exchange(client, server)
        count[0] += len(WORD)
        return carried_now(link.daemon) > before

    wait_until(is_carried, "wire to carry the connection")
    return client, server, count[0]


def refusals(daemon):
    """How often wire did not take a connection over, by the name of the reason."""
    lines = daemon.runtime.ask("show relay").splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("# why wire"))
    found = {}
    for line in lines[start + 1:]:
        if line.startswith("#"):
            break
        name, count = re.match(r"([\w-]+): (\d+)", line).groups()
        found[name] = int(count)
    return found


def wait_released(daemon, deadline_s=15):
    """No entry of the table is in use, and every socket of a session is closed."""
    wait_until(lambda: daemon.runtime.info()["WireConnections"] == "0", "the table to be empty", deadline_s)
    allowed = daemon.sockets_at_start + daemon.log_targets
    wait_until(lambda: daemon.count_descriptors("socket:") <= allowed,
               f"at most {allowed} open sockets in the daemon", deadline_s)


class _ProgramQuery(ctypes.Structure):
    """What bpf(2) takes for BPF_PROG_QUERY; without room for the programs it counts them."""

    _fields_ = [("ifindex", ctypes.c_uint32), ("attach_type", ctypes.c_uint32), ("flags", ctypes.c_uint32),
                ("attach_flags", ctypes.c_uint32), ("ids", ctypes.c_uint64), ("count", ctypes.c_uint32),
                ("padding", ctypes.c_uint32 * 11)]


def count_programs():
    """BPF programs that are attached by TCX to the proxy's interfaces; needs Linux 6.6."""
    number, query_command, kinds = {"x86_64": 321, "aarch64": 280}[platform.machine()], 16, (46, 47)
    libc, count = ctypes.CDLL(None, use_errno=True), 0
    with place.inside("proxy"):
        for interface in ("client", "server"):
            for kind in kinds:
                query = _ProgramQuery(ifindex=socket.if_nametoindex(interface), attach_type=kind)
                assert libc.syscall(number, query_command, ctypes.byref(query), ctypes.sizeof(query)) == 0
                count += query.count
    return count


def command(role, *words):
    """Runs a program on a host; returns whether it succeeded."""
    return subprocess.run([*place.prefix(role), *words], capture_output=True, check=False).returncode == 0


def set_kernel(role, **settings):
    """Sets net.ipv4 settings of a host, for connections that begin later."""
    for name, value in settings.items():
        assert command(role, "sysctl", "-qw", f"net.ipv4.{name}={value}"), name


class Stream(threading.Thread):
    """Writes random bytes until told to stop, then ends its direction; knows their digest."""

    def __init__(self, peer):
        super().__init__(daemon=True)
        self.peer, self.stopping, self.error = peer, threading.Event(), None
        self.sent, self.digest = 0, blake2b()
        self._block = os.urandom(_BLOCK_BYTES)

    def pieces(self):
        """What is written, for ever; none begins as an earlier one did."""
        view, at = memoryview(self._block), 0
        while True:
            yield view[at: at + _PIECE_BYTES]
            at = (at + _STEP_BYTES) % _BLOCK_BYTES

    def run(self):
        try:
            for piece in self.pieces():
                if self.stopping.is_set():
                    break
                self.peer.sendall(piece)
                self.digest.update(piece)
                self.sent += len(piece)
            self.peer.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.error = error

    def has_begun_with(self, sink):
        """Whether what came out is the beginning of what went in."""
        digest, left = blake2b(), sink.received
        for piece in self.pieces():
            if left == 0:
                return digest.digest() == sink.digest.digest()
            digest.update(piece[:left])
            left -= len(piece[:left])


class Sink(threading.Thread):
    """Reads to the end, however it comes; keeps count and digest."""

    def __init__(self, peer):
        super().__init__(daemon=True)
        self.peer, self.received, self.digest, self.ending = peer, 0, blake2b(), None

    def run(self):
        try:
            while piece := self.peer.recv(1 << 18):
                self.digest.update(piece)
                self.received += len(piece)
            self.ending = "end"
        except TimeoutError:
            self.ending = "time-out"
        except OSError:
            self.ending = "reset"

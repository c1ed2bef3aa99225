"""Addresses of the three families, as sockets and as the configuration writes them."""

import array
import contextlib
import fcntl
import itertools
import os
import random
import socket
import struct
import termios

from lib import place

INTERNET_FAMILIES = ("ipv4", "ipv6")
FAMILIES = INTERNET_FAMILIES if place.MODE else (*INTERNET_FAMILIES, "unix")

_KINDS = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6, "unix": socket.AF_UNIX}

# Ports below the range that connect() draws from: an outgoing connection of another
# test can then never sit on a port between our asking for it and the daemon's bind().
_PORT_FIRST, _PORT_LAST = 10000, 32000


def _port_walk():
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    lane = int("".join(filter(str.isdigit, worker)) or 0) % 2
    ports = list(range(_PORT_FIRST + lane, _PORT_LAST, 2))
    start = random.SystemRandom().randrange(len(ports))
    return itertools.cycle(ports[start:] + ports[:start])


_ports = _port_walk()


def free_port():
    """A port that nothing holds, neither at the daemon nor at a server."""
    for port in itertools.islice(_ports, 2000):
        if all(_can_bind(role, kind, port) for role in ("proxy", "server")
               for kind in (socket.AF_INET, socket.AF_INET6)):
            return port
    raise RuntimeError("no free port found")


def _can_bind(role, kind, port):
    with place.open_socket(role, kind) as probe:
        if kind == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
        return True


class Endpoint:
    """One address to listen on or to connect to: a server's once somebody listens on it."""

    def __init__(self, family, directory=None, port=None, path=None, role="proxy"):
        self.family = family
        self.role = role
        self.kind = _KINDS[family]
        self.port = self.path = None
        if family == "unix":
            self.path = path or os.path.join(directory, f"u{random.getrandbits(40):010x}")
        else:
            self.port = port or free_port()

    @property
    def host(self):
        return place.host(self.role, self.family)

    @property
    def sockaddr(self):
        return self.path if self.family == "unix" else (self.host, self.port)

    @property
    def text(self):
        """As written behind bind and server."""
        if self.family == "unix":
            return f"unix@{self.path}"
        mark = place.mark(self.family)
        return f"[{mark}]:{self.port}" if self.family == "ipv6" else f"{mark}:{self.port}"

    def connect(self, timeout_s=10.0, source=None, receive_buffer=None):
        """A client's blocking socket with a time-out, without Nagle's delay."""
        peer = place.open_socket("client", self.kind)
        try:
            peer.settimeout(timeout_s)
            if receive_buffer:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            if source:
                peer.bind((source, 0))
            peer.connect(self.sockaddr)
            if self.family != "unix":
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            peer.close()
            raise
        return peer

    def listen(self, backlog=128, timeout_s=10.0):
        self.role = "server"
        listener = place.open_socket(self.role, self.kind)
        try:
            if self.family != "unix":
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.settimeout(timeout_s)
            listener.bind(self.sockaddr)
            listener.listen(backlog)
        except BaseException:
            listener.close()
            raise
        return listener


def accept(listener, timeout_s=10.0):
    peer, _ = listener.accept()
    peer.settimeout(timeout_s)
    if peer.family != socket.AF_UNIX:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return peer


def reset(peer):
    """Closes so that the other side gets a RST; a unix socket can only close."""
    if peer.family != socket.AF_UNIX:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def unsent_bytes(peer):
    """Bytes written to the socket that the other kernel has not acknowledged."""
    value = array.array("i", [0])
    fcntl.ioctl(peer.fileno(), termios.TIOCOUTQ, value)
    return value[0]


def fill_listen_queue(stack, back):
    """Fills a listen queue of no length, so that the next connect has to wait."""
    waiting = []
    for _ in range(8):
        peer = stack.enter_context(place.open_socket("client", back.kind))
        peer.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            peer.connect(back.sockaddr)
        waiting.append(peer)
    return waiting

"""Where peers, servers and the daemon are: all on this host, or each on a host of a lab.

With SPLICED_LAB=on (or =plain: without offloads) there are three hosts in a row, made of
network namespaces: clients are on the first, the daemon on the second, servers on the
third, and every byte goes through interfaces.  The test process stays where it is; only
its sockets are born elsewhere.  Unix sockets and files are the same everywhere.

A configuration is written before it is known which host an address is for: its text has
a mark instead of the host, which fill_in() replaces when the line says what it is for.
"""

import contextlib
import ctypes
import os
import re
import socket

from lib.netlab import Netlab

MODE = os.environ.get("SPLICED_LAB", "")
MODES = ("on", "plain")

_LOOPBACK = {"ipv4": "127.0.0.1", "ipv6": "::1"}
_MARKS = {"ipv4": "<ipv4>", "ipv6": "<ipv6>"}
_SOURCES_FIRST = 101
# Lines whose addresses are the daemon's own; all others name servers.
_OWN_LINE = re.compile(r"^\s*(bind|metrics\s+bind)\s")
_CLONE_NEWNET = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)
_lab = None


def missing():
    """Why no lab can be made, or None."""
    if MODE and MODE not in MODES:
        return f"SPLICED_LAB is {MODE!r}, not one of {' '.join(MODES)}"
    return Netlab.missing()


@contextlib.contextmanager
def running_lab(**options):
    """Peers and daemons are on the lab's hosts meanwhile; options as Netlab has them."""
    global _lab
    before = _lab
    try:
        with Netlab(**options) as _lab:
            yield _lab
    finally:
        _lab = before


def is_lab():
    return _lab is not None


def host(role, family):
    """The address that peers of the role "proxy" or "server" have."""
    if not is_lab():
        return _LOOPBACK[family]
    return _lab.address(role, family, "client" if role == "proxy" else None)


def mark(family):
    """What stands for a host in a configuration until fill_in()."""
    return _MARKS[family] if is_lab() else _LOOPBACK[family]


def fill_in(text, role=None):
    """Replaces the marks: in lines of a configuration by what they say, else for the role."""
    if not is_lab():
        return text
    return "\n".join(_fill_in_line(line, role) for line in text.split("\n"))


def _fill_in_line(line, role):
    role = role or ("proxy" if _OWN_LINE.match(line) else "server")
    for family, found in _MARKS.items():
        line = line.replace(found, host(role, family))
    return line


def prefix(role):
    """The words that run a program on the role's host."""
    return ["ip", "netns", "exec", _lab.names[role]] if is_lab() else []


def client_sources(count):
    """IPv4 addresses that clients may bind to."""
    if not is_lab():
        return [f"127.0.0.{at}" for at in range(1, count + 1)]
    network = host("proxy", "ipv4").rpartition(".")[0]
    sources = [f"{network}.{at}" for at in range(_SOURCES_FIRST, _SOURCES_FIRST + count)]
    for source in sources:
        _lab.ip("-n", _lab.names["client"], "addr", "replace", f"{source}/24", "dev", "eth")
    return sources


def _enter(namespace):
    if _libc.setns(namespace, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def inside(role):
    """What this thread opens meanwhile is on the role's host."""
    if not is_lab():
        yield
        return
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        away = os.open(f"/run/netns/{_lab.names[role]}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(away)
            yield
        finally:
            os.close(away)
            _enter(home)
    finally:
        os.close(home)


def open_socket(role, kind, flavour=socket.SOCK_STREAM):
    """A socket of the role's host; one of a unix path belongs to all."""
    if kind == socket.AF_UNIX:
        return socket.socket(kind, flavour)
    with inside(role):
        return socket.socket(kind, flavour)

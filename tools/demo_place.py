"""Where the demonstration runs: everything on loopback, or client, proxy and servers in
three network namespaces joined by veth, where packets come by interfaces as wire needs it."""

import contextlib
import ctypes
import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

from splicebench import topology  # noqa: E402
from splicebench.programs import UsageError  # noqa: E402

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


class Loopback:
    proxy_address = server_address = "127.0.0.1"
    words = "client, proxy and servers on 127.0.0.1"

    @contextlib.contextmanager
    def inside(self, _host):
        yield

    def command(self, _host, *words):
        return list(words)


class Lab:
    """Namespaces that go away with `stack`, a contextlib.ExitStack."""

    words = "client, proxy and servers in network namespaces of their own, joined by veth"

    def __init__(self, stack):
        cpus = sorted(os.sched_getaffinity(0))
        built = stack.enter_context(topology.Topology("veth", (cpus[0], cpus[min(1, len(cpus) - 1)])))
        self.spaces = built.namespace_of
        self.proxy_address, self.server_address = built.proxy_address, built.server_address

    @contextlib.contextmanager
    def inside(self, host):
        """Sockets that are made inside, by this thread or by a child that is forked there, are that host's."""
        with open("/proc/self/ns/net", "rb") as own, open(f"/run/netns/{self.spaces[host]}", "rb") as space:
            enter(space)
            try:
                yield
            finally:
                enter(own)

    def command(self, host, *words):
        return [shutil.which("ip") or "/usr/sbin/ip", "netns", "exec", self.spaces[host], *words]


def enter(space):
    if libc.setns(space.fileno(), CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"setns: {os.strerror(error)}")


def choose_place(known, stack):
    """(place, known), where the reason why wire is left out is completed. known: [(engine, None or why it is
    unavailable)]. Without wire loopback does for all."""
    why_not = dict(known).get("wire", "not in this build")
    if why_not:
        return Loopback(), known
    why_not = topology.refuse_reason("veth")
    if why_not is None:
        try:
            return Lab(stack), known
        except UsageError as error:
            why_not = str(error)
    return Loopback(), [(name, f"no network interface to go by: {why_not}" if name == "wire" else why)
                        for name, why in known]

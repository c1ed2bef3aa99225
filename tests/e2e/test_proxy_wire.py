"""The PROXY protocol where the packet engine carries what follows the header."""

import contextlib
import ctypes
import os
import socket

import pytest

from lib.endpoints import accept
from lib.flows import assert_received, receive_exactly
from lib.netlab import Netlab
from lib.pattern import pattern_bytes
from lib.proxy import Proxy
from lib.proxy_header import CLIENTS, SERVERS, binary_header, receive_header
from lib.waiting import wait_until

CLONE_NEWNET = 0x40000000
KINDS = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
CHUNK_BYTES = 1 << 18


@contextlib.contextmanager
def inside(namespace):
    """Sockets made meanwhile belong to the namespace."""
    libc = ctypes.CDLL(None, use_errno=True)

    def enter(descriptor):
        assert libc.setns(descriptor, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())

    with open("/proc/thread-self/ns/net", "rb") as home, open(f"/run/netns/{namespace}", "rb") as other:
        enter(other.fileno())
        try:
            yield
        finally:
            enter(home.fileno())


@pytest.fixture
def lab():
    missing = Netlab.missing()
    if missing:
        pytest.skip(missing)
    with Netlab() as lab:
        yield lab


def place_of(lab, host, family, side=None):
    address = lab.address(host, family, side)
    return (address, 7000), f"[{address}]:7000" if family == "ipv6" else f"{address}:7000"


@pytest.mark.limit(90)
@pytest.mark.parametrize("said", ["ipv4", "ipv6"])
def test_packets_are_spliced_behind_a_header(ours_only, lab, directory, closing, log, internet_family, said):
    front, front_text = place_of(lab, "proxy", internet_family, "client")
    back, back_text = place_of(lab, "server", internet_family)
    trusted = lab.address("client", internet_family)
    daemon = Proxy(directory, f'listen relayed\nbind {front_text} accept-proxy trusted {trusted}\n'
                   f'log-format "%ci:%cp %fi:%fp %U/%B %ts"\nserver one {back_text} send-proxy-v2', "wire",
                   logs=["stdout format raw local0"])
    try:
        daemon.start(prefix=["ip", "netns", "exec", lab.names["proxy"]])
        row = next(line for line in daemon.runtime.ask("show relay").splitlines() if line.startswith("wire "))
        if "unavailable: " in row:
            pytest.skip(row.partition("unavailable: ")[2])
        with inside(lab.names["server"]):
            listener = closing(socket.create_server(back, family=KINDS[internet_family]))
        listener.settimeout(10)
        with inside(lab.names["client"]):
            client = closing(socket.create_connection(front, 10))
        client.sendall(binary_header(said))
        server = closing(accept(listener))
        header = receive_header(server)
        assert (header.source, header.destination) == ((CLIENTS[said], 1234), (SERVERS[said], 443))
        total = 0

        def is_carried():
            nonlocal total
            content = pattern_bytes(CHUNK_BYTES)
            client.sendall(content)
            assert receive_exactly(server, CHUNK_BYTES) == content
            server.sendall(content)
            assert receive_exactly(client, CHUNK_BYTES) == content
            total += CHUNK_BYTES
            return "eng_in=wire eng_out=wire" in daemon.runtime.ask("show sess")

        wait_until(is_carried, "the packet engine to carry the session", 30)
        for _ in range(4):
            is_carried()
        client.shutdown(socket.SHUT_WR)
        assert_received(server, b"", "end")
        server.close()
        assert_received(client, b"", "end")
        line = rf"{CLIENTS[said]}:1234 {SERVERS[said]}:443 {total}/{total} --"
        wait_until(lambda: line in daemon.output(), f"{line} in the log")
        daemon.stop()
    finally:
        daemon.kill()

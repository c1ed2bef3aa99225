"""From which addresses and ports servers are connected to, between the hosts of a lab: ports
that are used up and used again, and clients' addresses shown to servers."""

import contextlib
import os
import selectors
import socket
import threading
import time

import pytest

from lib import place
from lib.endpoints import Endpoint, accept
from lib.netlab import Netlab
from lib.proxy import Proxy
from lib.waiting import wait_until

SERVERS = 4
# ports of the range, connections in a row
SHORT, LONG = (60, 1_200), (5_000, 100_000)
RANGE_FIRST = 30_000

pytestmark = [
    pytest.mark.skipif(Netlab.missing() is not None, reason=f"a network lab: {Netlab.missing()}"),
    pytest.mark.skipif(bool(place.MODE), reason="it makes its own lab"),
]


@pytest.fixture(scope="module")
def own_lab():
    with place.running_lab() as made:
        yield made


@pytest.fixture
def start(own_lab, directory, log):
    """A daemon on the lab's proxy; its log is left here, whither the host's network leads."""
    with contextlib.ExitStack() as stack:
        def make(body, engine="copy", **parts):
            daemon = Proxy(directory, body, engine, **parts)
            stack.callback(daemon.kill)
            return daemon.start()

        yield make


class Closers:
    """Servers that close each connection once the other side has."""

    def __init__(self, count):
        self.endpoints = [Endpoint("ipv4") for _ in range(count)]
        self.listeners = [endpoint.listen(backlog=1024) for endpoint in self.endpoints]
        self.accepted = [0] * count
        self.waker, self.woken = socket.socketpair()
        self.thread = threading.Thread(target=self._serve)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.waker.close()
        self.thread.join()
        for listener in self.listeners:
            listener.close()

    def _serve(self):
        with selectors.DefaultSelector() as ready:
            ready.register(self.woken, selectors.EVENT_READ, None)
            for index, listener in enumerate(self.listeners):
                ready.register(listener, selectors.EVENT_READ, index)
            while True:
                for key, _ in ready.select():
                    if key.fileobj is self.woken:
                        return
                    self._advance(ready, key)

    def _advance(self, ready, key):
        if key.data is not None:
            peer, _ = key.fileobj.accept()
            self.accepted[key.data] += 1
            ready.register(peer, selectors.EVENT_READ, None)
        elif not key.fileobj.recv(1024):
            ready.unregister(key.fileobj)
            key.fileobj.close()


def close_first(front):
    """One connection that the client ends first; whether it reached a server in order."""
    with front.connect() as peer:
        peer.sendall(b"x")
        peer.shutdown(socket.SHUT_WR)
        try:
            return peer.recv(1) == b""
        except ConnectionResetError:
            return False


def ports_resting(lab, endpoints):
    """Sockets of the proxy in TIME_WAIT towards these servers."""
    shown = lab.run("proxy", ["ss", "-Htn", "state", "time-wait"], capture_output=True, text=True)
    peers = {f"{endpoint.host}:{endpoint.port}" for endpoint in endpoints}
    return sum(line.split()[-1] in peers for line in shown.stdout.splitlines())


def system_ports(lab, first, last):
    lab.run("proxy", ["sysctl", "-qw", f"net.ipv4.ip_local_port_range={first} {last}"])


# The kernel's own choice; within its ports; and ports of which it has none.
SOURCES = {"the system's ports": "", "a part of the system's ports": "source 0.0.0.0:{first}-{last}",
           "other ports than the system's": "source {host}:{first}-{last}"}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES.keys())
@pytest.mark.limit(900 if "SPLICED_LONG" in os.environ else 60)
def test_more_connections_in_a_row_than_there_are_ports_all_reach_their_server(own_lab, start, source):
    ports, count = LONG if "SPLICED_LONG" in os.environ else SHORT
    last = RANGE_FIRST + ports - 1
    host = own_lab.address("proxy", "ipv4", "server")
    # Not on this network: there even the kernel would use resting ports again by itself.
    assert own_lab.run("proxy", ["sysctl", "-n", "net.ipv4.tcp_tw_reuse"], capture_output=True).stdout.strip() == b"2"
    system_ports(own_lab, *((45_000, 45_999) if "host" in source else (RANGE_FIRST, last)))
    front = Endpoint("ipv4")
    with Closers(SERVERS) as servers:
        lines = "\n".join(f"server s{index} {server.text}" for index, server in enumerate(servers.endpoints))
        daemon = start(f"listen relayed\nbind {front.text}\nretries 0\n"
                       f"{source.format(first=RANGE_FIRST, last=last, host=host)}\n{lines}")
        began = time.monotonic()
        failed = sum(not close_first(front) for _ in range(count // 2))
        resting = ports_resting(own_lab, servers.endpoints)
        failed += sum(not close_first(front) for _ in range(count - count // 2))
        print(f"{count} connections in {time.monotonic() - began:.1f} s, {resting} ports resting at half time")
        assert failed == 0
        assert daemon.runtime.info()["SourcePortsMissed"] == "0"
        wait_until(lambda: sum(servers.accepted) == count, "every connection at a server")
        # Ports did rest: it is our side that closes first.
        assert resting >= 0.5 * min(count // 2, SERVERS * ports)
        daemon.stop()


def test_a_lack_of_ports_moves_on_to_another_server_and_is_told(own_lab, start):
    system_ports(own_lab, 32768, 60999)
    front, servers = Endpoint("ipv4"), [Endpoint("ipv4") for _ in range(2)]
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(server.listen()) for server in servers]
        # One port for both servers, so that each can have one connection.
        daemon = start(f"listen relayed\nbind {front.text}\nretries 1\nbalance first\nsource 0.0.0.0:31000\n"
                       f"server one {servers[0].text}\nserver two {servers[1].text}")
        for listener in listeners:
            stack.enter_context(front.connect())
            stack.enter_context(accept(listener))
        third = stack.enter_context(front.connect())
        with contextlib.suppress(ConnectionResetError):
            assert third.recv(1) == b""
        rows = {row["svname"]: row for row in daemon.runtime.stat() if row["pxname"] == "relayed"}
        assert int(rows["BACKEND"]["wredis"]) == 2
        assert int(rows["one"]["econ"]) + int(rows["two"]["econ"]) == 1
        assert int(daemon.runtime.info()["SourcePortsMissed"]) == 3
        assert "no source port is free" in daemon.errors()


@contextlib.contextmanager
def answers_taken_in(lab):
    """What servers send to clients' addresses is for the proxy's own sockets."""
    name = lab.names["proxy"]
    clients = place.host("proxy", "ipv4").rpartition(".")[0] + ".0/24"
    lab.ip("-n", name, "route", "add", "local", clients, "dev", "lo", "table", "100")
    lab.ip("-n", name, "rule", "add", "iif", lab.interface("proxy", "server"), "lookup", "100", "priority", "1")
    try:
        yield
    finally:
        lab.ip("-n", name, "rule", "del", "priority", "1")
        lab.ip("-n", name, "route", "del", "local", clients, "dev", "lo", "table", "100")


@pytest.mark.parametrize("engine", ["copy", "splice", "wire"])
@pytest.mark.parametrize("whom", ["client", "clientip"])
def test_servers_see_the_clients_address(own_lab, start, whom, engine):
    system_ports(own_lab, 32768, 60999)
    front, server = Endpoint("ipv4"), Endpoint("ipv4")
    with answers_taken_in(own_lab), server.listen() as listener:
        daemon = start(f"listen relayed\nbind {front.text}\nsource 0.0.0.0 usesrc {whom}\n"
                       f"server one {server.text}", engine)
        for _ in range(20):
            with front.connect() as peer, accept(listener) as seen:
                host, port = seen.getpeername()
                assert host == peer.getsockname()[0]
                assert whom == "clientip" or port == peer.getsockname()[1]
                for text in (b"to the server", b"more of it"):
                    peer.sendall(text)
                    assert seen.recv(100) == text
                    seen.sendall(text[::-1])
                    assert peer.recv(100) == text[::-1]
        daemon.stop()


def test_without_the_right_to_foreign_addresses_it_does_not_start(own_lab, directory):
    front = Endpoint("ipv4")
    daemon = Proxy(directory, f"listen relayed\nbind {front.text}\nsource 0.0.0.0 usesrc clientip\n"
                              "server one 10.77.2.2:9", "copy", global_lines=["user nobody"])
    with pytest.raises(AssertionError, match="CAP_NET_ADMIN or CAP_NET_RAW"):
        daemon.start()
    daemon.kill()

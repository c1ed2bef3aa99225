"""The daemon hands busy connections over to the wire programs, in a lab of namespaces: what
the packets of both ends and the sockets' own make of each other until all is handed over."""

import os
import re
import sys

import pytest

from lib.netlab import Netlab
from lib.proxy import BINARY
from lib.runtime import RuntimeClient
from lib.waiting import wait_until, wait_while_changing

PORT = 9000
STALL = 5  # seconds without a byte

pytestmark = pytest.mark.skipif(Netlab.missing() is not None, reason=f"a network lab: {Netlab.missing()}")


class Daemon(RuntimeClient):
    """spliced between the lab's client and server, with one thread.  With relay auto a
    connection is handed over when it has shown that it is worth it, in full swing."""

    def __init__(self, lab, folder, relay):
        super().__init__(str(folder / "socket"))
        config = folder / "spliced.cfg"
        config.write_text(f"""
global
    stats socket {self.path} mode 600 level admin
    nbthread 1
    maxconn 100
    {"wire-interfaces all" if relay == "auto" else ""}
defaults
    mode tcp
    relay {relay}
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen l
    bind {lab.address("proxy", "ipv4", "client")}:{PORT}
    server s {lab.address("server", "ipv4")}:{PORT}
""")
        self.process = lab.start("proxy", [str(BINARY), "-f", str(config)])
        wait_until(lambda: os.path.exists(self.path), "the daemon is there")
        unavailable = re.search(r"^wire .*unavailable: (.*)$", self.ask("show relay"), re.M)
        if relay != "copy" and unavailable:
            pytest.skip(unavailable[1])

    def was_on_wire(self):
        """Whether a connection has been handed over to its end."""
        return re.search(r"^wire \d+ [1-9]", self.ask("show relay"), re.M) is not None


AMPLIFIER = """
import socket, sys, threading
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
print('READY', flush=True)
answer = b'x' * 200000
def serve(stream, taken=0):
    try:
        while part := stream.recv(1000 - taken):
            taken = (taken + len(part)) % 1000
            if taken == 0:
                stream.sendall(answer)
    except OSError:
        pass
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""

# Asks for far more than a socket takes, but not for ever more than has been answered; told to
# end, it wants a good part more.
PIPELINER = """
import os, socket, sys, threading
stream = socket.create_connection((sys.argv[1], int(sys.argv[2])))
stream.settimeout(int(sys.argv[3]))
wanted, taken, more = None, 0, threading.Condition()
def ask():
    sent = 0
    while True:
        with more:
            more.wait_for(lambda: sent < taken // 200 + 2_000_000)
        stream.sendall(b'q' * 50_000)
        sent += 50_000
def obey():
    global wanted
    sys.stdin.readline()
    wanted = taken + 200_000_000
threading.Thread(target=ask, daemon=True).start()
threading.Thread(target=obey, daemon=True).start()
while wanted is None or taken < wanted:
    try:
        part = stream.recv(1 << 18)
    except TimeoutError:
        print('STALLED after', taken, flush=True)
        break
    with more:
        taken += len(part)
        more.notify()
print('DONE', flush=True)
os._exit(0)
"""


@pytest.mark.limit(90)
@pytest.mark.parametrize("relay", ["auto", "copy"])
def test_a_connection_that_is_full_both_ways_is_handed_over(relay, tmp_path):
    """The server reads the next request when its answer is taken, so its window is closed
    for most of the time and requests wait in the proxy."""
    with Netlab() as lab:
        far = lab.start("server", [sys.executable, "-c", AMPLIFIER, lab.address("server", "ipv4"), str(PORT)])
        assert far.stdout.readline() == "READY\n"
        daemon = Daemon(lab, tmp_path, relay)
        near = lab.start("client", [sys.executable, "-c", PIPELINER, lab.address("proxy", "ipv4", "client"),
                                    str(PORT), str(STALL)])
        if relay == "auto":
            wait_until(daemon.was_on_wire, "wire to take it over", 60)
        near.stdin.write("\n")
        near.stdin.flush()
        line = near.stdout.readline()
        assert line == "DONE\n", line + daemon.ask("show sess") + daemon.ask("show relay")
        assert near.wait() == 0
        assert daemon.was_on_wire() == (relay != "copy"), daemon.ask("show relay")


FLOOD = """
import socket, sys
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
print('READY', flush=True)
stream = listener.accept()[0]
try:
    while True:
        stream.sendall(b'x' * 65536)
except OSError as error:
    print(type(error).__name__, flush=True)
"""

# Notices without reading.
SLOW_READER = """
import select, socket, sys
stream = socket.create_connection((sys.argv[1], int(sys.argv[2])))
stream.settimeout(5)
taken = 0
while taken < 500_000_000:
    taken += len(stream.recv(1 << 18))
print('FULL', flush=True)
poll = select.poll()
poll.register(stream, 0)
print('RESET' if poll.poll(10_000) else 'NOTHING', flush=True)
"""


def test_a_reader_with_full_buffers_sees_that_its_session_was_shut_down(tmp_path):
    with Netlab() as lab:
        far = lab.start("server", [sys.executable, "-c", FLOOD, lab.address("server", "ipv4"), str(PORT)])
        assert far.stdout.readline() == "READY\n"
        daemon = Daemon(lab, tmp_path, "wire")
        near = lab.start("client", [sys.executable, "-c", SLOW_READER, lab.address("proxy", "ipv4", "client"), str(PORT)])
        assert near.stdout.readline() == "FULL\n"
        assert daemon.was_on_wire()
        wait_while_changing(lambda: daemon.ask("show sess").split(" out=")[1].split()[0])
        session = daemon.ask("show sess").split(":")[0]
        assert daemon.ask(f"shutdown session {session}").strip() == ""
        wait_until(lambda: session not in daemon.ask("show sess"), "the session is gone")
        assert near.stdout.readline() == "RESET\n"
        assert far.stdout.readline() in ("ConnectionResetError\n", "BrokenPipeError\n")


NEAR_ECHO = """
import socket, sys
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
listener.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
print('READY', flush=True)
stream = listener.accept()[0]
while part := stream.recv(65536):
    stream.sendall(part)
"""

PINGS = """
import socket, sys
stream = socket.create_connection((sys.argv[1], int(sys.argv[2])))
stream.settimeout(5)
for count in range(2000):
    stream.sendall(b'ping')
    assert stream.recv(4, socket.MSG_WAITALL) == b'ping'
print('DONE', flush=True)
"""


def test_a_server_whose_packets_cannot_be_forwarded_is_served_by_the_sockets(tmp_path):
    with Netlab() as lab:
        far = lab.start("server", [sys.executable, "-c", NEAR_ECHO, lab.address("server", "ipv4"), str(PORT)])
        assert far.stdout.readline() == "READY\n"
        daemon = Daemon(lab, tmp_path, "wire")
        near = lab.start("client", [sys.executable, "-c", PINGS, lab.address("proxy", "ipv4", "client"), str(PORT)])
        assert near.stdout.readline() == "DONE\n"
        assert not daemon.was_on_wire()
        assert re.search("^hops: 1", daemon.ask("show relay"), re.M)

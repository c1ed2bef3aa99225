"""relay sockmap in the daemon: what only this engine has.  Everything that all engines must do
is in the other files, which run on it too."""

import contextlib
import os
import re
import select
import socket
import subprocess

import pytest

from lib import place
from lib.flows import receive_exactly
from lib.pattern import pattern_bytes
from lib.proxy import BINARY, is_sanitized
from lib.waiting import wait_until

pytestmark = [
    pytest.mark.skipif(bool(place.MODE), reason="the engine of a lab is wire"),
    pytest.mark.usefixtures("ours_only"),
]
MESSAGES = 200


@pytest.fixture
def link(make_link):
    made = make_link("sockmap", global_lines=["nbthread 1"])
    unavailable = re.search(r"^sockmap .*unavailable: (.*)$", made.daemon.runtime.ask("show relay"), re.M)
    if unavailable:
        pytest.skip(unavailable[1])
    return made


def converse(client, server, count=MESSAGES):
    for number in range(count):
        message = f"message {number:6}".encode()
        client.sendall(message)
        assert receive_exactly(server, len(message)) == message
        server.sendall(message)
        assert receive_exactly(client, len(message)) == message


def show(link):
    return link.daemon.runtime.ask("show relay")


def session(link):
    name = re.search(r"^(0x\w+):", link.daemon.runtime.ask("show sess"), re.M)[1]
    return link.daemon.runtime.ask(f"show sess {name}")


def context_switches(link):
    """Of the worker: each time that it was woken."""
    folder = f"/proc/{link.daemon.pid}/task"
    for task in os.listdir(folder):
        with open(f"{folder}/{task}/comm") as file:
            if file.read().startswith("worker"):
                with open(f"{folder}/{task}/status") as status:
                    return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status.read(), re.M)[1])
    raise AssertionError("there is no worker")


def fill(stream, piece):
    """Sends the piece again and again until nothing more is taken; returns the bytes."""
    stream.setblocking(False)
    sent = 0
    while True:
        try:
            sent += stream.send(piece[sent % len(piece):])
        except BlockingIOError:
            if not select.select([], [stream], [], 0.5)[1]:
                return sent


def test_a_conversation_does_not_wake_the_process(link):
    client, server = link.pair()
    converse(client, server, 2)
    before = context_switches(link)
    converse(client, server)
    # Beside the messages there is a sweep a second.
    assert context_switches(link) - before < MESSAGES / 4
    text = session(link)
    assert len(re.findall(r"engine=sockmap since=\d+ms moves=1 why=named bytes=\d+", text)) == 2, text
    size = (MESSAGES + 2) * len("message 000000")
    assert len(re.findall(rf"bytes={size} ", text)) == 2, text


def test_an_end_comes_after_the_response_that_waits(link):
    client, server = link.pair()
    converse(client, server, 2)
    sent = fill(server, b"r" * 65536)
    server.shutdown(socket.SHUT_WR)
    received = 0
    while part := client.recv(1 << 20):
        received += len(part)
    assert received == sent
    wait_until(lambda: re.search(r"^(room|way_back|behind): [1-9]\d* \(", show(link), re.M),
               "the packets that were left to the process to be counted")


def test_what_a_killed_daemon_had_not_delivered_is_only_missing(link):
    """The kernel closes its sockets, as those of any process; no byte is out of its place, and
    the sender is told."""
    client, server = link.pair()
    converse(client, server, 2)
    piece = pattern_bytes(1 << 16)
    sent = fill(server, piece)
    daemon, link.daemon.process = link.daemon.process, None
    daemon.kill()
    daemon.wait()
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(1 << 20):
            received += part
    assert 0 < len(received) < sent
    assert received == (piece * (len(received) // len(piece) + 1))[:len(received)]
    server.settimeout(10)
    with contextlib.suppress(ConnectionResetError):
        assert server.recv(1) == b""


def test_more_connections_than_places_are_carried_by_copy(make_link):
    link = make_link("sockmap", global_lines=["nbthread 1", "sockmap-connections 2"])
    if "unavailable" in re.search(r"^sockmap .*$", show(link), re.M)[0]:
        pytest.skip("sockmap is not available")
    pairs = [link.pair() for _ in range(3)]
    for client, server in pairs:
        converse(client, server, 3)
    text = show(link)
    assert re.search(r"^sockmap 4 ", text, re.M), text
    assert re.search(r"^full: [1-9]\d* \(the table of relayed connections is full\)$", text, re.M), text
    assert re.search(r"^SockmapConnections: 2$", text, re.M), text
    assert re.search(r"^SockmapConnectionsMax: 2$", text, re.M), text


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to change the user")
def test_it_serves_without_root(make_link):
    link = make_link("sockmap", global_lines=["nbthread 1", "user nobody"])
    if "unavailable" in re.search(r"^sockmap .*$", show(link), re.M)[0]:
        pytest.skip("sockmap is not available")
    client, server = link.pair()
    converse(client, server, 5)
    assert len(re.findall(r"engine=sockmap", session(link))) == 2
    server.setblocking(False)
    # It leaves and comes back with the rights that are left.
    def left():
        while True:
            try:
                server.send(b"r" * 65536)
            except BlockingIOError:
                break
        client.setblocking(False)
        try:
            while client.recv(1 << 20):
                pass
        except BlockingIOError:
            pass
        return re.search(r"^(copy|splice)/congested: [1-9]", show(link), re.M)

    wait_until(left, "a crowded direction to leave", 30)


def test_a_process_without_rights_says_so_and_copies(make_link):
    prefix = ["setpriv", "--bounding-set=-bpf,-sys_admin,-net_admin,-perfmon", "--inh-caps=-all"]
    if is_sanitized() or os.system("setpriv --version > /dev/null 2>&1") != 0:
        pytest.skip("setpriv is not installed, or the build is a sanitizer's")
    done = subprocess.run([*prefix, str(BINARY), "-vv"], capture_output=True, text=True, check=False)
    assert re.search(r"^  sockmap +unavailable: \S+", done.stdout, re.M), done.stdout

"""Every time-out of the configuration ends what it is for, and the log says which."""

import socket
import struct
import time

import pytest

from lib.flows import receive_exactly, receive_to_end
from lib.waiting import wait_until

SHORT_MS = 300
LATEST_S = 3.0


def elapsed_until_end(peer, started):
    """Seconds from `started` until the peer's connection ended, in whatever way."""
    receive_to_end(peer)
    return time.monotonic() - started


@pytest.mark.parametrize("name,states", [("client", ["cD"]), ("server", ["sD"]), ("tunnel", ["cD", "sD"])])
def test_a_silent_connection_ends(make_link, engine, name, states):
    link = make_link(engine, lines=[f"timeout {name} {SHORT_MS}ms"])
    client, server = link.pair()
    started = time.monotonic()
    client.sendall(b"x")
    assert server.recv(1) == b"x"
    server.sendall(b"y")
    assert client.recv(1) == b"y"
    assert SHORT_MS / 1000 * 0.8 < elapsed_until_end(client, started) < LATEST_S
    receive_to_end(server)
    assert link.log.session()["state"] in states


@pytest.mark.parametrize("name", ["client", "server", "tunnel"])
def test_traffic_keeps_a_connection_alive(make_link, engine, name):
    link = make_link(engine, lines=[f"timeout {name} {SHORT_MS}ms"])
    client, server = link.pair()
    end = time.monotonic() + 4 * SHORT_MS / 1000
    while time.monotonic() < end:
        client.sendall(b"x")
        assert server.recv(1) == b"x"
        server.sendall(b"y")
        assert client.recv(1) == b"y"
        time.sleep(SHORT_MS / 1000 / 6)


@pytest.mark.parametrize("name", ["client", "server"])
def test_traffic_in_one_direction_does_not_keep_a_stuck_side_alive(make_link, engine, name):
    """A side that takes nothing although bytes wait for it is silent too."""
    link = make_link(engine, lines=[f"timeout {name} {SHORT_MS}ms"])
    client, server = link.pair()
    stuck, writing = (client, server) if name == "client" else (server, client)
    writing.settimeout(LATEST_S)
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        while True:
            writing.sendall(b"z" * 65536)
    stuck.close()
    assert link.log.session()["state"] in (["cD"] if name == "client" else ["sD"])


def fill(peer):
    """Writes until nothing more is taken; returns the bytes that went."""
    sent, last = 0, time.monotonic()
    peer.setblocking(False)
    while time.monotonic() - last < 0.1:
        try:
            sent += peer.send(b"z" * 65536)
            last = time.monotonic()
        except BlockingIOError:
            time.sleep(0.01)
    peer.settimeout(10)
    return sent


@pytest.mark.parametrize("name", ["client", "server"])
def test_a_side_that_is_held_back_is_not_silent(make_link, engine, name):
    """Its bytes wait for the other side, which has all the time it wants."""
    link = make_link(engine, lines=[f"timeout {name} {SHORT_MS}ms"])
    client, server = link.pair()
    held_back, slow = (client, server) if name == "client" else (server, client)
    sent = fill(held_back)
    time.sleep(4 * SHORT_MS / 1000)
    started = time.monotonic()
    assert len(receive_exactly(slow, sent)) == sent
    elapsed_until_end(held_back, started)
    assert link.log.session()["state"] == ("cD" if name == "client" else "sD")


@pytest.mark.parametrize("memory", ["512k", "64m"])
def test_a_half_closed_client_that_takes_nothing_is_silent(make_link, engine, memory):
    """Also where there is no room to keep what it does not take: that stays with the kernel."""
    link = make_link(engine, lines=[f"timeout client {SHORT_MS}ms"],
                     global_lines=["nbthread 1", f"relay-tuning memory-max {memory}"])
    pairs = [link.pair() for _ in range(5)]
    for client, server in pairs:
        client.shutdown(socket.SHUT_WR)
        assert server.recv(1) == b""
    # What comes after the end, and is not taken.
    time.sleep(SHORT_MS / 1000 * 0.5)
    for _, server in pairs:
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            server.settimeout(LATEST_S)
            while True:
                server.sendall(b"z" * 65536)
    assert [link.log.session()["state"] for _ in pairs] == ["cD"] * len(pairs)


@pytest.mark.parametrize("name,state", [("client-fin", "SD"), ("server-fin", "CD")])
def test_who_does_not_take_the_rest_of_a_broken_side_ends_by_its_fin_timeout(make_link, engine, name, state):
    """Without any other time-out."""
    link = make_link(engine, lines=[f"timeout {name} {SHORT_MS}ms"],
                     defaults_lines=["timeout client 0", "timeout server 0"])
    client, server = link.pair()
    broken, stuck = (server, client) if name == "client-fin" else (client, server)
    fill(broken)
    broken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    broken.close()
    assert link.log.session()["state"] in (state, "cD" if name == "client-fin" else "sD")
    with pytest.raises(ConnectionResetError):
        while stuck.recv(1 << 20):
            pass


@pytest.mark.parametrize("name,state", [("client-fin", "cD"), ("server-fin", "sD")])
def test_a_half_closed_connection_ends_by_its_own_timeout(make_link, engine, family, name, state):
    """client-fin watches a client that was shown the end, server-fin a server."""
    link = make_link(engine, family, lines=[f"timeout {name} {SHORT_MS}ms"])
    client, server = link.pair()
    ending, silent = (server, client) if name == "client-fin" else (client, server)
    started = time.monotonic()
    ending.shutdown(socket.SHUT_WR)
    assert silent.recv(1) == b""
    assert SHORT_MS / 1000 * 0.8 < elapsed_until_end(ending, started) < LATEST_S
    assert link.log.session()["state"] == state


def test_a_half_closed_connection_that_still_moves_goes_on(make_link, engine):
    link = make_link(engine, lines=[f"timeout server-fin {SHORT_MS}ms", f"timeout client-fin {SHORT_MS}ms"])
    client, server = link.pair()
    client.shutdown(socket.SHUT_WR)
    assert server.recv(1) == b""
    end = time.monotonic() + 4 * SHORT_MS / 1000
    while time.monotonic() < end:
        server.sendall(b"y")
        assert client.recv(1) == b"y"
        time.sleep(SHORT_MS / 1000 / 6)
    server.close()
    assert client.recv(1) == b""


def test_waiting_for_a_slot_ends_by_timeout_queue(make_link, engine):
    link = make_link(engine, lines=[f"timeout queue {SHORT_MS}ms"], server_words="maxconn 1")
    link.pair()
    started = time.monotonic()
    waiting = link.closing(link.front.connect())
    assert SHORT_MS / 1000 * 0.8 < elapsed_until_end(waiting, started) < LATEST_S
    logged = link.log.session()
    assert logged["state"] == "sQ" and logged["server"] == "<NOSRV>"
    assert int(logged["wait"]) == -1 or int(logged["wait"]) >= SHORT_MS * 0.8


def test_waiting_for_a_slot_ends_by_timeout_connect_without_timeout_queue(make_link):
    link = make_link("auto", lines=[f"timeout connect {SHORT_MS}ms"], server_words="maxconn 1")
    link.pair()
    started = time.monotonic()
    waiting = link.closing(link.front.connect())
    assert SHORT_MS / 1000 * 0.8 < elapsed_until_end(waiting, started) < LATEST_S
    assert link.log.session()["state"] == "sQ"


def test_a_timed_out_client_still_gets_what_was_sent_before(make_link, engine):
    link = make_link(engine, lines=[f"timeout server {SHORT_MS}ms"])
    client, server = link.pair()
    server.sendall(b"z" * 100_000)
    assert receive_exactly(client, 100_000) == b"z" * 100_000
    wait_until(lambda: link.log.lines(), "the time-out to be logged")
    assert receive_to_end(client)[0] == b""
    assert link.log.session()["bytes"] == "100000"

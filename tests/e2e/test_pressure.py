"""Peers that do not read or do not write: nothing is lost and memory stays bounded."""

import socket
import time

import pytest

from lib.flows import assert_same, fill, receive_exactly, receive_to_end, send_all_in_thread
from lib.pattern import pattern_bytes
from lib.proxy import is_sanitized

BULK_BYTES = 96 << 20
# Kernel buffers of four sockets and what an engine holds; far below what a leak would take.
HELD_BYTES_MAX = 80 << 20
MEMORY_KIB_MAX = 16 << 10


@pytest.fixture(scope="module")
def bulk():
    return memoryview(pattern_bytes(BULK_BYTES))


@pytest.mark.parametrize("reader", ["client", "server"])
def test_a_reader_that_pauses_until_all_is_full_gets_everything(link, bulk, reader):
    client, server = link.pair()
    reading, writing = (client, server) if reader == "client" else (server, client)
    before = link.daemon.memory_kib()
    stuck = fill(writing, bulk)
    assert stuck < HELD_BYTES_MAX
    if not is_sanitized():
        assert link.daemon.memory_kib() - before < MEMORY_KIB_MAX
    total = stuck + (4 << 20)
    rest = send_all_in_thread(writing, bulk[stuck:total])
    assert_same(receive_exactly(reading, total), bulk[:total])
    rest.join()
    assert rest.error is None


@pytest.mark.slow
@pytest.mark.limit(60)
def test_a_reader_that_stops_for_ten_seconds_gets_everything(make_link, engine, bulk):
    link = make_link(engine)
    client, server = link.pair()
    stuck = fill(server, bulk)
    total = stuck + (4 << 20)
    server.settimeout(40)
    rest = send_all_in_thread(server, bulk[stuck:total])
    used = link.daemon.processor_seconds()
    time.sleep(10)  # the length of the pause is what is tested
    assert link.daemon.processor_seconds() - used < 0.3, "the daemon was busy while nothing could move"
    assert_same(receive_exactly(client, total), bulk[:total])
    rest.join()
    assert rest.error is None


def push_for(peer, source, seconds):
    """Goes on writing for a while; returns how many bytes were still taken."""
    peer.setblocking(False)
    end, sent = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        try:
            sent += peer.send(source[sent: sent + 65536])
        except BlockingIOError:
            time.sleep(0.01)
    return sent


def test_a_client_that_writes_and_never_reads_is_held_back(link, bulk):
    """The server echoes; once the client's side is full, everything stands still."""
    client, server = link.pair()
    echo = send_all_in_thread(server, bulk)
    stuck = fill(client, bulk)
    assert stuck < HELD_BYTES_MAX
    used = link.daemon.processor_seconds()
    stuck += push_for(client, bulk[stuck:], 0.5)
    assert stuck < HELD_BYTES_MAX
    assert link.daemon.processor_seconds() - used < 0.2, "the daemon was busy while nothing could move"
    client.close()
    data, _ = receive_to_end(server)
    assert_same(data, bulk[: len(data)])
    echo.join(10)
    assert echo.error is not None, "the server never learned that the client had gone"


def test_a_client_that_reads_and_never_writes_gets_everything(link, bulk):
    client, server = link.pair()
    writer = send_all_in_thread(server, bulk[: 32 << 20])
    assert_same(receive_exactly(client, 32 << 20), bulk[: 32 << 20])
    writer.join()
    server.close()
    assert client.recv(1) == b""


def test_one_stuck_connection_does_not_disturb_another(link, bulk):
    _, stuck_server = link.pair()
    fill(stuck_server, bulk)
    client, server = link.pair()
    for turn in range(200):
        client.sendall(b"%d" % turn)
        assert server.recv(100) == b"%d" % turn
    writer = send_all_in_thread(client, bulk[: 16 << 20])
    assert_same(receive_exactly(server, 16 << 20), bulk[: 16 << 20])
    writer.join()


def test_a_half_closed_connection_costs_no_time_while_it_waits(link, bulk):
    """The end of one side stays readable for ever; the daemon must not look at it for ever."""
    client, server = link.pair()
    fill(server, bulk)
    client.shutdown(socket.SHUT_WR)
    assert server.recv(1) == b""
    _, waiting = idle = link.pair()
    idle[0].shutdown(socket.SHUT_WR)
    assert waiting.recv(1) == b""
    used = link.daemon.processor_seconds()
    time.sleep(0.7)  # time in which spinning would show
    assert link.daemon.processor_seconds() - used < 0.2


def test_urgent_data_neither_stops_nor_breaks_the_stream(make_link, engine, internet_family):
    link = make_link(engine, internet_family)
    client, server = link.pair()
    client.sendall(b"a" * 1000)
    client.send(b"!", socket.MSG_OOB)
    client.sendall(b"b" * 1000)
    client.shutdown(socket.SHUT_WR)
    data, ending = receive_to_end(server)
    assert ending == "end" and data.replace(b"!", b"") == b"a" * 1000 + b"b" * 1000

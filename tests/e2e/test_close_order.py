"""Every order of closing and resetting, seen from both ends.

An orderly end must be seen as an orderly end and a reset as a reset, each after all
bytes that came before it.  Unix sockets have no reset: there an end is all that a
peer can be shown.
"""

import socket
import threading

import pytest

from lib import place
from lib.endpoints import accept, reset, unsent_bytes
from lib.flows import (assert_received, assert_same, break_is_noticed, fill, receive_exactly, receive_to_end,
                       send_all_in_thread)
from lib.pattern import pattern_bytes
from lib.waiting import wait_until

SMALL = pattern_bytes(1000)
pytestmark = pytest.mark.quick
# All of it leaves an end although nobody reads yet: in a lab nothing is buffered on the way.
MIDDLE = pattern_bytes(40_000 if place.MODE else 150_000)
LARGE_BYTES = 96 << 20


@pytest.fixture(scope="module")
def large():
    return memoryview(pattern_bytes(LARGE_BYTES))


def broken(link):
    """What the far end of a reset sees."""
    return ("end", "reset") if link.front.family == "unix" else ("reset",)


def assert_logged(link, *states):
    assert link.log.session()["state"] in states


def test_client_closes_first_and_server_answers_afterwards(link):
    client, server = link.pair()
    client.sendall(MIDDLE)
    client.shutdown(socket.SHUT_WR)
    assert_received(server, MIDDLE, "end")
    server.sendall(MIDDLE[::-1])
    server.close()
    assert_received(client, MIDDLE[::-1], "end")
    assert_logged(link, "--")


def test_server_closes_first_and_client_writes_afterwards(link):
    client, server = link.pair()
    server.sendall(MIDDLE)
    server.shutdown(socket.SHUT_WR)
    assert_received(client, MIDDLE, "end")
    client.sendall(MIDDLE[::-1])
    client.close()
    assert_received(server, MIDDLE[::-1], "end")
    assert_logged(link, "--")


def test_connection_without_a_byte_ends_orderly_from_the_client(link):
    client, server = link.pair()
    client.close()
    assert_received(server, b"", "end")
    server.close()
    assert_logged(link, "--", "CD")


def test_connection_without_a_byte_ends_orderly_from_the_server(link):
    client, server = link.pair()
    server.close()
    assert_received(client, b"", "end")
    client.close()
    assert_logged(link, "--", "SD")


def test_both_ends_close_at_once(link):
    client, server = link.pair()
    client.sendall(SMALL)
    server.sendall(MIDDLE)
    barrier = threading.Barrier(2)

    def end(peer, seen):
        barrier.wait(5)
        peer.shutdown(socket.SHUT_WR)
        seen.append(receive_to_end(peer))

    at_client, at_server = [], []
    threads = [threading.Thread(target=end, args=pair) for pair in ((client, at_client), (server, at_server))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_same(at_client[0][0], MIDDLE)
    assert_same(at_server[0][0], SMALL)
    assert (at_client[0][1], at_server[0][1]) == ("end", "end")
    assert_logged(link, "--")


@pytest.mark.parametrize("closer", ["client", "server"])
def test_half_close_passes_while_the_other_direction_is_full(link, large, closer):
    client, server = link.pair()
    ending, writing = (client, server) if closer == "client" else (server, client)
    stuck = fill(writing, large)
    ending.sendall(SMALL)
    ending.shutdown(socket.SHUT_WR)
    assert_received(writing, SMALL, "end")
    rest = send_all_in_thread(writing, large[stuck: stuck + (1 << 20)])
    assert_same(receive_exactly(ending, stuck + (1 << 20)), large[: stuck + (1 << 20)])
    rest.join()
    assert rest.error is None
    writing.close()
    assert_received(ending, b"", "end")
    assert_logged(link, "--")


@pytest.mark.parametrize("breaker", ["client", "server"])
def test_reset_of_an_idle_connection_is_seen_as_a_reset(link, breaker):
    client, server = link.pair()
    breaking, other = (client, server) if breaker == "client" else (server, client)
    other.sendall(SMALL)
    assert receive_exactly(breaking, len(SMALL)) == SMALL
    reset(breaking)
    assert_received(other, b"", *broken(link))
    other.close()
    if link.front.family != "unix":
        assert_logged(link, "CD" if breaker == "client" else "SD")


@pytest.mark.parametrize("breaker", ["client", "server"])
def test_bytes_before_a_reset_are_delivered_before_it(link, breaker):
    client, server = link.pair()
    breaking, other = (client, server) if breaker == "client" else (server, client)
    other.sendall(SMALL)
    assert receive_exactly(breaking, len(SMALL)) == SMALL  # the daemon knows that both are there
    breaking.sendall(MIDDLE)
    wait_until(lambda: unsent_bytes(breaking) == 0 or link.front.family == "unix", "the bytes to have left")
    reset(breaking)
    assert_received(other, MIDDLE, *broken(link))


@pytest.mark.parametrize("breaker", ["client", "server"])
def test_a_reset_under_pressure_comes_after_what_was_taken(link, large, breaker):
    """The reader has not read yet, every buffer on the way is full, the writer breaks off."""
    client, server = link.pair()
    breaking, other = (client, server) if breaker == "client" else (server, client)
    sent = fill(breaking, large)
    # TCP throws away what the breaking end itself still held; a unix socket does not.
    taken = sent if link.front.family == "unix" else sent - unsent_bytes(breaking)
    reset(breaking)
    data, ending = receive_to_end(other)
    assert ending in broken(link)
    assert_same(data, large[: len(data)])
    assert taken <= len(data) <= sent, f"{taken} bytes were taken, {len(data)} of {sent} arrived"


@pytest.mark.parametrize("breaker", ["client", "server"])
def test_a_reset_after_a_half_close_is_seen_as_a_reset(link, breaker):
    client, server = link.pair()
    breaking, other = (client, server) if breaker == "client" else (server, client)
    other.sendall(SMALL)
    other.shutdown(socket.SHUT_WR)
    assert_received(breaking, SMALL, "end")
    breaking.sendall(MIDDLE)
    wait_until(lambda: unsent_bytes(breaking) == 0 or link.front.family == "unix", "the bytes to have left")
    reset(breaking)
    assert_received(other, MIDDLE, *broken(link))


def test_both_ends_reset_at_once(link):
    client, server = link.pair()
    client.sendall(SMALL)
    assert receive_exactly(server, len(SMALL)) == SMALL
    threads = [threading.Thread(target=reset, args=(peer,)) for peer in (client, server)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_logged(link, *(["--", "CD", "SD"] if link.front.family == "unix" else ["CD", "SD"]))


@pytest.mark.parametrize("closer", ["client", "server"])
def test_close_with_unread_data_is_seen_as_a_reset(link, closer):
    """The kernel resets a connection that is closed with bytes nobody has read."""
    client, server = link.pair()
    closing, other = (client, server) if closer == "client" else (server, client)
    other.sendall(MIDDLE)
    wait_until(lambda: unread_bytes(closing) > 0, "bytes to wait in the closing end's socket")
    closing.close()
    assert_received(other, b"", *broken(link))


def unread_bytes(peer):
    try:
        return len(peer.recv(1 << 20, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except BlockingIOError:
        return 0


@pytest.mark.parametrize("closer", ["client", "server"])
def test_a_writer_learns_that_its_reader_has_gone(link, large, closer):
    client, server = link.pair()
    closing, writing = (client, server) if closer == "client" else (server, client)
    fill(writing, large)
    closing.close()
    assert break_is_noticed(writing)


@pytest.mark.parametrize("order", ["client", "server"])
def test_an_end_passes_between_families(start_proxy, endpoint, closing, engine, order):
    """A tcp client with a unix server and the other way round."""
    families = ("ipv4", "unix") if order == "client" else ("unix", "ipv6")
    front, back = map(endpoint, families)
    listener = closing(back.listen())
    start_proxy(f"listen mixed\nbind {front.text}\nserver one {back.text}", engine)
    client = closing(front.connect())
    server = closing(accept(listener))
    client.sendall(MIDDLE)
    client.shutdown(socket.SHUT_WR)
    assert_received(server, MIDDLE, "end")
    server.sendall(SMALL)
    server.close()
    assert_received(client, SMALL, "end")

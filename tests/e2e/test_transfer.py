"""Large transfers are byte-identical, and the smallest ones are not held back."""

import functools
import threading

import pytest

from lib.endpoints import accept
from lib.flows import assert_same, receive_exactly
from lib.pattern import digest_of, pattern_bytes, pattern_pieces, receive_digest, send_pattern
from lib.proxy import is_sanitized
from lib.waiting import wait_until

BULK_BYTES = (256 << 20) if is_sanitized() else (2 << 30)
DUPLEX_BYTES = 128 << 20


@functools.cache
def expected_digest(total_bytes):
    return digest_of(pattern_pieces(total_bytes))


def transfer(writing, reading, total_bytes):
    """Sends the pattern in a thread; returns what the reader counted and hashed."""
    def write():
        send_pattern(writing, total_bytes)
        writing.close()

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    result = receive_digest(reading)
    writer.join()
    return result


@pytest.mark.limit(120)
@pytest.mark.parametrize("towards", ["server", "client"])
def test_two_gibibytes_are_identical(make_link, engine, towards):
    link = make_link(engine)
    client, server = link.pair()
    ends = (client, server) if towards == "server" else (server, client)
    assert transfer(*ends, BULK_BYTES) == (BULK_BYTES, expected_digest(BULK_BYTES))
    ends[1].close()
    logged = link.log.session()
    assert logged["state"] == "--"
    assert int(logged["bytes"]) == (BULK_BYTES if towards == "client" else 0)


def test_both_directions_at_once_are_identical(link):
    client, server = link.pair()
    seen = {}

    def read(name, peer):
        seen[name] = receive_digest(peer, DUPLEX_BYTES)

    work = [threading.Thread(target=read, args=("client", client), daemon=True),
            threading.Thread(target=read, args=("server", server), daemon=True),
            threading.Thread(target=send_pattern, args=(client, DUPLEX_BYTES), daemon=True),
            threading.Thread(target=send_pattern, args=(server, DUPLEX_BYTES), daemon=True)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert seen["client"] == seen["server"] == (DUPLEX_BYTES, expected_digest(DUPLEX_BYTES))


def test_each_single_byte_is_passed_on_at_once(link):
    client, server = link.pair()
    for value in pattern_bytes(300):
        client.sendall(bytes([value]))
        assert server.recv(10) == bytes([value])
        server.sendall(bytes([255 - value]))
        assert client.recv(10) == bytes([255 - value])


def test_a_dribble_without_answers_is_whole(link):
    client, server = link.pair()
    content = pattern_bytes(2000)

    def write():
        for value in content:
            client.sendall(bytes([value]))

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    assert_same(receive_exactly(server, len(content)), content)
    writer.join()


def test_bulk_and_dribble_take_turns(link):
    """What is moved by bulk and what follows by single bytes stays in order."""
    client, server = link.pair()
    bulk = pattern_bytes(6 << 20)
    for turn in range(4):
        writer = threading.Thread(target=client.sendall, args=(bulk,), daemon=True)
        writer.start()
        assert_same(receive_exactly(server, len(bulk)), bulk)
        writer.join()
        for value in range(50):
            client.sendall(bytes([value]))
            assert server.recv(10) == bytes([value])
        server.sendall(b"turn %d" % turn)
        assert client.recv(100) == b"turn %d" % turn


def test_many_short_connections_all_get_their_answer(link):
    for turn in range(100):
        client = link.front.connect()
        client.sendall(b"%d" % turn)
        with accept(link.listener) as server:
            assert server.recv(100) == b"%d" % turn
            server.sendall(b"answer %d" % turn)
        assert receive_exactly(client, len(b"answer %d" % turn)) == b"answer %d" % turn
        assert client.recv(1) == b""
        client.close()
    wait_until(lambda: len(link.log.lines()) >= 100, "a log line for each connection")

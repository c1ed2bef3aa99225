"""What a client sends before its server is connected arrives, whole and first."""

import contextlib
import socket

import pytest

from lib.endpoints import accept, fill_listen_queue
from lib.flows import assert_received, assert_same, receive_exactly
from lib.pattern import pattern_bytes

pytestmark = pytest.mark.quick
EARLY = pattern_bytes(40_000)


def test_bytes_sent_before_the_server_accepts_arrive(link):
    client = link.closing(link.front.connect())
    client.sendall(EARLY)
    server = link.closing(accept(link.listener))
    assert_same(receive_exactly(server, len(EARLY)), EARLY)


def test_bytes_and_the_end_sent_before_the_server_accepts_arrive(link):
    client = link.closing(link.front.connect())
    client.sendall(EARLY)
    client.shutdown(socket.SHUT_WR)
    server = link.closing(accept(link.listener))
    assert_received(server, EARLY, "end")
    server.sendall(b"answer")
    server.close()
    assert_received(client, b"answer", "end")


@pytest.mark.parametrize("has_ended", [False, True], ids=["and_stays", "and_ends"])
def test_a_client_that_writes_while_the_connect_is_pending_loses_nothing(
        make_link, engine, internet_family, has_ended):
    link = make_link(engine, internet_family, backlog=0)
    with contextlib.ExitStack() as stack:
        fill_listen_queue(stack, link.back)
        client = link.closing(link.front.connect())
        client.sendall(EARLY)
        if has_ended:
            client.shutdown(socket.SHUT_WR)
        found = None
        while found is None:  # the crowd's connections come first; the SYN is sent again each second
            server = link.closing(accept(link.listener))
            server.settimeout(0.05)
            with contextlib.suppress(TimeoutError):
                found = server.recv(len(EARLY)) or None
    server.settimeout(10)
    assert_same(found + receive_exactly(server, len(EARLY) - len(found)), EARLY)
    server.sendall(b"answer")
    server.close()
    assert_received(client, b"answer", "end")


def test_a_unix_server_with_a_full_queue_is_tried_again(make_link, engine):
    link = make_link(engine, "unix", backlog=0, lines=["retries 10", "timeout connect 500ms"])
    first = link.closing(link.back.connect())
    client = link.closing(link.front.connect())
    client.sendall(EARLY)
    assert first is not None
    link.closing(accept(link.listener))
    server = link.closing(accept(link.listener))
    assert_same(receive_exactly(server, len(EARLY)), EARLY)

"""A process at either end is killed: the other end learns of it and nothing is left behind."""

import pytest

from lib.endpoints import accept
from lib.flows import assert_received, receive_exactly, receive_to_end
from lib.peer_process import PeerProcess

pytestmark = pytest.mark.quick


def test_a_killed_client_ends_the_connection_after_its_bytes(link):
    client = link.closing(PeerProcess("send", link.front, 100_000))
    server = link.closing(accept(link.listener))
    received = receive_exactly(server, 100_000)
    client.kill()
    assert_received(server, b"", "end")
    assert received == b"x" * 100_000
    server.close()


def test_a_killed_client_with_unread_bytes_breaks_the_connection(link):
    client = link.closing(PeerProcess("send", link.front, 10))
    server = link.closing(accept(link.listener))
    receive_exactly(server, 10)
    server.sendall(b"z" * 100_000)
    client.order("peek", "unread")
    client.kill()
    _, ending = receive_to_end(server)
    assert ending in (("end", "reset") if link.front.family == "unix" else ("reset",))


@pytest.mark.parametrize("has_unread", [False, True], ids=["nothing_unread", "bytes_unread"])
def test_a_killed_server_ends_the_connection(make_link, start_proxy, endpoint, closing, engine, family,
                                             has_unread):
    front, back = endpoint(family), endpoint(family)
    start_proxy(f"listen relayed\nbind {front.text}\nserver one {back.text}", engine)
    server = closing(PeerProcess("silent", back, 50_000))
    client = closing(front.connect())
    server.order("send", "sent")
    data = receive_exactly(client, 50_000)
    if has_unread:
        client.sendall(b"q" * 1000)
        server.order("send", "sent")
        data += receive_exactly(client, 50_000)
        server.order("peek", "unread")
    server.kill()
    rest, ending = receive_to_end(client)
    assert rest == b"" and set(data) == set(b"y")
    if not has_unread:
        assert ending == "end"
    elif family != "unix":
        assert ending == "reset"


def test_a_killed_server_is_left_for_another(start_proxy, endpoint, closing, engine):
    front, backs = endpoint(), [endpoint(), endpoint()]
    start_proxy("\n".join(["listen relayed", f"bind {front.text}", "option redispatch", "retries 1",
                           "timeout connect 500ms",
                           *(f"server s{at} {back.text}" for at, back in enumerate(backs))]), engine)
    servers = [closing(PeerProcess("echo", back)) for back in backs]
    servers[0].kill()
    for _ in range(6):
        with front.connect() as client:
            client.sendall(b"hello")
            assert receive_exactly(client, 5) == b"hello"

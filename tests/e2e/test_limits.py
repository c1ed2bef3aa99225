"""maxconn of the process, a frontend, a bind line and a server: never exceeded, never stuck."""

import pytest

from lib.endpoints import accept
from lib.flows import receive_exactly
from lib.waiting import wait_until


def is_unaccepted(listener, seconds=0.3):
    listener.settimeout(seconds)
    try:
        listener.accept()[0].close()
        return False
    except TimeoutError:
        return True
    finally:
        listener.settimeout(10)


@pytest.mark.parametrize("place", ["global", "frontend", "bind"])
def test_connections_beyond_maxconn_wait_and_are_served_later(start_proxy, endpoint, closing, family, place):
    front, back = endpoint(family), endpoint(family)
    listener = closing(back.listen())
    start_proxy("\n".join(["listen relayed", f"bind {front.text} {'maxconn 2' if place == 'bind' else ''}",
                           "backlog 100", "maxconn 2" if place == "frontend" else "",
                           f"server one {back.text}"]),
                global_lines=["maxconn 2"] if place == "global" else [])
    joined = []
    for _ in range(2):
        client = closing(front.connect())
        joined.append((client, closing(accept(listener))))
    clients = {b"%d" % at: closing(front.connect()) for at in range(4)}
    waiting = set(clients)
    for name, client in clients.items():
        client.sendall(name)
    assert is_unaccepted(listener), "a limit was exceeded"
    served = set()
    while waiting:
        for peer in joined.pop(0):
            peer.close()
        server = closing(accept(listener))
        name = receive_exactly(server, 1)
        served.add(name)
        assert is_unaccepted(listener, 0.05), "a limit was exceeded"
        joined.append((clients[name], server))
        waiting.discard(name)
    assert len(served) == 4


@pytest.mark.parametrize("slots", [1, 3])
def test_a_servers_maxconn_makes_connections_queue_in_order(make_link, engine, slots):
    link = make_link(engine, server_words=f"maxconn {slots}")
    joined = [link.pair() for _ in range(slots)]
    waiting = []
    for at in range(3):
        client = link.closing(link.front.connect())
        client.sendall(b"%d" % at)
        waiting.append(client)
        wait_until(lambda: int(link.daemon.runtime.stat_row("relayed", "BACKEND")["qcur"]) == len(waiting),
                   "the connection to be in the queue")
    assert is_unaccepted(link.listener)
    for at in range(3):
        for peer in joined.pop(0):
            peer.close()
        server = link.closing(accept(link.listener))
        assert receive_exactly(server, 1) == b"%d" % at, "the queue was not served in order"
        joined.append((waiting[at], server))
    row = link.daemon.runtime.stat_row("relayed", "BACKEND")
    assert (row["qcur"], row["qmax"]) == ("0", "3")
    for pair in joined:
        for peer in pair:
            peer.close()
    assert any(int(session["wait"]) >= 300 for session in link.log.sessions(slots + 3))


def test_a_client_that_leaves_the_queue_frees_its_place(make_link, engine):
    link = make_link(engine, lines=["option abortonclose"], server_words="maxconn 1")
    client, server = link.pair()
    leaving = link.front.connect()
    wait_until(lambda: link.daemon.runtime.stat_row("relayed", "BACKEND")["qcur"] == "1", "one in the queue")
    leaving.close()
    assert link.log.session()["state"] == "CQ"
    staying = link.closing(link.front.connect())
    staying.sendall(b"z")
    client.close()
    server.close()
    server = link.closing(accept(link.listener))
    assert receive_exactly(server, 1) == b"z"


def test_the_limit_of_sessions_a_second_is_kept(start_proxy, endpoint, closing):
    front, back = endpoint(), endpoint()
    listener = closing(back.listen())
    start_proxy(f"listen relayed\nbind {front.text}\nrate-limit sessions 5\nserver one {back.text}")
    clients = [closing(front.connect()) for _ in range(12)]
    early = 0
    while not is_unaccepted(listener, 0.15):
        early += 1
    assert 4 <= early <= 7
    for _ in range(12 - early):
        closing(accept(listener))
    assert len(clients) == 12


def test_counts_of_a_frontend_follow_its_connections(make_link, engine):
    link = make_link(engine, lines=["maxconn 50"])
    pairs = [link.pair() for _ in range(5)]
    row = link.daemon.runtime.stat_row("relayed", "FRONTEND")
    assert (row["scur"], row["smax"], row["slim"], row["stot"]) == ("5", "5", "50", "5")
    for pair in pairs:
        for peer in pair:
            peer.close()
    wait_until(lambda: link.daemon.runtime.stat_row("relayed", "FRONTEND")["scur"] == "0", "none to be left")

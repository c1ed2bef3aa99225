"""Signals: finishing softly, stopping at once, and what is merely ignored."""

import signal

import pytest

from lib.endpoints import accept
from lib.flows import assert_received, receive_exactly, receive_to_end
from lib.pattern import pattern_bytes
from lib.proxy import is_haproxy
from lib.waiting import wait_until


def is_refused(front):
    try:
        front.connect(timeout_s=1).close()
        return False
    except OSError:
        return True


def test_a_soft_stop_refuses_new_connections_and_finishes_the_old(make_link, engine, family):
    link = make_link(engine, family)
    client, server = link.pair()
    content = pattern_bytes(500_000)
    client.sendall(content[:1000])
    assert receive_exactly(server, 1000) == content[:1000]
    link.daemon.process.send_signal(signal.SIGUSR1)
    wait_until(lambda: is_refused(link.front), "new connections to be refused")
    server.sendall(content[:100_000])
    assert receive_exactly(client, 100_000) == content[:100_000]
    assert link.daemon.process.poll() is None, "it ended while a session was open"
    client.close()
    assert_received(server, b"", "end")
    server.close()
    link.listener.close()  # what was accepted while we asked for the refusal ends with it
    assert link.daemon.wait_end() == 0
    assert [line["state"] for line in link.log.sessions() if line["bytes"] == "100000"] == ["--"]


def test_a_soft_stop_without_sessions_ends_at_once(make_link):
    link = make_link("auto")
    link.daemon.process.send_signal(signal.SIGUSR1)
    assert link.daemon.wait_end(3) == 0


def test_a_soft_stop_shows_itself_on_the_runtime_socket(make_link, ours_only):
    link = make_link("auto")
    link.pair()
    link.daemon.process.send_signal(signal.SIGUSR1)
    wait_until(lambda: link.daemon.runtime.info()["Stopping"] == "1", "Stopping to be 1")
    assert link.daemon.runtime.stat_row("relayed", "FRONTEND")["status"] == "STOP"


def test_a_soft_stop_is_bounded_by_hard_stop_after(make_link, engine):
    link = make_link(engine, global_lines=["hard-stop-after 500ms"])
    client, server = link.pair()
    link.daemon.process.send_signal(signal.SIGUSR1)
    assert link.daemon.wait_end(5) == 0
    for peer in (client, server):
        assert receive_to_end(peer)[0] == b""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_ends_everything_at_once(make_link, engine, number):
    link = make_link(engine)
    pairs = [link.pair() for _ in range(5)]
    link.daemon.process.send_signal(number)
    status = link.daemon.wait_end(5)
    assert status == 0 or (is_haproxy() and status == -number)
    for pair in pairs:
        for peer in pair:
            assert receive_to_end(peer)[0] == b""
    if link.daemon.process.returncode != 0:
        link.daemon.process = None


def test_a_stop_follows_a_soft_stop(make_link, ours_only):
    link = make_link("auto")
    link.pair()
    link.daemon.process.send_signal(signal.SIGUSR1)
    wait_until(lambda: is_refused(link.front), "new connections to be refused")
    link.daemon.process.send_signal(signal.SIGTERM)
    assert link.daemon.wait_end(5) == 0


def test_a_reload_that_is_not_offered_is_not_death(make_link, ours_only):
    link = make_link("auto")
    client, server = link.pair()
    for number in (signal.SIGHUP, signal.SIGUSR2, signal.SIGPIPE):
        link.daemon.process.send_signal(number)
    client.sendall(b"x")
    assert receive_exactly(server, 1) == b"x"
    assert link.daemon.process.poll() is None


def test_unix_paths_are_gone_after_the_end(start_proxy, endpoint, ours_only):
    front = endpoint("unix")
    daemon = start_proxy(f"listen relayed\nbind {front.text}\nserver one {endpoint().text}")
    daemon.process.terminate()
    assert daemon.wait_end() == 0
    assert is_refused(front)
    with pytest.raises(FileNotFoundError):
        open(front.path, "rb").close()


def test_a_dead_unix_path_is_taken_over(start_proxy, endpoint, closing):
    front, back = endpoint("unix"), endpoint("unix")
    front.listen().close()
    listener = closing(back.listen())
    start_proxy(f"listen relayed\nbind {front.text}\nserver one {back.text}")
    client = closing(front.connect())
    server = closing(accept(listener))
    client.sendall(b"x")
    assert receive_exactly(server, 1) == b"x"

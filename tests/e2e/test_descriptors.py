"""Running out of descriptors: the daemon waits without spinning, and recovers."""

import threading
import time

import pytest

from lib.flows import echo_until_end
from lib.proxy import is_sanitized
from lib.waiting import wait_until, wait_while_changing


@pytest.fixture
def echo(make_link, engine):
    """A link whose server echoes whatever is accepted."""
    link = make_link(engine, lines=["timeout connect 300ms", "retries 1"])
    stop = threading.Event()
    thread = echo_until_end(link.listener, stop)
    yield link
    link.daemon.limit_descriptors(10000)
    stop.set()
    thread.join()


def is_answered(peer, timeout_s=0.2):
    peer.settimeout(timeout_s)
    try:
        peer.sendall(b"?")
        return peer.recv(10) == b"?"
    except OSError:
        return False


@pytest.fixture
def crowd(closing):
    """Connections that a test opens and closes together."""
    peers = []
    closing(type("Crowd", (), {"close": lambda self: [peer.close() for peer in peers]})())
    return peers


def test_the_daemon_does_not_spin_and_recovers(echo, crowd):
    daemon = echo.daemon
    open_before = daemon.count_descriptors()
    daemon.limit_descriptors(open_before + 21)
    crowd += [echo.front.connect() for _ in range(40)]
    wait_while_changing(daemon.count_descriptors)
    used = daemon.processor_seconds()
    time.sleep(1)  # a second in which spinning would show
    spent = daemon.processor_seconds() - used
    if not is_sanitized():
        assert spent < 0.2, f"{spent} s of processor time in one second without descriptors"
    assert daemon.process.poll() is None
    served = sum(is_answered(peer) for peer in crowd)
    assert 1 <= served < 40
    for peer in crowd:
        peer.close()
    daemon.limit_descriptors(10000)
    wait_until(lambda: answered_anew(echo), "a new connection to be served", 10)


def test_connections_that_were_kept_waiting_are_served_when_others_leave(echo, crowd):
    daemon = echo.daemon
    daemon.limit_descriptors(daemon.count_descriptors() + 21)
    crowd += [echo.front.connect() for _ in range(9)]
    assert all(is_answered(peer, 5) for peer in crowd[:5])
    crowd += [echo.front.connect() for _ in range(10)]
    wait_while_changing(daemon.count_descriptors)
    for peer in crowd[:19]:
        peer.close()
    wait_until(lambda: answered_anew(echo), "a new connection to be served under the same limit", 10)


def answered_anew(link):
    with link.front.connect() as peer:
        return is_answered(peer, 1)

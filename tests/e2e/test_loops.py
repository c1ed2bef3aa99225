"""What a worker's loop asks the kernel with: chosen, shown, refused, and no different to a connection."""

import errno
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from lib.endpoints import accept
from lib.flows import receive_exactly
from lib.proxy import Proxy, run_daemon
from lib.waiting import wait_until

FORBID = Path(__file__).with_name("lib") / "forbid.py"
IO_URING_SETUP = 425  # the same number on every architecture


def is_ring_usable():
    return re.search(r"(?m)^  uring +available$", run_daemon("-vv").stdout) is not None


@pytest.fixture
def ring(ours_only):
    if not is_ring_usable():
        pytest.skip("io_uring is not available here")


def converse(link):
    """A few messages each way, then the ends of both."""
    client, server = link.pair()
    for number in range(20):
        client.sendall(b"question %4d" % number)
        assert receive_exactly(server, 13) == b"question %4d" % number
        server.sendall(b"answer %4d" % number)
        assert receive_exactly(client, 11) == b"answer %4d" % number
    client.close()
    assert server.recv(1) == b""
    server.close()


def test_facts_say_which_loops_there_are(ours_only):
    shown = run_daemon("-vv").stdout
    assert re.search(r"(?m)^  epoll +available$", shown), shown
    assert re.search(r"(?m)^  uring +(available|unavailable: \S.*)$", shown), shown


@pytest.mark.parametrize("loop", ["epoll", "uring"])
def test_the_loop_that_is_asked_for_serves(make_link, ring, loop):
    link = make_link("copy", global_lines=[f"loop {loop}"])
    assert link.daemon.runtime.info()["Loop"] == loop
    converse(link)


@pytest.mark.parametrize("code, words", [
    (errno.EPERM, "forbidden here"), (errno.ENOSYS, "missing or too old"), (errno.ENOMEM, "no memory"),
], ids=["EPERM", "ENOSYS", "ENOMEM"])
def test_without_io_uring_one_warning_says_why_and_epoll_serves(directory, endpoint, closing, ours_only, code, words):
    front, back = endpoint(), endpoint()
    listener = closing(back.listen())
    daemon = Proxy(directory, f"listen relayed\nbind {front.text}\nserver one {back.text}",
                   global_lines=["loop uring"])
    try:
        daemon.start(prefix=[sys.executable, str(FORBID), str(IO_URING_SETUP), str(code)])
        warnings = [line for line in daemon.errors().splitlines() if "loop uring" in line]
        assert len(warnings) == 1 and words in warnings[0] and "WARNING" in warnings[0], daemon.errors()
        assert daemon.runtime.info()["Loop"] == "epoll"
        client = closing(front.connect())
        server = closing(accept(listener))
        client.sendall(b"x")
        assert receive_exactly(server, 1) == b"x"
        client.close()
        server.close()
        daemon.stop()
    finally:
        daemon.kill()


@pytest.mark.parametrize("loop, is_warned", [("epoll", True), ("auto", False)])
def test_an_engine_that_the_loop_cannot_serve_is_warned_of(directory, endpoint, ring, loop, is_warned):
    front, back = endpoint(), endpoint()
    daemon = Proxy(directory, f"listen relayed\nbind {front.text}\nserver one {back.text}\nrelay uring",
                   global_lines=[f"loop {loop}"])
    try:
        daemon.start()
        warnings = [line for line in daemon.errors().splitlines() if "WARNING" in line]
        assert ["copy serves in its place" in line for line in warnings] == [True] * is_warned, warnings
        daemon.stop()
    finally:
        daemon.kill()


def test_a_ring_survives_the_step_into_the_background(directory, endpoint, closing, ring):
    front, back = endpoint(), endpoint()
    listener = closing(back.listen())
    pidfile = os.path.join(directory, "pid")
    daemon = Proxy(directory, f"listen relayed\nbind {front.text}\nserver one {back.text}",
                   global_lines=["loop uring"])
    assert run_daemon("-D", "-p", pidfile, "-f", daemon.config_path).returncode == 0
    with open(pidfile, encoding="ascii") as file:
        number = int(file.read())
    try:
        assert daemon.runtime.info()["Loop"] == "uring"
        for _ in range(8):
            client = closing(front.connect())
            server = closing(accept(listener))
            client.sendall(b"x")
            assert receive_exactly(server, 1) == b"x"
    finally:
        os.kill(number, signal.SIGTERM)
    wait_until(lambda: is_gone(number), "the daemon to end")


def is_gone(number):
    try:
        with open(f"/proc/{number}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True

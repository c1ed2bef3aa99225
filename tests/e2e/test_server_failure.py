"""Servers that refuse or do not answer: retries, redispatch, and what client and log are told."""

import contextlib
import time

import pytest

from lib.endpoints import accept, fill_listen_queue, reset
from lib.flows import receive_exactly, receive_to_end


def ending_after(front, limit_s):
    """Connects; returns how long it took until the daemon gave up."""
    started = time.monotonic()
    with front.connect() as client:
        client.settimeout(limit_s + 5)
        data, _ = receive_to_end(client)
        assert data == b""
    return time.monotonic() - started


@pytest.mark.parametrize("words", ["", "disabled"], ids=["refusing", "disabled"])
def test_all_servers_down_closes_in_time_and_says_why(start_proxy, endpoint, log, engine, family, words):
    front = endpoint(family)
    dead = "\n".join(f"server s{at} {endpoint(family).text} {words}" for at in range(2))
    start_proxy(f"listen relayed\nbind {front.text}\nretries 2\ntimeout connect 200ms\n{dead}", engine)
    # Each try may take timeout connect, and a turn-around of the same length precedes a retry.
    limit = 0.2 * 3 + 0.2 * 2
    assert ending_after(front, limit) < limit + 1
    logged = log.session()
    assert logged["state"] == "SC"
    assert logged["server"] == ("<NOSRV>" if words else logged["server"])
    assert logged["retries"] == ("0" if words else "2")
    assert int(logged["connect"]) == -1 and logged["bytes"] == "0"


def test_the_turn_around_is_a_second_when_connect_may_take_longer(start_proxy, endpoint, log):
    front = endpoint()
    start_proxy(f"listen relayed\nbind {front.text}\nretries 1\nserver one {endpoint().text}")
    assert 0.9 < ending_after(front, 2) < 2.5
    assert log.session()["retries"] == "1"


def test_a_connect_that_is_never_answered_times_out(start_proxy, endpoint, closing, log, engine,
                                                    internet_family):
    front, back = endpoint(internet_family), endpoint(internet_family)
    closing(back.listen(0))
    start_proxy(f"listen relayed\nbind {front.text}\nretries 1\ntimeout connect 300ms\nserver one {back.text}",
                engine)
    with contextlib.ExitStack() as stack:
        fill_listen_queue(stack, back)
        duration = ending_after(front, 0.6)
    assert 0.5 < duration < 2.5
    logged = log.session()
    assert logged["state"] == "sC" and logged["retries"] == "1"


def test_a_client_that_leaves_during_the_connect_is_logged_so(start_proxy, endpoint, closing, log):
    front, back = endpoint(), endpoint()
    closing(back.listen(0))
    start_proxy(f"listen relayed\nbind {front.text}\nretries 0\ntimeout connect 3s\n"
                f"option abortonclose\nserver one {back.text}")
    with contextlib.ExitStack() as stack:
        fill_listen_queue(stack, back)
        reset(front.connect())
        assert log.session(8)["state"] == "CC"


@pytest.mark.parametrize("redispatch", [True, False], ids=["redispatch", "no_redispatch"])
def test_a_refused_connection_goes_to_the_next_server_with_redispatch(
        start_proxy, endpoint, closing, log, engine, redispatch):
    front, back = endpoint(), endpoint()
    listener = closing(back.listen())
    start_proxy("\n".join(["listen relayed", f"bind {front.text}", "balance first", "retries 1",
                           "timeout connect 200ms", "option redispatch" if redispatch else "no option redispatch",
                           f"server dead {endpoint().text}", f"server live {back.text}"]), engine)
    client = closing(front.connect())
    if not redispatch:
        assert receive_to_end(client)[0] == b""
        logged = log.session()
        assert (logged["server"], logged["state"], logged["retries"]) == ("dead", "SC", "1")
        return
    server = closing(accept(listener))
    client.sendall(b"hello")
    assert receive_exactly(server, 5) == b"hello"
    client.close()
    server.close()
    logged = log.session()
    assert (logged["server"], logged["state"], logged["retries"]) == ("live", "--", "+1")


def test_a_redispatch_is_counted(start_proxy, endpoint, closing, log):
    front, back = endpoint(), endpoint()
    listener = closing(back.listen())
    daemon = start_proxy("\n".join(["listen relayed", f"bind {front.text}", "balance first", "retries 1",
                                    "timeout connect 200ms", "option redispatch",
                                    f"server dead {endpoint().text}", f"server live {back.text}"]))
    client = closing(front.connect())
    server = closing(accept(listener))
    client.close()
    server.close()
    log.session()
    assert daemon.runtime.stat_row("relayed", "BACKEND")["wredis"] == "1"
    assert daemon.runtime.stat_row("relayed", "live")["stot"] == "1"


def test_many_refusals_at_once_take_no_time(start_proxy, directory, endpoint, log, ours_only):
    """A unix socket that does not exist refuses within the call."""
    front = endpoint()
    start_proxy("\n".join(["listen relayed", f"bind {front.text}", "retries 1000", "option redispatch 1",
                           *(f"server s{i} unix@{directory}/none{i}" for i in range(2))]))
    assert ending_after(front, 5) < 5
    logged = log.session()
    assert (logged["state"], logged["retries"]) == ("SC", "+1000")


def test_retries_and_failed_connects_are_counted(start_proxy, endpoint, log):
    front = endpoint()
    daemon = start_proxy(f"listen relayed\nbind {front.text}\nretries 2\ntimeout connect 200ms\n"
                         f"server dead {endpoint().text}")
    ending_after(front, 1)
    log.session()
    for name in ("dead", "BACKEND"):
        row = daemon.runtime.stat_row("relayed", name)
        assert (row["wretr"], row["wredis"], row["econ"]) == ("2", "0", "1"), name


def test_a_server_that_comes_back_is_used_again(start_proxy, endpoint, closing):
    front, back = endpoint(), endpoint()
    start_proxy(f"listen relayed\nbind {front.text}\nretries 10\ntimeout connect 200ms\nserver one {back.text}")
    client = closing(front.connect())
    client.sendall(b"patient")
    listener = closing(back.listen())
    server = closing(accept(listener))
    assert receive_exactly(server, 7) == b"patient"


def test_a_frontend_without_a_backend_ends_its_connections(start_proxy, endpoint, log, ours_only):
    front = endpoint()
    start_proxy(f"frontend lonely\nbind {front.text}")
    assert ending_after(front, 1) < 2
    logged = log.session()
    assert logged["server"] == "<NOSRV>" and logged["state"][0] in "PS"

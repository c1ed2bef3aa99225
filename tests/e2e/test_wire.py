"""Connections that wire carries: how they begin, how they end, what is counted.

Packets have to come by an interface, so the hosts are those of a lab.  Each connection is
known to be carried before a test goes on with it.
"""

import re
import signal
import socket
import time

import pytest

from lib import place
from lib.endpoints import reset
from lib.flows import assert_received, assert_same, fill, receive_exactly, receive_to_end, send_all_in_thread
from lib.pattern import pattern_bytes
from lib.waiting import wait_until
from lib.wired import Sink, Stream, carried_now, carried_pair, count_programs, exchange, wait_released

pytestmark = pytest.mark.skipif(place.missing() is not None, reason=f"a network lab: {place.missing()}")

SMALL = pattern_bytes(1000)
LARGE_BYTES = 16 << 20
SHORT_MS = 400
AT_ONCE_S = 2.0
BOTH_WAYS = pytest.mark.parametrize("first", ["client", "server"])
COUNTING = ['log-format "in=%U out=%B state=%ts engines=%[engine_in]/%[engine_out]"']


@pytest.fixture(autouse=True)
def hosts():
    with place.running_lab() as lab:
        yield lab


@pytest.fixture
def wired(hosts, make_link, internet_family):
    """make_link() with engine wire."""
    assert hosts is not None
    return lambda **options: make_link("wire", internet_family, **options)


def in_order(first, client, server):
    return (client, server) if first == "client" else (server, client)


def assert_all_reset(peers, began):
    for peer in peers:
        assert receive_to_end(peer)[1] == "reset"
    assert time.monotonic() - began < AT_ONCE_S


@pytest.mark.slow
@pytest.mark.limit(180)
def test_two_hundred_switches_under_traffic_keep_every_byte(wired):
    link = wired()
    for turn in range(20):
        flows = []
        for _ in range(10):
            client, server = link.pair()
            flows += [(Stream(client), Sink(server)), (Stream(server), Sink(client))]
        for thread in (thread for flow in flows for thread in flow):
            thread.start()
        wait_until(lambda: int(link.daemon.relay_row("wire")["ever"]) >= 20 * (turn + 1),
                   "all to be carried", 40)
        for stream, sink in flows:
            stream.stopping.set()
        for stream, sink in flows:
            stream.join()
            sink.join()
            assert (stream.error, sink.ending) == (None, "end")
            assert (sink.received, sink.digest.digest()) == (stream.sent, stream.digest.digest())
    link.log.sessions(200, 20)
    assert {line["state"] for line in link.log.sessions(200)} == {"--"}


@BOTH_WAYS
def test_half_close_passes_while_the_other_direction_is_full(wired, first):
    link = wired(lines=COUNTING)
    large = memoryview(pattern_bytes(LARGE_BYTES))
    client, server, before = carried_pair(link)
    ending, writing = in_order(first, client, server)
    stuck = fill(writing, large)
    ending.sendall(SMALL)
    ending.shutdown(socket.SHUT_WR)
    assert_received(writing, SMALL, "end")
    rest = send_all_in_thread(writing, large[stuck:])
    assert_same(receive_exactly(ending, LARGE_BYTES), bytes(large))
    rest.join()
    writing.close()
    assert_received(ending, b"", "end")
    counts = in_order(first, before + len(SMALL), before + LARGE_BYTES)
    link.log.wait_for(rf"in={counts[0]} out={counts[1]} state=-- engines=wire/wire$")


@BOTH_WAYS
@pytest.mark.parametrize("is_full", [False, True], ids=["idle", "full"])
def test_a_reset_reaches_the_other_end_and_the_log(wired, first, is_full):
    link = wired(lines=COUNTING)
    client, server, _ = carried_pair(link)
    breaking, other = in_order(first, client, server)
    if is_full:
        fill(other, memoryview(pattern_bytes(LARGE_BYTES)))
    began = time.monotonic()
    reset(breaking)
    assert_all_reset([other], began)
    link.log.wait_for(rf"state={'CD' if first == 'client' else 'SD'} engines=wire/wire$", deadline_s=AT_ONCE_S)
    link.daemon.wait_idle()
    wait_released(link.daemon)


@BOTH_WAYS
def test_silence_ends_a_carried_connection(wired, first):
    link = wired(lines=[f"timeout {first} {SHORT_MS}ms", *COUNTING])
    client, server, count = carried_pair(link)
    began = time.monotonic()
    assert_all_reset([client, server], began)
    assert time.monotonic() - began > SHORT_MS / 1000 * 0.8
    state = "cD" if first == "client" else "sD"
    link.log.wait_for(rf"in={count} out={count} state={state} engines=wire/wire$")


@BOTH_WAYS
def test_traffic_keeps_a_carried_connection(wired, first):
    link = wired(lines=[f"timeout {first} {SHORT_MS}ms"])
    client, server, _ = carried_pair(link)
    end = time.monotonic() + 4 * SHORT_MS / 1000
    while time.monotonic() < end:
        exchange(client, server)
        time.sleep(SHORT_MS / 1000 / 6)
    assert carried_now(link.daemon) == 1


@pytest.mark.parametrize("name,state", [("client-fin", "cD"), ("server-fin", "sD")])
def test_a_half_closed_carried_connection_ends_by_its_own_timeout(wired, name, state):
    link = wired(lines=[f"timeout {name} {SHORT_MS}ms", *COUNTING])
    client, server, _ = carried_pair(link)
    ending, silent = (server, client) if name == "client-fin" else (client, server)
    ending.shutdown(socket.SHUT_WR)
    assert silent.recv(1) == b""
    began = time.monotonic()
    assert_all_reset([ending], began)
    link.log.wait_for(rf"state={state} engines=wire/wire$")


def test_an_operator_ends_single_sessions(wired):
    link = wired(lines=COUNTING)
    ended, kept = carried_pair(link), carried_pair(link)
    port = ended[0].getsockname()[1]
    listing = link.daemon.runtime.ask("show sess").splitlines()
    identity = next(line for line in listing if f":{port} " in line).split(":")[0]
    began = time.monotonic()
    assert link.daemon.runtime.ask(f"shutdown session {identity}").strip() == ""
    assert_all_reset(ended[:2], began)
    link.log.wait_for(r"state=K. engines=wire/wire$")
    exchange(*kept[:2])


def test_an_operator_ends_all_sessions_of_a_server(wired):
    link = wired(lines=COUNTING)
    pairs = [carried_pair(link)[:2] for _ in range(5)]
    began = time.monotonic()
    assert link.daemon.runtime.ask("shutdown sessions server relayed/one").strip() == ""
    assert_all_reset([peer for pair in pairs for peer in pair], began)
    link.log.wait_for(r"state=K. engines=wire/wire$", 5)


def test_a_stop_resets_what_is_carried(wired):
    link = wired(lines=COUNTING)
    pairs = [carried_pair(link)[:2] for _ in range(5)]
    assert count_programs() == 4
    began = time.monotonic()
    link.daemon.process.send_signal(signal.SIGTERM)
    assert_all_reset([peer for pair in pairs for peer in pair], began)
    assert link.daemon.wait_end() == 0
    link.log.wait_for(r"state=K. engines=wire/wire$", 5)
    assert count_programs() == 0


def test_a_soft_stop_lets_what_is_carried_finish(wired):
    link = wired(lines=COUNTING)
    client, server, _ = carried_pair(link)
    link.daemon.process.send_signal(signal.SIGUSR1)
    wait_until(lambda: link.daemon.runtime.info()["Stopping"] == "1", "Stopping to be 1")
    exchange(client, server)
    client.close()
    assert_received(server, b"", "end")
    server.close()
    assert link.daemon.wait_end() == 0
    link.log.wait_for(r"state=-- engines=wire/wire$")


def test_a_soft_stop_that_takes_too_long_resets_what_is_carried(wired):
    link = wired(global_lines=["hard-stop-after 300ms"])
    client, server, _ = carried_pair(link)
    began = time.monotonic()
    link.daemon.process.send_signal(signal.SIGUSR1)
    assert_all_reset([client, server], began)
    assert link.daemon.wait_end() == 0


def test_a_killed_daemon_leaves_no_wrong_byte_and_no_program(wired, start_proxy):
    link = wired()
    flows = []
    for _ in range(5):
        client, server, _ = carried_pair(link)
        flows += [(Stream(client), Sink(server)), (Stream(server), Sink(client))]
    for thread in (thread for flow in flows for thread in flow):
        thread.start()
    wait_until(lambda: all(sink.received > 1 << 20 for _, sink in flows), "a megabyte on each", 20)
    link.daemon.process.kill()
    assert link.daemon.wait_end() == -signal.SIGKILL
    link.daemon.process = None
    wait_until(lambda: count_programs() == 0, "the programs to be gone")
    for stream, sink in flows:
        stream.join()
        sink.join()
        # Who asks first is told of the reset; the other one of the socket's two threads sees an end.
        assert stream.error is not None
        assert stream.has_begun_with(sink)
    link.daemon = start_proxy(f"listen relayed\nbind {link.front.text}\nserver one {link.back.text}", "wire")
    exchange(*carried_pair(link)[:2])


def test_counts_are_exact_to_the_byte(wired):
    link = wired(lines=COUNTING)
    client, server, count = carried_pair(link)
    total = {"in": count, "out": count}
    for turn in range(40):
        for name, writing, reading in (("in", client, server), ("out", server, client)):
            content = pattern_bytes(turn * turn * 37 + (name == "out"))
            writer = send_all_in_thread(writing, content)
            assert_same(receive_exactly(reading, len(content)), content)
            writer.join()
            total[name] += len(content)
    for name, size in total.items():
        text = link.daemon.runtime.ask("show sess all")
        assert re.search(rf"  {name}: engine=wire since=\S+ moves=1 why=taken bytes={size} ", text), text
    client.close()
    assert_received(server, b"", "end")
    server.close()
    link.log.wait_for(rf"in={total['in']} out={total['out']} state=-- engines=wire/wire$")
    row = link.daemon.runtime.stat_row("relayed", "BACKEND")
    assert (row["bin"], row["bout"]) == (str(total["in"]), str(total["out"]))


@BOTH_WAYS
def test_counts_before_a_reset_are_exact(wired, first):
    link = wired(lines=COUNTING)
    client, server, count = carried_pair(link)
    server.sendall(SMALL)
    assert receive_exactly(client, len(SMALL)) == SMALL
    reset(client if first == "client" else server)
    state = "CD" if first == "client" else "SD"
    link.log.wait_for(rf"in={count} out={count + len(SMALL)} state={state} engines=wire/wire$")


def test_what_is_carried_costs_the_daemon_nothing(wired):
    """No wake-up a packet: its processor time stays flat while bytes pass."""
    link = wired()
    client, server, _ = carried_pair(link)
    stream, sink = Stream(client), Sink(server)
    used, memory = link.daemon.processor_seconds(), link.daemon.memory_kib()
    for thread in (sink, stream):
        thread.start()
    wait_until(lambda: sink.received > 256 << 20, "a quarter of a gigabyte", 40)
    stream.stopping.set()
    sink.join()
    assert link.daemon.processor_seconds() - used < 0.2
    assert link.daemon.memory_kib() - memory < 256
    assert sink.digest.digest() == stream.digest.digest()


def test_the_runtime_socket_names_the_engine(wired):
    link = wired()
    carried_pair(link)
    wait_until(lambda: int(link.daemon.relay_row("wire")["packets"]) > 0, "packets to be counted")
    row = link.daemon.relay_row("wire")
    assert row["now"] == "2" and row["availability"] == "available"
    assert "engine=wire" in link.daemon.runtime.ask("show sess all")

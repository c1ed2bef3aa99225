"""Thousands of idle connections: all stay alive, and each costs little memory."""

import resource

import pytest

from lib.peer_process import PeerProcess
from lib.proxy import is_haproxy, is_sanitized
from lib.waiting import wait_until

CONNECTIONS = 9000
# The limit that spliced promises for the user-space part of an idle connection pair.
PAIR_BYTES_MAX = 512
# A flow of uring's in each direction, a slot for each socket, and the first page of every shared buffer.
PAIR_BYTES_MORE = {"uring": 900}
SLACK_BYTES = 1 << 20


@pytest.mark.limit(120)
def test_nine_thousand_idle_connections_stay_alive_and_small(start_proxy, endpoint, closing, engine):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 20000:
        pytest.skip("the limit of open files is below 20,000")
    front, back = endpoint(), endpoint()
    daemon = start_proxy(f"listen many\nbind {front.text}\nbacklog 4096\nserver one {back.text}", engine,
                         global_lines=[f"maxconn {CONNECTIONS + 200}"],
                         defaults_lines=["timeout client 5m", "timeout server 5m"], log=None)
    closing(PeerProcess("echo", back))
    before = daemon.memory_kib()
    clients = closing(PeerProcess("hold", front, CONNECTIONS))
    wait_until(lambda: daemon.runtime.connections() >= CONNECTIONS, "all connections to be counted", 20)
    clients.order("sample 1", "alive")
    after = daemon.memory_kib()
    pair_bytes = (after - before) * 1024 / CONNECTIONS
    print(f"{engine}: {pair_bytes:.0f} bytes of anonymous memory for each idle pair")
    if not (is_sanitized() or is_haproxy()):
        most = PAIR_BYTES_MAX + PAIR_BYTES_MORE.get(engine, 0)
        assert (after - before) * 1024 <= most * CONNECTIONS + SLACK_BYTES, f"{pair_bytes:.0f} B a pair"
    used = daemon.processor_seconds()
    clients.order("sample 100", "alive")
    assert daemon.processor_seconds() - used < 1
    clients.close()
    daemon.wait_idle(20)

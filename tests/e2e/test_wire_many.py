"""Very many connections on wire: all are carried, and nothing of them stays behind."""

import os
import resource
import subprocess

import pytest

from lib import place
from lib.peer_process import PeerProcess
from lib.waiting import wait_until
from lib.wired import carried_now, set_kernel, wait_released

pytestmark = pytest.mark.skipif(place.missing() is not None, reason=f"a network lab: {place.missing()}")

CONCURRENT = 9000
# In user space, for each carried connection; the table in the kernel is of fixed size.
PAIR_BYTES_MAX = 512
SLACK_BYTES = 1 << 20
TIME_WAIT = "06"  # as /proc/net/tcp has it


@pytest.fixture(autouse=True)
def hosts():
    with place.running_lab() as lab:
        yield lab


@pytest.fixture
def many(start_proxy, endpoint, closing):
    """(daemon, front): an echo server behind a proxy that takes many connections."""
    front, back = endpoint(), endpoint()
    daemon = start_proxy(f"listen many\nbind {front.text}\nbacklog 4096\nserver one {back.text}", "wire",
                         global_lines=[f"maxconn {CONCURRENT + 200}"], log=None,
                         defaults_lines=["timeout client 5m", "timeout server 5m"])
    closing(PeerProcess("echo", back))
    return daemon, front


def sockets_in_use():
    """The proxy's TCP sockets, also those without an owner, but for what only remembers a port."""
    text = subprocess.run([*place.prefix("proxy"), "cat", "/proc/net/tcp", "/proc/net/tcp6"], capture_output=True,
                          text=True, check=True).stdout
    states = [line.split()[3] for line in text.splitlines() if line.split()[0].endswith(":")]
    return len([state for state in states if state != TIME_WAIT])


@pytest.mark.slow
@pytest.mark.limit(150)
def test_nine_thousand_at_a_time_are_carried_and_released(many, closing):
    daemon, front = many
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 2 * CONCURRENT + 500:
        pytest.skip("the limit of open files is below 18,500")
    before, memory = sockets_in_use(), daemon.memory_kib()
    assert before > 0
    clients = closing(PeerProcess("hold", front, CONCURRENT))
    wait_until(lambda: daemon.runtime.connections() >= CONCURRENT, "all connections to be counted", 20)

    def are_carried():
        clients.order("sample 1", "alive")
        return carried_now(daemon) >= CONCURRENT * 0.99

    wait_until(are_carried, "nearly all to be carried", 60)
    grown = (daemon.memory_kib() - memory) * 1024
    assert grown <= PAIR_BYTES_MAX * CONCURRENT + SLACK_BYTES, f"{grown / CONCURRENT:.0f} B a pair"
    used = daemon.processor_seconds()
    clients.order("sample 1", "alive")
    assert daemon.processor_seconds() - used < 0.3
    clients.close()
    daemon.wait_idle(30)
    wait_released(daemon, 30)
    assert sockets_in_use() == before


def visit(many, closing, count, part):
    """count connections in turn, by processes that open `part` each."""
    daemon, front = many
    set_kernel("client", tcp_tw_reuse=1)
    set_kernel("proxy", tcp_tw_reuse=1)
    before, memory = sockets_in_use(), daemon.memory_kib()
    assert before > 0
    visitor = closing(PeerProcess("visit", front, part))
    for _ in range(count // part):
        visitor.order("go", "visited")
    daemon.wait_idle(30)
    carried = int(daemon.relay_row("wire")["ever"]) // 2
    assert carried >= count * 0.8, f"wire carried {carried} of {count}"
    wait_released(daemon, 30)
    assert sockets_in_use() == before
    assert daemon.memory_kib() - memory < 4096
    assert daemon.runtime.stat_row("many", "BACKEND")["econ"] == "0"


@pytest.mark.slow
@pytest.mark.limit(150)
def test_twenty_thousand_in_turn_leave_nothing_behind(many, closing):
    visit(many, closing, 20_000, 1000)


@pytest.mark.slow
@pytest.mark.limit(900)
@pytest.mark.skipif("SPLICED_LONG" not in os.environ, reason="takes minutes: set SPLICED_LONG")
def test_a_hundred_thousand_in_turn_leave_nothing_behind(many, closing):
    visit(many, closing, 100_000, 1000)

"""What the runtime socket changes, and who may change it."""

import re

import pytest

from lib.endpoints import accept
from lib.flows import receive_exactly, receive_to_end
from lib.named_servers import NamedServers, counts
from lib.runtime import RuntimeClient
from lib.waiting import wait_until


@pytest.fixture
def pool(start_proxy, endpoint, closing):
    """A proxy over three named servers; visit() tells which one answered."""
    class Pool:
        def __init__(self):
            self.front = endpoint()
            lines = NamedServers(endpoint, closing, 3).lines()
            self.daemon = start_proxy("\n".join(["listen relayed", f"bind {self.front.text}", *lines]))
            self.ask = self.daemon.runtime.ask

        def visit(self, keep=False):
            client = closing(self.front.connect())
            name = int(receive_exactly(client, 1))
            if keep:
                return name, client
            client.close()
            return name

    return Pool()


def test_a_disabled_server_gets_nothing_until_it_is_enabled(pool):
    assert pool.ask("disable server relayed/s1").strip() == ""
    assert set(counts(pool.visit, 10)) == {0, 2}
    assert "MAINT" in pool.daemon.runtime.stat_row("relayed", "s1")["status"]
    assert pool.ask("enable server relayed/s1").strip() == ""
    assert set(counts(pool.visit, 10)) == {0, 1, 2}


@pytest.mark.parametrize("state,word", [("drain", "DRAIN"), ("maint", "MAINT")])
def test_set_server_state_takes_a_server_out_and_keeps_its_sessions(pool, state, word):
    held = [pool.visit(keep=True) for _ in range(3)]
    assert pool.ask(f"set server relayed/s0 state {state}").strip() == ""
    assert set(counts(pool.visit, 8)) == {1, 2}
    assert word in pool.daemon.runtime.stat_row("relayed", "s0")["status"]
    for _, client in held:
        client.sendall(b"x")
        assert client.recv(1) == b""
    assert pool.ask("set server relayed/s0 state ready").strip() == ""
    assert set(counts(pool.visit, 9)) == {0, 1, 2}


def test_weights_can_be_changed_absolutely_and_relatively(pool):
    assert pool.ask("set weight relayed/s0 4").strip() == ""
    assert pool.ask("get weight relayed/s0").strip() == "4 (initial 1)"
    assert counts(pool.visit, 60) == {0: 40, 1: 10, 2: 10}
    assert pool.ask("set weight relayed/s0 0%").strip() == ""
    assert set(counts(pool.visit, 6)) == {1, 2}
    assert pool.ask("set weight relayed/s0 100%").strip() == ""
    assert pool.ask("get weight relayed/s0").strip() == "1 (initial 1)"
    assert pool.ask("set server relayed/s1 weight 3").strip() == ""
    assert pool.ask("get weight relayed/s1").strip() == "3 (initial 1)"


def test_a_servers_maxconn_can_be_raised_for_those_who_wait(make_link, engine):
    link = make_link(engine, server_words="maxconn 1")
    link.pair()
    waiting = link.closing(link.front.connect())
    waiting.sendall(b"w")
    wait_until(lambda: link.daemon.runtime.stat_row("relayed", "BACKEND")["qcur"] == "1", "one in the queue")
    assert link.daemon.runtime.ask("set maxconn server relayed/one 2").strip() == ""
    server = link.closing(accept(link.listener))
    assert receive_exactly(server, 1) == b"w"
    assert link.daemon.runtime.stat_row("relayed", "one")["slim"] == "2"


@pytest.mark.parametrize("command", ["set maxconn frontend relayed 5", "set maxconn global 5"])
def test_a_limit_can_be_raised_for_those_who_wait(make_link, command):
    place = "global" if "global" in command else "frontend"
    link = make_link("auto", lines=["maxconn 1"] if place == "frontend" else [],
                     global_lines=["maxconn 5"] if place == "global" else [])
    if place == "global":
        assert link.daemon.runtime.ask("set maxconn global 1").strip() == ""
    link.pair()
    waiting = link.closing(link.front.connect())
    waiting.sendall(b"w")
    link.listener.settimeout(0.3)
    with pytest.raises(TimeoutError):
        link.listener.accept()
    link.listener.settimeout(10)
    assert link.daemon.runtime.ask(command).strip() == ""
    server = link.closing(accept(link.listener))
    assert receive_exactly(server, 1) == b"w"


def test_a_disabled_frontend_accepts_again_once_enabled(make_link, engine):
    link = make_link(engine)
    client, server = link.pair()
    assert link.daemon.runtime.ask("disable frontend relayed").strip() == ""
    client.sendall(b"x")
    assert receive_exactly(server, 1) == b"x", "a running session was disturbed"
    wait_until(lambda: link.daemon.runtime.stat_row("relayed", "FRONTEND")["status"] != "OPEN", "it to be closed")
    link.listener.settimeout(0.3)
    try:
        waiting = link.closing(link.front.connect(timeout_s=1))
        waiting.sendall(b"w")
    except OSError:
        waiting = None
    with pytest.raises(TimeoutError):
        link.listener.accept()
    link.listener.settimeout(10)
    assert link.daemon.runtime.ask("enable frontend relayed").strip() == ""
    if waiting is None:
        waiting = link.closing(link.front.connect())
        waiting.sendall(b"w")
    server = link.closing(accept(link.listener))
    assert receive_exactly(server, 1) == b"w"


def test_a_shut_down_frontend_refuses_for_good(make_link, family):
    link = make_link("auto", family)
    client, server = link.pair()
    assert link.daemon.runtime.ask("shutdown frontend relayed").strip() == ""

    def is_refused():
        try:
            link.front.connect(timeout_s=1).close()
            return False
        except OSError:
            return True

    wait_until(is_refused, "connections to be refused")
    client.sendall(b"x")
    assert receive_exactly(server, 1) == b"x", "a running session was disturbed"


def test_one_session_can_be_ended_and_others_go_on(make_link, engine):
    link = make_link(engine)
    first, second = link.pair(), link.pair()
    port = first[0].getsockname()[1]
    line = next(line for line in link.daemon.runtime.ask("show sess").splitlines() if f":{port} " in line)
    assert link.daemon.runtime.ask(f"shutdown session {line.split(':')[0]}").strip() == ""
    for peer in first:
        assert receive_to_end(peer)[0] == b""
    second[0].sendall(b"x")
    assert receive_exactly(second[1], 1) == b"x"
    assert re.search("(?i)no such session", link.daemon.runtime.ask(f"shutdown session {line.split(':')[0]}"))


def test_all_sessions_of_a_server_can_be_ended(pool):
    held = [pool.visit(keep=True) for _ in range(9)]
    assert pool.ask("shutdown sessions server relayed/s2").strip() == ""
    for name, client in held:
        if name == 2:
            assert receive_to_end(client)[0] == b""
    assert {row["svname"]: row["scur"] for row in pool.daemon.runtime.stat()}["s2"] == "0"
    assert {row["svname"]: row["scur"] for row in pool.daemon.runtime.stat()}["s1"] == "3"


def test_counters_can_be_cleared(pool):
    counts(pool.visit, 6)
    pool.daemon.wait_idle()
    assert pool.daemon.runtime.stat_row("relayed", "FRONTEND")["stot"] == "6"
    assert pool.ask("clear counters").strip() == ""
    row = pool.daemon.runtime.stat_row("relayed", "FRONTEND")
    assert (row["stot"], row["smax"]) == ("6", "0")
    assert pool.ask("clear counters all").strip() == ""
    for row in pool.daemon.runtime.stat():
        assert (row["stot"], row["bin"], row["bout"]) == ("0", "0", "0"), row["svname"]


LEVELS = {
    # command: the lowest level that may use it
    "show info": "user", "show stat": "user", "show version": "user", "get weight relayed/s0": "user",
    "show sess": "operator", "clear counters": "operator", "clear counters all": "admin",
    "disable server relayed/s0": "admin", "enable server relayed/s0": "admin", "set weight relayed/s0 1": "admin",
    "set maxconn frontend relayed 100": "admin", "set maxconn global 100": "admin",
    "set server relayed/s0 state ready": "admin", "disable frontend relayed": "admin",
    "enable frontend relayed": "admin", "shutdown session 0x1": "admin",
    "shutdown sessions server relayed/s0": "admin",
}


@pytest.mark.parametrize("level", ["user", "operator", "admin"])
def test_levels_are_enforced(start_proxy, endpoint, closing, directory, level):
    path = f"{directory}/{level}.sock"
    start_proxy("\n".join(["listen relayed", f"bind {endpoint().text}",
                           *NamedServers(endpoint, closing, 1).lines()]),
                global_lines=[f"stats socket {path} mode 600 level {level}"])
    order = ["user", "operator", "admin"]
    client = RuntimeClient(path)
    for command, lowest in LEVELS.items():
        is_denied = "Permission denied" in client.ask(command)
        assert is_denied == (order.index(level) < order.index(lowest)), command


def test_an_admin_can_give_levels_up(pool):
    answer = pool.ask("show cli level;operator;show cli level;disable server relayed/s0")
    assert re.search(r"(?s)admin.*operator.*Permission denied", answer)

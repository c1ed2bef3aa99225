"""How connections are spread over servers, and which proxy gets them."""

import collections

import pytest

from lib import place
from lib.flows import receive_exactly
from lib.named_servers import NamedServers, counts
from lib.waiting import wait_until


@pytest.fixture
def spread(start_proxy, endpoint, closing, log):
    """spread(balance, words for each server): a function that connects and tells who answered;
    spread.connect() only connects, and spread.daemon and spread.log are there to be asked."""
    def make(balance, words, count=None, lines=()):
        servers = NamedServers(endpoint, closing, count or len(words))
        front = endpoint()
        make.daemon = start_proxy("\n".join(["listen relayed", f"bind {front.text}", balance, *lines,
                                             *servers.lines(words)]))

        def visit(keep=False, source=None):
            client = closing(front.connect(source=source))
            name = int(receive_exactly(client, 1))
            if keep:
                return name, client
            client.close()
            return name

        make.connect = lambda **how: closing(front.connect(**how))
        make.log = log
        return visit

    return make


def test_roundrobin_respects_weights(spread):
    visit = spread("balance roundrobin", ["weight 30", "weight 10", "weight 20"])
    assert counts(visit, 60) == {0: 30, 1: 10, 2: 20}


def test_roundrobin_is_the_default_and_even(spread):
    assert counts(spread("", ["", "", ""]), 30) == {0: 10, 1: 10, 2: 10}


def test_a_weight_of_zero_gets_nothing(spread):
    assert counts(spread("balance roundrobin", ["weight 0", ""]), 10) == {1: 10}


def test_leastconn_prefers_the_server_with_the_fewest(spread):
    visit = spread("balance leastconn", ["", "", ""])
    held = [visit(keep=True) for _ in range(6)]
    assert collections.Counter(name for name, _ in held) == {0: 2, 1: 2, 2: 2}
    for name, client in held:
        if name == 1:
            client.shutdown(1)
            assert client.recv(1) == b""
            client.close()
    wait_until(lambda: spread.daemon.runtime.stat_row("relayed", "s1")["scur"] == "0", "both to be gone")
    assert [visit(keep=True)[0] for _ in range(2)] == [1, 1]


def test_first_fills_the_first_server_up(spread):
    visit = spread("balance first", ["maxconn 2", "maxconn 2", ""])
    assert [visit(keep=True)[0] for _ in range(6)] == [0, 0, 1, 1, 2, 2]


def test_source_sticks_to_one_server_and_spreads_clients(spread):
    visit = spread("balance source", ["", "", ""])
    chosen = {}
    for address in place.client_sources(24):
        chosen[address] = visit(source=address)
    assert set(chosen.values()) == {0, 1, 2}
    for address, name in chosen.items():
        assert visit(source=address) == name


@pytest.mark.parametrize("balance", ["balance random", "balance random(3)"])
def test_random_uses_every_server(spread, balance):
    assert set(counts(spread(balance, ["", "", ""]), 60)) == {0, 1, 2}


def test_backups_serve_only_when_no_other_can(spread):
    visit = spread("balance roundrobin", ["", "backup", "backup"])
    assert counts(visit, 6) == {0: 6}
    daemon = spread.daemon
    daemon.runtime.ask("disable server relayed/s0")
    assert counts(visit, 6) == {1: 6}
    daemon.runtime.ask("enable server relayed/s0")
    assert counts(visit, 6) == {0: 6}


def test_all_backups_share_with_the_option(spread):
    visit = spread("balance roundrobin", ["disabled", "backup", "backup"], lines=["option allbackups"])
    assert counts(visit, 6) == {1: 3, 2: 3}


def test_a_frontend_uses_its_default_backend_and_use_backend_comes_first(start_proxy, endpoint, closing):
    servers = NamedServers(endpoint, closing, 2)
    fronts = [endpoint(), endpoint()]
    start_proxy(f"frontend plain\nbind {fronts[0].text}\ndefault_backend zero\n"
                f"frontend chosen\nbind {fronts[1].text}\nuse_backend one\ndefault_backend zero\n"
                f"backend zero\n{servers.lines()[0]}\nbackend one\n{servers.lines()[1]}")
    for name, front in enumerate(fronts):
        with front.connect() as client:
            assert int(receive_exactly(client, 1)) == name


def test_several_addresses_of_one_frontend_all_serve(start_proxy, endpoint, closing):
    servers = NamedServers(endpoint, closing, 1)
    fronts = [endpoint(family) for family in ("ipv4", "ipv6", "unix", "ipv4")]
    start_proxy(f"listen relayed\nbind {fronts[0].text},{fronts[1].text}\nbind {fronts[2].text}\n"
                f"bind {fronts[3].text} name fourth\n{servers.lines()[0]}")
    for front in fronts:
        with front.connect() as client:
            assert receive_exactly(client, 1) == b"0"


def test_static_rr_shares_by_weight(spread):
    assert counts(spread("balance static-rr", ["weight 30", "weight 10", "weight 20"]), 60) == {0: 30, 1: 10, 2: 20}


@pytest.mark.parametrize("method", ["map-based", "consistent", "maglev"])
def test_a_hash_sticks_and_only_needful_clients_move(spread, method):
    visit = spread("balance hash src", ["", "", "", ""], lines=[f"hash-type {method} crc32 avalanche"])
    clients = place.client_sources(60)
    before = {client: visit(source=client) for client in clients}
    assert set(before.values()) == {0, 1, 2, 3}
    spread.daemon.runtime.ask("disable server relayed/s2")
    after = {client: visit(source=client) for client in clients}
    assert 2 not in after.values()
    moved = sum(after[client] != name for client, name in before.items() if name != 2)
    assert moved == 0 if method == "consistent" else moved <= 6 if method == "maglev" else moved > 6
    spread.daemon.runtime.ask("enable server relayed/s2")
    assert {client: visit(source=client) for client in clients} == before


def test_the_port_that_the_client_came_to_can_be_the_key(start_proxy, endpoint, closing):
    fronts = [endpoint() for _ in range(8)]
    servers = NamedServers(endpoint, closing, 4)
    start_proxy("\n".join(["listen relayed", *(f"bind {front.text}" for front in fronts),
                           "balance hash dst_port", "hash-type map-based crc32", *servers.lines()]))

    def visit(front):
        with front.connect() as client:
            return int(receive_exactly(client, 1))

    names = [visit(front) for front in fronts]
    assert [visit(front) for front in fronts] == names and len(set(names)) > 1


def test_a_bounded_hash_spreads_one_client(spread):
    visit = spread("balance hash src", ["", "", "", ""], lines=["hash-type maglev", "hash-balance-factor 150"])
    held = [visit(keep=True) for _ in range(16)]
    assert max(collections.Counter(name for name, _ in held).values()) <= 6


def test_a_hashed_client_waits_for_its_own_server(spread):
    visit = spread("balance source", ["maxconn 1", "maxconn 1"], lines=["timeout queue 300ms"])
    names = {visit(source=source): source for source in place.client_sources(2)}
    runtime = spread.daemon.runtime
    wait_until(lambda: runtime.stat_row("relayed", "BACKEND")["scur"] == "0", "the slots to be free")
    name, held = visit(keep=True, source=names[0])
    assert name == 0
    waiting = spread.connect(source=names[0])
    wait_until(lambda: runtime.stat_row("relayed", "s0")["qcur"] == "1", "one to wait for s0")
    assert runtime.stat_row("relayed", "BACKEND")["qcur"] == "0"
    assert visit(source=names[1]) == 1
    assert waiting.recv(1) == b""
    wait_until(lambda: any(line["state"] == "sQ" for line in spread.log.sessions(1)), "its line in the log")
    again = spread.connect(source=names[0])
    wait_until(lambda: runtime.stat_row("relayed", "s0")["qcur"] == "1", "one to wait for s0")
    held.close()
    assert receive_exactly(again, 1) == b"0"


def test_a_limit_follows_the_load_of_the_backend(spread):
    visit = spread("balance roundrobin", ["minconn 1 maxconn 3"], lines=["fullconn 6"])
    assert visit(keep=True)[0] == 0
    row = lambda name: spread.daemon.runtime.stat_row("relayed", name)
    for waiting in (1, 2):
        spread.connect()
        wait_until(lambda: row("BACKEND")["qcur"] == str(waiting), "it to wait")
        assert row("s0")["scur"] == "1"
    spread.connect()
    wait_until(lambda: (row("s0")["scur"], row("BACKEND")["qcur"]) == ("2", "2"), "the limit to grow to 2")


def test_a_slow_start_shows_its_throttle_and_ends(spread):
    spread("balance roundrobin", ["weight 100 slowstart 1500ms", "weight 100"])
    runtime = spread.daemon.runtime
    assert runtime.stat_row("relayed", "s0")["throttle"] == ""
    runtime.ask("disable server relayed/s0; enable server relayed/s0")
    row = runtime.stat_row("relayed", "s0")
    assert 0 < int(row["throttle"]) < 60 and int(row["weight"]) < 60
    wait_until(lambda: runtime.stat_row("relayed", "s0")["throttle"] == "", "the slow start to end")
    wait_until(lambda: runtime.stat_row("relayed", "s0")["weight"] == "100", "the full weight")


def test_a_slow_start_lets_those_in_who_wait(spread):
    visit = spread("balance roundrobin", ["maxconn 4 slowstart 1s"])
    spread.daemon.runtime.ask("disable server relayed/s0; enable server relayed/s0")
    assert visit(keep=True)[0] == 0
    clients = [spread.connect() for _ in range(3)]
    assert [receive_exactly(client, 1) for client in clients] == [b"0"] * 3


def test_a_tracking_server_follows(start_proxy, endpoint, closing):
    servers = NamedServers(endpoint, closing, 2)
    front = endpoint()
    daemon = start_proxy(f"listen relayed\nbind {front.text}\n{servers.lines()[0]} track other/s1\n"
                         f"backend other\n{servers.lines()[1]}")
    for command, status in (("disable", "MAINT"), ("enable", "no check")):
        daemon.runtime.ask(f"{command} server other/s1")
        row = daemon.runtime.stat_row("relayed", "s0")
        assert (row["status"], row["tracked"]) == (status, "other/s1")
    with front.connect() as client:
        assert receive_exactly(client, 1) == b"0"


def test_sessions_end_when_their_server_is_marked_down(spread):
    """More than a worker ends in one go, and none of another server."""
    visit = spread("balance roundrobin", ["weight 150 on-marked-down shutdown-sessions", ""])
    held = [visit(keep=True) for _ in range(604)]
    spread.daemon.runtime.ask("disable server relayed/s0")
    for name, client in held:
        if name == 0:
            with pytest.raises(ConnectionResetError):
                client.recv(1)
    lines = spread.log.sessions(600)
    assert {(line["server"], line["state"]) for line in lines} == {("s0", "DD")} and len(lines) == 600
    for name, client in held:
        if name == 1:
            client.sendall(b"x")
            assert client.recv(1) == b""


def test_sessions_of_backups_end_when_a_server_is_back(spread):
    visit = spread("balance roundrobin", ["disabled on-marked-up shutdown-backup-sessions", "backup", "backup"],
                   lines=["option allbackups"])
    held = dict(visit(keep=True) for _ in range(2))
    assert set(held) == {1, 2}
    spread.daemon.runtime.ask("enable server relayed/s0")
    for client in held.values():
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert {line["state"] for line in spread.log.sessions(2)} == {"UD"}
    assert visit() == 0

"""How connections are spread over servers, and which proxy gets them."""

import collections

import pytest

from lib.flows import receive_exactly
from lib.named_servers import NamedServers, counts


@pytest.fixture
def spread(start_proxy, endpoint, closing):
    """spread(balance, words for each server): a function that connects and tells who answered."""
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
    assert [visit(keep=True)[0] for _ in range(2)] == [1, 1]


def test_first_fills_the_first_server_up(spread):
    visit = spread("balance first", ["maxconn 2", "maxconn 2", ""])
    assert [visit(keep=True)[0] for _ in range(6)] == [0, 0, 1, 1, 2, 2]


def test_source_sticks_to_one_server_and_spreads_clients(spread):
    visit = spread("balance source", ["", "", ""])
    chosen = {}
    for client in range(1, 25):
        address = f"127.0.0.{client}"
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

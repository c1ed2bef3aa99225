"""The same configuration and the same clients beside HAProxy: the same servers answer."""

import pytest

from lib.flows import receive_exactly
from lib.haproxy_beside import PROGRAM, HaproxyBeside
from lib.named_servers import NamedServers

CLIENTS = [f"127.0.0.{number}" for number in range(1, 41)]
HASHES = [(method, function, modifier) for method in ("map-based", "consistent")
          for function in ("sdbm", "djb2", "wt6", "crc32") for modifier in ("", "avalanche")]


@pytest.fixture
def both(start_proxy, endpoint, closing, directory):
    """both(lines, words): two functions that tell who answered a client, ours and HAProxy's, and
    one that asks both runtime sockets."""
    if PROGRAM is None:
        pytest.skip("haproxy is not installed")

    def make(lines, words):
        servers = NamedServers(endpoint, closing, len(words)).lines(words)
        fronts = [endpoint(), endpoint()]
        bodies = ["\n".join(["listen relayed", f"bind {front.text}", *lines, *servers]) for front in fronts]
        ours = start_proxy(bodies[0])
        theirs = closing(HaproxyBeside(directory, bodies[1]))

        def visit(front, source=None, keep=False):
            client = closing(front.connect(source=source))
            name = int(receive_exactly(client, 1))
            if not keep:
                client.close()
            return name

        def ask(command):
            return [proxy.runtime.ask(command).strip() for proxy in (ours, theirs)]

        return (lambda **how: visit(fronts[0], **how)), (lambda **how: visit(fronts[1], **how)), ask

    return make


def compare(pair, sources):
    ours, theirs, _ = pair
    expected = [theirs(source=source) for source in sources]
    assert [ours(source=source) for source in sources] == expected
    return expected


@pytest.mark.parametrize("count", [2, 5])
def test_roundrobin_of_equals_has_the_same_order(both, count):
    assert compare(both(["balance roundrobin"], [""] * count), [None] * 4 * count) == list(range(count)) * 4


def test_roundrobin_of_unequals_has_the_same_shares_in_every_round(both):
    ours, theirs, _ = both(["balance roundrobin"], ["weight 5", "", "weight 2"])
    for _ in range(3):
        assert sorted(ours() for _ in range(8)) == sorted(theirs() for _ in range(8))


@pytest.mark.parametrize("weights", [(1, 1, 1), (5, 1, 1), (3, 1, 2), (30, 10, 20), (256, 1, 7), (0, 2, 3)])
def test_static_rr_has_the_same_table(both, weights):
    compare(both(["balance static-rr"], [f"weight {weight}" for weight in weights]), [None] * 40)


def test_first_fills_servers_in_the_same_order(both):
    ours, theirs, _ = both(["balance first"], ["maxconn 2 id 30", "maxconn 2 id 10", "id 20"])
    expected = [theirs(keep=True) for _ in range(6)]
    assert [ours(keep=True) for _ in range(6)] == expected == [1, 1, 2, 2, 2, 2]


@pytest.mark.parametrize("words", [["", "", ""], ["weight 3", "weight 1", "weight 2"], ["", "backup", "weight 9"]])
@pytest.mark.parametrize("method", ["", "hash-type map-based sdbm", "hash-type map-based sdbm avalanche",
                                    "hash-type consistent"])
def test_source_sends_each_client_to_the_same_server(both, words, method):
    assert len(set(compare(both(["balance source", method], words), CLIENTS))) > 1


@pytest.mark.parametrize("method,function,modifier", HASHES)
def test_hashes_send_each_client_to_the_same_server(both, method, function, modifier):
    compare(both(["balance hash src", f"hash-type {method} {function} {modifier}"], ["", "weight 3", "", "", ""]),
            CLIENTS)


@pytest.mark.parametrize("lines", [["balance static-rr"], ["balance source"], ["balance hash src"],
                                   ["balance source", "hash-type consistent"]])
def test_they_agree_when_servers_leave_and_come_back(both, lines):
    pair = both(lines, ["weight 2", "", "", "backup"])
    ask = pair[2]
    for command in ("disable server relayed/s1", "enable server relayed/s1", "disable server relayed/s0",
                    "set weight relayed/s2 0%", "set weight relayed/s2 100%", "disable server relayed/s1"):
        assert ask(command) == ["", ""]
        sources = CLIENTS if "static" not in lines[0] else [None] * 12
        if "static" in lines[0]:
            # Where in its table each goes on after a change is its own affair.
            ours, theirs, _ = pair
            assert sorted(ours() for _ in sources) == sorted(theirs() for _ in sources)
        else:
            compare(pair, sources)


@pytest.mark.parametrize("lines", [["balance static-rr"], ["balance source"], ["balance hash src"]])
def test_static_algorithms_refuse_other_weights_in_the_same_words(both, lines):
    _, _, ask = both(lines, ["weight 4", ""])
    for command in ("set weight relayed/s0 2", "set weight relayed/s0 50%", "set server relayed/s0 weight 200%"):
        ours, theirs = ask(command)
        assert ours == theirs and "0%" in ours
    assert ask("set weight relayed/s0 4") == ["", ""]

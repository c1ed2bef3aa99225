"""What wire does not take over: the reason is named, and the connection works all the same."""

import pytest

from lib import place
from lib.endpoints import accept
from lib.flows import assert_same, receive_exactly, send_all_in_thread
from lib.pattern import pattern_bytes
from lib.servers import find_program
from lib.waiting import wait_until
from lib.wired import carried_now, carried_pair, command, exchange, refusals, set_kernel

pytestmark = pytest.mark.skipif(place.missing() is not None, reason=f"a network lab: {place.missing()}")

CONTENT_BYTES = 3 << 20


@pytest.fixture(autouse=True)
def hosts(request):
    """The lab; a test may name options of Netlab as its parameter."""
    with place.running_lab(**getattr(request, "param", {})) as lab:
        yield lab


def legs(**options):
    """Runs a test with these options of Netlab, with and without offloads."""
    return pytest.mark.parametrize("hosts", [{**options, "are_offloads_on": is_on} for is_on in (True, False)],
                                   indirect=True, ids=["offloads", "plain"])


def assert_works(client, server):
    content = pattern_bytes(CONTENT_BYTES)
    for writing, reading in ((client, server), (server, client)):
        writer = send_all_in_thread(writing, content)
        assert_same(receive_exactly(reading, len(content)), content)
        writer.join()


@pytest.fixture
def make_refused(make_link, internet_family):
    """A working connection that wire refuses for a reason."""
    def make(reason):
        link = make_link("wire", internet_family)
        client, server = link.pair()
        exchange(client, server)
        assert_works(client, server)
        assert refusals(link.daemon).get(reason, 0) > 0, refusals(link.daemon)
        assert carried_now(link.daemon) == 0
        return link

    return make


@pytest.mark.parametrize("role,settings,reason", [
    ("client", {"tcp_timestamps": 0}, "options"),
    ("server", {"tcp_timestamps": 0}, "options"),
    ("client", {"tcp_sack": 0}, "options"),
    ("server", {"tcp_sack": 0}, "options"),
    ("client", {"tcp_window_scaling": 0}, "scale"),
    ("server", {"tcp_window_scaling": 0}, "scale"),
], ids=lambda value: "_".join(value) if isinstance(value, dict) else str(value))
def test_ends_that_speak_differently_are_refused(make_refused, role, settings, reason):
    set_kernel(role, **settings)
    make_refused(reason)


def test_the_same_word_left_out_at_both_ends_is_no_obstacle(make_link, internet_family):
    for role in ("client", "server"):
        set_kernel(role, tcp_timestamps=0, tcp_sack=0)
    link = make_link("wire", internet_family)
    client, server, _ = carried_pair(link)
    assert_works(client, server)
    assert carried_now(link.daemon) == 1


@legs(server_mtu=1400)
def test_a_narrow_leg_behind_the_proxy_loses_nothing(make_refused):
    make_refused("segment")


@legs(mtu=1400)
def test_narrow_legs_on_both_sides_are_carried(make_link, internet_family):
    link = make_link("wire", internet_family)
    client, server, _ = carried_pair(link)
    assert_works(client, server)


def test_a_translated_port_is_noticed(make_link, internet_family):
    """The socket's name is not what is on the wire; wire must see that."""
    if find_program("nft") is None:
        pytest.skip("nft is not installed")
    link = make_link("wire", internet_family)
    outer = link.front.port + 1
    rules = ("add table inet lab; add chain inet lab pre { type nat hook prerouting priority -100; }; "
             f"add rule inet lab pre tcp dport {outer} redirect to :{link.front.port}")
    if not command("proxy", "nft", rules):
        pytest.skip("this kernel cannot translate addresses")
    link.front.port = outer
    client = link.closing(link.front.connect())
    server = link.closing(accept(link.listener))
    for _ in range(20):
        exchange(client, server)
    assert_works(client, server)
    assert carried_now(link.daemon) == 0
    wait_until(lambda: refusals(link.daemon).get("unseen", 0) > 0, "the reason to be counted", 15)

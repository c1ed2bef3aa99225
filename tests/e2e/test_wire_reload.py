"""Connections that wire carries while another process takes over: they stay with the first one."""

import os

import pytest

from lib import place
from lib.flows import assert_received
from lib.waiting import wait_until
from lib.wired import Sink, Stream, carried_now, carried_pair, exchange

pytestmark = pytest.mark.skipif(place.missing() is not None, reason=f"a network lab: {place.missing()}")


@pytest.fixture(autouse=True)
def hosts():
    with place.running_lab() as lab:
        yield lab


def test_carried_connections_outlast_a_reload_and_new_ones_are_carried(
        make_link, start_proxy, internet_family, directory, closing):
    share = os.path.join(directory, "share.sock")
    parts = {"global_lines": [f"stats socket {share} mode 600 level admin expose-fd listeners"]}
    link = make_link("wire", internet_family, **parts)
    client, server, _ = carried_pair(link)
    flows = [(Stream(client), Sink(server)), (Stream(server), Sink(client))]
    for thread in (thread for flow in flows for thread in flow):
        thread.start()
    body = "\n".join(["listen relayed", f"bind {link.front.text}", f"server one {link.back.text}"])
    newer = start_proxy(body, "wire", arguments=["-x", share, "-sf", link.daemon.pid], **parts)
    newer_link = type(link)(newer, link.front, link.back, link.listener, closing)
    for _ in range(3):
        pair = carried_pair(newer_link)[:2]
        exchange(*pair)
    assert carried_now(newer) == 3 and link.daemon.process.poll() is None
    for stream, sink in flows:
        stream.stopping.set()
    for stream, sink in flows:
        stream.join()
        sink.join()
        assert (stream.error, sink.ending) == (None, "end")
        assert (sink.received, sink.digest.digest()) == (stream.sent, stream.digest.digest())
    assert link.daemon.wait_end(30) == 0
    exchange(*pair)
    pair[0].close()
    assert_received(pair[1], b"", "end")
    pair[1].close()
    wait_until(lambda: carried_now(newer) <= 2, "the entry to be given back", 15)

"""Every place that counts bytes and connections counts the same, to the byte."""

import re

import pytest

from lib.endpoints import reset
from lib.flows import receive_exactly, receive_to_end
from lib.pattern import pattern_bytes
from lib.waiting import wait_until

pytestmark = pytest.mark.quick
IN_BYTES, OUT_BYTES = 1_234_567, 7_654_321


def exchange(client, server):
    """Sends both amounts, reading along so that nothing is stuck."""
    for writing, reading, count in ((client, server, IN_BYTES), (server, client, OUT_BYTES)):
        content, done = memoryview(pattern_bytes(count)), 0
        while done < count:
            piece = content[done: done + 50_000]
            writing.sendall(piece)
            done += len(receive_exactly(reading, len(piece)))


def test_log_and_statistics_count_the_same_bytes(make_link, engine, family):
    link = make_link(engine, family, lines=['log-format "in=%U out=%B state=%ts"'])
    client, server = link.pair()
    exchange(client, server)
    client.close()
    assert receive_to_end(server) == (b"", "end")
    server.close()
    link.log.wait_for(rf"in={IN_BYTES} out={OUT_BYTES} state=--$")
    link.daemon.wait_idle()
    for name in ("FRONTEND", "one", "BACKEND"):
        row = link.daemon.runtime.stat_row("relayed", name)
        assert (row["bin"], row["bout"], row["stot"]) == (str(IN_BYTES), str(OUT_BYTES), "1"), name


def test_running_sessions_show_their_bytes(make_link, ours_only, engine, family):
    link = make_link(engine, family)
    client, server = link.pair()
    exchange(client, server)

    def is_shown():
        text = link.daemon.runtime.ask("show sess all")
        return re.search(rf"\b{IN_BYTES}\b", text) and re.search(rf"\b{OUT_BYTES}\b", text)

    wait_until(is_shown, "both counts in show sess all")


def test_bytes_before_a_reset_are_counted(make_link, engine, internet_family):
    link = make_link(engine, internet_family, lines=['log-format "in=%U out=%B state=%ts"'])
    client, server = link.pair()
    exchange(client, server)
    reset(server)
    receive_to_end(client)
    link.log.wait_for(rf"in={IN_BYTES} out={OUT_BYTES} state=SD$")


def test_totals_add_up_over_threads(make_link):
    link = make_link("auto", global_lines=["nbthread 4"])
    for turn in range(40):
        client, server = link.pair()
        client.sendall(b"q" * turn)
        receive_exactly(server, turn)
        server.sendall(b"a" * 100)
        receive_exactly(client, 100)
        client.close()
        receive_to_end(server)
        server.close()
    link.log.sessions(40)
    link.daemon.wait_idle()
    row = link.daemon.runtime.stat_row("relayed", "FRONTEND")
    assert (row["stot"], row["bin"], row["bout"]) == ("40", str(sum(range(40))), "4000")
    info = link.daemon.runtime.info()
    assert info["CurrConns"] == "0" and int(info["CumConns"]) >= 40

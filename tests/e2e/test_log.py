"""The line that each session logs: its fields, its byte counts, its end state."""

import datetime
import re
import time

import pytest

from lib.endpoints import accept, reset
from lib.flows import receive_exactly, receive_to_end
from lib.pattern import pattern_bytes
from lib.syslog import TCPLOG
from lib.waiting import wait_until


def finish(client, server):
    client.close()
    assert receive_to_end(server)[1] == "end"
    server.close()


def test_the_fields_of_option_tcplog_say_what_happened(link):
    client, server = link.pair()
    client.sendall(b"q" * 100)
    receive_exactly(server, 100)
    server.sendall(b"a" * 12_345)
    receive_exactly(client, 12_345)
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 0.12, "a measurable duration")
    name = client.getsockname()
    finish(client, server)
    logged = link.log.session()
    if link.front.family == "unix":
        assert logged["client"] == "unix"
    else:
        assert (logged["client"], logged["client_port"]) == (name[0], str(name[1]))
    assert (logged["frontend"], logged["backend"], logged["server"]) == ("relayed", "relayed", "one")
    assert (logged["bytes"], logged["state"]) == ("12345", "--")
    assert 0 <= int(logged["wait"]) <= 50
    assert 0 <= int(logged["connect"]) < 1000 and 120 <= int(logged["total"]) < 5000
    assert logged["feconn"] == "1" and logged["beconn"] in "01" and logged["srvconn"] in "01"
    assert (logged["retries"], logged["server_queue"], logged["backend_queue"]) == ("0", "0", "0")
    accepted = datetime.datetime.strptime(logged["accepted"], "%d/%b/%Y:%H:%M:%S.%f")
    assert abs((datetime.datetime.now() - accepted).total_seconds()) < 60


def test_one_line_is_logged_for_each_session(link):
    for _ in range(20):
        finish(*link.pair())
    link.log.wait_for(TCPLOG, 20)
    link.daemon.wait_idle()
    assert len([line for line in link.log.lines() if TCPLOG.search(line)]) == 20


@pytest.mark.parametrize("breaker,state", [("client", "CD"), ("server", "SD")])
def test_a_reset_names_the_side_that_broke_off(make_link, engine, internet_family, breaker, state):
    link = make_link(engine, internet_family)
    client, server = link.pair()
    client.sendall(b"x")
    receive_exactly(server, 1)
    reset(client if breaker == "client" else server)
    assert link.log.session()["state"] == state


def test_an_operators_end_is_named_so(make_link, engine):
    link = make_link(engine)
    client, server = link.pair()
    server.sendall(b"x")
    receive_exactly(client, 1)
    listing = link.daemon.runtime.ask("show sess")
    identity = listing.split(":")[0].split()[0]
    assert link.daemon.runtime.ask(f"shutdown session {identity}").strip() == ""
    receive_to_end(client)
    assert link.log.session()["state"] in ("KD", "K-")


def test_a_stop_is_named_so(start_proxy, ours_only, endpoint, closing, log):
    front, back = endpoint(), endpoint()
    listener = closing(back.listen())
    daemon = start_proxy(f"listen relayed\nbind {front.text}\nserver one {back.text}")
    client = closing(front.connect())
    closing(accept(listener))
    daemon.process.terminate()
    assert receive_to_end(client)[0] == b""
    daemon.wait_end()
    assert log.session()["state"] == "KD"


def test_without_tcplog_the_line_is_short(make_link):
    link = make_link("auto", log_lines=["log global"])
    client, server = link.pair()
    client_host = re.escape("%s:%d" % client.getsockname())
    finish(client, server)
    link.log.wait_for(rf"Connect from {client_host} to {re.escape(link.front.host)}:{link.front.port} \(relayed/TCP\)$")


def test_dontlognull_leaves_out_empty_connections(make_link, engine):
    link = make_link(engine, lines=["option dontlognull"])
    finish(*link.pair())
    client, server = link.pair()
    client.sendall(b"x")
    server.sendall(b"yz")
    assert receive_exactly(server, 1) == b"x" and receive_exactly(client, 2) == b"yz"
    finish(client, server)
    assert link.log.session()["bytes"] == "2"
    assert len(link.log.sessions()) == 1


def test_logasap_logs_once_the_server_is_connected(make_link, engine):
    link = make_link(engine, lines=["option logasap"])
    client, server = link.pair()
    client.sendall(b"x")
    receive_exactly(server, 1)
    logged = link.log.session()
    assert logged["total"].startswith("+") and logged["bytes"].startswith("+")
    finish(client, server)


def test_dontlog_normal_leaves_out_orderly_ends(make_link, engine):
    link = make_link(engine, lines=["option dontlog-normal"])
    client, server = link.pair()
    client.sendall(b"ok")
    receive_exactly(server, 2)
    finish(client, server)
    client, server = link.pair()
    client.sendall(b"x")
    receive_exactly(server, 1)
    reset(client)
    receive_to_end(server)
    assert link.log.session()["state"] == "CD"


@pytest.mark.parametrize("format_text,expected", [
    ("%f/%b/%s %U/%B %ts", r"relayed/relayed/one 1000/2000 --$"),
    ("%{+Q}f %rc", r'"relayed" 0$'),
    ("in\\ %U\\ %%", r"in 1000 %$"),
    ("%si:%sp", r"{server}:\d+$"),
    ("%fi:%fp", r"{front}:\d+$"),
    ("%Tw/%Tc/%Tt", r"\d+/\d+/\d+$"),
])
def test_log_format_prints_the_variables(make_link, format_text, expected):
    quoted = format_text if "\\ " in format_text else '"' + format_text.replace('"', '\\"') + '"'
    link = make_link("auto", lines=[f"log-format {quoted}"])
    client, server = link.pair()
    client.sendall(b"q" * 1000)
    receive_exactly(server, 1000)
    server.sendall(b"a" * 2000)
    receive_exactly(client, 2000)
    finish(client, server)
    link.log.wait_for(expected.format(server=re.escape(link.back.host), front=re.escape(link.front.host)))


def test_log_format_can_name_reason_and_engine(make_link, ours_only, engine):
    link = make_link(engine, lines=['log-format "why=%[reason] in=%[engine_in] out=%[engine_out]"'])
    client, server = link.pair()
    content = pattern_bytes(4 << 20)
    server.sendall(content[:100_000])
    receive_exactly(client, 100_000)
    finish(client, server)
    engines = {"auto": "copy|splice", "wire": "copy|splice|wire", "sockmap": "copy|sockmap"}.get(engine, engine)
    assert link.log.wait_for(rf"why=(.+) in=({engines}) out=({engines})$")[0].group(1)

"""Where log lines go and in which format."""

import os
import re
import socket

import pytest

from lib import place
from lib.flows import receive_to_end
from lib.syslog import LogServer
from lib.waiting import wait_until

LOCAL0_INFO = 16 * 8 + 6
MESSAGE = r"\S+:\d+ \[[^]]+\] relayed relayed/one \d+/\d+/\d+ 1 -- .*"
HEADERS = {
    "rfc3164": rf"<{LOCAL0_INFO}>[A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d \S+ \S+\[\d+\]: ",
    "rfc5424": rf"<{LOCAL0_INFO}>1 \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*(Z|[-+]\d\d:\d\d) \S+ \S+ \d+ - - ",
    "raw": "",
    "short": "<6>",
    "timed": r"<6>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[-+]\d\d:\d\d ",
    "local": rf"<{LOCAL0_INFO}>[A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d \S+\[\d+\]: ",
    "priority": rf"<{LOCAL0_INFO}>",
    "iso": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[-+]\d\d:\d\d ",
}


def visit(link):
    client, server = link.pair()
    server.sendall(b"x")
    assert client.recv(1) == b"x"
    client.close()
    receive_to_end(server)
    server.close()


@pytest.fixture
def target(directory):
    servers = []

    def make(kind):
        servers.append(LogServer(os.path.join(directory, "log") if kind == "unix" else None))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


@pytest.mark.parametrize("kind", ["udp", "unix"])
@pytest.mark.parametrize("name", HEADERS)
def test_every_format_reaches_a_datagram_socket(target, make_link, name, kind):
    server = target(kind)
    link = make_link("auto", log=None, logs=[f"{server.text} format {name} local0"])
    visit(link)
    line = wait_until(lambda: next((line for line in server.lines() if " relayed/one " in line), None), "a line")
    assert re.fullmatch(HEADERS[name] + MESSAGE, line), line


@pytest.mark.parametrize("word,stream", [("stdout", "output"), ("stderr", "errors")])
def test_a_standard_stream_gets_whole_lines(make_link, word, stream):
    link = make_link("auto", log=None, logs=[f"{word} format raw local0"])
    for _ in range(10):
        visit(link)
    read = getattr(link.daemon, stream)
    wait_until(lambda: len(re.findall(rf"^{MESSAGE}$", read(), re.MULTILINE)) == 10, "ten lines")


def test_a_line_goes_to_every_target(target, make_link):
    servers = [target("udp"), target("unix")]
    link = make_link("auto", log=None, logs=[f"{server.text} local0" for server in servers])
    visit(link)
    for server in servers:
        server.session()


def test_levels_and_facilities_select_and_mark_lines(target, make_link):
    quiet, loud = target("unix"), target("udp")
    link = make_link("auto", log=None, logs=[f"{quiet.text} local3 notice", f"{loud.text} local3"])
    visit(link)
    loud.wait_for(rf"^<{19 * 8 + 6}>.* relayed/one ")
    assert not [line for line in quiet.lines() if " relayed/one " in line]


def test_the_tag_and_the_host_name_are_sent_when_asked_for(target, make_link):
    server = target("udp")
    link = make_link("auto", log=None, logs=[f"{server.text} local0"],
                     global_lines=["log-tag daemontag", "log-send-hostname box.example"])
    visit(link)
    server.wait_for(r" box\.example daemontag\[\d+\]: .* relayed/one ")


def test_a_long_line_is_cut_at_its_target(target, make_link):
    server = target("udp")
    link = make_link("auto", log=None, logs=[f"{server.text} len 100 format raw local0"],
                     lines=['log-format "' + "x" * 500 + '"'])
    visit(link)
    line = wait_until(lambda: next((line for line in server.lines() if "xxx" in line), None), "a line")
    assert 90 <= len(line) <= 100


@pytest.mark.parametrize("kind", ["unix", "udp"])
def test_a_target_that_cannot_be_reached_stops_nothing_and_is_reported(make_link, ours_only, directory, kind):
    """Traffic goes on; the daemon says so on its standard error."""
    with place.open_socket("proxy", socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
    path = os.path.join(directory, "missing.sock")
    target_text = path if kind == "unix" else f"127.0.0.1:{port}"
    link = make_link("auto", log=None, logs=[f"{target_text} local0"])
    for _ in range(3):
        visit(link)
    wait_until(lambda: target_text in link.daemon.errors(), "a message that names the target")
    visit(link)


def test_a_target_that_appears_later_gets_later_lines(make_link, ours_only, directory, target):
    path = os.path.join(directory, "log")
    link = make_link("auto", log=None, logs=[f"{path} local0"])
    visit(link)
    wait_until(lambda: path in link.daemon.errors(), "a message that names the target")
    server = target("unix")

    def is_logged():
        visit(link)
        return any(" relayed/one " in line for line in server.lines())

    wait_until(is_logged, "a line after the target has appeared", 10)


def test_a_frontends_own_targets_replace_the_global_ones(target, make_link):
    everyone, own = target("udp"), target("unix")
    link = make_link("auto", log=None, logs=[f"{everyone.text} local0"],
                     lines=["no log", f"log {own.text} local1"])
    visit(link)
    own.session()
    assert not [line for line in everyone.lines() if " relayed/one " in line]

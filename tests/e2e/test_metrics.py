"""The metrics page: its format, its names beside HAProxy's, its numbers."""

import json
import subprocess
import urllib.error
import urllib.request

import pytest

from lib import place
from lib.endpoints import Endpoint
from lib.flows import receive_exactly, receive_to_end
from lib.metrics_text import parse_metrics
from lib.servers import find_program
from lib.waiting import wait_until

EXPECTED = {
    "frontend": ["status", "current_sessions", "max_sessions", "limit_sessions", "sessions_total",
                 "bytes_in_total", "bytes_out_total", "connections_total"],
    "backend": ["status", "current_sessions", "current_queue", "sessions_total", "bytes_in_total",
                "bytes_out_total", "connection_errors_total", "retry_warnings_total", "redispatch_warnings_total"],
    "server": ["status", "current_sessions", "sessions_total", "bytes_in_total", "bytes_out_total", "weight",
               "connection_errors_total"],
}


class Page:
    """A daemon with one server and its metrics page."""

    def __init__(self, make_link, words, engine):
        self.place = Endpoint("ipv4")
        self.link = make_link(engine, global_lines=[f"metrics bind {self.place.text} {words}"])

    def fetch(self, path="/metrics"):
        return fetch(self.place, path)

    def families(self):
        return parse_metrics(self.fetch()[0])


def fetch(page, path):
    url = f"http://{page.host}:{page.port}{path}"
    with place.inside("client"), urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode(), answer.headers


@pytest.fixture
def make_page(make_link, ours_only):
    return lambda words="", engine="auto": Page(make_link, words, engine)


def value(families, name, **labels):
    for found, number in families[name].samples.items():
        if set(labels.items()) <= found:
            return number
    raise AssertionError(f"{name} has no sample with {labels}")


@pytest.mark.parametrize("words,prefix", [("", "spliced"), ("haproxy-names", "haproxy")])
def test_the_page_is_well_formed_and_named_like_haproxys(make_page, words, prefix):
    page = make_page(words)
    families = page.families()
    for family in families.values():
        assert family.kind and family.help, f"{family.name} has no TYPE or HELP"
    for kind, names in EXPECTED.items():
        for name in names:
            assert f"{prefix}_{kind}_{name}" in families
    assert page.fetch()[1]["Content-Type"].startswith("text/plain; version=0.0.4")


@pytest.fixture
def haproxy_families(directory):
    """What the real HAProxy exports for the same proxy."""
    program = find_program("haproxy")
    if program is None:
        pytest.skip("haproxy is not installed")
    page, front, back = Endpoint("ipv4"), Endpoint("ipv4"), Endpoint("ipv4")
    config = f"{directory}/haproxy.cfg"
    with open(config, "w", encoding="utf-8") as file:
        file.write(place.fill_in(
                   "defaults\ntimeout connect 5s\ntimeout client 5s\ntimeout server 5s\n"
                   f"frontend page\nmode http\nbind {page.text}\n"
                   "http-request use-service prometheus-exporter\n"
                   f"listen relayed\nmode tcp\nbind {front.text}\nserver one {back.text}\n"))
    with subprocess.Popen([*place.prefix("proxy"), program, "-f", config, "-db"], stderr=subprocess.DEVNULL) as process:
        def text():
            try:
                return fetch(page, "/metrics")[0]
            except OSError:
                return None

        found = wait_until(text, "HAProxy's page")
        process.kill()
    return parse_metrics(found)


def test_names_kinds_and_labels_agree_with_haproxys(make_page, haproxy_families):
    ours = make_page("haproxy-names").families()
    shared = [name for name in ours if name in haproxy_families
              and name.startswith(("haproxy_frontend_", "haproxy_backend_", "haproxy_server_"))]
    assert len(shared) >= 20, shared
    for name in shared:
        assert ours[name].kind == haproxy_families[name].kind, name

        def labels(families, name=name):
            return {frozenset(key for key, _ in found) for found in families[name].samples}

        assert labels(ours) == labels(haproxy_families), name


def test_numbers_follow_the_traffic(make_page, engine):
    page = make_page("", engine)
    client, server = page.link.pair()
    client.sendall(b"q" * 1234)
    receive_exactly(server, 1234)
    server.sendall(b"a" * 56_789)
    receive_exactly(client, 56_789)
    assert value(page.families(), "spliced_frontend_current_sessions", proxy="relayed") == 1
    client.close()
    receive_to_end(server)
    server.close()
    page.link.daemon.wait_idle()
    families = page.families()
    assert value(families, "spliced_frontend_current_sessions", proxy="relayed") == 0
    for kind, labels in (("frontend", {}), ("backend", {}), ("server", {"server": "one"})):
        assert value(families, f"spliced_{kind}_bytes_in_total", proxy="relayed", **labels) == 1234
        assert value(families, f"spliced_{kind}_bytes_out_total", proxy="relayed", **labels) == 56_789
        assert value(families, f"spliced_{kind}_sessions_total", proxy="relayed", **labels) == 1
    by_engine = families["spliced_relay_bytes_total"].samples
    assert sum(by_engine.values()) == 1234 + 56_789
    closed = {dict(labels)["reason"]: number
              for labels, number in families["spliced_sessions_closed_total"].samples.items()}
    assert closed.get("finished") == 1 and sum(closed.values()) == 1


def test_statistics_as_json(make_page):
    page = make_page()
    text, headers = page.fetch("/stats.json")
    assert headers["Content-Type"].startswith("application/json")
    assert "relayed" in text and json.loads(text)


def test_other_paths(make_page):
    page = make_page()
    assert "/metrics" in page.fetch("/")[0]
    with pytest.raises(urllib.error.HTTPError) as caught:
        page.fetch("/nothing")
    assert caught.value.code == 404


def test_a_page_that_nobody_reads_does_not_stop_the_proxy(make_page):
    page = make_page()
    for _ in range(30):
        peer = page.link.closing(page.place.connect())
        peer.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n")
    client, server = page.link.pair()
    client.sendall(b"x")
    assert receive_exactly(server, 1) == b"x"
    assert page.link.daemon.runtime.connections() == 1

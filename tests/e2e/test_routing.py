"""Rules that choose a backend or a server, or turn a connection away."""

import socket
import struct
import subprocess
import time

import pytest

from lib import place
from lib.endpoints import accept
from lib.flows import assert_received, assert_same, receive_exactly, receive_to_end
from lib.hello import client_hello, in_records, with_extension
from lib.named_servers import NamedServers
from lib.pattern import pattern_bytes
from lib.waiting import wait_until

NAMES = ["one", "two", "three", "four"]


class Routed:
    """A frontend with rules before backends one, two, three and four, and who answers there."""

    def __init__(self, start_proxy, endpoint, closing, log):
        self.start_proxy, self.endpoint, self.closing, self.log = start_proxy, endpoint, closing, log

    def start(self, rules, backend_lines=None, engine="auto", family="ipv4", bind="", count=4):
        self.front = self.endpoint(family)
        self.servers = NamedServers(self.endpoint, self.closing, count)
        body = ["frontend front", f"bind {self.front.text} {bind}", *rules]
        for name, line in zip(NAMES, self.servers.lines()):
            body += [f"backend {name}", line, *(backend_lines or {}).get(name, [])]
        self.daemon = self.start_proxy("\n".join(body), engine)
        return self

    def connect(self, **how):
        return self.closing(self.front.connect(**how))

    def visit(self, first=b"", **how):
        """Which backend answers a client that says this."""
        client = self.connect(**how)
        if first:
            client.sendall(first)
        name = NAMES[int(receive_exactly(client, 1))]
        client.close()
        return name

    def is_refused(self, first=b"", **how):
        try:
            client = self.connect(**how)
            client.sendall(first)
            return receive_to_end(client)[0] == b""
        except OSError:
            return True

    def stat(self, column, row="FRONTEND", proxy="front"):
        return int(self.daemon.runtime.stat_row(proxy, row)[column])


@pytest.fixture
def routed(start_proxy, endpoint, closing, log):
    return Routed(start_proxy, endpoint, closing, log)


BY_NAME = ["tcp-request inspect-delay 20s", "use_backend two if { req.ssl_sni -i two.example }",
           "use_backend three if { req.ssl_sni -i -m end .three.example }",
           "use_backend four if { req.ssl_alpn -m sub acme }", "default_backend one"]


# --- by address ---

def test_a_backend_is_chosen_by_the_clients_address(routed):
    sources = list(place.client_sources(4))
    routed.start([f"acl second src {sources[1]}", f"acl third src {sources[2]}/32", "use_backend two if second",
                  "use_backend three if third", "use_backend four if !second !third !{ src " + sources[0] + " }",
                  "default_backend one"])
    assert [routed.visit(source=source) for source in sources] == NAMES


def test_a_long_list_is_read_once_and_looked_up_fast(routed, write):
    listed = write("# many\n" + "".join(f"10.{at >> 16}.{at >> 8 & 255}.{at & 255}/32\n" for at in range(100_000))
                   + f"{place.client_sources(3)[1]}\n", "many.lst")
    routed.start([f"use_backend two if {{ src -f {listed} }}", "default_backend one"])
    sources = place.client_sources(3)
    assert [routed.visit(source=source) for source in sources] == ["one", "two", "one"]


def test_the_default_backend_serves_when_nothing_else_holds(routed):
    routed.start(["use_backend two if FALSE", "use_backend three unless TRUE", "default_backend one"])
    assert routed.visit() == "one"
    assert routed.stat("stot", "BACKEND", "two") == 0


def test_without_a_default_backend_the_connection_ends(routed):
    routed.start(["use_backend two if FALSE"])
    assert routed.is_refused()


# --- by what the client says first ---

def test_a_backend_is_chosen_by_the_name_in_the_hello(routed, engine, family):
    routed.start(BY_NAME, engine=engine, family=family)
    cases = {"two.example": "two", "TWO.example": "two", "a.three.example": "three", "three.example": "one",
             "other.example": "one", None: "one"}
    for name, backend in cases.items():
        assert routed.visit(client_hello(name)) == backend
    assert routed.visit(client_hello("x.example", ["h2", "acme-tls/1"])) == "four"
    assert routed.visit(client_hello("two.example", has_tls13=False)) == "two"


def test_the_bytes_that_were_looked_at_arrive(start_proxy, endpoint, closing, engine, family):
    front, back = endpoint(family), endpoint(family)
    listener = closing(back.listen())
    start_proxy(f"frontend front\nbind {front.text}\ntcp-request inspect-delay 20s\n"
                "use_backend named if { req.ssl_sni two.example }\n"
                f"backend named\nserver one {back.text}", engine)
    first = client_hello("two.example") + pattern_bytes(300_000)
    client = closing(front.connect())
    client.sendall(first)
    client.shutdown(socket.SHUT_WR)
    server = closing(accept(listener))
    data, ending = receive_to_end(server)
    assert_same(data, first)
    assert ending == "end"
    server.sendall(b"answer")
    server.close()
    assert_received(client, b"answer", "end")


@pytest.mark.parametrize("piece", [1, 7, 100])
def test_a_hello_may_come_in_pieces(routed, piece):
    routed.start(BY_NAME)
    client = routed.connect()
    if client.family != socket.AF_UNIX:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    hello = client_hello("two.example")
    for at in range(0, len(hello), piece):
        client.sendall(hello[at:at + piece])
    assert receive_exactly(client, 1) == b"1"


@pytest.mark.parametrize("record", [1, 50, 300])
def test_a_hello_may_come_in_many_records(routed, record):
    routed.start(BY_NAME)
    assert routed.visit(in_records(client_hello("two.example"), record)) == "two"


@pytest.mark.parametrize("size", [1_000, 20_000, 64_000])
def test_a_large_hello_is_understood(routed, size):
    routed.start(BY_NAME)
    hello = with_extension(client_hello("two.example"), size)
    assert routed.visit(hello) == "two"
    client = routed.connect()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for at in range(0, len(hello), 1400):
        client.sendall(hello[at:at + 1400])
    assert receive_exactly(client, 1) == b"1"


def test_small_messages_flow_after_a_large_hello(start_proxy, endpoint, closing, engine):
    """What was waited for in one piece has no say in what comes later."""
    front, back = endpoint(), endpoint()
    listener = closing(back.listen())
    start_proxy(f"frontend front\nbind {front.text}\ntcp-request inspect-delay 20s\n"
                "use_backend named if { req.ssl_sni two.example }\n"
                f"backend named\nserver one {back.text}", engine)
    hello = with_extension(client_hello("two.example"), 30_000)
    client = closing(front.connect())
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for at in range(0, len(hello), 3000):
        client.sendall(hello[at:at + 3000])
    server = closing(accept(listener))
    assert_same(receive_exactly(server, len(hello)), hello)
    for _ in range(3):
        client.sendall(b"small")
        assert receive_exactly(server, 5) == b"small"
        server.sendall(b"too")
        assert receive_exactly(client, 3) == b"too"


def test_a_server_that_speaks_first_is_held_up_no_longer_than_the_delay(routed):
    routed.start(["tcp-request inspect-delay 700ms", *BY_NAME[1:]])
    begin = time.monotonic()
    assert routed.visit() == "one"
    assert 0.6 < time.monotonic() - begin < 5


def test_what_is_no_hello_is_not_held_up_at_all(routed):
    routed.start(["tcp-request inspect-delay 50s", *BY_NAME[1:]])
    for first in (b"GET / HTTP/1.0\r\n\r\n", struct.pack(">II", 8, 80877103), b"\x16\x02", b"\n"):
        assert routed.visit(first) == "one"


def test_rules_that_need_no_bytes_do_not_wait(routed):
    routed.start(["tcp-request inspect-delay 50s", "tcp-request content accept if { src 127.0.0.0/8 }",
                  "use_backend two if { dst_port gt 0 }", "default_backend one"])
    assert routed.visit() == "two"


def test_the_end_of_the_clients_bytes_ends_the_waiting(routed):
    routed.start(["tcp-request inspect-delay 50s", *BY_NAME[1:]])
    client = routed.connect()
    client.sendall(client_hello("two.example")[:100])
    client.shutdown(socket.SHUT_WR)
    assert receive_exactly(client, 1) == b"0"


def test_without_a_delay_nothing_is_waited_for(routed):
    routed.start(BY_NAME[1:])
    assert routed.visit() == "one"


def test_a_client_that_waits_is_shown_and_may_be_ended(routed):
    routed.start(["tcp-request inspect-delay 50s", *BY_NAME[1:]])
    client = routed.connect()
    shown = wait_until(lambda: [line for line in routed.daemon.runtime.ask("show sess all").split("\n\n")
                                if "inspecting" in line], "the session to be shown")
    number = shown[0].split(":")[0].strip()
    routed.daemon.runtime.ask(f"shutdown session {number}")
    assert receive_to_end(client)[0] == b""


def test_a_client_that_leaves_while_it_is_looked_at_leaves_nothing(routed):
    routed.start(["tcp-request inspect-delay 50s", *BY_NAME[1:]])
    client = routed.connect()
    client.sendall(b"\x16\x03")
    wait_until(lambda: routed.stat("scur") == 1, "the session to be there")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    wait_until(lambda: routed.stat("scur") == 0, "the session to be gone")


# --- turning away ---

def test_content_rules_reject_and_are_logged(routed):
    routed.start(["tcp-request inspect-delay 20s", "tcp-request content reject if { req.ssl_sni bad.example }",
                  "tcp-request content accept if { req.ssl_hello_type 1 }", "tcp-request content reject",
                  "default_backend one"])
    assert routed.visit(client_hello("good.example")) == "one"
    assert routed.is_refused(client_hello("bad.example"))
    assert routed.is_refused(b"GET / HTTP/1.0\r\n\r\n")
    routed.log.wait_for(r"front front/<NOSRV> -1/-1/\d+ 0 PR ")
    assert routed.stat("dreq") == 2


def test_rules_of_a_backend_follow_those_of_the_frontend(routed):
    routed.start(["tcp-request inspect-delay 20s", "use_backend two if { req.ssl_sni -m end example }",
                  "default_backend one"],
                 {"two": ["tcp-request content reject if { req.ssl_sni bad.example }"]})
    assert routed.visit(client_hello("good.example")) == "two"
    assert routed.is_refused(client_hello("bad.example"))
    assert routed.stat("dreq", "BACKEND", "two") == 1


def test_a_backend_has_a_delay_of_its_own(routed):
    routed.start(["use_backend two if { dst_port gt 0 }"],
                 {"two": ["tcp-request inspect-delay 20s", "tcp-request content reject unless { req.ssl_hello_type 1 }"]})
    assert routed.visit(client_hello("a.example")) == "two"
    client = routed.connect()
    client.sendall(b"\x16\x03\x01")
    wait_until(lambda: "inspecting" in routed.daemon.runtime.ask("show sess all"), "the backend to wait")
    client.sendall(b"\0\0")
    assert receive_to_end(client)[0] == b""


def test_connection_and_session_rules_reject_without_a_line(routed):
    sources = place.client_sources(4)
    routed.start([f"tcp-request connection reject if {{ src {sources[1]} }}",
                  f"tcp-request session reject if {{ src {sources[2]} }}", "default_backend one"])
    assert routed.visit(source=sources[0]) == "one"
    assert routed.is_refused(source=sources[1])
    assert routed.is_refused(source=sources[2])
    assert routed.visit(source=sources[3]) == "one"
    assert (routed.stat("dcon"), routed.stat("dses")) == (1, 1)
    routed.log.wait_for(f"{sources[3]}:")
    assert not any(f"{sources[1]}:" in line or f"{sources[2]}:" in line for line in routed.log.lines())


# --- servers ---

def test_use_server_comes_before_balancing_and_passes_over_what_is_away(routed):
    sources = place.client_sources(3)
    extra = routed.start(["default_backend one"])
    servers = NamedServers(routed.endpoint, routed.closing, 3)
    front = routed.endpoint()
    daemon = routed.start_proxy("\n".join(["listen l", f"bind {front.text}", *servers.lines(),
                                           f"use-server s2 if {{ src {sources[1]} }}",
                                           f"use-server s1 if {{ src {sources[1]} }} || {{ src {sources[2]} }}"]))
    assert extra.visit() == "one"

    def visit(source):
        with front.connect(source=source) as client:
            return int(receive_exactly(client, 1))

    assert [visit(sources[1]) for _ in range(3)] == [2, 2, 2]
    assert [visit(sources[2]) for _ in range(3)] == [1, 1, 1]
    assert {visit(sources[0]) for _ in range(6)} == {0, 1, 2}
    daemon.runtime.ask("disable server l/s2")
    assert [visit(sources[1]) for _ in range(3)] == [1, 1, 1]
    daemon.runtime.ask("disable server l/s1")
    assert [visit(sources[1]) for _ in range(3)] == [0, 0, 0]


def test_a_hash_of_the_name_keeps_a_name_at_one_server(start_proxy, endpoint, closing):
    servers, front = NamedServers(endpoint, closing, 4), endpoint()
    start_proxy("\n".join(["listen l", f"bind {front.text}", "tcp-request inspect-delay 20s",
                           "balance hash req.ssl_sni,lower", "hash-type consistent", *servers.lines()]))

    def visit(name):
        with front.connect() as client:
            hello = client_hello(name)
            client.sendall(hello[:60])
            client.sendall(hello[60:])
            return int(receive_exactly(client, 1))

    names = [f"host-{at}.example" for at in range(24)]
    chosen = {name: visit(name) for name in names}
    assert set(chosen.values()) == {0, 1, 2, 3}
    assert {name: visit(name.upper()) for name in names} == chosen


def test_backends_by_computed_name_and_by_map(routed, write):
    mapped = write("# names\na.example  two\n.example three\nx.example nowhere\n", "names.map")
    routed.start(["tcp-request inspect-delay 20s",
                  "use_backend %[req.ssl_sni,lower,field(1,.)] if { req.ssl_sni -m end .direct }",
                  f"use_backend %[req.ssl_sni,lower,map_end({mapped})]", "default_backend one"])
    assert routed.visit(client_hello("four.direct")) == "four"
    assert routed.visit(client_hello("nobody.direct")) == "one"
    assert routed.visit(client_hello("A.example")) == "two"
    assert routed.visit(client_hello("b.example")) == "three"
    assert routed.visit(client_hello("x.example")) == "one"
    assert routed.visit(client_hello("other.org")) == "one"
    assert routed.visit(b"hello") == "one"


def test_gauges_lead_to_another_backend(routed):
    routed.start(["acl none nbsrv(two) eq 0", "acl away srv_is_up(three/s2)", "acl busy be_conn(two) ge 2",
                  "use_backend four if !away", "use_backend one if none", "use_backend three if busy",
                  "default_backend two"])
    held = [routed.connect() for _ in range(2)]
    assert [receive_exactly(client, 1) for client in held] == [b"1", b"1"]
    assert routed.visit() == "three"
    routed.daemon.runtime.ask("disable server two/s1")
    assert routed.visit() == "one"
    routed.daemon.runtime.ask("disable server three/s2")
    assert routed.visit() == "four"


# --- with the PROXY protocol ---

def test_a_header_is_expected_from_whom_a_rule_trusts(routed):
    sources = place.client_sources(3)
    routed.start([f"tcp-request connection expect-proxy layer4 if {{ src {sources[1]} }}",
                  "tcp-request session reject if { src 192.0.2.9 }", "tcp-request inspect-delay 20s",
                  "use_backend three if { req.ssl_sni two.example } { src 192.0.2.1 }",
                  "use_backend two if { src 192.0.2.0/24 }", "default_backend one"])
    header = b"PROXY TCP4 192.0.2.%d 198.51.100.1 1234 443\r\n"
    hello = client_hello("two.example")
    assert routed.visit(b"x", source=sources[0]) == "one"
    assert routed.visit(header % 2 + b"x", source=sources[1]) == "two"
    assert routed.visit(header % 1 + hello, source=sources[1]) == "three"
    assert routed.is_refused(header % 9, source=sources[1])
    assert routed.is_refused(b"no header\r\n", source=sources[1])
    assert routed.visit(header % 2, source=sources[2]) == "one"


# --- real TLS ---

@pytest.fixture
def tls_servers(directory, endpoint):
    """openssl s_server with a certificate for each name."""
    running, places = [], {}
    for name in ("first.example", "second.example"):
        key, place_ = f"{directory}/{name}", endpoint()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                        "-keyout", f"{key}.key", "-out", f"{key}.crt"], check=True, capture_output=True)
        running.append(subprocess.Popen(
            ["openssl", "s_server", "-accept", place_.text, "-cert", f"{key}.crt", "-key", f"{key}.key", "-www",
             "-alpn", "http/1.1,postgresql"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL))
        places[name] = place_
    for place_ in places.values():
        wait_until(lambda place_=place_: _answers(place_), "s_server to listen")
    yield places
    for process in running:
        process.terminate()
        process.wait()


def _answers(place_):
    try:
        place_.connect().close()
        return True
    except OSError:
        return False


def _subject(front, name, *words):
    done = subprocess.run(["openssl", "s_client", "-connect", front.text, "-servername", name, *words],
                          input=b"", capture_output=True, timeout=20, check=False)
    return [line for line in done.stdout.decode().splitlines() if line.startswith("subject=")]


@pytest.mark.skipif(bool(place.MODE), reason="the servers run where the daemon does")
def test_real_tls_reaches_the_server_of_its_name(start_proxy, endpoint, tls_servers):
    front = endpoint()
    start_proxy("\n".join(["frontend front", f"bind {front.text}", "tcp-request inspect-delay 5s",
                           "use_backend second if { req.ssl_sni -i second.example } or { req.ssl_alpn postgresql }",
                           "default_backend first",
                           "backend first", f"server s {tls_servers['first.example'].text}",
                           "backend second", f"server s {tls_servers['second.example'].text}"]))
    assert _subject(front, "first.example") == ["subject=CN = first.example"]
    assert _subject(front, "second.example") == ["subject=CN = second.example"]
    assert _subject(front, "second.example", "-tls1_2") == ["subject=CN = second.example"]
    # As PostgreSQL's clients from version 17 on do it with sslnegotiation=direct.
    assert _subject(front, "first.example", "-alpn", "postgresql") == ["subject=CN = second.example"]
    page = subprocess.run(["curl", "-sk", "--resolve", f"second.example:{front.port}:{front.host}",
                           f"https://second.example:{front.port}/"], capture_output=True, timeout=20, check=False)
    assert b"s_server" in page.stdout

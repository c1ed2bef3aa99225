"""accept-proxy: the header says whose a connection is, when a trusted peer sends it."""

import socket

import pytest

from lib.endpoints import accept, reset
from lib.flows import assert_received, receive_exactly, receive_to_end
from lib.pattern import pattern_bytes
from lib.proxy import run_daemon
from lib.proxy_header import CLIENTS, SERVERS, binary_header, text_header, tlv
from lib.waiting import wait_until

HEADERS = {
    "text": text_header,
    "binary": binary_header,
    "checked": lambda family: binary_header(family, tlvs=tlv("alpn", b"h2"), has_checksum=True),
}
TRUSTED = {"ipv4": "10.0.0.0/8,127.0.0.0/8", "ipv6": "::1", "unix": "unix"}
LOG_LINE = 'log-format "%ci:%cp %fi:%fp %s %U/%B %ts Th=%Th %[reason]|%[fc_pp_authority]|%[fc_pp_unique_id]"'


@pytest.fixture(autouse=True)
def _ours(ours_only):
    pass


@pytest.fixture
def make_front(start_proxy, endpoint, closing):
    """A daemon that accepts the header, and the listener behind it."""
    class Front:
        pass

    def make(family, engine="auto", trusted=None, lines=(), server_words="", **parts):
        front = Front()
        front.place, back = endpoint(family), endpoint(family)
        front.listener = closing(back.listen())
        body = "\n".join(["listen relayed",
                          f"bind {front.place.text} accept-proxy trusted {trusted or TRUSTED[family]}",
                          LOG_LINE, *lines, f"server one {back.text} {server_words}"])
        front.daemon = start_proxy(body, engine, **parts)
        front.log, front.closing = front.daemon.log, closing
        return front

    return make


@pytest.fixture
def front(make_front, engine, family):
    return make_front(family, engine)


def exchange(front, client, first=b""):
    """The server sees the client's bytes only, from the first on; both close in order."""
    server = front.closing(accept(front.listener))
    content = first + pattern_bytes(300_000)
    client.sendall(content[len(first):])
    client.shutdown(socket.SHUT_WR)
    data, ending = receive_to_end(server)
    assert (len(data), data == content, ending) == (len(content), True, "end")
    server.sendall(b"answer")
    server.close()
    assert_received(client, b"answer", "end")
    return len(content)


@pytest.mark.parametrize("said", ["ipv4", "ipv6"])
@pytest.mark.parametrize("kind", HEADERS)
def test_the_header_says_who_the_client_is(front, kind, said):
    client = front.closing(front.place.connect())
    client.sendall(HEADERS[kind](said) + b"first")
    count = exchange(front, client, b"first")
    front.log.wait_for(rf"{CLIENTS[said]}:1234 {SERVERS[said]}:443 one {count}/6 -- ")


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN what ever\r\n", binary_header(None),
                                    binary_header(None, command=0), binary_header("ipv4", command=0)],
                         ids=["UNKNOWN", "UNKNOWN-with-more", "unspecified", "LOCAL", "LOCAL-with-addresses"])
def test_headers_without_addresses_leave_the_sockets_own(front, header):
    client = front.closing(front.place.connect())
    client.sendall(header)
    exchange(front, client)
    if front.place.family == "unix":
        front.log.wait_for(r"unix:\d+ unix:\d+ one 300000/6")
    else:
        host, port = client.getsockname()[:2]
        front.log.wait_for(rf"{host}:{port} {front.place.host}:{front.place.port} one 300000/6")


@pytest.mark.parametrize("kind", HEADERS)
def test_a_header_may_come_byte_by_byte(front, kind):
    client = front.closing(front.place.connect())
    header = HEADERS[kind]("ipv6")
    for at in range(len(header)):
        client.sendall(header[at: at + 1])
    exchange(front, client)
    front.log.wait_for(rf"{CLIENTS['ipv6']}:1234 ")


def test_no_server_is_bothered_before_the_header_is_whole(front):
    client = front.closing(front.place.connect())
    header = text_header()
    client.sendall(header[:-1])
    wait_until(lambda: "state=handshake" in front.daemon.runtime.ask("show sess"), "a session in handshake")
    front.listener.settimeout(0.2)
    with pytest.raises(TimeoutError):
        front.listener.accept()
    front.listener.settimeout(10)
    client.sendall(header[-1:])
    exchange(front, client)


def test_a_server_that_speaks_first_is_reached_without_client_bytes(front):
    client = front.closing(front.place.connect())
    client.sendall(text_header())
    server = front.closing(accept(front.listener))
    server.sendall(b"220 hello")
    assert receive_exactly(client, 9) == b"220 hello"


def test_header_bytes_and_end_may_come_in_one_piece(front):
    client = front.closing(front.place.connect())
    client.sendall(text_header() + b"last")
    client.shutdown(socket.SHUT_WR)
    server = front.closing(accept(front.listener))
    assert_received(server, b"last", "end")
    server.sendall(b"answer")
    server.close()
    assert_received(client, b"answer", "end")


BAD = {
    "HTTP": (b"GET / HTTP/1.0\r\n\r\n", "the first bytes are not those of a PROXY header"),
    "TLS": (b"\x16\x03\x01\x02\x00", "the first bytes are not those of a PROXY header"),
    "no-addresses": (b"PROXY TCP4\r\n", "the source address is none of its family"),
    "endless": (b"PROXY UNKNOWN " + b"x" * 200, "the line is longer than 107 bytes"),
    "checksum": (binary_header("ipv4", tlvs=tlv("crc32c", b"1234")), "the checksum is wrong"),
    "family": (b"\r\n\r\n\0\r\nQUIT\n\x21\x41\0\0", "the address family or transport does not exist"),
    "length": (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff", "the header is longer than 4096 bytes"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_malformed_header_ends_the_connection_at_once(make_front, family, name):
    front = make_front(family, lines=["option dontlognull", "timeout client-hs 1h"])
    data, reason = BAD[name]
    client = front.closing(front.place.connect())
    client.sendall(data)
    assert receive_to_end(client)[0] == b""
    host = "unix" if family == "unix" else front.place.host
    front.log.wait_for(rf"{host}:\d+ \S+ <NOSRV> 0/0 PR Th=0 {reason}\|-\|-$")
    front.listener.settimeout(0.1)
    with pytest.raises(TimeoutError):
        front.listener.accept()


def test_a_client_that_ends_within_the_header_is_named(make_front, family):
    front = make_front(family)
    client = front.closing(front.place.connect())
    client.sendall(b"PROXY TC")
    client.shutdown(socket.SHUT_WR)
    assert receive_to_end(client)[0] == b""
    front.log.wait_for(r"<NOSRV> 0/0 PR .*the connection ended within the PROXY header")


@pytest.mark.parametrize("begun", [b"", b"PROXY TCP4 "])
def test_a_client_that_leaves_before_the_header_is_named(make_front, family, begun):
    front = make_front(family)
    client = front.place.connect()
    client.sendall(begun)
    wait_until(lambda: "state=handshake" in front.daemon.runtime.ask("show sess"), "a session in handshake")
    reset(client)
    front.log.wait_for(r"<NOSRV> 0/0 (CR|PR) ")


@pytest.mark.parametrize("begun", [b"", b"PROXY TCP4 ", b"\r\n\r\n\0\r\nQUIT\n\x21"])
def test_the_wait_for_the_header_is_bounded(make_front, family, begun):
    front = make_front(family, lines=["timeout client-hs 300ms"])
    client = front.closing(front.place.connect())
    client.sendall(begun)
    assert receive_to_end(client)[0] == b""
    front.log.wait_for(r"<NOSRV> 0/0 cR .*no PROXY header came within timeout client-hs")


def test_the_wait_does_not_go_on_behind_the_header(make_front):
    """Nor does the time that the header took count against the connection."""
    front = make_front("ipv4", lines=["timeout client-hs 300ms"])
    client = front.closing(front.place.connect())
    client.sendall(text_header())
    server = front.closing(accept(front.listener))
    client.settimeout(0.6)
    with pytest.raises(TimeoutError):
        client.recv(1)
    client.settimeout(10)
    server.sendall(b"x")
    assert receive_exactly(client, 1) == b"x"


def is_turned_away(place, source, data=b""):
    """Whether the connection is broken off without an answer, which may be before it seems to be made."""
    try:
        with place.connect(source=source) as client:
            client.sendall(data)
            return receive_to_end(client)[0] == b""
    except (ConnectionResetError, BrokenPipeError):
        return True


def test_a_queue_without_a_time_limit_is_not_bounded_by_the_handshakes(make_front):
    front = make_front("ipv4", lines=["timeout client-hs 200ms", "timeout queue 0", "timeout connect 0"],
                       server_words="maxconn 1")
    first, second = [front.closing(front.place.connect()) for _ in range(2)]
    first.sendall(text_header())
    server = front.closing(accept(front.listener))
    second.sendall(text_header())
    wait_until(lambda: "state=queued" in front.daemon.runtime.ask("show sess"), "a session in the queue")
    second.settimeout(0.5)
    with pytest.raises(TimeoutError):
        second.recv(1)
    second.settimeout(10)
    first.close()
    assert_received(server, b"", "end")
    server.close()
    exchange(front, second)


def test_descriptors_passed_along_do_not_cut_the_bytes(make_front, engine):
    """Reads of a unix socket stop at them, whatever family the header names."""
    front = make_front("unix", engine)
    client = front.closing(front.place.connect())
    client.sendall(text_header() + b"one ")
    with open("/dev/null", "rb") as file:
        socket.send_fds(client, [b"two "], [file.fileno()])
    client.sendall(b"three")
    client.shutdown(socket.SHUT_WR)
    server = front.closing(accept(front.listener))
    assert_received(server, b"one two three", "end")
    server.close()
    assert_received(client, b"", "end")


@pytest.mark.parametrize("trusted", ["10.0.0.0/8,::1", "127.0.0.2", "0.0.0.0/1,128.0.0.0/1"])
def test_only_trusted_peers_are_heard(make_front, trusted):
    is_trusted = trusted.startswith("0.")
    front = make_front("ipv4", trusted=trusted, lines=["option dontlognull"])
    if is_trusted:
        client = front.closing(front.place.connect())
        client.sendall(text_header())
        exchange(front, client)
        return
    assert is_turned_away(front.place, "127.0.0.1")
    front.log.wait_for(r"127\.0\.0\.1:\d+ \S+ <NOSRV> 0/0 PR .*accept-proxy does not trust the address")
    assert front.daemon.runtime.stat_row("relayed", "FRONTEND")["dcon"] == "1"
    assert front.daemon.runtime.stat_row("relayed", "FRONTEND")["stot"] == "0"
    if trusted == "127.0.0.2":
        other = front.closing(front.place.connect(source="127.0.0.2"))
        other.sendall(text_header())
        exchange(front, other)


def test_anybody_is_trusted_when_that_is_said(make_front, family):
    front = make_front(family, trusted="any")
    client = front.closing(front.place.connect())
    client.sendall(text_header())
    exchange(front, client)
    front.log.wait_for(rf"{CLIENTS['ipv4']}:1234 ")


def test_ipv4_peers_of_a_dual_stack_socket_are_ipv4(start_proxy, endpoint, closing, log):
    front, back = endpoint("ipv4"), endpoint("ipv4")
    listener = closing(back.listen())
    start_proxy(f"listen relayed\nbind :::{front.port} v4v6 accept-proxy trusted 127.0.0.0/8\n"
                f"server one {back.text}")
    client = closing(front.connect())
    client.sendall(text_header())
    server = closing(accept(listener))
    client.close()
    assert_received(server, b"", "end")
    server.close()
    assert log.session()["client"] == CLIENTS["ipv4"]


def test_closings_are_counted_by_their_reason(make_front, endpoint):
    metrics = endpoint("ipv4")
    front = make_front("ipv4", trusted="127.0.0.1", lines=["timeout client-hs 200ms"],
                       global_lines=[f"metrics bind {metrics.text}"])
    for source, data in (("127.0.0.2", b""), ("127.0.0.1", b"x"), ("127.0.0.1", b"PROXY")):
        assert is_turned_away(front.place, source, data)
    front.daemon.wait_idle()
    with metrics.connect() as peer:
        peer.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        page = receive_to_end(peer)[0].decode()
    for reason in ("untrusted", "invalid", "timeout"):
        assert any(f'proxy_{reason}"' in line and line.endswith(" 1") for line in page.splitlines()), page


def test_show_sess_names_client_and_peer(front):
    client = front.closing(front.place.connect())
    client.sendall(binary_header("ipv6"))
    server = front.closing(accept(front.listener))
    peer = "unix:1" if front.place.family == "unix" else "{0}:{1}".format(*(
        (f"[{client.getsockname()[0]}]" if front.place.family == "ipv6" else client.getsockname()[0]),
        client.getsockname()[1]))
    ask = front.daemon.runtime.ask
    line = wait_until(lambda: next((line for line in ask("show sess").splitlines()
                                    if "state=relaying" in line), None), "a session that relays")
    assert f"proto=tcpv6 src=[{CLIENTS['ipv6']}]:1234 " in line and line.endswith(f" peer={peer}"), line
    everything = ask("show sess all")
    assert f"source=[{CLIENTS['ipv6']}]:1234 peer={peer}\n" in everything
    assert f"addr=[{SERVERS['ipv6']}]:443" in everything
    client.close()
    server.close()


def test_a_waiting_session_can_be_shut_down(make_front, family):
    front = make_front(family)
    client = front.closing(front.place.connect())
    client.sendall(b"PROXY ")
    ask = front.daemon.runtime.ask
    line = wait_until(lambda: ask("show sess").strip(), "a session")
    assert "state=handshake" in line
    assert ask(f"shutdown session {line.split(':')[0]}").strip() == ""
    assert receive_to_end(client)[0] == b""
    front.log.wait_for(r"<NOSRV> 0/0 KR ")


@pytest.mark.parametrize("balance,header", [("source", "PROXY TCP4 192.0.2.{0} 10.0.0.1 1 2\r\n"),
                                            ("hash dst", "PROXY TCP4 192.0.2.1 10.0.0.{0} 1 2\r\n")])
def test_balance_goes_by_the_header(start_proxy, endpoint, closing, balance, header):
    front, backs = endpoint("ipv4"), [endpoint("ipv4") for _ in range(4)]
    listeners = [closing(back.listen(timeout_s=0.02)) for back in backs]
    servers = "\n".join(f"server s{at} {back.text}" for at, back in enumerate(backs))
    start_proxy(f"listen relayed\nbind {front.text} accept-proxy trusted any\nbalance {balance}\n{servers}")

    def choice(last):
        with front.connect() as client:
            client.sendall(header.format(last).encode())
            while True:
                for at, listener in enumerate(listeners):
                    try:
                        listener.accept()[0].close()
                        return at
                    except TimeoutError:
                        continue

    first = [choice(last) for last in range(12)]
    assert len(set(first)) > 1
    assert [choice(last) for last in range(12)] == first


def test_ports_that_are_mapped_follow_the_header(start_proxy, endpoint, closing):
    """A server without a port gets the one that the client went to."""
    front, back = endpoint("ipv4"), endpoint("ipv4")
    listener = closing(back.listen())
    start_proxy(f"listen relayed\nbind {front.text} accept-proxy trusted any\nserver one 127.0.0.1:+100")
    client = closing(front.connect())
    client.sendall(text_header(destination_port=back.port - 100))
    server = closing(accept(listener))
    client.close()
    assert_received(server, b"", "end")


def test_what_a_client_wrote_cannot_forge_a_log_line(make_front):
    front = make_front("ipv4")
    client = front.closing(front.place.connect())
    client.sendall(binary_header(tlvs=tlv("authority", b"a.example\nx y#") + tlv("unique_id", b"\xff7")))
    exchange(front, client)
    front.log.wait_for(r"\|a\.example#0Ax#20y#23\|#FF7$")


def test_the_time_for_the_header_is_logged(make_front):
    front = make_front("ipv4")
    client = front.closing(front.place.connect())
    wait_until(lambda: "age=1s" in front.daemon.runtime.ask("show sess"), "a session of one second")
    client.sendall(text_header())
    exchange(front, client)
    assert int(front.log.wait_for(r"Th=(\d+)")[0].group(1)) >= 900


@pytest.mark.parametrize("words,expected", [
    ("accept-proxy", "'accept-proxy' alone would let everybody choose the address"),
    ("accept-proxy name x", "'accept-proxy' alone would let everybody choose the address"),
    ("accept-proxy trusted", "'accept-proxy' alone would let everybody choose the address"),
    ("accept-proxy trusted 10.0.0.1/8", "write the network's first address"),
    ("accept-proxy trusted proxy.example", "'proxy.example' is no network"),
    ("accept-proxy trusted 10.0.0.0/8,", "'' is no network"),
    ("accept-proxy trusted 10.0.0.0/8,any", "nothing may stand beside 'any'"),
    ("accept-proxy trusted unix", "no network is named"),
])
def test_a_bind_line_must_say_who_is_trusted(write, words, expected):
    path = write(f"defaults\nmode tcp\nlisten l\nbind 127.0.0.1:9 {words}\nserver s 127.0.0.1:10\n")
    done = run_daemon("-c", "-f", path)
    assert done.returncode == 1
    alerts = [line for line in done.stderr.splitlines() if "[ALERT]" in line and ":4]" in line]
    assert len(alerts) == 1 and expected in alerts[0], done.stderr


def test_a_unix_socket_has_clients_of_no_network(write):
    path = write("defaults\nmode tcp\nlisten l\nbind /tmp/never.sock accept-proxy trusted 10.0.0.0/8\n"
                 "server s 127.0.0.1:10\n")
    done = run_daemon("-c", "-f", path)
    assert done.returncode == 1 and "trusted by the word 'unix'" in done.stderr

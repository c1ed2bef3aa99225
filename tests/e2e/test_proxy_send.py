"""send-proxy and send-proxy-v2: the server learns whose the connection is, before its bytes."""

import contextlib
import socket

import pytest

from lib.endpoints import accept, fill_listen_queue
from lib.flows import assert_received, receive_exactly, receive_to_end
from lib.pattern import pattern_bytes
from lib.proxy import run_daemon
from lib.proxy_header import CLIENTS, SERVERS, binary_header, receive_header, text_header, tlv
from lib.waiting import wait_until

VERSIONS = {"send-proxy": 1, "send-proxy-v2": 2, "send-proxy send-proxy-v2": 2,
            "send-proxy-v2 proxy-v2-options crc32c": 2}


@pytest.mark.parametrize("words", VERSIONS)
def test_the_header_names_client_and_frontend(make_link, engine, family, words):
    link = make_link(engine, family, server_words=words)
    client, server = link.pair()
    header = receive_header(server)
    assert header.version == VERSIONS[words]
    assert header.tlvs.keys() == ({"crc32c"} if "crc32c" in words else set())
    if family == "unix":
        assert header.command == ("UNKNOWN" if header.version == 1 else "LOCAL") and header.source is None
    else:
        assert header.command != "LOCAL"
        assert header.source == client.getsockname()[:2]
        assert header.destination == (link.front.host, link.front.port)


def test_bytes_follow_the_header_whole_and_uncounted(make_link, engine, family):
    link = make_link(engine, family, server_words="send-proxy-v2", lines=['log-format "%U/%B %ts"'])
    client, server = link.pair()
    content = pattern_bytes(3 << 20)
    receive_header(server)
    client.settimeout(20)
    client.sendall(content[:100])
    assert receive_exactly(server, 100) == content[:100]
    server.sendall(content[:200])
    assert receive_exactly(client, 200) == content[:200]
    for at in range(100, len(content), 1 << 18):
        piece = content[at: at + (1 << 18)]
        client.sendall(piece)
        assert receive_exactly(server, len(piece)) == piece
    client.close()
    assert_received(server, b"", "end")
    server.close()
    link.log.wait_for(rf"{len(content)}/200 --$")
    link.daemon.wait_idle()
    assert link.daemon.runtime.stat_row("relayed", "FRONTEND")["bin"] == str(len(content))
    assert link.daemon.runtime.stat_row("relayed", "one")["bin"] == str(len(content))


def test_a_client_that_only_ends_still_brings_the_header(make_link, engine, family):
    link = make_link(engine, family, server_words="send-proxy", lines=['log-format "%U/%B %ts"'])
    client, server = link.pair()
    client.shutdown(socket.SHUT_WR)
    receive_header(server)
    assert_received(server, b"", "end")
    server.sendall(b"answer")
    server.close()
    assert_received(client, b"answer", "end")
    link.log.wait_for(r"0/6 --$")


def test_a_server_that_speaks_first_gets_the_header_all_the_same(make_link, engine):
    link = make_link(engine, server_words="send-proxy")
    client, server = link.pair()
    server.sendall(b"220 hello")
    assert receive_exactly(client, 9) == b"220 hello"
    assert receive_header(server).source == client.getsockname()
    client.sendall(b"HELO")
    assert receive_exactly(server, 4) == b"HELO"


def test_a_fast_open_needs_no_byte_of_the_client(make_link):
    link = make_link("auto", server_words="send-proxy tfo")
    client, server = link.pair()
    assert receive_header(server).source == client.getsockname()


def test_each_try_has_a_header_of_its_own(start_proxy, endpoint, closing, log):
    """The first server cannot be reached; the second gets one header, not two."""
    front, dead, back = endpoint(), endpoint(), endpoint()
    listener = closing(back.listen())
    start_proxy(f"listen relayed\nbind {front.text}\nbalance first\noption redispatch 1\nretries 2\n"
                f"server dead {dead.text} send-proxy-v2\nserver one {back.text} send-proxy\n")
    client = closing(front.connect())
    server = closing(accept(listener))
    assert receive_header(server).version == 1
    client.sendall(b"x")
    client.shutdown(socket.SHUT_WR)
    assert_received(server, b"x", "end")
    server.close()
    assert receive_to_end(client) == (b"", "end")
    assert log.session()["retries"] == "+1"


def test_a_full_target_gets_header_and_bytes_in_order(make_link, engine):
    """More than the buffers hold is sent before the server reads at all."""
    link = make_link(engine, server_words="send-proxy-v2")
    client, server = link.pair(receive_buffer=4096)
    content = pattern_bytes(8 << 20)
    client.setblocking(False)
    sent = client.send(content)
    assert sent > 0
    receive_header(server)
    assert receive_exactly(server, sent) == content[:sent]


def test_default_server_words_can_be_taken_back(start_proxy, endpoint, closing):
    front, backs = endpoint(), [endpoint(), endpoint(), endpoint()]
    listeners = [closing(back.listen()) for back in backs]
    words = ("", "no-send-proxy-v2", "no-send-proxy-v2 no-send-proxy")
    servers = "\n".join(f"server s{at} {back.text} {words[at]}" for at, back in enumerate(backs))
    start_proxy(f"listen relayed\nbind {front.text}\nbalance roundrobin\n"
                f"default-server send-proxy send-proxy-v2\n{servers}")
    clients = [closing(front.connect()) for _ in backs]
    joined = [closing(accept(listener)) for listener in listeners]
    for client in clients:
        client.sendall(b"x")
        client.shutdown(socket.SHUT_WR)
    assert receive_header(joined[0]).version == 2
    assert receive_header(joined[1]).version == 1
    for server in joined:
        assert_received(server, b"x", "end")
        server.close()


# --- what has been accepted is passed on ---

@pytest.fixture
def make_chain_link(start_proxy, endpoint, closing):
    """One daemon that accepts a header and sends one."""
    def make(server_words, engine="auto", family="ipv4"):
        front, back = endpoint(family), endpoint(family)
        listener = closing(back.listen())
        start_proxy(f"listen relayed\nbind {front.text} accept-proxy trusted any\n"
                    f"server one {back.text} {server_words}", engine)
        return front, listener

    return make


TLVS = tlv("alpn", b"h2") + tlv("authority", b"a.example") + tlv("unique_id", b"id 7") + tlv("netns", b"blue")


@pytest.mark.parametrize("options,expected", [
    ("", {"alpn"}),
    ("proxy-v2-options authority", {"alpn", "authority"}),
    ("proxy-v2-options unique-id,crc32c", {"alpn", "unique_id", "crc32c"}),
    ("proxy-v2-options unique-id proxy-v2-options authority", {"alpn", "authority", "unique_id"}),
])
@pytest.mark.parametrize("said", ["ipv4", "ipv6"])
def test_a_header_is_passed_on(ours_only, make_chain_link, closing, said, options, expected):
    front, listener = make_chain_link(f"send-proxy-v2 {options}")
    client = closing(front.connect())
    client.sendall(binary_header(said, tlvs=TLVS) + b"x")
    server = closing(accept(listener))
    header = receive_header(server)
    assert (header.source, header.destination) == ((CLIENTS[said], 1234), (SERVERS[said], 443))
    assert header.tlvs.keys() == expected and header.tlvs["alpn"] == b"h2"
    assert header.tlvs.get("authority", b"a.example") == b"a.example"
    assert header.tlvs.get("unique_id", b"id 7") == b"id 7"
    assert receive_exactly(server, 1) == b"x"


def test_the_longest_values_are_passed_on(ours_only, make_chain_link, closing):
    front, listener = make_chain_link("send-proxy-v2 proxy-v2-options authority,unique-id,crc32c")
    values = {"alpn": b"a" * 255, "authority": b"b" * 255, "unique_id": b"c" * 128}
    client = closing(front.connect())
    client.sendall(binary_header("ipv6", tlvs=b"".join(tlv(*item) for item in values.items())))
    header = receive_header(closing(accept(listener)))
    assert {name: header.tlvs[name] for name in values} == values


@pytest.mark.parametrize("sent", [binary_header(None, command=0), b"PROXY UNKNOWN\r\n"], ids=["LOCAL", "UNKNOWN"])
def test_an_unknown_client_is_the_proxy_itself(ours_only, make_chain_link, closing, sent):
    front, listener = make_chain_link("send-proxy")
    client = closing(front.connect())
    client.sendall(sent)
    assert receive_header(closing(accept(listener))).source == client.getsockname()


def test_two_daemons_in_a_row(ours_only, start_proxy, endpoint, closing, log, engine, family):
    """The second one's log has the client that the first one saw."""
    front, middle, back = endpoint("ipv6"), endpoint(family), endpoint(family)
    listener = closing(back.listen())
    trusted = "unix" if family == "unix" else "127.0.0.1,::1"
    start_proxy(f"listen second\nbind {middle.text} accept-proxy trusted {trusted}\n"
                f"server one {back.text} send-proxy-v2 proxy-v2-options crc32c", engine)
    start_proxy(f"listen first\nbind {front.text}\nserver second {middle.text} send-proxy", engine)
    client = closing(front.connect())
    name = client.getsockname()[:2]
    server = closing(accept(listener))
    header = receive_header(server)
    assert (header.source, header.destination) == (name, (front.host, front.port))
    content = pattern_bytes(1 << 20)
    client.sendall(content[:65536])
    assert receive_exactly(server, 65536) == content[:65536]
    client.sendall(content[65536:131072])
    client.shutdown(socket.SHUT_WR)
    assert_received(server, content[65536:131072], "end")
    server.sendall(b"answer")
    server.close()
    assert_received(client, b"answer", "end")
    for logged in log.sessions(2):
        assert (logged["client"], logged["client_port"], logged["bytes"]) == (name[0], str(name[1]), "6")


def test_a_server_that_was_waited_for_gets_header_and_early_bytes(make_link, closing):
    """The client has sent and ended long before the server is reached."""
    with contextlib.ExitStack() as stack:
        link = make_link("auto", server_words="send-proxy", backlog=0)
        for peer in fill_listen_queue(stack, link.back):
            peer.close()
        client = closing(link.front.connect())
        client.sendall(b"early")
        client.shutdown(socket.SHUT_WR)
        ask = link.daemon.runtime.ask
        wait_until(lambda: "state=connecting" in ask("show sess"), "a connection being made")

        def header_or_none():
            with accept(link.listener) as server:
                if not server.recv(1, socket.MSG_PEEK):
                    return None
                header = receive_header(server)
                assert_received(server, b"early", "end")
                return header

        assert wait_until(header_or_none, "the daemon's connection", 10).source == client.getsockname()


@pytest.mark.parametrize("words,expected", [
    ("send-proxy-v2 proxy-v2-options ssl", "'ssl' is about TLS with the client"),
    ("send-proxy-v2 proxy-v2-options crc32c,cert-cn", "'cert-cn' is about TLS with the client"),
    ("send-proxy-v2 proxy-v2-options crc32", "did you mean 'crc32c'?"),
    ("send-proxy-v2 proxy-v2-options", "'proxy-v2-options' expects"),
    ("send-proxy-v2-ssl", "'send-proxy-v2-ssl' is not supported in this version"),
    ("send-proxy-v3", "did you mean 'send-proxy-v2'?"),
    ("send-proxy proxy-v2-options crc32c", "has no effect without 'send-proxy-v2'"),
])
def test_words_that_are_wrong_or_without_effect_are_told(ours_only, write, words, expected):
    path = write(f"defaults\nmode tcp\nlisten l\nbind 127.0.0.1:9\nserver s 127.0.0.1:10 {words}\n")
    done = run_daemon("-c", "-f", path)
    assert done.returncode == (0 if "effect" in expected else 1)
    assert expected in done.stderr

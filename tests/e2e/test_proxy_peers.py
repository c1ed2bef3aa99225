"""The PROXY protocol with others: HAProxy before and behind, nginx behind."""

import os
import subprocess

import pytest

from lib.clients import curl_address, http_url, run_client
from lib.endpoints import accept
from lib.flows import assert_received, receive_exactly
from lib.pattern import pattern_bytes
from lib.servers import Nginx, Server, find_program


class Haproxy(Server):
    programs = ("haproxy",)
    families = ()

    def __init__(self, directory, sections):
        self.sections = sections
        super().__init__(directory)

    def prepare(self):
        (self.directory / "cfg").write_text(
            f"global\nstats socket {self.directory}/admin\ndefaults\nmode tcp\ntimeout connect 5s\n"
            f"timeout client 30s\ntimeout server 30s\n{self.sections}\n")

    def command(self):
        return [find_program("haproxy"), "-db", "-f", self.directory / "cfg"]

    def is_ready(self):
        return super().is_ready() and (self.directory / "admin").exists()


@pytest.fixture
def start_haproxy(directory):
    if find_program("haproxy") is None:
        pytest.skip("haproxy is not installed")
    started = []

    def start(sections):
        server = Haproxy(directory, sections)
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.stop()


def exchange(client, server):
    content = pattern_bytes(1 << 20)
    for at in range(0, len(content), 1 << 16):
        client.sendall(content[at: at + (1 << 16)])
        assert receive_exactly(server, 1 << 16) == content[at: at + (1 << 16)]
    server.sendall(b"answer")
    assert receive_exactly(client, 6) == b"answer"
    client.close()
    assert_received(server, b"", "end")
    server.close()


@pytest.mark.parametrize("words", ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id"])
def test_haproxy_in_front_says_who_the_client_is(ours_only, start_proxy, start_haproxy, endpoint, closing, log,
                                                 engine, family, words):
    front, middle, back = endpoint(family), endpoint(family), endpoint("ipv4")
    listener = closing(back.listen())
    start_proxy(f"listen relayed\nbind {middle.text} accept-proxy trusted {'unix' if family == 'unix' else 'any'}\n"
                f'log-format "%ci:%cp %fi:%fp %U/%B %ts"\nserver one {back.text}', engine)
    start_haproxy(f"listen before\nbind {front.text}\nserver spliced {middle.text} {words}")
    client = closing(front.connect())
    name = client.getsockname()
    server = closing(accept(listener))
    exchange(client, server)
    if family == "unix":
        log.wait_for(r"unix:\d+ unix:\d+ 1048576/6 --$")
    else:
        log.wait_for(rf"{name[0]}:{name[1]} {front.host}:{front.port} 1048576/6 --$")


@pytest.mark.parametrize("words", ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c"])
def test_haproxy_behind_learns_who_the_client_is(start_proxy, start_haproxy, endpoint, closing, log, engine,
                                                 family, words):
    """It passes on what it has learned in a header of its own: so we see that it was right."""
    front, middle, back = endpoint(family), endpoint(family), endpoint("ipv4")
    listener = closing(back.listen())
    start_haproxy(f"listen behind\nbind {middle.text} accept-proxy\nserver one {back.text} send-proxy")
    start_proxy(f"listen relayed\nbind {front.text}\nserver haproxy {middle.text} {words}", engine)
    client = closing(front.connect())
    server = closing(accept(listener))
    if family == "unix":
        expected = "PROXY UNKNOWN\r\n"
    else:
        host, port = client.getsockname()[:2]
        name = "TCP4" if family == "ipv4" else "TCP6"
        expected = f"PROXY {name} {host} {front.host} {port} {front.port}\r\n"
    assert receive_exactly(server, len(expected)).decode() == expected
    exchange(client, server)
    assert log.session()["bytes"] == "6"


class ProxiedNginx(Nginx):
    """Answers with the address that the header gives."""

    sizes = (1 << 20,)

    def is_ready(self):
        return self.process.poll() is None and os.path.exists(self.socket_path)

    def configuration(self):
        text = super().configuration()
        for place in (f"127.0.0.1:{self.port}", f"[::1]:{self.port}", f"unix:{self.socket_path}"):
            text = text.replace(f"listen {place};", f"listen {place} proxy_protocol;")
        return text.replace("client_max_body_size 0;", """client_max_body_size 0;
    location = /who { return 200 "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_port"; }""")


@pytest.fixture(scope="module")
def proxied_nginx(server_directory):
    if find_program("nginx") is None:
        pytest.skip("nginx is not installed")
    server = ProxiedNginx(server_directory)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.mark.parametrize("words", ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c"])
def test_nginx_behind_learns_who_the_client_is(proxied_nginx, start_proxy, endpoint, tmp_path, engine, family,
                                               words):
    front = endpoint(family)
    start_proxy(f"listen web\nbind {front.text}\nserver nginx {proxied_nginx.endpoint(family).text} {words}", engine)
    seen, port = run_client("curl", "-sSf", *curl_address(front), "-w", "\n%{local_port}",
                            http_url(front, "who")).split("\n")
    if family == "unix":
        assert seen.split() in ([], ["0"], ["0", "0"]) or seen.startswith("unix")
    else:
        assert seen == f"{front.host} {port} {front.port}"
    run_client("curl", "-sSf", *curl_address(front), "-o", tmp_path / "got", http_url(front, 1 << 20))
    assert (tmp_path / "got").read_bytes() == (proxied_nginx.directory / "www" / str(1 << 20)).read_bytes()


def test_curl_says_who_it_is(ours_only, nginx_server, start_proxy, endpoint, log):
    """curl sends a header of its own; nginx behind wants none."""
    front = endpoint("ipv4")
    start_proxy(f"listen web\nbind {front.text} accept-proxy trusted 127.0.0.1\n"
                f"server nginx {nginx_server.endpoint('ipv4').text}")
    done = subprocess.run(["curl", "--help", "all"], capture_output=True, text=True, check=False)
    if "--haproxy-protocol" not in done.stdout:
        pytest.skip("this curl cannot send a PROXY header")
    port = run_client("curl", "-sSf", "--haproxy-protocol", "-o", "/dev/null", "-w", "%{local_port}",
                      http_url(front, 1000)).strip()
    logged = log.session()
    assert (logged["client"], logged["client_port"]) == ("127.0.0.1", port)

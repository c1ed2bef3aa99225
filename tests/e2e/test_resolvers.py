"""Servers whose addresses are names: found, changed, lost and found again, from a name server
whose answers the tests decide."""

import contextlib
import socket

import pytest

from lib import place
from lib.dns_server import GARBAGE, NXDOMAIN, REFUSED, SERVFAIL, SILENT, DnsServer
from lib.endpoints import accept, free_port
from lib.proxy import GOOD, compose, run_daemon
from lib.waiting import wait_until

NAME = "db.test"

pytestmark = pytest.mark.skipif(bool(place.MODE), reason="names and addresses of the loopback network")


@pytest.fixture
def dns():
    with DnsServer() as server:
        yield server


@pytest.fixture
def listen(closing):
    """Servers at one port of several addresses."""
    def make(*hosts):
        listeners, port = [], free_port()
        for host in hosts:
            listener = closing(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen()
            listener.settimeout(10)
            listeners.append(listener)
        return listeners, port

    return make


@pytest.fixture
def start(start_proxy, endpoint, dns):
    """A daemon that asks often; returns it and where it listens."""
    def make(port, *servers, holds=()):
        front = endpoint()
        lines = [f"resolvers ours\nnameserver one 127.0.0.1:{dns.port}\nhold valid 50ms\ntimeout resolve 50ms",
                 "timeout retry 100ms\nresolve_retries 1", *holds, f"listen relayed\nbind {front.text}\nretries 0",
                 "default-server resolvers ours init-addr none"]
        lines += [f"server s{at} {NAME}:{port} {words}" for at, words in enumerate(servers)]
        return start_proxy("\n".join(lines), "copy"), front

    return make


def row(daemon, name="s0"):
    return next(found for found in daemon.runtime.stat() if found["svname"] == name)


def wait_address(daemon, address, name="s0"):
    wait_until(lambda: row(daemon, name)["addr"] == address, f"{name} to be at {address}")


def wait_status(daemon, status, name="s0"):
    wait_until(lambda: row(daemon, name)["status"] == status, f"{name} to be {status}")


def exchange(front, listener):
    """A connection through the daemon that arrives here."""
    with front.connect() as peer, accept(listener) as seen:
        peer.sendall(b"hello")
        assert seen.recv(10) == b"hello"


def test_checks_follow_the_name(start, dns, listen):
    _, port = listen("127.0.0.3")
    dns.say(NAME, a=["127.0.0.2"])
    daemon, _ = start(port, "check inter 50ms rise 1 fall 1")
    wait_status(daemon, "DOWN")
    dns.say(NAME, a=["127.0.0.3"])
    wait_status(daemon, "UP")
    assert row(daemon)["addr"] == f"127.0.0.3:{port}"


def test_new_connections_follow_the_name_and_old_ones_stay(start, dns, listen):
    (first, second), port = listen("127.0.0.2", "127.0.0.3")
    dns.say(NAME, a=["127.0.0.2"])
    daemon, front = start(port, "")
    wait_address(daemon, f"127.0.0.2:{port}")
    assert row(daemon)["status"] == "no check"
    with front.connect() as old, accept(first) as old_seen:
        dns.say(NAME, a=["127.0.0.3"])
        wait_address(daemon, f"127.0.0.3:{port}")
        exchange(front, second)
        for _ in range(2):
            old.sendall(b"still")
            assert old_seen.recv(10) == b"still"
            old_seen.sendall(b"here")
            assert old.recv(10) == b"here"
        shown = daemon.runtime.ask("show sess all")
        assert f"127.0.0.2:{port}" in shown
    assert f"changed its address from none to 127.0.0.2:{port} by resolvers ours" in daemon.errors()
    assert f"changed its address from 127.0.0.2:{port} to 127.0.0.3:{port} by resolvers ours" in daemon.errors()


@pytest.mark.parametrize("preferred, expected", [("ipv4", "127.0.0.2:{}"), ("ipv6", "[::1]:{}")])
def test_the_preferred_family_is_taken(start, dns, listen, preferred, expected):
    listeners, port = listen("127.0.0.2", "::1")
    dns.say(NAME, a=["127.0.0.2"], aaaa=["::1"])
    daemon, front = start(port, f"resolve-prefer {preferred}")
    wait_address(daemon, expected.format(port))
    exchange(front, listeners[preferred == "ipv6"])


def test_the_other_family_serves_where_the_preferred_one_has_no_address(start, dns):
    dns.say(NAME, a=["127.0.0.2"])
    daemon, _ = start(80, "resolve-prefer ipv6")
    wait_address(daemon, "127.0.0.2:80")


def test_an_address_that_is_still_in_the_answer_is_kept(start, dns):
    dns.say(NAME, a=["127.0.0.2"])
    daemon, _ = start(80, "")
    wait_address(daemon, "127.0.0.2:80")
    dns.say(NAME, a=["127.0.0.3", "127.0.0.2"])
    asked = dns.count(NAME)
    wait_until(lambda: dns.count(NAME) > asked + 6, "more questions")
    assert row(daemon)["addr"] == "127.0.0.2:80"


def test_servers_of_one_name_take_different_addresses(start, dns):
    dns.say(NAME, a=["127.0.0.2", "127.0.0.3", "127.0.0.4"])
    daemon, _ = start(80, "", "", "")
    names = ("s0", "s1", "s2")
    wait_until(lambda: all(row(daemon, name)["status"] == "no check" for name in names), "all to be found")
    assert {row(daemon, name)["addr"] for name in names} == {f"127.0.0.{last}:80" for last in (2, 3, 4)}


@pytest.mark.parametrize("how, word", [(NXDOMAIN, "nx"), (REFUSED, "refused"), (SERVFAIL, "other"),
                                       (SILENT, "timeout"), (GARBAGE, "timeout")])
def test_a_name_without_answers_is_in_maintenance_until_it_has_one(start, dns, listen, how, word):
    (listener,), port = listen("127.0.0.2")
    dns.say(NAME, a=["127.0.0.2"])
    daemon, front = start(port, "", holds=[f"hold {status} 100ms" for status in ("nx", "refused", "other", "timeout")])
    wait_address(daemon, f"127.0.0.2:{port}")
    dns.fail(NAME, how)
    wait_status(daemon, "MAINT (resolution)")
    assert f"resolvers ours have no address for '{NAME}'" in daemon.errors()
    with front.connect() as refused, contextlib.suppress(ConnectionResetError):
        assert refused.recv(1) == b""
    state = daemon.runtime.ask("show servers state").splitlines()[2].split()
    assert state[6] == "32" and NAME in state, state
    # The operator's own state does not bring an address.
    daemon.runtime.ask("set server relayed/s0 state ready")
    assert row(daemon)["status"] == "MAINT (resolution)"
    shown = daemon.runtime.ask("show resolvers")
    assert f"  {word}: 0\n" not in shown and "address: none" in shown, shown
    dns.say(NAME, a=["127.0.0.2"])
    wait_status(daemon, "no check")
    exchange(front, listener)


def test_an_address_is_kept_as_long_as_hold_says(start, dns):
    dns.say(NAME, a=["127.0.0.2"])
    daemon, _ = start(80, "", holds=["hold nx 1h"])
    wait_address(daemon, "127.0.0.2:80")
    dns.fail(NAME, NXDOMAIN)
    wait_until(lambda: "status: nx" in daemon.runtime.ask("show resolvers ours"), "an answer")
    asked = dns.count(NAME)
    wait_until(lambda: dns.count(NAME) > asked + 6, "more questions")
    assert row(daemon)["addr"] == "127.0.0.2:80" and row(daemon)["status"] == "no check"


def test_hold_obsolete_keeps_what_answers_no_longer_have(start, dns):
    dns.say(NAME, a=["127.0.0.2"])
    daemon, _ = start(80, "", holds=["hold obsolete 1h"])
    wait_address(daemon, "127.0.0.2:80")
    dns.say(NAME, a=["127.0.0.3"])
    asked = dns.count(NAME)
    wait_until(lambda: dns.count(NAME) > asked + 6, "more questions")
    assert row(daemon)["addr"] == "127.0.0.2:80"


def test_answers_that_do_not_fit_are_fetched_by_tcp(start, dns):
    dns.is_truncating = True
    dns.say(NAME, a=[f"127.0.0.{last}" for last in range(2, 90)])
    daemon, _ = start(80, "")
    wait_address(daemon, "127.0.0.2:80")
    assert dns.count(NAME, "tcp") > 0


def test_silence_at_one_name_server_leads_to_the_next(start_proxy, endpoint, dns):
    front, dead = endpoint(), endpoint()
    dns.say(NAME, a=["127.0.0.2"])
    daemon = start_proxy(
        f"resolvers ours\nnameserver dead {dead.text}\nnameserver one 127.0.0.1:{dns.port}\ntimeout retry 100ms\n"
        f"listen relayed\nbind {front.text}\nserver s0 {NAME}:80 resolvers ours init-addr last,127.0.0.9", "copy")
    wait_address(daemon, "127.0.0.2:80")
    assert "from 127.0.0.9:80 to 127.0.0.2:80" in daemon.errors()


@pytest.mark.parametrize("lines, message", [
    ("backend b\nserver s db.test:1 resolvers ours init-addr none", "resolvers section 'ours', which does not exist"),
    ("resolvers ours\n", "resolvers section 'ours' has no 'nameserver'"),
    ("resolvers ours\nnameserver a 127.0.0.1\nnameserver a 127.0.0.2", "there is a nameserver 'a' already"),
    ("resolvers ours\nnameserver a db.test", "the address 'db.test' is wrong"),
    ("resolvers ours\nnameserver a 127.0.0.1\nhold ever 1s", "'hold ever' unknown in section 'resolvers', did you mean 'hold other'?"),
    ("resolvers ours\nnameserver a 127.0.0.1\nresolvers ours\nnameserver a 127.0.0.1", "'ours' already"),
    ("resolvers\n", "'resolvers' needs a name"),
    ("backend b\nhold valid 1s", "only in 'resolvers'"),
    ("backend b\nserver s db.test:1 init-addr never", "'init-addr' expects"),
    ("backend b\nserver s db.test:1 init-addr last", "'init-addr' has found no address for the host 'db.test'"),
])
def test_mistakes_are_named(write, endpoint, lines, message):
    done = run_daemon("-c", "-f", write(GOOD.format(port=endpoint().port) + lines + "\n"))
    assert done.returncode == 1 and message in done.stderr, done.stderr


def test_the_systems_name_servers_are_known(write, endpoint):
    body = GOOD.format(port=endpoint().port) + "resolvers ours\nparse-resolv-conf\nnameserver a 127.0.0.1\n"
    done = run_daemon("-c", "-f", write(body))
    assert done.returncode == 0, done.stderr

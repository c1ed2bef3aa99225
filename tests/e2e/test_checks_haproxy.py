"""The same servers checked by HAProxy beside: the same states, results and numbers."""

import pytest

from lib.haproxy_beside import PROGRAM, HaproxyBeside
from lib.scripted import ScriptedServer, answering, close, resetting, saying, silent
from lib.waiting import wait_until

COLUMNS = ("status", "check_status", "check_code", "check_desc", "check_rise", "check_fall", "check_health",
           "agent_status", "agent_rise", "agent_fall", "agent_health", "weight", "slim", "act", "bck")
# Numbers of check columns in show servers state: result, health, state, agent's state, and where to.
STATE_FIELDS = (4, 5, 6, 7, *range(10, 15), 18, *range(21, 25))

LDAP_FINE = b"0\x0c\2\1\1a\7\n\1\0\4\0\4\0"
OK_404 = ["option httpchk GET /", "http-check expect status 404"]
PONG = ["option tcp-check", "tcp-check send PING\\r\\n", "tcp-check expect string +PONG"]
CASES = {
    "tcp": ([], close),
    "tcp-refused": ([], None),
    "script": (PONG, answering(b"+PONG\r\n")),
    "script-wrong": (PONG, answering(b"-ERR\r\n")),
    "script-silent": (PONG, silent),
    "script-empty": (PONG, lambda peer: peer.recv(100)),
    "script-unwanted": (["option tcp-check", "tcp-check expect ! string BAD"], saying(b"BAD")),
    "script-min": (["option tcp-check", "tcp-check expect min-recv 3 string OK"], saying(b"NOT")),
    "script-status": (["option tcp-check", "tcp-check expect error-status L7STS min-recv 1 rstring ^2"], saying(b"5")),
    "script-conditional": (["option tcp-check", "tcp-check expect ok-status L7OKC string a"], saying(b"a")),
    "script-hex": (["option tcp-check", "tcp-check expect rbinary ^0A..FF"], saying(b"\n\0\xff")),
    "script-only-send": (["option tcp-check", "tcp-check send hello"], silent),
    "http": (["option httpchk"], answering(b"HTTP/1.0 204 Fine\r\n\r\n")),
    "http-wrong": (["option httpchk"], answering(b"HTTP/1.0 503 Not now\r\n\r\n")),
    "http-none": (["option httpchk"], lambda peer: peer.recv(100)),
    "http-status": (OK_404, answering(b"HTTP/1.0 404 Gone\r\n\r\n")),
    "http-status-wrong": (OK_404, answering(b"HTTP/1.0 200 OK\r\n\r\n")),
    "http-disabled": (["option httpchk", "http-check disable-on-404"], answering(b"HTTP/1.0 404 No\r\n\r\n")),
    "redis": (["option redis-check"], answering(b"+PONG\r\n")),
    "redis-none": (["option redis-check"], lambda peer: peer.recv(100)),
    "redis-wrong": (["option redis-check"], answering(b"-ERR\r\n")),
    "smtp": (["option smtpchk"], saying(b"220 a\r\n", b"250 b\r\n", b"221 c\r\n")),
    "smtp-wrong": (["option smtpchk"], answering(b"554 no\r\n")),
    "ldap": (["option ldap-check"], answering(LDAP_FINE)),
    "pgsql": (["option pgsql-check user u"], answering(b"R\0\0\0\x08\0\0\0\0")),
    "tls": (["option ssl-hello-chk"], answering(b"\x15\3\1\0\2\2\x28")),
}


@pytest.fixture
def both(start_proxy, endpoint, closing, directory):
    """both(lines, server_words): the runtime sockets of ours and of HAProxy with the same backend."""
    if PROGRAM is None:
        pytest.skip("haproxy is not installed")

    def make(lines, *rows):
        bodies = ["\n".join(["listen relayed", f"bind {endpoint().text}", *lines, *rows]) for _ in range(2)]
        return start_proxy(bodies[0]).runtime, closing(HaproxyBeside(directory, bodies[1])).runtime

    return make


def picture(runtime, name="s0"):
    row = runtime.stat_row("relayed", name)
    shown = {column: row[column].removeprefix("* ") for column in COLUMNS}
    # An agent that names no health: HAProxy shows a name of its inside.
    shown["agent_status"] = shown["agent_status"].replace("CHECKED", "L7OK")
    if shown["check_code"] == "221":  # HAProxy has a code of SMTP
        shown["check_code"] = "0"
    return shown


def state(runtime, name="s0"):
    line = next(line for line in runtime.ask("show servers state").splitlines() if f" {name} " in line).split()
    # A check under way is a matter of the moment.
    fields = {at: line[at] for at in STATE_FIELDS}
    fields[13] = str(int(fields[13]) & ~1)
    fields[14] = str(int(fields[14]) & ~1)
    return fields


def wait_same(ours, theirs, is_settled):
    def agreed():
        pictures = picture(ours), picture(theirs)
        return pictures[0] == pictures[1] and is_settled(pictures[1])

    try:
        wait_until(agreed, "the same results as HAProxy's", 8)
    except AssertionError:
        assert picture(ours) == picture(theirs)
        raise
    assert state(ours) == state(theirs)


def has_result(row):
    is_final = row["check_health"] in ("0", str(int(row["check_rise"]) + int(row["check_fall"]) - 1))
    return row["check_status"] not in ("INI", "UNK") and is_final


@pytest.mark.parametrize("name", CASES)
def test_results_are_haproxys(both, endpoint, closing, name):
    lines, script = CASES[name]
    server = closing(ScriptedServer(endpoint(), script))
    if script is None:
        server.refuse()
    ours, theirs = both(lines, f"server s0 {server.place.text} check inter 200ms")
    wait_same(ours, theirs, has_result)


def test_the_way_down_and_back_is_haproxys(both, endpoint, closing):
    server = closing(ScriptedServer(endpoint(), close))
    ours, theirs = both([], f"server s0 {server.place.text} check inter 50ms fastinter 400ms rise 3 fall 4")
    wait_same(ours, theirs, has_result)
    server.refuse()

    def steps(runtime, seen):
        """Every status that comes by, until the server is fully down or up."""
        def is_final():
            status = runtime.stat_row("relayed", "s0")["status"]
            if status not in seen:
                seen.append(status)
            return len(seen) > 1 and status in ("UP", "DOWN")

        wait_until(is_final, "the end of the way", 20)
        return seen

    assert steps(ours, ["UP"]) == ["UP", "UP 3/4", "UP 2/4", "UP 1/4", "DOWN"]
    wait_until(lambda: theirs.stat_row("relayed", "s0")["status"] == "DOWN", "HAProxy's server to be down", 10)
    assert picture(ours)["check_health"] == picture(theirs)["check_health"] == "0"
    assert ours.stat_row("relayed", "s0")["chkfail"] == theirs.stat_row("relayed", "s0")["chkfail"]
    server.start()
    assert steps(ours, ["DOWN"]) == ["DOWN", "DOWN 1/3", "DOWN 2/3", "UP"]
    wait_same(ours, theirs, has_result)


@pytest.mark.parametrize("line", [b"up\n", b"down # why\n", b"50%\n", b"ready 25% maxconn:9\n", b"drain\n", b"maint\n",
                                  b"stopped\r\n", b"fail # a b\n"])
def test_agents_do_the_same(both, endpoint, closing, line):
    server, agent = closing(ScriptedServer(endpoint())), closing(ScriptedServer(endpoint(), saying(line)))
    ours, theirs = both([], f"server s0 {server.place.text} weight 40 check inter 100ms "
                            f"agent-check agent-port {agent.place.port} agent-inter 100ms")

    def is_settled(row):
        return row["agent_status"].startswith("L7") and (line == b"maint\n" or has_result(row))

    wait_same(ours, theirs, is_settled)


@pytest.mark.parametrize("command", ["disable server", "disable health", "set server relayed/s0 health down",
                                     "set server relayed/s0 health stopping", "set server relayed/s0 state drain"])
def test_the_operators_commands_do_the_same(both, endpoint, closing, command):
    server = closing(ScriptedServer(endpoint()))
    ours, theirs = both([], f"server s0 {server.place.text} check inter 60s")
    wait_same(ours, theirs, has_result)
    line = command if command.startswith("set") else f"{command} relayed/s0"
    assert ours.ask(line).strip() == theirs.ask(line).strip() == ""
    if command != "disable health":
        assert picture(ours) == picture(theirs)

"""Health checks: servers that refuse, stay silent, reset or answer wrong, and come back."""

import contextlib
import urllib.request

import pytest

from lib.endpoints import accept, fill_listen_queue
from lib.flows import receive_exactly, receive_to_end
from lib.metrics_text import parse_metrics
from lib.scripted import ScriptedServer, answering, close, piecewise, resetting, saying, silent
from lib.waiting import wait_until

PONG = ["option tcp-check", "tcp-check send PING\\r\\n", "tcp-check expect string +PONG comment pong"]
HTTP = ["option httpchk GET /up"]


class Checked:
    """A daemon with one backend whose servers are checked every 100 ms."""

    def __init__(self, daemon, front, servers):
        self.daemon, self.front, self.servers = daemon, front, servers

    def row(self, name="s0"):
        return self.daemon.runtime.stat_row("relayed", name)

    def wait_row(self, condition, what, name="s0", deadline_s=8):
        return wait_until(lambda: (lambda row: row if condition(row) else None)(self.row(name)),
                          f"{name} to be {what}, not {self.row(name)}", deadline_s)

    def wait_status(self, status, name="s0"):
        return self.wait_row(lambda row: row["status"] == status, status, name)

    def wait_check(self, check, name="s0"):
        return self.wait_row(lambda row: row["check_status"].removeprefix("* ") == check, check, name)

    def ask(self, command):
        return self.daemon.runtime.ask(command).strip()


@pytest.fixture
def checked(start_proxy, endpoint, closing):
    """checked(scripts, lines, words): servers s0, s1, … that answer as the scripts say."""
    def make(scripts=(close,), lines=(), words="", **parts):
        front = endpoint()
        servers = [closing(ScriptedServer(endpoint(), script)) for script in scripts]
        rows = [f"server s{at} {server.place.text} check inter 100ms {words}" for at, server in enumerate(servers)]
        body = "\n".join(["listen relayed", f"bind {front.text}", *lines, *rows])
        return Checked(start_proxy(body, **parts), front, servers)

    return make


def test_a_server_that_refuses_goes_down_and_comes_back(checked):
    made = checked(words="rise 2 fall 3")
    assert made.wait_check("L4OK")["status"] == "UP"
    made.servers[0].refuse()
    row = made.wait_status("DOWN")
    assert (row["check_status"].removeprefix("* "), row["chkdown"]) == ("L4CON", "1")
    assert int(row["chkfail"]) == 3 and row["check_health"] == "0" and row["last_chk"] == "Connection refused"
    assert row["check_desc"] == "Layer4 connection problem"
    assert made.daemon.runtime.stat_row("relayed", "BACKEND")["status"] == "DOWN"
    made.servers[0].start()
    row = made.wait_status("UP")
    assert (row["check_health"], row["check_rise"], row["check_fall"]) == ("4", "2", "3")
    errors = made.daemon.errors()
    assert 'Server relayed/s0 is DOWN, reason: Layer4 connection problem, info: "Connection refused"' in errors
    assert "0 active and 0 backup servers left." in errors and "backend relayed has no server available!" in errors
    assert "Server relayed/s0 is UP, reason: Layer4 check passed" in errors


def test_the_way_down_and_up_is_shown(checked):
    made = checked(words="rise 40 fall 40")
    made.wait_status("UP")
    made.servers[0].refuse()
    row = made.wait_row(lambda row: row["status"].endswith("/40"), "on its way down")
    done, of = row["status"].removeprefix("UP ").split("/")
    assert of == "40" and int(done) < 40
    made.wait_status("DOWN")
    made.servers[0].start()
    made.wait_row(lambda row: row["status"].startswith("DOWN ") and row["status"].endswith("/40"), "on its way up")
    made.wait_status("UP")


def test_a_server_that_is_down_from_the_start_is_found_by_the_first_check(checked):
    made = checked(words="inter 200ms fall 9")
    made.servers[0].refuse()
    with contextlib.suppress(AssertionError):
        made.wait_row(lambda row: row["check_status"] == "INI", "unchecked", deadline_s=0.1)
    # fall counts from a check that went well; before the first the server has one life.
    assert made.wait_row(lambda row: row["status"] != "UP 1/9", "checked")["status"] in ("DOWN", "UP", "UP 8/9")


def test_clients_go_where_servers_are_up(checked):
    made = checked([saying(b"0"), saying(b"1")], words="fall 1")
    made.wait_status("UP")
    made.servers[0].refuse()
    made.wait_status("DOWN")
    for _ in range(4):
        with made.front.connect() as client:
            assert receive_exactly(client, 1) == b"1"
    made.servers[0].start()
    made.wait_status("UP")
    names = set()
    for _ in range(4):
        with made.front.connect() as client:
            names.add(receive_exactly(client, 1))
    assert names == {b"0", b"1"}


def test_sessions_end_when_the_server_is_found_dead(checked, log):
    made = checked([silent], lines=PONG, words="fall 1 on-marked-down shutdown-sessions")
    made.servers[0].script = answering(b"+PONG\r\n")
    made.wait_status("UP")
    made.servers[0].script = silent
    with made.front.connect() as client:
        client.settimeout(10)
        assert receive_to_end(client)[0] == b""
    assert log.session()["state"][0] == "D"


@pytest.mark.parametrize("lines, script, status, words", [
    (PONG, answering(b"+PONG\r\n"), "L7OK", ""),
    (PONG, piecewise(b"+PONG\r\n"), "L7OK", ""),
    (PONG, answering(b"-ERR no\r\n"), "L7RSP",
     "what is expected did not come at step 2 of tcp-check (expect string '+PONG'), comment: 'pong', "
     "received '-ERR no..'"),
    (PONG, saying(b"", b"-ERR no\r\n"), "L7TOUT", "no answer in time at step 2 of tcp-check"),
    (PONG, silent, "L7TOUT", "no answer in time at step 2 of tcp-check (expect string '+PONG'), comment: 'pong'"),
    (PONG, resetting, "L7RSP", "Connection reset by peer at step 2 of tcp-check"),
    (PONG, lambda peer: peer.recv(1000), "L7RSP", "the server closed without an answer at step 2 of tcp-check"),
    (["option tcp-check", "tcp-check expect min-recv 3 ! string BAD"], saying(b"fine"), "L7OK", ""),
    (["option tcp-check", "tcp-check expect ! string BAD"], saying(b"a BAD day"), "L7RSP", "what must not come came"),
    (["option tcp-check", "tcp-check expect rbinary ^00FF", "tcp-check send-binary 0102",
      "tcp-check expect binary 030405"], saying(b"\0\xff\x01", b"\x02\3\4\5"), "L7OK", ""),
    (["option tcp-check", "tcp-check expect error-status L7STS string a"], saying(b"b"), "L7TOUT", ""),
    (["option tcp-check", "tcp-check expect error-status L6RSP min-recv 0 string a"], saying(b"b"), "L6RSP", ""),
    (["option tcp-check", "tcp-check send x\\n"], silent, "L7OK", ""),
    (HTTP, answering(b"HTTP/1.0 200 OK\r\n\r\n"), "L7OK", ""),
    (HTTP, answering(b"HTTP/1.0 503 Service Unavailable\r\n\r\n"), "L7STS", "HTTP/1.0 503 Service Unavailable"),
    (HTTP, answering(b"220 mail\r\n"), "L7RSP", "this is no answer of HTTP"),
    ([*HTTP, "http-check expect status 404", "http-check expect string gone"],
     answering(b"HTTP/1.0 404 No\r\n\r\nit is gone"), "L7OK", ""),
    ([*HTTP, "http-check expect rstatus ^2", "http-check expect ! rstring dead|ill"],
     answering(b"HTTP/1.0 200 No\r\n\r\nit is ill"), "L7RSP", "at step 2 of httpchk (expect ! rstring 'dead|ill')"),
    (["option redis-check"], answering(b"-LOADING\r\n"), "L7STS", "no +PONG from Redis, received '-LOADING..'"),
    (["option smtpchk EHLO me"], saying(b"220-a\r\n220 b\r\n", b"250-x\r\n250 y\r\n", b"221 bye\r\n"), "L7OK", ""),
    (["option smtpchk"], saying(b"220 a\r\n", b"502 no\r\n"), "L7TOUT", "the SMTP server refuses the hello"),
    (["option ldap-check"], answering(b"0\x0c\2\1\1a\7\n\1\0\4\0\4\0"), "L7OK", ""),
    (["option ldap-check"], answering(b"0\x0c\2\1\1a\7\n\1\x31\4\0\4\0"), "L7STS", "no successful answer of LDAP"),
    (["option mysql-check"], saying(b"\x17\0\0\0\xffj\4Host is blocked"), "L7TOUT", "no greeting of a MySQL server"),
    (["option pgsql-check user x"], answering(b"E\0\0\0\x20SFATAL\0"), "L7STS", "PostgreSQL refuses the connection"),
    (["option ssl-hello-chk"], answering(b"SSH-2.0-x\r\n"), "L6RSP", "no answer of a TLS server"),
])
def test_answers_are_judged(checked, lines, script, status, words):
    made = checked([script], lines=lines, words="inter 300ms")
    row = made.wait_check(status)
    assert words in row["last_chk"]
    assert row["status"] == ("UP" if status.endswith("OK") else "DOWN")


def test_the_code_of_http_is_a_column(checked):
    made = checked([answering(b"HTTP/1.1 503 No\r\n\r\n")], lines=HTTP)
    assert made.wait_check("L7STS")["check_code"] == "503"
    made.servers[0].script = answering(b"HTTP/1.1 204 Fine\r\n\r\n")
    assert made.wait_check("L7OK")["check_code"] == "204"


def test_a_conditional_success_takes_no_new_sessions(checked):
    lines = ["option tcp-check", "tcp-check expect ok-status L7OKC string away", ]
    made = checked([saying(b"away")], lines=lines)
    row = made.wait_check("L7OKC")
    assert row["status"] == "NOLB" and row["check_health"] == "4"
    with made.front.connect() as client:
        client.settimeout(5)
        assert receive_to_end(client)[0] == b""


def test_a_404_disables_what_is_up_and_does_not_bring_back_what_is_down(checked):
    gone, fine = answering(b"HTTP/1.0 404 No\r\n\r\n"), answering(b"HTTP/1.0 200 Fine\r\n\r\n")
    made = checked([gone], lines=[*HTTP, "http-check disable-on-404"])
    made.wait_status("NOLB")
    made.servers[0].script = answering(b"HTTP/1.0 500 Bad\r\n\r\n")
    made.wait_status("DOWN")
    made.servers[0].script = gone
    row = made.wait_row(lambda row: row["check_code"] == "404", "gone")
    assert row["status"] == "DOWN" and row["check_status"].removeprefix("* ") == "L7STS"
    made.servers[0].script = fine
    made.wait_status("UP")


def test_a_connect_that_is_not_answered_times_out(start_proxy, endpoint, closing):
    front, back = endpoint(), endpoint()
    closing(back.listen(0))
    with contextlib.ExitStack() as stack:
        fill_listen_queue(stack, back)
        daemon = start_proxy(f"listen relayed\nbind {front.text}\nserver s0 {back.text} check inter 200ms")
        made = Checked(daemon, front, [])
        assert made.wait_status("DOWN")["check_status"].removeprefix("* ") == "L4TOUT"


def test_timeout_check_bounds_the_answer_only(checked):
    made = checked([silent], lines=[*PONG, "timeout check 100ms"], words="inter 3s fastinter 50ms downinter 50ms")
    row = made.wait_check("L7TOUT")
    assert 80 <= int(row["check_duration"]) < 1500


def test_a_script_may_open_several_connections(checked, endpoint, closing):
    other = closing(ScriptedServer(endpoint(), saying(b"second")))
    lines = ["option tcp-check", "tcp-check connect", "tcp-check expect string first",
             f"tcp-check connect port {other.place.port} linger", "tcp-check expect string second"]
    made = checked([saying(b"first")], lines=lines)
    assert made.wait_check("L7OK")["status"] == "UP"
    other.script = saying(b"third")
    row = made.wait_check("L7TOUT")
    assert "at step 4 of tcp-check (expect string 'second'), received 'third'" in row["last_chk"]
    other.refuse()
    assert f"at step 3 of tcp-check (connect port {other.place.port})" in made.wait_check("L4CON")["last_chk"]


def record(peer):
    """Keeps what comes first; a check that sends nothing ends with a reset."""
    try:
        record.seen.append(peer.recv(1000))
    except ConnectionResetError:
        record.seen.append(b"")


@pytest.mark.parametrize("words, expected", [
    ("send-proxy", b"PROXY UNKNOWN\r\n"),
    ("send-proxy-v2", b"\r\n\r\n\0\r\nQUIT\n\x20"),
    ("send-proxy port {port}", b""),
    ("send-proxy port {port} check-send-proxy", b"PROXY UNKNOWN\r\n"),
    ("check-send-proxy", b"PROXY UNKNOWN\r\n"),
    ("", b""),
])
def test_the_proxy_header_of_checks_is_our_own(start_proxy, endpoint, closing, words, expected):
    record.seen = []
    server, front = closing(ScriptedServer(endpoint(), record)), endpoint()
    start_proxy(f"listen relayed\nbind {front.text}\n"
                f"server s0 {server.place.text} check inter 100ms {words.format(port=server.place.port)}")
    wait_until(lambda: record.seen, "a check to come")
    assert record.seen[0].startswith(expected) and bool(record.seen[0]) == bool(expected)


def test_checks_go_to_addr_and_port_from_source(start_proxy, endpoint, closing):
    server, front, nobody = closing(ScriptedServer(endpoint())), endpoint(), endpoint()
    daemon = start_proxy(f"listen relayed\nbind {front.text}\nserver s0 127.0.0.9:{nobody.port} check inter 100ms "
                         f"addr 127.0.0.1 port {server.place.port} source 127.0.0.77")
    made = Checked(daemon, front, [server])
    assert made.wait_check("L4OK")["status"] == "UP"
    assert server.peers[0][0] == "127.0.0.77"


def test_servers_at_unix_sockets_and_ipv6_are_checked(start_proxy, endpoint, closing):
    front = endpoint()
    servers = [closing(ScriptedServer(endpoint(family))) for family in ("unix", "ipv6")]
    daemon = start_proxy("\n".join(["listen relayed", f"bind {front.text}",
                                    *(f"server s{at} {server.place.text} check inter 100ms"
                                      for at, server in enumerate(servers))]))
    made = Checked(daemon, front, servers)
    for name in ("s0", "s1"):
        made.wait_check("L4OK", name)
    for server, name in zip(servers, ("s0", "s1")):
        server.refuse()
        made.wait_status("DOWN", name)


def test_trackers_follow(checked, endpoint):
    made = checked(words="fall 1", lines=[f"server follower {endpoint().text} track s0"])
    made.wait_status("UP")
    assert made.row("follower")["status"] == "UP"
    made.servers[0].refuse()
    made.wait_status("DOWN")
    assert made.row("follower")["status"] == "DOWN"
    assert "Server relayed/follower is DOWN via relayed/s0." in made.daemon.errors()


def test_checks_rest_in_maintenance_and_begin_anew(checked):
    made = checked(words="fall 1")
    made.wait_status("UP")
    made.ask("disable server relayed/s0")
    made.servers[0].refuse()
    assert made.row()["status"] == "MAINT"
    count = len(made.servers[0].peers)
    assert " 0 1 1 1 " in made.ask("show servers state")
    made.ask("enable server relayed/s0")
    made.wait_status("DOWN")
    made.servers[0].start()
    made.wait_status("UP")
    assert len(made.servers[0].peers) > count


def test_health_can_be_forced_and_checks_switched_off(checked):
    made = checked(words="inter 60s")
    made.wait_status("UP")
    assert made.ask("set server relayed/s0 health down") == ""
    assert made.row()["status"] == "DOWN"
    assert made.ask("set server relayed/s0 health stopping") == ""
    assert made.row()["status"] == "NOLB"
    assert made.ask("set server relayed/s0 health up") == ""
    assert made.row()["status"] == "UP"
    made.ask("set server relayed/s0 health down")
    assert made.ask("disable health relayed/s0") == ""
    assert made.row()["status"] == "UP"
    made.servers[0].refuse()
    assert made.ask("enable health relayed/s0") == ""
    made.wait_status("DOWN")


def test_each_change_is_logged_on_request(checked):
    made = checked([answering(b"+PONG\r\n")], lines=[*PONG, "option log-health-checks"], words="rise 1 fall 2")
    made.wait_status("UP")
    made.servers[0].refuse()
    made.wait_status("DOWN")
    errors = made.daemon.errors()
    assert "Health check for server relayed/s0 succeeded, reason: Layer7 check passed" in errors
    assert errors.count("Health check for server relayed/s0 failed, reason: Layer4 connection problem") == 2
    assert "status: 1/2 UP." in errors and "status: 0/1 DOWN." in errors


def test_metrics_show_checks(checked, endpoint):
    page = endpoint()
    made = checked([answering(b"HTTP/1.1 204 Fine\r\n\r\n")], lines=HTTP,
                   global_lines=[f"metrics bind {page.text}"])
    made.wait_check("L7OK")
    with urllib.request.urlopen(f"http://127.0.0.1:{page.port}/metrics") as answer:
        families = parse_metrics(answer.read().decode())

    def value(name, **labels):
        samples = families[f"spliced_server_{name}"].samples
        return samples[frozenset({"proxy": "relayed", "server": "s0", **labels}.items())]

    assert [value("check_status", state=state) for state in ("L7OK", "L7STS", "L4OK")] == [1, 0, 0]
    assert value("status", state="UP") == 1
    assert value("check_code") == 204 and value("check_failures_total") == 0
    assert value("check_up_down_total") == 0
    sums = families["spliced_backend_agg_check_status"].samples
    assert sums[frozenset({("proxy", "relayed"), ("state", "L7OK")})] == 1


# --- what clients meet ---

@pytest.mark.parametrize("on_error, status", [("mark-down", "DOWN"), ("sudden-death", "UP 1/3"),
                                              ("fail-check", "UP 2/3"), ("fastinter", "UP")])
def test_failed_connections_count_when_observed(start_proxy, endpoint, closing, on_error, status):
    front, back = endpoint(), endpoint()
    server = closing(ScriptedServer(endpoint()))
    daemon = start_proxy(f"listen relayed\nbind {front.text}\nretries 0\nserver s0 {back.text} check inter 100ms "
                         f"fastinter 60s downinter 60s port {server.place.port} "
                         f"observe layer4 error-limit 3 on-error {on_error}")
    made = Checked(daemon, front, [server])
    made.wait_check("L4OK")
    for _ in range(3):
        assert made.row()["status"] == "UP"
        with front.connect() as client:
            assert receive_to_end(client)[0] == b""
    if on_error == "fastinter":
        assert made.row()["chkfail"] == "0"
        return
    row = made.wait_row(lambda row: row["check_status"] == "HANA", "marked")
    assert row["status"] == status
    assert row["last_chk"] == "3 connections in a row could not be made"


def refused_connection(front):
    with front.connect() as client:
        assert receive_to_end(client)[0] == b""


def test_an_ejected_server_is_out_for_longer_each_time(start_proxy, endpoint, closing):
    front, back, other = endpoint(), endpoint(), endpoint()
    server = closing(ScriptedServer(endpoint()))
    words = f"check inter 50ms port {server.place.port} observe layer4 error-limit 1 on-error eject"
    daemon = start_proxy(f"listen relayed\nbind {front.text}\nretries 0\nbalance first\n"
                         f"server s0 {back.text} {words} eject-time 300ms eject-max-time 700ms\n"
                         f"server s1 {other.text} {words} eject-time 60s")
    made = Checked(daemon, front, [server])
    made.wait_check("L4OK")
    for time_ms in (300, 600, 700, 700):
        refused_connection(front)
        row = made.wait_status("DOWN")
        assert row["check_status"] == "HANA"
        assert row["last_chk"] == f"1 connections in a row could not be made, ejected for {time_ms} ms"
        made.wait_status("UP")
    assert "Server relayed/s0 is UP, reason: its ejection is over" in daemon.errors()


def test_never_too_many_servers_are_ejected(start_proxy, endpoint, closing):
    front, backs = endpoint(), [endpoint() for _ in range(4)]
    server = closing(ScriptedServer(endpoint()))
    rows = [f"server s{at} {back.text} check inter 50ms port {server.place.port} observe layer4 error-limit 1 "
            "on-error eject" for at, back in enumerate(backs)]
    daemon = start_proxy("\n".join(["listen relayed", f"bind {front.text}", "retries 0", *rows]))
    made = Checked(daemon, front, [server])
    made.wait_check("L4OK", "s3")
    for _ in range(8):
        refused_connection(front)
    assert sorted(made.row(f"s{at}")["status"] == "UP" for at in range(4)) == [False, False, True, True]
    down = next(at for at in range(4) if made.row(f"s{at}")["status"] == "DOWN")
    assert made.ask(f"set server relayed/s{down} health up") == ""
    made.wait_status("UP", f"s{down}")


def test_a_good_connection_begins_the_count_anew(start_proxy, endpoint, closing):
    front, back = endpoint(), endpoint()
    server = closing(ScriptedServer(endpoint()))
    daemon = start_proxy(f"listen relayed\nbind {front.text}\nretries 0\nserver s0 {back.text} check inter 60s "
                         f"port {server.place.port} observe layer4 error-limit 3 on-error mark-down")
    made = Checked(daemon, front, [server])
    made.wait_check("L4OK")
    for _ in range(2):
        for _ in range(2):
            with front.connect() as client:
                receive_to_end(client)
        listener = closing(back.listen())
        with front.connect(), accept(listener):
            pass
        listener.close()
    assert made.row()["status"] == "UP"


# --- agents ---

def test_an_agent_decides_over_its_server(checked, endpoint, closing):
    agent = closing(ScriptedServer(endpoint(), saying(b"up\n")))
    made = checked(words=f"weight 40 agent-check agent-inter 100ms agent-port {agent.place.port} agent-send hello\\n")
    row = made.wait_row(lambda row: row["agent_status"].removeprefix("* ") == "L7OK", "asked")
    assert (row["status"], row["agent_health"], row["agent_rise"], row["agent_fall"]) == ("UP", "1", "1", "1")
    agent.script = saying(b"down # too hot\n")
    row = made.wait_status("DOWN (agent)")
    assert row["agent_status"].removeprefix("* ") == "L7STS" and row["last_agt"] == "down (too hot)"
    assert 'Server relayed/s0 is DOWN, reason: Layer7 wrong status, info: "down (too hot)"' in made.daemon.errors()
    agent.script = saying(b"up 50% maxconn:7\n")
    row = made.wait_status("UP")
    assert (row["weight"], row["slim"]) == ("20", "7")
    agent.script = saying(b"drain\r\n")
    made.wait_status("DRAIN (agent)")
    agent.script = saying(b"maint\n")
    made.wait_status("MAINT")
    agent.script = saying(b"ready,100%\n")
    made.wait_row(lambda row: row["status"] == "UP" and row["weight"] == "40", "ready")


def test_what_an_agent_is_sent_and_that_its_silence_changes_nothing(checked, endpoint, closing):
    agent = closing(ScriptedServer(endpoint(), answering(b"stopped\n")))
    made = checked(words=f"agent-check agent-inter 100ms agent-port {agent.place.port} agent-send ask\\n")
    made.wait_status("DOWN (agent)")
    agent.script = silent
    made.wait_row(lambda row: row["agent_status"].removeprefix("* ") == "L7TOUT", "without an answer")
    assert made.row()["status"] == "DOWN (agent)"
    agent.refuse()
    made.wait_row(lambda row: row["agent_status"].removeprefix("* ") == "L4CON", "without an agent")
    assert made.row()["status"] == "DOWN (agent)"
    assert made.ask("set server relayed/s0 agent up") == ""
    assert made.row()["status"] == "UP"

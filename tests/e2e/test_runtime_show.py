"""What the runtime socket shows, compared with HAProxy's where it has the same."""

import json
import re
import socket
import subprocess

import pytest

from lib import place
from lib.clients import run_client
from lib.endpoints import Endpoint
from lib.flows import receive_exactly, receive_to_end
from lib.runtime import RuntimeClient, parse_stat, stat_header
from lib.servers import find_program
from lib.waiting import wait_until

MUCH_BYTES = 8 << 20
INFO_FIELDS = ["Name", "Version", "Nbthread", "Process_num", "Pid", "Uptime", "Uptime_sec", "Ulimit-n", "Maxsock",
               "Maxconn", "CurrConns", "CumConns", "ConnRate", "MaxConnRate", "SessRate", "Maxpipes", "PipesUsed",
               "PipesFree", "DroppedLogs", "Stopping"]


@pytest.fixture
def haproxy(directory):
    """The real HAProxy with the same sections, for its answers; None when that is not installed."""
    program = find_program("haproxy")
    if program is None:
        pytest.skip("haproxy is not installed")
    path = f"{directory}/haproxy.sock"
    front, back = Endpoint("ipv4"), Endpoint("ipv4")
    config = f"{directory}/haproxy.cfg"
    with open(config, "w", encoding="utf-8") as file:
        file.write(place.fill_in(
                   f"global\nstats socket {path} level admin\nnbthread 1\n"
                   f"defaults\nmode tcp\ntimeout connect 5s\ntimeout client 5s\ntimeout server 5s\n"
                   f"listen relayed\nbind {front.text}\nserver one {back.text}\n"))
    with subprocess.Popen([*place.prefix("proxy"), program, "-f", config, "-db"], stderr=subprocess.DEVNULL) as process:
        client = RuntimeClient(path)

        def is_ready():
            try:
                return client.ask("show version")
            except OSError:
                return False

        wait_until(is_ready, "HAProxy to answer")
        yield client
        process.kill()


@pytest.fixture
def plain(make_link):
    return make_link("auto")


def test_statistics_have_haproxys_columns_in_its_order(plain, haproxy):
    theirs = stat_header(haproxy.ask("show stat"))
    theirs = theirs[: theirs.index("-")] if "-" in theirs else theirs
    ours = stat_header(plain.daemon.runtime.ask("show stat"))
    assert [name for name in ours if name in theirs] == [name for name in theirs if name in ours]
    assert ours[: len(theirs)] == theirs


def test_statistics_rows_say_the_same_as_haproxys_of_a_fresh_proxy(plain, haproxy):
    same = ["pxname", "svname", "qcur", "qmax", "scur", "smax", "stot", "bin", "bout", "dreq", "dresp", "econ",
            "eresp", "wretr", "wredis", "weight", "act", "bck", "sid", "type", "mode", "lbtot", "rate", "rate_max",
            "downtime", "chkdown", "chkfail", "throttle", "tracked", "algo", "status"]
    theirs = parse_stat(haproxy.ask("show stat"))
    ours = {(row["pxname"], row["svname"]): row for row in plain.daemon.runtime.stat()}
    for row in theirs:
        mine = ours[(row["pxname"], row["svname"])]
        assert {name: mine[name] for name in same} == {name: row[name] for name in same}, row["svname"]


def test_statistics_can_be_selected(plain):
    rows = parse_stat(plain.daemon.runtime.ask("show stat relayed 4 -1"))
    assert [row["svname"] for row in rows] == ["one"]
    assert {row["svname"] for row in parse_stat(plain.daemon.runtime.ask("show stat -1 -1 -1"))} == {
        "FRONTEND", "one", "BACKEND"}


def test_info_has_haproxys_fields(plain, haproxy):
    theirs, ours = haproxy.info(), plain.daemon.runtime.info()
    for name in INFO_FIELDS:
        assert name in theirs and name in ours, name
    common = [name for name in ours if name in theirs]
    assert common == [name for name in theirs if name in ours], "the order differs"
    assert int(ours["Pid"]) == plain.daemon.pid and int(ours["Uptime_sec"]) < 60


def test_json_answers_are_valid_and_agree_with_the_plain_ones(plain):
    runtime = plain.daemon.runtime
    client, server = plain.pair()
    server.sendall(b"x" * 1000)
    receive_exactly(client, 1000)
    info = runtime.info()
    fields = {entry["field"]["name"]: entry["value"]["value"] for entry in runtime.ask_json("show info json")}
    assert set(fields) == set(info)
    assert str(fields["Pid"]) == info["Pid"] and str(fields["CurrConns"]) == "1"
    objects = runtime.ask_json("show stat json")
    rows = [{entry["field"]["name"]: entry["value"]["value"] for entry in row} for row in objects]
    assert [(row["pxname"], row["svname"]) for row in rows] == [
        (row["pxname"], row["svname"]) for row in runtime.stat()]


def test_typed_answers_have_a_line_for_each_field(plain):
    for line in plain.daemon.runtime.ask("show info typed").strip().splitlines():
        assert re.match(r"\d+\.[\w -]+\.\d+:[A-Za-z]{3}:[a-z0-9]{3}:", line), line
    for line in plain.daemon.runtime.ask("show stat typed").strip().splitlines():
        assert re.match(r"[FBSL]\.\d+\.\d+\.\d+\.[^:]+\.\d+:[A-Za-z]{3}:[a-z0-9]{3}:", line), line


def test_server_states_have_haproxys_shape(plain, haproxy):
    theirs = haproxy.ask("show servers state").splitlines()
    ours = plain.daemon.runtime.ask("show servers state").splitlines()
    assert ours[:2] == theirs[:2]
    ours_fields, theirs_fields = ours[2].split(" "), theirs[2].split(" ")
    assert len(ours_fields) == len(theirs_fields)
    names = theirs[1][2:].split(" ")
    for name in ("be_name", "srv_id", "srv_name", "srv_addr", "srv_op_state", "srv_admin_state", "srv_uweight",
                 "srv_iweight"):
        assert ours_fields[names.index(name)] == theirs_fields[names.index(name)], name


def test_sessions_are_listed_while_they_last(make_link, ours_only, engine, family):
    link = make_link(engine, family)
    assert link.daemon.runtime.ask("show sess").strip() == ""
    client, server = link.pair()
    client.sendall(b"x" * 4321)
    receive_exactly(server, 4321)
    line = wait_until(lambda: link.daemon.runtime.ask("show sess").strip(), "a session to be listed")
    assert re.match(r"0x[0-9a-f]+: ", line) and "fe=relayed" in line and "srv=one" in line
    identity = line.split(":")[0]
    for command in (f"show sess {identity}", "show sess all"):
        text = link.daemon.runtime.ask(command)
        # These carry a connection some time after its beginning.
        assert "4321" in text and (engine in ("auto", "wire") or engine in text), text
        if family != "unix":
            assert f":{client.getsockname()[1]}" in text and "ESTABLISHED" in text
    client.close()
    receive_to_end(server)
    server.close()
    wait_until(lambda: not link.daemon.runtime.ask("show sess").strip(), "the session to be gone")


def test_a_stuck_session_says_why(make_link, ours_only, engine):
    link = make_link(engine)
    _, server = link.pair()
    server.settimeout(0.3)
    with pytest.raises(TimeoutError):
        while True:
            server.sendall(b"z" * 65536)
    assert "the client reads slower" in link.daemon.runtime.ask("show sess all")


def test_thousands_of_sessions_can_be_listed(make_link, ours_only):
    link = make_link("auto")
    pairs = [link.pair() for _ in range(1000)]
    lines = [line for line in link.daemon.runtime.ask("show sess").splitlines() if line]
    assert len(lines) == len(set(lines)) == 1000
    assert len(pairs) == 1000


@pytest.mark.parametrize("amount", [1000, MUCH_BYTES])
def test_show_relay_tells_which_engine_moved_what(make_link, ours_only, engine, amount):
    link = make_link(engine)
    client, server = link.pair()
    client.sendall(b"q")
    receive_exactly(server, 1)
    done = 0
    while done < amount:
        piece = min(100_000, amount - done)
        server.sendall(b"x" * piece)
        receive_exactly(client, piece)
        done += piece

    def moved():
        rows = [line.split() for line in link.daemon.runtime.ask("show relay").splitlines()
                if line and not line.startswith("#")]
        table = {row[0]: int(row[3]) for row in rows if len(row) >= 7 and row[3].isdigit()}
        return table if sum(table.values()) == amount + 1 else None

    table = wait_until(moved, "show relay to count every byte")
    if engine == "wire":
        assert table[engine] > amount / 2 or amount < MUCH_BYTES
    elif engine != "auto":
        assert table[engine] == amount + 1


@pytest.mark.parametrize("command,expected", [
    ("show version", r"^\d+\.\d+"),
    ("help", r"(?s)show info.*shutdown session"),
    ("show activity", r"(?m)^date_now: \d+\.\d+$"),
    ("show backend", r"(?m)^# name\nrelayed$"),
    ("show servers conn", r"relayed/one"),
    ("get weight relayed/one", r"^1 \(initial 1\)$"),
    ("nonsense", r"^Unknown command"),
    ("show sess 0xffffffff", r"(?i)not found"),
    ("get weight relayed/none", r"(?i)no such server"),
    ("set weight relayed/one x", r"\S"),
])
def test_single_commands_answer(plain, ours_only, command, expected):
    assert re.search(expected, plain.daemon.runtime.ask(command).strip())


def test_several_commands_fit_in_one_line(plain):
    answer = plain.daemon.runtime.ask("show version;show info; show backend")
    assert answer.index("CurrConns") < answer.index("# name")


def test_prompt_mode_keeps_the_connection(plain):
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(5)
        peer.connect(plain.daemon.socket_path)
        peer.sendall(b"prompt\n")
        seen = b""
        for command in (b"show version\n", b"get weight relayed/one\n"):
            while not seen.endswith(b"> "):
                seen += peer.recv(4096)
            peer.sendall(command)
            seen = peer.recv(4096)
        while b"1 (initial 1)" not in seen:
            seen += peer.recv(4096)
        peer.sendall(b"quit\n")
        while piece := peer.recv(4096):
            seen += piece


def test_socat_is_a_client(plain):
    if find_program("socat") is None:
        pytest.skip("socat is not installed")
    answer = run_client("socat", "stdio", f"unix-connect:{plain.daemon.socket_path}", stdin="show info\n")
    assert f"Pid: {plain.daemon.pid}\n" in answer


def test_a_client_that_does_not_read_disturbs_nobody(plain):
    stuck = []
    for _ in range(5):
        peer = plain.closing(socket.socket(socket.AF_UNIX))
        peer.connect(plain.daemon.socket_path)
        peer.sendall(b"prompt\n" + b"show stat\n" * 2000)
        stuck.append(peer)
    client, server = plain.pair()
    client.sendall(b"x")
    assert receive_exactly(server, 1) == b"x"
    assert "CurrConns" in plain.daemon.runtime.ask("show info")


def test_an_overlong_line_is_refused(plain):
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(5)
        peer.connect(plain.daemon.socket_path)
        try:
            peer.sendall(b"x" * 200_000 + b"\n")
            while peer.recv(4096):
                pass
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert json.loads(plain.daemon.runtime.ask("show info json"))

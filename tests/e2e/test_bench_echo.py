"""splicebench's echo servers, its burst client, and the article made of both."""

import contextlib
import json
import re
import select
import socket
import subprocess
import sys
import threading

import pytest

from lib.bench import SPLICEBENCH
from lib.proxy import REPOSITORY

sys.path[:0] = [str(REPOSITORY / "bench" / "echo"), str(REPOSITORY / "bench")]

import article_figures  # noqa: E402
import article_proxied  # noqa: E402
import article_report  # noqa: E402
from splicebench import topology  # noqa: E402

METHODS = ("naive", "iosubmit", "splice", "uring", "uring-link", "uring-sqpoll", "sockmap", "thread")
# The others serve one connection after another, as their originals do.
PARALLEL = ("uring", "uring-link", "uring-sqpoll", "sockmap", "thread")
MIB = 1024 * 1024
pytestmark = pytest.mark.skipif(SPLICEBENCH is None, reason="splicebench is not built")


def run(*words, timeout_s=30):
    return subprocess.run([str(SPLICEBENCH), *map(str, words)], capture_output=True, text=True, timeout=timeout_s,
                          check=False, stdin=subprocess.DEVNULL)


def burst(address, *words, status=0):
    done = run("burst", "--to", address, "--json", *words)
    assert done.returncode == status, done.stderr + done.stdout
    return json.loads(done.stdout)


@contextlib.contextmanager
def echo_server(method, *words, listen="127.0.0.1:0"):
    """Yields (process, address); skips in the server's words when the method is unavailable."""
    process = subprocess.Popen([str(SPLICEBENCH), "echo", "--how", method, "--listen", listen, *words],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    try:
        ready, _, _ = select.select([process.stdout], [], [], 10)
        line = process.stdout.readline() if ready else ""
        if not line:
            _, said = process.communicate(timeout=10)
            assert "is not available here: " in said
            pytest.skip(said.strip())
        assert line.startswith("listening on ")
        yield process, line.split()[-1]
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=10)


@contextlib.contextmanager
def faulty_server(on_data):
    """An echo server in this process whose callback spoils what it sends back: on_data(peer,
    data) returns whether to go on."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    stop = threading.Event()

    def serve_one(peer):
        peer.settimeout(0.1)
        while not stop.is_set():
            try:
                data = peer.recv(65536)
            except socket.timeout:
                continue
            if not data or not on_data(peer, data):
                return

    def serve():
        while not stop.is_set():
            with contextlib.suppress(OSError):
                peer, _ = listener.accept()
                with peer:
                    serve_one(peer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield "%s:%d" % listener.getsockname()
    finally:
        stop.set()
        thread.join()
        listener.close()


@pytest.mark.parametrize("method", METHODS)
def test_every_method_echoes_what_was_sent(method):
    with echo_server(method) as (_, address):
        for size, count in ((1, 20), (4097, 20), (MIB, 5)):
            result = burst(address, "--size", size, "--count", count, "--warmup", 2)
            assert result["verified_bytes"] == size * (count + 2)
            assert result["latency_us"]["count"] == count
            assert 0 < result["latency_us"]["min"] <= result["latency_us"]["median"] <= result["latency_us"]["max"]
            assert sum(row["count"] for row in result["histogram"]) == count


@pytest.mark.parametrize("method", PARALLEL)
def test_some_methods_serve_several_connections(method):
    with echo_server(method) as (_, address):
        words = [str(SPLICEBENCH), "burst", "--to", address, "--size", "64k", "--count", "50", "--gap-us", "1000"]
        clients = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                   for _ in range(3)]
        for client in clients:
            said, _ = client.communicate(timeout=30)
            assert client.returncode == 0, said


@pytest.mark.parametrize("method", METHODS)
def test_once_ends_after_the_first_connection(method):
    with echo_server(method, "--once") as (process, address):
        burst(address, "--count", 1, "--settle-ms", 10)
        assert process.wait(10) == 0


def test_ipv6_is_served():
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        with echo_server("naive", listen="[::1]:0") as (_, address):
            assert burst(address, "--count", 2)["errors_total"] == 0
        return
    pytest.skip("this machine has no IPv6")


def test_busy_poll_says_when_it_cannot_work():
    with echo_server("naive", "--busy-poll", "50", "--once") as (process, address):
        burst(address, "--count", 1)
        process.wait(10)
        assert "busy poll" in process.stderr.read()


def test_a_flipped_byte_is_counted():
    def flip(peer, data):
        peer.sendall(data[:-1] + bytes([data[-1] ^ 1]))
        return True

    with faulty_server(flip) as address:
        result = burst(address, "--size", 1000, "--count", 2, "--warmup", 0, "--settle-ms", 0, status=1)
    assert result["errors"]["pattern"] == 2 and result["errors_total"] == 2
    assert result["wrong_bytes"] >= 2
    assert result["latency_us"]["count"] == 0
    assert result["reconnects"] == 1


def test_repeated_bytes_are_counted():
    def repeat(peer, data):
        peer.sendall(data + data)
        return True

    with faulty_server(repeat) as address:
        result = burst(address, "--size", 1000, "--count", 1, "--warmup", 0, "--settle-ms", 0, status=1)
    assert result["errors"]["pattern"] == 1
    assert result["extra_bytes"] + result["wrong_bytes"] > 0


def test_a_stall_is_counted_after_two_seconds():
    with faulty_server(lambda peer, data: not peer.sendall(data[:10])) as address:
        result = burst(address, "--size", 1000, "--count", 1, "--warmup", 0, "--settle-ms", 0, status=1)
    assert result["errors"]["stalled"] == 1
    assert 1.9 < result["seconds"] < 4


def test_an_early_end_is_counted_and_printed():
    def part(peer, data):
        peer.sendall(data[:10])
        return False

    with faulty_server(part) as address:
        done = run("burst", "--to", address, "--size", 1000, "--count", 1, "--warmup", 0, "--settle-ms", 0)
    assert done.returncode == 1
    assert re.search(r"errors: 1, (early_end|reset) 1", done.stdout)


def test_ten_errors_end_the_run():
    def end(peer, data):
        return False

    with faulty_server(end) as address:
        result = burst(address, "--size", 10, "--count", 1000, "--warmup", 0, "--settle-ms", 0, status=1)
    assert result["errors_total"] == 10 and result["blocks"] == 10 and result["has_given_up"]


def test_nobody_listening_is_said():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = "127.0.0.1:%d" % listener.getsockname()[1]
    done = run("burst", "--to", address, "--settle-ms", 0)
    assert done.returncode == 1
    assert "cannot connect to " + address in done.stderr


def test_the_csv_file_has_a_line_for_each_block(tmp_path):
    path = tmp_path / "blocks.csv"
    with echo_server("naive") as (_, address):
        burst(address, "--size", "2k", "--count", 7, "--csv", path)
    lines = path.read_text().splitlines()
    assert lines[0] == "block,latency_us,status"
    assert len(lines) == 8
    assert all(re.fullmatch(r"\d+,[0-9.]+,ok", line) for line in lines[1:])


@pytest.mark.parametrize("words", [
    ("echo",), ("echo", "--how", "naive"), ("echo", "--how", "magic", "--listen", "127.0.0.1:0"),
    ("echo", "--how", "naive", "--listen", "nonsense"), ("echo", "--how", "naive", "--listen"),
    ("echo", "--how", "naive", "--listen", "127.0.0.1:0", "--busy-poll", "-1"), ("echo", "--fast"), ("echo", "word"),
    ("burst",), ("burst", "--to", "127.0.0.1"), ("burst", "--to", "127.0.0.1:9", "--size", "5g"),
    ("burst", "--to", "127.0.0.1:9", "--count", "0"), ("burst", "--to", "127.0.0.1:9", "--seconds", "soon"),
    ("burst", "--to", "127.0.0.1:9", "more"), ("burst", "--to")])
def test_a_wrong_flag_is_one_clear_sentence(words):
    done = run(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"splicebench {words[0]}: ")
    assert done.stderr.endswith(f"Try 'splicebench {words[0]} --help'\n")


@pytest.mark.parametrize("command", ["echo", "burst"])
def test_help_is_printed(command):
    done = run(command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: splicebench {command} ")


def test_a_small_article_is_written(tmp_path):
    files = {name: tmp_path / f"article.{name}" for name in ("json", "markdown")}
    done = subprocess.run(
        ["/usr/bin/python3", str(REPOSITORY / "bench" / "article.py"), "--binary", str(SPLICEBENCH), "--topologies",
         "loopback", "--sizes", "2k,128k", "--rounds", "2", "--seconds", "0.05", "--methods", "naive,splice,sockmap",
         "--json", str(files["json"]), "--markdown", str(files["markdown"])],
        capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    text = files["markdown"].read_text()
    assert "| naive | 220 | 1.00× |" in text and "| splice | 258 | 1.17× |" in text
    assert "splice(2) is slower than plain read and write." in text
    again = subprocess.run(["/usr/bin/python3", str(REPOSITORY / "bench" / "article.py"), "--from", str(files["json"])],
                           capture_output=True, text=True, timeout=60, check=False)
    assert again.stdout == text


@pytest.mark.parametrize("ratios, expected, said", [
    ([1.2, 1.3, 1.25], ("above",), "**holds**"),
    ([0.7, 0.8, 0.75], ("above",), "**does not hold**"),
    ([1.0, 1.02, 0.98], ("equal",), "**holds**"),
    ([1.0, 1.02, 0.98], ("above",), "**does not hold**"),
    ([0.8, 1.2], ("above",), "**undecided** (the rounds do not agree)"),
    ([0.8, 1.2, 1.2, 1.3, 1.9], ("above",), "**holds**"),
    ([1.2, 1.3], ("equal", "above"), "**holds**"),
    ([], ("above",), "**not measured**")])
def test_a_conclusion_follows_from_the_ratios(ratios, expected, said):
    assert article_figures.verdict(ratios, expected) == said


def test_errors_and_unavailable_methods_are_rows():
    trimmed = {"min": 1, "median": 2.0, "mean": 2, "deviation": 1.0, "max": 3.0, "count": 9}
    one = {"round": 0, "size": 131072, "has_busy_poll": False, "trimmed": trimmed, "is_dropped": False, "said": []}
    part = {"unavailable": {"uring": "this build has no liburing"}, "runs": [
        {**one, "method": "naive", "burst": {"blocks": 9, "errors": {"stalled": 0}}},
        {**one, "method": "sockmap", "burst": {"blocks": 9, "errors": {"stalled": 2, "pattern": 1}}}]}
    text = "\n".join(article_report.report_topology("loopback", part, ["naive", "sockmap", "uring"]))
    assert "| uring | – | – | unavailable: this build has no liburing |" in text
    assert re.search(r"\| sockmap \| 263 \| 1\.20× \|.*\| pattern 1, stalled 2 \|", text)
    assert "has bugs: **holds**; in 9 blocks: pattern 1, stalled 2." in text


def test_the_part_with_a_proxy_has_ratios_to_routing():
    def make(method, *medians, **more):
        return [{"round": turn, "size": 2048, "has_busy_poll": False, "method": method, "is_dropped": False, "said": [],
                 "trimmed": {"median": median}, "burst": {"blocks": 9, "errors": {}}, **more}
                for turn, median in enumerate(medians)]

    failed = {"round": 0, "size": 2048, "has_busy_poll": False, "method": "spliced-copy", "failure": "it fell"}
    part = {"methods": list(article_proxied.METHODS), "unavailable": {"haproxy": "haproxy is not installed"},
            "runs": [*make("forward", 40.0, 20.0), *make("spliced-wire", 42.0, 21.0), failed]}
    text = "\n".join(article_report.report_topology("proxied", part, ["naive", "sockmap"]))
    assert "| forward, µs | 30.0 (20.0–40.0) |" in text and "| spliced-wire ÷ forward | 1.05 (1.05–1.05) |" in text
    assert "* haproxy: unavailable: haproxy is not installed" in text and "naive:" not in text
    assert "* spliced-copy: 0 blocks, errors: failed 1; it said: it fell" in text
    whole = article_report.plot_script({"topologies": {"proxied": part}, "methods": ["naive"]}, "x.svg")
    assert "spliced-wire" not in whole and "proxied" not in whole


def test_an_article_with_a_proxy_has_wire_where_it_can_be_had(tmp_path):
    missing = topology.refuse_reason("veth")
    if missing:
        pytest.skip(missing)
    kept = tmp_path / "article.json"
    done = subprocess.run(
        ["/usr/bin/python3", str(REPOSITORY / "bench" / "article.py"), "--binary", str(SPLICEBENCH), "--topologies",
         "proxied", "--sizes", "2k", "--rounds", "1", "--seconds", "0.3", "--json", str(kept)],
        capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    part = json.loads(kept.read_text())["topologies"]["proxied"]
    measured = {one["method"] for one in part["runs"] if one.get("trimmed")}
    assert measured | set(part["unavailable"]) == set(article_proxied.METHODS) and "forward" in measured


def test_an_unknown_congestion_control_is_said():
    for words in (("echo", "--how", "naive", "--listen", "127.0.0.1:0"), ("burst", "--to", "127.0.0.1:9")):
        done = run(*words, "--congestion", "nonsense")
        assert done.returncode == 1
        assert "congestion control 'nonsense'" in done.stderr

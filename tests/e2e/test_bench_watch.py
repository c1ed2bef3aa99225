"""splicebench watch upon real processes: counts that are known, ends, refusals, samples."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

import pytest

from lib.bench import SPLICEBENCH

CALLS = 3000
# Asks for its parent at each line it reads, and says when it is done.
CALLER = f"""
import os, sys
print("ready", flush=True)
for line in sys.stdin:
    for _ in range({CALLS}):
        os.getppid()
    print("done", flush=True)
"""
# Two threads that hand each other the turn as long as standard input is open.
SWITCHER = """
import socket, sys, threading
near, far = socket.socketpair()
def answer():
    while far.recv(1):
        far.send(b"x")
threading.Thread(target=answer, daemon=True).start()
print("ready", flush=True)
for line in sys.stdin:
    for _ in range(500):
        near.send(b"x")
        near.recv(1)
    print("done", flush=True)
"""


PROGRAM = str(SPLICEBENCH)
pytestmark = pytest.mark.skipif(SPLICEBENCH is None, reason="splicebench was not built beside the daemon")


def run_watch(*words, prefix=(), **options):
    return subprocess.run([*prefix, PROGRAM, "watch", *map(str, words)], capture_output=True, text=True, timeout=30,
                          check=False, stdin=subprocess.DEVNULL, **options)


@contextlib.contextmanager
def started(code):
    """A Python program that has said that it is ready."""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def ask(process):
    process.stdin.write("go\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"


@contextlib.contextmanager
def watching(*words):
    """The watch in the background, once it has begun: its first sample says so."""
    with subprocess.Popen([PROGRAM, "watch", "--every", "20", *map(str, words)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as watch:
        try:
            watch.first = json.loads(watch.stdout.readline())
            yield watch
        finally:
            watch.kill()


def end(watch, number=signal.SIGINT):
    """Ends a watch by a signal; returns its samples and its report."""
    watch.send_signal(number)
    out, errors = watch.communicate(timeout=20)
    assert watch.returncode == 0, errors
    lines = [json.loads(line) for line in out.splitlines()]
    return [watch.first, *lines[:-1]], lines[-1]


def has_bpf():
    done = run_watch("--pid", os.getpid(), "--seconds", "0.01", "--source", "bpf")
    return done.returncode == 0, done.stderr.strip()


def need_bpf():
    is_there, why = has_bpf()
    if not is_there:
        pytest.skip(why)


def test_the_report_has_what_the_contract_names():
    done = run_watch("--pid", os.getpid(), "--seconds", "0.2", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["seconds"] >= 0.2 and report["source"] in ("bpf", "proc")
    assert (report["why_not_bpf"] is None) == (report["source"] == "bpf")
    process, machine = report["pids"][0], report["machine"]
    assert process["pid"] == os.getpid() and not process["ended"] and process["threads"] >= 1
    assert process["rss_bytes"] > 1024 * 1024 and process["pss_bytes"] > 0
    assert {"user_s", "system_s", "run_delay_s", "voluntary_switches", "involuntary_switches", "syscalls", "wakeups",
            "wake_latency_us"} <= set(process)
    spent = sum(machine[f"{kind}_s"] for kind in ("user", "system", "softirq", "irq", "steal", "idle"))
    assert 0 < spent < 10 * machine["cpus"]
    assert machine["mem_available_bytes_start"] > 0 and machine["slab_bytes_end"] > 0
    assert {"processed", "dropped", "squeezed"} == set(machine["softnet"])
    assert {"tcp_mem_pages_start", "tcp_mem_pages_end", "sockets_tcp_inuse", "context_switches"} <= set(machine)


def test_the_table_is_for_people():
    done = run_watch("--pid", os.getpid(), "--seconds", "0.1")
    assert done.returncode == 0 and f"process {os.getpid()}" in done.stdout and "machine" in done.stdout


def test_every_system_call_is_counted():
    need_bpf()
    with started(CALLER) as caller, watching("--pid", caller.pid) as watch:
        ask(caller)
        _, report = end(watch)
    process = report["pids"][0]
    assert process["syscalls_by_name"]["getppid"] == CALLS
    assert CALLS < process["syscalls"] < CALLS + 200


def test_every_wake_up_is_timed():
    need_bpf()
    with started(SWITCHER) as switcher, watching("--pid", switcher.pid) as watch:
        ask(switcher)
        _, report = end(watch)
    process = report["pids"][0]
    latency = process["wake_latency_us"]
    assert process["threads"] == 2 and process["wakeups"] >= 500
    assert process["wakeups"] - 5 <= latency["count"] <= process["wakeups"] + 5
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["max"]


def test_without_bpf_switches_still_count():
    with started(SWITCHER) as switcher, watching("--pid", switcher.pid, "--source", "proc") as watch:
        ask(switcher)
        _, report = end(watch, signal.SIGTERM)
    process = report["pids"][0]
    assert report["source"] == "proc" and report["why_not_bpf"]
    assert process["syscalls"] is None and process["wakeups"] is None and process["wake_latency_us"] is None
    assert process["voluntary_switches"] >= 500


def test_a_process_that_ends_is_reported_with_its_last_values():
    with started(CALLER) as caller, watching("--pid", f"{os.getpid()},{caller.pid}") as watch:
        caller.stdin.close()
        caller.wait(timeout=10)
        _, report = end(watch)
    mine, ended = report["pids"]
    assert not mine["ended"] and ended["ended"]
    assert ended["rss_bytes"] > 1024 * 1024 and ended["threads"] == 1


def test_samples_show_the_queues_of_a_port():
    with socket.create_server(("127.0.0.1", 0), backlog=9) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(listener.getsockname()) as client:
            client.sendall(b"x" * 777)
            with watching("--pid", os.getpid(), "--port", port) as watch:
                samples, report = end(watch)
    assert report["pids"][0]["pid"] == os.getpid()
    assert [sample["sample"] for sample in samples] == list(range(1, len(samples) + 1))
    sample = samples[0]
    assert sample["queues"] == {"port": port, "listeners": 1, "connections": 1, "accept_queue": 1,
                                "accept_queue_max": 9, "receive_queue_bytes": 777, "send_queue_bytes": 0}
    assert len(sample["cpu_busy"]) >= 1 and sample["why_no_queues"] is None and sample["interval_s"] > 0
    assert sample["run_delay_s"] >= 0 and "squeezed" in sample["softnet"]


def test_queues_are_those_of_the_namespace_of_the_process():
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("a network namespace needs root and unshare")
    code = 'import socket; s = socket.create_server(("0.0.0.0", 7007)); print("ready", flush=True); input()'
    with subprocess.Popen(["unshare", "-n", sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as server:
        try:
            assert server.stdout.readline() == "ready\n"
            with watching("--pid", server.pid, "--port", 7007) as watch:
                samples, _ = end(watch)
        finally:
            server.kill()
    assert samples[0]["queues"]["listeners"] == 1


def test_an_unprivileged_user_is_told_why_there_is_less():
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("changing the user needs root and setpriv")
    nobody = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        copy = shutil.copy(PROGRAM, folder)
        done = subprocess.run([*nobody, copy, "watch", "--pid", str(os.getpid()), "--seconds", "0.1", "--json"],
                              capture_output=True, text=True, timeout=20, check=False)
        refused = subprocess.run([*nobody, copy, "watch", "--pid", str(os.getpid()), "--source", "bpf"],
                                 capture_output=True, text=True, timeout=20, check=False)
    report = json.loads(done.stdout)
    assert done.returncode == 0 and report["source"] == "proc" and report["why_not_bpf"]
    assert report["pids"][0]["pss_bytes"] is None and report["pids"][0]["rss_bytes"] > 0
    assert refused.returncode == 1 and refused.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [[], ["--pid"], ["--pid", "0"], ["--pid", "x"], ["--pid", "1,1"],
                                   ["--pid", "1", "--seconds", "0"], ["--pid", "1", "--nonsense"],
                                   ["--pid", "1", "--port", "80"]])
def test_a_wrong_command_line_is_one_sentence_and_status_2(words):
    done = run_watch(*words)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "Try 'splicebench watch --help'" in done.stderr


def test_a_missing_process_is_a_failure_with_its_number():
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    done = run_watch("--pid", gone.pid, "--seconds", "1")
    assert done.returncode == 1 and str(gone.pid) in done.stderr and done.stdout == ""


def test_an_output_that_is_closed_or_full_is_a_failure():
    closed = subprocess.run(["sh", "-c", '"$0" watch --pid $$ --seconds 0.05 >&-', PROGRAM], capture_output=True,
                            text=True, timeout=20, check=False)
    with open("/dev/full", "wb") as full:
        done = subprocess.run([PROGRAM, "watch", "--pid", str(os.getpid()), "--seconds", "0.05"], stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=20, check=False)
    assert closed.returncode == 1 and "standard output" in closed.stderr
    assert done.returncode == 1 and "standard output" in done.stderr


def test_a_reader_that_leaves_ends_the_samples():
    reading, writing = os.pipe()
    with subprocess.Popen([PROGRAM, "watch", "--pid", str(os.getpid()), "--every", "10"], stdout=writing,
                          stderr=subprocess.PIPE, text=True) as watch:
        os.close(writing)
        assert os.read(reading, 1)
        os.close(reading)
        try:
            _, errors = watch.communicate(timeout=20)
        finally:
            watch.kill()
    assert watch.returncode == 1 and "standard output" in errors


def test_help_is_on_standard_output():
    done = run_watch("--help")
    assert done.returncode == 0 and "--pid" in done.stdout and done.stderr == ""
